"""`--hosts` belongs to testinfra or to us, whichever is there, in whatever order the plugins load."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from small_runs import run_pytest

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


WITHOUT_INVENTORY = (
    ("--nestvirt-report=out",),
    ("--nestvirt-limit=kvm01", "--hosts=local://"),
    ("--nestvirt-allow-partial", "--hosts=ssh://kvm01"),
    ("--nestvirt-manifest=x.yml", "--hosts=local://"),
    ("--nestvirt-shard=1/2", "--hosts=local://"),
    ("--nestvirt-deadline=60", "--hosts=local://"),
    ("--nestvirt-show-na",),
)


@pytest.mark.parametrize("arguments", WITHOUT_INVENTORY, ids=lambda arguments: arguments[0])
def test_our_options_without_inventory_are_an_error(folder: Path, arguments: tuple[str, ...]) -> None:
    """An option of ours that would have no effect is named, with what it needs; nothing is reported silently."""
    done = run_pytest(folder, *arguments, "test_own.py")
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    option = arguments[0].partition("=")[0]
    assert done.stderr.strip() == f"ERROR: {option} needs an inventory: add --hosts=inventory.yml"
    assert not (folder / "out").exists()


NEAR_MISSES = (
    "",
    " ",
    ",",
    "inventory",
    "inventory.yml.bak",
    "inventory.yml~",
    "inventory.yaml.",
    "./inventory",
    "'inventory.yml'",
)


@pytest.mark.parametrize("value", NEAR_MISSES)
def test_a_near_miss_of_an_inventory_is_one_line(folder: Path, value: str) -> None:
    """It certifies nothing, and does not end well beside a test of one's own."""
    (folder / "test_own.py").write_text("def test_own(): pass\n")
    done = run_pytest(folder, f"--hosts={value}", "test_own.py")
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert len(done.stderr.strip().splitlines()) == 1


REACH = ("--sudo", "--sudo-user=me", "--connection=ssh", "--ssh-config=x", "--ssh-identity-file=x", "--ssh-extra-args=-4",
         "--ansible-inventory=x", "--force-ansible")  # fmt: skip


@pytest.mark.parametrize("option", REACH)
def test_how_a_host_is_reached_is_said_in_the_inventory(folder: Path, option: str) -> None:
    """Testinfra's options would have no effect, and tests would pass as the wrong user: a usage error."""
    done = run_pytest(folder, "--hosts=inventory.yml", option, "test_own.py")
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert done.stderr.startswith(f"ERROR: {option.partition('=')[0]} has no effect on the hosts of an inventory")


@pytest.mark.parametrize("option", ["--nestvirt-report", "--nestvirt-manifest"])
@pytest.mark.parametrize("path", ["~nosuch/x", "", " "])
def test_a_path_that_cannot_be_is_one_line(folder: Path, option: str, path: str) -> None:
    """A home directory of a user that there is not, and a variable that is not set."""
    done = run_pytest(folder, "--hosts=inventory.yml", f"{option}={path}", "test_own.py")
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert done.stderr.startswith(f"ERROR: {option}: ")
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (folder / "result.json").exists()


def test_own_tests_run_where_warnings_are_errors(folder: Path) -> None:
    """The fixtures `host` and `guest` use nothing that pytest deprecates."""
    done = run_pytest(folder, "-W", "error", "-p", "no:pytest11.testinfra", "--hosts=inventory.yml", "test_own.py")
    assert done.returncode == 0, done.stdout


def test_tests_of_this_directory_are_named_with_the_suites(folder: Path) -> None:
    """Without arguments the embedded suites run; the header says that the tests here do not, and how to add them."""
    alone = run_pytest(folder, "--hosts=inventory.yml", "--collect-only", "-q")
    assert "test_own" not in alone.stdout
    header = run_pytest(folder, "--hosts=inventory.yml", "--collect-only").stdout
    (hint,) = [line for line in header.splitlines() if "tests of this directory" in line]
    arguments = hint.rpartition("add ")[2].split()
    both = run_pytest(folder, "--hosts=inventory.yml", "--collect-only", "-q", *arguments)
    assert "test_own.py::test_machine[here]" in both.stdout
    assert len(both.stdout.splitlines()) > len(alone.stdout.splitlines())


def test_node_ids_of_the_embedded_suites_can_be_pasted(folder: Path) -> None:
    """They are relative to the suites, wherever those are installed."""
    collected = run_pytest(folder, "--hosts=inventory.yml", "--collect-only", "-q").stdout.splitlines()
    node_id = next(line for line in collected if "::" in line)
    done = run_pytest(folder, "--hosts=inventory.yml", "--collect-only", "-q", node_id)
    assert done.returncode == 0, done.stdout + done.stderr
    assert node_id.rpartition("::")[2] in done.stdout
