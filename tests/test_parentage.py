"""A machine is the guest that the inventory takes it for, or something speaks against it."""

from __future__ import annotations

from pathlib import Path

import pytest
from recorded_machines import HARDWARE, XEON, Texts, cpuinfo, domain, intel_chain, machines, qemu
from rhel8_trios import AWS, AZURE, GCE, HYPERV, NO_DMI, VMWARE, XEN, foreign

from pytest_nestvirt.derived.identity import contradiction
from pytest_nestvirt.facts.machine import Machine, build_machines
from pytest_nestvirt.inventory.host import Connection, Host, Inventory, Provider
from pytest_nestvirt.observation.fact import observing
from pytest_nestvirt.snapshot.snapshot import Section, Snapshot, Status

DEFINED = "0b0e1b2a-2f0e-4c8a-9d6e-1f2e3d4c5b6a"
SWAPPED = "2a1b0e0b-0e2f-8a4c-9d6e-1f2e3d4c5b6a"
OTHER = "ffffffff-2f0e-4c8a-9d6e-1f2e3d4c5b6a"


def guest(uuid: Texts) -> Machine:
    """An L1 whose domain has a UUID, and which was told one by its firmware."""
    above, below, *_ = intel_chain()
    defined = {
        name: str(text).replace("<name>L1</name>", f"<name>L1</name><uuid>{DEFINED}</uuid>")
        for name, text in domain("L1", "<cpu mode='host-passthrough'/>").items()
    }
    return machines((above.having(defined), below.having(uuid)))[1]


@pytest.mark.parametrize("own", [DEFINED, DEFINED.upper() + "\n", SWAPPED])
def test_the_same_uuid_is_the_same_machine(own: str) -> None:
    """Also in capitals, and with the first fields the other way round."""
    assert contradiction(guest({"sys/class/dmi/id/product_uuid": own})) == ""


def test_another_uuid_is_another_machine() -> None:
    """An address that leads to somebody else's guest must not lend its good marks to this chain."""
    told = contradiction(guest({"sys/class/dmi/id/product_uuid": OTHER}))
    assert OTHER in told
    assert DEFINED in told


def test_an_unknown_uuid_proves_nothing() -> None:
    """It is readable by root only, so that its absence holds nothing against the machine."""
    assert contradiction(guest({"sys/class/dmi/id/product_uuid": "not a uuid"})) == ""


@pytest.mark.parametrize(
    "source, text",
    [("proc/device-tree/vm,uuid", OTHER), ("proc/sysinfo", f"VM00 Name: L1\nVM00 UUID:            {OTHER}\n")],
)
def test_power_and_z_name_their_guests_elsewhere(source: str, text: str) -> None:
    """The device tree on POWER, sysinfo on IBM Z."""
    assert OTHER in contradiction(guest({source: text}))


KVM: Texts = {}
"""What the L1 of a RHEL chain sees anyway."""


@pytest.mark.parametrize(
    "provider, seen, told",
    [
        (Provider.VSPHERE, VMWARE, ""),
        (Provider.VSPHERE, KVM, "vsphere`, and L1 runs on kvm;"),
        (Provider.VSPHERE, AWS, "vsphere`, and L1 runs on aws;"),
        (Provider.VSPHERE, NO_DMI, ""),
        (Provider.EC2, AWS, ""),
        (Provider.EC2, KVM, "ec2`, and L1 runs on kvm;"),
        (Provider.EC2, VMWARE, "ec2`, and L1 runs on vmware;"),
        (Provider.HYPERV, HYPERV, ""),
        (Provider.HYPERV, AZURE, "hyperv`, and L1 runs on azure;"),
        (Provider.AZURE, AZURE, ""),
        (Provider.AZURE, HYPERV, "azure`, and L1 runs on hyperv;"),
        (Provider.AZURE, {**HARDWARE, **cpuinfo("GenuineIntel", XEON, "fpu lm vmx ept")}, "L1 is not a guest"),
        (Provider.GCE, GCE, ""),
        (Provider.GCE, KVM, "gce`, and L1 runs on kvm;"),
        (Provider.PROXMOX, KVM, ""),
        (Provider.PROXMOX, XEN, "proxmox`, and L1 runs on xen;"),
        (Provider.LIBVIRT, VMWARE, ""),
    ],
)
def test_what_a_guest_runs_on_is_held_against_the_provider_of_the_inventory(
    provider: Provider, seen: Texts, told: str
) -> None:
    """A contradiction between what is declared and what is seen is no guess of either; what is unknown contradicts nothing.

    `libvirt` is also what stands for nothing: of a host at which nobody looks it says nothing.
    """
    found = contradiction(machines(foreign(provider, seen))[1])
    assert (told in found) if told else found == ""


