"""Reads tar archives strictly: a header that is damaged is an error of the archive, never its end.

The grammar is that of POSIX.1-2024, pax, "ustar Interchange Format" and "pax Interchange Format", with what GNU tar adds to it
(its manual, "Basic Tar Format": long names and base-256 numbers). Python's tarfile takes a header whose checksum fails for
the end of the archive, so that a single flipped bit hides all members that follow.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Protocol

from pytest_nestvirt.snapshot.limits import MEBIBYTE
from pytest_nestvirt.snapshot.snapshot import SnapshotError

BLOCK = 512
_LONGEST_NAME = 4096
"""PATH_MAX of Linux."""
_LARGEST_RECORDS = MEBIBYTE
_MOST_EXTENSIONS = 8
"""Headers that speak of the same member; GNU tar and pax write three at most."""

_DIGITS = re.compile(rb"[0-7]{1,12}")
_RECORD = re.compile(rb"([1-9][0-9]{0,6}) ([^=\n]{1,200})=")
_DECIMAL = re.compile(rb"[0-9]{1,19}")
_KEYWORDS = frozenset(b"atime charset comment ctime gid gname hdrcharset linkpath mtime path size uid uname".split())
"""Those of POSIX. Others have their vendor's name before a dot, as in `SCHILY.xattr.user.x`."""


class Source(Protocol):
    """Where the bytes come from."""

    def read(self, size: int) -> bytes:
        """So many bytes; fewer only at the end."""
        ...

    def skip(self, size: int) -> int:
        """How many of so many bytes there were."""
        ...


class Kind(Enum):
    """What a member is."""

    FILE = auto()
    DIRECTORY = auto()
    LINK = auto()
    HARD_LINK = auto()
    OTHER = auto()
    """A device or a pipe."""


_KINDS = {
    b"0": Kind.FILE,
    b"\0": Kind.FILE,
    b"7": Kind.FILE,
    b"1": Kind.HARD_LINK,
    b"2": Kind.LINK,
    b"3": Kind.OTHER,
    b"4": Kind.OTHER,
    b"5": Kind.DIRECTORY,
    b"6": Kind.OTHER,
}


@dataclass(frozen=True, slots=True)
class Member:
    """One member. Names are as they are written, with surrogates for bytes that are not UTF-8."""

    name: str
    kind: Kind
    size: int
    """Of its data, in bytes; 0 for what is not a file."""
    target: str


class TarReader:
    """The members of an archive in order, each with its data while it is the current one."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._data_left = 0
        self._padding = 0
        self._begun = False

    def next(self) -> Member | None:
        """The next member; None at the end mark, after which there is nothing but zeros. Raises `SnapshotError`."""
        self._skip_data()
        extended: dict[bytes, bytes] = {}
        for _ in range(_MOST_EXTENSIONS):
            block = self._block()
            if not block.strip(b"\0"):
                if extended:
                    raise SnapshotError("it is damaged: a header announces a member that does not follow")
                self._check_end()
                return None
            header = _Header(block)
            if header.is_extension:
                extended |= self._extension(header)
            else:
                return self._member(header, extended)
        raise SnapshotError("it is damaged: too many headers speak of one member")

    def read(self, most: int) -> bytes:
        """The beginning, or the rest, of the current member's data. Raises `SnapshotError` where they are cut off."""
        wanted = min(most, self._data_left)
        data = self._source.read(wanted)
        if len(data) < wanted:
            raise SnapshotError("it is cut off in the middle of a member")
        self._data_left -= wanted
        return data

    def _skip_data(self) -> None:
        left = self._data_left + self._padding
        if self._source.skip(left) < left:
            raise SnapshotError("it is cut off in the middle of a member")
        self._data_left = self._padding = 0

    def _block(self) -> bytes:
        block = self._source.read(BLOCK)
        if not self._begun and not _looks_like_header(block):
            raise SnapshotError("not a tar archive, be it plain or compressed with gzip, bzip2 or xz")
        self._begun = True
        if len(block) < BLOCK:
            raise SnapshotError("it is cut off: the mark at the end of a tar archive is missing")
        return block

    def _check_end(self) -> None:
        if self._block().strip(b"\0"):
            raise SnapshotError("it is damaged: a block of zeros is followed by something else")
        while piece := self._source.read(1 << 16):
            if piece.strip(b"\0"):
                raise SnapshotError("something follows its end")

    def _open(self, size: int) -> None:
        self._data_left, self._padding = size, -size % BLOCK

    def _extension(self, header: _Header) -> Mapping[bytes, bytes]:
        """What a header says of the member after it, by pax keyword."""
        long_name = header.type in {b"L", b"K"}
        if header.size > (_LONGEST_NAME + 1 if long_name else _LARGEST_RECORDS):
            raise SnapshotError("it has headers of a size that no file name needs")
        self._open(header.size)
        data = self.read(header.size)
        self._skip_data()
        if long_name:
            return {b"path" if header.type == b"L" else b"linkpath": data.rstrip(b"\0")}
        records = _pax_records(data)
        if header.type == b"g" and records.keys() & {b"path", b"linkpath", b"size"}:
            raise SnapshotError("it has one name or size for several members")
        return {} if header.type == b"g" else records

    def _member(self, header: _Header, extended: Mapping[bytes, bytes]) -> Member:
        size = _decimal(extended[b"size"]) if extended.get(b"size") else header.size
        name = extended.get(b"path") or header.name
        target = extended.get(b"linkpath") or header.target
        if max(len(name), len(target)) > _LONGEST_NAME:
            raise SnapshotError("it has headers of a size that no file name needs")
        kind = header.kind
        if kind is Kind.FILE and header.type == b"\0" and name.endswith(b"/"):
            kind = Kind.DIRECTORY  # as archives of before 1988 have them
        if kind is not Kind.FILE:
            size = 0
        self._open(size)
        return Member(_text(name), kind, size, _text(target))


