"""Archives that Linux unpacks as its first file system (Documentation/driver-api/early-userspace/buffer-format.rst).

The kernel takes several of them, one after the other: what is special about one machine is appended to what is not.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

_TRAILER = "TRAILER!!!"


class Archive:
    """An archive in the "newc" format, owned by root throughout, with moments of 0: equal contents are equal bytes."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._number = 0
        self._directories: set[str] = set()

    def file(self, name: str, data: bytes, mode: int = 0o644) -> None:
        """Add a file and the directories it lies in. `name` has no slash in front."""
        self._above(name)
        self._entry(name, stat.S_IFREG | mode, data)

    def link(self, name: str, target: str) -> None:
        """Add a symbolic link."""
        self._above(name)
        self._entry(name, stat.S_IFLNK | 0o777, os.fsencode(target))

    def directory(self, name: str, mode: int = 0o755) -> None:
        """Add a directory, unless it is there."""
        if name and name not in self._directories:
            self._above(name)
            self._directories.add(name)
            self._entry(name, stat.S_IFDIR | mode, b"")

    def console(self) -> None:
        """Add /dev/console: without it, the first process has no output before devtmpfs is mounted."""
        self._above("dev/console")
        self._entry("dev/console", stat.S_IFCHR | 0o600, b"", device=(5, 1))

    def tree(self, root: Path) -> None:
        """Add all that lies below a directory, under the names it has there."""
        for path in _below(root):
            name = str(path.relative_to(root))
            if path.is_symlink():
                self.link(name, str(path.readlink()))
            elif path.is_dir():
                self.directory(name)
            else:
                self.file(name, path.read_bytes(), path.stat().st_mode & 0o777)

    def finished(self) -> bytes:
        """The whole archive; its length is a multiple of 512, so that another one may follow."""
        whole = b"".join(self._parts) + _header(_TRAILER, 0, 0, 0, (0, 0))
        return whole + b"\0" * (-len(whole) % 512)

    def _above(self, name: str) -> None:
        self.directory(name.rpartition("/")[0])

    def _entry(self, name: str, mode: int, data: bytes, device: tuple[int, int] = (0, 0)) -> None:
        self._number += 1
        self._parts += [_header(name, self._number, mode, len(data), device), data, b"\0" * (-len(data) % 4)]


def _header(name: str, number: int, mode: int, size: int, device: tuple[int, int]) -> bytes:
    encoded = os.fsencode(name) + b"\0"
    links = 2 if stat.S_ISDIR(mode) else 1
    fields = (number, mode, 0, 0, links, 0, size, 0, 0, *device, len(encoded), 0)
    header = b"070701" + b"".join(b"%08X" % field for field in fields) + encoded
    return header + b"\0" * (-len(header) % 4)


def _below(root: Path) -> Iterator[Path]:
    for path in sorted(root.iterdir()):
        yield path
        if path.is_dir() and not path.is_symlink():
            yield from _below(path)
