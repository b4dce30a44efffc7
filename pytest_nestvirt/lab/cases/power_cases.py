"""Labs of IBM POWER: bare metal, its guest, and the guest of that."""

from __future__ import annotations

from dataclasses import replace

from pytest_nestvirt.catalogue.requirement import Stance
from pytest_nestvirt.lab.cases.architectures import PPC64EL
from pytest_nestvirt.lab.cases.emulators import QEMU_10_PPC, QEMU_PPC
from pytest_nestvirt.lab.cases.lab_case import Expected, LabCase, LabMachine
from pytest_nestvirt.verdict import Verdict

PASS, FAIL, BLOCKED, CONFIRMED = Verdict.PASS, Verdict.FAIL, Verdict.BLOCKED, Verdict.LIMIT_CONFIRMED

# Without -nodefaults a powernv machine has its PCIe buses, and can be switched off.
_POWERNV = LabMachine(
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
_POWER_L1 = LabMachine(
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
_POWER_L2 = LabMachine(options=("-machine", _PSERIES, "-cpu", "host"), memory=512, seconds=12, disk="")

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
        # KVM without nesting refuses to start a guest that asks for it (cap-nested-hv).
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
            },
            "l1": {CONFIRMED: ("RHEL8-P9-NOT-P8",)},
        },
        {"rhel8": Stance.NOT_WORKING},
    ),
    treat_as="rhel",
    notes=("L0: kvm_hv has nested=Y all the same", "L1: kvm_hv refuses, and /dev/kvm is there all the same"),
)

POWER_CASES = (POWER9, POWER9_NESTED_OFF, POWER9_3, POWER8)
