"""Facts about a machine's setup, from what its own tools print."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from machine_sections import machine

from pytest_nestvirt.facts.system.cloud_init import parse_status, parse_user_data_hostname
from pytest_nestvirt.facts.system.guest_setup import IMAGES, Guest
from pytest_nestvirt.facts.system.host_validate import CheckLine, Level, parse_host_validate
from pytest_nestvirt.facts.system.services import parse_units
from pytest_nestvirt.observation.fact import Unobservable
from pytest_nestvirt.snapshot.snapshot import Status

VALIDATE = "nestvirt/virt-host-validate_qemu"
UNAME = {"sos_commands/kernel/uname_-a": "Linux l1 5.15.0-91-generic #101-Ubuntu SMP x86_64 x86_64 x86_64 GNU/Linux\n"}
GOOD = """  QEMU: Checking for hardware virtualization                                 : PASS
  QEMU: Checking if device /dev/kvm exists                                   : PASS
  QEMU: Checking if device /dev/kvm is accessible                            : PASS
  QEMU: Checking if device /dev/vhost-net exists                             : PASS
  QEMU: Checking for cgroup 'cpu' controller support                         : PASS
  QEMU: Checking for device assignment IOMMU support                         : WARN (No ACPI DMAR table found, IOMMU either disabled in BIOS or not supported by this hardware platform)
  QEMU: Checking for secure guest support                                    : WARN (Unknown if this platform has Secure Guest support)
"""
OLD = """  QEMU: Checking for hardware virtualization                                 : FAIL (Only emulated CPUs are available, performance will be significantly limited)
  QEMU: Checking for device /dev/vhost-net                                   : WARN (Load the 'vhost_net' module to improve performance of virtio networking)
"""
NEW = """  QEMU: Checking for hardware virtualization                                 : FAIL (Host not compatible with KVM; HW virtualization CPU features not found. Only emulated CPUs are available; performance will be significantly limited)
  QEMU: Checking if device '/dev/kvm' exists : FAIL (Check that the 'kvm-intel' or 'kvm-amd' modules are loaded & the BIOS has enabled virtualization)
