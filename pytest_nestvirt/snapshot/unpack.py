"""Reads archives from anywhere: tar, plain or compressed with gzip, bzip2 or xz, as a stream and within bounds.

Nothing is unpacked to disk. The bounds hold for what comes out of the decompressor, so that a small file cannot fill
the memory or keep the tool busy for hours.
"""

from __future__ import annotations

import bz2
import io
import lzma
import tarfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from pytest_nestvirt.snapshot.sections import is_useful
from pytest_nestvirt.snapshot.snapshot import SnapshotError, Status
from pytest_nestvirt.snapshot.tree import Content, Tree, printable_path

MEBIBYTE = 1 << 20
_PIECE = 1 << 16
_XZ_MEMORY = 256 * MEBIBYTE
_HEADERS = 4 * MEBIBYTE
"""What may lie between two members: long names and extended headers are read into memory whole."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on what is read, in bytes unless they say otherwise."""

    file: int = 16 * MEBIBYTE
    """Of one file; the rest of it is left out and the section says so."""
    total: int = 256 * MEBIBYTE
    """Of all files that are kept."""
    stream: int = 4096 * MEBIBYTE
    """Of everything that comes out of the decompressor."""
    ratio: int = 500
    """How much more may come out than went in, once 64 MiB have come out; logs seldom reach 50."""
    members: int = 200_000


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int) -> bytes: ...


class _Gzip:
    """zlib's object with the manners of the other two."""

    def __init__(self) -> None:
        self._zlib = zlib.decompressobj(wbits=31)

    @property
    def eof(self) -> bool:
        return self._zlib.eof

    @property
    def needs_input(self) -> bool:
        return not self._zlib.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._zlib.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        return self._zlib.decompress(self._zlib.unconsumed_tail + data, max_length)


def _xz() -> _Decompressor:
    return lzma.LZMADecompressor(format=lzma.FORMAT_AUTO, memlimit=_XZ_MEMORY)


_MAGIC: tuple[tuple[bytes, Callable[[], _Decompressor]], ...] = (
    (b"\x1f\x8b", _Gzip),
    (b"BZh", bz2.BZ2Decompressor),
    (b"\xfd7zXZ\x00", _xz),
)


class _Stream(io.RawIOBase):
    """The bytes of an archive, decompressed as they are asked for, and counted."""

    def __init__(self, source: BinaryIO, limits: Limits) -> None:
        super().__init__()
        self._source = source
        self._limits = limits
        start = source.read(6)
        source.seek(0)
        self._make = next((make for magic, make in _MAGIC if start.startswith(magic)), None)
        self._decompressor = self._make() if self._make else None
        self._left = b""
        self._size_in = 0
        self.size = 0
        self.allowed = _HEADERS
        self.tail = b""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        """Up to `size` bytes; fewer only at the end. `tarfile` asks for nothing else."""
        pieces: list[bytes] = []
        wanted = size
        while wanted > 0 and (piece := self._piece(wanted)):
            pieces.append(piece)
            wanted -= len(piece)
        data = b"".join(pieces)
        self._count(data)
        return data

    def _piece(self, most: int) -> bytes:
        if self._decompressor is None:
            return self._take(most)
        while True:
            if self._decompressor.eof and not self._next_stream():
                return b""
            hungry = self._decompressor.needs_input
            fed = self._feed() if hungry else b""
            piece = self._decompressor.decompress(fed, most)
            if piece:
                return piece
            if hungry and not fed and not self._decompressor.eof:
                raise SnapshotError("it is cut off: its compressed data end too early")

    def _feed(self) -> bytes:
        fed, self._left = self._left or self._take(_PIECE), b""
        return fed

    def _next_stream(self) -> bool:
        """Begin with the next of several compressed streams, if another follows; padding may stand between them."""
        if self._decompressor is None or self._make is None:
            return False
        self._left = (self._decompressor.unused_data or self._take(_PIECE)).lstrip(b"\0")
        if not self._left:
            return False
        self._decompressor = self._make()
        return True

    def _take(self, size: int) -> bytes:
        data = self._source.read(size)
        self._size_in += len(data)
        return data

    def _count(self, data: bytes) -> None:
        self.size += len(data)
        self.allowed -= len(data)
        self.tail = (self.tail + data)[-tarfile.BLOCKSIZE :]
        if self.size > self._limits.stream:
            raise SnapshotError(f"it unpacks to more than {self._limits.stream // MEBIBYTE} MiB")
        if self.size > 64 * MEBIBYTE and self.size > self._limits.ratio * self._size_in:
            raise SnapshotError(f"it unpacks to more than {self._limits.ratio} times its size")
        if self.allowed < 0:
            raise SnapshotError("it has headers of a size that no file name needs")

    def drain(self) -> None:
        """Read to the end, so that checksums are verified and a missing end is noticed."""
        self.allowed = self._limits.stream
        while self.read(_PIECE):
            pass
        if len(self.tail) < tarfile.BLOCKSIZE or self.tail.strip(b"\0"):
            raise SnapshotError("it is cut off: a tar archive ends in zeros")


