"""An archive from anywhere is read, or refused in one line; it never fills memory or disk and never leads outside."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_nestvirt.snapshot.archive import load
from pytest_nestvirt.snapshot.limits import Limits
from pytest_nestvirt.snapshot.snapshot import SnapshotError, Status
from pytest_nestvirt.snapshot.tree_sections import sections_of
from pytest_nestvirt.snapshot.unpack import read_archive

CPUINFO = b"processor\t: 0\n"
COMPRESSIONS: dict[str, Callable[[bytes], bytes]] = {
    "plain": lambda data: data,
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
}
every_compression = pytest.mark.parametrize("compress", COMPRESSIONS.values(), ids=COMPRESSIONS.keys())


def member(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    """The header of a member."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def packed(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    """A plain tar of these."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for info, data in members:
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def good() -> tuple[tarfile.TarInfo, bytes]:
    """A member that a snapshot is made of."""
    return member("proc/cpuinfo"), CPUINFO


def refusal(tmp_path: Path, data: bytes, limits: Limits | None = None) -> str:
    """How an archive is refused: one line that begins with its path."""
    path = tmp_path / "bad.tar"
    path.write_bytes(data)
    with pytest.raises(SnapshotError) as raised:
        sections_of(read_archive(path, limits)) if limits else load(path)
    line = f"{path}: {raised.value}" if limits else str(raised.value)
    assert line.startswith(f"{path}: ")
    assert "\n" not in line
    return line.removeprefix(f"{path}: ")


@every_compression
def test_each_compression_is_read(tmp_path: Path, compress: Callable[[bytes], bytes]) -> None:
    """The kind is recognised by content, whatever the file is called; several streams count as one."""
    data = packed(good(), (member("proc/version"), b"Linux\n" * 50_000))
    (tmp_path / "snapshot").write_bytes(compress(data[:700]) + compress(data[700:]))
    found = load(tmp_path / "snapshot").sections
    assert found["proc/cpuinfo"].data == CPUINFO
    assert found["proc/version"].data == b"Linux\n" * 50_000


@pytest.mark.parametrize("name", ["../proc/cpuinfo", "/proc/cpuinfo", "proc/../../x", "x/../../etc/cron.d/evil"])
def test_names_that_lead_out_are_refused(tmp_path: Path, name: str) -> None:
    """Traversal and absolute names are refused, whatever else the archive holds."""
    assert "leads out of the archive" in refusal(tmp_path, packed(good(), (member(name), b"x")))


@pytest.mark.parametrize("target", ["../../../../etc/passwd", "/etc/passwd", "../secret", "cpuinfo"])
def test_links_that_lead_out_are_not_followed(tmp_path: Path, target: str) -> None:
    """A link in the place of a section shows no other file of this machine: the section is there, and unread."""
    (tmp_path / "t.tar").write_bytes(
        packed((member("proc/version"), b"x"), (member("proc/cpuinfo", tarfile.SYMTYPE, target), b""))
    )
    section = load(tmp_path / "t.tar").sections["proc/cpuinfo"]
    assert (section.status, section.data) == (Status.FAILED, b"")
    assert "a link" in section.error


@pytest.mark.parametrize("target", ["../../../../etc/passwd", "/etc/passwd"])
def test_hard_links_that_lead_out_are_refused(tmp_path: Path, target: str) -> None:
    """A hard link names a member of the archive; one to anything else is traversal."""
    hard = member("proc/cpuinfo", tarfile.LNKTYPE, target)
    assert "leads out of the archive" in refusal(tmp_path, packed((member("proc/version"), b"x"), (hard, b"")))


def test_links_inside_are_followed(tmp_path: Path) -> None:
    """Hard and symbolic links show what they show inside the archive."""
    (tmp_path / "t.tar").write_bytes(
        packed(
            good(),
            (member("usr/lib/os-release"), b"ID=rhel\n"),
            (member("etc/os-release", tarfile.SYMTYPE, "../usr/lib/os-release"), b""),
            (member("etc/redhat-release", tarfile.LNKTYPE, "usr/lib/os-release"), b""),
        )
    )
    found = load(tmp_path / "t.tar").sections
    assert found["etc/os-release"].text == found["etc/redhat-release"].text == "ID=rhel\n"


@pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_devices_are_unread(tmp_path: Path, kind: bytes) -> None:
    """Where a file should be, a device or pipe is a section that failed."""
    (tmp_path / "t.tar").write_bytes(packed(good(), (member("proc/version", kind), b"")))
    section = load(tmp_path / "t.tar").sections["proc/version"]
    assert (section.status, section.error) == (Status.FAILED, "it is a device, pipe or socket, not a file")


