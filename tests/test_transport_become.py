"""Becoming root on a host where somebody else logs in: real sudo, real passwords, and nobody overhears them."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from sshd import Sshd, public, why_not

from pytest_nestvirt.inventory.host import Become, Connection, Host
from pytest_nestvirt.transport.base import CommandTimeoutError, Completed, TransportError
from pytest_nestvirt.transport.local import LocalTransport
from pytest_nestvirt.transport.secret import Secret
from pytest_nestvirt.transport.ssh import SshTransport
from pytest_nestvirt.transport.streams import Exchange
from pytest_nestvirt.transport.sudo import SudoGate

PASSWORD = "c0rrect-h0rse"
VARIABLE = "KVM01_SUDO_PASSWORD"


@dataclass(frozen=True)
class Account:
    """A user of this machine, made for the tests."""

    name: str
    sudoers: Path

    def may(self, rule: str) -> None:
        """Set its line in sudoers."""
        self.sudoers.write_text(f"Defaults:{self.name} timestamp_timeout=0\n{self.name} {rule}\n" if rule else "")
        self.sudoers.chmod(0o440)


@pytest.fixture(scope="module")
def account() -> Iterator[Account]:
    """A user with a password, who may do nothing yet."""
    if reason := why_not():
        pytest.skip(reason)
    if (
        os.geteuid() != 0
        or not Path("/etc/sudoers.d").is_dir()
        or not all(map(shutil.which, ("sudo", "useradd", "chpasswd")))
    ):
        pytest.skip("needs root and sudo (apt-get install sudo) to make a user who may become root")
    name = f"nestvirt{os.getpid()}"
    subprocess.run(["useradd", "--create-home", "--shell", "/bin/sh", name], check=True)
    user = Account(name, Path("/etc/sudoers.d") / name)
    try:
        subprocess.run(["chpasswd"], input=f"{name}:{PASSWORD}".encode(), check=True)
        yield user
    finally:
        user.sudoers.unlink(missing_ok=True)
        subprocess.run(["userdel", "--remove", "--force", name], check=True, capture_output=True)


Run = Callable[..., Completed]


@pytest.fixture(scope="module")
def server(account: Account, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    """An sshd that lets in that user: authorized keys are read with the user's own rights."""
    with Sshd(tmp_path_factory.mktemp("sshd"), config=["AuthorizedKeysFile .ssh/authorized_keys"]) as server:
        keys = Path(os.path.expanduser(f"~{account.name}")) / ".ssh" / "authorized_keys"  # noqa: PTH111
        keys.parent.mkdir(exist_ok=True)
        keys.write_text(f"{public(server.client_key)}\n")
        yield server


@pytest.fixture
def as_user(server: Sshd, account: Account) -> Iterator[Run]:
    """Log in as that user and run a command as root; `env=VARIABLE` names the password."""
    opened = []

    def run(command: str, env: str | None = None, *, become: Become = Become.SUDO, **options: object) -> Completed:
        host = replace(server.host(user=account.name), become=become, become_password_env=env)
        opened.append(SshTransport(host))
        return opened[-1].run(command, become=True, **options)  # type: ignore[arg-type]

    yield run
    for transport in opened:
        transport.close()


@pytest.fixture
def password(monkeypatch: pytest.MonkeyPatch) -> str:
    """The right password, in the variable that the inventory names."""
    monkeypatch.setenv(VARIABLE, PASSWORD)
    return PASSWORD


def test_sudo_without_a_password_gives_root(account: Account, as_user: Run) -> None:
    """`sudo -n`; standard input, both outputs and the exit code are the command's."""
    account.may("ALL=(ALL) NOPASSWD: ALL")
    done = as_user("id -u; cat; echo oops >&2; exit 7", stdin=b"input\n")
    assert (done.exit_code, done.stdout, done.stderr) == (7, b"0\ninput\n", b"oops\n")


def test_a_password_gives_root_and_goes_nowhere_else(account: Account, as_user: Run, password: str) -> None:
    """Sudo reads the password, the command reads its own input and nothing of the password."""
    account.may("ALL=(ALL) ALL")
    done = as_user("id -u; cat; echo oops >&2", VARIABLE, stdin=b"input\n")
    assert (done.exit_code, done.stdout, done.stderr) == (0, b"0\ninput\n", b"oops\n")


def test_a_password_that_is_not_asked_for_is_not_sent(account: Account, as_user: Run, password: str) -> None:
    """Where sudo does not ask, a password sent unasked would be the first line of the command's input."""
    account.may("ALL=(ALL) NOPASSWD: ALL")
    done = as_user("cat", VARIABLE, stdin=b"input\n")
    assert (done.stdout, done.stderr) == (b"input\n", b"")