"""


def guest(**sections: object) -> Guest:
    """A machine whose sections below `nestvirt/` are the arguments."""
    return machine({f"nestvirt/{name}": text for name, text in sections.items()}).guest  # type: ignore[misc]


def test_virt_host_validate_is_read_line_by_line() -> None:
    """Each check under what is checked; the reason of a warning is kept."""
    checks = machine({VALIDATE: GOOD}).guest.host_validate
    assert checks["hardware virtualization"] == CheckLine(Level.PASS, "")
    assert {checks[name].level for name in ("/dev/kvm exists", "/dev/kvm is accessible")} == {Level.PASS}
    assert checks["device assignment IOMMU support"].text.startswith("No ACPI DMAR table")
    assert len(checks) == 7


@pytest.mark.parametrize("text", [OLD, NEW])
def test_a_machine_without_virtualization_fails_in_every_generation(text: str) -> None:
    """The words changed with libvirt 9; the level did not."""
    check = machine({VALIDATE: text}).guest.host_validate["hardware virtualization"]
    assert check.level is Level.FAIL
    assert "performance will be significantly limited" in check.text


def test_old_names_of_checks_are_the_new_ones() -> None:
    """Before 1.2.9 it said `for device /dev/kvm`; colours of a terminal do not matter."""
    text = "  QEMU: Checking for device /dev/kvm : \x1b[1;31mFAIL\x1b[0m (Check that the 'kvm-intel' or 'kvm-amd' modules are loaded)\n"
    assert parse_host_validate(text, "here")["/dev/kvm exists"].level is Level.FAIL
    assert parse_host_validate(NEW, "here")["/dev/kvm exists"].level is Level.FAIL


@pytest.mark.parametrize(
    "text", ["", "virt-host-validate: unknown driver\n", "LXC: Checking for Linux >= 2.6.26 : PASS\n"]
)
def test_no_line_of_qemu_is_no_result(text: str) -> None:
    """An empty or foreign output has nothing to say of KVM."""
    with pytest.raises(Unobservable):
        parse_host_validate(text, "here")


@pytest.mark.parametrize(
    "text, status",
    [
        ("status: done\n", "done"),
        ("status: done\nextended_status: degraded done\nboot_status_code: enabled-by-generator\n", "done"),
        ("status: error\nerrors: []\n", "error"),
        ("status: not run\n", "not run"),
        ("status: disabled\r\n", "disabled"),
    ],
)
def test_cloud_init_status_is_its_first_word(text: str, status: str) -> None:
    """Short and long forms; `extended_status` is another line."""
    assert machine({"sos_commands/cloud_init/cloud-init_status_--long": text}).guest.cloud_init_status == status
    assert machine({"sos_commands/cloud_init/cloud-init_status": text}).guest.cloud_init_status == status


def test_cloud_init_log_has_its_lines() -> None:
    """Markers are found as they were printed; an empty log is an empty log, a refused one is unknown."""
    name = "var/log/cloud-init-output.log"
    text = "Checking nested virtualization support...\nNested virtualization setup complete\n"
    assert machine({name: text}).guest.cloud_init_log == tuple(text.splitlines())
    assert machine({name: ""}).guest.cloud_init_log == ()
    with pytest.raises(Unobservable):
        _ = machine({name: Status.DENIED}).guest.cloud_init_log


def test_user_data_names_the_host() -> None:
    """One plain `hostname:`; templates and several are unknown."""
    assert guest(**{"cloud-init_hostname": "hostname: nested-hypervisor\n"}).cloud_init_hostname == "nested-hypervisor"
    assert parse_user_data_hostname('hostname: "l1.example.com" # ours\n', "here") == "l1.example.com"
    for text in ("", "hostname: {{ v1.name }}\n", "hostname: a\nhostname: b\n", "hostname:\n"):
        with pytest.raises(Unobservable):
            parse_user_data_hostname(text, "here")


UNITS = """Id=libvirtd.service
LoadState=loaded
ActiveState=inactive
UnitFileState=disabled

Id=virtqemud.socket
LoadState=loaded
ActiveState=active
UnitFileState=enabled

Id=virtqemud.service
LoadState=loaded
ActiveState=failed
UnitFileState=static

