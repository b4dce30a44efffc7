"""The tree in a tar archive from anywhere. Nothing is unpacked to disk."""

from __future__ import annotations

import lzma
import os
import stat
import zlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from pytest_nestvirt.snapshot.decompress import DecompressedStream
from pytest_nestvirt.snapshot.limits import MEBIBYTE, Limits
from pytest_nestvirt.snapshot.sections import is_useful
from pytest_nestvirt.snapshot.snapshot import SnapshotError, Status
from pytest_nestvirt.snapshot.tar import Kind, Member, TarReader
from pytest_nestvirt.snapshot.tree import Content, Tree, printable_path
from pytest_nestvirt.snapshot.tree_sections import linked_files


@contextmanager
def _complaints() -> Iterator[None]:
    try:
        yield
    except (lzma.LZMAError, zlib.error, EOFError, ValueError) as error:
        raise SnapshotError(f"its compressed data are damaged: {error}") from None
    except OSError as error:
        raise SnapshotError(f"cannot be read: {error.strerror or error}") from None


def read_archive(path: Path, limits: Limits | None = None) -> Tree:
    """The tree in a tar archive. Raises `SnapshotError` if it is not one, is cut off or damaged, or oversteps a bound.

    Names that lead out of the archive are refused, whatever they belong to. The archive is read a second time where links in
    the places of sections lead to files in other places of it.
    """
    bounds = limits or Limits()
    with _complaints():
        tree = _read(path, bounds, ())
        elsewhere = linked_files(tree) & tree.names
        return _read(path, bounds, elsewhere) if elsewhere else tree


def _read(path: Path, limits: Limits, wanted: Collection[str]) -> Tree:
    tree = Tree(limits.names)
    with _opened(path) as source:
        archive = TarReader(DecompressedStream(source, limits))
        kept = count = 0
        while (member := archive.next()) is not None:
            count += 1
            if count > limits.members:
                raise SnapshotError(f"it has more than {limits.members} members")
            kept += _add(archive, member, tree, wanted, limits)
            if kept > limits.total:
                raise SnapshotError(f"its sections hold more than {limits.total // MEBIBYTE} MiB")
    return tree.without_folder()


def _opened(path: Path) -> BinaryIO:
    """A regular file: opening a pipe would wait for ever."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise SnapshotError("is a pipe or a device; expected a directory or a tar archive")
    return os.fdopen(descriptor, "rb")


def _add(archive: TarReader, member: Member, tree: Tree, wanted: Collection[str], limits: Limits) -> int:
    """Put one member into the tree; how many bytes it added."""
    path = _path(member.name)
    if not path:
        return 0
    if member.kind is Kind.DIRECTORY:
        tree.add_directory(path)
        return 0
    tree.add_name(path)
    inside = path.partition("/")[2]  # of the folder around the tree, if there is one
    if member.kind is Kind.LINK:
        tree.links[path] = printable_path(member.target)
    elif member.kind is Kind.HARD_LINK:
        tree.links[path] = _upwards(path) + _path(member.target)
    elif member.kind is Kind.OTHER:
        tree.others.add(path)
    elif is_useful(path) or is_useful(inside) or path in wanted or inside in wanted:
        data = archive.read(limits.file)
        tree.files[path] = Content(data, Status.OK if len(data) == member.size else Status.TRUNCATED)
        return len(data)
    return 0


def _upwards(path: str) -> str:
    """From the directory of a link back to the top: hard links are written from there."""
    return "../" * path.count("/")


def _path(name: str) -> str:
    """A member's name without `.` parts; empty for the top itself. Raises `SnapshotError` where it leads out."""
    parts = [part for part in printable_path(name).split("/") if part not in {"", "."}]
    if name.startswith("/") or ".." in parts or "\0" in name:
        raise SnapshotError(f"{name!r:.200} leads out of the archive")
    return "/".join(parts)
