"""Reads a tree of files from a directory, without leaving it."""

from __future__ import annotations

import os
import stat
from itertools import islice
from pathlib import Path

from pytest_nestvirt.snapshot.limits import MEBIBYTE, Limits
from pytest_nestvirt.snapshot.sections import INDEX, LISTING_FILE, ROOTS, is_on_the_way, is_useful
from pytest_nestvirt.snapshot.snapshot import SnapshotError, Status
from pytest_nestvirt.snapshot.tree import MOST_LINKS, Content, Tree, printable_path
from pytest_nestvirt.snapshot.tree_sections import linked_files

_PIECE = 1 << 16


def read_directory(path: Path, limits: Limits | None = None) -> Tree:
    """The tree in a directory, or in the one folder inside it. Raises `SnapshotError` if it cannot be listed.

    Only the directories that hold sections are entered, and those that links in the places of sections lead to, so even a
    whole root directory is soon read. Links are noted and followed by name; devices and pipes are not opened.
    """
    try:
        scan = _Scan(_top(path), limits or Limits())
        scan.directory(scan.top, "")
        scan.follow_links()
    except OSError as error:
        raise SnapshotError(f"cannot be read: {error.strerror or error}") from None
    return scan.tree


def _top(path: Path) -> Path:
    entries = list(islice(path.iterdir(), 2))
    if len(entries) == 1 and entries[0].name not in {*ROOTS, INDEX} and not entries[0].is_symlink():
        return entries[0] if entries[0].is_dir() else path
    return path


class _Scan:
    def __init__(self, top: Path, limits: Limits) -> None:
        self.tree = Tree(limits.names)
        self.top = top
        self._limits = limits
        self._count = 0
        self._kept = 0

    def directory(self, path: Path, name: str) -> None:
        """Put what lies in a directory into the tree, under `name`; empty for the top."""
        self.tree.unlisted.discard(name)
        with os.scandir(path) as entries:
            for entry in entries:
                self._count += 1
                if self._count > self._limits.members:
                    raise SnapshotError(f"it holds more than {self._limits.members} files")
                self._entry(Path(entry.path), f"{name}/{printable_path(entry.name)}".lstrip("/"))

    def _entry(self, path: Path, name: str) -> None:
        mode = path.lstat().st_mode
        self.tree.add_name(name)
        if stat.S_ISLNK(mode):
            self.tree.links[name] = printable_path(str(path.readlink()))
        elif stat.S_ISDIR(mode):
            self.tree.add_directory(name)
            self.tree.unlisted.add(name)
            if is_on_the_way(name):
                self._below(path, name)
        elif not stat.S_ISREG(mode):
            self.tree.others.add(name)
        elif is_useful(name):
            self.tree.files[name] = self._content(path)

    def _below(self, path: Path, name: str) -> None:
        try:
            self.directory(path, name)
        except PermissionError as error:
            # What it holds is unknown, which is not the same as nothing.
            self.tree.files[f"{name}/{LISTING_FILE}"] = Content(status=Status.DENIED, error=error.strerror or "")

    def follow_links(self) -> None:
        """Read what links in the places of sections lead to, wherever in the tree that is."""
        looked: set[str] = set()
        for _ in range(MOST_LINKS):
            found = linked_files(self.tree) - looked
            for name in sorted(found):
                self._find(name)
            looked |= found

    def _find(self, name: str) -> None:
        """Walk down to a place of which no part is known to be a link; one that turns out to be a link is noted."""
        parts = name.split("/")
        for depth in range(1, len(parts) + 1):
            part = "/".join(parts[:depth])
            if part not in self.tree.names and not self._discover(part):
                return
        if name in self.tree.unlisted:
            self._below(self.top / name, name)
        elif name in self.tree.names - self.tree.directories - self.tree.others:
            self.tree.files[name] = self._content(self.top / name)

    def _discover(self, name: str) -> bool:
        """Whether there is something at that place through which the way down goes on."""
        try:
            self._entry(self.top / name, name)
        except (OSError, ValueError):  # it is not there, or its name cannot be a file's
            return False
        return name not in self.tree.links

    def _content(self, path: Path) -> Content:
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


def _read(path: Path, most: int) -> bytes:
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
