"""From an address to an SSH connection whose host key has not been judged yet."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial

import paramiko

from pytest_nestvirt.inventory.host import Host
from pytest_nestvirt.transport.base import TransportError
from pytest_nestvirt.transport.host_keys import KnownHosts
from pytest_nestvirt.transport.peer import LOG_CHANNEL, PEER_FAILURES, reason, silence

Stream = socket.socket | paramiko.Channel

_STAGE = "connect"
_KEEPALIVE_SECONDS = 15
_JOIN_SECONDS = 2.0


def dial(host: Host, address: str, port: int) -> socket.socket:
    """A TCP connection within the host's connect deadline, all its addresses taken together."""
    until = time.monotonic() + host.deadlines.connect
    try:
        targets = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError) as error:
        what = f"the name {address} is not known ({reason(error)})"
        raise TransportError(host.name, _STAGE, what, "check `address:`") from error
    failure: OSError = TimeoutError()
    for family, kind, protocol, _, target in targets:
        try:
            return _connected(socket.socket(family, kind, protocol), target, until - time.monotonic())
        except OSError as error:
            failure = error
    raise _unreachable(host, f"{address}:{port}", failure) from failure


def _connected(stream: socket.socket, target: tuple[object, ...], seconds: float) -> socket.socket:
    try:
        stream.settimeout(max(seconds, 0.01))
        stream.connect(target)
        # Requests are small and answered one by one: Nagle's algorithm would add 40 ms to each.
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except BaseException:
        stream.close()
        raise
    return stream


def _unreachable(host: Host, target: str, failure: OSError) -> TransportError:
    if isinstance(failure, ConnectionRefusedError):
        what, remedy = f"{target} refused the connection", "is sshd running there, on that port?"
    elif isinstance(failure, TimeoutError):
        what = f"no answer from {target} within {host.deadlines.connect:g} s"
        remedy = "is the machine up and the address right? otherwise raise `timeouts: {connect: SECONDS}`"
    else:
        what, remedy = f"{target} cannot be reached ({reason(failure)})", "check the address and the network"
    return TransportError(host.name, _STAGE, what, remedy)


def shake_hands(host: Host, stream: Stream, known: KnownHosts) -> paramiko.Transport:
    """Negotiate SSH over a stream, within the host's connect deadline. On failure the stream is closed."""
    silence()
    transport = paramiko.Transport(stream)
    try:
        _prepare(transport, host, known)
        _negotiate(transport, host)
    except BaseException:
        hang_up(stream, transport)
        raise
    return transport


def _prepare(transport: paramiko.Transport, host: Host, known: KnownHosts) -> None:
    transport.set_log_channel(LOG_CHANNEL)
    # Our own deadline decides; theirs only make sure that no thread outlives it for long.
    transport.banner_timeout = transport.handshake_timeout = host.deadlines.connect + 5
    transport.clear_to_send_timeout = host.deadlines.connect
    transport.set_keepalive(_KEEPALIVE_SECONDS)
    security = transport.get_security_options()
    security.key_types = known.preferred(security.key_types)


def _negotiate(transport: paramiko.Transport, host: Host) -> None:
    """Negotiation with an event: paramiko's blocking form returns as if all were well when its time is over."""
    done = threading.Event()
    transport.start_client(event=done)
    in_time = done.wait(host.deadlines.connect)
    if in_time and transport.is_active():
        return
    failure = transport.get_exception()
    if not in_time:
        said = (
            "began an SSH session and fell silent"
            if transport.remote_version
            else "accepted the connection and said nothing"
        )
        what = f"the host {said} for {host.deadlines.connect:g} s"
        raise TransportError(host.name, _STAGE, what, "is it overloaded or hanging? see `timeouts: {connect: SECONDS}`")
    raise TransportError(
        host.name, _STAGE, f"no SSH session came about ({_why(failure, transport)})", "is that the port of an sshd?"
    )


def _why(failure: BaseException | None, transport: paramiko.Transport) -> str:
    if not transport.remote_version and isinstance(failure, paramiko.SSHException):
        return "the host sent no SSH banner"
    return "the host closed the connection" if isinstance(failure, EOFError | None) else reason(failure)


def hang_up(stream: Stream, transport: paramiko.Transport) -> None:
    """Close a connection so that its thread ends now, not at the next tick of its clock."""
    steps: list[Callable[[], object]] = [transport.close, stream.close]
    if isinstance(stream, socket.socket):
        steps.insert(0, partial(stream.shutdown, socket.SHUT_RDWR))
    for step in steps:
        with suppress(*PEER_FAILURES):
            step()
    if transport.is_alive():
        transport.join(_JOIN_SECONDS)
