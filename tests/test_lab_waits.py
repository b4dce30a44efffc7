"""How a lab is waited for: progress is told, death and silence end the wait with what was printed, one retry is reported."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
from emulator_stand_in import emulated_by

from pytest_nestvirt.lab import boot, qmp
from pytest_nestvirt.lab.boot import Up, bring_up
from pytest_nestvirt.lab.cases.all_cases import case_of
from pytest_nestvirt.lab.directory import new_lab
from pytest_nestvirt.lab.image.kernel_image import Image
from pytest_nestvirt.lab.image.outermost import Supplies
from pytest_nestvirt.lab.image.toolbox import Toolbox
from pytest_nestvirt.lab.keys import Keys
from pytest_nestvirt.lab.locking import alone
from pytest_nestvirt.lab.machine import saved_state, watch
from pytest_nestvirt.lab.machine.saved_state import saved_state_of
from pytest_nestvirt.lab.problem import LabError
from pytest_nestvirt.lab.processes import marking
from pytest_nestvirt.lab.qmp import Monitor

Emulate = Callable[[str], None]
CASE = case_of("power9")


@pytest.fixture
def emulate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulate]:
    """Put a script in the place of the emulator; it finds its console in `$console`."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(boot, "_answer", lambda *_: None)

    def put(script: str) -> None:
        emulated_by(tmp_path, script, CASE)

    # A short path, as an emulator's monitor has to have.
    with tempfile.TemporaryDirectory(prefix="lab-") as state:
        monkeypatch.setenv("XDG_STATE_HOME", state)
        yield put


def start(tmp_path: Path, told: list[str], attempts: int = 1) -> Up:
    """Bring a machine up, and down again."""
    case = replace(CASE, machines=CASE.machines[:1], attempts=attempts)
    lab = new_lab(case.name)
    try:
        with marking(lab.path):
            up = bring_up(case, lab, Supplies(Image(tmp_path), Toolbox(tmp_path / "tools")), told.append)
    finally:
        told += sorted(path.name for path in lab.path.glob("console*.log"))
        lab.remove()
    up.emulator.wait()
    return up


def test_stages_are_told_with_the_seconds_expected(tmp_path: Path, emulate: Emulate) -> None:
    """Each stage is a line, and a machine that has no KVM is said to have none."""
    emulate('for m in booted "kvm 1" ssh; do echo "nestvirt-lab L0 $m up=1.0" >>"$console"; done; exec sleep 60')
    told: list[str] = []
    up = start(tmp_path, told)
    assert up.retried == ()
    assert told[0] == "started; L0 answers after 11 s as a rule"
    assert re.fullmatch(r"L0 has booted after \d s \(expected: SSH after 11 s\)", told[1])
    assert told[2] == "L0 has no KVM: modprobe ended with 1"
    assert told[3].startswith("L0 answers to SSH")


def test_death_ends_the_wait_with_the_last_lines(tmp_path: Path, emulate: Emulate) -> None:
    """A panic is no reason to wait any longer."""
    emulate('printf "first\\nKernel panic - not syncing: x\\n" >>"$console"; exec sleep 60')
    with pytest.raises(LabError, match="a machine died: Kernel panic - not syncing: x") as caught:
        start(tmp_path, [])
    assert caught.value.console == ("first", "Kernel panic - not syncing: x")


def test_emulator_that_ends_is_quoted(tmp_path: Path, emulate: Emulate) -> None:
    """What it said on its way out is what a person needs."""
    emulate("echo 'Could not set up host forwarding rule' >&2; exit 1")
    with pytest.raises(LabError, match="the emulator ended with 1: Could not set up host forwarding rule"):
        start(tmp_path, [])


