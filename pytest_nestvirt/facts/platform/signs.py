"""What the running system itself says of the hypervisor below it: x86, Arm, RISC-V."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pytest_nestvirt.facts.platform.dmi import QEMU, UNCLEAR
from pytest_nestvirt.facts.platform.layer import NONE, Sign
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


def statements(reader: Reader) -> tuple[Sign, ...]:
    """Everything that names a hypervisor, or says that there is none."""
    return tuple(
        sign for source in (_detect_virt, _lscpu, _log, _clock_sources, _device_tree) for sign in source(reader)
    )


def looked_for_kvm(reader: Reader) -> bool:
    """Whether lscpu or the clock sources were read, which name KVM where it offers itself."""
    return bool(seen_text(reader, LSCPU) or seen_text(reader, CLOCK_SOURCES))


def _detect_virt(reader: Reader) -> Iterator[Sign]:
    name = _WORDS.get(seen_text(reader, DETECT_VIRT))
    if name is not None:
        yield Sign(name, DETECT_VIRT, "some hypervisor, without its name" if name == UNCLEAR else "")


def _lscpu(reader: Reader) -> Iterator[Sign]:
    name = _LSCPU.get(seen_lscpu(reader, "Hypervisor vendor"))
    if name is not None:
        yield Sign(name, LSCPU)


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
    """Without the node `hypervisor`, a tree of QEMU's own machines tells that this is one, not whether KVM runs it."""
    hypervisor = seen_text(reader, f"{TREE}hypervisor/compatible")
    for mark, name in (("linux,kvm", "kvm"), ("vmware", "vmware"), ("xen", "xen")):
        if mark in hypervisor:
            yield Sign(name, f"{TREE}hypervisor/compatible")
    if not hypervisor and _TREE_OF_QEMU.search(seen_text(reader, f"{TREE}compatible")):
        yield Sign(UNCLEAR, f"{TREE}compatible", "a machine that QEMU makes up, run by KVM or emulated")
