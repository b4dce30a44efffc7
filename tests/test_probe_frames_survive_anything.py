"""What a host prints is split into sections, and nothing that it prints can make a section of what is none."""

from __future__ import annotations

import string

from hypothesis import given, settings
from hypothesis import strategies as st
from probe_transports import NONCE, frames

from pytest_nestvirt.collect.frames import parse_frames
from pytest_nestvirt.one_line import excerpt
from pytest_nestvirt.snapshot.snapshot import Status

MARK = f"\n@{NONCE} ".encode()
bodies = st.binary(max_size=200)
names = st.text(string.ascii_letters + string.digits + "/._- ", min_size=1, max_size=30).filter(
    lambda name: name != "end" and not name.endswith("/")
)


@settings(max_examples=100)
@given(st.dictionaries(names, bodies, max_size=6), st.binary(max_size=80))
def test_what_was_framed_comes_back(sections: dict[str, bytes], noise: bytes) -> None:
    """Bodies of any bytes come back as they were, whatever was printed before the first frame."""
    found, complete = parse_frames(noise + frames(NONCE, *sections.items()), NONCE)
    assert complete
    assert {name: section.data for name, section in found.items()} == sections


@settings(max_examples=200)
@given(st.lists(st.one_of(st.just(MARK), st.just(b"ok - 5 proc/cpuinfo\n"), st.just(b"\n"), st.binary(max_size=30))))
def test_hostile_output_neither_crashes_nor_completes(pieces: list[bytes]) -> None:
    """Shuffled pieces of frames are read without an error; without an end frame nothing is complete."""
    found, complete = parse_frames(b"".join(pieces), NONCE)
    assert not complete
    assert all(name == section.name for name, section in found.items())


@settings(max_examples=100)
@given(st.dictionaries(names, bodies, min_size=1, max_size=4), st.integers(0, 400))
def test_output_cut_anywhere_is_never_complete_and_never_wrong(sections: dict[str, bytes], cut: int) -> None:
    """However much of the output arrives, a section is either whole, or marked, or absent."""
    whole = frames(NONCE, *sections.items())
    found, complete = parse_frames(whole[: min(cut, len(whole) - 3)], NONCE)
    assert not complete
    for name, section in found.items():
        assert section.data == sections[name] or section.status is Status.CUT


def test_section_cut_in_the_middle_keeps_its_beginning() -> None:
    """The last section of an output that stops early is CUT, with what came of it."""
    found, complete = parse_frames(MARK + b"ok - 100 proc/cpuinfo\nprocessor\t: 0\n", NONCE)
    assert not complete
    assert (found["proc/cpuinfo"].status, found["proc/cpuinfo"].data) == (Status.CUT, b"processor\t: 0\n")


def test_wrong_length_spoils_one_section_only() -> None:
    """A section into which something else was printed fails; the one after it is read."""
    output = MARK + b"ok - 4 proc/version\nLin\nwall: hello\nux" + MARK + b"ok - 2 proc/uptime\n1\n"
    found, _ = parse_frames(output, NONCE)
    assert (found["proc/version"].status, found["proc/version"].data) == (Status.FAILED, b"")
    assert found["proc/version"].error == "4 bytes were announced, 18 came"
    assert found["proc/uptime"].data == b"1\n"


def test_length_beyond_the_next_frame_does_not_swallow_it() -> None:
    """A section that announces more than it has does not take the following one for its own."""
    output = MARK + b"ok - 999 proc/version\nLinux" + MARK + b"ok - 2 proc/uptime\n1\n"
    found, _ = parse_frames(output, NONCE)
    assert found["proc/version"].status is Status.FAILED
    assert found["proc/uptime"].data == b"1\n"


