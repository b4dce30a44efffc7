"""Loaded beside pytest-ansible in either order. Runs in an environment of its own: `tox -e coexist`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

OURS = ("-p", "pytest_nestvirt.plugin")
ANSIBLE = ("-p", "pytest-ansible")
TESTINFRA = ("-p", "pytest11.testinfra")
WITHOUT_TESTINFRA = ("-p", "no:pytest11.testinfra")


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run pytest with the named plugins only, in the named order."""
    (folder / "inventory.yml").write_text("hosts:\n  here: {connection: local}\n")
    (folder / "test_own.py").write_text("def test_machine(host):\n    assert host.run('true').rc == 0\n")
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": ""}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-v", *arguments, "test_own.py"]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=120
    )


@pytest.mark.parametrize("order", [(*OURS, *ANSIBLE), (*ANSIBLE, *OURS)], ids=["ours first", "ansible first"])
def test_an_inventory_works_beside_pytest_ansible(tmp_path: Path, order: tuple[str, ...]) -> None:
    """With testinfra's plugin blocked, its `host` fixture is ours and nothing collides."""
    done = run(tmp_path, *WITHOUT_TESTINFRA, *order, "--hosts=inventory.yml")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "test_machine[here] PASSED" in done.stdout


def test_testinfra_and_pytest_ansible_collide_without_us(tmp_path: Path) -> None:
    """The collision that the README names is theirs. If this fails, it is gone: fix the README and the advice."""
    done = run(tmp_path, *TESTINFRA, *ANSIBLE)
    assert "conflicting option string: --ansible-inventory" in done.stdout + done.stderr
