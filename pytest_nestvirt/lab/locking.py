"""Directories that one command at a time works in; the lock is the kernel's and goes with the process (flock(2))."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def alone(directory: Path, *, wait: bool = True) -> Iterator[None]:
    """Be the only one to work in a directory. Raises BlockingIOError where somebody else is and `wait` is False."""
    held = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(held)
