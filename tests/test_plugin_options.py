"""`--hosts` belongs to testinfra or to us, whichever is there, in whatever order the plugins load."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

OURS = "pytest_nestvirt.plugin"
THEIRS = "pytest11.testinfra"
ORDERS = {
    "testinfra first": ("-p", THEIRS, "-p", OURS),
    "ours first": ("-p", OURS, "-p", THEIRS),
    "testinfra blocked": ("-p", f"no:{THEIRS}", "-p", OURS),
    "testinfra not loaded by anybody": ("-p", OURS),
}
INVENTORY = "hosts:\n  here: {connection: local}\n"
TESTS = "def test_machine(host):\n    assert host.run('echo %s', 'a b').stdout == 'a b\\n'\n"


def run(folder: Path, *arguments: str, autoload: bool = False) -> subprocess.CompletedProcess[str]:
    """Run pytest in a process of its own, with the named plugins in the named order."""
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "" if autoload else "1"}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-v", *arguments]
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, timeout=120, env=environment
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with an inventory of this machine and one testinfra test."""
    (tmp_path / "inventory.yml").write_text(INVENTORY)
    (tmp_path / "test_own.py").write_text(TESTS)
    return tmp_path


@pytest.mark.parametrize("order", ORDERS)
def test_an_inventory_works_in_every_order(folder: Path, order: str) -> None:
    """A testinfra test runs over the inventory's hosts, with their names as ids."""
    done = run(folder, *ORDERS[order], "--hosts=inventory.yml", "test_own.py")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "test_machine[here] PASSED" in done.stdout


@pytest.mark.parametrize("order", ["testinfra first", "ours first", "testinfra not loaded by anybody"])
def test_other_values_keep_testinfras_meaning(folder: Path, order: str) -> None:
    """Host specs go to testinfra's own backends."""
    done = run(folder, *ORDERS[order], "--hosts=local://", "test_own.py")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "test_machine[local] PASSED" in done.stdout


def test_a_mixture_is_refused(folder: Path) -> None:
    """Inventories and host specs can't be combined, and the message says so in one line."""
    done = run(folder, "--hosts=inventory.yml,local://", "test_own.py", autoload=True)
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "Traceback" not in done.stdout + done.stderr
    assert "inventory.yml" in done.stderr
    assert "local://" in done.stderr


@pytest.mark.parametrize(
    "plugins",
    [("-p", "xdist.plugin"), ("-p", "pytest_html.plugin"), ("-p", "xdist.plugin", "-p", "pytest_html.plugin")],
)
@pytest.mark.parametrize("ours_first", [True, False])
def test_other_plugins_do_not_collide(folder: Path, plugins: tuple[str, ...], *, ours_first: bool) -> None:
    """pytest-xdist and pytest-html load before or after us."""
    pytest.importorskip("xdist")
    pytest.importorskip("pytest_html")
    metadata = ("-p", "pytest_metadata.plugin") if "pytest_html.plugin" in plugins else ()
    order = ("-p", OURS, *plugins, *metadata) if ours_first else (*plugins, *metadata, "-p", OURS)
    done = run(folder, *order, "--hosts=inventory.yml", "test_own.py")
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_missing_inventory_is_one_line(folder: Path) -> None:
    """No traceback, the name of the file, pytest's usage error."""
    done = run(folder, "--hosts=nowhere.yml", autoload=True)
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "nowhere.yml" in done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_our_options_without_inventory_are_an_error(folder: Path) -> None:
    """A report of nothing is not written silently."""
    done = run(folder, "--nestvirt-report=out", "test_own.py", autoload=True)
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "--hosts=inventory.yml" in done.stderr
    assert not (folder / "out").exists()
