"""What can be shown to a host to be let in: keys, certificates, the agent's keys, a password; in this order."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import paramiko
from paramiko.agent import AgentKey, AgentSSH

from pytest_nestvirt.inventory.host import Host
from pytest_nestvirt.transport.base import TransportError
from pytest_nestvirt.transport.ssh_config import Login
from pytest_nestvirt.transport.sudo import secret

_AGENT_SECONDS = 5.0
_KEY_CLASSES = (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey)


@dataclass(frozen=True, slots=True)
class Credential:
    """One thing to try. `what` names it for people; neither key nor password ever stands in a message."""

    what: str
    key: paramiko.PKey | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)

    @property
    def method(self) -> str:
        """As SSH calls it."""
        return "publickey" if self.key is not None else "password"


class LockedKeyError(Exception):
    """The private key is protected by a passphrase."""


class TimedAgent(AgentSSH):
    """The keys of a running ssh-agent. One that does not answer counts as none: paramiko's would wait for ever."""

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
    """A key of the agent. paramiko ends the connection where the agent refuses to sign; here the next one is tried."""

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
        """Everything that can be tried. Raises `TransportError` for what the inventory names and can't be used."""
        for path in self._login.identities:
            yield from self._identity(path)
        if self._host.ssh.agent:
            yield from self._agent()
        variable = self._host.ssh.password_env
        if variable is not None:
            yield Credential(f"password from {variable}", password=secret(self._host.name, "password_env", variable))

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
        except (OSError, paramiko.SSHException, ValueError) as error:
            what = f"key {path}: cannot be read ({_reason(error)})"
            if self._login.required:
                raise self._unusable(what, "name a private key in `identity:`") from error
            self.skipped.append(what)

    def _certified(self, path: Path, certificate: Path) -> Iterator[Credential]:
        key = load_key(path)
        try:
            key.load_certificate(certificate.read_text("utf-8"))
        except (OSError, ValueError, paramiko.SSHException) as error:
            what = f"certificate {certificate}: cannot be used ({_reason(error)})"
            if certificate == self._host.ssh.certificate:
                raise self._unusable(what, "name the certificate of that key in `certificate:`") from error
            self.skipped.append(what)
            return
        yield Credential(f"certificate {certificate}", key=key)

    def _unusable(self, what: str, remedy: str) -> TransportError:
        return TransportError(self._host.name, "configuration", what, remedy)

    def _agent(self) -> Iterator[Credential]:
        path = os.environ.get("SSH_AUTH_SOCK")
        if not path:
            return
        try:
            agent = TimedAgent(path)
        except (OSError, paramiko.SSHException, ValueError) as error:
            self.skipped.append(f"agent: does not answer ({_reason(error)})")
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
        return paramiko.pkey.PublicBlob.from_string(path.with_name(path.name + ".pub").read_text("utf-8")).key_blob
    except (OSError, ValueError):
        return None


def load_key(path: Path) -> paramiko.PKey:
    """A private key of any type paramiko signs with. Raises LockedKeyError, OSError, SSHException."""
    for kind in _KEY_CLASSES:
        try:
            return kind.from_private_key_file(str(path))
        except paramiko.PasswordRequiredException as error:
            raise LockedKeyError(str(path)) from error
        except (paramiko.SSHException, ValueError):
            continue
    raise paramiko.SSHException("not an ed25519, ecdsa or rsa private key")


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
