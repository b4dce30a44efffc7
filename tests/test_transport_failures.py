"""Machines that are not there, that hang, or that die in the middle: an error each, in time, and never an answer."""

from __future__ import annotations

import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import paramiko
import pytest
from paramiko.buffered_pipe import BufferedPipe
from sshd import Sshd, free_port, public

from pytest_nestvirt.inventory.host import Deadlines, Host
from pytest_nestvirt.transport.base import CommandTimeoutError, TransportError
from pytest_nestvirt.transport.dial import dial
from pytest_nestvirt.transport.ssh import SshTransport
from pytest_nestvirt.transport.ssh_session import _Wakeup

SHORT = Deadlines(connect=0.5, authenticate=0.5, command=1.0)


def error_of(host: Host, command: str = "true") -> TransportError:
    """The error of running a command. It comes, and no thread stays behind."""
    threads = threading.active_count()
    transport = SshTransport(host)
    with pytest.raises(TransportError) as caught:
        transport.run(command)
    transport.close()
    assert threading.active_count() <= threads
    assert "\n" not in str(caught.value)
    return caught.value


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A port on which the kernel accepts and nobody speaks."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def at(sshd: Sshd, server: socket.socket) -> Host:
    """A host at whatever listens there."""
    return sshd.host(port=server.getsockname()[1], deadlines=SHORT)


def test_a_refused_connection(sshd: Sshd) -> None:
    """Nobody listens."""
    port = free_port()
    error = error_of(sshd.host(port=port))
    assert (error.stage, error.what) == ("connect", f"127.0.0.1:{port} refused the connection")


def test_a_name_that_does_not_exist(sshd: Sshd) -> None:
    """RFC 6761: .invalid never does."""
    error = error_of(sshd.host(address="kvm01.invalid"))
    assert error.what.startswith("the name kvm01.invalid cannot be resolved")


@pytest.mark.parametrize("name", ["a" * 64 + ".example", "a..b", "\udcff"])
def test_a_name_that_is_none(sshd: Sshd, name: str) -> None:
    """Labels that no name may have."""
    assert error_of(sshd.host(address=name)).stage == "connect"


def test_a_network_that_swallows_packets(sshd: Sshd, listener: socket.socket) -> None:
    """The connect deadline counts: a full backlog answers no more than a firewall that drops."""
    filler = []
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        for _ in range(4):
            one = socket.socket()
            one.setblocking(False)
            one.connect_ex(full.getsockname())
            filler.append(one)
        error = error_of(at(sshd, full))
        for one in filler:
            one.close()
    assert (error.stage, "no answer" in error.what or "sent nothing" in error.what) == ("connect", True)


def test_a_host_that_accepts_and_hangs(sshd: Sshd, listener: socket.socket) -> None:
    """The kernel accepts, nobody speaks."""
    error = error_of(at(sshd, listener))
    assert (error.stage, error.what) == ("connect", "the host accepted the connection, then sent nothing for 0.5 s")


@pytest.mark.parametrize(
    "banner, words",
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "no SSH session was established"),
        (b"\0\xff\xfe\n" * 200, "no SSH session was established"),
        (b"", "the host sent no SSH banner"),
        (b"SSH-2.0-x\r\n", "the host closed the connection"),
        (b"SSH-2.0-x\r\n" + b"\xff" * 4096, "no SSH session was established"),
        (b"SSH-1.5-old\r\n", "no SSH session was established"),
    ],
)
def test_something_else_than_ssh_on_the_port(
    sshd: Sshd, listener: socket.socket, caplog: pytest.LogCaptureFixture, banner: bytes, words: str
) -> None:
    """One line, whatever it says; paramiko's tracebacks go nowhere."""

    def serve() -> None:
        connection, _ = listener.accept()
        # It may have been given up by then.
        with connection, suppress(OSError):
            connection.sendall(banner)
            connection.shutdown(socket.SHUT_WR)

    thread = threading.Thread(target=serve)
    thread.start()
    transport = SshTransport(at(sshd, listener))
    with pytest.raises(TransportError) as caught:
        transport.run("true")
    thread.join()
    assert caught.value.stage == "connect"
    assert words in caught.value.what
    assert caplog.text == ""


