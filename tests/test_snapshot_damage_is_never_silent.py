"""A part of a record is not taken for all of it: a damaged archive is refused, what was not read of a tree is named."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import random
import socket
import stat
import subprocess
import sys
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from pytest_nestvirt.facts.machine import Machine
from pytest_nestvirt.inventory.host import Connection, Host
from pytest_nestvirt.observation.fact import Unobservable
from pytest_nestvirt.snapshot.archive import load
from pytest_nestvirt.snapshot.limits import Limits
from pytest_nestvirt.snapshot.snapshot import Section, SnapshotError, Status
from pytest_nestvirt.snapshot.unpack import read_archive

COMPRESSIONS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "two gzip streams": lambda data: gzip.compress(data[:3000]) + gzip.compress(data[3000:]),
    "two xz streams": lambda data: lzma.compress(data[:3000]) + lzma.compress(data[3000:]),
}
SPEAKS = "options kvm_intel nested=0\n"
LONG = "sos_commands/virsh/virsh_-r_dumpxml_" + "n" * 120
FORMATS = {"ustar": tarfile.USTAR_FORMAT, "pax": tarfile.PAX_FORMAT, "gnu": tarfile.GNU_FORMAT}
every_format = pytest.mark.parametrize("form", FORMATS.values(), ids=FORMATS.keys())


def packed(form: int = tarfile.PAX_FORMAT) -> bytes:
    """A small report: files, a directory, a link, a long name, times with fractions; a violation comes last."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as archive:
        info = tarfile.TarInfo("etc/os-release")
        info.type, info.linkname = tarfile.SYMTYPE, "../usr/lib/os-release"
        archive.addfile(info)
        for name, text in (
            ("proc/cpuinfo", "flags\t: vmx\n"),
            ("etc/modprobe.d/kvm.conf", "options kvm_intel nested=1\n"),
            (LONG if form != tarfile.USTAR_FORMAT else LONG[:100], "<domain/>\n"),
            ("etc/modprobe.d/zz.conf", SPEAKS),
        ):
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(text), 1.5
            archive.addfile(info, io.BytesIO(text.encode()))
    return buffer.getvalue()


def headers(data: bytes) -> list[int]:
    """Where the blocks of headers lie in a tar."""
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        members = archive.getmembers()
    starts = [range(member.offset, member.offset_data, 512) for member in members]
    return [block for blocks in starts for block in blocks if data[block + 257 : block + 262] == b"ustar"]


def read(path: Path, data: bytes) -> Mapping[str, Section] | str:
    """The sections of an archive of these bytes; the line of the error where it is refused."""
    path.write_bytes(data)
    try:
        return dict(load(path).sections)
    except SnapshotError as error:
        line = str(error)
        assert line.startswith(f"{path}: ")
        assert "\n" not in line
        return line