Id=libvirt-bin.service
LoadState=not-found
ActiveState=inactive
"""


def test_services_are_those_that_systemd_has() -> None:
    """A unit that is not there is not listed; static is not enabled, failed is not active."""
    services = guest(services=UNITS).services
    assert set(services) == {"libvirtd", "virtqemud.socket", "virtqemud"}
    assert [
        (services[name].enabled, services[name].active) for name in ("libvirtd", "virtqemud.socket", "virtqemud")
    ] == [
        (False, False),
        (True, True),
        (False, False),
    ]
    for text in ("", "System has not been booted with systemd as init system\n", "Id=a.service\n"):
        with pytest.raises(Unobservable):
            parse_units(text, "here")


def test_groups_are_told_by_member() -> None:
    """Who is in libvirt or kvm, and every group of the account that looked."""
    told = guest(
        groups="libvirt:x:111:ubuntu,ops\nkvm:x:107:ubuntu\n",
        id="uid=1001(ops) gid=1001(ops) groups=1001(ops),27(sudo),111(libvirt)\n",
    )
    assert told.groups == {"ops": ("libvirt", "ops", "sudo"), "ubuntu": ("kvm", "libvirt")}
    assert guest(groups="").groups == {}
    for text in ("getent: unknown\n", Status.FAILED):
        with pytest.raises(Unobservable):
            _ = guest(groups=text).groups


@pytest.mark.parametrize("text, known", [("uid=1000 sudo=yes", True), ("uid=1000 sudo=no", False)])
def test_sudo_is_what_the_probe_found(text: str, known: bool) -> None:
    """It was tried."""
    assert guest(whoami=f"{text}\n").sudo_nopasswd is known


@pytest.mark.parametrize("text", ["uid=0 sudo=none\n", "uid=1000 sudo=none\n", ""])
def test_sudo_that_was_not_tried_is_unknown(text: str) -> None:
    """Root needs none, and who may not try does not know."""
    with pytest.raises(Unobservable):
        _ = guest(whoami=text).sudo_nopasswd


@pytest.mark.parametrize(
    "text, on",
    [
        ("SecureBoot=1\n", True),
        ("SecureBoot=0\n", False),
        ("SecureBoot enabled\n", True),
        ("SecureBoot disabled\nPlatform is in Setup Mode\n", False),
        ("no EFI\n", False),
        ("no variable\n", False),
    ],
)
def test_secure_boot_is_the_variable(text: str, on: bool) -> None:
    """The byte in efivars, or what mokutil says; without UEFI there is none."""
    assert machine({"nestvirt/secure_boot": text, **UNAME}).guest.secure_boot is on


def test_secure_boot_of_other_firmware_is_unknown() -> None:
    """POWER and IBM Z have secure boots that are no matter of UEFI; what mokutil cannot read is unknown."""
    uname = {"sos_commands/kernel/uname_-a": "Linux z 5.14.0 #1 SMP s390x s390x s390x GNU/Linux\n"}
    for sections in (
        {"nestvirt/secure_boot": "no EFI\n", **uname},
        {"nestvirt/secure_boot": "Failed to read\n", **UNAME},
    ):
        with pytest.raises(Unobservable):
            _ = machine(sections).guest.secure_boot


def test_disks_turn_or_not() -> None:
    """0 and 1 as the kernel has them."""
    assert guest(rotational="sda 1\nnvme0n1 0\n").disks_rotational == {"sda": True, "nvme0n1": False}
    with pytest.raises(Unobservable):
        _ = guest(rotational="").disks_rotational


@pytest.mark.parametrize(
    "more, free",
    [
        ("/dev/vda1 100 50 50 50% /\n", 50),
        ("/dev/vdb1 9000 1000 8000 12% /var/lib/libvirt/images\n", 8000),
        ("/dev/vdc1 900 100 800 12% /var/lib\n/dev/vdd1 9 1 7 12% /var/lib/libvirt-old\n", 800),
    ],
)
def test_free_space_is_that_of_the_file_system_below(more: str, free: int) -> None:
    """Of images the file system that holds them counts, which may be the root's."""
    df = "Filesystem 1024-blocks Used Available Capacity Mounted on\n/dev/vda1 100 50 50 50% /\n" + more
    assert guest(df=df).free_kib == {"/": 50, IMAGES: free}
    with pytest.raises(Unobservable):
        _ = guest(df="df: cannot read table of mounted file systems\n").free_kib


@pytest.mark.parametrize(
    "text, word",
    [
        ("Architecture: x86_64\nVirtualization:                  VT-x\nVirtualization type: full\n", "VT-x"),
        ("Architecture: x86_64\nVirtualization features:\n  Virtualization:  AMD-V\n", "AMD-V"),
        ("Architecture: x86_64\nHypervisor vendor: KVM\nVirtualization type: full\n", ""),
    ],
)
def test_lscpu_type_is_not_lscpu_virtualization(text: str, word: str) -> None:
    """`Virtualization type: full` stands in every virtual machine and is no answer."""
    assert machine({"sos_commands/processor/lscpu": text}).guest.lscpu_virtualization == word
    with pytest.raises(Unobservable):
        _ = machine({"sos_commands/processor/lscpu": "Architektur: x86_64\n"}).guest.lscpu_virtualization


@settings(max_examples=100)
@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=120))
def test_any_text_is_parsed_or_unknown(text: str) -> None:
    """No output crashes a parser, and no check is invented."""
    for parse in (parse_host_validate, parse_status, parse_user_data_hostname, parse_units):
        try:
            found = parse(text, "here")
        except Unobservable:
            continue
        assert found
