"""`--hosts` is testinfra's option too: its values keep their meaning."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_nestvirt.inventory.option import is_inventory, split_hosts_option
from pytest_nestvirt.inventory.problems import InventoryError


@pytest.mark.parametrize(
    "value, files",
    [
        ("lab.yml", ["lab.yml"]),
        ("a.yml, dir/b.YAML,", ["a.yml", "dir/b.YAML"]),
        ("~/lab.yml", [str(Path.home() / "lab.yml")]),
    ],
)
def test_yaml_files_are_inventories(value: str, files: list[str]) -> None:
    """One file or several, separated by commas."""
    assert is_inventory(value)
    assert split_hosts_option(value) == tuple(map(Path, files))


@pytest.mark.parametrize(
    "value",
    [
        "",
        ",",
        "kvm01",
        "ssh://root@kvm01:22,local://",
        "ansible://all?ansible_inventory=lab.yml",
        "docker://x,ansible://all?ansible_inventory=/etc/hosts.yaml",
        "yml",
    ],
)
def test_everything_else_is_testinfras(value: str) -> None:
    """Host specs, those included that end like a file, are none of ours."""
    assert not is_inventory(value)
    assert split_hosts_option(value) is None


def test_no_value_is_no_inventory() -> None:
    """The option may not be given at all."""
    assert split_hosts_option(None) is None


def test_a_mixture_is_refused_without_showing_passwords() -> None:
    """Files and host specs together have no meaning; what may be a password in the spec is not repeated."""
    with pytest.raises(InventoryError) as caught:
        split_hosts_option("lab.yml,ssh://root:hunter2@kvm01")
    said = "--hosts: lab.yml is an inventory and ssh://kvm01 a host spec; name inventory files only, or host specs only"
    assert caught.value.problems == (said,)
    assert not is_inventory("lab.yml,kvm01")
    with pytest.raises(InventoryError, match="home directory"):
        split_hosts_option("~nobodyofthisname/lab.yml")


def test_the_error_survives_the_way_between_processes() -> None:
    """What a worker of xdist raises is pickled."""
    error = InventoryError([f"line {n}" for n in range(600)])
    assert pickle.loads(pickle.dumps(error)).problems == error.problems


def test_asking_what_the_option_means_imports_nothing_heavy() -> None:
    """Runs that use testinfra's meaning pay neither for pydantic nor for PyYAML."""
    code = (
        "import sys; from pytest_nestvirt.inventory.option import split_hosts_option as s; s('kvm01');"
        "from pytest_nestvirt.inventory.local_machine import local_inventory as l; l();"
        "print([m for m in ('pydantic', 'yaml', 'paramiko') if m in sys.modules])"
    )
    root = Path(__file__).parent.parent
    seen = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert seen.stdout == "[]\n"
