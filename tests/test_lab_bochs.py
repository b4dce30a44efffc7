"""How a machine under Bochs is started: a kernel out of its wrapping, a disk that loads it, and Bochs' settings."""

from __future__ import annotations

import lzma
import shutil
import struct
from contextlib import suppress
from pathlib import Path

import pytest
from emulator_stand_in import emulated_by
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_nestvirt.lab.cases.all_cases import case_of
from pytest_nestvirt.lab.directory import LabDirectory
from pytest_nestvirt.lab.image.boot_disk import assembled, boot_disk
from pytest_nestvirt.lab.image.kernel_image import DISK, KERNEL
from pytest_nestvirt.lab.image.outermost import Outermost
from pytest_nestvirt.lab.image.toolbox import Toolbox
from pytest_nestvirt.lab.image.vmlinux import Segment, Vmlinux, unpacked
from pytest_nestvirt.lab.machine import bochs
from pytest_nestvirt.lab.problem import LabError

FIRST_SECTOR = b"\xfa".ljust(510, b"\0") + b"\x55\xaa"
PIECE = 64 * 512
XEN_ENTRY = 18


def note(owner: bytes, kind: int, value: bytes) -> bytes:
    """A note of an ELF file, as elf(5) has it."""
    padded = [data + bytes(-len(data) % 4) for data in (owner, value)]
    return struct.pack("<III", len(owner), len(value), kind) + b"".join(padded)


def elf(loads: dict[int, bytes], notes: bytes) -> bytes:
    """A kernel: what is to be loaded, by physical address, and its notes."""
    parts = [(1, address, data) for address, data in loads.items()] + [(4, 0, notes)]
    at = 64 + 56 * len(parts)
    headers = b""
    for kind, address, data in parts:
        headers += struct.pack("<IIQQQQQQ", kind, 7, at, 0xFFFFFFFF80000000, address, len(data), len(data) + 99, 4096)
        at += len(data)
    begin = b"\x7fELF\x02\x01\x01".ljust(16, b"\0") + struct.pack(
        "<HHIQQQIHHHHHH", 2, 62, 1, 0, 64, 0, 0, 64, 56, 0, 0, 0, 0
    )
    begin = begin[:56] + struct.pack("<H", len(parts)) + begin[58:]
    return begin + headers + b"".join(data for _, _, data in parts)


def bzimage(payload: bytes, setup_sectors: int = 4) -> bytes:
    """A kernel as it is installed: setup sectors with a header, then code, then what is packed."""
    setup = bytearray((setup_sectors + 1) * 512)
    setup[0x1F1] = setup_sectors
    setup[0x202:0x206] = b"HdrS"
    struct.pack_into("<II", setup, 0x248, 100, len(payload))
    return bytes(setup) + bytes(100) + payload + b"behind it"


def loaded(disk: bytes) -> dict[int, bytes]:
    """What the first sector puts into memory, by address, as pvh.S does it."""
    memory: dict[int, bytes] = {}
    at = 512 + 0x60
    while True:
        sector, address, pieces, _ = struct.unpack_from("<IIHH", disk, at)
        if not pieces:
            return memory
        for piece in range(pieces):
            begin = sector * 512 + piece * PIECE
            memory[address + piece * PIECE] = disk[begin : begin + PIECE]
        at += 12


def read(memory: dict[int, bytes], address: int, length: int) -> bytes:
    """Memory after all that was loaded, in that order; what nothing was loaded to is zero."""
    found = bytearray(length)
    for begin, data in memory.items():
        for offset, byte in enumerate(data, begin - address):
            if 0 <= offset < length:
                found[offset] = byte
    return bytes(found)


# ---- the kernel


def test_kernel_is_unpacked() -> None:
    """The ELF file comes out of a bzImage, whose payload ends with its length."""
    inside = elf({0x1000000: b"code"}, b"")
    payload = lzma.compress(inside, check=lzma.CHECK_CRC32) + struct.pack("<I", len(inside))
    assert unpacked(bzimage(payload)) == inside