class _Header:
    """One block of a header whose checksum is right."""

    def __init__(self, block: bytes) -> None:
        if not _has_its_checksum(block):
            raise SnapshotError("it is damaged: the checksum of a header is wrong")
        self.type = block[156:157]
        self.size = _number(block[124:136])
        self.target = block[157:257].partition(b"\0")[0]
        self.name = block[:100].partition(b"\0")[0]
        prefix = block[345:500].partition(b"\0")[0]
        if block[257:263] == b"ustar\0" and prefix:
            self.name = prefix + b"/" + self.name

    @property
    def is_extension(self) -> bool:
        return self.type in {b"x", b"X", b"g", b"L", b"K"}

    @property
    def kind(self) -> Kind:
        kind = _KINDS.get(self.type)
        if kind is None:
            what = "a sparse file" if self.type == b"S" else f"of a kind ({self.type!r}) that no snapshot has"
            raise SnapshotError(f"{_text(self.name)!r:.200} is {what}")
        return kind


def _looks_like_header(block: bytes) -> bool:
    """Whether a file that begins with this block is a tar archive, or once was."""
    return len(block) == BLOCK and (block[257:262] == b"ustar" or not block.strip(b"\0") or _has_its_checksum(block))


def _has_its_checksum(block: bytes) -> bool:
    """Some old programs took the bytes of names for signed ones."""
    digits = _DIGITS.fullmatch(block[148:156].partition(b"\0")[0].strip(b" "))
    if digits is None:
        return False
    written, summed = int(digits[0], 8), block[:148] + b" " * 8 + block[156:]
    return written in {sum(summed), sum(memoryview(summed).cast("b"))}


def _number(field: bytes) -> int:
    """Octal digits between blanks, up to a NUL; or, after a byte 0x80, the number itself. Negative ones are refused."""
    if field[0] == 0x80:  # noqa: PLR2004 - the mark of base-256
        return int.from_bytes(field[1:], "big")
    digits = field.partition(b"\0")[0].strip(b" ")
    if not digits:
        return 0
    if not _DIGITS.fullmatch(digits):
        raise SnapshotError("it is damaged: a number in a header is not one")
    return int(digits, 8)


def _decimal(text: bytes) -> int:
    if not _DECIMAL.fullmatch(text):
        raise SnapshotError("it is damaged: a size is not a number")
    return int(text)


def _pax_records(data: bytes) -> dict[bytes, bytes]:
    """`LENGTH KEYWORD=VALUE` lines, where the length is that of the whole line; zeros may follow the last."""
    records: dict[bytes, bytes] = {}
    position = 0
    end = len(data.rstrip(b"\0"))
    while position < end:
        match = _RECORD.match(data, position)
        following = position + int(match[1]) if match else 0
        if match is None or not match.end() < following <= len(data) or data[following - 1 : following] != b"\n":
            raise SnapshotError("it is damaged: an extended header has an incomplete record")
        keyword = match[2]
        if keyword.startswith(b"GNU.sparse."):
            raise SnapshotError("it has a sparse file, which no snapshot has")
        if keyword not in _KEYWORDS and b"." not in keyword:
            raise SnapshotError(f"it is damaged: an extended header has the unknown keyword {_text(keyword)!r:.60}")
        records[keyword] = data[match.end() : following - 1]
        position = following
    return records


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")
