"""The versions that tests run with: one lock for the README's commands and CI, and the oldest that pyproject.toml allows."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_the_oldest_versions_are_the_lower_bounds() -> None:
    """`.ci/oldest.txt` is what `tox -e lock` would write: a bound that is changed is a bound that is tested."""
    written = runpy.run_path(str(ROOT / ".ci" / "lock.py"))["oldest"]()
    assert (ROOT / ".ci" / "oldest.txt").read_text("utf-8").splitlines() == written
    assert len(written) > 10


def test_the_lock_names_everything_exactly() -> None:
    """Each line is `name==version`: nothing floats, nothing is a path of the machine that wrote it."""
    lines = (ROOT / ".ci" / "constraints.txt").read_text("utf-8").splitlines()
    assert [line for line in lines if not re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+!]+", line)] == []


def test_the_commands_of_the_readme_install_the_lock_and_ci_runs_the_second() -> None:
    """Both commands name the lock, and `.ci/run` ends in the one that runs the tests."""
    commands = re.findall(r"^    (python3 -m venv .*)$", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE)
    assert len(commands) == 2
    assert all("pip install -q -c .ci/constraints.txt tox" in command for command in commands)
    assert (ROOT / ".ci" / "run").read_text("utf-8").splitlines()[-1] == commands[1]
