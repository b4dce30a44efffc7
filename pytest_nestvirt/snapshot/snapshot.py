"""What was read from one machine, uninterpreted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class SnapshotError(Exception):
    """A snapshot cannot be kept or read: one line that says which and why."""


class Status(StrEnum):
    """How the reading of one section ended."""

    OK = "ok"
    MISSING = "missing"
    """The machine was asked and has no such file or command."""
    DENIED = "denied"
    """It is there, and the account that looked may not read it."""
    FAILED = "failed"
    """The command ran and ended with an error, or the read did."""
    CUT = "cut"
    """The deadline passed or the connection was lost before the section was complete."""
    TRUNCATED = "truncated"
    """Longer than the size cap: the text is the beginning only."""


@dataclass(frozen=True, slots=True)
class Section:
    """One file, directory listing or command output.

    `name` is the path without its leading slash (`proc/cpuinfo`); a directory listing ends in a slash
    (`sys/firmware/acpi/tables/`, one entry a line, sorted); the output of a command has the name that sosreport gives it
    (`sos_commands/kernel/uname_-a`).
    """

    name: str
    status: Status = Status.OK
    data: bytes = b""
    exit_code: int | None = None
    """Of the command; None for files."""
    error: str = ""
    """What the machine reported about the failure, one line."""

    @property
    def text(self) -> str:
        """The data as text: UTF-8, what does not decode replaced by U+FFFD."""
        return self.data.decode("utf-8", errors="replace")


class Origin(StrEnum):
    """Where a snapshot comes from. A verdict does not depend on it; the report names it."""

    SSH = "ssh"
    LOCAL = "local"
    DIRECTORY = "directory"
    ARCHIVE = "archive"
    SOSREPORT = "sosreport"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Every section read from one machine, by name.

    A section that is not in the snapshot was not collected, which is not `Status.MISSING`: the machine
    was never asked, so nothing follows from its absence.
    """

    sections: Mapping[str, Section] = field(default_factory=dict)
    origin: Origin = Origin.DIRECTORY
    where: str = ""
    """The address or path it was taken from, for people."""
    collected_at: str = ""
    """ISO 8601 in UTC; empty if unknown."""
    probe_version: str = ""
    """Version of the probe that wrote it; empty for trees that no probe wrote."""
    note: str = ""
    """What went wrong with the collection as a whole (deadline, lost connection); empty if nothing did."""

    def get(self, name: str) -> Section | None:
        """The section of that name, or None where it was not collected."""
        return self.sections.get(name)

    def under(self, prefix: str) -> Iterator[Section]:
        """The sections whose name begins with `prefix`, in order of name."""
        for name in sorted(self.sections):
            if name.startswith(prefix):
                yield self.sections[name]
