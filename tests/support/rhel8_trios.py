"""For each read-only statement of the RHEL 8 document a chain that conforms, one that violates it, one that can't tell."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from recorded_machines import (
    EPYC,
    KVM_WORKS,
    NO_KVM,
    NOT_COLLECTED,
    XEON,
    Chain,
    Recorded,
    Texts,
    amd_chain,
    cpuinfo,
    domain,
    guest_of,
    host,
    intel_chain,
    kernel,
    modprobe,
    module,
    power,
    power9_chain,
    qemu,
    rhel,
    system,
    z_chain,
    zcpu,
)

from pytest_nestvirt.inventory.host import Connection, Environment, Provider
from pytest_nestvirt.snapshot.snapshot import Status
from pytest_nestvirt.verdict import Verdict

MUST = (Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE)
TOLD = (Verdict.PASS, Verdict.WARN, Verdict.INCONCLUSIVE)
LIMIT = (Verdict.LIMIT_CONFIRMED, Verdict.LIMIT_LIFTED, Verdict.INCONCLUSIVE)
CONTRADICTED = (Verdict.LIMIT_CONFIRMED, Verdict.INCONCLUSIVE, Verdict.INCONCLUSIVE)
"""What nothing lifts: an L1 below which the inventory has another hypervisor than it sees decides nothing."""
DEV, PREPROD, PROD = Environment.DEV, Environment.PREPROD, Environment.PROD


@dataclass(frozen=True, slots=True)
class Trio:
    """One statement, three chains, and the verdicts expected of them in that order."""

    requirement: str
    verdicts: tuple[Verdict, Verdict, Verdict]
    conforming: Chain
    violating: Chain
    unobservable: Chain

    @property
    def chains(self) -> tuple[Chain, Chain, Chain]:
        """The three, as the verdicts are ordered."""
        return self.conforming, self.violating, self.unobservable


def l0(chain: Chain, sections: Texts | None = None, **declared: object) -> Chain:
    """The chain with its L0 changed."""
    return (chain[0].having(sections, **declared), *chain[1:])


def l1(chain: Chain, sections: Texts | None = None, **declared: object) -> Chain:
    """The chain with its L1 changed."""
    return (chain[0], chain[1].having(sections, **declared), *chain[2:])


def l2(chain: Chain, sections: Texts | None = None, **declared: object) -> Chain:
    """The chain with its L2 changed."""
    return (*chain[:2], chain[2].having(sections, **declared))


def unread(*names: str) -> Texts:
    """Sections that were not collected."""
    return dict.fromkeys(names, NOT_COLLECTED)


def denied(*names: str) -> Texts:
    """Sections that the account may not read."""
    return dict.fromkeys(names, Status.DENIED)


UNKNOWN_OS = unread("etc/os-release", "etc/redhat-release")
CONTRADICTING_OS: Texts = {"etc/redhat-release": "Red Hat Enterprise Linux release 9.2 (Plow)\n"}
NO_DMI = unread(
    "sys/class/dmi/id/sys_vendor",
    "sys/class/dmi/id/product_name",
    "sys/class/dmi/id/board_vendor",
    "nestvirt/systemd-detect-virt_--vm",
)
NO_VIRSH = denied("sos_commands/virsh/virsh_-r_list_--all")


def windows(build: int, product_type: int | None = 3) -> Recorded:
    """A Windows L2."""
    kind = f', "ProductType": {product_type}' if product_type is not None else ""
    text = f'{{"Caption": "Microsoft Windows", "BuildNumber": "{build}"{kind}}}'
    return Recorded("L2", {"nestvirt/windows/operating_system.json": text})


def foreign(provider: Provider, *texts: Texts, nested: str = "8.6") -> Chain:
    """A RHEL 8.6 guest of a hypervisor that nobody logs in to, with a nested guest."""
    chain = intel_chain()
    sections = {name: text for part in texts for name, text in part.items()}
    above = Recorded("L0", None, {"provider": provider, "connection": Connection.NONE})
    return above, chain[1].having(sections), chain[2].having(rhel(nested))


VMWARE = guest_of("vmware", "VMware, Inc.", "VMware7,1")
HYPERV = guest_of("microsoft", "Microsoft Corporation", "Virtual Machine", chassis_asset_tag="")
AZURE = guest_of(
    "microsoft", "Microsoft Corporation", "Virtual Machine", chassis_asset_tag="7783-7084-3265-9085-8269-3286-77"
)
AWS = guest_of("amazon", "Amazon EC2", "m5.large", bios_vendor="Amazon EC2")
GCE = guest_of("google", "Google", "Google Compute Engine", bios_vendor="Google")
XEN = guest_of("xen", "Xen", "HVM domU")


def arm_chain() -> Chain:
    """RHEL 8 on Arm, with a guest in which KVM does not work."""
    arm: Texts = {"proc/cpuinfo": "processor\t: 0\nFeatures\t: fp asimd\nCPU architecture: 8\n"}
    return (
        host("L0", "aarch64", arm, domain("L1", ""), {**KVM_WORKS}, environment=DEV),
        host("L1", "aarch64", arm, NO_KVM),
    )


def power8_chain() -> Chain:
    """RHEL 8 on POWER8, with a guest in which KVM does not work."""
    chain = power9_chain()[:2]
    eight = power("POWER8E (raw), altivec supported", "004b 0201", native=True, mmu="Hash")
    inside = power("POWER8 (architected), altivec supported", "004b 0201", native=False, mmu="Hash")
    return l1(l0(chain, eight), {**inside, **NO_KVM})


def of_architecture(prefix: str, chain: Chain, module_name: str) -> Iterator[Trio]:
    """What the document says of each architecture in the same words."""
    parameter = f"sys/module/{module_name}/parameters/nested"
    off, missing, odd = {parameter: "0\n"}, {parameter: Status.MISSING}, {parameter: "maybe\n"}
    other_line = modprobe(kvm=f"options {module_name} nested=0\n")
    not_lasting = modprobe(
        kvm=f"options {module_name} nested=1\n", zz=f"options {module_name.replace('_', '-')} nested=0\n"
    )
    unlisted = {"etc/modprobe.d/": Status.DENIED}
    prereq = "RHEL8-P9-PREREQ-L0" if prefix == "P9" else f"RHEL8-{prefix}-PREREQ"
    stopped = domain("L1", "", running=False)
    yield Trio(prereq, MUST, chain, l0(chain, stopped), l0(chain, NO_VIRSH))
    no_python = {"nestvirt/kvm_ioctl": Status.MISSING}
    yield Trio(f"RHEL8-{prefix}-CREATE-L2", MUST, chain, l1(chain, NO_KVM), l1(chain, no_python))
    yield Trio(f"RHEL8-{prefix}-NESTED-ON", MUST, chain, l0(chain, off), l0(chain, missing))
    yield Trio(f"RHEL8-{prefix}-NESTED-OFF", TOLD, l0(chain, off), l0(chain, odd), l0(chain, missing))
    yield Trio(f"RHEL8-{prefix}-VOLATILE", TOLD, chain, l0(chain, other_line), l0(chain, unlisted))
    yield Trio(f"RHEL8-{prefix}-PERSIST", MUST, chain, l0(chain, not_lasting), l0(chain, unlisted))


def of_x86(prefix: str, chain: Chain, lacking: Texts, old: Texts) -> Iterator[Trio]:
    """What Intel and AMD have in common."""
    passthrough, rewrite = f"RHEL8-{prefix}-L1-PASSTHROUGH", f"RHEL8-{prefix}-L1-CPU-REWRITE"
    flags, generation = f"RHEL8-{prefix}-CPU-FLAGS", f"RHEL8-{prefix}-{'XEON-V3' if prefix == 'INTEL' else 'EPYC'}"
    model = domain("L1", "<cpu mode='host-model' check='partial'/>")
    left = domain("L1", "<cpu mode='host-passthrough'><model>Haswell</model></cpu>")
    no_xml = unread("sos_commands/virsh/virsh_-r_dumpxml_L1", "sos_commands/virsh/virsh_-r_dumpxml_--inactive_L1")
    no_flags = {"proc/cpuinfo": str(chain[0].sections["proc/cpuinfo"]).replace("flags\t\t:", "bugs\t\t:")}  # type: ignore[index]
    yield Trio(flags, MUST, chain, l0(chain, lacking), l0(chain, no_flags))
    yield Trio(generation, TOLD, l0(chain, old), l0(chain, lacking), l0(chain, no_flags))
    yield Trio(passthrough, MUST, chain, l0(chain, model), l0(chain, no_xml))
    yield Trio(rewrite, MUST, chain, l0(chain, left), l0(chain, no_xml))


def of_support() -> Iterator[Trio]:
    """Stances and releases."""
    intel, amd, z, p9 = intel_chain(), amd_chain(), z_chain(), power9_chain()
    nine, eight_one = rhel("9.4"), rhel("8.1")
    vm = guest_of("kvm", "Red Hat", "KVM")
    yield Trio("RHEL8-SUP-INTEL-FULL", TOLD, intel, l0(intel, eight_one), l0(intel, NO_DMI))
    yield Trio("RHEL8-L0-PHYSICAL", MUST, intel, l0(intel, vm), l0(intel, NO_DMI))
    yield Trio(
        "RHEL8-NOT-PRODUCTION",
        TOLD,
        l0(intel, environment=DEV),
        l0(intel, environment=PROD),
        l0(intel, environment=None),
    )
    yield Trio(
        "RHEL8-DEVTEST", TOLD, l0(intel, environment=DEV), l0(intel, environment=PREPROD), l0(intel, environment=None)
    )
    yield Trio("RHEL8-SUP-ONLY-INTEL", LIMIT, amd, l0(amd, nine), l0(amd, CONTRADICTING_OS))
    yield Trio("RHEL8-TP-AMD", LIMIT, amd, l0(amd, nine), l0(amd, CONTRADICTING_OS))
    yield Trio("RHEL8-TP-POWER9", LIMIT, p9, l0(p9, nine), l0(p9, CONTRADICTING_OS))
    yield Trio("RHEL8-TP-Z", LIMIT, z, l0(z, nine), l0(z, CONTRADICTING_OS))
    yield Trio("RHEL8-OS-L0", MUST, l0(intel, rhel("8.10")), l0(intel, eight_one), l0(intel, CONTRADICTING_OS))
    yield Trio("RHEL8-OS-L1", MUST, l1(intel, rhel("7.8")), l1(intel, rhel("9.2")), l1(intel, UNKNOWN_OS))
    seven = rhel("7.9")
    yield Trio("RHEL8-OS-L2-RHEL7", MUST, l2(intel, seven), l2(intel, rhel("7.7")), l2(intel, UNKNOWN_OS))
    yield Trio("RHEL8-OS-L2-RHEL8", MUST, intel, l2(intel, system("ubuntu", "20.04")), l2(intel, UNKNOWN_OS))
    yield Trio(
        "RHEL8-OS-L2-WS2016",
        MUST,
        (*intel[:2], windows(14393)),
        (*intel[:2], windows(14393, product_type=1)),
        (*intel[:2], windows(14393, product_type=None)),
    )
    yield Trio(
        "RHEL8-OS-L2-WS2019",
        MUST,
        (*intel[:2], windows(17763)),
        (*intel[:2], windows(20348)),
        (*intel[:2], windows(17763, product_type=None)),
    )


def of_foreign_hypervisors() -> Iterator[Trio]:
    """L1 guests of hypervisors that are not RHEL's."""
    v, a, g, h, z = Provider.VSPHERE, Provider.EC2, Provider.GCE, Provider.HYPERV, Provider.AZURE
    yield Trio("RHEL8-L0-VMWARE", CONTRADICTED, foreign(v, VMWARE), foreign(v), foreign(v, NO_DMI))
    yield Trio("RHEL8-L0-AWS", CONTRADICTED, foreign(a, AWS), foreign(a), foreign(a, NO_DMI))
    yield Trio("RHEL8-L0-OTHER", CONTRADICTED, foreign(g, GCE), foreign(g), foreign(g, NO_DMI))
    yield Trio("RHEL8-L0-HYPERV", LIMIT, foreign(h, HYPERV), foreign(h, HYPERV, nested="7.9"), foreign(h, NO_DMI))
    yield Trio("RHEL8-L0-AZURE", LIMIT, foreign(z, AZURE), foreign(z, AZURE, rhel("8.1")), foreign(z, NO_DMI))
    unasked = unread("nestvirt/kvm_ioctl")
    for above, seen in ((v, VMWARE), (a, AWS), (g, GCE), (h, HYPERV), (z, AZURE)):
        chain = foreign(above, seen)
        yield Trio("RHEL8-L0-FOREIGN-CREATE-L2", MUST, chain, l1(chain, NO_KVM), l1(chain, unasked))


