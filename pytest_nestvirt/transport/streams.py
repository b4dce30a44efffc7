"""The three streams of one command, whatever carries them: what is kept, what is discarded, what may be sent when."""

from __future__ import annotations

from collections.abc import Callable

from pytest_nestvirt.transport.base import SLOW, CommandTimeoutError, Completed, Stage, TransportError
from pytest_nestvirt.transport.sudo import SudoGate

DEFAULT_CAP = 8 * 1024 * 1024
"""Bytes kept of each stream."""

_SHOWN = 60
"""Characters of a command that a message shows."""


class Capped:
    """The beginning of a stream. What comes after `limit` bytes is counted and discarded."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._kept = bytearray()
        self.dropped = 0

    def add(self, data: bytes) -> None:
        """Take the next piece of the stream."""
        room = self._limit - len(self._kept)
        self._kept += data[:room]
        self.dropped += max(0, len(data) - room)

    @property
    def data(self) -> bytes:
        """What was kept."""
        return bytes(self._kept)


class Exchange:
    """One command's conversation. The driver reports what it received, and asks what to send and when to stop.

    With a `gate`, standard input is held back until sudo has let the command start: what is sent earlier would be
    taken for a password, what is sent of the password later would reach the command.
    """

    def __init__(self, stdin: bytes = b"", *, cap: int = DEFAULT_CAP, gate: SudoGate | None = None) -> None:
        self.stdout = Capped(cap)
        self.stderr = Capped(cap)
        self.gate = gate
        self._stdin = stdin
        self._outbox = memoryview(b"" if gate else stdin)

    def heard_stdout(self, data: bytes) -> None:
        """The command (or sudo, which prints nothing there) wrote this to standard output."""
        self.stdout.add(data)

    def heard_stderr(self, data: bytes) -> None:
        """The command or sudo wrote this to standard error."""
        if self.gate is None or self.gate.started:
            self.stderr.add(data)
        else:
            self._at_the_gate(self.gate, data)

    def _at_the_gate(self, gate: SudoGate, data: bytes) -> None:
        self.stderr.add(gate.heard(data))
        if gate.started:
            self._outbox = memoryview(self._stdin)
        elif answer := gate.take_answer():
            self._outbox = memoryview(answer)

    @property
    def pending(self) -> bytes:
        """All of the command's standard input."""
        return self._stdin

    @property
    def outgoing(self) -> memoryview:
        """What can be sent now; empty if nothing can."""
        return self._outbox

    def sent(self, count: int) -> None:
        """So many bytes of `outgoing` are on their way."""
        self._outbox = self._outbox[count:]

    def stop_sending(self) -> None:
        """The command has closed its standard input; the rest of ours has no reader."""
        self._stdin = b""
        self._outbox = memoryview(b"")

    @property
    def all_sent(self) -> bool:
        """Nothing will ever be sent again: standard input can be closed."""
        return not self._outbox and (self.gate is None or self.gate.started)

    @property
    def hopeless(self) -> bool:
        """Sudo does not take the password; waiting longer leads nowhere."""
        return self.gate is not None and self.gate.refused

    def completed(self, exit_code: int, seconds: float) -> Completed:
        """The command's end. Raises `TransportError` where sudo never started it."""
        if self.gate is not None:
            self.gate.require_started()
        truncated = bool(self.stdout.dropped or self.stderr.dropped)
        return Completed(exit_code, self.stdout.data, self.stderr.data, seconds, truncated)

    def unfinished(self, host: str, what: str, command: str, remedy: str = SLOW) -> CommandTimeoutError:
        """The error that keeps what had been printed by then."""
        printed = len(self.stdout.data) + len(self.stderr.data)
        full = f"{what}, {printed} bytes had been printed: {shorten(command)}"
        return CommandTimeoutError(host, full, self.stdout.data, self.stderr.data, remedy)


def shorten(command: str) -> str:
    """The first line of a command, short enough for a message."""
    first, _, rest = command.strip().partition("\n")
    return first if len(first) <= _SHOWN and not rest else f"{first[:_SHOWN]}..."


def require_text(host: str, command: str) -> None:
    """Raise `TransportError` for a command that no shell can be given: sshd and execve end it at a NUL byte."""
    if "\0" in command:
        raise TransportError(host, Stage.COMMAND, "the command contains a NUL byte", "remove it from the command")


def take(ready: Callable[[], bool], read: Callable[[], bytes], heard: Callable[[bytes], None]) -> bool:
    """Move what is there of one stream, without waiting for more. True if something was."""
    if not ready():
        return False
    heard(read())
    return True
