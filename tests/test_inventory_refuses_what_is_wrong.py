"""Whatever is wrong with an inventory is told at once, each thing in a line with its place."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_nestvirt.inventory.host import Inventory
from pytest_nestvirt.inventory.load_inventory import InventoryError, load_inventory
from pytest_nestvirt.inventory.schema import HostKeys

EXAMPLE = Path(__file__).parent.parent / "inventories" / "example.yml"


def problems(tmp_path: Path, *texts: str) -> list[str]:
    """What is said of files 1.yml, 2.yml … without their directory."""
    files = [tmp_path / f"{number}.yml" for number, _ in enumerate(texts, start=1)]
    for file, text in zip(files, texts, strict=True):
        file.write_text(text)
    with pytest.raises(InventoryError) as caught:
        load_inventory(files)
    assert str(caught.value).splitlines() == list(caught.value.problems)
    return [line.replace(f"{tmp_path}/", "") for line in caught.value.problems]


HOST = "hosts:\n  a:\n    address: h\n    "
EXPECTED_ADDRESS = "expected host, host:port or user@host (IPv6 in brackets: [2001:db8::1]:22)"


@pytest.mark.parametrize(
    "text, said",
    [
        # the file
        ("defaults: {user: root}\n", "1.yml:1: hosts: no host is defined; expected hosts: {NAME: {address: ADDRESS}}"),
        ("# c\n\nhosts:\n", "1.yml:3: hosts: no host is defined; expected hosts: {NAME: {address: ADDRESS}}"),
        ("hosts: {}\n", "1.yml:1: hosts: no host is defined; expected hosts: {NAME: {address: ADDRESS}}"),
        ("hosts: [a]\n", "1.yml:1: hosts: expected a mapping of host names; seen a list"),
        ("hosts: {a: }\nhost: {}\n", "1.yml:2: host: unknown key; did you mean 'hosts'?"),
        ("hosts: {a: }\nx: []\n", "1.yml:2: x: unknown key; expected one of: defaults, hosts, manifests"),
        (
            "hosts: {a: }\nmanifests: []\n",
            "1.yml:2: manifests: expected a path, or a list of paths; seen an empty list",
        ),
        (
            "hosts: {a: }\ndefaults: root\n",
            "1.yml:2: defaults: expected a mapping of keys that all hosts of this file share; seen 'root'",
        ),
        ("hosts:\n  a: {}\n  a: {}\n", "1.yml:3: hosts.a: duplicate key (first defined on line 2)"),
        ("hosts:\n\ta: {}\n", "1.yml:2: indented with a tab; YAML requires spaces"),
        # defaults
        ("defaults:\n  usr: x\nhosts: {a: }\n", "1.yml:2: defaults.usr: unknown key; did you mean 'user'?"),
        ("defaults:\n  port: ssh\nhosts: {a: }\n", "1.yml:2: defaults.port: expected a whole number; seen 'ssh'"),
        (
            "defaults:\n  address: h\nhosts: {a: }\n",
            "1.yml:2: defaults.address: belongs to one host; it cannot be a default",
        ),
        ("defaults:\n  via: h\nhosts: {a: }\n", "1.yml:2: defaults.via: belongs to one host; it cannot be a default"),
        # names
        ("hosts:\n  _a:\n", "1.yml:2: hosts._a: expected a name of letters, digits, dots, dashes and underscores"),
        ("hosts:\n  a b:\n", "1.yml:2: hosts.'a b': expected a name of letters, digits, dots, dashes and underscores"),
        ("hosts:\n  ../a:\n", "1.yml:2: hosts.../a: expected a name of letters, digits, dots, dashes and underscores"),
        (
            "hosts:\n  none:\n",
            "1.yml:2: hosts.none: 'none' is reserved: `via: none` means a direct connection; expected another name",
        ),
        (
            "hosts:\n  a:\n    guests:\n      b:\n  b: {address: h}\n",
            "1.yml:5: hosts.b: duplicate host name (first defined at 1.yml:4)",
        ),
        # form of a host
        (
            "hosts:\n  a: 192.0.2.1\n",
            "1.yml:2: hosts.a: expected a mapping of keys of a host, such as {address: 192.0.2.10}; seen '192.0.2.1'",
        ),
        (HOST + "guests: [b]", "1.yml:4: hosts.a.guests: expected a mapping of host names; seen a list"),
        (HOST + "guest: {}", "1.yml:4: hosts.a.guest: unknown key; did you mean 'guests'?"),
        (
            HOST + "guests:\n      b: {adress: x}",
            "1.yml:5: hosts.a.guests.b.adress: unknown key; did you mean 'address'?",
        ),
        (HOST + "user:", "1.yml:4: hosts.a.user: has no value; give one, or remove the key"),
        (HOST + "zzz:", "1.yml:4: hosts.a.zzz: unknown key; expected one of: address, agent, "),
        # values
        (HOST + "port: 0", "1.yml:4: hosts.a.port: expected a port from 1 to 65535; seen 0"),
        (HOST + "port: 65536", "1.yml:4: hosts.a.port: expected a port from 1 to 65535; seen 65536"),
        (HOST + "port: true", "1.yml:4: hosts.a.port: expected a whole number; seen true"),
        (HOST + "port: 22:22", "1.yml:4: hosts.a.port: expected a whole number; seen '22:22'"),
        (HOST + "user: 5", "1.yml:4: hosts.a.user: expected the name of an account; seen 5"),
        (HOST + "user: -oProxyCommand=x", "1.yml:4: hosts.a.user: expected the name of an account"),
        (HOST + "agent: yes", "1.yml:4: hosts.a.agent: expected true or false; seen 'yes'"),
        (HOST + "expendable: 1", "1.yml:4: hosts.a.expendable: expected true or false; seen 1"),
        (
            HOST + "connection: shh",
            "1.yml:4: hosts.a.connection: expected ssh, local, recorded or none (did you mean 'ssh'?); seen 'shh'",
        ),
        (HOST + "host_key: no", "1.yml:4: hosts.a.host_key: expected verify or accept-new; seen 'no'"),
        (
            HOST + "provider: esx",
            "1.yml:4: hosts.a.provider: expected libvirt, vsphere, proxmox, hyperv, azure, ec2 or gce; seen 'esx'",
        ),
        (
            HOST + "environment: production",
            "1.yml:4: hosts.a.environment: expected dev, test, preprod or prod; seen 'production'",
        ),
        (HOST + "become: true", "1.yml:4: hosts.a.become: expected auto, sudo or never; seen true"),
        (
            HOST + "treat_as: RHEL 8",
            "1.yml:4: hosts.a.treat_as: expected an operating system ID as in os-release, such as rhel; seen 'RHEL 8'",
        ),
        (HOST + "identity: [x]", "1.yml:4: hosts.a.identity: expected a path; seen a list"),
        (
            HOST + "identity: ~nobodyofthisname/x",
            "1.yml:4: hosts.a.identity: unknown home directory; seen '~nobodyofthisname/x'",
        ),
        (HOST + 'identity: "a\\0b"', "1.yml:4: hosts.a.identity: expected a path; it cannot contain a NUL"),
        (
            HOST + "known_hosts: []",
            "1.yml:4: hosts.a.known_hosts: expected a path, or a list of paths; seen an empty list",
        ),
        (HOST + "known_hosts: [5]", "1.yml:4: hosts.a.known_hosts: expected a path; seen 5"),
        (HOST + "timeouts: 5", "1.yml:4: hosts.a.timeouts: expected a mapping; seen 5"),
        (HOST + "timeouts:\n      conect: 5", "1.yml:5: hosts.a.timeouts.conect: unknown key; did you mean 'connect'?"),
        # secrets
        (
            HOST + "password: hunter2",
            "1.yml:4: hosts.a.password: passwords must not be written in an inventory; put the name of an environment variable in password_env",
        ),
        (
            HOST + "become_password: hunter2",
            "1.yml:4: hosts.a.become_password: passwords must not be written in an inventory; put the name of an environment variable in become_password_env",
        ),
        (
            HOST + "password_env: hunter2!",
            "1.yml:4: hosts.a.password_env: expected the name of an environment variable that holds the password, such as KVM01_PASSWORD",
        ),
        (
            HOST + "user: root:hunter2",
            "1.yml:4: hosts.a.user: passwords must not be written in an inventory; put the name of an environment variable in password_env",
        ),
        (
            "hosts:\n  a: {address: root:hunter2@h}\n",
            "1.yml:2: hosts.a.address: passwords must not be written in an inventory; put the name of an environment variable in password_env",
        ),
        # user and port twice
        (
            "hosts:\n  a:\n    address: h:23\n    port: 22\n",
            "1.yml:4: hosts.a.port: 22 conflicts with the address (port 23); give it once",
        ),
        (
            "hosts:\n  a:\n    address: me@h\n    user: you\n",
            "1.yml:4: hosts.a.user: 'you' conflicts with the address (user 'me'); give it once",
        ),
        # recordings
        (
            "hosts:\n  a:\n    connection: recorded\n",
            "1.yml:2: hosts.a.path: connection: recorded requires the path: of a snapshot or sosreport",
        ),
        (
            HOST + "connection: ssh\n    path: .",
            "1.yml:5: hosts.a.path: only valid with connection: recorded; this host has connection: ssh",
        ),
        # domains
        (
            HOST + "domain: x",
            "1.yml:4: hosts.a.domain: only valid for guests; this host has no parent",
        ),
        (
            "hosts:\n  a:\n    guests:\n      b: {domain: x}\n      x:\n",
            "1.yml:5: hosts.a.guests.x.domain: same domain 'x' of a as b (1.yml:4)",
        ),
        # via
        (
            "hosts:\n  kvm01:\n  b:\n    via: kvm1\n",
            "1.yml:4: hosts.b.via: there is no host 'kvm1'; did you mean 'kvm01'?",
        ),
        (
            HOST + "via: a",
            "1.yml:4: hosts.a.via: a host cannot be reached through itself; expected another host, or none",
        ),
        (
            "hosts:\n  n: {connection: none}\n  b:\n    via: n\n",
            "1.yml:4: hosts.b.via: n has connection: none, so no connection goes through it",
        ),
        (
            "hosts:\n  n: {path: .}\n  b:\n    via: n\n",
            "1.yml:4: hosts.b.via: n has connection: recorded, so no connection goes through it",
        ),
        (
            "hosts:\n  n:\n  b:\n    connection: none\n    via: n\n",
            "1.yml:5: hosts.b.via: only valid with connection: ssh; this host has connection: none",
        ),
        (
            "hosts:\n  a:\n    via: b\n  b:\n    via: c\n  c:\n    via: a\n",
            "1.yml:3: hosts.a.via: `via` forms a loop: a -> b -> c -> a",
        ),
        (
            "hosts:\n  a:\n    guests:\n      b:\n    via: b\n",
            "1.yml:5: hosts.a.via: `via` forms a loop: a -> b -> a",
        ),
        # one machine, two names
        (
            "hosts:\n  a: {address: h}\n  b:\n    address: H:22\n",
            "1.yml:4: hosts.b.address: same machine as a (1.yml:2): h:22",
        ),
        ("hosts:\n  a:\n  b: {address: a}\n", "1.yml:3: hosts.b.address: same machine as a (1.yml:2): a:22"),
        (
            "hosts:\n  a: {address: '[::1]'}\n  b: {address: '[0:0::1]'}\n",
            "1.yml:3: hosts.b.address: same machine as a (1.yml:2): ::1:22",
        ),
        (
            "hosts:\n  p:\n    guests:\n      a: {address: h}\n      b: {address: me@h}\n",
            "1.yml:5: hosts.p.guests.b.address: same machine as a (1.yml:4): h:22 via p",
        ),
        (
            "hosts:\n  a: {connection: local}\n  b: {connection: local}\n",
            "1.yml:3: hosts.b.connection: duplicate of a (1.yml:2): both have connection: local",
        ),
    ],
    ids=lambda value: value.replace("\n", "|")[-50:],
)
def test_a_mistake_is_told_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    """One mistake, one line: file, line, key path, what was expected. No secret is repeated."""
    (line,) = problems(tmp_path, text)
    assert line == said or (said.endswith(", ") and line.startswith(said))
    assert "hunter2" not in line


@pytest.mark.parametrize(
    "address, said",
    [
        ("''", "expected an address; seen ''"),
        ("5", "expected an address; seen 5"),
        ("'h:'", EXPECTED_ADDRESS),
        ("h:ssh", EXPECTED_ADDRESS),
        ("2001:db8::1", EXPECTED_ADDRESS),
        ("'[::1'", EXPECTED_ADDRESS),
        ("-oProxyCommand=x", EXPECTED_ADDRESS),
        ("h h", EXPECTED_ADDRESS),
        ("ssh://h", f"{EXPECTED_ADDRESS}, without scheme"),
        ("h:0", "expected a port from 1 to 65535; seen 0"),
        ("h:99999", "expected a port from 1 to 65535; seen 99999"),
        ("'@h'", "expected the name of an account"),
        ("'[::zz]'", "expected an IPv6 address between the brackets"),
        ("192.0.2", "expected an IPv4 address of four numbers from 0 to 255"),
        ("192.0.2.256", "expected an IPv4 address of four numbers from 0 to 255"),
    ],
)
def test_an_address_that_is_none_is_refused(tmp_path: Path, address: str, said: str) -> None:
    """Addresses are checked before anything connects; none can be read as an option of a command."""
    assert problems(tmp_path, f"hosts:\n  a:\n    address: {address}\n") == [f"1.yml:3: hosts.a.address: {said}"]


@pytest.mark.parametrize("seconds", ["0", "-1", "true", "soon", "1d", "25h", ".inf", "1e3", "''", "[1]", "~"])
def test_a_deadline_that_is_none_is_refused(tmp_path: Path, seconds: str) -> None:
    """A deadline of nothing, of for ever, or of something else would be a hang or a wrong unreachable."""
    (line,) = problems(tmp_path, f"hosts:\n  a:\n    timeouts:\n      command: {seconds}\n")
    assert line.startswith("1.yml:4: hosts.a.timeouts.command: expected seconds above 0 and up to a day, such as 30,")


def test_a_recording_must_be_there(tmp_path: Path) -> None:
    """A path is looked for beside the inventory."""
    (line,) = problems(tmp_path, "hosts:\n  a:\n    path: gone\n")
    assert line == "1.yml:3: hosts.a.path: expected a directory or archive; there is no gone"


def test_the_fifth_level_is_too_deep(tmp_path: Path) -> None:
    """L0 to L3 are known. What stands below is told once, at the line of the machine."""
    text = "".join(f"{' ' * 4 * n}{key}:\n{' ' * 4 * n}  h{n}:\n" for n, key in enumerate(["hosts", *["guests"] * 5]))
    assert problems(tmp_path, text) == [
        "1.yml:10: hosts.h0.guests.h1.guests.h2.guests.h3.guests.h4: nested too deep: this is level L4, and L3 is the deepest"
    ]


def test_all_problems_of_all_files_are_told_in_order(tmp_path: Path) -> None:
    """The first mistake hides no other, nor does a broken host hide what is wrong between hosts."""
    one = "defaults: {prt: 1}\nhosts:\n  a:\n    port: x\n    usr: y\n    via: gone\n  b: {address: h}\n"
    two = "hosts:\n  a: {}\n  c: {address: h, via: a}\n  d: {address: h}\n  e: 5\n"
    assert [line.rpartition(": ")[0].partition(": ")[0] for line in problems(tmp_path, one, two)] == [
        "1.yml:1",
        "1.yml:4",
        "1.yml:5",
        "1.yml:6",
        "2.yml:2",
        "2.yml:4",
        "2.yml:5",
    ]


def test_a_file_that_cannot_be_read_makes_no_false_complaints(tmp_path: Path) -> None:
    """`via:` a host of a file that is broken as a whole is not called unknown."""
    (only,) = problems(tmp_path, "hosts: {a: {via: b}}\n", "hosts: [\n")
    assert only.startswith("2.yml:2: invalid YAML: ")
    with pytest.raises(InventoryError, match=r"^\S*gone\.yml: no such file$"):
        load_inventory([tmp_path / "gone.yml"])


def test_a_key_that_cannot_be_read_makes_no_second_complaint(tmp_path: Path) -> None:
    """A wrong connection isn't followed by complaints about what would follow from the usual one."""
    text = "hosts:\n  a: {connection: recordd, path: gone, via: b}\n  b: {address: '[x'}\n  c: {address: b}\n"
    assert [line.partition(": ")[0] for line in problems(tmp_path, text)] == ["1.yml:2", "1.yml:3"]


