"""Who is let in, with what, and what is said where nobody is."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sshd import Sshd, make_key

from pytest_nestvirt.inventory.host import Connection, Host, SshAccess
from pytest_nestvirt.transport.base import TransportError
from pytest_nestvirt.transport.ssh import SshTransport
from pytest_nestvirt.transport.ssh_config import parse_jump, resolve_login


def logs_in(sshd: Sshd, **changes: Any) -> bool:  # noqa: ANN401 - fields of SshAccess
    """Log in and out again."""
    transport = SshTransport(sshd.host(**changes))
    try:
        return transport.run("true").exit_code == 0
    finally:
        transport.close()


def refusal(sshd: Sshd, **changes: Any) -> str:  # noqa: ANN401 - fields of SshAccess
    """The error of a login that fails."""
    with pytest.raises(TransportError) as caught:
        logs_in(sshd, **changes)
    return str(caught.value)


@pytest.fixture
def agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Path], None]]:
    """A running ssh-agent; call it with a key to add."""
    socket = tmp_path / "agent"
    process = subprocess.Popen(["ssh-agent", "-D", "-a", str(socket)], stdout=subprocess.DEVNULL)
    monkeypatch.setenv("SSH_AUTH_SOCK", str(socket))
    while not socket.exists():
        assert process.poll() is None

    def add(key: Path) -> None:
        subprocess.run(["ssh-add", "-q", str(key)], check=True, stdin=subprocess.DEVNULL)

    yield add
    process.terminate()
    process.wait()


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
def test_keys_of_every_type_open_the_door(start_sshd: Callable[..., Sshd], tmp_path: Path, kind: str) -> None:
    """Those that paramiko signs with."""
    server = start_sshd()
    key = make_key(tmp_path / kind, kind=kind)
    server.authorize(key)
    assert logs_in(server, identity=key)


def test_a_key_that_is_not_authorized_is_listed(sshd: Sshd, tmp_path: Path) -> None:
    """The message names user, host and what was tried, and how to mend it."""
    stranger = make_key(tmp_path / "stranger")
    text = refusal(sshd, identity=stranger)
    assert (
        f"kvm01: authentication: {sshd.user}@127.0.0.1:{sshd.port} refused the login: key {stranger}: refused" in text
    )
    assert "ssh-copy-id" in text


@pytest.mark.parametrize(
    "content, reason",
    [
        (None, "No such file or directory"),
        (b"not a key", "not an ed25519, ecdsa or rsa private key"),
        (b"\xff\xfe\0", "not an ed25519"),
        (b"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n", "not an ed25519"),
    ],
)
def test_a_key_that_cannot_be_read_is_an_error(sshd: Sshd, tmp_path: Path, content: bytes | None, reason: str) -> None:
    """One line with the file's name and the reason; no other key is tried in its stead."""
    key = tmp_path / "key"
    if content is not None:
        key.write_bytes(content)
        key.chmod(0o600)
    text = refusal(sshd, identity=key)
    assert text.startswith(f"kvm01: configuration: key {key}: cannot be read (")
    assert reason in text
    assert "\n" not in text


def test_a_locked_key_is_skipped_with_a_word(sshd: Sshd, tmp_path: Path) -> None:
    """Nobody is asked for a passphrase in a test run."""
    locked = make_key(tmp_path / "locked", passphrase="correct horse")
    text = refusal(sshd, identity=locked)
    assert f"key {locked}: skipped, it is protected by a passphrase (add it to the agent: ssh-add {locked})" in text


def test_the_agent_is_asked(sshd: Sshd, agent: Callable[[Path], None]) -> None:
    """Its keys open the door where it may be asked, and only there."""
    agent(sshd.client_key)
    assert logs_in(sshd, identity=None, agent=True)
    assert "there was no key, no agent" in refusal(sshd, identity=None, agent=False, config=Path(os.devnull))