@every_compression
def test_truncated_archives_are_refused(tmp_path: Path, compress: Callable[[bytes], bytes]) -> None:
    """An archive that was cut anywhere is no snapshot with fewer findings."""
    whole = compress(packed(good(), (member("proc/version"), bytes(range(256)) * 40), (member("proc/uptime"), b"1")))
    needed = len(whole.rstrip(b"\0"))  # what a plain tar has beyond is padding
    for part in range(1, 12):
        assert refusal(tmp_path, whole[: needed * part // 12])


def test_an_archive_cut_between_two_members_is_refused(tmp_path: Path) -> None:
    """A tar without its end is cut off, even where all that is there is whole."""
    assert refusal(tmp_path, packed(good(), (member("proc/version"), b"x"))[:1024]) == (
        "it is cut off: the mark at the end of a tar archive is missing"
    )


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress], ids=["gzip", "bzip2", "xz"])
def test_bombs_are_refused(tmp_path: Path, compress: Callable[[bytes], bytes]) -> None:
    """What unpacks to many times its size is given up long before it is unpacked, useful or not."""
    data = compress(packed(good(), (member("var/log/huge"), bytes(80 << 20))))
    assert len(data) < 1 << 17
    assert refusal(tmp_path, data) == "it unpacks to more than 500 times its size"


def test_every_bound_holds(tmp_path: Path) -> None:
    """The stream, the kept total and the number of members are bounded, each with its own line."""
    data = packed(good(), *((member(f"etc/modprobe.d/{n}.conf"), b"x" * 3000) for n in range(9)))
    assert refusal(tmp_path, data, Limits(stream=20_000)) == "it unpacks to more than 0 MiB"
    assert refusal(tmp_path, data, Limits(total=10_000)) == "its sections hold more than 0 MiB"
    assert refusal(tmp_path, data, Limits(members=5)) == "it has more than 5 members"


def test_a_huge_section_is_truncated(tmp_path: Path) -> None:
    """Of a file beyond the bound the beginning is kept, and marked."""
    (tmp_path / "t").write_bytes(packed((member("proc/cpuinfo"), b"x" * 5000)))
    section = sections_of(read_archive(tmp_path / "t", Limits(file=1000)))["proc/cpuinfo"]
    assert (section.status, len(section.data)) == (Status.TRUNCATED, 1000)


def test_endless_headers_are_refused(tmp_path: Path) -> None:
    """A file name of many megabytes is refused before it is in memory."""
    info = member("././@LongLink", tarfile.GNUTYPE_LONGNAME)
    data = packed((info, b"a" * (16 << 20)), good())
    assert refusal(tmp_path, data) == "it has headers of a size that no file name needs"


def test_nested_headers_are_refused(tmp_path: Path) -> None:
    """A chain of thousands of headers, each for the next, does not exhaust the stack."""
    one = packed((member("././@LongLink", tarfile.GNUTYPE_LONGNAME), b"a\0"))[:1024]
    assert refusal(tmp_path, one * 3000 + packed(good()))


@pytest.mark.parametrize(
    "data", [b"", b"PK\x03\x04 a zip", b"plain text\n" * 100, b"\x1f\x8b", b"\xfd7zXZ\x00", b"BZh9"]
)
def test_other_files_are_refused(tmp_path: Path, data: bytes) -> None:
    """What is no tar archive is refused as such."""
    assert refusal(tmp_path, data)


def test_a_useless_archive_is_refused(tmp_path: Path) -> None:
    """An archive without anything of a snapshot says what was expected."""
    assert refusal(tmp_path, packed((member("holiday.jpg"), b"x"))).startswith(
        "contains nothing of a snapshot; expected"
    )


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.data())
def test_damaged_archives_never_crash(tmp_path: Path, data: st.DataObject) -> None:
    """Any change to any bytes of an archive ends in a snapshot or in a SnapshotError."""
    compress = data.draw(st.sampled_from(list(COMPRESSIONS.values())))
    members = [good(), (member("a" * 150), b"x"), (member("etc/os-release", tarfile.SYMTYPE, "../x"), b"")]
    damaged = bytearray(packed(*members)) if data.draw(st.booleans()) else bytearray(compress(packed(*members)))
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    (tmp_path / "t").write_bytes(damaged)
    with suppress(SnapshotError):
        assert load(tmp_path / "t").sections
