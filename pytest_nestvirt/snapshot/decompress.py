"""The bytes of an archive: plain or compressed with gzip, bzip2 or xz, as a stream and within bounds.

The bounds hold for what comes out of the decompressor, so that a small file cannot fill the memory or keep the tool busy
for hours.
"""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable
from typing import BinaryIO, Protocol

from pytest_nestvirt.snapshot.limits import MEBIBYTE, Limits
from pytest_nestvirt.snapshot.snapshot import SnapshotError

_PIECE = 1 << 16
_XZ_MEMORY = 256 * MEBIBYTE


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int) -> bytes: ...


class _Gzip:
    """Gives zlib's decompressor the interface of those in bz2 and lzma."""

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
    return lzma.LZMADecompressor(format=lzma.FORMAT_XZ, memlimit=_XZ_MEMORY)


_MAGIC: tuple[tuple[bytes, Callable[[], _Decompressor]], ...] = (
    (b"\x1f\x8b", _Gzip),
    (b"BZh", bz2.BZ2Decompressor),
    (b"\xfd7zXZ\x00", _xz),
)


class DecompressedStream:
    """What an archive unpacks to, decompressed as it is asked for, and counted.

    Reading raises `SnapshotError` where a bound is overstepped or the data end too early, and whatever zlib, bz2 and lzma
    raise where they are damaged.
    """

    def __init__(self, source: BinaryIO, limits: Limits) -> None:
        self._source = source
        self._limits = limits
        start = source.read(6)
        source.seek(0)
        self._make = next((make for magic, make in _MAGIC if start.startswith(magic)), None)
        self._decompressor = self._make() if self._make else None
        self._left = b""
        self._size_in = 0
        self._size = 0

    def read(self, size: int) -> bytes:
        """So many bytes; fewer only at the end, where checksums have been verified."""
        pieces: list[bytes] = []
        wanted = size
        while wanted > 0 and (piece := self._piece(min(wanted, _PIECE))):
            pieces.append(piece)
            wanted -= len(piece)
        self._count(size - wanted)
        return b"".join(pieces)

    def skip(self, size: int) -> int:
        """How many of so many bytes there were."""
        left = size
        while left > 0 and (piece := self.read(min(left, _PIECE))):
            left -= len(piece)
        return size - left

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
        """Begin with the next of several compressed streams, if another follows; zeros between them are padding."""
        if self._decompressor is None or self._make is None:
            return False
        rest = (self._left or self._decompressor.unused_data).lstrip(b"\0")
        while not rest and (more := self._take(_PIECE)):
            rest = more.lstrip(b"\0")
        if not rest:
            self._left = b""
            return False
        self._left = rest
        self._decompressor = self._make()
        return True

    def _take(self, size: int) -> bytes:
        data = self._source.read(size)
        self._size_in += len(data)
        return data

    def _count(self, size: int) -> None:
        self._size += size
        if self._size > self._limits.stream:
            raise SnapshotError(f"it unpacks to more than {self._limits.stream // MEBIBYTE} MiB")
        if self._size > 64 * MEBIBYTE and self._size > self._limits.ratio * self._size_in:
            raise SnapshotError(f"it unpacks to more than {self._limits.ratio} times its size")