@pytest.mark.parametrize(
    "kernel, said",
    [
        (b"", "not a bzImage"),
        (bytes(0x1000), "not a bzImage"),
        (bzimage(b"\x02\x21\x4c\x18 lz4"), "something else than xz; it begins with 02214c18"),
        (bzimage(b"\xfd7zXZ\0 not really"), "can't be unpacked"),
        (bzimage(b""), "something else than xz"),
    ],
)
def test_what_can_not_be_unpacked_is_refused_in_one_line(kernel: bytes, said: str) -> None:
    """Other packings, other files."""
    with pytest.raises(LabError, match=said) as refused:
        unpacked(kernel)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("form", ["<I", "<Q"])
def test_kernel_is_entered_where_its_note_says(form: str) -> None:
    """The PVH entry stands in one note among others, in four bytes or eight; segments lie at physical addresses."""
    notes = (
        note(b"GNU\0", 3, b"build")
        + note(b"Xen\0", 5, b"linux\0")
        + note(b"Xen\0", XEN_ENTRY, struct.pack(form, 0x1000850))
    )
    kernel = Vmlinux.parse(elf({0x1000000: b"text", 0x2A00000: b"data!"}, notes))
    assert kernel == Vmlinux((Segment(0x1000000, b"text"), Segment(0x2A00000, b"data!")), 0x1000850)


@pytest.mark.parametrize(
    "notes",
    [b"", note(b"GNU\0", XEN_ENTRY, b"\0\0\0\1"), note(b"Xen\0", XEN_ENTRY, b"\0\1"), note(b"Xen\0", XEN_ENTRY, b"")],
)
def test_kernel_without_entry_is_refused(notes: bytes) -> None:
    """No note, somebody else's, or one of another length: no address is made up."""
    with pytest.raises(LabError, match="no PVH entry"):
        Vmlinux.parse(elf({0x1000000: b"text"}, notes))


@given(st.binary(max_size=300), st.booleans())
@settings(max_examples=200)
def test_reading_a_kernel_ends_with_a_kernel_or_a_refusal(data: bytes, begins_well: bool) -> None:
    """Whatever the file holds."""
    with suppress(LabError):
        Vmlinux.parse((b"\x7fELF\x02\x01" if begins_well else b"") + data)


# ---- the disk


@given(
    st.lists(
        st.tuples(st.integers(0, 4 * PIECE), st.integers(1, 3 * PIECE), st.binary(min_size=1, max_size=64)),
        min_size=1,
        max_size=4,
    )
)
@settings(max_examples=30, deadline=None)
def test_disk_loads_kernel_and_first_file_system(parts: list[tuple[int, int, bytes]]) -> None:
    """Memory holds the segments, wherever they begin and end, and zeros where the kernel has them."""
    segments, address = [], 0x1000000
    for gap, length, data in parts:
        address += gap
        segments.append(Segment(address, (bytes(length) + data)[-length:]))
        address += length
    initrd = b"070701" + bytes(70000) + b"end"
    memory = loaded(boot_disk(FIRST_SECTOR, Vmlinux(tuple(segments), 0x1000850), initrd, "console=ttyS0"))
    for segment in segments:
        assert read(memory, segment.address, len(segment.data)) == segment.data
    assert read(memory, 0x8000000, len(initrd)) == initrd


def test_kernel_is_told_what_it_needs_to_start() -> None:
    """Struct hvm_start_info points to one module, to the command line and to the memory map; then comes the entry."""
    disk = boot_disk(FIRST_SECTOR, Vmlinux((Segment(0x1000000, b"x"),), 0x1000850), b"initrd", "console=ttyS0 quiet")
    assert disk[:512] == FIRST_SECTOR
    told = disk[512:]
    magic, version, flags, modules, module, line, rsdp, memory_map, entries, _, entry = struct.unpack_from(
        "<IIIIQQQQIII", told
    )
    assert (magic, version, flags, modules, rsdp, entries) == (0x336EC578, 1, 0, 1, 0, 0)
    assert (memory_map, entry) == (0x9000, 0x1000850)
    assert struct.unpack_from("<QQQQ", told, module - 0x8000) == (0x8000000, len(b"initrd"), 0, 0)
    assert told[line - 0x8000 :].startswith(b"console=ttyS0 quiet\0")


def test_disk_ends_with_a_whole_cylinder() -> None:
    """What lies behind the last one can't be read."""
    assert len(boot_disk(FIRST_SECTOR, Vmlinux((Segment(0x1000000, b"x"),), 1), b"i", "")) % (16 * 63 * 512) == 0