def test_a_later_file_reopens_no_host(tmp_path: Path) -> None:
    """The error names both places."""
    assert problems(tmp_path, "hosts:\n  a:\n", "#\nhosts:\n  a: {guests: {b: }}\n") == [
        "2.yml:3: hosts.a: duplicate host name (first defined at 1.yml:2)"
    ]


def test_a_file_named_twice_is_told_once(tmp_path: Path) -> None:
    """Not one complaint per host; another way to write the path changes nothing."""
    file = tmp_path / "1.yml"
    file.write_text("hosts: {a: , b: }\n")
    for again in (file, tmp_path / "." / ".." / tmp_path.name / "1.yml"):
        with pytest.raises(InventoryError) as caught:
            load_inventory([file, again])
        assert caught.value.problems == (f"{again}: listed twice (same file as {file})",)
    with pytest.raises(InventoryError, match="no inventory file given"):
        load_inventory([])


def test_a_flood_of_problems_is_cut(tmp_path: Path) -> None:
    """Twenty lines are enough to see what is wrong, and the rest is counted, wherever the mistakes are."""
    hosts = "".join(f"  h{n}: {{port: x}}\n" for n in range(700))
    keys = "".join(f"    x{n}: 1\n" for n in range(700))
    duplicates = "".join(f"  h{n}: {{address: same}}\n" for n in range(701))
    for text in (f"hosts:\n{hosts}", f"hosts:\n  a:\n{keys}", f"hosts:\n{duplicates}"):
        lines = problems(tmp_path, text)
        assert len(lines) == 21
        assert lines[20] == "and 680 more problems"


