"""For each read-only statement of Ubuntu's page a chain that conforms, one that violates it, one that can't tell."""

from __future__ import annotations

from collections.abc import Iterator

from linux_chains import EXPANDED, HOST_MODEL, HOST_PASSTHROUGH, UNLOADED, amd, definition, intel, xeon, z
from recorded_machines import NO_KVM, Chain, Texts, modprobe
from rhel8_trios import LIMIT, MUST, TOLD, Trio, denied, l0, l1, unread

from pytest_nestvirt.snapshot.snapshot import Status

JAMMY = ("ubuntu", "22.04", "5.15.0-91-generic")
BIONIC = ("ubuntu", "18.04", "4.15.0-213-generic")

PARAMETER = "sys/module/kvm_intel/parameters/nested"
OFF: Texts = {PARAMETER: "N\n"}
ODD: Texts = {PARAMETER: "maybe\n"}
UNLISTED = denied("etc/modprobe.d/")
SWITCHED_OFF = modprobe(zz="options kvm-intel nested=0\n")
NO_CPU = denied("proc/cpuinfo")
NO_XML = unread("sos_commands/virsh/virsh_-r_dumpxml_L1", "sos_commands/virsh/virsh_-r_dumpxml_--inactive_L1")


def shipped_file(text: str = "options kvm_intel nested=1\n") -> Texts:
    """The file that Ubuntu's package qemu-system-x86 brought up to 18.04."""
    return {**modprobe(**{"qemu-system-x86": text})}


def of_the_host() -> Iterator[Trio]:
    """What the page says of the host."""
    chain, other, by_hand = intel(*JAMMY), amd(*JAMMY), intel(*BIONIC)
    no_row = {"proc/modules": "nvme 49152 3 - Live 0x0000000000000000\n"}
    alone = {"proc/modules": "kvm 1032192 0 - Live 0x0000000000000000\n"}
    yield Trio("UBU-DEFAULT-ON", TOLD, l0(by_hand, shipped_file()), l0(chain, OFF), l0(chain, UNLOADED))
    yield Trio("UBU-UNLIKELY-MANUAL", TOLD, chain, by_hand, l0(chain, UNLISTED))
    yield Trio("UBU-NO-ACTION-IF-ON", TOLD, chain, by_hand, l0(chain, UNLISTED))
    no_architecture = unread("sos_commands/kernel/uname_-a", "proc/cpuinfo", "proc/sys/kernel/osrelease")
    yield Trio("UBU-X86-ONLY", TOLD, chain, z(*JAMMY), l0(chain, no_architecture))
    of_amd = [name for name in other[0].sections or {} if name.startswith("sys/module/kvm_amd")]
    amd_gone = dict.fromkeys(of_amd, Status.MISSING)
    yield Trio("UBU-MODULE-INTEL", MUST, chain, l0(chain, UNLOADED), l0(chain, unread("proc/modules", *UNLOADED)))
    yield Trio("UBU-MODULE-AMD", MUST, other, l0(other, amd_gone), l0(other, unread("proc/modules", *amd_gone)))
    yield Trio("UBU-LSMOD-SHAPE", TOLD, chain, l0(chain, alone), l0(chain, no_row))
    yield Trio("UBU-NESTED-PARAM-PATH", MUST, other, l0(chain, ODD), l0(chain, UNLOADED))
    yield Trio("UBU-NESTED-VALUE", MUST, chain, l0(chain, OFF), l0(chain, UNLOADED))
    yield Trio("UBU-PERSIST-FILE", MUST, chain, l0(chain, SWITCHED_OFF), l0(chain, UNLISTED))


def of_the_instance() -> Iterator[Trio]:
    """What the page says of the instance."""
    chain, other = intel(*JAMMY), amd(*JAMMY)
    plain, with_svm = xeon("fpu lm hypervisor"), xeon("fpu lm svm hypervisor")
    yield Trio("UBU-HOST-FIRST", TOLD, chain, l0(chain, OFF), l0(chain, UNLOADED))
    yield Trio("UBU-L1-FLAG", MUST, other, l1(chain, plain), l1(chain, NO_KVM))
    yield Trio("UBU-L1-FLAG-VENDOR", MUST, other, l1(chain, with_svm), l1(chain, NO_CPU))
    host_model, none = definition("L1", HOST_MODEL), definition("L1", "<os/>")
    yield Trio("UBU-L1-CPU-MODE", MUST, l0(chain, host_model), l1(l0(chain, none), plain), l0(chain, NO_XML))
    whole = definition("L1", HOST_MODEL.replace("partial", "full"))
    yield Trio("UBU-L1-CPU-SAMPLE", TOLD, l0(chain, host_model), l0(chain, whole), l0(chain, NO_XML))
    pending = definition("L1", HOST_PASSTHROUGH, active=EXPANDED.format(""))
    expanded = definition("L1", HOST_MODEL, active=EXPANDED.format("<feature policy='require' name='vmx'/>"))
    yield Trio("UBU-L1-RESTART", MUST, l0(chain, expanded), l0(chain, pending), l0(chain, NO_XML))
    everything = {
        name: text for name, text in (chain[0].sections or {}).items() if name.startswith(("proc/cpuinfo", "sys/"))
    }
    kept = {name: text for name, text in everything.items() if not name.startswith("sys/class")}
    yield Trio("UBU-LIM-FEATURES", LIMIT, chain, l1(chain, kept), l1(chain, NO_CPU))


def trios() -> Iterator[Trio]:
    """All of them."""
    yield from of_the_host()
    yield from of_the_instance()


def chains() -> dict[str, Chain]:
    """The conforming chains, by what they run on."""
    return {"intel": intel(*JAMMY), "amd": amd(*JAMMY), "intel-18.04": l0(intel(*BIONIC), shipped_file())}
