"""Chains of other distributions, from the same parts as those of RHEL 8: Ubuntu, Gentoo, Debian."""

from __future__ import annotations

from recorded_machines import (
    EPYC,
    XEON,
    Chain,
    Texts,
    amd_chain,
    cpuinfo,
    domain,
    intel_chain,
    kernel,
    modprobe,
    module,
    system,
    without_modules,
    z_chain,
)

from pytest_nestvirt.snapshot.snapshot import Status

UUID_L1 = "3c1a52de-7b40-4f0c-9d51-2f6c0e8b7a11"
UUID_L2 = "7e0b9f34-1c2d-4a5e-8b6f-90a1b2c3d4e5"

VMX_FLAGS = "vnmi ept vpid apicv posted_intr shadow_vmcs pml"
INTEL = f"fpu lm vmx ept vpid ept_ad\nvmx flags\t: {VMX_FLAGS}"
INTEL_OLD = f"fpu lm vmx ept vpid\nvmx flags\t: {VMX_FLAGS.replace(' shadow_vmcs', '')}"
"""A processor without shadow VMCS."""
AMD = "fpu lm svm npt nrip_save avic vgif"

MODULES_OF_INTEL = "kvm_intel 409600 4 - Live 0x0000000000000000\nkvm 1032192 1 kvm_intel, Live 0x0000000000000000\n"
UNLOADED: Texts = {
    **without_modules("kvm_intel"),
    "sys/module/kvm_intel/refcnt": Status.MISSING,
    **{
        f"sys/module/kvm_intel/parameters/{name}": Status.MISSING
        for name in ("nested", "ept", "enable_shadow_vmcs", "enable_apicv")
    },
}
"""Of an Intel host on which kvm_intel is not loaded."""

HOST_MODEL = "<cpu mode='host-model' check='partial'/>"
EXPANDED = "<cpu mode='custom' match='exact' check='full'><model fallback='forbid'>Skylake-Server</model>{}</cpu>"
"""What libvirt shows of host-model in a running domain."""

SOUND: Texts = {"proc/sys/kernel/tainted": "0\n", "nestvirt/whoami": "uid=0 sudo=none\n"}


def xeon(flags: str = INTEL) -> Texts:
    """/proc/cpuinfo of an Intel host."""
    return cpuinfo("GenuineIntel", XEON, flags)


def epyc(flags: str = AMD) -> Texts:
    """/proc/cpuinfo of an AMD host."""
    return cpuinfo("AuthenticAMD", EPYC, flags, family=23, model=1)


def offered(*features: str) -> Texts:
    """`virsh domcapabilities` with a host-model that has these features."""
    lines = "".join(f"      <feature policy='require' name='{name}'/>\n" for name in features)
    return {
        "sos_commands/virsh/virsh_-r_domcapabilities": "<domainCapabilities>\n  <domain>kvm</domain>\n  <cpu>\n"
        "    <mode name='host-passthrough' supported='yes'/>\n    <mode name='host-model' supported='yes'>\n"
        f"      <model fallback='forbid'>Skylake-Server</model>\n{lines}    </mode>\n  </cpu>\n</domainCapabilities>\n"
    }


def identified(uuid: str) -> Texts:
    """The UUID that a guest shows."""
    return {"sys/class/dmi/id/product_uuid": f"{uuid}\n"}


def definition(name: str, inside: str, uuid: str = UUID_L1, *, active: str = "") -> Texts:
    """How libvirt sees the only guest of a machine; `active` is what it runs with, where that is something else."""
    texts = dict(domain(name, f"<uuid>{uuid}</uuid>{inside}"))
    if active:
        stored = str(texts[f"sos_commands/virsh/virsh_-r_dumpxml_{name}"])
        texts[f"sos_commands/virsh/virsh_-r_dumpxml_{name}"] = stored.replace(inside, active)
    return texts


def transient(name: str, inside: str) -> Texts:
    """A guest that has no stored definition: virsh has none to print."""
    return {**definition(name, inside), f"sos_commands/virsh/virsh_-r_dumpxml_--inactive_{name}": Status.MISSING}


def of_system(chain: Chain, os_id: str, version: str, release: str) -> Chain:
    """The chain with another distribution and kernel on L0 and L1, no file that sets nested, and everything sound."""
    architecture = "s390x" if "proc/sysinfo" in (chain[0].sections or {}) else "x86_64"
    shared = {**system(os_id, version), **kernel(release, architecture), **modprobe(), **SOUND}
    return (*(machine.having(shared) for machine in chain[:2]), *chain[2:])


def _x86(chain: Chain, host_cpu: Texts, table: str, host_module: Texts) -> Chain:
    modules: Texts = {"proc/modules": table, **host_module}
    first, second, third = chain
    return (
        first.having({**host_cpu, **modules, **definition("L1", HOST_PASSTHROUGH)}),
        second.having({**definition("L2", HOST_PASSTHROUGH, UUID_L2), **identified(UUID_L1)}),
        third.having(identified(UUID_L2)),
    )


HOST_PASSTHROUGH = "<cpu mode='host-passthrough' check='none' migratable='on'/>"


def intel(os_id: str, version: str, release: str) -> Chain:
    """A conforming chain on a Xeon."""
    own = module("kvm_intel", nested="Y", ept="Y", enable_shadow_vmcs="Y", enable_apicv="Y")
    return _x86(of_system(intel_chain(), os_id, version, release), xeon(), MODULES_OF_INTEL, own)


def amd(os_id: str, version: str, release: str) -> Chain:
    """A conforming chain on an EPYC."""
    table = MODULES_OF_INTEL.replace("kvm_intel", "kvm_amd")
    return _x86(of_system(amd_chain(), os_id, version, release), epyc(), table, module("kvm_amd", nested="1", npt="1"))


def z(os_id: str, version: str, release: str) -> Chain:
    """A chain on IBM Z, where nesting has to be switched on."""
    first, *others = of_system(z_chain(), os_id, version, release)
    return (first.having(modprobe(kvm="options kvm nested=1\n")), *others)
