"""What a good inventory means."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_nestvirt.inventory.host import (
    Become,
    Connection,
    Deadlines,
    Environment,
    Host,
    HostKeyPolicy,
    Inventory,
    Provider,
    SshAccess,
)
from pytest_nestvirt.inventory.load_inventory import load_inventory, local_inventory

INVENTORIES = Path(__file__).parent.parent / "inventories"
Load = Callable[[str], Inventory]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Write a text into lab.yml and load it."""

    def load_text(text: str) -> Inventory:
        (tmp_path / "lab.yml").write_text(text)
        return load_inventory([tmp_path / "lab.yml"])

    return load_text


def test_the_inventory_of_the_design_is_read(load: Load, tmp_path: Path) -> None:
    """Nesting in the file is nesting of machines; parents come before their guests, and each knows its way."""
    (tmp_path / "recorded" / "z13").mkdir(parents=True)
    inventory = load(
        """\
defaults: {user: root, identity: ~/.ssh/id_ed25519}
hosts:
  kvm01:
    address: 192.0.2.10
    environment: dev
    guests:
      rhel8-l1:
        domain: Intel-L1
        address: 192.168.122.11
        guests:
          rhel8-l2: {address: 192.168.123.12}
  esx01:
    provider: vsphere
    connection: ssh
  recorded-z:
    connection: recorded
    path: recorded/z13
  azure:
    provider: azure
    connection: none
    guests: {rhel8-vm: {address: 203.0.113.7, via: none}}
"""
    )
    ways = [(host.name, host.level, host.parent, host.via, host.domain, host.line) for host in inventory]
    assert ways == [
        ("kvm01", 0, None, None, "", 3),
        ("rhel8-l1", 1, "kvm01", "kvm01", "Intel-L1", 7),
        ("rhel8-l2", 2, "rhel8-l1", "rhel8-l1", "rhel8-l2", 11),
        ("esx01", 0, None, None, "", 12),
        ("recorded-z", 0, None, None, "", 15),
        ("azure", 0, None, None, "", 18),
        ("rhel8-vm", 1, "azure", None, "rhel8-vm", 21),
    ]
    assert inventory.host("esx01").provider is Provider.VSPHERE
    assert inventory.host("esx01").ssh.address == "esx01"
    assert inventory.host("recorded-z").path == tmp_path / "recorded/z13"
    assert inventory.host("rhel8-l2").ssh.identity == Path.home() / ".ssh/id_ed25519"
    assert inventory.host("rhel8-l2").environment is None
    assert [host.name for host in inventory.chains()[0]] == ["kvm01", "rhel8-l1", "rhel8-l2"]


def test_every_key_arrives(load: Load, tmp_path: Path) -> None:
    """Each key of a host ends in its field."""
    inventory = load(
        """\
hosts:
  p: {}
  a:
    address: certifier@[2001:DB8::1]:2222
    identity: keys/id
    certificate: /etc/cert.pub
    password_env: PW
    known_hosts: [known, /etc/known]
    host_key: accept-new
    ssh_config: config
    agent: false
    timeouts: {connect: 2.5, authenticate: 30s, command: 2m}
    provider: proxmox
    environment: prod
    treat_as: rhel
    become: sudo
    become_password_env: SUDO_PW
    expendable: true
    guests: {g: {domain: G 1, via: p}}
"""
    )
    assert inventory.host("a") == Host(
        name="a",
        level=0,
        parent=None,
        connection=Connection.SSH,
        ssh=SshAccess(
            address="2001:db8::1",
            port=2222,
            user="certifier",
            identity=tmp_path / "keys/id",
            certificate=Path("/etc/cert.pub"),
            password_env="PW",
            known_hosts=(tmp_path / "known", Path("/etc/known")),
            host_key=HostKeyPolicy.ACCEPT_NEW,
            config=tmp_path / "config",
            agent=False,
        ),
        deadlines=Deadlines(connect=2.5, authenticate=30.0, command=120.0),
        provider=Provider.PROXMOX,
        environment=Environment.PROD,
        treat_as="rhel",
        become=Become.SUDO,
        become_password_env="SUDO_PW",
        expendable=True,
        file=str(tmp_path / "lab.yml"),
        line=3,
    )
    assert (inventory.host("g").via, inventory.host("g").domain) == ("p", "G 1")


