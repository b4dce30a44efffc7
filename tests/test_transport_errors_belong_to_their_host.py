"""Whatever a host, its configuration or a library raises is that host's error, in one line, and ends nothing else."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import paramiko
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sshd import Sshd

from pytest_nestvirt.inventory.host import Connection, Host, SshAccess
from pytest_nestvirt.transport import ssh, ssh_session
from pytest_nestvirt.transport.base import Stage, TransportError, failures_at
from pytest_nestvirt.transport.host_keys import KnownHosts
from pytest_nestvirt.transport.local import LocalTransport
from pytest_nestvirt.transport.ssh import SshTransport
from pytest_nestvirt.transport.ssh_config import resolve_login

SURPRISES = [
    RuntimeError("over\nlines"),
    ValueError("x" * 10_000),
    UnicodeEncodeError("utf-8", "\udcff", 0, 1, "surrogates not allowed"),
    OverflowError("Python int too large to convert to C ssize_t"),
    MemoryError(),
    RecursionError("maximum recursion depth exceeded"),
    ImportError("no module named invoke"),
    StopIteration(),
    KeyError("key"),
    OSError(5, "Input/output error"),
    paramiko.SSHException("broken"),
    NotImplementedError(),
]
STEPS = {
    "resolve": (ssh, "resolve_login"),
    "look up": (socket, "getaddrinfo"),
    "connect": (socket.socket, "connect"),
    "banner": (paramiko.Transport, "_check_banner"),
    "key exchange": (paramiko.Transport, "_parse_kex_init"),
    "known hosts": (ssh, "KnownHosts"),
    "host key": (KnownHosts, "verify"),
    "authentication": (paramiko.Transport, "auth_publickey"),
    "channel": (paramiko.Transport, "open_channel"),
    "exec": (ssh_session, "_ask"),
    "read": (paramiko.Channel, "recv"),
    "send": (paramiko.Channel, "send"),
    "status": (ssh_session.Session, "_status"),
}
"""Where something may be raised on the way of one command, and what is replaced to raise it there."""


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("surprise", SURPRISES, ids=lambda error: type(error).__name__)
def test_any_exception_at_any_step_is_the_hosts_error(
    sshd: Sshd, monkeypatch: pytest.MonkeyPatch, step: str, surprise: Exception
) -> None:
    """From the configuration to the exit status: one line with the host's name; the next use starts anew."""
    place, name = STEPS[step]
    transport = SshTransport(sshd.host())

    def surprising(*_: object, **__: object) -> object:
        raise surprise

    with monkeypatch.context() as patch:
        patch.setattr(place, name, surprising)
        with pytest.raises(TransportError) as caught:
            transport.run("cat", stdin=b"input")
    assert caught.value.host == "kvm01"
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 1000
    assert transport.run("echo again").stdout == b"again\n"
    transport.close()


@pytest.mark.parametrize("surprise", SURPRISES, ids=lambda error: type(error).__name__)
def test_what_goes_wrong_while_closing_changes_nothing(
    sshd: Sshd, monkeypatch: pytest.MonkeyPatch, surprise: Exception
) -> None:
    """The answer that was found out stays an answer."""
    transport = SshTransport(sshd.host())
    places: tuple[type[paramiko.Channel | paramiko.Transport], ...] = (paramiko.Channel, paramiko.Transport)
    closers: dict[type, Callable[..., None]] = {place: place.close for place in places}

    def closing(place: type) -> Callable[..., None]:
        def close(self: object) -> None:
            closers[place](self)
            raise surprise

        return close

    with monkeypatch.context() as patch:
        for place in closers:
            patch.setattr(place, "close", closing(place))
        assert transport.run("echo well").stdout == b"well\n"
        transport.close()


@pytest.mark.parametrize("surprise", SURPRISES, ids=lambda error: type(error).__name__)
def test_the_local_machine_is_a_host_like_any_other(monkeypatch: pytest.MonkeyPatch, surprise: Exception) -> None:
    """A process that cannot be started is this machine's error."""

    def surprising(*_: object, **__: object) -> object:
        raise surprise

    monkeypatch.setattr(subprocess, "Popen", surprising)
    with pytest.raises(TransportError, match=r"^here: "):
        LocalTransport(Host("here", 0, None, Connection.LOCAL)).run("true")


