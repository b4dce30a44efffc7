"""Files of a report: whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

_BUFFER = 1 << 20


class ReportError(Exception):
    """A report that cannot be written or read; the message is one line for people."""


def write_whole(path: Path, parts: Iterable[str]) -> Path:
    """Write the parts of a text as UTF-8 under that name at once, in a directory that is made if need be.

    Whoever reads the name sees the old file or the new one, never a part. Raises `ReportError`.
    """
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            _write(unfinished, parts)
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)
    except OSError as error:
        raise _unwritable(path, error) from None
    return path


def _write(path: Path, parts: Iterable[str]) -> None:
    with path.open("w", encoding="utf-8", newline="\n", buffering=_BUFFER) as file:
        file.writelines(parts)
        file.flush()
        os.fsync(file.fileno())


def require_writable(directory: Path) -> None:
    """Find out whether files can be written there, and make the directory. Raises `ReportError`."""
    probe = directory / f".nestvirt.{os.getpid()}.tmp"
    try:
        directory.mkdir(parents=True, exist_ok=True)
        try:
            probe.touch()
        finally:
            probe.unlink(missing_ok=True)
    except OSError as error:
        raise _unwritable(directory, error) from None


def _unwritable(path: Path, error: OSError) -> ReportError:
    return ReportError(
        f"{path}: the report cannot be written ({error.strerror or error}); name another directory with "
        "--nestvirt-report"
    )
