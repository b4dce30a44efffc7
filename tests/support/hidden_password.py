"""A pytest file that is run as its own process: logins and sudo with a password, ended in every way while they wait.

`HOW` says how: `signal` and `thread` are pytest-timeout's methods, SIGINT and SIGTERM come from outside, `crash` is an
exception in paramiko.
"""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import paramiko
import pytest
from paramiko.server import InteractiveQuery

from pytest_nestvirt.inventory.host import Become, Connection, Deadlines, Host, HostKeyPolicy, SshAccess
from pytest_nestvirt.transport.ssh import SshTransport

HOW = os.environ["HOW"]


class Waiting(paramiko.ServerInterface):
    """An SSH server that asks for a password in one way or another, and then answers no more."""

    def __init__(self, asks: str) -> None:
        self.asks = asks
        self.reached = threading.Event()
        self.over = threading.Event()

    def get_allowed_auths(self, username: str) -> str:
        return "password" if self.asks == "sudo" else self.asks

    def wait(self) -> int:
        self.reached.set()
        self.over.wait(30)
        return paramiko.common.AUTH_FAILED

    def check_auth_password(self, username: str, password: str) -> int:
        return paramiko.common.AUTH_SUCCESSFUL if self.asks == "sudo" else self.wait()

    def check_auth_interactive(self, username: str, submethods: str) -> InteractiveQuery:
        return InteractiveQuery("", "", "Password:")

    def check_auth_interactive_response(self, responses: list[str]) -> int:
        return self.wait()

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return paramiko.common.OPEN_SUCCEEDED

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        prompt = command.partition(b"-p ")[2].partition(b"'")[2].partition(b"'")[0]
        channel.send_stderr(prompt)
        self.reached.set()
        return True


@pytest.fixture(params=["password", "keyboard-interactive", "sudo"])
def transport(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SshTransport]:
    """A transport to such a server, and the ending that comes once it waits."""
    server = Waiting(request.param)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection = paramiko.Transport(listener.accept()[0])
            connection.set_log_channel("served")
            connection.add_server_key(paramiko.ECDSAKey.generate())
            connection.start_server(threading.Event(), server)
            server.over.wait(30)
            connection.close()

        def end() -> None:
            server.reached.wait(20)
            os.kill(os.getpid(), signal.Signals[HOW])

        threading.Thread(target=serve, daemon=True).start()
        if HOW.startswith("SIG"):
            threading.Thread(target=end, daemon=True).start()
        access = SshAccess(
            address="127.0.0.1",
            port=listener.getsockname()[1],
            user="tester",
            password_env="HIDDEN_PASSWORD",
            known_hosts=(tmp_path / "known_hosts",),
            host_key=HostKeyPolicy.ACCEPT_NEW,
            config=Path(os.devnull),
            agent=False,
        )
        host = Host("kvm01", 0, None, Connection.SSH, access, Deadlines(20, 20, 20))
        yield SshTransport(replace(host, become=Become.SUDO, become_password_env="HIDDEN_PASSWORD"))
        server.over.set()


def test_login(transport: SshTransport, monkeypatch: pytest.MonkeyPatch) -> None:
    """It never gets further than the password."""
    if HOW == "crash":
        monkeypatch.setattr(paramiko.Message, "add_string", _unless_password(paramiko.Message.add_string))
    transport.run("true", become=True)


def _unless_password(add_string: object) -> object:
    """Paramiko's method, which fails once it gets the password: its frames hold it then."""

    def add(message: paramiko.Message, text: object) -> object:
        done = add_string(message, text)  # type: ignore[operator]
        if os.environb[b"HIDDEN_PASSWORD"] in message.asbytes():
            raise RuntimeError("crashed on purpose")
        return done

    return add