def test_an_agent_with_too_many_keys_is_no_obstacle(
    start_sshd: Callable[..., Sshd], tmp_path: Path, agent: Callable[[Path], None]
) -> None:
    """The key that the configuration names is offered first: sshd ends the connection after a few wrong ones."""
    server = start_sshd(config=["MaxAuthTries 2"])
    for number in range(4):
        agent(make_key(tmp_path / f"wrong{number}"))
    agent(server.client_key)
    (tmp_path / "config").write_text(f"IdentityFile {tmp_path}/named\n")
    (tmp_path / "named.pub").write_text(server.client_key.with_name("client_key.pub").read_text())
    assert logs_in(server, identity=None, agent=True, config=tmp_path / "config")
    assert "too many attempts?" in refusal(server, identity=None, agent=True)


def test_an_agent_that_is_gone_or_silent_is_left_out(
    sshd: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stale SSH_AUTH_SOCK is everyday life."""
    monkeypatch.setenv("SSH_AUTH_SOCK", str(tmp_path / "gone"))
    assert "agent: does not answer (No such file" in refusal(sshd, identity=None, agent=True)


def test_a_certificate_opens_the_door(start_sshd: Callable[..., Sshd], tmp_path: Path) -> None:
    """Beside its key, or named; a key whose certificate has expired is tried without it."""
    authority, key = make_key(tmp_path / "ca"), make_key(tmp_path / "key")
    server = start_sshd(config=[f"TrustedUserCAKeys {authority}.pub"])
    sign = ["ssh-keygen", "-q", "-s", str(authority), "-I", "test", "-n", server.user]
    subprocess.run([*sign, f"{key}.pub"], check=True, stderr=subprocess.DEVNULL)
    assert logs_in(server, identity=key)
    (tmp_path / "key-cert.pub").rename(tmp_path / "elsewhere")
    assert "refused" in refusal(server, identity=key)
    assert logs_in(server, identity=key, certificate=tmp_path / "elsewhere")
    subprocess.run([*sign, "-V", "19990101:19990102", f"{key}.pub"], check=True, stderr=subprocess.DEVNULL)
    server.authorize(key)
    assert logs_in(server, identity=key)


def test_a_certificate_that_is_none_is_an_error(sshd: Sshd, tmp_path: Path) -> None:
    """It was named in the inventory."""
    (tmp_path / "certificate").write_text("nonsense")
    text = refusal(sshd, certificate=tmp_path / "certificate")
    assert text.startswith(f"kvm01: configuration: certificate {tmp_path}/certificate: cannot be used (")


def test_a_wrong_password_is_refused_and_never_shown(
    start_sshd: Callable[..., Sshd], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message names the variable, not what is in it."""
    server = start_sshd(config=["PasswordAuthentication yes"])
    monkeypatch.setenv("KVM01_PASSWORD", "hunter2-secret")
    text = refusal(server, identity=None, password_env="KVM01_PASSWORD")
    assert "password from KVM01_PASSWORD: refused" in text
    assert "hunter2" not in text


def test_a_variable_that_is_not_set_is_an_error(
    start_sshd: Callable[..., Sshd], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With what had been tried before the password's turn came; where a key opens the door, nobody misses it."""
    server = start_sshd()
    monkeypatch.delenv("KVM01_PASSWORD", raising=False)
    stranger = make_key(tmp_path / "stranger")
    text = refusal(server, identity=stranger, password_env="KVM01_PASSWORD")
    assert "configuration: the environment variable that password_env names is not set (tried before: key " in text
    assert logs_in(server, password_env="KVM01_PASSWORD")


def test_methods_the_host_does_not_take_are_not_tried(start_sshd: Callable[..., Sshd], tmp_path: Path) -> None:
    """One key is enough to hear that keys are not taken."""
    server = start_sshd(config=["PubkeyAuthentication no", "PasswordAuthentication yes"])
    one, two = make_key(tmp_path / "one"), make_key(tmp_path / "two")
    (tmp_path / "config").write_text(f"IdentityFile {one}\nIdentityFile {two}\n")
    text = refusal(server, identity=None, config=tmp_path / "config")
    assert f"key {one}: the host accepts only password; key {two}: not tried, the host accepts only password" in text


def test_a_password_is_not_sent_again_to_a_host_that_takes_keys_only(
    sshd: Sshd, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message says what it takes."""
    monkeypatch.setenv("KVM01_PASSWORD", "x")
    text = refusal(sshd, identity=None, password_env="KVM01_PASSWORD")
    assert "password from KVM01_PASSWORD: the host accepts only publickey" in text


def test_the_ssh_configuration_is_followed(sshd: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """~/.ssh/config: HostName, Port, User, IdentityFile with tokens, Include, the first value of each counting."""
    home = tmp_path / "home"
    (home / ".ssh").mkdir(parents=True)
    (home / ".ssh" / "config").write_text(
        "Include conf.d/*\n"
        f"Host kvm*\n  HostName 127.0.0.3\n  Port={sshd.port}\n  IdentityFile ~/.ssh/missing\n  IdentityFile %d/.ssh/key-%h-%r\n"
        "Host *\n  HostName 192.0.2.1\n"
    )
    (home / ".ssh" / "conf.d").mkdir()
    (home / ".ssh" / "conf.d" / "user").write_text(f'User "{sshd.user}"\n')
    (home / ".ssh" / f"key-127.0.0.3-{sshd.user}").symlink_to(sshd.client_key)
    monkeypatch.setenv("HOME", str(home))
    changes = {"address": "kvm07", "port": None, "user": None, "identity": None, "config": None}
    assert logs_in(sshd, **changes)


@pytest.mark.parametrize(
    "config, words",
    [
        ("Port many\n", "Port many"),
        ("Host x\nInclude other\n", "below `Host x` is not supported"),
        ("ProxyCommand nc %h %p\n", "ProxyCommand is not supported"),
        ("Match nonsense\n", "/config: "),
        ("Include self\n", "too deeply"),
    ],
)
def test_a_configuration_that_cannot_be_followed_is_an_error(
    sshd: Sshd, tmp_path: Path, config: str, words: str
) -> None:
    """Rather than a connection to another place than ssh's."""
    (tmp_path / "self").write_text("Include self\n")
    (tmp_path / "config").write_text(config)
    text = refusal(sshd, port=None, config=tmp_path / "config")
    assert text.startswith("kvm01: configuration: ")
    assert words in text


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.sampled_from(
            [
                "Host",
                "Match",
                "Port",
                "User",
                "ProxyJump",
                "IdentityFile",
                "Include",
                "HostName",
                "CanonicalizeHostname",
                "all",
                "final",
                "host",
                "kvm*",
                "!kvm01",
                "%h",
                "%%",
                "%",
                "22",
                "-1",
                "none",
                "yes",
                "a@b:22,c",
                "~x",
                '"',
                "=",
                "\n",
                "\0",
                "é",
                " ",
            ]
        )
    ).map(" ".join)
)
def test_no_configuration_upsets_the_reader(tmp_path: Path, text: str) -> None:
    """Any text gives a login or an error of its own, and a jump host is read or refused."""
    (tmp_path / "config").write_text(text)
    host = Host("kvm01", 0, None, Connection.SSH, SshAccess(config=tmp_path / "config"))
    try:
        login = resolve_login(host)
    except TransportError as error:
        assert error.stage == "configuration"  # noqa: PT017 - one of two outcomes
        return
    assert login.hostname
    for jump in login.jumps:
        with suppress(ValueError):
            assert parse_jump(jump).host in jump


def test_a_configuration_that_was_named_must_exist(sshd: Sshd, tmp_path: Path) -> None:
    """A missing ~/.ssh/config is nothing; a missing file that the inventory names is a mistake."""
    assert "cannot be read: No such file" in refusal(sshd, config=tmp_path / "missing")


def test_two_steps_are_taken_where_the_host_wants_two(
    start_sshd: Callable[..., Sshd], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Key, then password; the first is told as accepted where the second fails."""
    server = start_sshd(config=["PasswordAuthentication yes", "AuthenticationMethods publickey,password"])
    monkeypatch.setenv("KVM01_PASSWORD", "wrong")
    text = refusal(server, password_env="KVM01_PASSWORD")
    assert f"key {server.client_key}: accepted, but the host also wants password" in text
    assert "password from KVM01_PASSWORD: refused" in text
