"""Real kernels in emulators: each lab comes up, is judged as its case says, and its snapshots are judged alike.

Slow, and in need of emulators and of Debian's packages: `tox -e lab`, or NESTVIRT_LAB=1.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from pytest_nestvirt.lab.cases import CASES, case_of
from pytest_nestvirt.lab.directory import LabDirectory, labs
from pytest_nestvirt.lab.doctor import lacking, remedy
from pytest_nestvirt.lab.model import LabCase

pytestmark = [
    pytest.mark.skipif(
        os.environ.get("NESTVIRT_LAB") != "1", reason="boots real kernels: NESTVIRT_LAB=1 or tox -e lab"
    ),
    pytest.mark.timeout(1200),
]
ROOT = Path(__file__).parent.parent
NESTVIRT = [sys.executable, "-c", "from pytest_nestvirt.cli import main; main()"]
REPLAYED = ("power9", "amd")
"""The chains that conform: brought up once, judged live and from their snapshots."""


def startable(case: LabCase) -> None:
    """Skip, with the reason and the remedy, what can't start on this machine."""
    if lacks := lacking():
        pytest.skip(f"{case.name}: {', '.join(lack.what for lack in lacks)} missing: {remedy(lacks)}")


def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """A command, with what it printed."""
    return subprocess.run([*map(str, words)], cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", [case.name for case in CASES if case.name not in REPLAYED])
def test_case_is_judged_as_it_says(name: str, tmp_path: Path) -> None:
    """`nestvirt lab run` finds every expected verdict and no other, leaves report and console, and nothing running."""
    startable(case_of(name))
    done = run(*NESTVIRT, "lab", "run", name, "--report", tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "result.json").exists()
    assert "nestvirt-lab L0 ssh" in (tmp_path / "lab-console.log").read_text(errors="replace")
    assert not list(labs(name))


@pytest.fixture(params=REPLAYED)
def lab(request: pytest.FixtureRequest) -> Iterator[LabDirectory]:
    """A lab that is up."""
    name = str(request.param)
    startable(case_of(name))
    done = run(*NESTVIRT, "lab", "up", name)
    assert done.returncode == 0, done.stdout + done.stderr
    up = next(labs(name))
    yield up
    up.remove()


def verdicts(inventory: Path, report: Path) -> dict[tuple[str, str], str]:
    """Verdicts of a run over an inventory, by machine and requirement."""
    done = run(
        *(sys.executable, "-m", "pytest", f"--hosts={inventory}", f"--nestvirt-report={report}"),
        *("-p", "no:cacheprovider", "-q"),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    cases = json.loads((report / "result.json").read_text())["cases"]
    return {(case["host"], case["requirement"]): case["verdict"] for case in cases}


def test_snapshots_are_judged_like_the_machines(lab: LabDirectory, tmp_path: Path) -> None:
    """Certified live, with the verdicts of the case; what `nestvirt collect` keeps is judged alike, requirement by requirement."""
    case = case_of(lab.case)
    live = verdicts(lab.inventory, tmp_path / "live")
    expected = case.expected.table()
    assert {key: live[key] for key in expected} == expected
    names = [level.lower() for level in case.levels]
    done = run(*NESTVIRT, "collect", *names, "--hosts", lab.inventory, "-o", tmp_path / "kept")
    assert done.returncode == 0, done.stdout + done.stderr
    hosts: dict[str, object] = {}
    for name in reversed(names):
        hosts = {name: {"path": f"kept/{name}", **({"guests": hosts} if hosts else {})}}
    defaults = {"environment": "test", "expendable": True}
    (tmp_path / "recorded.yml").write_text(yaml.safe_dump({"defaults": defaults, "hosts": hosts}))
    assert verdicts(tmp_path / "recorded.yml", tmp_path / "replayed") == live
