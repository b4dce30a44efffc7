"""Reads a tree of files from a directory, without leaving it."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from pytest_nestvirt.snapshot.sections import LISTING_FILE, MANIFEST, ROOTS, is_on_the_way, is_useful
from pytest_nestvirt.snapshot.snapshot import SnapshotError, Status
from pytest_nestvirt.snapshot.tree import Content, Tree, printable_path
from pytest_nestvirt.snapshot.unpack import MEBIBYTE, Limits

_PIECE = 1 << 16


def read_directory(path: Path, limits: Limits | None = None) -> Tree:
    """The tree in a directory, or in the one folder inside it. Raises `SnapshotError` if it cannot be listed.

    Only the directories that hold sections are entered, so even a whole root directory is soon read. Links are noted,
    not followed; devices and pipes are not opened.
    """
    scan = _Scan(limits or Limits())
    try:
        top = _top(path)
        scan.directory(top, "")
    except OSError as error:
        raise SnapshotError(f"{path}: cannot be read: {error.strerror or error}") from None
    except SnapshotError as error:
        raise SnapshotError(f"{path}: {error}") from None
    return scan.tree


def _top(path: Path) -> Path:
    entries = list(path.iterdir())
    if len(entries) == 1 and entries[0].name not in {*ROOTS, MANIFEST} and not entries[0].is_symlink():
        return entries[0] if entries[0].is_dir() else path
    return path


class _Scan:
    def __init__(self, limits: Limits) -> None:
        self.tree = Tree()
        self._limits = limits
        self._count = 0
        self._kept = 0

    def directory(self, path: Path, name: str) -> None:
        """Put what lies in a directory into the tree, under `name`; empty for the top."""
        with os.scandir(path) as entries:
            for entry in entries:
                self._count += 1
                if self._count > self._limits.members:
                    raise SnapshotError(f"it holds more than {self._limits.members} files")
                self._entry(entry, f"{name}/{printable_path(entry.name)}".lstrip("/"))

    def _entry(self, entry: os.DirEntry[str], name: str) -> None:
        self.tree.add_name(name)
        if entry.is_symlink():
            self.tree.links[name] = printable_path(str(Path(entry.path).readlink()))
        elif entry.is_dir(follow_symlinks=False):
            self.tree.add_directory(name)
            if is_on_the_way(name):
                self._below(Path(entry.path), name)
        elif is_useful(name) and entry.is_file(follow_symlinks=False):
            self.tree.files[name] = self._content(entry.path)

    def _below(self, path: Path, name: str) -> None:
        try:
            self.directory(path, name)
        except PermissionError as error:
            # What it holds is unknown, which is not the same as nothing.
            self.tree.files[f"{name}/{LISTING_FILE}"] = Content(status=Status.DENIED, error=error.strerror or "")

    def _content(self, path: str) -> Content:
        try:
            data = _read(path, self._limits.file + 1)
        except PermissionError as error:
            return Content(status=Status.DENIED, error=error.strerror or "")
        except OSError as error:
            return Content(status=Status.FAILED, error=error.strerror or "")
        self._kept += len(data)
        if self._kept > self._limits.total:
            raise SnapshotError(f"its sections hold more than {self._limits.total // MEBIBYTE} MiB")
        if len(data) > self._limits.file:
            return Content(data[: self._limits.file], Status.TRUNCATED)
        return Content(data)


def _read(path: str, most: int) -> bytes:
    """The beginning of a regular file. It may have been swapped since it was listed, so neither link nor pipe."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as opened:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(0, "not a regular file")
        pieces, size = [], 0
        # In pieces: some files of /proc/sys make room for all that is asked for, and refuse 16 MiB.
        while size < most and (piece := opened.read(min(_PIECE, most - size))):
            pieces.append(piece)
            size += len(piece)
        return b"".join(pieces)
