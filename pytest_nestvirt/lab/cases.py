"""The labs there are. What is listed here has been seen to come up and to be judged as it says."""

from __future__ import annotations

from dataclasses import replace

from pytest_nestvirt.lab.architectures import AMD64, ARM64, PPC64EL, S390X
from pytest_nestvirt.lab.emulators import QEMU_10_PPC, QEMU_ARM, QEMU_PPC, QEMU_S390X, QEMU_X86
from pytest_nestvirt.lab.model import Expected, LabCase, Machine
from pytest_nestvirt.lab.problem import LabError
from pytest_nestvirt.verdict import Verdict

PASS, FAIL, WARN = Verdict.PASS, Verdict.FAIL, Verdict.WARN
BLOCKED, INCONCLUSIVE = Verdict.BLOCKED, Verdict.INCONCLUSIVE
CONFIRMED, LIFTED = Verdict.LIMIT_CONFIRMED, Verdict.LIMIT_LIFTED

# One processor throughout: with two, QEMU 7.2 to 11.1 locked up or reset the L0 of the AMD cases.

_OVER_KVM = ("-machine", "q35,accel=kvm", "-cpu", "host")
_EMULATED_EPYC = ("-machine", "q35,accel=tcg", "-nodefaults")
# The emulated machine stands for hardware: it does not set the flag by which hypervisors announce themselves, and its
# DMI does not call it QEMU. _AMD_AS_GUEST is the same machine without that.
_AS_HARDWARE = (
    *("-cpu", "EPYC,+vgif,-hypervisor"),
    *("-smbios", "type=0,vendor=nestvirt lab,version=1"),
    *("-smbios", "type=1,manufacturer=nestvirt lab,product=Emulated EPYC,version=1"),
    *("-smbios", "type=3,manufacturer=nestvirt lab"),
)
_AMD_L0 = Machine(options=(*_EMULATED_EPYC, *_AS_HARDWARE), memory=1536, seconds=4, kvm="kvm_amd")
_AMD_L1 = Machine(options=_OVER_KVM, memory=768, seconds=7, kvm="kvm_amd")
_AMD_L2 = Machine(options=_OVER_KVM, memory=256, seconds=20, disk="")
_AMD_L0_PASSES = ("KWIKI-DISTRO-OVERRIDE", "KWIKI-PARAM-VALUES", "KWIKI-PERSIST-AMD")
_AMD_L1_PASSES = ("KWIKI-TERM-L1", "KWIKI-L1-CPU-HOST", "KWIKI-L1-NAMED-MODEL", "KWIKI-UB-SIGNS")

AMD = LabCase(
    name="amd",
    title="AMD EPYC with SVM and nested paging: L0, L1 and L2",
    architecture=AMD64,
    emulator=QEMU_X86,
    machines=(_AMD_L0, _AMD_L1, _AMD_L2),
    expected=Expected(
        {
            "l0": {PASS: ("KWIKI-TERM-L0", *_AMD_L0_PASSES)},
            "l1": {PASS: _AMD_L1_PASSES},
            "l2": {PASS: ("KWIKI-TERM-L2",)},
        }
    ),
    attempts=2,
    snapshots=True,
    notes=("L0, L1 and L2 are Debian's cloud kernel, BusyBox and SSH; L0 and L1 have Python and QEMU, too",),
)

AMD_VIRTUAL = replace(
    AMD,
    name="amd-virtual",
    title="the same L0, recognizable as a virtual machine, and an L1",
    machines=(replace(_AMD_L0, options=(*_EMULATED_EPYC, "-cpu", "EPYC,+vgif")), _AMD_L1),
    expected=Expected(
        {"l0": {PASS: _AMD_L0_PASSES, FAIL: ("KWIKI-TERM-L0",)}, "l1": {PASS: _AMD_L1_PASSES}},
    ),
    snapshots=False,
    notes=("no L2: what it shows about L2 is shown by amd",),
)