@pytest.mark.parametrize("leaving", [KeyboardInterrupt, SystemExit, pytest.fail.Exception])
def test_what_ends_the_run_passes(leaving: type[BaseException]) -> None:
    """Ctrl-C and time-outs are not a host's error."""
    with pytest.raises(leaving), failures_at(Stage.CONNECT, "kvm01"):
        raise leaving("end")


def resolve(tmp_path: Path, config: str) -> int:
    """The port that a configuration gives the host kvm01, user `tester`."""
    (tmp_path / "config").write_text(config)
    return resolve_login(Host("kvm01", 0, None, Connection.SSH, SshAccess(config=tmp_path / "config"))).port


@pytest.mark.parametrize(
    "line, applies",
    [
        ("Match exec true", True),
        ("Match exec false", False),
        ('Match exec "exit 7"', False),
        ("Match !exec false", True),
        ("Match !exec true", False),
        ('Match host kvm* exec "test %h = kvm01"', True),
        ('Match host other exec "touch {mark}"', False),
        ('Match exec "touch {mark}" host other', False),
        ("Match exec true exec false", False),
        ('Match exec "read -r line"', False),
        ('Match exec "echo loud; echo loud >&2"', True),
    ],
)
def test_a_command_of_the_configuration_decides_as_in_ssh(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], line: str, applies: bool
) -> None:
    """`Match exec` runs with nothing on its standard input and no output, and only where the rest of the line applies."""
    mark = tmp_path / "mark"
    assert resolve(tmp_path, f"{line.format(mark=mark)}\n  Port 2222\n") == (2222 if applies else 22)
    assert not mark.exists()
    assert capfd.readouterr() == ("", "")


def test_a_command_of_the_configuration_that_does_not_end_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has a deadline, and the message shows it."""
    monkeypatch.setattr("pytest_nestvirt.transport.ssh_config._EXEC_SECONDS", 0.2)
    with pytest.raises(TransportError, match=r"kvm01: configuration: .*`Match exec sleep 60` did not end within 0.2 s"):
        resolve(tmp_path, 'Match exec "sleep 60"\n  Port 2222\n')


def test_a_command_of_the_configuration_does_not_end_a_pytest_run(tmp_path: Path) -> None:
    """Under pytest's capture, whose standard input refuses to be read."""
    (tmp_path / "config").write_text("Match exec true\n  Port 1\n")
    (tmp_path / "lab.yml").write_text("hosts:\n  kvm01: {address: 127.0.0.1, ssh_config: config}\n")
    (tmp_path / "suite").mkdir()
    (tmp_path / "suite" / "test_own.py").write_text("def test_own(host): pass\n")
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--hosts=lab.yml", "suite"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "127.0.0.1:1 refused the connection" in done.stdout
    assert "INTERNALERROR" not in done.stdout + done.stderr


def bind(path: Path) -> None:
    """Make a socket there."""
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))


def link_to_fifo(path: Path) -> None:
    """Make a named pipe beside it, and the link."""
    os.mkfifo(path.with_name("pipe"))
    path.symlink_to(path.with_name("pipe"))


def make_huge(path: Path) -> None:
    """Make a file of a tebibyte that takes no room."""
    path.touch()
    os.truncate(path, 1 << 40)


SPECIAL: dict[str, Callable[[Path], None]] = {
    "fifo": os.mkfifo,
    "directory": lambda path: path.mkdir(),
    "socket": bind,
    "device": lambda path: path.symlink_to("/dev/zero"),
    "link to a fifo": link_to_fifo,
    "huge": make_huge,
    "loop": lambda path: path.symlink_to(path),
}


