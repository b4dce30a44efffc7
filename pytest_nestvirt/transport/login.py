"""Being let in: one credential after the other, within one deadline."""

from __future__ import annotations

import threading
import time

import paramiko
from paramiko.ssh_exception import PartialAuthentication

from pytest_nestvirt.inventory.host import Host
from pytest_nestvirt.transport.base import TransportError
from pytest_nestvirt.transport.credentials import Credential, Wallet
from pytest_nestvirt.transport.peer import PEER_FAILURES, reason
from pytest_nestvirt.transport.ssh_config import Login

_STAGE = "authentication"
_REMEDY = "authorize a key there (ssh-copy-id), or set `user:`, `identity:` or `password_env:`"


def authenticate(transport: paramiko.Transport, host: Host, login: Login) -> None:
    """Log in over a connection whose host key was accepted. Raises `TransportError` with the list of what was tried."""
    attempts = _Attempts(transport, host, login.user)
    with Wallet(host, login) as wallet:
        try:
            for credential in wallet.credentials():
                if attempts.succeed_with(credential):
                    return
                if not transport.is_active():
                    break
        except TransportError as error:
            if not attempts.told or error.stage != "configuration":
                raise
            told = "; ".join(attempts.told)
            raise TransportError(
                host.name, error.stage, f"{error.what} (tried before: {told})", error.remedy
            ) from error
        told = "; ".join([*attempts.told, *wallet.skipped]) or "there was no key, no agent and no password to try"
    raise TransportError(
        host.name, _STAGE, f"{login.user}@{login.hostname}:{login.port} lets nobody in: {told}", _REMEDY
    )


class _Attempts:
    """The attempts on one connection, and how each ended (`told`)."""

    def __init__(self, transport: paramiko.Transport, host: Host, user: str) -> None:
        self._transport = transport
        self._host = host
        self._user = user
        self._until = time.monotonic() + host.deadlines.authenticate
        self._allowed: list[str] | None = None
        self.told: list[str] = []

    def succeed_with(self, credential: Credential) -> bool:
        """Try one credential. Methods that the host has ruled out are not tried: attempts are few (MaxAuthTries)."""
        if self._allowed is not None and credential.method not in self._usable():
            self.told.append(
                f"{credential.what}: not tried, the host takes only {', '.join(self._allowed) or 'nothing'}"
            )
            return False
        try:
            failure = self._answer_to(credential)
        except PEER_FAILURES as error:
            failure = error
        if self._transport.is_authenticated():
            return True
        self.told.append(f"{credential.what}: {self._verdict(failure)}")
        return False

    def _usable(self) -> set[str]:
        allowed = set(self._allowed or ())
        return allowed | ({"password"} if "keyboard-interactive" in allowed else set())

    def _answer_to(self, credential: Credential) -> BaseException | None:
        if credential.key is not None:
            answered = threading.Event()
            self._transport.auth_publickey(self._user, credential.key, event=answered)
            return self._wait(answered)
        return self._password(credential.password or "")

    def _password(self, password: str) -> BaseException | None:
        failure: BaseException | None = None
        if self._allowed is None or "password" in self._allowed:
            answered = threading.Event()
            self._transport.auth_password(self._user, password, event=answered, fallback=False)
            failure = self._wait(answered)
        if self._transport.is_authenticated() or not self._transport.is_active():
            return failure
        offers = failure.allowed_types if isinstance(failure, paramiko.BadAuthenticationType) else self._allowed or []
        return self._interactive(password) if "keyboard-interactive" in offers else failure

    def _interactive(self, password: str) -> BaseException | None:
        """Some sshd (UsePAM) ask for the password in the form of a questionnaire."""
        self._transport.auth_timeout = max(self._until - time.monotonic(), 0.1)
        self._transport.auth_interactive(self._user, lambda _title, _text, fields: [password] * len(fields))
        return None

    def _wait(self, answered: threading.Event) -> BaseException | None:
        if not answered.wait(max(self._until - time.monotonic(), 0)):
            raise TransportError(
                self._host.name,
                _STAGE,
                f"no answer within {self._host.deadlines.authenticate:g} s",
                "is the host overloaded or hanging? see `timeouts: {authenticate: SECONDS}`",
            )
        return self._transport.get_exception()

    def _verdict(self, failure: BaseException | None) -> str:
        if isinstance(failure, PartialAuthentication):
            self._allowed = list(failure.allowed_types)
            return f"accepted, but the host also wants {' or '.join(self._allowed)}"
        if isinstance(failure, paramiko.BadAuthenticationType):
            self._allowed = list(failure.allowed_types)
            return f"the host takes only {', '.join(self._allowed) or 'nothing'}"
        if not self._transport.is_active():
            return f"the host ended the connection ({reason(failure)}; too many attempts?)"
        return "refused" if failure is None else reason(failure)