@pytest.mark.parametrize(
    "address, meant",
    [
        ("kvm01", ("kvm01", None, None)),
        ("kvm01.example.com:2222", ("kvm01.example.com", 2222, None)),
        ("root@192.0.2.1", ("192.0.2.1", None, "root")),
        (r"'DOM\me@h'", ("h", None, r"DOM\me")),
        ("me@corp@h", ("h", None, "me@corp")),
        ("'[fe80::1%eth0]:22'", ("fe80::1%eth0", 22, None)),
        ("'root@[::1]'", ("::1", None, "root")),
    ],
)
def test_an_address_may_hold_user_and_port(load: Load, address: str, meant: tuple[object, ...]) -> None:
    """All forms of addresses, and the user that has an @ in its own name."""
    ssh = load(f"hosts:\n  a: {{address: {address}}}\n").host("a").ssh
    assert (ssh.address, ssh.port, ssh.user) == meant


def test_what_is_nearer_to_the_host_wins(load: Load) -> None:
    """Defaults give way to the address, deadlines are merged one by one, and a path means a recording."""
    inventory = load(
        """\
defaults: {user: root, port: 22, connection: none, timeouts: {connect: 1, command: 2}, become: never}
hosts:
  a: {connection: ssh, address: me@h:2200, timeouts: {command: 3}}
  b: {path: .}
  c:
"""
    )
    a, b, c = inventory
    assert (a.ssh.user, a.ssh.port) == ("me", 2200)
    assert a.deadlines == Deadlines(connect=1, authenticate=20, command=3)
    assert (b.connection, c.connection) == (Connection.RECORDED, Connection.NONE)
    assert (b.become, c.ssh.user) == (Become.NEVER, "root")


@pytest.mark.parametrize(
    "above, via",
    [
        ("connection: ssh", "l0"),
        ("connection: local", None),
        ("connection: none", None),
        ("path: .", None),
    ],
)
def test_a_guest_goes_through_its_parent_if_it_can(load: Load, above: str, via: str | None) -> None:
    """A guest of this machine, of a recording, or of what nobody can log in to, is reached directly."""
    assert load(f"hosts:\n  l0: {{{above}, guests: {{l1: }}}}\n").host("l1").via == via


@pytest.mark.parametrize(
    "middle, via",
    [
        ("path: .", "l0"),
        ("connection: none", "l0"),
        ("connection: local", None),
        ("address: m", "l1"),
        ("address: m, via: none", "l1"),
    ],
)
def test_the_nearest_ancestor_with_ssh_is_the_hop(load: Load, middle: str, via: str | None) -> None:
    """Recorded and unreachable ancestors are passed over; tests that run on the L1 itself need no hop."""
    inventory = load(f"hosts:\n  l0: {{guests: {{l1: {{{middle}, guests: {{l2: }}}}}}}}\n")
    assert inventory.host("l2").via == via


def test_via_this_machine_is_directly(load: Load) -> None:
    """`via:` a host that is this machine itself names no hop."""
    assert load("hosts:\n  here: {connection: local}\n  a: {via: here}\n").host("a").via is None


def test_a_recording_may_stand_anywhere_in_a_chain(load: Load) -> None:
    """A recorded guest of a living host, and the other way round."""
    inventory = load("hosts:\n  l0: {guests: {l1: {path: ., guests: {l2: {guests: {l3: {path: .}}}}}}}\n")
    connections = [(host.connection.value, host.level, host.via) for host in inventory]
    assert connections == [("ssh", 0, None), ("recorded", 1, None), ("ssh", 2, "l0"), ("recorded", 3, None)]


def test_several_files_are_one_inventory(tmp_path: Path) -> None:
    """Hosts of all files together, each with the defaults of its own file; a hop may stand in another file."""
    one, two = tmp_path / "one.yml", tmp_path / "two.yml"
    one.write_text("defaults: {user: root}\nhosts:\n  a: {via: b}\n")
    two.write_text("hosts:\n  b:\n")
    inventory = load_inventory([one, two])
    assert [(host.name, host.ssh.user, host.via, host.file) for host in inventory] == [
        ("a", "root", "b", str(one)),
        ("b", None, None, str(two)),
    ]
    assert inventory.files == (one, two)


