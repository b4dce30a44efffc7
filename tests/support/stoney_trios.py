"""For each read-only statement of stoney cloud's page a chain that conforms, one that violates it, one that can't tell."""

from __future__ import annotations

from collections.abc import Iterator

from linux_chains import INTEL_OLD, UNLOADED, amd, definition, intel, offered, xeon
from recorded_machines import KVM_WORKS, NO_KVM, Chain, modprobe, module, without_modules
from rhel8_trios import MUST, TOLD, Trio, denied, l0, l1, unread

from pytest_nestvirt.snapshot.snapshot import Status

NEW = ("gentoo", "2.14", "5.15.80-gentoo")
OLD = ("gentoo", "2.2", "4.14.83-gentoo")
LINE = "options kvm-intel nested=Y enable_shadow_vmcs=Y\n"
SHADOW = "sys/module/kvm_intel/parameters/enable_shadow_vmcs"
UNLISTED = denied("etc/modprobe.d/")
NO_CPU = denied("proc/cpuinfo")
NO_XML = unread("sos_commands/virsh/virsh_-r_dumpxml_L1", "sos_commands/virsh/virsh_-r_dumpxml_--inactive_L1")


def configured(chain: Chain, line: str) -> Chain:
    """With the page's file."""
    return l0(chain, modprobe(**{"nested-virtualization": line}))


def of_the_host() -> Iterator[Trio]:
    """What the page says of the host."""
    old, new, epyc = (
        configured(intel(*OLD), LINE),
        configured(intel(*NEW), LINE),
        configured(amd(*NEW), "options kvm-amd nested=1\n"),
    )
    enterprise = configured(intel("gentoo", "2.2", "4.14.0-115.el7"), LINE)
    shipped = {
        **modprobe(),
        "usr/lib/modprobe.d/": "kvm.conf\n",
        "usr/lib/modprobe.d/kvm.conf": "options kvm_intel nested=1\n",
    }
    yield Trio("STONEY-DEFAULT-OFF", TOLD, old, l0(old, shipped), enterprise)
    off = {SHADOW: "N\n"}
    yield Trio("STONEY-SHADOW-VMCS-ON", TOLD, new, l0(new, off), l0(new, UNLOADED))
    ignored = l0(new, {**xeon(INTEL_OLD), **off})
    kept = l0(new, xeon(INTEL_OLD))
    yield Trio("STONEY-SHADOW-VMCS-IGNORED", TOLD, ignored, kept, l0(new, xeon("fpu lm vmx ept")))
    disabled = configured(new, "options kvm-intel nested=Y enable_shadow_vmcs=N\n")
    yield Trio("STONEY-SHADOW-VMCS-DISABLE", TOLD, l0(disabled, off), disabled, l0(disabled, UNLOADED))
    user = {"nestvirt/whoami": "uid=1000 sudo=no\n"}
    yield Trio("STONEY-ROOT", TOLD, new, l0(new, user), l0(new, unread("nestvirt/whoami")))
    not_nesting = configured(old, "options kvm-intel nested=N\n")
    yield Trio("STONEY-INTEL-CONF", MUST, old, not_nesting, l0(new, UNLISTED))
    pending = l0(old, {"sys/module/kvm_intel/parameters/nested": "N\n"})
    yield Trio("STONEY-INTEL-RELOAD", MUST, new, pending, l0(new, UNLOADED))
    literal = configured(epyc, "options kvm-amd nested=Y\n")
    yield Trio("STONEY-AMD-CONF", MUST, epyc, literal, l0(epyc, UNLISTED))
    amd_off, amd_gone = module("kvm_amd", nested="0"), {"sys/module/kvm_amd/parameters/nested": Status.MISSING}
    yield Trio("STONEY-AMD-RELOAD", MUST, epyc, l0(epyc, amd_off), l0(epyc, {**amd_gone, **without_modules("kvm_amd")}))
    yield Trio("STONEY-LIBVIRT-AUTO", TOLD, l0(new, offered("vmx")), l0(new, offered("ss")), new)


def of_the_guest() -> Iterator[Trio]:
    """What the page says of the VM."""
    chain = configured(intel(*NEW), LINE)
    plain = xeon("fpu lm hypervisor")
    unasked = {**KVM_WORKS, **unread("nestvirt/kvm_ioctl")}
    inside = l1(chain, {**xeon(), **module("kvm_intel", nested="Y", ept="Y")})
    no_ept = l1(inside, module("kvm_intel", nested="Y", ept="N"))
    yield Trio("STONEY-DEF", MUST, chain, l1(chain, NO_KVM), l1(chain, unasked))
    yield Trio("STONEY-VEPT-AVAILABLE", TOLD, inside, no_ept, l1(inside, NO_CPU))
    yield Trio("STONEY-L1-VMX", MUST, chain, l1(chain, plain), l1(chain, NO_CPU))
    named = definition("L1", "<cpu mode='host-model'><feature policy='require' name='vmx'/></cpu>")
    taken = definition("L1", "<cpu mode='host-model'><feature policy='disable' name='vmx'/></cpu>")
    yield Trio("STONEY-L1-XML-VMX", TOLD, l0(l1(chain, plain), named), l0(chain, taken), l0(chain, NO_XML))


def trios() -> Iterator[Trio]:
    """All of them."""
    yield from of_the_host()
    yield from of_the_guest()


def chains() -> dict[str, Chain]:
    """The conforming chains, by what they run on."""
    return {
        "intel": configured(intel(*NEW), LINE),
        "intel-4.14": configured(intel(*OLD), LINE),
        "amd": configured(amd(*NEW), "options kvm-amd nested=1\n"),
    }