_VALUES: st.SearchStrategy[object] = st.sampled_from(
    [
        "ssh",
        "none",
        "local",
        "recorded",
        "a",
        "b",
        "c",
        "h:22",
        "me@h",
        ".",
        "5s",
        "~x/y",
        "\0",
        0,
        22,
        True,
        None,
        [],
        {},
    ]
)
_HOSTS: st.SearchStrategy[object] = st.deferred(
    lambda: st.dictionaries(
        st.sampled_from(["a", "b", "c", "none", "a b", "é"]),
        st.one_of(
            _VALUES,
            st.fixed_dictionaries(
                {}, optional=dict.fromkeys([*HostKeys.model_fields, "password", "x"], _VALUES | _HOSTS)
            ),
        ),
        max_size=3,
    )
)


def survives(directory: Path, text: str) -> None:
    """Load the text: either it is refused in lines, or every way to a host ends."""
    file = directory / "any.yml"
    file.write_bytes(text.encode("utf-8", errors="surrogatepass"))
    try:
        inventory = load_inventory([file])
    except InventoryError as error:
        refused = error.problems
    else:
        ends_well(inventory)
        return
    assert refused
    assert all(len(line.splitlines()) == 1 for line in refused)
    named = [line for line in refused if line.startswith(str(file))]
    assert all(re.fullmatch(r"and \d+ more problems?", line) for line in refused[len(named) :])
    assert len(refused) - len(named) <= 1