def test_aliases_and_merges_spare_repetition(load: Load) -> None:
    """YAML's own means work: two hosts may share keys."""
    inventory = load("hosts:\n  a: &kvm {environment: dev, address: a}\n  b: {<<: *kvm, address: b}\n")
    assert [(host.ssh.address, host.environment) for host in inventory] == [("a", "dev"), ("b", "dev")]


def test_the_same_address_may_exist_behind_two_hosts(load: Load) -> None:
    """192.168.122.11 behind one hypervisor is not that behind another, nor is another port the same machine."""
    guests = "guests: {%s: {address: 192.168.122.11}}"
    text = f"hosts:\n  a: {{{guests % 'a1'}}}\n  b: {{{guests % 'b1'}}}\n  c: {{address: 'a:2222'}}\n"
    assert len(load(text).hosts) == 5


def test_the_digest_depends_on_what_is_said_only(tmp_path: Path) -> None:
    """Comments, order, style, place of the file, and the split into files leave it alone; any value changes it."""
    (tmp_path / "other").mkdir()
    texts = {
        "one.yml": "defaults: {user: root}\nhosts:\n  a: {address: h, identity: key}\n  b: {agent: false}\n",
        "two.yml": "# c\n\nhosts:\n  b: {agent: false, user: root}\n  a:\n    identity: key\n    address: root@h\n",
        "other/three.yml": "hosts: {a: {identity: key, address: h, user: root}, b: {agent: false, user: root}}\n",
        "four.yml": "hosts: {a: {identity: key, address: h, user: root}, b: {agent: true, user: root}}\n",
    }
    digests = []
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
        digests.append(load_inventory([tmp_path / name]).digest)
    assert digests[0] == digests[1] == digests[2] != digests[3]
    assert len(digests[0]) == 64


def test_without_an_inventory_this_machine_is_the_l0() -> None:
    """`local_inventory` says the same as `inventories/local.yml`."""
    inventory = local_inventory()
    (host,) = inventory
    assert (host.connection, host.level, host.ssh) == (Connection.LOCAL, 0, SshAccess())
    assert inventory.digest == load_inventory([INVENTORIES / "local.yml"]).digest


def test_the_example_shows_every_key() -> None:
    """`inventories/example.yml` loads, and no key that an inventory takes is missing in it."""
    from pytest_nestvirt.inventory.schema import FileKeys, HostKeys, Timeouts

    example = INVENTORIES / "example.yml"
    assert max(host.level for host in load_inventory([example])) == 2
    text = example.read_text()
    keys = {*FileKeys.model_fields, *HostKeys.model_fields, *Timeouts.model_fields}
    assert {key for key in keys if f"{key}:" not in text} == set()
    for choices in (Connection, Provider, Environment, Become, HostKeyPolicy):
        assert {choice.value for choice in choices if choice.value not in text} == set()


def test_the_comments_of_the_example_are_yaml(tmp_path: Path) -> None:
    """What is commented out in the example can be commented in."""
    lines = (INVENTORIES / "example.yml").read_text().splitlines()
    recorded = next(number for number, line in enumerate(lines) if line == "  # recorded-z:")
    opened = [
        line.replace("  # ", "  ", 1) for line in lines[recorded:] if line.startswith("  # ") and "." not in line[-1:]
    ]
    (tmp_path / "recorded/z13").mkdir(parents=True)
    file = tmp_path / "opened.yml"
    file.write_text("hosts:\n" + "\n".join(opened) + "\n")
    assert [host.name for host in load_inventory([file])] == ["recorded-z", "z-l1", "localhost"]


def test_thousands_of_hosts_fit(load: Load) -> None:
    """The bounds against hostile files are far from what a large fleet needs."""
    text = "hosts:\n" + "".join(f"  h{n}: {{address: h{n}.example.com, guests: {{g{n}: }}}}\n" for n in range(2000))
    assert len(load(text).hosts) == 4000
