"""What every transport can do, and how it fails."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from pytest_nestvirt.one_line import one_line

_SHOWN = 300


@dataclass(frozen=True, slots=True)
class Completed:
    """A command that ran to its end on a machine."""

    exit_code: int
    stdout: bytes
    stderr: bytes
    seconds: float
    truncated: bool = False
    """More was printed than the cap allows; the rest was read and discarded."""


class Stage(StrEnum):
    """How far a connection had come when it failed."""

    CONFIGURATION = "configuration"
    CONNECT = "connect"
    HOST_KEY = "host key"
    AUTHENTICATION = "authentication"
    SESSION = "session"
    COMMAND = "command"


class TransportError(Exception):
    """A machine could not be reached, or was lost: one line with the host, the stage, what happened and how to fix it."""

    def __init__(self, host: str, stage: Stage, what: str, remedy: str = "") -> None:
        super().__init__(host, stage, what, remedy)
        self.host = host
        self.stage = stage
        self.what = what
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.host}: {self.stage}: {self.what}" + (f"; {self.remedy}" if self.remedy else "")


SLOW = "if the host is only slow, raise `timeouts: {command: SECONDS}`"
"""How to fix a deadline that passed."""


class CommandTimeoutError(TransportError):
    """A command did not end by itself: its deadline passed, a signal ended it, or the session was lost.

    What had been printed by then is kept.
    """

    def __init__(self, host: str, what: str, stdout: bytes, stderr: bytes, remedy: str = SLOW) -> None:
        super().__init__(host, Stage.COMMAND, what, remedy)
        self.stdout = stdout
        self.stderr = stderr


class SessionRefusedError(TransportError):
    """A host lets an account in and refuses to run commands for it; connections through the host may work all the same."""


@contextmanager
def failures_at(stage: Stage, host: str) -> Iterator[None]:
    """The one place where whatever a host, its configuration or a library raises becomes that host's error.

    What is foreseen is raised as `TransportError` where it happens, and passes; one host's surprise must not end the
    run of all.
    """
    try:
        yield
    except TransportError:
        raise
    except Exception as error:
        message = one_line(" ".join(str(error).split()), _SHOWN)
        what = f"unexpected {type(error).__name__}" + (f": {message}" if message else "")
        raise TransportError(host, stage, what) from error


class Transport(Protocol):
    """A way to run commands on one machine. Usable from several threads; opened at first use."""

    @property
    def where(self) -> str:
        """Address for people, without secrets: `root@192.0.2.10:22 via kvm01`."""
        ...

    def run(self, command: str, *, stdin: bytes = b"", timeout: float | None = None, become: bool = False) -> Completed:
        """Run a shell command, feed it `stdin`, drain both streams together.

        `timeout` in seconds, None: the host's own. `become`: as root by sudo, as the inventory allows.
        Raises `TransportError` and nothing else (`CommandTimeoutError` where something had been started).
        """
        ...

    def close(self) -> None:
        """Give back the connection; never raises. A transport that was closed opens again at the next use."""
        ...