def ends_well(inventory: Inventory) -> None:
    """No two hosts have one name, and no way to a host is a circle."""
    names = {host.name for host in inventory}
    assert len(names) == len(inventory.hosts) > 0
    assert {host.via for host in inventory} <= names | {None}
    for host in inventory:
        way = [host.name]
        while (hop := inventory.host(way[-1]).via) is not None:
            assert hop not in way
            way.append(hop)


@given(st.fixed_dictionaries({"hosts": _HOSTS}, optional={"defaults": _VALUES | _HOSTS}))
@settings(max_examples=120, deadline=None)
def test_no_tree_of_keys_breaks_the_loader(tmp_path_factory: pytest.TempPathFactory, tree: dict[str, object]) -> None:
    """Any values under any keys load, or are refused in lines; what loads has no two hosts of a name and no circle."""
    survives(tmp_path_factory.getbasetemp(), yaml.safe_dump(tree, allow_unicode=True))


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_no_damage_to_a_good_file_breaks_the_loader(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """The example with a piece cut out, doubled or overwritten loads, or is refused in lines."""
    text = EXAMPLE.read_text()
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 200)))
    piece = data.draw(st.sampled_from(["", text[start:end] * 2, "none", "\t", "{", "*x", ": ", "&a ", "- "]))
    survives(tmp_path_factory.getbasetemp(), text[:start] + piece + text[end:])
