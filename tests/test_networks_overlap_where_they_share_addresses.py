"""Facts about libvirt's networks, and about who may use KVM and libvirt."""

from __future__ import annotations

import contextlib
from ipaddress import ip_network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from machine_sections import Sections, machine

from pytest_nestvirt.facts.kvm.device_access import Users, parse_listing
from pytest_nestvirt.facts.libvirt.network_xml import Network, parse_network
from pytest_nestvirt.facts.libvirt.networks import Networks, Overlap
from pytest_nestvirt.observation.fact import Unobservable
from pytest_nestvirt.snapshot.snapshot import Status

LIST = "sos_commands/virsh/virsh_-r_net-list"
DUMP = "sos_commands/virsh/virsh_-r_net-dumpxml_"
HEADER = " Name      State    Autostart   Persistent\n--------------------------------------------\n"
DEFAULT = """<network>
  <name>default</name>
  <forward mode='nat'/>
  <bridge name='virbr0' stp='on' delay='0'/>
  <ip address='192.168.122.1' netmask='255.255.255.0'>
    <dhcp><range start='192.168.122.2' end='192.168.122.254'/></dhcp>
  </ip>
</network>
"""


def network(name: str, *addresses: str) -> str:
    """The definition of an isolated network."""
    ips = "".join(f"<ip {address}/>" for address in addresses)
    return f"<network><name>{name}</name>{ips}</network>"


def having(**definitions: str) -> Networks:
    """A machine with these active networks."""
    sections: dict[str, str] = {LIST: HEADER + "".join(f" {name}   active   yes         yes\n" for name in definitions)}
    return machine(sections | {DUMP + name: text for name, text in definitions.items()}).networks


def test_a_network_is_what_its_definition_says() -> None:
    """Mode, bridge and subnet of the one that libvirt brings along."""
    assert having(default=DEFAULT).networks == {
        "default": Network("default", "nat", "virbr0", (ip_network("192.168.122.0/24"),))
    }


@pytest.mark.parametrize(
    "addresses, subnets",
    [
        ((), ()),
        (("address='10.0.0.1' prefix='8'",), ("10.0.0.0/8",)),
        (("address='192.168.1.1'",), ("192.168.1.0/24",)),
        (("address='10.9.8.7'",), ("10.0.0.0/8",)),
        (
            ("family='ipv6' address='2001:db8::1' prefix='64'", "address='172.16.0.1'"),
            ("2001:db8::/64", "172.16.0.0/16"),
        ),
    ],
)
def test_subnets_are_those_that_libvirt_makes(addresses: tuple[str, ...], subnets: tuple[str, ...]) -> None:
    """By prefix, by mask, or by the old class of the address."""
    assert parse_network(network("n", *addresses), "here").subnets == tuple(map(ip_network, subnets))


def test_a_network_without_forward_is_isolated() -> None:
    """And one whose <forward> has no mode is translated."""
    assert parse_network(network("n"), "here").forward == "isolated"
    assert parse_network("<network><name>n</name><forward/></network>", "here").forward == "nat"


def test_the_same_default_on_both_levels_clashes() -> None:
    """What the L1's network holds hides the L0's: the pair is named."""
    subnet = ip_network("192.168.122.0/24")
    l0, l1 = having(default=DEFAULT), having(default=DEFAULT, lab=network("lab", "address='10.1.0.1' prefix='16'"))
    assert l0.overlaps(l1) == (Overlap("default", subnet, "default", subnet),)


def test_a_smaller_network_inside_a_larger_one_clashes() -> None:
    """Overlap is more than equality; other addresses and the other family are none."""
    l0 = having(wide=network("wide", "address='10.0.0.1' prefix='8'"))
    assert l0.overlaps(having(small=network("small", "address='10.1.2.1' prefix='24'")))
    assert not l0.overlaps(having(other=network("other", "address='11.0.0.1' prefix='8'")))
    assert not l0.overlaps(having(six=network("six", "address='2001:db8::1' prefix='64'")))
    assert not l0.overlaps(having())


