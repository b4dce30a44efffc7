"""What the running system itself shows of the hypervisor below it: x86, Arm, RISC-V."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pytest_nestvirt.facts.platform.dmi import QEMU, UNCLEAR, Dmi
from pytest_nestvirt.facts.platform.hostnamectl import seen_hostnamectl
from pytest_nestvirt.facts.platform.layer import NONE, WSL2, Sign, Strength
from pytest_nestvirt.observation.fact import Reader
from pytest_nestvirt.observation.partial import LOG, LSCPU, seen_log, seen_lscpu, seen_text

DETECT_VIRT = "nestvirt/systemd-detect-virt_--vm"
CLOCK_SOURCES = "sys/devices/system/clocksource/clocksource0/available_clocksource"
TREE = "proc/device-tree/"

_WORDS = {
    "none": NONE,
    "kvm": "kvm",
    "amazon": "kvm",
    "google": "kvm",
    "qemu": QEMU,
    "vmware": "vmware",
    "microsoft": "hyperv",
    "oracle": "virtualbox",
    "xen": "xen",
    "uml": "uml",
    "parallels": "parallels",
    "bhyve": "bhyve",
    "qnx": "qnx",
    "acrn": "acrn",
    "apple": "apple",
    "vm-other": UNCLEAR,
}
"""Words of `systemd-detect-virt --vm`. Its `bochs` is left out: it rests on DMI, which is weighed by itself."""

_DMI_FIRST = frozenset({"oracle", "amazon", "google", "parallels"})
"""Words that systemd takes from DMI before it asks the processor (detect_vm() in src/basic/virt.c)."""

_ASKS_THE_PROCESSOR_FIRST = (4, 15)
"""Kernels since that one come with a systemd that asks the processor before DMI whether it is KVM (233, of March 2017)."""

_NOT_BY_PROCESSOR = frozenset({"none", "uml", "xen"})
"""Words that rest on files of the kernel, or on every source."""

_LSCPU = {
    "KVM": "kvm",
    "Microsoft": "hyperv",
    "VMware": "vmware",
    "Innotek GmbH": "virtualbox",
    "Oracle": "virtualbox",
    "Parallels": "parallels",
    "bhyve": "bhyve",
    "UML": "uml",
}
"""Vendors of `lscpu`. It asks CPUID whether or not the flag `hypervisor` is there."""

_LSCPU_BY_DMI = frozenset({"Innotek GmbH", "Oracle", "Parallels"})
"""Those that it takes from DMI (sys-utils/lscpu-dmi.c)."""

_LOG = (
    (
        r"Hypervisor detected: KVM|paravirtualized kernel on KVM|\bKVM: hypervisor services detected|\bkvm-clock: ",
        "kvm",
    ),
    (r"Hypervisor detected: Microsoft Hyper-?V", "hyperv"),
    (r"Hypervisor detected: VMware", "vmware"),
    (r"Hypervisor detected: ACRN", "acrn"),
    (r"Hypervisor detected: Jailhouse", "jailhouse"),
    (r"Hypervisor detected: bhyve", "bhyve"),
)

_TREE_OF_QEMU = re.compile(r"^(?:linux,dummy-virt|riscv-virtio|qemu,)", re.MULTILINE)


def statements(reader: Reader, dmi: Dmi, *, flag: bool | None, kernel: tuple[int, ...]) -> tuple[Sign, ...]:
    """Everything that names a hypervisor, or says that there is none, with what it rests on.

    `flag` is whether any processor shows the flag `hypervisor`, None where the flags are not known; `kernel` is the version of the
    kernel that runs, empty where it is not known.
    """
    word = _detect_virt(reader, dmi, flag=flag, kernel=kernel)
    sources = (_lscpu, _log, _clock_sources, _device_tree, _kernel_of_wsl2)
    return (*word, *(sign for source in sources for sign in source(reader)))


def _detect_virt(reader: Reader, dmi: Dmi, *, flag: bool | None, kernel: tuple[int, ...]) -> Iterator[Sign]:
    shown = seen_hostnamectl(reader)
    word = seen_text(reader, DETECT_VIRT) or (shown.detected if shown else "")
    name = _WORDS.get(word)
    if name is None:
        return
    strength = _strength(word, dmi, flag=flag, kernel=kernel)
    if strength is Strength.STRINGS and dmi.strings and dmi.systemd_word != word:
        name = UNCLEAR
    yield Sign(name, DETECT_VIRT, "some hypervisor, without its name" if word == "vm-other" else word, strength)


def _strength(word: str, dmi: Dmi, *, flag: bool | None, kernel: tuple[int, ...]) -> Strength:
    """What the word rests on.

    Without the flag the processor did not answer systemd, so the word is from DMI strings; `qemu` may be TCG's signature
    or DMI's word where that has it or was not read. `kvm` may be DMI's word on old systems: the systemd of RHEL 7 asks DMI before
    the processor, and QEMU of RHEL calls its machines `KVM` whether KVM runs them or not.
    """
    if word in _NOT_BY_PROCESSOR:
        return Strength.MACHINE
    explained = dmi.systemd_word == word
    dmi_first = word in _DMI_FIRST or (word == "kvm" and explained and () < kernel < _ASKS_THE_PROCESSOR_FIRST)
    by_strings = dmi_first or (word == "qemu" and (explained or not dmi.strings))
    return Strength.STRINGS if flag is False or by_strings or (flag is None and explained) else Strength.MACHINE


def _lscpu(reader: Reader) -> Iterator[Sign]:
    vendor = seen_lscpu(reader, "Hypervisor vendor")
    name = _LSCPU.get(vendor)
    if name is not None:
        yield Sign(name, LSCPU, strength=Strength.STRINGS if vendor in _LSCPU_BY_DMI else Strength.MACHINE)


def _kernel_of_wsl2(reader: Reader) -> Iterator[Sign]:
    """`5.15.167.4-microsoft-standard-WSL2`; that of WSL 1, which is not a virtual machine, ends in `-Microsoft`."""
    release = seen_text(reader, WSL2)
    if "-microsoft-standard" in release or release.endswith("-WSL2"):
        yield Sign("hyperv", WSL2, release)


def _log(reader: Reader) -> Iterator[Sign]:
    text = seen_log(reader)
    for pattern, name in _LOG:
        if re.search(pattern, text):
            yield Sign(name, LOG[0])


def _clock_sources(reader: Reader) -> Iterator[Sign]:
    for word in seen_text(reader, CLOCK_SOURCES).split():
        if word == "kvm-clock" or word.startswith("hyperv_clocksource"):
            yield Sign("kvm" if word == "kvm-clock" else "hyperv", CLOCK_SOURCES)


def _device_tree(reader: Reader) -> Iterator[Sign]:
    """Without the node `hypervisor`, a tree of QEMU's own machines shows that this is one, not whether KVM runs it."""
    hypervisor = seen_text(reader, f"{TREE}hypervisor/compatible")
    for mark, name in (("linux,kvm", "kvm"), ("vmware", "vmware"), ("xen", "xen")):
        if mark in hypervisor:
            yield Sign(name, f"{TREE}hypervisor/compatible")
    if not hypervisor and _TREE_OF_QEMU.search(seen_text(reader, f"{TREE}compatible")):
        yield Sign(UNCLEAR, f"{TREE}compatible", "a machine that QEMU makes up, run by KVM or emulated")
