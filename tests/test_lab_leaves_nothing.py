"""Whatever becomes of the command, `nestvirt lab down` leaves no process and no file of a lab."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_nestvirt.lab.cases.all_cases import case_of
from pytest_nestvirt.lab.directory import labs, new_lab
from pytest_nestvirt.lab.processes import MARK, Process, marked, process_of, this_process

STAND_IN = """
# Stands in for an emulator: prints the marks of a machine on its console, then stays, with a child.
sleep 600 &
for mark in booted "kvm 0" ssh; do sleep 0.1; echo "nestvirt-lab L0 $mark up=1.0" >>"$console"; done
sleep 600
"""
CASE = replace(case_of("power9"), machines=case_of("power9").machines[:1])
UP = """
import sys
from pathlib import Path
from pytest_nestvirt.lab import boot, lab_run
from emulator_stand_in import emulated_by
from test_lab_leaves_nothing import CASE, STAND_IN

boot._answer = lambda case, lab, announce: None
lab_run.supplies_of = lambda case, announce, refresh: emulated_by(Path(sys.argv[1]), STAND_IN, case)
with lab_run.running(CASE, print, keep=True):
    pass
"""
SUPPORT = Path(__file__).parent / "support"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user with no labs."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


def down() -> str:
    """`nestvirt lab down`."""
    command = [sys.executable, "-c", "from pytest_nestvirt.cli import main; main()", "lab", "down"]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout


def test_command_killed_at_any_moment_leaves_what_down_finds(home: Path) -> None:
    """Killed before, while and after it starts the emulator: each time `down` ends all processes and removes all files."""
    moments = random.Random(4)
    for _ in range(10):
        up = subprocess.Popen(
            [sys.executable, "-c", UP, str(home)],
            env={**os.environ, "PYTHONPATH": str(SUPPORT)},
            stdout=subprocess.DEVNULL,
        )
        time.sleep(moments.uniform(0.2, 1.5))
        up.kill()
        up.wait()
        left = [lab.path for lab in labs()]
        down()
        assert not list(labs())
        assert not [process for path in left for process in marked(path)]


def test_second_down_has_nothing_to_do(home: Path) -> None:
    """It says so, and succeeds."""
    lab = new_lab("power9")
    sleeper = subprocess.Popen(["sleep", "600"], env={**os.environ, MARK: str(lab.path)})
    # This process works with the lab; `down` of another one would end it as well.
    (lab.path / "owner.json").unlink()
    assert "1 processes ended" in down()
    assert sleeper.wait(timeout=10) != 0
    assert down() == ""


def test_processes_of_others_are_left_alone(home: Path) -> None:
    """A process that only mentions the directory, such as an editor or a pager, goes on; so does another lab's."""
    mine, other = new_lab("power9"), new_lab("power9")
    reader = subprocess.Popen(["sleep", "600"], env={**os.environ, "LOOKING_AT": f"{MARK}={mine.path}"})
    neighbour = subprocess.Popen(["sleep", "600"], env={**os.environ, MARK: str(other.path)})
    try:
        assert mine.remove() == 0
        assert reader.poll() is None
        assert neighbour.poll() is None
        assert other.remove() == 1
        assert neighbour.wait(timeout=10) != 0
    finally:
        reader.kill()
        reader.wait()
        neighbour.kill()
        neighbour.wait()


def test_process_that_does_not_listen_is_ended(home: Path) -> None:
    """SIGTERM first; what ignores it gets SIGKILL a few seconds later."""
    lab = new_lab("power9")
    words = ["sh", "-c", "trap '' TERM; echo ready; while :; do sleep 1; done"]
    stubborn = subprocess.Popen(words, env={**os.environ, MARK: str(lab.path)}, stdout=subprocess.PIPE)
    assert stubborn.stdout is not None
    stubborn.stdout.readline()
    assert lab.remove() >= 1
    assert stubborn.wait(timeout=10) == -9
    stubborn.stdout.close()
    assert not lab.path.exists()


def test_number_that_is_used_again_is_another_process() -> None:
    """A process is its number and the moment it began."""
    me = this_process()
    assert me == process_of(os.getpid())
    assert me.alive
    assert not Process(me.pid, me.started + 1).alive
    Process(me.pid, me.started + 1).send(9)
