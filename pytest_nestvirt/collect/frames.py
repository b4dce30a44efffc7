"""From what the probe printed to sections.

A frame is a line `@NONCE STATUS EXIT LENGTH NAME`, as in `@5f0c... ok - 8 proc/uptime`, and so many bytes; a line break
precedes it. A length of `-` means: up to a line `@NONCE .`, and what begins with `error: ` is why there is nothing. `%` and
newline stand as %25 and %0A in names. The host writes all of this, so all of it may be wrong; only the nonce, which the
sender drew, distinguishes a frame from what is in it.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from dataclasses import dataclass

from pytest_nestvirt.one_line import excerpt
from pytest_nestvirt.snapshot.snapshot import Section, Status

END = "end"
_MOST_FRAMES = 50_000
_WITH_DATA = frozenset({Status.OK, Status.TRUNCATED})
_STATUSES = "|".join(status.value for status in Status if status is not Status.CUT)
_HEADER = re.compile(rf"({_STATUSES}) (-|\d{{1,3}}) (-|\d{{1,10}}) ([^\n]{{1,4096}})\n".encode())


@dataclass(frozen=True, slots=True)
class _Frame:
    name: str
    status: Status
    exit_code: int | None
    body: bytes
    trouble: str = ""


def parse_frames(stdout: bytes, nonce: str) -> tuple[dict[str, Section], bool]:
    """The sections by name, and whether the probe reached its end with none of them lost on the way.

    What precedes the first frame (banners, noise of a profile) is skipped. A section whose length is not the one that
    was announced is FAILED, since something was mixed into it; one that the output ends in is CUT.
    """
    sections: dict[str, Section] = {}
    frames = _frames(b"\n" + stdout, b"\n@" + nonce.encode("ascii"))
    announced = next((f.body.strip() for f in frames if f.name == END and f.status is Status.OK), b"")
    for section in (_section(frame) for frame in frames if frame.name != END):
        if sections.setdefault(section.name, section) != section:
            sections[section.name] = Section(
                section.name, Status.FAILED, error="it came twice, with different contents"
            )
    return sections, announced == str(len(frames)).encode()


@dataclass(frozen=True, slots=True)
class _Output:
    """What was printed, and where the marks are in it."""

    data: bytes
    mark: bytes
    starts: list[int]

    def next_mark(self, position: int) -> int:
        """Where the first mark is whose line break is at `position` or later; the end of the data if none does."""
        index = bisect_left(self.starts, position)
        return self.starts[index] if index < len(self.starts) else len(self.data)


def _frames(data: bytes, mark: bytes) -> list[_Frame]:
    output = _Output(data, mark, [match.start() for match in re.finditer(re.escape(mark) + b" ", data)])
    frames: list[_Frame] = []
    position = 0
    for start in output.starts:
        if start < position or len(frames) == _MOST_FRAMES:
            continue
        header = _HEADER.match(data, start + len(mark) + 1)
        if header is not None:
            frame, position = _delimited(output, header) if header[3] == b"-" else _measured(output, header)
            frames.append(frame)
    return frames


def _measured(output: _Output, header: re.Match[bytes]) -> tuple[_Frame, int]:
    """The frame of a header that gives a length, and where the next may begin."""
    start = header.end()
    end = start + int(header[3])
    size = len(output.data)
    mark = output.mark + b" "
    # The output may also end in the middle of the next mark, which does not concern this frame.
    if end <= size and mark.startswith(output.data[end : end + len(mark)]):
        return _frame(header, output.data[start:end]), end
    # The line break that ends the header may be the one that begins the next mark.
    following = output.next_mark(start - 1)
    if end > size == following:
        return _frame(header, output.data[start:], Status.CUT, "the output ended in the middle of it"), size
    came = max(0, following - start)
    return _frame(header, b"", Status.FAILED, f"{int(header[3])} bytes were announced, {came} came"), following


def _delimited(output: _Output, header: re.Match[bytes]) -> tuple[_Frame, int]:
    """The frame of a header without a length: complete only where its own end mark follows before any other."""
    start = header.end()
    following = output.next_mark(start - 1)
    body = output.data[start:following]
    if not output.data.startswith(output.mark + b" .", following):
        return _frame(header, body, Status.CUT, "the command ended in the middle of it"), following
    # virsh flushes its output before it prints an error, so that a command that answered nothing has it here instead.
    if not body.strip() or body.lstrip().startswith(b"error: "):
        trouble = excerpt(body) or "the command printed nothing"
        return _frame(header, b"", Status.FAILED, trouble), following
    return _frame(header, body + b"\n"), following


def _frame(header: re.Match[bytes], body: bytes, status: Status | None = None, trouble: str = "") -> _Frame:
    return _Frame(
        name=_name(header[4]),
        status=status or Status(header[1].decode("ascii")),
        exit_code=None if header[2] == b"-" else int(header[2]),
        body=body,
        trouble=trouble,
    )


def _name(raw: bytes) -> str:
    # Backslashes for newlines and for what is not UTF-8, as in listings: such a name can be printed and stays different from others.
    return raw.replace(b"%0A", b"\\x0a").replace(b"%25", b"%").decode("utf-8", errors="backslashreplace")


def _section(frame: _Frame) -> Section:
    if frame.status in _WITH_DATA:
        data = _sorted(frame.body) if frame.name.endswith("/") else frame.body
        return Section(frame.name, frame.status, data, frame.exit_code)
    data = frame.body if frame.status is Status.CUT else b""
    return Section(frame.name, frame.status, data, frame.exit_code, frame.trouble or excerpt(frame.body))


def _sorted(listing: bytes) -> bytes:
    lines = sorted(line.decode("utf-8", "backslashreplace") for line in listing.split(b"\n") if line)
    return "".join(f"{line}\n" for line in lines).encode()
