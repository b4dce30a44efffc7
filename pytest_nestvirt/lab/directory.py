"""One directory for each lab: all that belongs to it, so that anybody can use it and anybody can end it."""

from __future__ import annotations

import json
import secrets
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pytest_nestvirt.lab.places import state_directory
from pytest_nestvirt.lab.problem import LabError
from pytest_nestvirt.lab.processes import Process, end_marked, marked, this_process
from pytest_nestvirt.lab.qmp import LONGEST_PATH

_OWNER_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class LabDirectory:
    """The files of one lab, running or left behind."""

    path: Path

    @property
    def console(self) -> Path:
        """What the machines printed."""
        return self.path / "console.log"

    @property
    def monitor(self) -> Path | None:
        """The emulator's monitor (qmp.py); None where the directory has too long a name for one."""
        path = self.path / "qmp"
        return path if len(str(path).encode()) <= LONGEST_PATH else None

    @property
    def earlier_console(self) -> Path:
        """What they had printed when they were saved, where they were restored."""
        return self.path / "console-before-snapshot.log"

    @property
    def inventory(self) -> Path:
        """For `pytest --hosts=`."""
        return self.path / "inventory.yml"

    @property
    def ssh_config(self) -> Path:
        """For `ssh -F`: the machines by the names l0, l1, l2."""
        return self.path / "ssh_config"

    @property
    def case(self) -> str:
        """Name of the case; the directory's own name begins with it."""
        return self.path.name.rpartition("_")[0]

    @property
    def up(self) -> Path:
        """How it came up; written when all machines have answered."""
        return self.path / "up.json"

    @property
    def ready(self) -> bool:
        """Whether all machines have answered."""
        return self.up.exists()

    @property
    def owner(self) -> Process | None:
        """The command that is bringing it up or running pytest over it; None if that one is gone."""
        try:
            owned = json.loads((self.path / "owner.json").read_text("utf-8"))
            owner = Process(int(owned["pid"]), int(owned["started"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return owner if owner.alive else None

    def owned(self) -> None:
        """Note that this process works with it."""
        me = this_process()
        (self.path / "owner.json").write_text(json.dumps({"pid": me.pid, "started": me.started}), "utf-8")

    def is_running(self) -> bool:
        """Whether any process of it is left."""
        return bool(marked(self.path))

    def remove(self) -> int:
        """End all of it: the command that works with it, its processes, its files. How many processes were ended.

        Raises `LabError` where one can't be ended; then the files stay.
        """
        self._end_owner()
        ended = end_marked(self.path)
        if left := marked(self.path):
            numbers = ", ".join(str(process.pid) for process in left)
            raise LabError(f"{self.path.name}: process {numbers} does not end; look at it, then `nestvirt lab down`")
        shutil.rmtree(self.path, ignore_errors=True)
        return ended

    def _end_owner(self) -> None:
        owner = self.owner
        if owner is None or owner == this_process():
            return
        until = time.monotonic() + _OWNER_SECONDS
        owner.send(15)
        while owner.alive and time.monotonic() < until:
            time.sleep(0.05)
        owner.send(9)


def new_lab(case: str) -> LabDirectory:
    """An empty directory that only its user can read."""
    parent = state_directory()
    parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    lab = LabDirectory(parent / f"{case}_{secrets.token_hex(3)}")
    lab.path.mkdir(mode=0o700)
    lab.owned()
    return lab


def labs(case: str = "") -> Iterator[LabDirectory]:
    """Those of a case, or all, the newest first."""
    parent = state_directory()
    if parent.is_dir():
        found = [LabDirectory(path) for path in parent.iterdir() if path.is_dir()]
        yield from sorted((lab for lab in found if case in ("", lab.case)), key=_age)


def _age(lab: LabDirectory) -> float:
    try:
        return -lab.path.stat().st_mtime
    except OSError:
        return 0.0
