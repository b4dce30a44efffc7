"""Machines that are kept running on disk: a lab that has come up once comes up again in seconds.

A saved state holds the keys of the lab it was taken of, which open nothing but machines restored from it; its directory is
the user's alone. It is taken while every level is idle: with a processor inside a guest, QEMU writes one that can't be
loaded ("vCPU set in guest-mode inconsistent with migrated kernel nested state").
"""

from __future__ import annotations

import hashlib
import json
import re
import shlex
import shutil
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pytest_nestvirt.lab.cases.lab_case import LabCase
from pytest_nestvirt.lab.directory import LabDirectory
from pytest_nestvirt.lab.image.initrd import own_archive
from pytest_nestvirt.lab.image.outermost import Outermost, Supplies
from pytest_nestvirt.lab.image.qemu_command import outer_command
from pytest_nestvirt.lab.keys import KeyPair, Keys
from pytest_nestvirt.lab.locking import alone
from pytest_nestvirt.lab.places import cache_directory
from pytest_nestvirt.lab.problem import LabError
from pytest_nestvirt.lab.qmp import Monitor

STATE, _KEYS = "state", "keys.json"
_SAVING = ".saving-"
_IDLE_SECONDS = 20.0
_BETWEEN = 0.05
_SAVING_SECONDS = 60.0
_HALTED = re.compile(r"HLT=(\d)")


@dataclass(frozen=True, slots=True)
class SavedState:
    """A saved state on disk: of the outermost machine, with all that runs inside it."""

    directory: Path

    @property
    def keys(self) -> Keys:
        """The keys that its machines have. Raises `LabError`."""
        try:
            return Keys.from_json(json.loads((self.directory / _KEYS).read_text("utf-8")))
        except (OSError, ValueError, KeyError, TypeError):
            raise LabError(f"lab: the saved state {self.directory.name} has no keys") from None

    @property
    def console(self) -> Path:
        """What its machines had printed until then."""
        return self.directory / "console.log"

    @property
    def source(self) -> str:
        """For QEMU's -incoming."""
        return f"exec:cat {shlex.quote(str(self.directory / STATE))}"

    def forget(self) -> None:
        """Remove it."""
        shutil.rmtree(self.directory, ignore_errors=True)


def saved_state_of(case: LabCase, supplies: Supplies) -> SavedState:
    """Where the saved state of a case is kept; whether there is one is another question.

    Its name is a digest of everything that the machines are made of, except for their keys.
    """
    no_key = KeyPair.from_seed("00" * 32)
    contents = own_archive(case, Keys(no_key, dict.fromkeys(case.levels, no_key)))
    command = "\0".join(outer_command(Outermost(case, supplies, LabDirectory(Path("/")), 0))).encode()
    key = hashlib.sha256(contents + command).hexdigest()[:20]
    return SavedState(cache_directory() / "snapshots" / f"{case.name}-{key}")


def _monitor(lab: LabDirectory) -> Monitor:
    if lab.monitor is None:
        raise LabError(
            f"lab: {lab.path} has too long a name for a monitor, so that no saved state can be written or restored"
        )
    return Monitor(lab.monitor)


def save(lab: LabDirectory, keys: Keys, saved: SavedState) -> float:
    """Keep a lab that is up, which then continues; the seconds that it was stopped. Raises `LabError` or OSError."""
    saved.directory.parent.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix=_SAVING, dir=saved.directory.parent) as made_in,
        alone(Path(made_in)),
        _monitor(lab) as monitor,
    ):
        result = Path(made_in) / "snapshot"
        result.mkdir(mode=0o700)
        shutil.copy(lab.console, result)
        (result / _KEYS).touch(mode=0o600)
        (result / _KEYS).write_text(json.dumps(keys.as_json()), "utf-8")
        began = time.monotonic()
        try:
            _stop_idle(monitor)
            _write(monitor, result / STATE)
        finally:
            monitor.run("cont")
        if not saved.directory.exists():
            result.rename(saved.directory)
        _forget_others(saved)
        return time.monotonic() - began


def _forget_others(saved: SavedState) -> None:
    """Remove those of the same case over an older image or emulator: half a gigabyte each."""
    case = saved.directory.name.rpartition("-")[0]
    for other in saved.directory.parent.iterdir():
        if other != saved.directory and other.name.rpartition("-")[0] == case:
            _forget_unused(other)


def _forget_unused(directory: Path) -> None:
    with suppress(BlockingIOError, FileNotFoundError), alone(directory, wait=False):
        shutil.rmtree(directory, ignore_errors=True)


def _stop_idle(monitor: Monitor) -> None:
    """Stop the machine at a moment when its processor waits for an interrupt, which it does in no guest.

    It is looked at while it runs and stopped only where that promises something: each stop disturbs its clocks.
    """
    until = time.monotonic() + _IDLE_SECONDS
    while time.monotonic() < until:
        if _waits(monitor):
            monitor.run("stop")
            if _waits(monitor):
                return
            monitor.run("cont")
        time.sleep(_BETWEEN)
    raise LabError("lab: the machine is never idle, so that its state cannot be saved")


def _waits(monitor: Monitor) -> bool:
    registers = monitor.run("human-monitor-command", **{"command-line": "info registers"})
    return _HALTED.findall(registers) == ["1"]


def _write(monitor: Monitor, state: Path) -> None:
    monitor.run("migrate-set-parameters", **{"max-bandwidth": 10**11})
    monitor.run("migrate", uri=f"exec:cat > {shlex.quote(str(state))}")
    if (ended := _migrated(monitor)) == "completed":
        return
    # A machine that is asked to continue while it is still being written stops for good once it has been.
    monitor.run("migrate_cancel")
    _migrated(monitor)
    raise LabError(f"lab: the saved state could not be written: {ended}")


def _migrated(monitor: Monitor) -> str:
    """How the writing has ended: `completed`, `cancelled`, `failed: why`; `active` where it has not in good time."""
    until = time.monotonic() + _SAVING_SECONDS
    while True:
        migration = monitor.run("query-migrate")
        status = str(migration.get("status"))
        if status in {"completed", "failed", "cancelled"} or time.monotonic() > until:
            return f"failed: {migration['error-desc']}" if "error-desc" in migration else status
        time.sleep(0.05)


def wait_for_restore(lab: LabDirectory) -> None:
    """Wait until a restored machine runs. Raises `LabError`."""
    with _monitor(lab) as monitor:
        until = time.monotonic() + _SAVING_SECONDS
        while monitor.run("query-status")["status"] == "inmigrate":
            if time.monotonic() > until:
                raise LabError("lab: the saved state was not loaded in time")
            time.sleep(0.02)
        # It was stopped when it was saved, and wakes up as it was.
        monitor.run("cont")


def sweep() -> None:
    """Remove what killed commands have left half-written: what no process is working on."""
    for left in (cache_directory() / "snapshots").glob(f"{_SAVING}*"):
        _forget_unused(left)