def test_a_script_as_root_is_not_disturbed(account: Account, as_user: Run, password: str) -> None:
    """The probe's way: `sh` reading a script from standard input, as root."""
    account.may("ALL=(ALL) ALL")
    assert as_user("sh", VARIABLE, stdin=b"id -u\necho 'it works'\n").stdout == b"0\nit works\n"


def test_a_wrong_password_is_an_error_without_the_password(
    account: Account, as_user: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not an exit code that a check could take for the command's."""
    account.may("ALL=(ALL) ALL")
    monkeypatch.setenv(VARIABLE, "wr0ng-secret")
    with pytest.raises(TransportError) as caught:
        as_user("id -u", VARIABLE)
    assert "authentication: sudo refused the password" in str(caught.value)
    assert "wr0ng" not in str(caught.value)


def test_a_password_that_is_needed_and_not_given_is_an_error(account: Account, as_user: Run) -> None:
    """`sudo -n` says that a password is required; the message passes it on, with the way to mend it."""
    account.may("ALL=(ALL) ALL")
    with pytest.raises(TransportError, match=r"sudo did not start the command: .*password.*become_password_env"):
        as_user("id -u")


def test_a_user_who_may_not_is_an_error(account: Account, as_user: Run, password: str) -> None:
    """Whatever sudo says about sudoers, in one line and without the password."""
    account.may("")
    with pytest.raises(TransportError, match="sudo did not start the command") as caught:
        as_user("id -u", VARIABLE)
    assert "\n" not in str(caught.value)
    assert password not in str(caught.value)


def test_a_variable_that_is_not_set_is_an_error(as_user: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is connected."""
    monkeypatch.delenv(VARIABLE, raising=False)
    with pytest.raises(TransportError, match="the environment variable that become_password_env names is not set"):
        as_user("id -u", VARIABLE)


def test_never_means_never(as_user: Run) -> None:
    """`become: never` is not overruled by whoever asks for root."""
    with pytest.raises(TransportError, match="become: never"):
        as_user("id -u", become=Become.NEVER)


def test_partial_output_at_the_deadline_is_the_commands_own(account: Account, as_user: Run, password: str) -> None:
    """Prompt and mark are sudo's talk and stand in no output."""
    account.may("ALL=(ALL) ALL")
    with pytest.raises(CommandTimeoutError) as caught:
        as_user("echo out; echo err >&2; sleep 4", VARIABLE, timeout=2)
    assert (caught.value.stdout, caught.value.stderr) == (b"out\n", b"err\n")


def test_a_password_opens_the_ssh_door_too(
    start_sshd: Callable[..., Sshd], account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`password_env` of the login: the right password lets in."""
    server = start_sshd(config=["PasswordAuthentication yes"])
    monkeypatch.setenv(VARIABLE, PASSWORD)
    transport = SshTransport(server.host(user=account.name, identity=None, password_env=VARIABLE))
    assert transport.run("id -un").stdout.decode().strip() == account.name
    transport.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs to be root already")
def test_root_needs_no_sudo() -> None:
    """Hosts without sudo, where root logs in, are looked at all the same; `become: never` is met."""
    host = Host("here", 0, None, Connection.LOCAL, become=Become.NEVER)
    assert LocalTransport(host).run("id -u", become=True).stdout == b"0\n"


def test_input_is_held_back_until_the_command_has_started() -> None:
    """Nothing can be sent, and nothing is closed, before sudo has asked or the command has announced itself."""
    gate = SudoGate("kvm01", Secret(b"secret"))
    exchange = Exchange(b"input", gate=gate)
    nonce = gate.wrap("true").split("[nestvirt ")[1].split()[0]
    assert (bytes(exchange.outgoing), exchange.all_sent) == (b"", False)
    exchange.heard_stderr(f"[nestvirt {nonce} password]".encode())
    assert bytes(exchange.outgoing) == b"secret\n"
    exchange.sent(7)
    assert (bytes(exchange.outgoing), exchange.all_sent) == (b"", False)
    exchange.heard_stderr(f"[nestvirt {nonce} started]".encode())
    assert bytes(exchange.outgoing) == b"input"


def test_the_gate_finds_prompt_and_mark_in_pieces() -> None:
    """Output arrives in pieces of any size: byte by byte the conversation is the same."""
    gate = SudoGate("kvm01", Secret(b"secret"))
    command = gate.wrap("true")
    prompt, mark = (
        f"[nestvirt {command.split('[nestvirt ')[1].split()[0]} {word}]".encode() for word in ("password", "started")
    )
    answers, heard = [], b""
    for byte in b"lecture\n" + prompt + mark + b"the command's" + prompt:
        heard += gate.heard(bytes([byte]))
        answers.append(gate.take_answer())
    assert [answer for answer in answers if answer] == [b"secret\n"]
    assert heard == b"the command's" + prompt
    assert (gate.started, gate.refused) == (True, False)
