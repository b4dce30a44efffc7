"""A recording in place of a machine: it answers what it was asked while it was recorded, and nothing else."""

from __future__ import annotations

import re
import shlex

from pytest_nestvirt.inventory.host import Host
from pytest_nestvirt.snapshot.snapshot import Origin, Section, Snapshot, Status
from pytest_nestvirt.transport.base import Completed, Stage, TransportError

_NOT_A_FILE = re.compile(
    r"""sos_commands/ | nestvirt/ | dev/          # output of commands
      | sys/module/[^/]+\Z | .*/\Z                # directories
      | proc/device-tree/ | proc/1/environ-       # kept in another form than the file has""",
    re.VERBOSE,
)
_COMMANDS = ("sos_commands/kernel/", "sos_commands/processor/", "sos_commands/virsh/", "nestvirt/")
_FILTERED = "sos_commands/kernel/dmesg"
"""Whole in a sosreport only; elsewhere the lines on virtualization."""


class RecordedTransport:
    """Answers `cat FILE`, `test -e FILE` and the commands that were recorded. See `Transport`."""

    def __init__(self, host: Host, snapshot: Snapshot) -> None:
        self.host = host
        self._snapshot = snapshot

    @property
    def where(self) -> str:
        """Address for people."""
        return f"recording {self._snapshot.where or self.host.path}"

    def run(self, command: str, *, stdin: bytes = b"", timeout: float | None = None, become: bool = False) -> Completed:  # noqa: ARG002 - the protocol
        """The recorded answer. Raises `TransportError` for everything else, however harmless."""
        try:
            words = shlex.split(command)
        except ValueError:
            words = []
        answer = None if stdin else self._file(words) or self._command(command)
        if answer is None:
            raise self._error("a recording cannot run commands", "choose a live host (connection: ssh) for this")
        return answer

    def close(self) -> None:
        """Nothing is kept open."""

    def _file(self, words: list[str]) -> Completed | None:
        match [word for word in words if word != "--"]:
            case ["cat", path] if path.startswith("/") and not _NOT_A_FILE.match(path[1:]):
                section = self._snapshot.get(path[1:])
                return self._content(path, section) if section else None
            case ["test", "-e", path] if path.startswith("/"):
                section = self._snapshot.get(path[1:])
                return Completed(int(section.status is Status.MISSING), b"", b"", 0.0) if section else None
        return None

    def _content(self, path: str, section: Section) -> Completed:
        refusals = {Status.MISSING: "No such file or directory", Status.DENIED: "Permission denied"}
        if section.status in refusals:
            return Completed(1, b"", f"cat: {path}: {refusals[section.status]}\n".encode(), 0.0)
        return self._whole(section)

    def _command(self, command: str) -> Completed | None:
        """Find the output by its name, which sosreport makes of the command: `virsh -r list --all` is `virsh_-r_list_--all`."""
        name = re.sub(r"[^\w\-./]+", "_", command.strip()).replace("/", ".")
        for folder in _COMMANDS:
            section = self._snapshot.get(folder + name)
            if section is not None and (section.name != _FILTERED or self._snapshot.origin is Origin.SOSREPORT):
                return self._whole(section)
        return None

    def _whole(self, section: Section) -> Completed:
        if section.status is not Status.OK:
            raise self._error(
                f"the recording of {section.name} is of no use: {section.status} {section.error}".rstrip()
            )
        return Completed(section.exit_code or 0, section.data, b"", 0.0)

    def _error(self, what: str, remedy: str = "") -> TransportError:
        return TransportError(self.host.name, Stage.COMMAND, what, remedy)