@pytest.mark.parametrize(
    "sections",
    [
        {},
        {LIST: Status.MISSING},
        {LIST: Status.FAILED},
        {LIST: "error: failed to connect to the hypervisor\n"},
        {LIST: HEADER + " default   active   yes   yes\n"},
        {LIST: HEADER + " default   active   yes   yes\n", DUMP + "default": Status.FAILED},
        {LIST: HEADER + " default   active   yes   yes\n", DUMP + "default": "<domain/>"},
        {LIST: HEADER + " default   laeuft   ja   ja\n", DUMP + "default": DEFAULT},
        {
            LIST: HEADER + " default   active   yes   yes\n",
            DUMP + "default": "<!DOCTYPE a [<!ENTITY b 'c'>]><network/>",
        },
    ],
)
def test_networks_that_were_not_read_are_unknown(sections: Sections) -> None:
    """That none is known is not that there is none."""
    with pytest.raises(Unobservable):
        _ = machine(sections).networks.networks


def test_inactive_networks_take_no_addresses() -> None:
    """A table with `--all` has them; they do not count."""
    told = machine({LIST: HEADER + " default   inactive   no   yes\n"})
    assert told.networks.networks == {}


ACCESS = """crw-rw----+ 1 root kvm     10, 232 Nov 21 04:04 /dev/kvm
srw-rw---- 1 root libvirt 0 Nov 21 04:04 /run/libvirt/libvirt-sock
srw-rw-rw- 1 root root    0 Nov 21 04:04 /run/libvirt/libvirt-sock-ro
"""


def test_permissions_say_who_may() -> None:
    """The device by its mode and group, the sockets by theirs."""
    access = machine({"nestvirt/access": ACCESS}).access
    assert (access.kvm.mode, access.kvm_group, access.kvm_users, access.kvm.has_acl) == (
        0o660,
        "kvm",
        Users.GROUP,
        True,
    )
    assert {path: socket.users for path, socket in access.libvirt_sockets.items()} == {
        "/run/libvirt/libvirt-sock": Users.GROUP,
        "/run/libvirt/libvirt-sock-ro": Users.EVERYONE,
    }


@pytest.mark.parametrize(
    "mode, users",
    [
        ("rw-rw-rw-", Users.EVERYONE),
        ("rw-rw-r--", Users.GROUP),
        ("rw-------", Users.OWNER),
        ("r--r--r--", Users.NOBODY),
        ("rwxrwsrwt", Users.EVERYONE),
    ],
)
def test_who_may_is_who_may_read_and_write(mode: str, users: Users) -> None:
    """Reading alone is of no use."""
    line = f"c{mode} 1 root kvm 10, 232 Nov 21 04:04 /dev/kvm"
    assert parse_listing(line, "here")["/dev/kvm"].users is users


def test_a_machine_without_device_has_no_permissions() -> None:
    """Nothing listed means no sockets, and a device that cannot be asked about."""
    access = machine({"nestvirt/access": ""}).access
    assert access.libvirt_sockets == {}
    for told in (access, machine({"nestvirt/access": "ls: cannot access /dev/kvm\n"}).access, machine({}).access):
        with pytest.raises(Unobservable):
            _ = told.kvm_users


@settings(max_examples=100)
@given(st.text(max_size=100) | st.text("<>/network ip'=address1.:", max_size=80))
def test_any_text_is_parsed_or_unknown(text: str) -> None:
    """No output crashes a parser."""
    for parse in (parse_network, parse_listing):
        with contextlib.suppress(Unobservable):
            parse(text, "here")


@settings(max_examples=100)
@given(st.text("0123456789.:/abc", max_size=24), st.text("0123456789.", max_size=15))
def test_any_address_is_a_subnet_or_unknown(address: str, prefix: str) -> None:
    """What is no address crashes nothing."""
    with contextlib.suppress(Unobservable):
        parse_network(network("n", f"address='{address}' prefix='{prefix}'"), "here")