@every_format
def test_a_flipped_bit_of_a_header_is_noticed(tmp_path: Path, form: int) -> None:
    """No bit of a header, flipped, takes a section away: the archive is refused, or reads as it was."""
    whole = packed(form)
    sections = read(tmp_path / "t.tar", whole)
    bits = [block * 8 + bit for block in headers(whole) for bit in range(512 * 8)]
    refused = 0
    for bit in random.Random(form).sample(bits, 500):
        flipped = bytearray(whole)
        flipped[bit // 8] ^= 1 << bit % 8
        found = read(tmp_path / "t.tar", bytes(flipped))
        assert found == sections or isinstance(found, str), bit
        refused += found != sections
    assert refused > 490


@pytest.mark.parametrize("compress", COMPRESSIONS.values(), ids=COMPRESSIONS.keys())
def test_flipped_bits_of_compressed_archives_are_noticed(tmp_path: Path, compress: Callable[[bytes], bytes]) -> None:
    """Whatever bit of a compressed archive is flipped, of its data, index or trailer: refused, or the same sections."""
    whole = compress(packed())
    sections = read(tmp_path / "t", whole)
    for bit in random.Random(9).sample(range(len(whole) * 8), 300):
        flipped = bytearray(whole)
        flipped[bit // 8] ^= 1 << bit % 8
        found = read(tmp_path / "t", bytes(flipped))
        assert found == sections or isinstance(found, str), bit


@every_format
def test_a_block_that_is_lost_is_noticed(tmp_path: Path, form: int) -> None:
    """An archive without the header of a file, or with that header zeroed, never has fewer sections."""
    whole = packed(form)
    sections = read(tmp_path / "t.tar", whole)
    assert isinstance(sections, dict)
    with_data = [block for block in headers(whole) if not whole.startswith(b"etc/os-release", block)]
    for block in with_data:
        for damaged in (whole[:block] + whole[block + 512 :], whole[:block] + bytes(512) + whole[block + 512 :]):
            found = read(tmp_path / "t.tar", damaged)
            assert isinstance(found, str) or found.keys() >= sections.keys()


@pytest.mark.parametrize(
    "damage, complaint",
    [
        (lambda tar: tar.rstrip(b"\0"), "cut off"),
        (lambda tar: tar.rstrip(b"\0") + bytes(-len(tar.rstrip(b"\0")) % 512), "mark at the end"),
        (lambda tar: tar.rstrip(b"\0") + bytes(-len(tar.rstrip(b"\0")) % 512 + 512), "mark at the end"),
        (lambda tar: tar + tar, "something follows its end"),
        (lambda tar: tar + b"x", "something follows its end"),
        (lambda tar: gzip.compress(tar) + gzip.compress(tar), "something follows its end"),
        (lambda tar: gzip.compress(tar) + b"tail", "damaged"),
        (lambda tar: lzma.compress(tar)[:-12] + b"\xff" * 12, "damaged"),
        (lambda tar: b"PK\3\4" + tar, "not a tar archive"),
        (lambda tar: lzma.compress(tar, format=lzma.FORMAT_ALONE), "not a tar archive"),
    ],
    ids=[
        "no padding", "no end mark", "half an end mark", "two archives", "a tail", "two archives in gzip streams",
        "a tail of gzip", "footer of xz", "zip", "lzma",
    ],
)  # fmt: skip
def test_an_archive_ends_in_its_end_mark(tmp_path: Path, damage: Callable[[bytes], bytes], complaint: str) -> None:
    """Two blocks of zeros end an archive, and nothing but zeros follows."""
    found = read(tmp_path / "t.tar", damage(packed()))
    assert isinstance(found, str)
    assert complaint in found


def extended(*records: str, kind: bytes = tarfile.XHDTYPE) -> bytes:
    """A header of pax records, before a member."""
    body = b""
    for record in records:
        length = len(record) + 3
        while len(f"{length} {record}\n") != length:
            length += 1
        body += f"{length} {record}\n".encode()
    return header(b"././@PaxHeader", kind, len(body)) + body + bytes(-len(body) % 512)


def header(name: bytes, kind: bytes = tarfile.REGTYPE, size: int = 0, field: bytes = b"") -> bytes:
    """One block, with a checksum that is right; `field` replaces the size as it is written."""
    block = bytearray(512)
    block[: len(name)] = name
    block[124:136] = field or f"{size:011o}\0".encode()
    block[156:157] = kind
    block[257:265] = b"ustar\00000"
    block[148:156] = b" " * 8
    block[148:156] = f"{sum(block):06o}\0 ".encode()
    return bytes(block)


HOSTILE = {
    "size beyond any machine": extended("size=99999999999999999999999999"),
    "size beyond the archive": extended("size=999999999999"),
    "negative size": extended("size=-1"),
    "size that is text": extended("size=many"),
    "size with blanks": extended("size= 12"),
    "size in scientific notation": extended("size=1e3"),
    "global size": extended("size=12", kind=tarfile.XGLTYPE),
    "global path": extended("path=x", kind=tarfile.XGLTYPE),
    "unknown keyword": extended("qath=etc/modprobe.d/zz.conf"),
    "record without a length": header(b"x", tarfile.XHDTYPE, 8) + b"path=abc" + bytes(504),
    "record longer than the header": header(b"x", tarfile.XHDTYPE, 8) + b"99 a.b=c" + bytes(504),
    "record of length zero": header(b"x", tarfile.XHDTYPE, 8) + b"0 a.b=c\n" + bytes(504),
    "record without a line break": header(b"x", tarfile.XHDTYPE, 8) + b"8 a.b=cc" + bytes(504),
    "path of a mebibyte": extended("path=" + "a" * 1_000_000),
    "path that leads out": extended("path=../../etc/passwd"),
    "path with a NUL": extended("path=proc/\0cpuinfo"),
    "sparse by pax": extended("GNU.sparse.major=1", "GNU.sparse.minor=0"),
    "sparse by GNU": header(b"x", tarfile.GNUTYPE_SPARSE),
    "continuation of another volume": header(b"x", b"M"),
    "negative in base 256": header(b"x", field=b"\xff" * 12),
    "largest in base 256": header(b"x", field=b"\x80" + b"\xff" * 11),
    "octal that is none": header(b"x", field=b"0000000008\0 "),
    "ten headers for one member": extended("comment=x") * 10,
    "header without a member": extended("path=x") + bytes(1024),
    "global records of two mebibytes": header(b"x", tarfile.XGLTYPE, 2 << 20),
    "long name that is cut": header(b"././@LongLink", tarfile.GNUTYPE_LONGNAME, 400) + b"a" * 100,
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_headers_are_one_line(tmp_path: Path, name: str) -> None:
    """No number, name or record in a header ends in a traceback or in fewer members."""
    assert isinstance(read(tmp_path / "t.tar", HOSTILE[name] + header(b"proc/uptime") + packed()), str)


def test_harmless_headers_are_read(tmp_path: Path) -> None:
    """Records of vendors, comments of git, base-256 sizes and old directories change nothing."""
    plain = read(tmp_path / "t.tar", packed())
    before = (
        extended("comment=0123abcd", kind=tarfile.XGLTYPE)
        + extended("SCHILY.xattr.security.selinux=x", "mtime=1.5", "size=0")
        + header(b"proc/", b"\0")
        + header(b"holiday.jpg", field=b"\x80" + bytes(11))
    )
    assert read(tmp_path / "t.tar", before + packed()) == plain


def test_the_last_of_two_members_counts(tmp_path: Path) -> None:
    """As on unpacking, a member replaces what had its name before, be it a file or a link."""
    link = header(b"proc/cpuinfo", tarfile.SYMTYPE)
    pipe = header(b"proc/cpuinfo", tarfile.FIFOTYPE)
    found = read(tmp_path / "t.tar", link + pipe + packed())
    assert isinstance(found, dict)
    assert found["proc/cpuinfo"].data == b"flags\t: vmx\n"
    found = read(
        tmp_path / "t.tar", packed().rstrip(b"\0") + bytes(-len(packed().rstrip(b"\0")) % 512) + pipe + bytes(1024)
    )
    assert isinstance(found, dict)
    assert found["proc/cpuinfo"].status is Status.FAILED


@pytest.mark.parametrize("seed", range(12))
def test_mutated_archives_are_read_or_refused(tmp_path: Path, seed: int) -> None:
    """Headers with numbers, names, kinds and records at random, their checksums right, end in sections or in one line."""
    chance = random.Random(seed)
    kinds = [bytes([kind]) for kind in b"0123456789ABDKLMNSVXxg\0\xff"]
    fields = [
        b"",
        b"\xff" * 12,
        b"\x80" + b"\0" * 10 + b"\x09",
        b"77777777777\0",
        b" 12 \0       ",
        b"-0000000001\0",
        b"\0" * 12,
    ]
    names = [
        b"proc/cpuinfo",
        b"etc/modprobe.d/",
        b"a" * 100,
        b"..",
        b"",
        b"\xff",
        b"etc/../x",
        b"nestvirt-snapshot.json",
    ]
    records = [
        "path=x",
        "size=3",
        "size=-3",
        "linkpath=..",
        "GNU.sparse.map=0,1",
        "SCHILY.x=",
        "mtime=nan",
        "path=" + "d/" * 99,
    ]
    for _ in range(60):
        pieces = [
            chance.choice(
                [
                    header(chance.choice(names), chance.choice(kinds), chance.randrange(2000), chance.choice(fields)),
                    extended(*chance.choices(records, k=2), kind=chance.choice([b"x", b"g", b"X", b"L"])),
                    chance.randbytes(512),
                    b"12 path=abc\n".ljust(512, b"\0"),
                ]
            )
            for _ in range(chance.randrange(1, 9))
        ]
        read(tmp_path / "t.tar", b"".join(pieces) + chance.choice([packed(), bytes(1024), b""]))


def many(count: int) -> bytes:
    """An archive of so many empty files, whose names have the same digits on the average."""
    blank = header(b"var/log/" + b"0" * 6)
    total = sum(blank) - sum(blank[148:156]) + 8 * 32 - 6 * ord("0")
    names = (b"%06d" % number for number in range(count))
    return b"".join(blank[:8] + name + blank[14:148] + b"%06o\0 " % (total + sum(name)) + blank[156:] for name in names)


def test_a_hundred_thousand_members_are_read_in_little_memory(tmp_path: Path) -> None:
    """Members cost no more than their names, in a process that may have 250 MiB of addresses."""
    (tmp_path / "t.tar.gz").write_bytes(gzip.compress(many(100_000) + packed(), 1))
    code = (
        "import resource, sys; from pathlib import Path; from pytest_nestvirt.snapshot.archive import load; "
        "resource.setrlimit(resource.RLIMIT_AS, (250 << 20, 250 << 20)); "
        "print(load(Path(sys.argv[1])).sections['etc/modprobe.d/zz.conf'].text)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "t.tar.gz"], capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == SPEAKS.strip(), done.stderr


def test_names_are_bounded(tmp_path: Path) -> None:
    """Long paths, each with thousands of directories, do not fill the memory."""
    deep = b"".join(extended("path=" + "/".join(["d"] * 1900 + [str(number)])) + header(b"x") for number in range(40))
    (tmp_path / "t.tar").write_bytes(deep + packed())
    with pytest.raises(SnapshotError, match="its file names have more than 1 MiB"):
        read_archive(tmp_path / "t.tar", Limits(names=1 << 20))


@pytest.mark.parametrize(
    "what", ["pipe", "socket", "terminal", "unreadable", "gone", "beyond a file", "no name", "too long"]
)
def test_what_is_no_file_is_one_line(tmp_path: Path, what: str) -> None:
    """A path at which there is neither a directory nor a file is refused without waiting."""
    path = tmp_path / what
    if what == "pipe":
        os.mkfifo(path)
    elif what == "socket":
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind(str(path))
    elif what == "terminal":
        path = Path("/dev/tty")
    elif what == "unreadable":
        path.write_bytes(packed())
        path.chmod(0)
        if os.geteuid() == 0:
            pytest.skip("root may read everything")
    elif what == "beyond a file":
        path.write_bytes(packed())
        path = path / "x"
    elif what == "no name":
        path = Path("a\0b")
    elif what == "too long":
        path = tmp_path / ("x" * 5000)
    with pytest.raises(SnapshotError) as raised:
        load(path)
    assert str(raised.value).startswith(f"{path}: ")


def tree(root: Path) -> Path:
    """A sosreport whose configuration is complete."""
    for name, text in (
        ("version.txt", "4.7\n"),
        ("proc/cmdline", "quiet\n"),
        ("proc/modules", "kvm_intel 282624 0 - Live 0x0\nkvm 663552 1 kvm_intel, Live 0x0\n"),
        ("etc/modprobe.d/kvm.conf", "options kvm_intel nested=1\n"),
        ("sos_commands/kernel/uname_-a", "Linux\n"),
    ):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def decided(root: Path, form: str) -> str:
    """What modprobe would load kvm_intel with, by a tree in one of its forms; `unknown` where that cannot be told."""
    if form == "archive":
        with tarfile.open(root.parent / "t.tar", "w") as archive:
            archive.add(root, "sosreport")
        root = root.parent / "t.tar"
    machine = Machine(Host("kvm01", 0, None, Connection.RECORDED, path=root), load(root), None)
    try:
        option = machine.modprobe.setting("kvm_intel", "nested")
    except Unobservable:
        return "unknown"
    return "nothing" if option is None else option.value


def linked(target: str, **files: str) -> Callable[[Path], None]:
    """A link in modprobe.d, and files elsewhere; `__` in a name stands for a slash."""

    def make(root: Path) -> None:
        (root / "etc/modprobe.d/zz.conf").symlink_to(target)
        for name, text in files.items():
            path = root / name.replace("__", "/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    return make


def linked_directory(root: Path) -> None:
    """A modprobe.d that is a link to a directory where no section is."""
    (root / "srv/conf").mkdir(parents=True)
    (root / "srv/conf/zz.conf").write_text(SPEAKS)
    (root / "run").mkdir()
    (root / "run/modprobe.d").symlink_to("/srv/conf")


def linked_top(root: Path) -> None:
    """The same to a directory at the top."""
    (root / "srv").mkdir()
    (root / "srv/zz.conf").write_text(SPEAKS)
    (root / "run").mkdir()
    (root / "run/modprobe.d").symlink_to("../srv")


def chain(root: Path) -> None:
    """A link to a link to a file, through a directory that is a link."""
    (root / "srv/real").mkdir(parents=True)
    (root / "srv/real/zz").write_text(SPEAKS)
    (root / "srv/again").symlink_to("real")
    (root / "opt").mkdir()
    (root / "opt/zz").symlink_to("/srv/again/zz")
    (root / "etc/modprobe.d/zz.conf").symlink_to("../../opt/zz")


def file_for_directory(root: Path) -> None:
    """A file where modprobe has a directory."""
    (root / "run").mkdir()
    (root / "run/modprobe.d").write_text(SPEAKS)


def dangling_directory(root: Path) -> None:
    """A modprobe.d that leads out of the report."""
    (root / "run").mkdir()
    (root / "run/modprobe.d").symlink_to("/nowhere/modprobe.d")


@pytest.mark.parametrize("form", ["directory", "archive"])
@pytest.mark.parametrize(
    "make, expected",
    [
        (lambda _: None, "1"),
        (linked("/usr/share/kvm/zz", usr__share__kvm__zz=SPEAKS), "0"),
        (linked("../../usr/share/kvm/zz", usr__share__kvm__zz="# silent\n"), "1"),
        (chain, "0"),
        (linked_directory, "0"),
        (linked_top, "0"),
        (linked("/dev/null"), "1"),
        (linked("/usr/share/kvm/zz"), "unknown"),
        (linked("../../../../etc/passwd"), "unknown"),
        (linked("zz.conf"), "unknown"),
        (linked("/etc"), "unknown"),
        (dangling_directory, "unknown"),
        (file_for_directory, "unknown"),
        (lambda root: os.mkfifo(root / "etc/modprobe.d/zz.conf"), "unknown"),
        (lambda root: os.mknod(root / "etc/modprobe.d/zz.conf", 0o600 | stat.S_IFCHR, os.makedev(1, 5)), "unknown"),
        (lambda root: (root / "etc/modprobe.d/zz.conf").mkdir(), "unknown"),
        (lambda root: (root / os.fsdecode(b"etc/modprobe.d/zz\xff.conf")).write_text(SPEAKS), "0"),
        (lambda root: (root / "etc/modprobe.d/zz\n.conf").write_text(SPEAKS), "0"),
    ],
    ids=[
        "nothing else", "link elsewhere", "link to a silent file", "chain of links", "linked directory",
        "linked directory at the top", "mask", "missing target", "out of the tree", "circle", "link to a directory",
        "dangling directory", "file for a directory", "pipe", "device", "directory", "name not UTF-8", "name of two lines",
    ],
)  # fmt: skip
def test_what_is_listed_and_was_not_read_is_unknown(
    tmp_path: Path, make: Callable[[Path], object], expected: str, form: str
) -> None:
    """Links are followed inside the record, wherever they lead; what cannot be read is not silent about kvm."""
    root = tree(tmp_path / "report")
    try:
        make(root)
    except PermissionError:
        pytest.skip("only root can make a device")
    assert decided(root, form) == expected
