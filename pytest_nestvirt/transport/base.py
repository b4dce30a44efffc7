"""What every transport can do, and how it fails."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Completed:
    """A command that ran to its end on some machine."""

    exit_code: int
    stdout: bytes
    stderr: bytes
    seconds: float
    truncated: bool = False
    """More was printed than the cap allows; the rest was read and thrown away."""


class TransportError(Exception):
    """A machine could not be reached, or was lost: one line that says what, where and how to mend it.

    `stage` is where it happened: configuration, connect, host key, authentication, session, command.
    """

    def __init__(self, host: str, stage: str, what: str, remedy: str = "") -> None:
        super().__init__(host, stage, what, remedy)
        self.host = host
        self.stage = stage
        self.what = what
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.host}: {self.stage}: {self.what}" + (f"; {self.remedy}" if self.remedy else "")


class CommandTimeoutError(TransportError):
    """The deadline of a command passed, or the session was lost half-way; what had been printed by then is kept."""

    def __init__(self, host: str, what: str, stdout: bytes, stderr: bytes) -> None:
        super().__init__(host, "command", what, "raise `timeouts: {command: SECONDS}` for this host if it is just slow")
        self.stdout = stdout
        self.stderr = stderr


class Transport(Protocol):
    """A way to run commands on one machine. Usable from several threads; opened at first use."""

    @property
    def where(self) -> str:
        """Address for people, without secrets: `root@192.0.2.10:22 via kvm01`."""
        ...

    def run(self, command: str, *, stdin: bytes = b"", timeout: float | None = None, become: bool = False) -> Completed:
        """Run a shell command, feed it `stdin`, drain both streams together.

        `timeout` in seconds, None: the host's own. `become`: as root by sudo, as the inventory allows.
        Raises `TransportError` (`CommandTimeoutError` where something had been started).
        """
        ...

    def close(self) -> None:
        """Give back the connection. A transport that was closed opens again at the next use."""
        ...
