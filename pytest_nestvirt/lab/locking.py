"""Directories that one command at a time works in, or that many use; locks are the kernel's and go with the process."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

_HELD: dict[Path, int] = {}
"""What this process uses -> the descriptor that holds the lock."""


def _nothing() -> None:
    pass


@contextmanager
def alone(directory: Path, *, wait: bool = True, waiting: Callable[[], None] = _nothing) -> Iterator[None]:
    """Be the only one to work in a directory; `waiting` is called where that takes a wait.

    Raises BlockingIOError if another process works in it or uses it, and `wait` is False.
    """
    held = os.open(directory, os.O_RDONLY)
    try:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if not wait:
                raise
            waiting()
            fcntl.flock(held, fcntl.LOCK_EX)
        yield
    finally:
        os.close(held)


def use(directory: Path) -> bool:
    """Keep every other process from working alone in a directory until this one ends; whether the directory exists."""
    try:
        held = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        return False
    fcntl.flock(held, fcntl.LOCK_SH)
    if not _leads_to(directory, held):
        # It was removed in the meantime.
        os.close(held)
        return False
    if directory in _HELD:
        os.close(_HELD[directory])
    _HELD[directory] = held
    return True


def _leads_to(directory: Path, held: int) -> bool:
    try:
        return os.path.samestat(directory.stat(), os.fstat(held))
    except FileNotFoundError:
        return False
