"""Facts about ESXi come from its commands, those about a guest from the .vmx file that is its own."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from machine_sections import guest_of, machine

from pytest_nestvirt.cli.facts_json import dump
from pytest_nestvirt.facts.providers.vmx import parse_vmx
from pytest_nestvirt.inventory.host import Provider
from pytest_nestvirt.observation.fact import Unobservable
from pytest_nestvirt.snapshot.snapshot import Status

VMX = """.encoding = "UTF-8"
config.version = "8"
virtualHW.version = "17"
displayName = "rhel8 l1"
firmware = "efi"
uefi.secureBoot.enabled = "FALSE"
vhv.enable = "TRUE"
vhv.allowNestedPageTables = "TRUE"
vvtd.enable = "TRUE"
hypervisor.cpuid.v0 = "FALSE"
"""
PLACE = "nestvirt/vsphere/datastore1/rhel8 l1/rhel8.vmx"
FACTS = (
    "hardware_version",
    "vhv_enable",
    "vhv_nested_page_tables",
    "vvtd_enable",
    "firmware",
    "cpu_hot_add",
    "memory_hot_add",
    "pci_passthrough",
    "vbs_enable",
    "secure_boot",
)


@pytest.mark.parametrize(
    "text, version",
    [
        ("VMware ESXi 7.0.3 build-19193900\n", (7, 0, 3)),
        ("VMware ESX 4.1.0 build-260247\n", (4, 1, 0)),
        ("VMware ESXi 6.0.0 build-2494585\nVMware ESXi 6.0.0 GA\n", (6, 0, 0)),
    ],
)
def test_version_is_the_number_of_the_product(text: str, version: tuple[int, ...]) -> None:
    """`vmware -v` gives integers, which compare."""
    assert machine({"nestvirt/vsphere/vmware_-v": text}).vsphere.version == version


def test_version_also_comes_from_esxcli() -> None:
    """Where `vmware -v` was not recorded, the other command tells."""
    text = "   Product: VMware ESXi\n   Version: 8.0.2\n   Build: Releasebuild-22380479\n   Update: 2\n"
    assert machine({"nestvirt/vsphere/esxcli_system_version_get": text}).vsphere.version == (8, 0, 2)


@pytest.mark.parametrize("text", ["VMware Workstation 17.0.0 build-20800274\n", "", "ESXi 7\n"])
def test_other_products_have_no_esxi_version(text: str) -> None:
    """Workstation's `vmware -v` does not make its host an ESXi."""
    with pytest.raises(Unobservable):
        _ = machine({"nestvirt/vsphere/vmware_-v": text}).vsphere.version


GREPPED = """         |----HV Support............................................{}
            |----World Command Line.................................grep HV Support
"""


@pytest.mark.parametrize("value", [0, 1, 2, 3])
def test_hv_support_is_the_line_of_the_processor(value: int) -> None:
    """The line that esxcfg-info has of the grep itself is passed over."""
    esx = machine({"nestvirt/vsphere/hv_support": GREPPED.format(value)})
    assert esx.vsphere.hv_support == value
    if value < 3:
        assert not esx.vsphere.nested_hv_supported
    else:
        with pytest.raises(Unobservable, match="nestedHVSupported"):
            _ = esx.vsphere.nested_hv_supported


@pytest.mark.parametrize(
    "text",
    ["", "|----HV Support....7\n", "|--World Command Line....grep HV Support\n", GREPPED.format(3) + GREPPED.format(1)],
)
def test_hv_support_is_not_guessed(text: str) -> None:
    """Without one plain value there is none."""
    with pytest.raises(Unobservable):
        _ = machine({"nestvirt/vsphere/hv_support": text}).vsphere.hv_support


@pytest.mark.parametrize(
    "text, supported", [("   nestedHVSupported = true,\n", True), ('"nestedHVSupported":false', False)]
)
def test_the_api_tells_nested_support_where_it_was_recorded(text: str, supported: bool) -> None:
    """What the vSphere API said is believed above all."""
    sections = {"nestvirt/vsphere/host_capability": text, "nestvirt/vsphere/hv_support": GREPPED.format(3)}
    assert machine(sections).vsphere.nested_hv_supported is supported


