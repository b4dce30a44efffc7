"""From an address to an SSH connection whose host key has not been verified yet."""

from __future__ import annotations

import random
import socket
import threading
import time
from collections.abc import Callable
from functools import partial

import paramiko

from pytest_nestvirt.inventory.host import Host
from pytest_nestvirt.transport.base import Stage, TransportError
from pytest_nestvirt.transport.hop_errors import DeadHopError
from pytest_nestvirt.transport.host_keys import KnownHosts
from pytest_nestvirt.transport.peer import LOG_CHANNEL, give_up, reason, silence
from pytest_nestvirt.transport.tunnel import Tunnel

Stream = socket.socket | paramiko.Channel | Tunnel

_KEEPALIVE_SECONDS = 15
_JOIN_SECONDS = 2.0
_BACK_OFF = (0.2, 0.4, 0.8)
"""Seconds until a host that drops connections before it has said anything is tried again."""


class DroppedError(TransportError):
    """The host closed the connection before it had shown that it speaks SSH: a busy sshd does so (MaxStartups)."""


def dial(host: Host, address: str, port: int) -> socket.socket:
    """A TCP connection within the host's connect deadline, all its addresses taken together."""
    until = time.monotonic() + host.deadlines.connect
    try:
        targets = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError) as error:
        what = f"the name {address} cannot be resolved ({reason(error)})"
        raise TransportError(host.name, Stage.CONNECT, what, "check `address:`") from error
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
        what, remedy = f"{target} refused the connection", "is sshd running on the host, on that port?"
    elif isinstance(failure, TimeoutError):
        what = f"no answer from {target} within {host.deadlines.connect:g} s"
        remedy = "check that the machine is up and the address is right, or raise `timeouts: {connect: SECONDS}`"
    else:
        what, remedy = f"{target} cannot be reached ({reason(failure)})", "check the address and the network"
    return TransportError(host.name, Stage.CONNECT, what, remedy)


def shake_hands_patiently(host: Host, open_stream: Callable[[], Stream], known: KnownHosts) -> paramiko.Transport:
    """As `shake_hands`; where the host drops the connection at once, tried again later: a busy sshd does so (MaxStartups)."""
    try:
        return shake_hands(host, open_stream(), known)
    except DroppedError as error:
        dropped = error
    for pause in _BACK_OFF:
        time.sleep(pause * random.uniform(0.5, 1))  # noqa: S311 - so that those that were dropped come apart
        try:
            return shake_hands(host, open_stream(), known)
        except DroppedError:
            continue
        except DeadHopError:
            raise
        except TransportError:
            break
    raise dropped


def shake_hands(host: Host, stream: Stream, known: KnownHosts) -> paramiko.Transport:
    """Negotiate SSH over a stream, within the host's connect deadline. On failure the stream is closed."""
    silence()
    transport = paramiko.Transport(stream)  # type: ignore[arg-type]  # a tunnel has what paramiko uses of a socket
    try:
        _prepare(transport, host, known)
        _negotiate(transport, host)
    except BaseException:
        hang_up(stream, transport)
        raise
    return transport


def _prepare(transport: paramiko.Transport, host: Host, known: KnownHosts) -> None:
    transport.set_log_channel(LOG_CHANNEL)
    # Our own deadline decides; these only make sure that no thread outlives it for long.
    transport.banner_timeout = transport.handshake_timeout = host.deadlines.connect + 5
    transport.clear_to_send_timeout = host.deadlines.connect
    transport.set_keepalive(_KEEPALIVE_SECONDS)
    security = transport.get_security_options()
    security.key_types = known.preferred(security.key_types)


def _negotiate(transport: paramiko.Transport, host: Host) -> None:
    """Negotiation with an event: paramiko's blocking form returns as if it had succeeded when its time is over."""
    done = threading.Event()
    transport.start_client(event=done)
    in_time = done.wait(host.deadlines.connect)
    if in_time and transport.is_active():
        return
    failure = transport.get_exception()
    if not in_time:
        silent = (
            "began an SSH session, then sent nothing"
            if transport.remote_version
            else "accepted the connection, then sent nothing"
        )
        what = f"the host {silent} for {host.deadlines.connect:g} s"
        raise TransportError(
            host.name, Stage.CONNECT, what, "is it overloaded or hanging? see `timeouts: {connect: SECONDS}`"
        )
    kind = TransportError if transport.remote_version else DroppedError
    what = f"no SSH session was established ({_why(failure, transport)})"
    raise kind(host.name, Stage.CONNECT, what, "is this the port of an SSH server?")


def _why(failure: BaseException | None, transport: paramiko.Transport) -> str:
    if not transport.remote_version and isinstance(failure, paramiko.SSHException):
        return "the host sent no SSH banner"
    return "the host closed the connection" if isinstance(failure, EOFError | None) else reason(failure)


def hang_up(stream: Stream, transport: paramiko.Transport) -> None:
    """Close a connection so that its thread ends now, not when it next looks at the clock; never raises."""
    steps: list[Callable[[], object]] = [transport.close, stream.close]
    if isinstance(stream, socket.socket):
        steps.insert(0, partial(stream.shutdown, socket.SHUT_RDWR))
    give_up(*steps)
    if transport.is_alive():
        transport.join(_JOIN_SECONDS)
