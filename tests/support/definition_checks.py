"""What the suites of three documents say of an L1's definition: their own checks, over a chain with that definition."""

from __future__ import annotations

from linux_chains import MODULES_OF_INTEL
from recorded_machines import INTEL_FLAGS, NOT_COLLECTED, XEON, Chain, Texts, cpuinfo, intel_chain, power9_chain
from suite_checks import verdict_on

from pytest_nestvirt.verdict import Verdict

RHEL = ("RHEL8-INTEL-L1-PASSTHROUGH", "RHEL8-INTEL-L1-CPU-REWRITE")
RHEL_ON_POWER = ("RHEL8-P9-NESTED-HV-L1",)
UBUNTU = ("UBU-L1-CPU-MODE",)
KVM_WIKI = ("KWIKI-L1-CPU-HOST",)

PLAIN_GUEST = cpuinfo("GenuineIntel", XEON, "fpu lm hypervisor")
"""A guest that was not given vmx, whatever its definition lets one expect."""


def defined(xml: str, active: str = "") -> Texts:
    """The stored definition of a guest called L1 that runs as `active` says: its own words, no QEMU process."""
    return {
        "sos_commands/virsh/virsh_-r_dumpxml_L1": active or xml,
        "sos_commands/virsh/virsh_-r_dumpxml_--inactive_L1": xml,
        "nestvirt/qemu/": "",
        "nestvirt/qemu/4711": NOT_COLLECTED,
        "proc/modules": MODULES_OF_INTEL,
    }


def _chain(texts: Texts, arch: str) -> Chain:
    if arch.startswith("ppc"):
        first, *others = power9_chain()
        return (first.having(texts), *others)
    first, second, *others = intel_chain()
    return (first.having({**texts, **cpuinfo("GenuineIntel", XEON, INTEL_FLAGS)}), second.having(PLAIN_GUEST), *others)


def verdicts(folder: str, requirements: tuple[str, ...], xml: str, arch: str = "x86_64") -> list[Verdict]:
    """One verdict for each of the requirements."""
    chain = _chain(defined(xml), arch)
    return [verdict_on(folder, requirement, chain)[0] for requirement in requirements]


def accepted_by_rhel(xml: str, arch: str = "x86_64") -> bool:
    """RHEL 8, 18.2 to 18.4: host-passthrough that keeps vmx; on POWER nested-hv switched on."""
    requirements = RHEL_ON_POWER if arch.startswith("ppc") else RHEL
    return set(verdicts("rhel8", requirements, xml, arch)) == {Verdict.PASS}


def accepted_by_ubuntu(xml: str) -> bool:
    """Ubuntu: host-model or host-passthrough, keeping vmx."""
    return set(verdicts("ubuntu", UBUNTU, xml)) == {Verdict.PASS}


def accepted_by_kvm_wiki(xml: str) -> bool:
    """KVM wiki: the host's processor passed through, or a named model with vmx switched on."""
    return set(verdicts("kvm_wiki", KVM_WIKI, xml)) == {Verdict.PASS}
