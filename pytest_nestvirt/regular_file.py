"""Reading small files that a configuration names: keys, known hosts, settings."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path


class NotRegularError(OSError):
    """The path leads to a directory, a named pipe, a socket or a device."""


def read_regular_file(path: Path, limit: int) -> bytes:
    """The whole file. Raises OSError: `NotRegularError`, EFBIG where it has more than `limit` bytes, or the system's own.

    A named pipe would be read forever, and opening a device may already do something. /dev/null alone is read, as the
    empty file that `UserKnownHostsFile /dev/null` means. A NUL in the name is an OSError as well, not a ValueError.
    """
    try:
        found = path.stat()
        if found.st_rdev == Path(os.devnull).stat().st_rdev and stat.S_ISCHR(found.st_mode):
            return b""
        _require_regular(found.st_mode, path)
        # It may have been replaced since: without O_NONBLOCK, opening a pipe would wait for a writer.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except ValueError as error:
        raise OSError(errno.EINVAL, "not a valid file name") from error
    with os.fdopen(descriptor, "rb") as file:
        _require_regular(os.fstat(descriptor).st_mode, path)
        data = file.read(limit + 1)
    if len(data) > limit:
        raise OSError(errno.EFBIG, f"larger than {_amount(limit)}", str(path))
    return data


def _require_regular(mode: int, path: Path) -> None:
    if stat.S_ISDIR(mode):
        raise NotRegularError(errno.EISDIR, "is a directory", str(path))
    if not stat.S_ISREG(mode):
        raise NotRegularError(errno.EINVAL, "is not a regular file", str(path))


def _amount(size: int) -> str:
    return f"{size >> 20} MiB" if size >= 1 << 20 else f"{size >> 10} KiB"