@pytest.mark.parametrize("provider", [Provider.LIBVIRT, Provider.VSPHERE])
def test_a_host_that_was_looked_at_is_of_its_provider(provider: Provider) -> None:
    """Its guests run on what it is: a guest of somebody else lends it nothing."""
    l0, l1, *_ = intel_chain()
    other = VMWARE if provider is Provider.LIBVIRT else KVM
    chain = (l0.having(provider=provider, connection=Connection.RECORDED), l1.having(other))
    assert f"L0 has `provider: {provider}`" in contradiction(machines(chain)[1])


def test_an_l0_contradicts_nobody() -> None:
    """It runs on hardware, as it should, and nothing in the inventory is above it."""
    assert contradiction(machines(intel_chain())[0]) == ""


@pytest.mark.parametrize("own, differs", [(DEFINED, False), (SWAPPED, False), (OTHER, True)])
@pytest.mark.parametrize("given", ["process", "smbios", "hwuuid", "sysinfo", "proxmox", "args", "vmx"])
def test_every_provider_gives_its_guests_a_uuid(given: str, own: str, *, differs: bool) -> None:
    """QEMU's options, elements of a definition, `smbios1:` and `args:` of Proxmox, `uuid.bios` of VMware."""
    in_bytes = " ".join(DEFINED.replace("-", "")[at : at + 2] for at in range(0, 32, 2))
    by: dict[str, tuple[Provider, Texts]] = {
        "process": (Provider.LIBVIRT, qemu(f"/usr/bin/qemu-system-x86_64 -name guest=L1 -accel kvm -uuid {DEFINED}")),
        "smbios": (
            Provider.LIBVIRT,
            qemu(f"/usr/bin/kvm -name L1 -accel kvm -uuid {OTHER} -smbios type=1,uuid={DEFINED}"),
        ),
        "hwuuid": (Provider.LIBVIRT, domain("L1", f"<uuid>{OTHER}</uuid><hwuuid>{DEFINED}</hwuuid>")),
        "sysinfo": (
            Provider.LIBVIRT,
            domain("L1", f"<sysinfo type='smbios'><system><entry name='uuid'>{DEFINED}</entry></system></sysinfo>"),
        ),
        "proxmox": (
            Provider.PROXMOX,
            {"nestvirt/proxmox/qm_config_100": f"name: L1\nsmbios1: uuid={DEFINED},base64=1\n"},
        ),
        "args": (
            Provider.PROXMOX,
            {
                "nestvirt/proxmox/qm_config_100": f"name: L1\nsmbios1: uuid={OTHER}\nargs: -smbios type=1,uuid={DEFINED}\n"
            },
        ),
        "vmx": (Provider.VSPHERE, {"nestvirt/vsphere/d/L1/L1.vmx": f'displayName = "L1"\nuuid.bios = "{in_bytes}"\n'}),
    }
    provider, texts = by[given]
    above, below, *_ = intel_chain()
    virsh = {name: Status.MISSING for name in above.sections or {} if name.startswith("sos_commands/virsh")}
    processes = {"nestvirt/qemu/": Status.DENIED}
    parent = above.having({**virsh, **processes, **texts}, provider=provider)
    look = VMWARE if provider is Provider.VSPHERE else {}
    seen = below.having({**look, "sys/class/dmi/id/product_uuid": own})
    assert bool(contradiction(machines((parent, seen))[1])) is differs


# ---- two entries of an inventory, one machine


def siblings(one: Texts, other: Texts, *, apart: bool = False) -> Machine:
    """The first of two L1s of one host, or of two."""
    up = [Host(name, 0, None, Connection.SSH, provider=Provider.PROXMOX) for name in ("up", "upper")]
    first = Host("one", 1, "up", Connection.SSH)
    second = Host("two", 1, "upper" if apart else "up", Connection.SSH)
    shown = {
        name: Snapshot({key: Section(key, data=str(text).encode()) for key, text in texts.items()})
        for name, texts in (("up", {}), ("upper", {}), ("one", one), ("two", other))
    }
    return build_machines(Inventory((*up, first, second)), shown)["one"]


BOOT = "proc/sys/kernel/random/boot_id"
UUID = "sys/class/dmi/id/product_uuid"
ONE_BOOT, OTHER_BOOT = ({BOOT: f"{n}e4c6b6e-8d44-4b3e-9d1a-5a2d1c6f7b80\n"} for n in (0, 1))