AMD_NESTED_OFF = replace(
    AMD,
    name="amd-nested-off",
    title="AMD EPYC whose administrator has switched nesting off: L0 and an L1 that can't run guests",
    machines=(replace(_AMD_L0, modprobe="options kvm_amd nested=0\n"), _AMD_L1),
    expected=Expected(
        {
            "l0": {
                PASS: ("KWIKI-TERM-L0", "KWIKI-DISTRO-OVERRIDE"),
                FAIL: ("KWIKI-PARAM-VALUES",),
                WARN: ("KWIKI-PERSIST-AMD",),
            },
            "l1": {
                PASS: ("KWIKI-L1-CPU-HOST", "KWIKI-L1-NAMED-MODEL", "KWIKI-UB-SIGNS"),
                BLOCKED: ("KWIKI-TERM-L1",),
            },
        }
    ),
    snapshots=False,
    notes=("no L2: without svm the L1 has no KVM",),
)

# Without -nodefaults a powernv machine has its PCIe buses, and can be switched off.
_POWERNV = Machine(
    options=("-machine", "powernv9,accel=tcg", "-cpu", "POWER9", "-nic", "none", "-serial", "none"),
    memory=3072,
    seconds=11,
    kvm="kvm_hv",
    block=",bus=pcie.0,addr=0x0",
    network=",bus=pcie.1,addr=0x0",
)
# The first firmware of QEMU's own for pseries (x-vof) boots in a third of SLOF's time; the mitigations that KVM on an
# emulated POWER9 can't offer have to be declined by name.
_PSERIES = "pseries,x-vof=on,cap-cfpc=broken,cap-sbbc=broken,cap-ibs=broken,cap-ccf-assist=off,accel=kvm"
_POWER_L1 = Machine(
    options=("-machine", f"{_PSERIES},cap-nested-hv=on", "-cpu", "host"), memory=1024, seconds=8, kvm="kvm_hv"
)

POWER9 = LabCase(
    name="power9",
    title="IBM POWER9, bare metal (PowerNV), and a guest that may run guests: L0 and L1",
    architecture=PPC64EL,
    emulator=QEMU_PPC,
    machines=(_POWERNV, _POWER_L1),
    expected=Expected(
        {
            "l0": {PASS: ("KWIKI-TERM-L0", "KWIKI-DISTRO-OVERRIDE", "KWIKI-PARAM-VALUES")},
            "l1": {PASS: ("KWIKI-TERM-L1", "KWIKI-UB-SIGNS")},
        }
    ),
    attempts=2,
    notes=(
        "L0 and L1 are Debian's kernel, BusyBox, Python, QEMU and SSH",
        "no L2: below an emulated PowerNV, QEMU 7.2 crashes it on its way to userland; QEMU 10 does not",
    ),
)

# The memory of a guest of an emulated POWER9 has to be a multiple of 256 MiB.
_POWER_L2 = Machine(options=("-machine", _PSERIES, "-cpu", "host"), memory=512, seconds=12, disk="")

POWER9_3 = replace(
    POWER9,
    name="power9-3",
    title="IBM POWER9, bare metal (PowerNV), its guest, and a guest of that: L0, L1 and L2",
    emulator=QEMU_10_PPC,
    machines=(_POWERNV, replace(_POWER_L1, memory=1792), _POWER_L2),
    expected=Expected(
        {
            "l0": {PASS: ("KWIKI-TERM-L0", "KWIKI-DISTRO-OVERRIDE", "KWIKI-PARAM-VALUES")},
            "l1": {PASS: ("KWIKI-TERM-L1", "KWIKI-UB-SIGNS")},
            "l2": {PASS: ("KWIKI-TERM-L2",)},
        }
    ),
    notes=(
        "L0, L1 and L2 are Debian's kernel, BusyBox and SSH; L0 and L1 have Python and QEMU, too",
        "the emulator outside is QEMU 10, with which the L2 lives",
    ),
)

