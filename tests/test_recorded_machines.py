"""The recorded machines of the embedded inventories: they load, and they are what their inventory says they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from pytest_nestvirt.facts.machine import Machine, build_machines
from pytest_nestvirt.inventory.host import Connection, Inventory, Provider
from pytest_nestvirt.inventory.load_inventory import load_inventory
from pytest_nestvirt.observation.fact import Unobservable
from pytest_nestvirt.snapshot.archive import load
from pytest_nestvirt.snapshot.snapshot import Status

INVENTORIES = Path(__file__).parent.parent / "inventories"
RECORDED = INVENTORIES / "recorded"
NAMES = ("recorded", "recorded-violations")
LABS = "recorded-lab"
"""Names machines of labs, which are copies of real ones: test_recorded_labs.py."""
TREES = sorted(path.name for path in RECORDED.iterdir())


def inventory_of(name: str) -> Inventory:
    """One of the two embedded inventories of recorded machines."""
    return load_inventory([INVENTORIES / f"{name}.yml"])


@pytest.fixture(scope="module")
def machines() -> Mapping[str, Machine]:
    """All recorded machines of both inventories, by name, each with its parent and guests."""
    found: dict[str, Machine] = {}
    for name in NAMES:
        inventory = inventory_of(name)
        seen = {
            host.name: load(host.path) if host.path else Unobservable("inventory", "no record") for host in inventory
        }
        found |= build_machines(inventory, seen)
    return found


@pytest.fixture(scope="module")
def recorded(machines: Mapping[str, Machine]) -> list[Machine]:
    """Those of them that a Unix wrote down in full."""
    return [m for m in machines.values() if m.host.path and is_complete(m.host.path)]


def is_complete(tree: Path) -> bool:
    """Whether the record says that its machine was asked everything."""
    manifest = tree / "nestvirt-snapshot.json"
    return manifest.exists() and '"complete": true' in manifest.read_text()


# ---- the folders


@pytest.mark.parametrize("name", TREES)
def test_every_tree_loads_and_keeps_every_file(name: str) -> None:
    """Every file below a machine's folder becomes a section with its text, so no file has a name nobody reads."""
    snapshot = load(RECORDED / name)
    files = {path.relative_to(RECORDED / name).as_posix() for path in (RECORDED / name).rglob("*") if path.is_file()}
    sections = {f.replace(".nestvirt-listing", "") for f in files - {"nestvirt-snapshot.json"}}
    assert {s for s in sections if snapshot.sections[s].status is Status.OK} == sections
    assert snapshot.note == ""


def test_every_tree_is_in_use_and_lies_below_recorded() -> None:
    """The inventories name every folder once, and nothing outside `recorded/`."""
    used = [host.path for name in (*NAMES, LABS) for host in inventory_of(name) if host.path is not None]
    assert all(path.resolve().is_relative_to(RECORDED.resolve()) for path in used)
    assert sorted(path.name for path in used) == TREES


def test_no_tree_has_links_or_more_than_text() -> None:
    """A folder can be copied anywhere: it holds plain files of UTF-8 text, and none is a link."""
    paths = list(RECORDED.rglob("*"))
    assert not [path for path in paths if path.is_symlink()]
    for path in paths:
        if path.is_file():
            assert "\0" not in path.read_text(encoding="utf-8")


def test_only_documentation_names_and_addresses_stand_in_the_records() -> None:
    """Host names are in example.com, so that a record is taken for nobody's machine."""
    for path in RECORDED.rglob("proc/sys/kernel/hostname"):
        assert path.read_text().strip().endswith(".example.com"), path


# ---- the inventories


def test_only_one_host_of_both_inventories_would_be_connected_to() -> None:
    """Everything is recorded, but for the host that is meant to be unreachable, on loopback."""
    hosts = [host for name in NAMES for host in inventory_of(name)]
    connected = [host for host in hosts if host.connection in {Connection.SSH, Connection.LOCAL}]
    assert [(host.name, host.ssh.address, host.ssh.port) for host in connected] == [("unreachable-l0", "127.0.0.1", 1)]


def test_all_architectures_stand_in_both_inventories(machines: Mapping[str, Machine]) -> None:
    """Each of the four architectures of the document has a chain that conforms and one that does not."""
    vendors = {"intel", "amd", "ibm-z", "ibm-power"}
    for name in NAMES:
        hosts = [machines[host.name] for host in inventory_of(name) if host.level == 0 and host.path]
        seen = {vendor for host in hosts for vendor in known(host.cpu, "vendor")}
        assert seen == vendors, name


def known(subject: object, fact: str) -> Iterator[object]:
    """The fact, or nothing where it cannot be known."""
    try:
        yield getattr(subject, fact)
    except Unobservable:
        return


