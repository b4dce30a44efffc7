"""Real kernels in emulators: each lab comes up, is judged as its case says, and its snapshots are judged alike.

In need of Debian's packages, and slower than other tests: `tox -e lab`, or NESTVIRT_LAB=quick; what takes minutes has
`tox -e lab-slow`, or NESTVIRT_LAB=slow.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from pytest_nestvirt.lab.cases.all_cases import CASES, case_of
from pytest_nestvirt.lab.cases.judged import deviations
from pytest_nestvirt.lab.cases.lab_case import LabCase
from pytest_nestvirt.lab.directory import LabDirectory, labs
from pytest_nestvirt.lab.packages.doctor import lacking, remedy
from pytest_nestvirt.report.case import RunReport
from pytest_nestvirt.report.result_json import load_json

pytestmark = pytest.mark.timeout(3600)
ROOT = Path(__file__).parent.parent
NESTVIRT = [sys.executable, "-c", "from pytest_nestvirt.cli import main; main()"]


@pytest.fixture(autouse=True)
def state(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Labs of this test alone, so that tests can run side by side; in a short path, as an emulator's monitor has to be."""
    with tempfile.TemporaryDirectory(prefix="lab-") as directory:
        monkeypatch.setenv("XDG_STATE_HOME", directory)
        yield
        for left in list(labs()):
            left.remove()


@pytest.fixture(params=[case.name for case in CASES])
def case(request: pytest.FixtureRequest) -> LabCase:
    """A case that can start here and was asked for."""
    return startable(str(request.param))


def startable(name: str) -> LabCase:
    """The case; skips, with the reason and the remedy, what was not asked for or can't start on this machine."""
    case, asked = case_of(name), "slow" if case_of(name).slow else "quick"
    if os.environ.get("NESTVIRT_LAB") != asked:
        pytest.skip(f"boots real kernels: tox -e {'lab-slow' if case.slow else 'lab'}, or NESTVIRT_LAB={asked}")
    if lacks := lacking():
        pytest.skip(f"{case.name}: {', '.join(lack.what for lack in lacks)} missing: {remedy(lacks)}")
    return case


def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """A command, with what it printed."""
    return subprocess.run([*map(str, words)], cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.fixture
def lab(case: LabCase) -> Iterator[LabDirectory]:
    """The case, up."""
    done = run(*NESTVIRT, "lab", "up", case.name)
    assert done.returncode == 0, done.stdout + done.stderr
    up = next(labs(case.name))
    yield up
    up.remove()


def judged(inventory: Path, report: Path) -> RunReport:
    """What a run over an inventory finds."""
    done = run(
        *(sys.executable, "-m", "pytest", f"--hosts={inventory}", f"--nestvirt-report={report}"),
        *("-p", "no:cacheprovider", "-q"),
    )
    assert done.returncode in {0, 1}, done.stdout + done.stderr
    return load_json(report / "result.json")


def verdicts(report: RunReport) -> dict[tuple[str, str], str]:
    """Verdicts by machine and requirement, those that do not apply included."""
    return {(told.host, told.requirement): told.verdict for told in report.cases}


def recorded(case: LabCase, lab: LabDirectory, kept: Path) -> Path:
    """Collect all machines of a lab; an inventory of what was kept."""
    names = [level.lower() for level in case.levels]
    done = run(*NESTVIRT, "collect", *names, "--hosts", lab.inventory, "-o", kept)
    assert done.returncode == 0, done.stdout + done.stderr
    hosts: dict[str, object] = {}
    for name in reversed(names):
        hosts = {name: {"path": str(kept / name), **({"guests": hosts} if hosts else {})}}
    live = yaml.safe_load(lab.inventory.read_text())["defaults"]
    defaults = {key: live[key] for key in ("environment", "expendable", "treat_as") if key in live}
    inventory = kept.parent / "recorded.yml"
    inventory.write_text(yaml.safe_dump({"defaults": defaults, "hosts": hosts}))
    return inventory


def test_lab_is_judged_as_its_case_says_and_its_snapshots_like_it(
    case: LabCase, lab: LabDirectory, tmp_path: Path
) -> None:
    """Every expected verdict and no other; what `nestvirt collect` keeps is judged alike, requirement by requirement."""
    live = judged(lab.inventory, tmp_path / "live")
    assert deviations(case, live) == ()
    replayed = judged(recorded(case, lab, tmp_path / "kept"), tmp_path / "replayed")
    assert verdicts(replayed) == verdicts(live)


@pytest.mark.parametrize("name", ["arm64", "amd"])
def test_run_leaves_report_and_consoles_and_nothing_running(name: str, tmp_path: Path) -> None:
    """`nestvirt lab run`, cold or from a snapshot: up, judged, down."""
    startable(name)
    done = run(*NESTVIRT, "lab", "run", name, "--report", tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "result.json").exists()
    consoles = "".join(console.read_text(errors="replace") for console in tmp_path.glob("lab-console*.log"))
    assert "nestvirt-lab L0 ssh" in consoles
    assert not list(labs(name))


def test_looking_does_not_load_kvm(tmp_path: Path) -> None:
    """Where kvm was unloaded and the node is there, as udev makes it, the probe leaves the kernel as it was.

    On POWER, opening /dev/kvm makes the kernel load kvm_hv by its alias (arch/powerpc/kvm/book3s_hv.c: `devname:kvm`);
    the last step shows that it does here, too.
    """
    case = startable("power9")
    done = run(*NESTVIRT, "lab", "up", case.name)
    assert done.returncode == 0, done.stdout + done.stderr
    up = next(labs(case.name))

    def on_l1(command: str) -> str:
        answer = run(*NESTVIRT, "lab", "ssh", case.name, "L1", command)
        assert answer.returncode == 0, answer.stdout + answer.stderr
        return answer.stdout

    try:
        on_l1("/sbin/depmod -a && /sbin/modprobe -r kvm_hv kvm && mknod /dev/kvm c 10 232")
        before = on_l1("cat /proc/modules")
        done = run(*NESTVIRT, "collect", "l1", "--hosts", up.inventory, "-o", tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr
        assert on_l1("cat /proc/modules") == before
        on_l1(": </dev/kvm")
        assert "kvm_hv " in on_l1("cat /proc/modules")
        assert "kvm" not in before
    finally:
        up.remove()
