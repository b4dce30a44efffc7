"""For each read-only statement of the KVM wiki a chain that conforms, one that violates it, one that can't tell."""

from __future__ import annotations

from collections.abc import Iterator

from linux_chains import UNLOADED, amd, definition, intel, xeon, z
from recorded_machines import KVM_WORKS, NO_KVM, Chain, Texts, guest_of, modprobe, qemu, without_modules
from rhel8_trios import MUST, NO_DMI, TOLD, Trio, denied, l0, l1, l2, unread

from pytest_nestvirt.snapshot.snapshot import Status

BOOKWORM = ("debian", "12", "6.1.0-18-amd64")
STRETCH = ("debian", "9", "4.9.0-19-amd64")
ON_Z = ("debian", "12", "6.1.0-18-s390x")

PARAMETER = "sys/module/kvm_intel/parameters/nested"
STATIC_NODE: Texts = {
    **unread("nestvirt/kvm_ioctl", "sys/module/kvm_intel/parameters/nested", "sys/module/kvm_intel/refcnt"),
    "sys/module/kvm": Status.CUT,
    "sys/module/kvm_intel": Status.CUT,
    "proc/modules": Status.CUT,
}
"""Only udev's node was seen: neither KVM nor its modules could be asked."""
UNLISTED = denied("etc/modprobe.d/")
NO_CPU = denied("proc/cpuinfo")
DIED: Texts = {
    "proc/sys/kernel/tainted": "128\n",
    "sos_commands/kernel/dmesg": "[9113.2] kernel BUG at arch/x86/kvm/mmu/mmu.c:365!\n[9113.3] invalid opcode: 0000 [#1] SMP\n",
}


def started_with(cpu: str) -> Texts:
    """The L1's QEMU with that processor."""
    return qemu(f"/usr/bin/qemu-system-x86_64 -name guest=L1,debug-threads=on -machine q35,accel=kvm -cpu {cpu}")


def of_the_host() -> Iterator[Trio]:
    """What the page says of the L0."""
    chain, epyc, old = intel(*BOOKWORM), amd(*BOOKWORM), intel(*STRETCH)
    guest = guest_of("vmware", "VMware, Inc.", "VMware7,1")
    yield Trio("KWIKI-TERM-L0", MUST, chain, l0(chain, guest), l0(chain, NO_DMI))
    yield Trio("KWIKI-TERM-L0", MUST, chain, l0(chain, {**NO_DMI, **NO_KVM}), l0(chain, STATIC_NODE))
    asked = modprobe(kvm="options kvm-intel nested=1\n")
    enterprise = l0(intel("debian", "9", "4.14.0-115.el7"), asked)
    yield Trio("KWIKI-DEFAULT-OFF", TOLD, l0(old, asked), old, enterprise)
    shipped = {
        **modprobe(),
        "usr/lib/modprobe.d/": "kvm.conf\n",
        "usr/lib/modprobe.d/kvm.conf": "options kvm_intel nested=1\n",
    }
    unread_module = {PARAMETER: Status.DENIED}
    yield Trio(
        "KWIKI-DISTRO-OVERRIDE",
        TOLD,
        l0(old, shipped),
        l0(old, {**shipped, PARAMETER: "N\n"}),
        l0(old, {**shipped, **unread_module}),
    )
    literal = modprobe(kvm_amd="options kvm-amd nested=Y\n")
    yield Trio("KWIKI-PARAM-VALUES", MUST, epyc, l0(epyc, literal), l0(chain, UNLOADED))
    unloaded = {**literal, **without_modules("kvm_amd"), "sys/module/kvm_amd/parameters/nested": Status.MISSING}
    refused_unseen = l0(epyc, {**unloaded, "sys/module/kvm_amd/refcnt": Status.MISSING})
    yield Trio("KWIKI-PARAM-VALUES", MUST, epyc, refused_unseen, l0(chain, UNLOADED))
    off = modprobe(kvm_intel="options kvm-intel nested=N\n")
    yield Trio("KWIKI-PERSIST-INTEL", TOLD, chain, l0(chain, off), l0(chain, UNLISTED))
    yield Trio("KWIKI-PERSIST-AMD", TOLD, epyc, l0(epyc, literal), l0(epyc, UNLISTED))


def of_the_guests() -> Iterator[Trio]:
    """What the page says of L1 and L2."""
    chain = intel(*BOOKWORM)
    unasked = {**KVM_WORKS, **unread("nestvirt/kvm_ioctl")}
    emulated = qemu("/usr/bin/qemu-system-x86_64 -name guest=L2 -machine q35,accel=tcg")
    unknown = unread(
        *(name for name in chain[2].sections or {} if name.startswith(("sys/class/dmi", "nestvirt/systemd")))
    )
    silent = {**denied("sos_commands/virsh/virsh_-r_list_--all"), **unread("nestvirt/qemu/")}
    yield Trio("KWIKI-TERM-L1", MUST, chain, l1(chain, NO_KVM), l1(chain, unasked))
    yield Trio("KWIKI-TERM-L2", MUST, chain, l1(chain, emulated), l1(l2(chain, {**unknown, **NO_CPU}), silent))
    plain = xeon("fpu lm hypervisor")
    for name, conforming in (
        ("HOST", started_with("host,migratable=on")),
        ("NAMED", started_with("Haswell-noTSX-IBRS,vmx=on")),
    ):
        bare = l0(l1(chain, plain), started_with("Haswell-noTSX-IBRS"))
        statement = "KWIKI-L1-CPU-HOST" if name == "HOST" else "KWIKI-L1-NAMED-MODEL"
        no_argv = {**unread("nestvirt/qemu/"), **definition("L1", "<cpu mode='host-model'/>")}
        yield Trio(statement, TOLD, l0(l1(chain, plain), conforming), bare, l0(l1(chain, NO_CPU), no_argv))
    yield Trio("KWIKI-UB-SIGNS", TOLD, chain, l1(chain, DIED), l0(chain, unread("proc/sys/kernel/tainted")))


def trios() -> Iterator[Trio]:
    """All of them."""
    yield from of_the_host()
    yield from of_the_guests()


def chains() -> dict[str, Chain]:
    """The conforming chains, by what they run on."""
    return {"intel": intel(*BOOKWORM), "amd": amd(*BOOKWORM), "z": z(*ON_Z)}