# ---- each machine by itself


def test_releases_agree_with_each_other_and_with_the_kernel(recorded: list[Machine]) -> None:
    """On RHEL, os-release, redhat-release and the kernel's build number tell the same minor release."""
    builds = {"147": 1, "305": 4, "348": 5, "372": 6, "425": 7, "477": 8, "957": 6, "1160": 9}
    for machine in (machine for machine in recorded if machine.os.is_like("fedora")):
        build = machine.kernel.release.split("-")[1].split(".")[0]
        assert machine.os.version[1] == builds[build], machine.name
        assert f"release {machine.os.version[0]}.{machine.os.version[1]} " in read(machine, "etc/redhat-release")


def read(machine: Machine, section: str) -> str:
    """The text of a section of its record."""
    return machine.reader.text(section)


def test_every_guest_is_the_domain_that_its_parent_runs(recorded: list[Machine]) -> None:
    """The UUID that a guest shows is that of its running domain, and its parent has the QEMU process of that name."""
    guests = [m for m in recorded if m.parent is not None and m.parent.host.connection is Connection.RECORDED]
    guests = [m for m in guests if m.parent is not None and m.parent.host.provider is Provider.LIBVIRT]
    assert len(guests) > 15
    for guest in guests:
        assert guest.domain.running, guest.name
        assert guest.domain.xml.uuid == uuid_shown_by(guest), guest.name
        assert guest.domain.xml.uuid in guest.domain.command_line


def uuid_shown_by(guest: Machine) -> str:
    """The UUID as the guest sees it, wherever its architecture shows it."""
    if guest.kernel.architecture == "s390x":
        line = next(line for line in read(guest, "proc/sysinfo").splitlines() if line.startswith("VM00 UUID:"))
        return line.split()[-1]
    name = "proc/device-tree/vm,uuid" if guest.kernel.architecture == "ppc64le" else "sys/class/dmi/id/product_uuid"
    return read(guest, name).strip()


def test_uuids_and_boot_ids_are_unique(recorded: list[Machine]) -> None:
    """No machine is another one's copy."""
    boots = [machine.kernel.boot_id for machine in recorded]
    assert len(set(boots)) == len(boots)
    uuids = [uuid_shown_by(machine) for machine in recorded if machine.parent is not None]
    assert len(set(uuids)) == len(uuids)


PROCESSORS = {
    "intel-l0": ("intel", "yes"),
    "intel-l1": ("intel", "yes"),
    "rhel84-l2": ("intel", "no"),
    "rhel79-l2": ("intel", "no"),
    "prod-l0": ("intel", "yes"),
    "prod-l1": ("intel", "yes"),
    "prod-l2": ("intel", "no"),
    "amd-l0": ("amd", "yes"),
    "amd-l1": ("amd", "yes"),
    "amd-l2": ("amd", "no"),
    "z15-l0": ("ibm-z", "yes"),
    "z15-l1": ("ibm-z", "yes"),
    "z15-l2": ("ibm-z", "no"),
    "power9-l0": ("ibm-power", "yes"),
    "power9-l1": ("ibm-power", "yes"),
    "azure-l1": ("intel", "yes"),
    "hyperv-l1": ("intel", "yes"),
    "ubuntu-intel-l0": ("intel", "yes"),
    "ubuntu-l1": ("intel", "yes"),
    "ubuntu-amd-l0": ("amd", "yes"),
    "focal-l1": ("amd", "yes"),
    "stoney-l0": ("intel", "yes"),
    "stoney-l1": ("intel", "yes"),
    "intel-off-l0": ("intel", "no"),
    "intel-off-l1": ("intel", "no"),
    "intel-bios-l0": ("intel", "no"),
    "amd-off-l0": ("amd", "yes"),
    "amd-off-l1": ("amd", "no"),
    "z-nosie-l0": ("ibm-z", "no"),
    "z-hpage-l0": ("ibm-z", "yes"),
    "power9-off-l0": ("ibm-power", "yes"),
    "power9-off-l1": ("ibm-power", "no"),
    "power8-l0": ("ibm-power", "no"),
    "power8-l1": ("ibm-power", "no"),
    "deep-l2": ("intel", "yes"),
    "deep-l3": ("intel", "no"),
    "virtual-l0": ("intel", "yes"),
    "rocky-l0": ("intel", "yes"),
    "vmware-l1": ("intel", "yes"),
    "aws-l1": ("intel", "yes"),
}


@pytest.mark.parametrize("name,expected", PROCESSORS.items())
def test_processors_can_nest_or_not_as_intended(
    machines: Mapping[str, Machine], name: str, expected: tuple[str, str]
) -> None:
    """Vendor and capability, by the rule of the document, are those that the chain is about."""
    cpu = machines[name].cpu
    assert (cpu.vendor, cpu.nested.capable) == expected, cpu.nested.why


