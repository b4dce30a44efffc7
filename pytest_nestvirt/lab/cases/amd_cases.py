"""Labs of AMD's SVM: with QEMU alone, and with systemd and libvirt in the L0."""

from __future__ import annotations

from dataclasses import replace

from pytest_nestvirt.catalogue.requirement import Stance
from pytest_nestvirt.lab.cases.architectures import AMD64, AMD64_LIBVIRT, PC_OVER_KVM
from pytest_nestvirt.lab.cases.emulators import QEMU_X86
from pytest_nestvirt.lab.cases.lab_case import Domain, Expected, LabCase, LabMachine
from pytest_nestvirt.verdict import Verdict

PASS, FAIL, WARN, BLOCKED = Verdict.PASS, Verdict.FAIL, Verdict.WARN, Verdict.BLOCKED
CONFIRMED = Verdict.LIMIT_CONFIRMED

# One processor throughout: with two, QEMU 7.2 to 11.1 locked up or reset the L0 of the AMD cases.

_EMULATED_EPYC = ("-machine", "q35,accel=tcg", "-nodefaults")
# The emulated machine represents hardware: it does not set the flag by which hypervisors announce themselves, and its
# DMI does not call it QEMU. In the table about the firmware that QEMU writes, one bit marks the machine as virtual,
# which systemd-detect-virt reads; the one that qboot brings is without that.
_AS_HARDWARE = (
    *("-cpu", "EPYC,+vgif,-hypervisor", "-bios", "qboot.rom"),
    *("-smbios", "type=1,manufacturer=nestvirt lab,product=Emulated EPYC,version=1"),
    *("-smbios", "type=3,manufacturer=nestvirt lab"),
)
_AMD_L0 = LabMachine(options=(*_EMULATED_EPYC, *_AS_HARDWARE), memory=1536, seconds=4, kvm="kvm_amd")
_AMD_L1 = LabMachine(options=PC_OVER_KVM, memory=768, seconds=7, kvm="kvm_amd")
_AMD_L2 = LabMachine(options=PC_OVER_KVM, memory=256, seconds=20, disk="")
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
    title="AMD EPYC, recognizable as the virtual machine that it is: L0 and L1",
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

_LIBVIRT_L0 = replace(_AMD_L0, memory=2048, seconds=11, systemd=True)
_DOMAIN = LabMachine(options=(), memory=768, seconds=18, kvm="kvm_amd")
_PASSTHROUGH, _HOST_MODEL, _NO_CPU = (
    Domain("<cpu mode='host-passthrough'/>"),
    Domain("<cpu mode='host-model'/>"),
    Domain(""),
)

_UNSUPPORTED = {"rhel8": Stance.UNSUPPORTED}
# Judged as RHEL 8 and found to be Debian: that is not a fault of the twins, and it is the same in all of them.
_AS_RHEL_L0 = {
    PASS: (
        *("RHEL8-L0-PHYSICAL", "RHEL8-ARCH-LIST", "RHEL8-NOT-PRODUCTION", "RHEL8-DEVTEST", "RHEL8-AMD-CPU-FLAGS"),
        *("RHEL8-AMD-EPYC", "RHEL8-AMD-NESTED-ON", "RHEL8-AMD-NESTED-OFF", "RHEL8-AMD-VOLATILE", "RHEL8-AMD-PERSIST"),
    ),
}
_AS_RHEL_L1_LIMITS = ("RHEL8-L1-FEATURE-SUBSET", "RHEL8-L1-NO-IOMMU")

AMD_LIBVIRT = LabCase(
    name="amd-libvirt",
    title="AMD EPYC with systemd and libvirtd, a domain with host-passthrough, and its guest: L0, L1 and L2",
    architecture=AMD64_LIBVIRT,
    emulator=QEMU_X86,
    machines=(_LIBVIRT_L0, replace(_DOMAIN, domain=_PASSTHROUGH), _AMD_L2),
    expected=Expected(
        {
            "l0": _AS_RHEL_L0,
            "l1": {
                PASS: ("RHEL8-AMD-L1-PASSTHROUGH", "RHEL8-AMD-L1-CPU-REWRITE", "RHEL8-AMD-CREATE-L2"),
                FAIL: ("RHEL8-AMD-PREREQ",),
                CONFIRMED: _AS_RHEL_L1_LIMITS,
            },
            "l2": {CONFIRMED: ("RHEL8-L3",)},
        },
        _UNSUPPORTED,
    ),
    treat_as="rhel",
    attempts=2,
    slow=True,
    notes=("L0 runs systemd, D-Bus, udev and libvirtd from Debian's packages; L1 is a domain of that",),
)

AMD_LIBVIRT_HOST_MODEL = replace(
    AMD_LIBVIRT,
    name="amd-libvirt-host-model",
    title="AMD EPYC with libvirtd, and a domain with host-model, which gives no svm: L0 and L1",
    machines=(_LIBVIRT_L0, replace(_DOMAIN, domain=_HOST_MODEL)),
    expected=Expected(
        {
            "l0": _AS_RHEL_L0,
            "l1": {
                PASS: ("RHEL8-AMD-L1-CPU-REWRITE",),
                FAIL: ("RHEL8-AMD-PREREQ", "RHEL8-AMD-L1-PASSTHROUGH", "RHEL8-AMD-CREATE-L2"),
                CONFIRMED: _AS_RHEL_L1_LIMITS,
            },
        },
        _UNSUPPORTED,
    ),
    notes=("no L2: without svm the L1 has no KVM",),
)

# libvirt writes the model that it chooses into what it stores: a <cpu> to be replaced.
AMD_LIBVIRT_NO_CPU = replace(
    AMD_LIBVIRT_HOST_MODEL,
    name="amd-libvirt-no-cpu",
    title="AMD EPYC with libvirtd, and a domain without <cpu>, which gets qemu64, without svm: L0 and L1",
    machines=(_LIBVIRT_L0, replace(_DOMAIN, domain=_NO_CPU)),
    expected=Expected(
        {
            "l0": _AS_RHEL_L0,
            "l1": {
                FAIL: (
                    *("RHEL8-AMD-PREREQ", "RHEL8-AMD-L1-PASSTHROUGH", "RHEL8-AMD-L1-CPU-REWRITE"),
                    "RHEL8-AMD-CREATE-L2",
                ),
                CONFIRMED: _AS_RHEL_L1_LIMITS,
            },
        },
        _UNSUPPORTED,
    ),
)

AMD_CASES = (AMD, AMD_NESTED_OFF, AMD_VIRTUAL, AMD_LIBVIRT, AMD_LIBVIRT_HOST_MODEL, AMD_LIBVIRT_NO_CPU)
