"""What the plugin costs, and adds, where it is not used."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("paramiko", "pydantic", "yaml", "junit_xml", "defusedxml")


def imported_by(*arguments: str, cwd: str) -> set[str]:
    """Names of the modules that a run of pytest imports."""
    command = [sys.executable, "-X", "importtime", "-m", "pytest", "-p", "no:cacheprovider", *arguments]
    process = subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd, timeout=120)
    lines = [line for line in process.stderr.splitlines() if line.startswith("import time:")]
    assert lines, process.stderr
    return {line.rpartition("|")[2].strip().partition(".")[0] for line in lines}


@pytest.mark.parametrize("arguments", [("--version",), ("-q", "test_own.py")])
def test_unused_plugin_imports_nothing_heavy(
    arguments: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """`pytest --version`, and a run without our options, import neither paramiko nor pydantic."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "test_own.py").write_text("def test_own(): pass\n")
    modules = imported_by("-p", "no:pytest11.testinfra", *arguments, cwd=str(folder))
    assert ("pytest_nestvirt" in modules) or "--version" in arguments
    assert not modules & set(HEAVY)


def test_markers_and_fixtures_are_documented(tmp_path_factory: pytest.TempPathFactory) -> None:
    """`pytest --markers` and `pytest --fixtures` name what the plugin offers."""
    folder = str(tmp_path_factory.mktemp("empty"))
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider"]
    markers = subprocess.run([*command, "--markers"], capture_output=True, text=True, check=False, cwd=folder).stdout
    fixtures = subprocess.run([*command, "--fixtures"], capture_output=True, text=True, check=False, cwd=folder).stdout
    assert "@pytest.mark.requirement(id, ...)" in markers
    for name in ("l0", "l1", "l2", "guest"):
        assert any(line.startswith((f"{name} ", f"{name}[")) for line in fixtures.splitlines()), name


def test_fixtures_without_inventory_say_what_is_missing(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A test that asks for l0 without an inventory gets one line that tells how to give it one."""
    folder = tmp_path_factory.mktemp("lost")
    (folder / "test_lost.py").write_text("def test_lost(l0): pass\n")
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q"]
    output = subprocess.run(command, capture_output=True, text=True, check=False, cwd=str(folder)).stdout
    assert "the fixture l0 needs an inventory: run pytest with --hosts=inventory.yml" in output
    assert "Traceback" not in output