NESTED = {
    "intel-l0": ("kvm_intel", "Y", True),
    "intel-l1": ("kvm_intel", "N", False),
    "prod-l0": ("kvm_intel", "Y", True),
    "amd-l0": ("kvm_amd", "1", True),
    "amd-l1": ("kvm_amd", "0", False),
    "z15-l0": ("kvm", "1", True),
    "z15-l1": ("kvm", "0", False),
    "power9-l0": ("kvm_hv", "Y", True),
    "power9-l1": ("kvm_hv", "Y", True),
    "intel-off-l0": ("kvm_intel", "N", False),
    "amd-off-l0": ("kvm_amd", "0", False),
    "z-hpage-l0": ("kvm", "1", True),
    "power9-off-l0": ("kvm_hv", "N", False),
    "deep-l2": ("kvm_intel", "Y", True),
}


@pytest.mark.parametrize("name,expected", NESTED.items())
def test_nesting_is_on_or_off_as_intended(
    machines: Mapping[str, Machine], name: str, expected: tuple[str, str, bool]
) -> None:
    """The module that carries `nested`, what the kernel prints for it, and what that means."""
    kvm = machines[name].kvm
    assert (kvm.module, kvm.nested_raw, kvm.nested) == expected


@pytest.mark.parametrize("name", ["intel-bios-l0", "z-nosie-l0", "power9-off-l1", "rhel84-l2", "sparse-l0", "azure"])
def test_nesting_is_neither_on_nor_off_where_the_module_is_not_loaded(
    machines: Mapping[str, Machine], name: str
) -> None:
    """A module that is not loaded, or was not looked for, has no answer."""
    with pytest.raises(Unobservable):
        machines[name].kvm.nested  # noqa: B018 - reading it is the test


USABLE = {"intel-l1": True, "z15-l1": True, "power9-l1": True, "deep-l2": True, "vmware-l1": True} | dict.fromkeys(
    ("rhel84-l2", "amd-l2", "z15-l2", "power9-l2", "amd-off-l1", "power9-off-l1", "power8-l1", "intel-off-l1"), False
)


@pytest.mark.parametrize("name,usable", USABLE.items())
def test_kvm_is_usable_or_not_as_intended(machines: Mapping[str, Machine], name: str, usable: bool) -> None:
    """KVM creates machines in the hypervisors and in no other; a /dev/kvm that refuses to does not count."""
    assert machines[name].kvm.usable is usable


SYSTEMS = {
    "intel-l0": ("rhel", (8, 6)),
    "rhel84-l2": ("rhel", (8, 4)),
    "rhel79-l2": ("rhel", (7, 9)),
    "ws2019-l2": ("windows", (17763,)),
    "prod-l1": ("rhel", (8, 8)),
    "amd-l2": ("rhel", (8, 7)),
    "z15-l0": ("rhel", (8, 5)),
    "power9-l2": ("rhel", (8, 6)),
    "azure-l1": ("rhel", (8, 4)),
    "intel-off-l0": ("rhel", (8, 1)),
    "intel-off-l1": ("rhel", (7, 6)),
    "ws2022-l2": ("windows", (20348,)),
    "win10-l2": ("windows", (14393,)),
    "power9-off-l1": ("rhel", (7, 9)),
    "rocky-l0": ("rocky", (8, 6)),
    "aws-l1": ("rhel", (8, 8)),
    "ubuntu-intel-l0": ("ubuntu", (22, 4)),
    "focal-l1": ("ubuntu", (20, 4)),
    "stoney-l0": ("gentoo", (2, 9)),
}


@pytest.mark.parametrize("name,expected", SYSTEMS.items())
def test_operating_systems_are_those_intended(
    machines: Mapping[str, Machine], name: str, expected: tuple[str, tuple[int, ...]]
) -> None:
    """Id and version, as the releases of the document are compared with."""
    system = machines[name].os
    assert (system.id, system.version) == expected


def test_only_the_windows_client_is_no_server(machines: Mapping[str, Machine]) -> None:
    """Windows 10 has the build of Server 2016 and is a client."""
    assert not machines["win10-l2"].os.is_server
    assert machines["ws2019-l2"].os.is_server
    assert machines["ws2022-l2"].os.is_server


