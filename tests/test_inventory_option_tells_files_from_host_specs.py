"""`--hosts` is testinfra's option too: its values keep their meaning, and what is nearly a file's name is a mistake."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from pytest_nestvirt.cli import main
from pytest_nestvirt.inventory.option import HostsKind, classify_hosts, inventory_files
from pytest_nestvirt.inventory.problems import InventoryError

FOLDER = {"lab", "site.yml", "fleet.yaml", "kvm01"}
"""Files of the folder in which the option is read."""


def kind(value: str, connection: str | None = None) -> HostsKind:
    """What a value is, in a folder that holds `FOLDER`."""
    return classify_hosts(value, connection=connection, is_file=FOLDER.__contains__).kind


@pytest.mark.parametrize(
    "value, files",
    [
        ("lab.yml", ["lab.yml"]),
        ("a.yml, dir/b.YAML,", ["a.yml", "dir/b.YAML"]),
        ("INV.YML", ["INV.YML"]),
        ("Inventory.Yaml", ["Inventory.Yaml"]),
        ("./lab.yml", ["./lab.yml"]),
        ("\tlab.yml\n", ["lab.yml"]),
        ("no such file.yml", ["no such file.yml"]),
        ("~/lab.yml", [str(Path.home() / "lab.yml")]),
        (".yml", [".yml"]),
    ],
)
def test_yaml_files_are_inventories(value: str, files: list[str]) -> None:
    """One file or several, separated by commas, whether they exist or not: a missing file is reported as one."""
    assert kind(value) is HostsKind.INVENTORY
    assert inventory_files(value) == tuple(map(Path, files))


@pytest.mark.parametrize(
    "value",
    [
        "kvm01.example.com",
        "localhost",
        "root@kvm02",
        "root@kvm02:2222",
        "root@[2001:db8::1]:22",
        "192.0.2.10",
        "ssh://root@kvm01:22,local://",
        "ssh://kvm01",
        "ssh://inventory",
        "ansible://all?ansible_inventory=lab.yml",
        "docker://x,ansible://all?ansible_inventory=/etc/hosts.yaml",
        "chroot:///srv/images/rhel8",
        "kubectl://pod?kubeconfig=~/kube.yml",
        "yml",
        "kvm-yml",
        "yml.example.com",
        "inventory.example.com",
        "host.xyz",
    ],
)
def test_host_specs_are_testinfras(value: str) -> None:
    """Names of hosts, and specs with a scheme, those included that end like a file."""
    assert kind(value) is HostsKind.SPECS
    with pytest.raises(InventoryError, match="not host specs of testinfra"):
        inventory_files(value)


@pytest.mark.parametrize(
    "value, named",
    [
        ("", "empty"),
        (" ", "empty"),
        ("\t", "empty"),
        ("\u00a0", "empty"),
        (",", "empty"),
        (" , ,", "empty"),
        ("inventory", "'inventory' looks like a file"),
        ("Inventory", "'Inventory' looks like a file"),
        ("inventories", "'inventories' looks like a file"),
        ("lab", "'lab' looks like a file"),
        ("site", "the file 'site.yml'"),
        ("fleet", "the file 'fleet.yaml'"),
        ("inv.yml.bak", "'inv.yml.bak' looks like a file"),
        ("inv.yml~", "'inv.yml~' looks like a file"),
        ("inv.yaml.orig", "looks like a file"),
        ("inv.YML.j2", "looks like a file"),
        ("inv.yml:", "looks like a file"),
        ("inv.yml/", "looks like a file"),
        ("inv.yml;kvm01", "looks like a file"),
        ("inv.ymll", "looks like a file"),
        ("inv.yaml1", "looks like a file"),
        ("inv.yl", "looks like a file"),
        ("inv.ymls", "looks like a file"),
        ("inv.json", "looks like a file"),
        ("inv.ini", "looks like a file"),
        ("recorded.tar.xz", "looks like a file"),
        ("./inventory", "is a path"),
        ("inventories/", "is a path"),
        ("labs/site", "is a path"),
        ("~/inventory", "is a path"),
        (".", "is a path"),
        ("..\\lab", "is a path"),
        ("'lab.yml'", "in quotes"),
        ('"lab.yml', "in quotes"),
        ("“lab.yml”", "in quotes"),
        ("file:///srv/lab.yml", "is a URL"),
        ("https://lab.example/lab.yml", "is a URL"),
        ("ssh://lab.yml", "is a URL"),
        ("kvm01.example.com,inv.yml.bak", "'inv.yml.bak' looks like a file"),
        ("~nobodyofthisname/lab.yml", "home directory"),
        ("lab.yml,kvm07", "'lab.yml' is an inventory and 'kvm07' a host spec"),
        ("lab.yml,ssh://root:hunter2@kvm07", "'lab.yml' is an inventory and 'ssh://kvm07' a host spec"),
        ("root:hunter2/x@kvm07", "'kvm07' is a path"),
        ("lab\x1b[2J.json", "'lab?[2J.json' looks like a file"),
    ],
)
def test_a_near_miss_is_a_mistake_in_one_line(value: str, named: str) -> None:
    """What was meant as an inventory is not taken for a host that no check looks at; a password is not repeated."""
    hosts = classify_hosts(value, is_file=FOLDER.__contains__)
    assert hosts.kind is HostsKind.MISTAKE
    assert hosts.mistake.startswith("--hosts: ")
    assert named in hosts.mistake
    assert hosts.mistake.isprintable()
    assert "hunter2" not in hosts.mistake


@pytest.mark.parametrize(
    "value, connection, expected",
    [
        ("inventory", "docker", HostsKind.SPECS),
        ("lab", "podman", HostsKind.SPECS),
        ("/srv/images/rhel8", "chroot", HostsKind.SPECS),
        ("web/[0:5]", "ansible", HostsKind.SPECS),
        ("inventory", "ssh", HostsKind.MISTAKE),
        ("inv.yml.bak", "ansible", HostsKind.MISTAKE),
        ("", "docker", HostsKind.MISTAKE),
    ],
)
def test_a_container_a_path_or_a_pattern_is_no_name_of_a_host(value: str, connection: str, expected: HostsKind) -> None:
    """With testinfra's `--connection`, a word may be something else than a host, and is testinfra's to understand."""
    assert kind(value, connection) is expected


@given(st.text(max_size=30) | st.text(alphabet=".ymlaYML,:/@?~'\" \n", max_size=20))
def test_every_value_is_understood_in_one_line(value: str) -> None:
    """Any text is inventory files, host specs or a mistake; only the first has files, only the last a message."""
    hosts = classify_hosts(value, is_file=lambda _: False)
    assert bool(hosts.files) is (hosts.kind is HostsKind.INVENTORY)
    assert bool(hosts.mistake) is (hosts.kind is HostsKind.MISTAKE)
    assert hosts.mistake.isprintable()


@pytest.mark.parametrize("command", [["facts"], ["collect", "kvm01", "-o", "out"]], ids=["facts", "collect"])
@pytest.mark.parametrize("value", ["", " ", "inventory", "lab.yml.bak"])
def test_the_command_line_refuses_what_names_no_inventory(command: list[str], value: str) -> None:
    """`nestvirt facts --hosts "$UNSET"` does not read this machine, nor does `collect` take HOST for an SSH name."""
    done = CliRunner().invoke(main, [*command, "--hosts", value])
    assert done.exit_code == 2
    assert "--hosts: " in done.output


def test_the_error_survives_the_way_between_processes() -> None:
    """What a worker of xdist raises is pickled."""
    error = InventoryError([f"line {n}" for n in range(600)])
    assert pickle.loads(pickle.dumps(error)).problems == error.problems


def test_asking_what_the_option_means_imports_nothing_heavy() -> None:
    """Runs that use testinfra's meaning pay neither for pydantic nor for PyYAML."""
    code = (
        "import sys; from pytest_nestvirt.inventory.option import classify_hosts as c; c('kvm01');"
        "from pytest_nestvirt.inventory.local_machine import local_inventory as l; l();"
        "print([m for m in ('pydantic', 'yaml', 'paramiko') if m in sys.modules])"
    )
    root = Path(__file__).parent.parent
    seen = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert seen.stdout == "[]\n"