POWER9_NESTED_OFF = replace(
    POWER9,
    name="power9-nested-off",
    title="IBM POWER9 whose administrator has switched nesting off, and a guest",
    machines=(
        replace(_POWERNV, modprobe="options kvm_hv nested=0\n"),
        replace(_POWER_L1, options=("-machine", _PSERIES, "-cpu", "host")),
    ),
    expected=Expected(
        {
            "l0": {PASS: ("KWIKI-TERM-L0", "KWIKI-DISTRO-OVERRIDE"), FAIL: ("KWIKI-PARAM-VALUES",)},
            "l1": {PASS: ("KWIKI-UB-SIGNS",), BLOCKED: ("KWIKI-TERM-L1",)},
        }
    ),
    notes=("L1: kvm_hv refuses, and /dev/kvm is there all the same",),
)

POWER8 = replace(
    POWER9,
    name="power8",
    title="IBM POWER8, judged as RHEL: an L0 with KVM, whose guest has none",
    machines=(
        replace(
            _POWERNV, options=("-machine", "powernv8,accel=tcg", "-cpu", "POWER8", "-nic", "none", "-serial", "none")
        ),
        replace(_POWER_L1, options=("-machine", _PSERIES, "-cpu", "host")),
    ),
    expected=Expected(
        {
            "l0": {
                PASS: ("RHEL8-DEVTEST", "RHEL8-L0-PHYSICAL", "RHEL8-NOT-PRODUCTION"),
                FAIL: ("RHEL8-ARCH-LIST",),
                LIFTED: ("RHEL8-SUP-ONLY-INTEL",),
            },
            "l1": {CONFIRMED: ("RHEL8-P9-NOT-P8",)},
        }
    ),
    treat_as="rhel",
    notes=("L0: kvm_hv has nested=Y all the same", "L1: kvm_hv refuses, and /dev/kvm is there all the same"),
)

IBMZ_NO_SIE = LabCase(
    name="ibmz-no-sie",
    title="IBM Z without interpretive execution (SIE): an L0 that has no KVM",
    architecture=S390X,
    emulator=QEMU_S390X,
    machines=(
        Machine(
            options=("-machine", "s390-ccw-virtio,accel=tcg", "-cpu", "max", "-nodefaults"),
            memory=1024,
            seconds=5,
            kvm="kvm",
        ),
    ),
    expected=Expected(
        {
            "l0": {
                FAIL: ("KWIKI-TERM-L0",),
                INCONCLUSIVE: ("KWIKI-DEFAULT-OFF", "KWIKI-PARAM-VALUES"),
                PASS: ("KWIKI-DISTRO-OVERRIDE",),
            }
        }
    ),
    notes=("no L1: QEMU does not emulate SIE", "its /proc/sysinfo says what it is, a guest of an emulator"),
)

ARM64_HOST = LabCase(
    name="arm64",
    title="arm64, of which no document says that it supports nesting: an L0 with KVM",
    architecture=ARM64,
    emulator=QEMU_ARM,
    machines=(
        Machine(
            options=("-machine", "virt,virtualization=on,gic-version=3,accel=tcg", "-cpu", "cortex-a72", "-nodefaults"),
            memory=1024,
            seconds=3,
        ),
    ),
    expected=Expected({"l0": {FAIL: ("KWIKI-TERM-L0",)}}),
    notes=("no L1: no document says anything about it that could be checked",),
)

CASES = (POWER9, POWER9_NESTED_OFF, POWER9_3, POWER8, AMD, AMD_NESTED_OFF, AMD_VIRTUAL, IBMZ_NO_SIE, ARM64_HOST)


def case_of(name: str) -> LabCase:
    """The case of that name. Raises `LabError`."""
    for case in CASES:
        if case.name == name:
            return case
    raise LabError(f"lab: there is no case {name!r}; there is: {', '.join(case.name for case in CASES)}")
