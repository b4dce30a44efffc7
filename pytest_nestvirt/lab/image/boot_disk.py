"""A disk that starts a kernel by itself: no boot loader, no file system, and nothing to unpack.

Its first sector is assembled from pvh.S, which describes the layout.
"""

from __future__ import annotations

import struct
import subprocess
from collections.abc import Iterable, Iterator
from importlib.resources import files
from itertools import groupby
from pathlib import Path

from pytest_nestvirt.lab.image.toolbox import Toolbox
from pytest_nestvirt.lab.image.vmlinux import Segment, Vmlinux
from pytest_nestvirt.lab.problem import LabError

_SECTOR = 512
_CYLINDER = 16 * 63 * _SECTOR
"""Emulated disks consist of these, and what is behind the last whole one can't be reached."""
_PIECE = 64 * _SECTOR
_LISTED = 8 * _SECTOR
_FIRST = 1 + _LISTED // _SECTOR
_START_INFO = 0x8000
_MODULE, _LOADS, _COMMAND_LINE = 0x40, 0x60, 0x800
_MEMORY_MAP = 0x9000
_START_MAGIC = 0x336EC578
_INITRD = 0x800_0000
"""Address of the first file system: above any kernel, and within the smallest machine."""


def assembled(toolbox: Toolbox, directory: Path) -> bytes:
    """The first sector; `directory` takes the files on the way to it. Raises `LabError`."""
    source, made, sector = (directory / name for name in ("pvh.S", "pvh.o", "pvh.sector"))
    source.write_bytes(files("pytest_nestvirt.lab").joinpath("pvh.S").read_bytes())
    _run(toolbox, "as", "--32", "-o", made, source)
    _run(toolbox, "ld", "-m", "elf_i386", "-Ttext", "0x7c00", "--oformat", "binary", "-o", sector, made)
    return sector.read_bytes()


def _run(toolbox: Toolbox, program: str, *words: str | Path) -> None:
    command = [*toolbox.command(f"x86_64-linux-gnu-{program}"), *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)  # noqa: S603
    if done.returncode != 0:
        raise LabError(f"lab: the boot sector can't be assembled: {' '.join(done.stderr.split())[:200]}")


def boot_disk(first_sector: bytes, kernel: Vmlinux, initrd: bytes, command_line: str) -> bytes:
    """The disk: its first sector, the list of what is to be loaded, and that. Raises `LabError`."""
    pieces = list(_pieces((*kernel.segments, Segment(_INITRD, initrd))))
    listed = _listed(kernel.entry, len(initrd), command_line, b"".join(_loads([address for address, _ in pieces])))
    disk = b"".join((first_sector, listed, *(data for _, data in pieces)))
    return disk + bytes(-len(disk) % _CYLINDER)


def _pieces(segments: Iterable[Segment]) -> Iterator[tuple[int, bytes]]:
    """(address, data): what memory is to hold, without what is zero, as fresh memory is.

    A piece may reach beyond its segment, over the next one: that is loaded later.
    """
    for segment in sorted(segments, key=lambda segment: segment.address):
        for offset in range(0, len(segment.data), _PIECE):
            if any(data := segment.data[offset : offset + _PIECE]):
                yield segment.address + offset, data.ljust(_PIECE, b"\0")


def _loads(addresses: list[int]) -> Iterator[bytes]:
    """Entries of the list, one for each row of pieces without a gap."""
    rows = groupby(enumerate(addresses), key=lambda numbered: numbered[1] - numbered[0] * _PIECE)
    for _, row in rows:
        (number, address), *more = row
        yield struct.pack("<IIHH", _FIRST + number * _PIECE // _SECTOR, address, 1 + len(more), 0)


def _listed(entry: int, initrd_length: int, command_line: str, loads: bytes) -> bytes:
    line = command_line.encode() + b"\0"
    if _LOADS + len(loads) + 12 > _COMMAND_LINE or _COMMAND_LINE + len(line) > _LISTED:
        raise LabError("lab: the kernel has too many segments, or its command line is too long, for the boot sector")
    found = bytearray(_LISTED)
    # hvm_start_info, version 1: one module, no RSDP, and a memory map whose length the first sector finds.
    pointers = (_START_INFO + _MODULE, _START_INFO + _COMMAND_LINE, 0, _MEMORY_MAP)
    struct.pack_into("<IIIIQQQQIII", found, 0, _START_MAGIC, 1, 0, 1, *pointers, 0, 0, entry)
    struct.pack_into("<QQ", found, _MODULE, _INITRD, initrd_length)
    found[_LOADS : _LOADS + len(loads)] = loads
    found[_COMMAND_LINE : _COMMAND_LINE + len(line)] = line
    return bytes(found)
