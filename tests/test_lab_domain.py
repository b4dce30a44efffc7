"""Machines that libvirt runs and systemd brings up: the domain's XML, its network, and what stands in /etc."""

from __future__ import annotations

import ipaddress
import re
import subprocess
from pathlib import Path

import pytest
from defusedxml.ElementTree import fromstring

from pytest_nestvirt.facts.libvirt.domain_xml import parse_domain
from pytest_nestvirt.inventory.load_inventory import load_inventory
from pytest_nestvirt.lab.access import write_access
from pytest_nestvirt.lab.cases.all_cases import CASES, case_of
from pytest_nestvirt.lab.cases.lab_case import Domain, LabCase
from pytest_nestvirt.lab.directory import LabDirectory
from pytest_nestvirt.lab.image import domain_guest, systemd
from pytest_nestvirt.lab.image.initrd import initrd
from pytest_nestvirt.lab.image.kernel_image import BASE, Image
from pytest_nestvirt.lab.keys import Keys

OF_LIBVIRT = [case for case in CASES if any(machine.domain for machine in case.machines)]
SAID = {
    "amd-libvirt": "host-passthrough",
    "amd-libvirt-host-model": "host-model",
    "amd-libvirt-no-cpu": "absent",
}


def guest_files(case: LabCase) -> dict[str, str]:
    """What the L0 of a case gets for its domain."""
    of_guest = case.machines[1].domain
    assert of_guest is not None
    return domain_guest.files(case, 1, of_guest)


@pytest.mark.parametrize("case", OF_LIBVIRT, ids=lambda case: case.name)
def test_cases_differ_in_what_is_said_of_the_processor(case: LabCase) -> None:
    """Each domain has the <cpu> that its case is about, and otherwise what the others have."""
    text = guest_files(case)["domain.xml"]
    told = parse_domain(text, "domain.xml")
    assert (told.name, told.accel, told.memory_kib) == ("l1", "kvm", case.machines[1].memory * 1024)
    assert told.cpu_mode == SAID[case.name]
    cpu = re.compile(r"<cpu .*/>")
    assert cpu.sub("", text) == cpu.sub("", guest_files(OF_LIBVIRT[0])["domain.xml"])


def test_every_case_of_libvirt_is_one_of_those() -> None:
    """No domain goes untested."""
    assert {case.name for case in OF_LIBVIRT} == set(SAID)


def test_what_the_kernel_is_told_stays_one_text() -> None:
    """What XML gives a meaning to is escaped on its way into a domain."""
    case = case_of("amd-libvirt")
    odd = LabCase(
        name="odd",
        title="",
        architecture=case.architecture,
        emulator=case.emulator,
        machines=case.machines,
        expected=case.expected,
        kernel_options="a='b' <c> & \"d\"",
    )
    text = domain_guest.files(odd, 1, Domain(""))["domain.xml"]
    assert fromstring(text).findtext("os/cmdline") == f"console=ttyS0 {odd.kernel_options}"


def test_guest_stands_in_the_network_that_libvirt_is_told_of() -> None:
    """The L1's fixed address and its gateway belong to one network, which has no way out but its host."""
    network = fromstring(guest_files(case_of("amd-libvirt"))["network.xml"])
    told = network.find("ip")
    assert told is not None
    within = ipaddress.ip_interface(f"{told.get('address')}/{told.get('netmask')}")
    assert domain_guest.NETWORK.gateway == str(within.ip)
    assert ipaddress.ip_address(domain_guest.NETWORK.address) in within.network
    assert network.findtext("name") == "default"
    assert network.find("ip/dhcp") is None


@pytest.mark.parametrize("case", OF_LIBVIRT, ids=lambda case: case.name)
def test_script_starts_what_was_written_for_it(case: LabCase) -> None:
    """It is a shell's, stops at what fails, and names the files and the domain that there are."""
    script = domain_guest.start(case, 1)
    subprocess.run(["sh", "-n"], input=script, text=True, check=True)
    assert script.startswith("set -e\n")
    assert {line.rpartition("/")[2] for line in script.splitlines() if "define" in line} == set(guest_files(case))
    assert "virsh start l1\n" in script


def test_domain_is_reached_by_the_usual_port_of_its_address(tmp_path: Path) -> None:
    """From the L0, as on a real host; known_hosts has it under the name that SSH looks for then."""
    case = case_of("amd-libvirt")
    keys = Keys.generate(case.levels)
    write_access(LabDirectory(tmp_path), case, keys, 4711)
    hosts = {host.name: host for host in load_inventory([tmp_path / "inventory.yml"])}
    assert (hosts["l1"].ssh.address, hosts["l1"].ssh.port) == (domain_guest.NETWORK.address, 22)
    assert (hosts["l2"].ssh.address, hosts["l2"].ssh.port) == ("127.0.0.1", 2202)
    assert f"{domain_guest.NETWORK.address} {keys.hosts['L1'].public}\n" in (tmp_path / "known_hosts").read_text()
    assert f"HostName {domain_guest.NETWORK.address}\n  Port 22\n" in (tmp_path / "ssh_config").read_text()


def test_first_file_system_of_the_host_holds_the_domain_and_its_own(tmp_path: Path) -> None:
    """What systemd reads is for the L0 alone; the L1 gets the address of the network, and the L0 the XML."""
    case = case_of("amd-libvirt")
    (tmp_path / BASE).write_bytes(b"")
    made = initrd(case, Image(tmp_path), Keys.generate(case.levels))
    assert made.count(b"nestvirt-lab.service\0") == 1
    assert made.count(b"run/lab/domain.xml\0") == 1
    assert made.count(f"address='{domain_guest.NETWORK.address}'".encode()) == 1
    assert made.count(b"systemd='yes'\n") == 1


# ---- systemd


def test_users_belong_to_groups_that_there_are() -> None:
    """Names and numbers stand once, and the group of each user is defined."""
    users = [line.split(":") for line in systemd.FILES["etc/passwd"].splitlines()]
    groups = [line.split(":") for line in systemd.FILES["etc/group"].splitlines()]
    for table in (users, groups):
        assert len({row[0] for row in table}) == len({row[2] for row in table}) == len(table)
    assert {user[3] for user in users} <= {group[2] for group in groups}
    assert {"root", "messagebus", "libvirt-qemu"} <= {user[0] for user in users}


def test_nothing_that_is_wanted_is_masked() -> None:
    """A unit is masked by an empty file; the lab's own service comes after libvirtd, and multi-user.target wants both."""
    units = "etc/systemd/system"
    masked = {Path(name).name for name, text in systemd.FILES.items() if name.startswith(units) and not text}
    wanted = systemd.FILES[f"{units}/multi-user.target.d/lab.conf"].partition("Wants=")[2].split()
    assert {"libvirtd.service", "nestvirt-lab.service"} <= set(wanted)
    assert not masked & set(wanted)
    assert f"{units}/nestvirt-lab.service" in systemd.FILES