def of_z() -> Iterator[Trio]:
    """IBM Z alone."""
    chain = z_chain()
    no_sie, unread_cpu = zcpu("esan3 zarch stfle vx te"), denied("proc/cpuinfo")
    guest_without = zcpu("esan3 zarch stfle vx", "FF", "KVM/Linux")
    both, hpage_unread = {"sys/module/kvm/parameters/hpage": "1\n"}, {"sys/module/kvm/parameters/hpage": Status.DENIED}
    refusal = "kvm-s390: A KVM host that supports nesting cannot back its KVM guests with huge pages"
    logged = {"sos_commands/kernel/dmesg": f"[90226.508366] {refusal}\n"}
    yield Trio("RHEL8-Z-CPU-SIE", MUST, chain, l0(chain, no_sie), l0(chain, unread_cpu))
    yield Trio("RHEL8-Z-NO-CPU-STEP", TOLD, chain, l1(chain, guest_without), l1(chain, unread_cpu))
    yield Trio("RHEL8-Z-HPAGE-CONFLICT", LIMIT, chain, l0(chain, both), l0(chain, hpage_unread))
    yield Trio("RHEL8-Z-HPAGE-DMESG", TOLD, l0(chain, logged), l0(chain, both), chain)


def of_power() -> Iterator[Trio]:
    """POWER alone."""
    chain, eight = power9_chain(), power8_chain()
    compat = power("POWER8 (architected), altivec supported", native=False)
    unread_cpu = unread("proc/cpuinfo")
    plain, no_xml = domain("L1", "<features/>"), unread("sos_commands/virsh/virsh_-r_dumpxml_L1")
    plain_l2, no_xml_l2 = domain("L2", "<features/>"), unread("sos_commands/virsh/virsh_-r_dumpxml_L2")
    argv = qemu("/usr/libexec/qemu-kvm -name guest=L1 -machine pseries-rhel8.6.0,accel=kvm")
    unasked = unread("nestvirt/kvm_ioctl")
    alt = {**rhel("7.6"), **kernel("4.14.0-115.8.1.el7a.ppc64le", "ppc64le")}
    plain_seven = {**rhel("7.6"), **kernel("3.10.0-957.el7.ppc64le", "ppc64le")}
    for name in ("RHEL8-P9-L1-RHEL8", "RHEL8-P9-WORKS-L0L1"):
        yield Trio(name, MUST, chain, l1(chain, rhel("7.9")), l1(chain, UNKNOWN_OS))
    yield Trio("RHEL8-P9-NOT-P8", LIMIT, eight, l1(eight, KVM_WORKS), l1(eight, {**KVM_WORKS, **unasked}))
    yield Trio("RHEL8-P9-NESTED-HV-L1", MUST, chain, l0(chain, plain), l0(chain, no_xml))
    yield Trio("RHEL8-P9-CAP-NESTED-HV", MUST, chain, l0(chain, argv), l0(chain, unread("nestvirt/qemu/")))
    yield Trio("RHEL8-P9-NESTED-HV-L2", TOLD, chain, l1(chain, plain_l2), l1(chain, no_xml_l2))
    yield Trio("RHEL8-P9-WORKS-L2OS", MUST, l2(chain, alt), l2(chain, plain_seven), l2(chain, UNKNOWN_OS))
    yield Trio("RHEL8-P9-NO-P8COMPAT-L1", MUST, chain, l1(chain, compat), l1(chain, unread_cpu))
    yield Trio("RHEL8-P9-NO-P8COMPAT-L2", MUST, chain, l2(chain, compat), l2(chain, unread_cpu))


