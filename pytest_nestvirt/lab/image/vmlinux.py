"""A kernel for x86 as hypervisors enter it: out of its wrapping, with its segments and its PVH entry."""

from __future__ import annotations

import lzma
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from pytest_nestvirt.lab.problem import LabError

_BOOT_MAGIC, _BOOT_MAGIC_AT = b"HdrS", 0x202
_SETUP_SECTORS_AT, _PAYLOAD_AT = 0x1F1, 0x248
_XZ = b"\xfd7zXZ\0"
_ELF64_LITTLE = b"\x7fELF\x02\x01"
_PT_LOAD, _PT_NOTE = 1, 4
_SHORT, _LONG = 4, 8
_ENTRY_NOTES = ((b"Xen\0", 18, _SHORT), (b"Xen\0", 18, _LONG))
"""XEN_ELFNOTE_PHYS32_ENTRY: owner, type and length; both lengths are in use."""


def unpacked(bzimage: bytes) -> bytes:
    """The ELF file inside a bzImage (Documentation/x86/boot.rst of Linux). Raises `LabError`."""
    if bzimage[_BOOT_MAGIC_AT : _BOOT_MAGIC_AT + 4] != _BOOT_MAGIC:
        raise LabError("lab: the kernel is not a bzImage, so it can't be unpacked")
    offset, length = struct.unpack_from("<II", bzimage, _PAYLOAD_AT)
    begin = ((bzimage[_SETUP_SECTORS_AT] or 4) + 1) * 512 + offset
    payload = bzimage[begin : begin + length]
    if not payload.startswith(_XZ):
        raise LabError(f"lab: the kernel is packed by something else than xz; it begins with {payload[:6].hex()}")
    try:
        # Behind the xz stream stands its unpacked length.
        return lzma.LZMADecompressor(lzma.FORMAT_XZ).decompress(payload)
    except lzma.LZMAError as error:
        raise LabError(f"lab: the kernel can't be unpacked: {error}") from None


@dataclass(frozen=True, slots=True)
class Segment:
    """What a file has for one range of physical memory; the rest of the range is zero."""

    address: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Vmlinux:
    """A kernel that can be entered in 32-bit mode, without paging, at one address (PVH)."""

    segments: tuple[Segment, ...]
    entry: int

    @classmethod
    def parse(cls, elf: bytes) -> Vmlinux:
        """Read an ELF file (elf(5)). Raises `LabError`."""
        if not elf.startswith(_ELF64_LITTLE):
            raise LabError("lab: the kernel is no ELF file of 64 bits")
        try:
            return cls(tuple(_segments(elf)), next(_entries(elf)))
        except (struct.error, StopIteration):
            raise LabError("lab: the kernel has no PVH entry (CONFIG_PVH)") from None


def _headers(elf: bytes, kind: int) -> Iterator[tuple[int, int, int]]:
    """(offset, physical address, length in the file) of the program headers of a kind."""
    (table,), (count,) = struct.unpack_from("<Q", elf, 32), struct.unpack_from("<H", elf, 56)
    for number in range(count):
        found, _, offset, _, physical, length = struct.unpack_from("<IIQQQQ", elf, table + 56 * number)
        if found == kind:
            yield offset, physical, length


def _segments(elf: bytes) -> Iterator[Segment]:
    for offset, physical, length in _headers(elf, _PT_LOAD):
        yield Segment(physical, elf[offset : offset + length])


def _entries(elf: bytes) -> Iterator[int]:
    """Addresses in XEN_ELFNOTE_PHYS32_ENTRY."""
    for offset, _, length in _headers(elf, _PT_NOTE):
        at, end = offset, offset + length
        while at < end:
            name_size, size, kind = struct.unpack_from("<III", elf, at)
            name, data = at + 12, at + 12 + _to_four(name_size)
            if (elf[name : name + name_size], kind, size) in _ENTRY_NOTES:
                (entry,) = struct.unpack_from("<I" if size == _SHORT else "<Q", elf, data)
                yield entry
            at = data + _to_four(size)


def _to_four(size: int) -> int:
    return -(-size // 4) * 4