PLATFORMS = {
    "intel-l0": ("none", "none"),
    "prod-l0": ("none", "none"),
    "amd-l0": ("none", "none"),
    "z15-l0": ("none", "prsm-lpar"),
    "power9-l0": ("none", "none"),
    "power8-l0": ("none", "none"),
    "intel-l1": ("kvm", "none"),
    "rhel84-l2": ("kvm", "none"),
    "amd-l1": ("kvm", "none"),
    "z15-l1": ("kvm", "none"),
    "z15-l2": ("kvm", "none"),
    "power9-l1": ("kvm", "none"),
    "power9-off-l1": ("kvm", "none"),
    "azure-l1": ("hyperv", "azure"),
    "hyperv-l1": ("hyperv", "none"),
    "vmware-l1": ("vmware", "none"),
    "aws-l1": ("kvm", "aws"),
    "virtual-l0": ("kvm", "none"),
    "deep-l3": ("kvm", "none"),
}


@pytest.mark.parametrize("name,expected", PLATFORMS.items())
def test_machines_run_on_what_they_are_meant_to(
    machines: Mapping[str, Machine], name: str, expected: tuple[str, str]
) -> None:
    """The hypervisor below, and the offer below that; where there is none, the machine is physical, and only there."""
    platform = machines[name].platform
    assert (platform.virtualization, platform.substrate) == expected
    assert platform.physical is (expected[0] == "none")


def test_depth_on_ibm_z_is_what_sysinfo_counts(machines: Mapping[str, Machine]) -> None:
    """Each level below the partition adds a block VMnn."""
    depth = {level: len(machines[f"z15-l{level}"].platform.control_programs) for level in range(3)}
    assert depth == {0: 0, 1: 1, 2: 2}


def test_an_apicv_of_the_l1_follows_that_of_its_l0(machines: Mapping[str, Machine]) -> None:
    """One L1 confirms the limit and one lifts it, by parameter and by `vmx flags` alike."""
    for name, present in {"intel-l1": False, "prod-l1": True}.items():
        machine = machines[name]
        assert machine.parent is not None
        assert machine.parent.kvm.enabled("enable_apicv") is present
        assert machine.kvm.enabled("enable_apicv") is present
        assert ("apicv" in machine.cpu.vmx_flags) is present


def test_an_emulated_iommu_shows_in_domain_and_guest(machines: Mapping[str, Machine]) -> None:
    """Only the L1 whose domain has <iommu> has a DMAR table and groups."""
    for name, present in {"intel-l1": False, "amd-l1": False, "prod-l1": True}.items():
        machine = machines[name]
        assert bool(machine.domain.xml.iommu) is present
        assert bool(machine.firmware.acpi_tables & {"DMAR", "IVRS"}) is present
        assert (machine.firmware.iommu_groups > 0) is present


def test_persistence_is_configured_as_intended(machines: Mapping[str, Machine]) -> None:
    """The line that counts, in the file that has it; and the traps: a comment, a value that kvm_amd refuses, hpage."""
    line = machines["intel-l0"].modprobe.setting("kvm_intel", "nested")
    assert line is not None
    assert (line.value, line.file) == ("1", "etc/modprobe.d/kvm.conf")
    assert machines["intel-off-l0"].modprobe.setting("kvm_intel", "nested") is None
    amd = machines["amd-off-l0"].modprobe.setting("kvm_amd", "nested")
    assert amd is not None
    assert amd.value == "Y"
    hpage = machines["z-hpage-l0"].modprobe.setting("kvm", "hpage")
    assert hpage is not None
    assert hpage.file == "etc/modprobe.d/zz-hugepages.conf"


def test_domains_of_power9_have_or_lack_nested_hv(machines: Mapping[str, Machine]) -> None:
    """In the definition and in the arguments of QEMU; the violating one runs its guest as a POWER8."""
    good, bad = machines["power9-l1"], machines["power9-off-l1"]
    assert (good.domain.nested_hv, bad.domain.nested_hv) == ("on", "off")
    assert any("cap-nested-hv=on" in argument for argument in good.domain.command_line)
    assert not any("cap-nested-hv=on" in argument for argument in bad.domain.command_line)
    assert not good.cpu.power.power8_compat
    assert bad.cpu.power.power8_compat


def test_guests_of_the_l1_without_kvm_are_emulated(machines: Mapping[str, Machine]) -> None:
    """Where KVM cannot be had, QEMU runs without it; everywhere else it runs with it."""
    assert {process.accel for process in machines["intel-off-l1"].qemu.processes} == {"tcg"}
    assert {process.accel for process in machines["deep-l2"].qemu.processes} == {"kvm"}
    assert {process.accel for process in machines["z15-l1"].qemu.processes} == {"kvm"}


def test_of_the_sparse_machine_nothing_is_known(machines: Mapping[str, Machine]) -> None:
    """An empty cpuinfo is no answer, and a file that was not kept is not a file that the machine lacks."""
    machine = machines["sparse-l0"]
    for subject, fact in (
        (machine.cpu, "flags"),
        (machine.os, "id"),
        (machine.kernel, "architecture"),
        (machine.kvm, "usable"),
    ):
        assert not list(known(subject, fact))
