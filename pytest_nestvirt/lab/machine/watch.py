"""Waiting for the machines of a lab: how far they are, and when there is nothing left to wait for."""

from __future__ import annotations

import subprocess
import time
from dataclasses import dataclass

from pytest_nestvirt.lab.cases.lab_case import LabCase
from pytest_nestvirt.lab.directory import LabDirectory
from pytest_nestvirt.lab.machine.console import Mark, death, last_lines, marks, read
from pytest_nestvirt.lab.packages.store import Announce
from pytest_nestvirt.lab.problem import LabError

_PATIENCE = 90.0
_STRETCH = 6.0
"""A machine that prints nothing for _PATIENCE seconds and _STRETCH times what its boot takes is given up."""
_LOOK_EVERY = 0.1


@dataclass(frozen=True, slots=True)
class Watched:
    """A lab that is booting."""

    case: LabCase
    lab: LabDirectory
    emulator: subprocess.Popen[bytes]

    def patience(self, found: list[Mark]) -> float:
        """For how many seconds the console may be silent now."""
        answering = sum(mark.stage == "ssh" for mark in found)
        machines = self.case.machines
        return _PATIENCE + _STRETCH * machines[min(answering, len(machines) - 1)].seconds

    def check(self, text: str, silent: float) -> None:
        """Raise `LabError` where waiting is pointless, with what was printed last."""
        printed = last_lines(text)
        if line := death(text):
            raise LabError(f"lab {self.case.name}: a machine died: {line[:160]}", printed)
        ended = self.emulator.poll()
        if ended is not None:
            why = " ".join(last_lines(read(self.lab.path / "emulator.log"), 1)) or "it printed nothing"
            raise LabError(f"lab {self.case.name}: the emulator ended with {ended}: {why[:200]}", printed)
        if silent > self.patience(marks(text)):
            raise LabError(f"lab {self.case.name}: nothing new on the console for {silent:.0f} s", printed)


def watch(watched: Watched, announce: Announce) -> None:
    """Wait until the innermost machine has its SSH server running. Raises `LabError`.

    There is no deadline for the whole: load makes a boot several times as long. What is printed keeps the wait alive.
    """
    case, began = watched.case, time.monotonic()
    heard, length, seen = began, 0, 0
    while True:
        text, now = read(watched.lab.console), time.monotonic()
        if len(text) != length:
            heard, length = now, len(text)
        found = marks(text)
        for mark in found[seen:]:
            _progress(case, mark, now - began, announce)
        seen = len(found)
        if Mark(case.levels[-1], "ssh") in found:
            return
        watched.check(text, now - heard)
        time.sleep(_LOOK_EVERY)


def _progress(case: LabCase, mark: Mark, seconds: float, announce: Announce) -> None:
    if mark.stage in {"booted", "ssh"}:
        expected = sum(machine.seconds for machine in case.machines[: int(mark.level[1:]) + 1])
        reached = "answers to SSH" if mark.stage == "ssh" else "has booted"
        announce(f"{mark.level} {reached} after {seconds:.0f} s (expected: SSH after {expected:.0f} s)")
    elif mark.stage == "kvm" and mark.status:
        announce(f"{mark.level} has no KVM: modprobe ended with {mark.status}")