def test_lost_frame_is_noticed() -> None:
    """If a frame is lost on the way, the number at the end does not fit and the collection is not complete."""
    output = frames(NONCE, ("proc/version", b"a"), ("proc/uptime", b"b"))
    without = output.replace(MARK + b"ok - 1 proc/version\na", b"")
    assert without != output
    assert parse_frames(output, NONCE)[1]
    assert not parse_frames(without, NONCE)[1]


def test_frames_of_another_nonce_are_text() -> None:
    """A frame that a file contains stays part of that file."""
    forged = b"\n@0123456789abcdef ok - 4 proc/cpuinfo\nevil"
    found, complete = parse_frames(frames(NONCE, ("proc/version", forged)), NONCE)
    assert complete
    assert list(found) == ["proc/version"]


def test_noise_after_the_end_does_no_harm() -> None:
    """A shell that says good-bye does not spoil the last frame."""
    assert parse_frames(frames(NONCE, ("proc/version", b"a")) + b"logout\n", NONCE)[1]


def test_refusals_carry_what_the_host_said_in_excerpt() -> None:
    """The error of a section is one printable line."""
    said = b"error: no\nerror: \x1b[31mred\x00\n"
    found, _ = parse_frames(MARK + b"denied 1 %d x\n" % len(said) + said, NONCE)
    assert (found["x"].status, found["x"].exit_code, found["x"].data) == (Status.DENIED, 1, b"")
    assert found["x"].error == "error: no; error: ?[31mred?"


def test_names_hold_percent_signs_newlines_and_odd_bytes() -> None:
    """What a name had on the host it has in the snapshot; bytes that are no UTF-8 stay printable and distinct."""
    output = MARK + b"ok - 0 a%250A%0Ab" + b"\n" + MARK + b"ok - 0 \xff\n"
    assert list(parse_frames(output, NONCE)[0]) == ["a%0A\\x0ab", "\\xff"]


def test_a_section_without_length_needs_its_end_mark() -> None:
    """What virsh prints by itself is whole only with its end mark, and nothing at all is a failure."""
    whole = MARK + b"ok - - a\n<domain/>\n" + MARK + b".\n"
    found, _ = parse_frames(
        whole + MARK + b"ok - - b\n<dom" + MARK + b"ok - - c\n" + MARK + b".\n" + MARK + b"ok - - d\n", NONCE
    )
    assert found["a"].data.strip() == b"<domain/>"
    assert [found[name].status for name in "abcd"] == [Status.OK, Status.CUT, Status.FAILED, Status.CUT]


def test_what_virsh_could_not_answer_keeps_its_reason() -> None:
    """An error in place of an answer is a failure, with its lines in one, cut; one that follows an answer stays there."""
    refused = b"error: failed to get emulator capabilities\nerror: operation forbidden: read only access\n\n"
    output = b"".join(
        MARK + b"ok - - " + name + b"\n" + body + MARK + b".\n"
        for name, body in (
            (b"a", refused),
            (b"b", b"error: " + b"x" * 5000 + b"\n"),
            (b"c", b"<domain/>\nerror: late\n"),
        )
    )
    found, _ = parse_frames(output, NONCE)
    assert [found[name].status for name in "abc"] == [Status.FAILED, Status.FAILED, Status.OK]
    assert (
        found["a"].error == "error: failed to get emulator capabilities; error: operation forbidden: read only access"
    )
    assert (found["a"].data, len(found["b"].error)) == (b"", 300)
    assert b"error: late" in found["c"].data


def test_many_marks_are_read_in_linear_time() -> None:
    """A host that prints nothing but marks, megabytes of them, does not keep the reader busy."""
    found, complete = parse_frames((MARK + b"ok - 9 x\n") * 60_000, NONCE)
    assert not complete
    assert list(found) == ["x"]


@given(st.binary(max_size=600), st.integers(1, 50))
def test_one_line_is_one_printable_line(said: bytes, limit: int) -> None:
    """Whatever a machine says fits a message for a person."""
    line = excerpt(said, limit)
    assert len(line) <= limit
    assert line.isprintable()
