"""The labs there are. What is listed here has been seen to come up and to be judged as it says."""

from __future__ import annotations

from dataclasses import replace

from pytest_nestvirt.lab.amd_cases import (
    AMD,
    AMD_LIBVIRT,
    AMD_LIBVIRT_HOST_MODEL,
    AMD_LIBVIRT_NO_CPU,
    AMD_NESTED_OFF,
    AMD_VIRTUAL,
    OVER_KVM,
)
from pytest_nestvirt.lab.architectures import ARM64, PPC64EL, S390X, VMX
from pytest_nestvirt.lab.emulators import BOCHS, QEMU_10_PPC, QEMU_ARM, QEMU_PPC, QEMU_S390X
from pytest_nestvirt.lab.model import Expected, LabCase, Machine
from pytest_nestvirt.lab.problem import LabError
from pytest_nestvirt.verdict import Verdict

PASS, FAIL, WARN = Verdict.PASS, Verdict.FAIL, Verdict.WARN
BLOCKED, INCONCLUSIVE = Verdict.BLOCKED, Verdict.INCONCLUSIVE
CONFIRMED, LIFTED = Verdict.LIMIT_CONFIRMED, Verdict.LIMIT_LIFTED

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

_HASWELL = Machine(options=("model=corei7_haswell_4770",), memory=1280, seconds=22, kvm="kvm_intel", disk="/dev/sdb")
_INTEL_L1 = Machine(options=OVER_KVM, memory=640, seconds=30, kvm="kvm_intel")
_INTEL_L2 = Machine(options=OVER_KVM, memory=256, seconds=43, disk="")
# Bochs writes its own name into its firmware, and no maker of a machine: nothing shows hardware, and nothing a hypervisor.
_INTEL_L0_EXPECTED = {
    PASS: (
        *("RHEL8-ARCH-LIST", "RHEL8-DEVTEST", "RHEL8-NOT-PRODUCTION", "RHEL8-INTEL-CPU-FLAGS", "RHEL8-INTEL-XEON-V3"),
        *("RHEL8-INTEL-NESTED-ON", "RHEL8-INTEL-NESTED-OFF", "RHEL8-INTEL-PERSIST", "RHEL8-INTEL-VOLATILE"),
    ),
    WARN: ("RHEL8-SUP-INTEL-FULL",),
    INCONCLUSIVE: ("RHEL8-L0-PHYSICAL",),
}
# The L0 runs Debian, and no libvirt.
_RHEL_PREREQUISITE, _RHEL_DOMAIN = "RHEL8-INTEL-PREREQ", ("RHEL8-INTEL-L1-PASSTHROUGH", "RHEL8-INTEL-L1-CPU-REWRITE")

INTEL = LabCase(
    name="intel",
    title="Intel Haswell with VMX, EPT and shadow VMCS, judged as RHEL: L0, L1 and L2",
    architecture=VMX,
    emulator=BOCHS,
    machines=(_HASWELL, _INTEL_L1, _INTEL_L2),
    expected=Expected(
        {
            "l0": _INTEL_L0_EXPECTED,
            "l1": {
                PASS: ("RHEL8-INTEL-CREATE-L2",),
                FAIL: (_RHEL_PREREQUISITE,),
                INCONCLUSIVE: _RHEL_DOMAIN,
                CONFIRMED: ("RHEL8-L1-FEATURE-SUBSET", "RHEL8-L1-NO-IOMMU", "RHEL8-L1-NO-APICV"),
            },
            "l2": {CONFIRMED: ("RHEL8-L3",)},
        }
    ),
    treat_as="rhel",
    slow=True,
    notes=(
        "L0, L1 and L2 are Debian's kernel, BusyBox and SSH; L0 and L1 have Python and QEMU, too",
        "the emulator is Bochs, since QEMU emulates no VMX",
    ),
)

INTEL_L0 = replace(
    INTEL,
    name="intel-l0",
    title="the same L0 alone",
    machines=(_HASWELL,),
    expected=Expected({"l0": _INTEL_L0_EXPECTED}),
    slow=False,
    notes=("no L1: what it shows about L1 is shown by intel, which takes four times as long",),
)

INTEL_NESTED_OFF = replace(
    INTEL,
    name="intel-nested-off",
    title="Intel Haswell whose administrator has switched nesting off: L0 and an L1 that can't run guests",
    machines=(replace(_HASWELL, modprobe="options kvm_intel nested=0\n"), _INTEL_L1),
    expected=Expected(
        {
            "l0": {
                PASS: (
                    *("RHEL8-ARCH-LIST", "RHEL8-DEVTEST", "RHEL8-NOT-PRODUCTION"),
                    *("RHEL8-INTEL-CPU-FLAGS", "RHEL8-INTEL-XEON-V3", "RHEL8-INTEL-NESTED-OFF", "RHEL8-INTEL-VOLATILE"),
                ),
                FAIL: ("RHEL8-INTEL-NESTED-ON", "RHEL8-INTEL-PERSIST"),
                WARN: ("RHEL8-SUP-INTEL-FULL",),
                INCONCLUSIVE: ("RHEL8-L0-PHYSICAL",),
            },
            "l1": {
                FAIL: (_RHEL_PREREQUISITE,),
                BLOCKED: ("RHEL8-INTEL-CREATE-L2",),
                INCONCLUSIVE: (*_RHEL_DOMAIN, "RHEL8-L1-NO-APICV"),
                CONFIRMED: ("RHEL8-L1-FEATURE-SUBSET", "RHEL8-L1-NO-IOMMU"),
            },
        }
    ),
    slow=False,
    notes=("no L2: without vmx the L1 has no KVM",),
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

CASES = (
    POWER9,
    POWER9_NESTED_OFF,
    POWER9_3,
    POWER8,
    AMD,
    AMD_NESTED_OFF,
    AMD_VIRTUAL,
    AMD_LIBVIRT,
    AMD_LIBVIRT_HOST_MODEL,
    AMD_LIBVIRT_NO_CPU,
    INTEL,
    INTEL_L0,
    INTEL_NESTED_OFF,
    IBMZ_NO_SIE,
    ARM64_HOST,
)


def case_of(name: str) -> LabCase:
    """The case of that name. Raises `LabError`."""
    for case in CASES:
        if case.name == name:
            return case
    raise LabError(f"lab: there is no case {name!r}; there is: {', '.join(case.name for case in CASES)}")