@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize(
    "one, other, found",
    [
        (ONE_BOOT, ONE_BOOT, "one and two are one and the same system"),
        (ONE_BOOT, OTHER_BOOT, ""),
        (ONE_BOOT, {}, ""),
        ({UUID: DEFINED}, {UUID: SWAPPED}, "one and two are one and the same machine"),
        ({UUID: DEFINED}, {UUID: OTHER}, ""),
        ({**ONE_BOOT, UUID: DEFINED}, {**OTHER_BOOT, UUID: DEFINED}, ""),
        ({UUID: "0" * 32}, {UUID: "0" * 32}, ""),
    ],
)
def test_two_guests_that_are_one_machine_are_found(one: Texts, other: Texts, found: str, *, apart: bool) -> None:
    """In one host or in two: a boot id is one kernel's, a UUID one machine's unless their boots differ."""
    found_now = contradiction(siblings(one, other, apart=apart))
    assert found_now.startswith(found) if found else found_now == ""


def recorded_twice(paths: tuple[str, str], boots: tuple[Texts, Texts], domains: tuple[str, str]) -> list[str]:
    """What contradicts each of two recorded L0s with a guest each."""
    hosts, shown = [], {}
    for n, (path, boot, called) in enumerate(zip(paths, boots, domains, strict=True)):
        hosts.append(Host(f"l0-{n}", 0, None, Connection.RECORDED, path=Path(path)))
        hosts.append(Host(f"l1-{n}", 1, f"l0-{n}", Connection.RECORDED, path=Path(f"{path}-guest"), domain=called))
        shown[f"l0-{n}"] = Snapshot({key: Section(key, data=str(text).encode()) for key, text in ONE_BOOT.items()})
        shown[f"l1-{n}"] = Snapshot({key: Section(key, data=str(text).encode()) for key, text in boot.items()})
    return [contradiction(machine) for machine in build_machines(Inventory(tuple(hosts)), shown).values()]


THIRD_BOOT = {BOOT: "2e4c6b6e-8d44-4b3e-9d1a-5a2d1c6f7b80\n"}


@pytest.mark.parametrize(
    "paths, boots, domains, found",
    [
        (("a", "a"), (THIRD_BOOT, THIRD_BOOT), ("L1", "L1"), False),
        (("before", "after"), (THIRD_BOOT, THIRD_BOOT), ("L1", "L1"), False),
        (("before", "after"), (OTHER_BOOT, THIRD_BOOT), ("L1", "L1"), False),
        (("before", "after"), (THIRD_BOOT, THIRD_BOOT), ("L1", "other"), True),
    ],
)
def test_records_of_one_host_may_be_listed_twice(
    paths: tuple[str, str], boots: tuple[Texts, Texts], domains: tuple[str, str], *, found: bool
) -> None:
    """One record under two names, or records before and after a change: only a guest of another name contradicts."""
    assert [bool(line) for line in recorded_twice(paths, boots, domains)] == [False, found, False, found]


def test_looking_at_the_others_is_no_evidence_of_a_check() -> None:
    """What is compared with every machine of the inventory does not become what the check read of its chain."""
    guest = siblings(ONE_BOOT, ONE_BOOT)
    with observing() as seen:
        assert contradiction(guest)
    assert {observation.host for observation in seen} <= {"one", "up"}


@pytest.mark.parametrize(
    "texts, found",
    [
        (
            {
                "nestvirt/windows/operating_system.json": '{"Caption": "Microsoft Windows Server 2022", "BuildNumber": "20348"}'
            },
            True,
        ),
        ({"etc/os-release": 'ID="rhel"\nVERSION_ID="8.6"\n'}, False),
        ({"proc/cpuinfo": "flags: fpu vmx\n"}, False),
    ],
)
def test_equal_records_are_one_system_where_nothing_else_could_tell(texts: Texts, *, found: bool) -> None:
    """Windows has no boot id, so equal records of it are one; a short record of a Linux system may be equal by chance."""
    hosts = [
        Host("l0", 0, None, Connection.RECORDED, path=Path("a")),
        Host("l1", 1, "l0", Connection.RECORDED, path=Path("b")),
    ]
    shown = {name: Snapshot({k: Section(k, data=str(v).encode()) for k, v in texts.items()}) for name in ("l0", "l1")}
    line = contradiction(build_machines(Inventory(tuple(hosts)), shown)["l1"])
    assert ("everything that was read" in line) is found
