"""All labs. Each one listed here has been seen to come up and to get the verdicts that it expects."""

from __future__ import annotations

from pytest_nestvirt.lab.cases.amd_cases import AMD_CASES
from pytest_nestvirt.lab.cases.architectures import ARM64, S390X
from pytest_nestvirt.lab.cases.emulators import QEMU_ARM, QEMU_S390X
from pytest_nestvirt.lab.cases.intel_cases import INTEL_CASES
from pytest_nestvirt.lab.cases.lab_case import Expected, LabCase, LabMachine
from pytest_nestvirt.lab.cases.power_cases import POWER_CASES
from pytest_nestvirt.lab.problem import LabError
from pytest_nestvirt.verdict import Verdict

IBMZ_NO_SIE = LabCase(
    name="ibmz-no-sie",
    title="IBM Z without interpretive execution (SIE): an L0 that has no KVM",
    architecture=S390X,
    emulator=QEMU_S390X,
    machines=(
        LabMachine(
            options=("-machine", "s390-ccw-virtio,accel=tcg", "-cpu", "max", "-nodefaults"),
            memory=1024,
            seconds=5,
            kvm="kvm",
        ),
    ),
    expected=Expected(
        {
            "l0": {
                Verdict.FAIL: ("KWIKI-TERM-L0",),
                Verdict.INCONCLUSIVE: ("KWIKI-DEFAULT-OFF", "KWIKI-PARAM-VALUES"),
                Verdict.PASS: ("KWIKI-DISTRO-OVERRIDE",),
            }
        }
    ),
    notes=("no L1: QEMU does not emulate SIE", "its /proc/sysinfo shows what it is: a guest of an emulator"),
)

ARM64_HOST = LabCase(
    name="arm64",
    title="arm64, which no document covers: an L0 with KVM",
    architecture=ARM64,
    emulator=QEMU_ARM,
    machines=(
        LabMachine(
            options=("-machine", "virt,virtualization=on,gic-version=3,accel=tcg", "-cpu", "cortex-a72", "-nodefaults"),
            memory=1024,
            seconds=3,
        ),
    ),
    expected=Expected({"l0": {Verdict.FAIL: ("KWIKI-TERM-L0",)}}),
    notes=("no L1: no document has a statement about it that could be checked",),
)

CASES = (*POWER_CASES, *AMD_CASES, *INTEL_CASES, IBMZ_NO_SIE, ARM64_HOST)


def case_of(name: str) -> LabCase:
    """The case of that name. Raises `LabError`."""
    for case in CASES:
        if case.name == name:
            return case
    raise LabError(f"lab: unknown case {name!r}; choose from: {', '.join(case.name for case in CASES)}")