@pytest.mark.parametrize(
    "segments, line", [(1, "x" * 3000), (200, "quiet")], ids=["command line", "segments with gaps"]
)
def test_what_the_first_sector_has_no_room_for_is_refused(segments: int, line: str) -> None:
    """A list that is too long never overwrites what stands behind it."""
    kernel = Vmlinux(tuple(Segment(0x1000000 + 4 * PIECE * number, b"x") for number in range(segments)), 1)
    with pytest.raises(LabError, match="too many segments"):
        boot_disk(FIRST_SECTOR, kernel, b"i", line)


@pytest.mark.skipif(shutil.which("x86_64-linux-gnu-as") is None, reason="no assembler for x86 here")
def test_first_sector_is_one_that_firmware_starts(tmp_path: Path) -> None:
    """It fills a sector, with the mark at its end by which firmware knows it."""
    tools = Toolbox(tmp_path)
    linker = tools / "usr/lib/x86_64-linux-gnu/ld-stand-in.so.2"
    linker.parent.mkdir(parents=True)
    linker.write_text('#!/bin/sh\nshift 2; exec "$@"\n')
    linker.chmod(0o755)
    (tools / "usr/bin").mkdir(parents=True)
    for program in ("x86_64-linux-gnu-as", "x86_64-linux-gnu-ld"):
        (tools / "usr/bin" / program).symlink_to(str(shutil.which(program)))
    sector = assembled(tools, tmp_path)
    assert len(sector) == 512
    assert sector.endswith(b"\x55\xaa")


# ---- Bochs


@pytest.fixture
def outermost(tmp_path: Path) -> Outermost:
    """A machine with supplies that are stand-ins; the linker of its toolbox makes a file of every `-o`."""
    case = case_of("intel-nested-off")
    assembler = 'while [ "$1" ]; do [ "$1" = -o ] && printf sector > "$2"; shift; done'
    supplies = emulated_by(tmp_path / "supplies", assembler, case)
    for program in ("x86_64-linux-gnu-as", "x86_64-linux-gnu-ld"):
        (supplies.emulator / "usr/bin" / program).touch()
    (supplies.image / KERNEL).write_bytes(elf({0x1000000: b"text"}, note(b"Xen\0", XEN_ENTRY, struct.pack("<Q", 9))))
    lab = tmp_path / "lab, with a comma"
    lab.mkdir()
    machine = Outermost(case, supplies, LabDirectory(lab), 4711)
    machine.initrd.write_bytes(b"initrd")
    return machine


def test_bochs_is_reachable_from_this_machine_only(outermost: Outermost) -> None:
    """One port of 127.0.0.1 leads in, and nothing leads out."""
    bochs.outer_command(outermost)
    network = (outermost.lab.path / "slirp.conf").read_text().splitlines()
    assert network == ["# slirp config", "restricted = 1", "hostfwd = tcp:127.0.0.1:4711-10.0.2.15:22"]


def test_bochs_reads_its_settings_in_the_directory_of_the_lab(outermost: Outermost) -> None:
    """No path in the settings depends on where the lab or its supplies are: they may hold commas."""
    command = bochs.outer_command(outermost)
    assert f"--chdir={outermost.lab.path}" in command
    told = (outermost.lab.path / "bochsrc").read_text()
    assert str(outermost.lab.path.parent) not in told
    assert "memory: guest=1280, host=1280\n" in told
    assert "dev=console.log\n" in told
    for name in ("boot.disk", "programs.disk", "slirp.conf"):
        assert (outermost.lab.path / name).exists()
        assert f"={name}" in told


def test_several_machines_share_a_disk_that_none_of_them_writes(outermost: Outermost) -> None:
    """It is opened for changes that go with the machine; whatever is left beside it is left in the lab's directory."""
    bochs.outer_command(outermost)
    bochs.outer_command(outermost)
    disk = outermost.lab.path / "programs.disk"
    assert disk.is_symlink()
    assert disk.readlink() == outermost.supplies.image / DISK
    assert "path=programs.disk, mode=volatile" in (outermost.lab.path / "bochsrc").read_text()