def of_restrictions() -> Iterator[Trio]:
    """What holds for all architectures, and for x86."""
    chain, arm = intel_chain(), arm_chain()
    hygon = cpuinfo("HygonGenuine", "Hygon C86", "fpu lm svm npt", family=24)
    dmar = {"sys/firmware/acpi/tables/": "APIC\nDMAR\nDSDT\n"}
    same = {"proc/cpuinfo": chain[0].sections["proc/cpuinfo"]} if chain[0].sections else {}
    nested_kvm = qemu("/usr/libexec/qemu-kvm -name guest=L3 -machine q35,accel=kvm")
    apicv, no_module = module("kvm_intel", enable_apicv="Y"), {"sys/module/kvm_intel": Status.MISSING}
    unloaded = {**no_module, "sys/module/kvm_intel/parameters/enable_apicv": Status.MISSING}
    unasked = {**KVM_WORKS, **unread("nestvirt/kvm_ioctl")}
    yield Trio("RHEL8-ARCH-LIST", MUST, chain, l0(chain, hygon), l0(chain, denied("proc/cpuinfo")))
    yield Trio("RHEL8-ARCH-OTHERS", LIMIT, arm, l1(arm, KVM_WORKS), l1(arm, unasked))
    yield Trio("RHEL8-L3", LIMIT, chain, l2(chain, {**KVM_WORKS, **nested_kvm}), l2(chain, KVM_WORKS))
    yield Trio("RHEL8-L1-FEATURE-SUBSET", LIMIT, chain, l1(chain, same), l1(chain, denied("proc/cpuinfo")))
    yield Trio("RHEL8-L1-NO-IOMMU", LIMIT, chain, l1(chain, dmar), l1(chain, denied("sys/firmware/acpi/tables/")))
    yield Trio("RHEL8-L1-NO-APICV", LIMIT, chain, l1(chain, apicv), l1(chain, unloaded))


def trios() -> Iterator[Trio]:
    """All of them."""
    intel, amd = intel_chain(), amd_chain()
    yield from of_support()
    yield from of_foreign_hypervisors()
    yield from of_architecture("INTEL", intel, "kvm_intel")
    yield from of_architecture("AMD", amd, "kvm_amd")
    yield from of_architecture("Z", z_chain(), "kvm")
    yield from of_architecture("P9", power9_chain(), "kvm_hv")
    no_ept = cpuinfo("GenuineIntel", XEON, "fpu lm vmx vpid ept_ad")
    nehalem = cpuinfo("GenuineIntel", "Intel(R) Xeon(R) CPU X5550", "fpu lm vmx", model=26)
    yield from of_x86("INTEL", intel, no_ept, nehalem)
    no_npt = cpuinfo("AuthenticAMD", EPYC, "fpu lm svm npt_fake", family=23)
    opteron = cpuinfo("AuthenticAMD", "AMD Opteron(tm) 2210", "fpu lm svm", family=15, model=65)
    yield from of_x86("AMD", amd, no_npt, opteron)
    yield from of_z()
    yield from of_power()
    yield from of_restrictions()
