"""The processes of a lab, found again by anyone: they carry the lab's directory in their environment.

A number alone is not enough, since numbers are reused; an environment cannot be mistaken, and there is no moment
between the start of a process and the writing of a file in which a killed command would lose track of it.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

MARK = "NESTVIRT_LAB_DIRECTORY"
_POLITE_SECONDS = 3.0
_GONE_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Process:
    """One process, and no other that may get its number later."""

    pid: int
    started: int
    """Clock ticks after boot (proc(5), stat, field 22)."""

    @property
    def alive(self) -> bool:
        """Whether it still runs; a zombie does not."""
        state, started = _state(self.pid)
        return started == self.started and state not in {"Z", "X"}

    def send(self, number: int) -> None:
        """Signal it, if it is still there."""
        if self.alive:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)


def this_process() -> Process:
    """The process that asks."""
    return process_of(os.getpid())


def process_of(pid: int) -> Process:
    """The process that has that number now."""
    return Process(pid, _state(pid)[1])


def _state(pid: int) -> tuple[str, int]:
    """State and start of a process; ("X", 0) where there is none."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    except OSError:
        return "X", 0
    return (fields[0], int(fields[19])) if len(fields) > 19 else ("X", 0)  # noqa: PLR2004 - the field's place


@contextmanager
def marking(directory: Path) -> Iterator[None]:
    """Have all that this process starts carry the mark of the lab in that directory."""
    before = os.environ.get(MARK)
    os.environ[MARK] = str(directory)
    try:
        yield
    finally:
        os.environ.pop(MARK)
        if before is not None:
            os.environ[MARK] = before


def marked(directory: Path) -> list[Process]:
    """The processes that were started for the lab in that directory, with all they started themselves."""
    mark = f"{MARK}={directory}".encode()
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and int(entry.name) != os.getpid():
            process = process_of(int(entry.name))
            if mark in _environment(entry) and process.alive:
                found.append(process)
    return found


def _environment(entry: Path) -> list[bytes]:
    """Empty for a process of another user, a zombie, or one that has just gone."""
    try:
        return (entry / "environ").read_bytes().split(b"\0")
    except OSError:
        return []


def end_marked(directory: Path) -> int:
    """End the processes of a lab and wait until they are gone; how many there were."""
    ended: set[Process] = set()
    began = time.monotonic()
    while found := marked(directory):
        waited = time.monotonic() - began
        if waited > _GONE_SECONDS:
            break
        for process in found:
            process.send(signal.SIGKILL if waited > _POLITE_SECONDS else signal.SIGTERM)
        ended.update(found)
        time.sleep(0.05)
    return len(ended)