def test_a_guest_has_the_settings_of_its_file() -> None:
    """Every fact of `vmx`, found by the shown name or by the file's."""
    for domain in ("rhel8 l1", "rhel8"):
        vmx = guest_of({PLACE: VMX}, domain).vmx
        assert [getattr(vmx, name) for name in FACTS] == [
            17,
            True,
            True,
            True,
            "efi",
            False,
            False,
            False,
            False,
            False,
        ]
    assert set(machine({PLACE: VMX}).vsphere.vms) == {"rhel8 l1"}


def test_what_the_file_does_not_say_is_off() -> None:
    """VMware's defaults: no nesting, BIOS; the version of the hardware alone has none."""
    vmx = guest_of({PLACE: 'displayName = "l1"\nconfig.version = "8"\n'}).vmx
    assert [getattr(vmx, name) for name in FACTS[1:]] == [False, False, False, "bios", *[False] * 5]
    with pytest.raises(Unobservable, match="not a version"):
        _ = vmx.hardware_version


@pytest.mark.parametrize(
    "line, fact, value",
    [
        ('VHV.Enable = "true"', "vhv_enable", True),
        ("vhv.enable = TRUE", "vhv_enable", True),
        ('vhv.enable="TRUE"\nVHV.enable="TRUE"', "vhv_enable", True),
        ('# vhv.enable = "TRUE"', "vhv_enable", False),
        ('vhv.enabled = "TRUE"', "vhv_enable", False),
        ('vcpu.hotadd = "TRUE"', "cpu_hot_add", True),
        ('mem.hotadd = "TRUE"', "memory_hot_add", True),
        ('pciPassthru0.present = "TRUE"', "pci_passthrough", True),
        ('pciPassthru0.present = "FALSE"', "pci_passthrough", False),
        ('windows.vbs.enabled = "TRUE"', "vbs_enable", True),
        ('firmware = "efi"\nuefi.secureBoot.enabled = "TRUE"', "secure_boot", True),
        ('uefi.secureBoot.enabled = "TRUE"', "secure_boot", False),
        ('virtualHW.version = "vmx-09"', "hardware_version", 9),
        ('config.version = "vmx-14"', "hardware_version", 14),
        ('virtualHW.version = "8"', "hardware_version", 8),
    ],
)
def test_settings_are_read_as_vmware_reads_them(line: str, fact: str, value: object) -> None:
    """Keys without regard to case, one written twice with one value has that, comments and other keys count for nothing."""
    assert getattr(guest_of({PLACE: f'displayName = "l1"\r\n{line}\r\n'}).vmx, fact) == value


@pytest.mark.parametrize(
    "line",
    [
        'vhv.enable = "perhaps"',
        'vhv.enable = "TRUE',
        'vhv.enable = "TRUE" "FALSE"',
        'vhv.enable = "TRUE"\nvhv.enable = "FALSE"',
        'vhv.enable = "FALSE"\nVHV.Enable = "TRUE"',
        'vhv.enable = "TRUE"\nvhv.enable = ""\nvhv.enable = "TRUE"',
    ],
)
def test_a_mangled_switch_is_unknown(line: str) -> None:
    """What is neither on nor off is not off, and of two values none is believed: VMware starts no such machine."""
    with pytest.raises(Unobservable):
        _ = guest_of({PLACE: f'displayName = "l1"\n{line}\n'}).vmx.vhv_enable


def test_escapes_and_character_sets_are_undone() -> None:
    """`|22` is a quotation mark; what stands there is in the character set that the file names."""
    vmx = parse_vmx('.encoding = "windows-1252"\ndisplayName = "b\xfcro |22a|7C"\n'.encode("cp1252"), "x.vmx")
    assert vmx.name == 'b\xfcro "a|'
    assert parse_vmx(b'displayName = "caf|C3|A9"', "x.vmx").name == "caf\xe9"
    with pytest.raises(Unobservable, match="character set"):
        parse_vmx(b'.encoding = "klingon"\ndisplayName = "a"\n', "x.vmx")


