"""Transports for the tests of collection: a real shell on this machine, and one that plays what a test tells it."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Sequence

from pytest_nestvirt.inventory.host import Connection, Host
from pytest_nestvirt.transport.base import CommandTimeoutError, Completed

NONCE = "5f0c5f0c5f0c5f0c"


def host(name: str = "kvm01", **fields: object) -> Host:
    """A host of an inventory, reached by SSH unless `fields` say otherwise."""
    settings: dict[str, object] = {"level": 0, "parent": None, "connection": Connection.SSH, **fields}
    return Host(name, **settings)  # type: ignore[arg-type]


class ShellTransport:
    """Runs commands on this machine, through the shell that a test names."""

    def __init__(self, shell: Sequence[str], seconds: float = 60.0) -> None:
        self.shell = list(shell)
        self.seconds = seconds
        self.commands: list[str] = []

    @property
    def where(self) -> str:
        return "this machine"

    def run(self, command: str, *, stdin: bytes = b"", timeout: float | None = None, become: bool = False) -> Completed:
        self.commands.append(command)
        started = time.monotonic()
        argv = self.shell if command == "sh" else ["/bin/sh", "-c", command]
        try:
            done = subprocess.run(argv, input=stdin, capture_output=True, timeout=self.seconds, check=False)
        except subprocess.TimeoutExpired as expired:
            raise CommandTimeoutError("here", "its deadline passed", expired.stdout or b"", b"") from None
        return Completed(done.returncode, done.stdout, done.stderr, time.monotonic() - started)

    def close(self) -> None:
        """Nothing is open."""


class PlayedTransport:
    """Answers each command with what a function makes of it and of its standard input."""

    def __init__(self, play: Callable[[str, bytes], Completed]) -> None:
        self.play = play
        self.commands: list[str] = []
        self.becomes: list[bool] = []
        self.closed = 0

    @property
    def where(self) -> str:
        return "root@192.0.2.10:22"

    def run(self, command: str, *, stdin: bytes = b"", timeout: float | None = None, become: bool = False) -> Completed:
        self.commands.append(command)
        self.becomes.append(become)
        return self.play(command, stdin)

    def close(self) -> None:
        self.closed += 1


def printed(stdout: bytes, stderr: bytes = b"", exit_code: int = 0) -> Completed:
    """A command that printed this."""
    return Completed(exit_code, stdout, stderr, 0.01)


def frames(nonce: str, *sections: tuple[str, bytes]) -> bytes:
    """What a probe prints that finds just these sections."""
    mark = b"\n@" + nonce.encode()
    body = b"".join(mark + f" ok - {len(data)} {name}\n".encode() + data for name, data in sections)
    return body + mark + f" ok - - end\n{len(sections) + 1}".encode() + mark + b" .\n"


def nonce_of(stdin: bytes) -> str:
    """The nonce that the sender drew."""
    return stdin.partition(b"\n")[0].removeprefix(b"n=").decode()