@contextmanager
def _complaints(path: Path) -> Iterator[None]:
    try:
        yield
    except SnapshotError as error:
        raise SnapshotError(f"{path}: {error}") from None
    except (tarfile.TarError, lzma.LZMAError, zlib.error, EOFError, ValueError, RecursionError) as error:
        raise SnapshotError(f"{path}: not a whole tar archive: {error}") from None
    except OSError as error:
        raise SnapshotError(f"{path}: cannot be read: {error.strerror or error}") from None


def read_archive(path: Path, limits: Limits | None = None) -> Tree:
    """The tree in a tar archive. Raises `SnapshotError` if it is none, is cut off, or oversteps a bound.

    Names that lead out of the archive are refused, whatever they belong to; devices, where a section should be.
    """
    bounds = limits or Limits()
    with _complaints(path), path.open("rb") as source:
        stream = _Stream(source, bounds)
        tree = Tree()
        with tarfile.open(fileobj=stream, mode="r|") as archive:
            _read_members(archive, stream, tree, bounds)
        stream.drain()
        return tree.without_folder()


def _read_members(archive: tarfile.TarFile, stream: _Stream, tree: Tree, limits: Limits) -> None:
    kept = 0
    count = 0
    while (member := archive.next()) is not None:
        count += 1
        if count > limits.members:
            raise SnapshotError(f"it has more than {limits.members} members")
        if member.issparse():
            raise SnapshotError(f"{member.name!r:.200} is a sparse file, which no snapshot has")
        stream.allowed = member.size + _HEADERS
        path = _path(member.name)
        if path:
            kept += _add(archive, member, path, tree, limits)
        if kept > limits.total:
            raise SnapshotError(f"its sections hold more than {limits.total // MEBIBYTE} MiB")


def _add(archive: tarfile.TarFile, member: tarfile.TarInfo, path: str, tree: Tree, limits: Limits) -> int:
    """Put one member into the tree; how many bytes it added."""
    useful = is_useful(path) or is_useful(path.partition("/")[2])
    if member.isreg():
        tree.add_name(path)
        if useful:
            tree.files[path] = _content(archive, member, limits)
            return len(tree.files[path].data)
    elif member.isdir():
        tree.add_directory(path)
    elif member.issym():
        tree.add_name(path)
        tree.links[path] = member.linkname
    elif member.islnk():
        tree.add_name(path)
        tree.links[path] = _upwards(path) + _path(member.linkname)
    elif useful:
        raise SnapshotError(f"{path!r:.200} is a device or a pipe, where a file should be")
    return 0


def _upwards(path: str) -> str:
    """From the directory of a link back to the top: hard links are written from there."""
    return "../" * path.count("/")


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo, limits: Limits) -> Content:
    opened = archive.extractfile(member)
    data = opened.read(limits.file + 1) if opened is not None else b""
    if len(data) < min(member.size, limits.file):
        raise SnapshotError("it is cut off")
    if len(data) > limits.file:
        return Content(data[: limits.file], Status.TRUNCATED)
    return Content(data)


def _path(name: str) -> str:
    """A member's name without `.` parts; empty for the top itself. Raises `SnapshotError` where it leads out."""
    parts = [part for part in printable_path(name).split("/") if part not in {"", "."}]
    if name.startswith("/") or ".." in parts or "\0" in name:
        raise SnapshotError(f"{name!r:.200} leads out of the archive")
    return "/".join(parts)