def test_news_on_one_stream_is_not_slept_over() -> None:
    """That the other stream has run dry says nothing about this one."""
    wakeup, out, err = _Wakeup(), BufferedPipe(), BufferedPipe()
    for pipe in (out, err):
        pipe.set_event(wakeup)
        pipe.feed("news")
    out.read(10)
    assert wakeup.is_set()


def test_a_host_that_falls_silent_after_its_banner(sshd: Sshd, listener: socket.socket) -> None:
    """The deadline holds for the key exchange, too."""
    held = []

    def serve() -> None:
        connection, _ = listener.accept()
        held.append(connection)
        connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")

    thread = threading.Thread(target=serve)
    thread.start()
    transport = SshTransport(at(sshd, listener))
    with pytest.raises(TransportError, match=r"began an SSH session, then sent nothing for 0\.5 s"):
        transport.run("true")
    thread.join()
    held[0].close()


def test_a_failure_is_shared_by_those_who_waited(sshd: Sshd, listener: socket.socket) -> None:
    """Eight threads on a hanging host take one deadline together, not eight one after the other."""
    transport = SshTransport(at(sshd, listener))
    failures: list[TransportError] = []

    def use() -> None:
        try:
            transport.run("true")
        except TransportError as error:
            failures.append(error)

    threads = [threading.Thread(target=use) for _ in range(8)]
    started = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(failures) == 8
    assert time.monotonic() - started < 8 * SHORT.connect


def test_an_sshd_that_is_killed_in_the_middle(start_sshd: Callable[..., Sshd]) -> None:
    """What was printed is kept, the command counts as unfinished; no exit code is made up, nothing is run again."""
    server = start_sshd()
    marker = server.directory / "runs"
    transport = SshTransport(server.host())
    timer = threading.Timer(0.7, server.kill)
    transport.run("true")
    timer.start()
    with pytest.raises(CommandTimeoutError, match=r"the session was lost after .* 7 bytes had been printed") as caught:
        transport.run(f"echo x >> {marker}; echo before; sleep 30")
    timer.join()
    assert caught.value.stdout == b"before\n"
    server.start()
    assert transport.run("echo back").stdout == b"back\n"
    assert marker.read_text() == "x\n"
    transport.close()


def test_a_restarted_sshd_is_connected_to_again(start_sshd: Callable[..., Sshd]) -> None:
    """Once, without a word, as nothing had been started."""
    server = start_sshd()
    transport = SshTransport(server.host())
    transport.run("true")
    server.kill()
    server.start()
    assert transport.run("echo again").stdout == b"again\n"
    server.kill()
    with pytest.raises(TransportError, match="refused the connection"):
        transport.run("true")
    transport.close()


def test_a_host_that_freezes_in_the_middle(start_sshd: Callable[..., Sshd]) -> None:
    """The deadline of the command ends the waiting."""
    server = start_sshd()
    transport = SshTransport(server.host(deadlines=SHORT))
    transport.run("true")
    frozen: list[int] = []
    timer = threading.Timer(0.4, lambda: frozen.extend(server.freeze()))
    timer.start()
    with pytest.raises(CommandTimeoutError) as caught:
        transport.run("echo before; sleep 30")
    timer.join()
    assert caught.value.stdout == b"before\n"
    server.thaw(frozen)
    transport.close()


def relay(listener: socket.socket, port: int, stalled: threading.Event, over: threading.Event) -> None:
    """Pass one connection on to a port; once `stalled`, take nothing more from the client, as a dead network does."""
    with listener.accept()[0] as client, socket.create_connection(("127.0.0.1", port)) as server:
        while not over.is_set():
            ready, _, _ = select.select([server] if stalled.is_set() else [client, server], [], [], 0.05)
            for source in ready:
                data = source.recv(65536)
                if not data:
                    return
                (server if source is client else client).sendall(data)


