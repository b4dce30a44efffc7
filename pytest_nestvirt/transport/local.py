"""This machine itself: the same deadlines, caps and ways to root as over SSH, with a process in place of a channel."""

from __future__ import annotations

import getpass
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from typing import IO

from pytest_nestvirt.inventory.host import Host
from pytest_nestvirt.transport.base import Completed, Stage, TransportError, failures_at
from pytest_nestvirt.transport.secret import child_environment, without_frames
from pytest_nestvirt.transport.streams import DEFAULT_CAP, Exchange, require_text
from pytest_nestvirt.transport.sudo import sudo_gate

_CHUNK = 1 << 16
_GRACE_SECONDS = 1.0


class LocalTransport:
    """Runs commands by `sh -c`. See `Transport`."""

    def __init__(self, host: Host, *, cap: int = DEFAULT_CAP) -> None:
        self.host = host
        self._cap = cap

    @property
    def where(self) -> str:
        """Address for people."""
        return "this machine"

    def run(self, command: str, *, stdin: bytes = b"", timeout: float | None = None, become: bool = False) -> Completed:
        """Run a shell command. See `Transport.run`."""
        with failures_at(Stage.COMMAND, self.host.name):
            return self._run(command, stdin, timeout, become=become)

    def _run(self, command: str, stdin: bytes, timeout: float | None, *, become: bool) -> Completed:
        require_text(self.host.name, command)
        budget = self.host.deadlines.command if timeout is None else timeout
        gate = sudo_gate(self.host, _user()) if become else None
        exchange = Exchange(stdin, cap=self._cap, gate=gate)
        started = time.monotonic()
        try:
            process = self._start(gate.wrap(command) if gate else command)
        except OSError as error:
            raise TransportError(self.host.name, Stage.SESSION, f"sh cannot be started ({error.strerror})") from error
        with process:
            try:
                _talk(process, exchange, started + budget)
                code = 1 if exchange.hopeless else process.wait(max(started + budget - time.monotonic(), 0))
            except (TimeoutError, subprocess.TimeoutExpired) as error:
                raise exchange.unfinished(self.host.name, f"still running after {budget:g} s", command) from error
            finally:
                _end(process)
        # A shell reports 128 + n for a command that signal n ended.
        return exchange.completed(code if code >= 0 else 128 - code, time.monotonic() - started)

    def _start(self, command: str) -> subprocess.Popen[bytes]:
        pipe = subprocess.PIPE
        argv = [b"/bin/sh", b"-c", command.encode("utf-8", "surrogateescape")]
        return subprocess.Popen(  # noqa: S603
            argv,
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
            start_new_session=True,
            bufsize=0,
            env=child_environment(),
        )

    def close(self) -> None:
        """Nothing is kept open."""


def _user() -> str:
    return "root" if os.geteuid() == 0 else without_frames(getpass.getuser)


def _talk(process: subprocess.Popen[bytes], exchange: Exchange, until: float) -> None:
    """Move all three streams until both outputs have ended. Raises TimeoutError at the deadline."""
    assert process.stdin
    assert process.stdout
    assert process.stderr
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ, exchange.heard_stdout)
        selector.register(process.stderr, selectors.EVENT_READ, exchange.heard_stderr)
        os.set_blocking(process.stdin.fileno(), False)
        outputs = 2
        # Outputs may end long before input does, as with `cat >file 2>&1`.
        while (outputs or exchange.outgoing) and not exchange.hopeless:
            _watch_input(selector, process.stdin, exchange)
            left = until - time.monotonic()
            if left <= 0:
                raise TimeoutError
            for key, events in selector.select(left):
                if events & selectors.EVENT_WRITE:
                    _write(process.stdin, exchange)
                elif not _read(key.fd, key.data):
                    selector.unregister(key.fileobj)
                    outputs -= 1
    process.stdin.close()


def _watch_input(selector: selectors.BaseSelector, stream: IO[bytes], exchange: Exchange) -> None:
    """Watch the command's input only while there is something to write; close it once nothing more will be."""
    if stream.closed:
        return
    watched = stream in selector.get_map()
    if exchange.outgoing and not watched:
        selector.register(stream, selectors.EVENT_WRITE)
    if not exchange.outgoing and watched:
        selector.unregister(stream)
    if exchange.all_sent:
        stream.close()


def _write(stream: IO[bytes], exchange: Exchange) -> None:
    try:
        exchange.sent(os.write(stream.fileno(), exchange.outgoing[:_CHUNK]))
    except BlockingIOError:
        pass
    except OSError:
        exchange.stop_sending()


def _read(descriptor: int, heard: Callable[[bytes], None]) -> bool:
    data = os.read(descriptor, _CHUNK)
    heard(data)
    return bool(data)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Leave no process of the command behind if it has not ended by itself."""
    if process.poll() is not None:
        return
    # PermissionError: sudo runs as root; it passes on the end of its terminal-less streams instead.
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    with suppress(subprocess.TimeoutExpired):
        process.wait(_GRACE_SECONDS)