def test_silence_ends_the_wait_and_printing_prolongs_it(
    tmp_path: Path, emulate: Emulate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not the time since the start counts, but that since the last character: slow is not the same as stuck."""
    monkeypatch.setattr(watch, "_PATIENCE", 1.5)
    monkeypatch.setattr(watch, "_STRETCH", 0.0)
    emulate('for i in 1 2 3 4 5 6 7 8; do echo "line $i" >>"$console"; sleep 0.3; done; exec sleep 60')
    with pytest.raises(LabError, match="nothing new on the console") as caught:
        start(tmp_path, [])
    assert caught.value.console[-1] == "line 8"


def test_second_attempt_is_reported_and_the_first_console_kept(tmp_path: Path, emulate: Emulate) -> None:
    """Where an emulator is known to fail, the lab comes up all the same, and says what happened."""
    emulate(
        f'if [ ! -e {tmp_path}/once ]; then : >{tmp_path}/once; echo "KVM internal error." >>"$console"; exec sleep 60; fi\n'
        'echo "nestvirt-lab L0 ssh up=1.0" >>"$console"; exec sleep 60'
    )
    told: list[str] = []
    up = start(tmp_path, told, attempts=2)
    assert up.retried == ("lab power9: a machine died: KVM internal error.",)
    assert told[-2:] == ["console-1.log", "console.log"]


def test_attempts_are_not_endless(tmp_path: Path, emulate: Emulate) -> None:
    """What fails twice fails."""
    emulate('echo "KVM internal error." >>"$console"; exec sleep 60')
    with pytest.raises(LabError, match="KVM internal error"):
        start(tmp_path, [], attempts=2)


def test_console_of_a_failed_restore_is_not_taken_for_that_of_the_boot_after_it(
    tmp_path: Path, emulate: Emulate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A snapshot that does not come up is removed with all that it has printed, and the machine is booted, once."""
    monkeypatch.setattr(qmp, "_CONNECT_SECONDS", 0.2)
    emulate(
        'case "$*" in *-incoming*) echo "Kernel panic - not syncing: x" >>"$console"; exit 1 ;; esac\n'
        'echo "nestvirt-lab L0 ssh up=1.0" >>"$console"; exec sleep 60'
    )
    case = replace(CASE, machines=CASE.machines[:1], snapshots=True)
    supplies = Supplies(Image(tmp_path), Toolbox(tmp_path / "tools"))
    snapshot = saved_state_of(case, supplies)
    snapshot.directory.mkdir(parents=True)
    snapshot.console.write_text("Kernel panic - not syncing: y\n")
    (snapshot.directory / "keys.json").write_text(json.dumps(Keys.generate(case.levels).as_json()))
    monkeypatch.setattr(boot, "_keep", lambda *_: None)
    told: list[str] = []
    lab = new_lab(case.name)
    try:
        with marking(lab.path):
            up = bring_up(case, lab, supplies, told.append)
        assert not up.restored
        assert up.retried == ()
        assert not lab.earlier_console.exists()
        assert not snapshot.directory.exists()
    finally:
        lab.remove()
    up.emulator.wait()


class SlowMonitor:
    """An emulator's monitor whose disk never gets done."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def run(self, command: str, **_: object) -> object:
        """What the emulator answers."""
        self.asked.append(command)
        return {"status": "cancelled" if "migrate_cancel" in self.asked else "active"}


def test_snapshot_that_is_given_up_is_called_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that is still being written when it goes on would stand still once it has been."""
    monkeypatch.setattr(saved_state, "_SAVING_SECONDS", 0.1)
    monitor = SlowMonitor()
    with pytest.raises(LabError, match="could not be written: active"):
        saved_state._write(cast("Monitor", monitor), tmp_path / "state")
    assert monitor.asked[-2:] == ["migrate_cancel", "query-migrate"]


def test_half_written_snapshot_is_removed_unless_somebody_is_writing_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever state directory the other command has: it holds a lock."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    snapshots = tmp_path / "pytest-nestvirt/lab/snapshots"
    for name in (".saving-used", ".saving-left"):
        (snapshots / name).mkdir(parents=True)
    with alone(snapshots / ".saving-used"):
        saved_state.sweep()
        assert [path.name for path in snapshots.iterdir()] == [".saving-used"]
    saved_state.sweep()
    assert not list(snapshots.iterdir())