def test_two_machines_of_one_name_are_not_distinguished() -> None:
    """Which of them is the guest is unknown; both are listed, by their paths."""
    sections = {PLACE: VMX, PLACE.replace("datastore1", "datastore2"): VMX}
    with pytest.raises(Unobservable, match="2 machines named rhel8 l1"):
        _ = guest_of(sections, "rhel8 l1").vmx.vhv_enable
    assert set(machine(sections).vsphere.vms) == set(sections)


def test_a_file_that_was_not_read_hides_only_its_own_machine() -> None:
    """A refused file is told where a name is not found, and does not spoil the others."""
    sections = {PLACE: VMX, "nestvirt/vsphere/datastore1/b/b.vmx": Status.DENIED}
    assert guest_of(sections, "rhel8 l1").vmx.vhv_enable
    with pytest.raises(Unobservable, match="refused"):
        _ = guest_of(sections, "b").vmx.vhv_enable


def test_evidence_names_the_host_and_its_file() -> None:
    """What is known of the guest is the parent's evidence; on other machines nothing is known."""
    guest = guest_of({PLACE: VMX}, "rhel8", Provider.VSPHERE)
    told = dump(guest)
    assert told["vmx"]["vhv_enable"] is True  # type: ignore[index]
    assert told["provenance"]["vmx.vhv_enable"] == [PLACE]  # type: ignore[index]
    assert "pve" not in told
    for name in FACTS:
        with pytest.raises(Unobservable):
            getattr(guest_of({}, "rhel8").vmx, name)
    with pytest.raises(Unobservable, match="not a guest"):
        _ = machine({}).vmx.vhv_enable


@settings(max_examples=150)
@given(st.binary(max_size=300) | st.text(alphabet='vhv.enable ="|22TRUE\n\r#', max_size=80).map(str.encode))
@example(b'vhv.enable = "|zz"')
def test_any_bytes_are_parsed_or_unknown(data: bytes) -> None:
    """No file crashes the parser, and none of a key that it does not hold is on."""
    try:
        vmx = parse_vmx(data, "x.vmx")
    except Unobservable:
        return
    assert all(key.encode() in data.lower() for key in vmx.settings if key.isascii())
    try:
        if vmx.enabled("vhv.enable"):
            assert b"vhv.enable" in data.lower()
    except Unobservable:
        pass


ROWS = """Vmid   Name       File                                Guest OS        Version   Annotation
1      rhel8 l1   [datastore1] rhel8 l1/rhel8.vmx     rhel8_64Guest   vmx-17
2      pinned     [datastore1] p/p.vmx                rhel8_64Guest   vmx-17    its second
line of annotation
"""
PINNED = 'displayName = "pinned"\nmemSize = "4096"\nsched.mem.pin = "TRUE"\nsched.mem.min = "1"\n'


def test_memory_that_is_promised_is_that_of_all_machines() -> None:
    """Reservations are added up, pinned memory counts whole; with one file missing the sum is unknown."""
    sections = {
        "nestvirt/vsphere/getallvms": ROWS,
        "nestvirt/vsphere/esxcli_hardware_memory_get": "   Physical Memory: 68719476736 Bytes\n   NUMA Node Count: 2\n",
        PLACE: VMX + 'memSize = "16384"\nsched.mem.min = "8192"\n',
        "nestvirt/vsphere/datastore1/p/p.vmx": PINNED,
    }
    esx = machine(sections).vsphere
    assert (esx.memory_mib, esx.reserved_mib) == (65536, 8192 + 4096)
    vmx = guest_of(sections, "pinned").vmx
    assert (vmx.vcpus, vmx.memory_mib) == (1, 4096)
    for changed in (
        {PLACE: Status.FAILED},
        {PLACE: VMX + 'sched.mem.min = "much"\n'},
        {"nestvirt/vsphere/getallvms": ROWS[:180]},
    ):
        with pytest.raises(Unobservable):
            _ = machine({**sections, **changed}).vsphere.reserved_mib