@pytest.mark.parametrize("kind", SPECIAL)
@pytest.mark.parametrize(
    "place", ["identity", "certificate", "known_hosts", "config", "included", "IdentityFile", "beside", "public"]
)
def test_what_is_not_a_regular_file_is_never_waited_for(
    sshd: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, place: str
) -> None:
    """A named pipe, a device, a file without end: an error or one thing less to try, at once, wherever a file is named."""
    monkeypatch.chdir(tmp_path)
    file = Path("odd")
    config = tmp_path / "config"
    config.write_text({"included": "Include odd\n", "IdentityFile": f"IdentityFile {tmp_path}/odd\n"}.get(place, ""))
    changes: dict[str, Any] = {"config": config} if config.read_text() else {}
    if place == "identity":
        changes["identity"] = file
    elif place == "certificate":
        changes["certificate"] = file
    elif place == "known_hosts":
        changes["known_hosts"] = (file,)
    elif place == "config":
        changes["config"] = file
    elif place in ("beside", "public"):
        key = tmp_path / "key"
        key.write_bytes(sshd.client_key.read_bytes())
        key.chmod(0o600)
        changes["identity"] = key
        file = Path("key-cert.pub" if place == "beside" else "key.pub")
    if place == "IdentityFile":
        changes["identity"] = None
    SPECIAL[kind](file)
    transport = SshTransport(sshd.host(**changes))
    if place in ("beside", "public"):
        assert transport.run("true").exit_code == 0
    else:
        with pytest.raises(TransportError, match=r"odd|no key") as caught:
            transport.run("true")
        assert "\n" not in str(caught.value)
    transport.close()


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660, 0o610])
def test_a_key_that_other_accounts_can_access_is_not_used(sshd: Sshd, tmp_path: Path, mode: int) -> None:
    """As in ssh. Named in the inventory it is an error, in ssh's configuration it is skipped; both say how to fix it."""
    key = tmp_path / "key"
    key.write_bytes(sshd.client_key.read_bytes())
    key.chmod(mode)
    (tmp_path / "config").write_text(f"IdentityFile {key}\n")
    with pytest.raises(TransportError) as named:
        SshTransport(sshd.host(identity=key)).run("true")
    assert named.value.stage is Stage.CONFIGURATION
    with pytest.raises(TransportError) as found:
        SshTransport(sshd.host(identity=None, config=tmp_path / "config")).run("true")
    assert found.value.stage is Stage.AUTHENTICATION
    for error in (named, found):
        assert f"other accounts can access it (mode {mode:04o})" in str(error.value)
        assert f"chmod 600 {key}" in str(error.value)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_key_of_another_account_is_used_as_in_ssh(sshd: Sshd, tmp_path: Path) -> None:
    """OpenSSH checks the mode of keys that belong to the account that logs in, no others: mounted secrets have an owner of their own."""
    key = tmp_path / "key"
    key.write_bytes(sshd.client_key.read_bytes())
    key.chmod(0o640)
    os.chown(key, 12345, 0)
    transport = SshTransport(sshd.host(identity=key))
    assert transport.run("true").exit_code == 0
    transport.close()


def test_configurations_that_include_each_other_end(tmp_path: Path) -> None:
    """Fifteen files, each including the next one twice, would have 32,768 parts."""
    for number in range(15):
        (tmp_path / f"{number}").write_text(f"Include {number + 1}\n" * 2 + "Port 22\n" * 10)
    (tmp_path / "15").write_text("Port 2222\n")
    with pytest.raises(TransportError, match="more than 100000 lines"):
        resolve(tmp_path, "Include 0\n")


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.binary(max_size=400) | st.binary(max_size=200).map(lambda data: b"-----BEGIN OPENSSH PRIVATE KEY-----\n" + data)
)
def test_no_key_file_upsets_its_reader(sshd: Sshd, tmp_path: Path, data: bytes) -> None:
    """Any bytes in place of a key are the host's error of configuration."""
    key = tmp_path / "key"
    key.write_bytes(data)
    key.chmod(0o600)
    from pytest_nestvirt.transport.credentials import Wallet

    host = sshd.host(identity=key)
    with Wallet(host, resolve_login(host)) as wallet, pytest.raises(TransportError) as caught:
        list(wallet.credentials())
    assert caught.value.stage is Stage.CONFIGURATION
