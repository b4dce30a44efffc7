"""SSH by paramiko: one connection per host, through any number of hops, with a deadline for everything."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import cached_property

import paramiko

from pytest_nestvirt.inventory.host import Host
from pytest_nestvirt.transport.base import Completed, SessionRefusedError, Stage, TransportError, failures_at
from pytest_nestvirt.transport.channels import answers, open_session
from pytest_nestvirt.transport.dial import Stream, dial, hang_up, shake_hands_patiently
from pytest_nestvirt.transport.hop_errors import DeadHopError, SilentError, tunnel_refused
from pytest_nestvirt.transport.host_keys import KnownHosts
from pytest_nestvirt.transport.login import authenticate
from pytest_nestvirt.transport.peer import LOST, PEER_FAILURES, give_up, reason
from pytest_nestvirt.transport.secret import without_frames
from pytest_nestvirt.transport.ssh_config import Login, resolve_login
from pytest_nestvirt.transport.ssh_session import Session
from pytest_nestvirt.transport.streams import DEFAULT_CAP, Exchange, require_text
from pytest_nestvirt.transport.sudo import sudo_gate
from pytest_nestvirt.transport.tunnel import Tunnel

JumpsTo = Callable[[Host, tuple[str, ...]], "SshTransport"]
"""The transport of the last of the hops that a ProxyJump names. Raises `TransportError` (configuration)."""

_SESSIONS = 5
"""Commands at once on one connection: of the ten that sshd allows (MaxSessions), some may have ended without its notice."""
_ALIVE_SECONDS = 5.0
_HOP_ATTEMPTS = 2
_HOP_PAUSE_SECONDS = 1.0
"""How often a hop is connected to before what lies behind it is given up, and the least time from one failure to the next try."""
_UNWATCHED = 64 * 1024
"""Bytes of standard input that the buffers of a socket hold even if the other side does not read."""


class SshTransport:
    """One host over SSH, directly or through the connection of another one (`via`). See `Transport`.

    Without `via`, a ProxyJump of the SSH configuration is followed, by `jumps` if given (which shares the hops
    between hosts and closes them).
    """

    def __init__(
        self, host: Host, via: SshTransport | None = None, *, jumps: JumpsTo | None = None, cap: int = DEFAULT_CAP
    ) -> None:
        self.host = host
        self._via = via
        self._jumps = jumps
        self._cap = cap
        self._lock = threading.Lock()
        self._slots = threading.BoundedSemaphore(_SESSIONS)
        self._transport: paramiko.Transport | None = None
        self._attempts = 0
        self._leads_on = False
        """Whether other hosts are reached through this one."""
        self._failed_in_a_row = 0
        self._failed_at = 0.0
        self._failure: TransportError | None = None

    @cached_property
    def login(self) -> Login:
        """Where and as whom. Raises `TransportError` (configuration)."""
        with failures_at(Stage.CONFIGURATION, self.host.name):
            return without_frames(lambda: resolve_login(self.host))  # it reads the environment

    @cached_property
    def hop(self) -> SshTransport | None:
        """The transport this one goes through. Raises `TransportError` (configuration)."""
        if self._via is not None or not self.login.jumps:
            return self._via
        if self._jumps is None:
            raise self._error(Stage.CONFIGURATION, "ProxyJump needs a pool that keeps the hops", "use `Transports`")
        with failures_at(Stage.CONFIGURATION, self.host.name):
            return self._jumps(self.host, self.login.jumps)

    @property
    def where(self) -> str:
        """Address for people."""
        try:
            via = f" via {self.hop.host.name}" if self.hop else ""
        except TransportError:
            return self.host.ssh.address or self.host.name
        return f"{self.login.user}@{self.login.hostname}:{self.login.port}{via}"

    def run(self, command: str, *, stdin: bytes = b"", timeout: float | None = None, become: bool = False) -> Completed:
        """Run a shell command. See `Transport.run`."""
        with failures_at(Stage.COMMAND, self.host.name):
            return self._run(command, stdin, timeout, become=become)

    def _run(self, command: str, stdin: bytes, timeout: float | None, *, become: bool) -> Completed:
        require_text(self.host.name, command)
        budget = self.host.deadlines.command if timeout is None else timeout
        gate = sudo_gate(self.host, self.login.user) if become else None
        if not self._slots.acquire(timeout=budget):
            raise self._error(Stage.SESSION, f"all {_SESSIONS} sessions of the connection were busy for {budget:g} s")
        try:
            with ExitStack() as ending:
                with failures_at(Stage.SESSION, self.host.name):
                    channel, transport = self._open("session", None)
                ending.callback(give_up, channel.close)
                exchange = Exchange(stdin, cap=self._cap, gate=gate)
                return self._converse(channel, transport, exchange, command, budget)
        finally:
            self._slots.release()

    def _converse(
        self, channel: paramiko.Channel, transport: paramiko.Transport, exchange: Exchange, command: str, budget: float
    ) -> Completed:
        started = time.monotonic()
        session = Session(channel, exchange, started + budget)
        full = exchange.gate.wrap(command) if exchange.gate else command
        with self._watched(exchange, budget):
            try:
                status = session.run(transport, full)
            except TimeoutError as error:
                left = (
                    "what it started in the background keeps its output open" if session.has_status else "still running"
                )
                raise exchange.unfinished(self.host.name, f"{left} after {budget:g} s", command) from error
        seconds = time.monotonic() - started
        if status is not None or exchange.hopeless:
            return exchange.completed(1 if status is None else status, seconds)
        if transport.is_active() and session.declined:
            raise self._error(
                Stage.SESSION, "the host refused to run a command", "does the account have a shell (ForceCommand)?"
            )
        if transport.is_active():
            killed = "find out on the host what killed it (the kernel logs processes that it kills for memory)"
            raise exchange.unfinished(self.host.name, f"ended by a signal after {seconds:.1f} s", command, killed)
        lost = "find out whether the host or the network went down"
        raise exchange.unfinished(self.host.name, f"the session was lost after {seconds:.1f} s", command, lost)

    def _watched(self, exchange: Exchange, budget: float) -> ExitStack:
        """Large input to a host that has stopped reading blocks in the socket, where no deadline is checked."""
        stack = ExitStack()
        if len(exchange.pending) > _UNWATCHED:
            watch = threading.Timer(budget + 1, self._abandon)
            watch.daemon = True
            watch.start()
            stack.callback(watch.cancel)
        return stack

    def _abandon(self) -> None:
        """Unblock a write that hangs, on every connection on the way."""
        if self._transport is not None:
            self._transport.packetizer.close()
        if self.hop is not None:
            self.hop._abandon()  # noqa: SLF001 - one of us

    def tunnel(self, target: Host, address: str, port: int) -> paramiko.Channel:
        """A channel through this host to another one's sshd. Raises `TransportError` in the name of `target`."""
        self._leads_on = True
        try:
            return self._open("direct-tcpip", (address, port))[0]
        except paramiko.ChannelException as error:
            raise tunnel_refused(self.host, target, f"{address}:{port}", error) from error
        except DeadHopError as error:
            raise DeadHopError(target.name, error.stage, error.what, error.remedy) from error
        except SilentError as error:
            what = (
                f"its hop {self.host.name} got no answer from {address}:{port} within {self.host.deadlines.connect:g} s"
            )
            raise TransportError(
                target.name, Stage.CONNECT, what, "check that the machine is up and the address is right"
            ) from error
        except TransportError as error:
            what = f"its hop {self.host.name} cannot be used: {error.stage}: {error.what}"
            raise DeadHopError(target.name, Stage.CONNECT, what, error.remedy) from error

    def _open(self, kind: str, target: tuple[str, int] | None) -> tuple[paramiko.Channel, paramiko.Transport]:
        """Open a channel. A connection that turns out to be dead is opened again, once: nothing has been started yet.

        Raises `TransportError`, and for tunnels paramiko.ChannelException where the host works and refuses.
        """
        wait = self.host.deadlines.connect
        for _ in range(2):
            transport, fresh = self._connection()
            try:
                if target is None:
                    return open_session(transport, wait), transport
                return transport.open_channel(kind, target, ("127.0.0.1", 0), timeout=wait), transport
            except paramiko.ChannelException as error:
                if target:
                    raise
                what = f"the host refused a session ({reason(error)})"
                raise SessionRefusedError(
                    self.host.name, Stage.SESSION, what, "see MaxSessions in its sshd_config"
                ) from error
            except PEER_FAILURES as error:
                failure = error
            silent = transport.is_active()
            if silent and answers(transport, min(wait, _ALIVE_SECONDS)):
                raise SilentError(
                    self.host.name, Stage.SESSION, f"no channel was opened within {wait:g} s", "is the host overloaded?"
                )
            self._discard(transport)
            if fresh:
                break
        what = f"the host sent nothing for {wait:g} s" if silent else f"the connection was lost ({reason(failure)})"
        raise self._error(Stage.SESSION, what) from failure

    def _connection(self) -> tuple[paramiko.Transport, bool]:
        """The connection, and whether it was opened just now. Threads that waited for a failing attempt share its failure.

        So do all that come after two attempts, if other hosts are reached through this one: a hop that died in the middle of a run
        is waited for twice, not once for each host behind it.
        """
        attempts = self._attempts
        with self._lock:
            if self._transport is not None and self._transport.is_active():
                return self._transport, False
            is_given_up = self._leads_on and self._failed_in_a_row >= _HOP_ATTEMPTS
            if self._failure is not None and (self._attempts > attempts or is_given_up):
                raise type(self._failure)(*self._failure.args) from self._failure
            if self._leads_on and self._failure is not None:
                time.sleep(max(self._failed_at + _HOP_PAUSE_SECONDS - time.monotonic(), 0))
            self._attempts += 1
            self._failure = None
            try:
                self._transport = self._connect()
            except TransportError as error:
                self._failure, self._failed_at = error, time.monotonic()
                self._failed_in_a_row += 1
                raise
            self._failed_in_a_row = 0
            return self._transport, True

    def _connect(self) -> paramiko.Transport:
        login, name = self.login, self.host.name
        with failures_at(Stage.HOST_KEY, name):
            known = KnownHosts(name, login.known_as, login.known_hosts, self.host.ssh.host_key)
        with failures_at(Stage.CONNECT, name):
            transport = shake_hands_patiently(self.host, self._stream, known)
        try:
            self._introduce(transport, known)
        except BaseException:
            hang_up(transport.sock, transport)
            raise
        return transport

    def _introduce(self, transport: paramiko.Transport, known: KnownHosts) -> None:
        """Verify who the host is, and prove who logs in."""
        try:
            with failures_at(Stage.HOST_KEY, self.host.name):
                known.verify(transport.get_remote_server_key())
            with failures_at(Stage.AUTHENTICATION, self.host.name):
                authenticate(transport, self.host, self.login)
        except TransportError as error:
            if transport.is_active() or not isinstance(error.__cause__, LOST):
                raise
            raise self._error(Stage.CONNECT, f"the connection was lost ({reason(error.__cause__)})") from error

    def _stream(self) -> Stream:
        login = self.login
        if self.hop is None:
            return dial(self.host, login.hostname, login.port)
        return Tunnel(self.hop.tunnel(self.host, login.hostname, login.port))

    def _discard(self, transport: paramiko.Transport) -> None:
        with self._lock:
            if self._transport is transport:
                self._transport = None
        hang_up(transport.sock, transport)

    def close(self) -> None:
        """Give back this host's connection; those of its hops are theirs to close.

        Where a thread is about to connect, nothing is: that takes until a deadline, which nothing waits for at the end of a run.
        """
        if not self._lock.acquire(blocking=False):
            return
        try:
            transport, self._transport = self._transport, None
            self._failed_in_a_row = 0
        finally:
            self._lock.release()
        if transport is not None:
            hang_up(transport.sock, transport)

    def _error(self, stage: Stage, what: str, remedy: str = "") -> TransportError:
        return TransportError(self.host.name, stage, what, remedy)
