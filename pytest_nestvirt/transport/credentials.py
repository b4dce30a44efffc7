"""What can be offered to a host to log in: keys, certificates, the agent's keys, a password; in this order."""

from __future__ import annotations

import io
import os
import socket
import stat
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import paramiko
from paramiko.agent import AgentKey, AgentSSH

from pytest_nestvirt.inventory.host import Host
from pytest_nestvirt.regular_file import read_regular_file
from pytest_nestvirt.transport.base import Stage, TransportError
from pytest_nestvirt.transport.peer import PEER_FAILURES, reason
from pytest_nestvirt.transport.secret import Secret, environment_variable, login_password, without_frames
from pytest_nestvirt.transport.ssh_config import Login

_AGENT_SECONDS = 5.0
_KEY_BYTES = 64 * 1024
_OTHERS = 0o077
_KEY_CLASSES = (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey)


@dataclass(frozen=True, slots=True)
class Credential:
    """One thing to try. `what` names it for people; neither key nor password is ever in a message."""

    what: str
    key: paramiko.PKey | None = field(default=None, repr=False)
    password: Secret | None = field(default=None, repr=False)

    @property
    def method(self) -> str:
        """As SSH calls it."""
        return "publickey" if self.key is not None else "password"


class LockedKeyError(Exception):
    """The private key is protected by a passphrase."""


class ExposedKeyError(Exception):
    """Other accounts can read the private key."""


class TimedAgent(AgentSSH):
    """The keys of a running ssh-agent. One that does not answer counts as none; paramiko's own would wait forever."""

    def __init__(self, path: str) -> None:
        super().__init__()
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.settimeout(_AGENT_SECONDS)
            connection.connect(path)
            self._connect(connection)  # type: ignore[attr-defined]
        except BaseException:
            connection.close()
            raise

    def close(self) -> None:
        """Give back the connection."""
        self._close()  # type: ignore[attr-defined]


class _AgentsKey(AgentKey):
    """A key of the agent. paramiko ends the connection if the agent refuses to sign; here the next key is tried."""

    def sign_ssh_data(self, data: bytes, algorithm: str | None = None) -> bytes:  # type: ignore[override]
        try:
            return super().sign_ssh_data(data, algorithm)  # type: ignore[return-value]
        except (paramiko.SSHException, OSError):
            return b""


class Wallet:
    """The credentials for one login, fetched as they are needed, and what had to be left out (`skipped`)."""

    def __init__(self, host: Host, login: Login) -> None:
        self._host = host
        self._login = login
        self._open = ExitStack()
        self.skipped: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def credentials(self) -> Iterator[Credential]:
        """Everything that can be tried. Raises `TransportError` for what the inventory names and cannot be used."""
        for path in self._login.identities:
            yield from self._identity(path)
        if self._host.ssh.agent:
            yield from self._agent()
        if self._host.ssh.password_env is not None:
            password = login_password(self._host)
            yield Credential(f"password from {self._host.ssh.password_env}", password=password)

    def _identity(self, path: Path) -> Iterator[Credential]:
        """The key, with its certificates first. ssh tries both, too: a certificate may have expired."""
        try:
            if not self._login.required and not path.exists():
                return
            beside = path.with_name(path.name + "-cert.pub")
            for certificate in (*self._login.certificates, *([beside] if beside.exists() else [])):
                yield from self._certified(path, certificate)
            yield Credential(f"key {path}", key=load_key(path))
        except LockedKeyError:
            self.skipped.append(
                f"key {path}: skipped, it is protected by a passphrase (add it to the agent: ssh-add {path})"
            )
        except ExposedKeyError as error:
            if self._login.required:
                raise self._unusable(f"key {path}: {error}", f"chmod 600 {path}") from error
            self.skipped.append(f"key {path}: skipped, {error} (chmod 600 {path})")
        except (OSError, paramiko.SSHException, ValueError) as error:
            what = f"key {path}: cannot be read ({reason(error)})"
            if self._login.required:
                raise self._unusable(what, "set `identity:` to the path of a private key") from error
            self.skipped.append(what)

    def _certified(self, path: Path, certificate: Path) -> Iterator[Credential]:
        key = load_key(path)
        try:
            key.load_certificate(read_regular_file(certificate, _KEY_BYTES).decode("utf-8"))
        except PEER_FAILURES as error:
            what = f"certificate {certificate}: cannot be used ({reason(error)})"
            if certificate == self._host.ssh.certificate:
                raise self._unusable(what, "set `certificate:` to the certificate of that key") from error
            self.skipped.append(what)
            return
        yield Credential(f"certificate {certificate}", key=key)

    def _unusable(self, what: str, remedy: str) -> TransportError:
        return TransportError(self._host.name, Stage.CONFIGURATION, what, remedy)

    def _agent(self) -> Iterator[Credential]:
        path = environment_variable("SSH_AUTH_SOCK")
        if not path:
            return
        try:
            agent = TimedAgent(path)
        except (OSError, paramiko.SSHException, ValueError) as error:
            self.skipped.append(f"agent: does not answer ({reason(error)})")
            return
        self._open.callback(agent.close)
        wanted = {blob for path in self._login.identities if (blob := _public_blob(path))}
        # The keys that the configuration names come first: servers take few attempts (MaxAuthTries).
        for key in sorted(agent.get_keys(), key=lambda key: key.blob not in wanted):
            if key.blob in wanted or not self._login.identities_only:
                yield Credential(
                    f"agent's key {key.comment or key.get_name()}", key=_AgentsKey(agent, key.blob, key.comment)
                )


def _public_blob(path: Path) -> bytes | None:
    """The public half of a key from the `.pub` beside it; None where there is none."""
    try:
        text = read_regular_file(path.with_name(path.name + ".pub"), _KEY_BYTES).decode("utf-8")
        return paramiko.pkey.PublicBlob.from_string(text).key_blob
    except PEER_FAILURES:
        return None


def load_key(path: Path) -> paramiko.PKey:
    """A private key of any type paramiko signs with. Raises LockedKeyError, ExposedKeyError, OSError, SSHException."""
    return without_frames(lambda: _loaded(path))


def _loaded(path: Path) -> paramiko.PKey:
    _require_private(path)
    text = read_regular_file(path, _KEY_BYTES).decode("utf-8", "replace")
    for kind in _KEY_CLASSES:
        try:
            return kind.from_private_key(io.StringIO(text))
        except paramiko.PasswordRequiredException as error:
            raise LockedKeyError(str(path)) from error
        except PEER_FAILURES:
            continue
    raise paramiko.SSHException("not an ed25519, ecdsa or rsa private key")


def _require_private(path: Path) -> None:
    """OpenSSH's rule (authfile.c, sshkey_perm_ok): what belongs to this account is for this account alone."""
    found = path.stat()
    if found.st_uid == os.getuid() and found.st_mode & _OTHERS and stat.S_ISREG(found.st_mode):
        raise ExposedKeyError(f"other accounts can access it (mode {stat.S_IMODE(found.st_mode):04o})")
