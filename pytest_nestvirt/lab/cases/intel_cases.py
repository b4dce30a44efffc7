"""Labs of Intel's VMX, which Bochs emulates and QEMU does not."""

from __future__ import annotations

from dataclasses import replace

from pytest_nestvirt.catalogue.requirement import Stance
from pytest_nestvirt.lab.cases.architectures import PC_OVER_KVM, VMX
from pytest_nestvirt.lab.cases.emulators import BOCHS
from pytest_nestvirt.lab.cases.lab_case import Expected, LabCase, LabMachine
from pytest_nestvirt.verdict import Verdict

PASS, FAIL, WARN = Verdict.PASS, Verdict.FAIL, Verdict.WARN
BLOCKED, INCONCLUSIVE, CONFIRMED = Verdict.BLOCKED, Verdict.INCONCLUSIVE, Verdict.LIMIT_CONFIRMED

_HASWELL = LabMachine(options=("model=corei7_haswell_4770",), memory=1280, seconds=22, kvm="kvm_intel", disk="/dev/sdb")
_INTEL_L1 = LabMachine(options=PC_OVER_KVM, memory=640, seconds=30, kvm="kvm_intel")
_INTEL_L2 = LabMachine(options=PC_OVER_KVM, memory=256, seconds=43, disk="")
_UNSUPPORTED = {"rhel8": Stance.UNSUPPORTED}
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
        },
        _UNSUPPORTED,
    ),
    treat_as="rhel",
    attempts=2,
    slow=True,
    notes=(
        "L0, L1 and L2 are Debian's kernel, BusyBox and SSH; L0 and L1 have Python and QEMU, too",
        "the emulator is Bochs, since QEMU emulates no VMX",
    ),
)

INTEL_L0 = replace(
    INTEL,
    name="intel-l0",
    title="Intel Haswell with VMX and EPT, judged as RHEL: L0",
    machines=(_HASWELL,),
    expected=Expected({"l0": _INTEL_L0_EXPECTED}, _UNSUPPORTED),
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
        },
        _UNSUPPORTED,
    ),
    notes=("no L2: without vmx the L1 has no KVM",),
)

INTEL_CASES = (INTEL, INTEL_L0, INTEL_NESTED_OFF)