def test_large_input_into_a_stalled_connection_ends(sshd: Sshd, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the sending itself blocks, as it does once the buffers of a dead network are full."""

    def narrow(host: Host, address: str, port: int) -> socket.socket:
        stream = dial(host, address, port)
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        return stream

    monkeypatch.setattr("pytest_nestvirt.transport.ssh.dial", narrow)
    stalled, over = threading.Event(), threading.Event()
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        thread = threading.Thread(target=relay, args=(listener, sshd.port, stalled, over))
        thread.start()
        (sshd.directory / "relayed").write_text(f"127.0.0.1 {public(sshd.host_key)}\n")
        host = sshd.host(port=listener.getsockname()[1], known_hosts=(sshd.directory / "relayed",), deadlines=SHORT)
        transport = SshTransport(host)
        transport.run("true")
        timer = threading.Timer(0.2, stalled.set)
        timer.start()
        try:
            with pytest.raises(CommandTimeoutError):
                transport.run("cat >/dev/null", stdin=bytes(100_000_000))
        finally:
            over.set()
            transport.close()
            thread.join()
            timer.join()


def test_a_frozen_host_gives_no_new_session(start_sshd: Callable[..., Sshd]) -> None:
    """A connection that is open and dead is found out, and the next one fails at its deadline."""
    server = start_sshd()
    transport = SshTransport(server.host(deadlines=SHORT))
    transport.run("true")
    frozen = server.freeze()
    with pytest.raises(TransportError, match="connect: the host accepted the connection, then sent nothing"):
        transport.run("true")
    server.thaw(frozen)
    transport.close()


class RudeServer(paramiko.ServerInterface):
    """An SSH server that lets everyone in and then does not do its part."""

    def __init__(self, answers: str) -> None:
        self.answers = answers
        self.over = threading.Event()

    def get_allowed_auths(self, username: str) -> str:
        return "publickey"

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        if self.answers == "no login":
            self.over.wait(5)
        return paramiko.common.AUTH_SUCCESSFUL

    def check_channel_request(self, kind: str, chanid: int) -> int:
        if self.answers == "no session":
            self.over.wait(5)
        return paramiko.common.OPEN_SUCCEEDED

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        if self.answers == "no command":
            self.over.wait(5)
        if self.answers == "no status":
            channel.send(b"half an ans")
            threading.Timer(0.1, channel.close).start()
        return self.answers != "decline"


@pytest.mark.parametrize(
    "answers, kind, words",
    [
        ("no login", TransportError, "authentication: no answer within 0.5 s"),
        ("no session", TransportError, "session: the host sent nothing for 0.5 s"),
        ("no command", CommandTimeoutError, "still running after 1 s"),
        ("no status", CommandTimeoutError, "ended by a signal"),
        ("decline", TransportError, "session: the host refused to run a command"),
    ],
)
def test_every_step_has_its_deadline(
    sshd: Sshd, listener: socket.socket, answers: str, kind: type[TransportError], words: str
) -> None:
    """Login, session, command, exit status: a server that stops at any of them is an error of that step."""
    rude = RudeServer(answers)

    def serve() -> None:
        transport = paramiko.Transport(listener.accept()[0])
        transport.add_server_key(paramiko.Ed25519Key.from_private_key_file(str(sshd.host_key)))
        transport.set_log_channel("rude")
        transport.start_server(threading.Event(), rude)
        rude.over.wait(10)
        transport.close()

    thread = threading.Thread(target=serve)
    thread.start()
    host = at(sshd, listener)
    (sshd.directory / "rude").write_text(f"[127.0.0.1]:{host.ssh.port} {public(sshd.host_key)}\n")
    transport = SshTransport(sshd.host(port=host.ssh.port, known_hosts=(sshd.directory / "rude",), deadlines=SHORT))
    try:
        with pytest.raises(kind, match=words):
            transport.run("true")
    finally:
        rude.over.set()
        transport.close()
        thread.join()
