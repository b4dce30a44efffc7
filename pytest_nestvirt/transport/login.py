"""Authentication: one credential after the other, within one deadline."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from functools import partial

import paramiko
from paramiko.ssh_exception import PartialAuthentication

from pytest_nestvirt.inventory.host import Host
from pytest_nestvirt.transport.base import Stage, TransportError
from pytest_nestvirt.transport.credentials import Credential, Wallet
from pytest_nestvirt.transport.peer import PEER_FAILURES, reason
from pytest_nestvirt.transport.secret import Secret, without_frames
from pytest_nestvirt.transport.ssh_config import Login

_REMEDY = "authorize a key on the host (ssh-copy-id), or set `user:`, `identity:` or `password_env:`"


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
            if not attempts.outcomes or error.stage is not Stage.CONFIGURATION:
                raise
            before = "; ".join(attempts.outcomes)
            raise TransportError(
                host.name, error.stage, f"{error.what} (tried before: {before})", error.remedy
            ) from error
        tried = "; ".join([*attempts.outcomes, *wallet.skipped]) or "there was no key, no agent and no password to try"
    raise TransportError(
        host.name,
        Stage.AUTHENTICATION,
        f"{login.user}@{login.hostname}:{login.port} refused the login: {tried}",
        _REMEDY,
    )


class _Attempts:
    """The attempts on one connection, and how each ended (`outcomes`)."""

    def __init__(self, transport: paramiko.Transport, host: Host, user: str) -> None:
        self._transport = transport
        self._host = host
        self._user = user
        self._until = time.monotonic() + host.deadlines.authenticate
        self._allowed: list[str] | None = None
        self.outcomes: list[str] = []

    def succeed_with(self, credential: Credential) -> bool:
        """Try one credential. Methods that the host has ruled out are not tried: attempts are few (MaxAuthTries)."""
        if self._allowed is not None and credential.method not in self._usable():
            self.outcomes.append(
                f"{credential.what}: not tried, the host accepts only {', '.join(self._allowed) or 'nothing'}"
            )
            return False
        try:
            failure = self._answer_to(credential)
        except PEER_FAILURES as error:
            failure = error
        if self._transport.is_authenticated():
            return True
        self.outcomes.append(f"{credential.what}: {self._outcome(failure)}")
        return False

    def _usable(self) -> set[str]:
        allowed = set(self._allowed or ())
        return allowed | ({"password"} if "keyboard-interactive" in allowed else set())

    def _answer_to(self, credential: Credential) -> BaseException | None:
        if credential.key is not None:
            answered = threading.Event()
            self._transport.auth_publickey(self._user, credential.key, event=answered)
            return self._wait(answered)
        return self._password(credential.password or Secret())

    def _password(self, password: Secret) -> BaseException | None:
        failure: BaseException | None = None
        if self._allowed is None or "password" in self._allowed:
            answered = threading.Event()
            # paramiko takes bytes as they are; its stubs know of text only.
            offer = partial(self._transport.auth_password, self._user, password, event=answered, fallback=False)  # type: ignore[arg-type]
            without_frames(offer)
            failure = self._wait(answered)
        if self._transport.is_authenticated() or not self._transport.is_active():
            return failure
        offers = failure.allowed_types if isinstance(failure, paramiko.BadAuthenticationType) else self._allowed or []
        return self._interactive(password) if "keyboard-interactive" in offers else failure

    def _interactive(self, password: Secret) -> BaseException | None:
        """Some sshd (UsePAM) ask for the password as the answer to a prompt."""
        self._transport.auth_timeout = max(self._until - time.monotonic(), 0.1)

        def answer(_title: str, _text: str, fields: Sequence[object]) -> list[str]:
            return [password] * len(fields)  # type: ignore[list-item]  # as above

        without_frames(lambda: self._transport.auth_interactive(self._user, answer))
        return None

    def _wait(self, answered: threading.Event) -> BaseException | None:
        if not answered.wait(max(self._until - time.monotonic(), 0)):
            raise TransportError(
                self._host.name,
                Stage.AUTHENTICATION,
                f"no answer within {self._host.deadlines.authenticate:g} s",
                "is the host overloaded or hanging? see `timeouts: {authenticate: SECONDS}`",
            )
        return self._transport.get_exception()

    def _outcome(self, failure: BaseException | None) -> str:
        if isinstance(failure, PartialAuthentication):
            self._allowed = list(failure.allowed_types)
            return f"accepted, but the host also wants {' or '.join(self._allowed)}"
        if isinstance(failure, paramiko.BadAuthenticationType):
            self._allowed = list(failure.allowed_types)
            return f"the host accepts only {', '.join(self._allowed) or 'nothing'}"
        if not self._transport.is_active():
            return f"the host ended the connection ({reason(failure)}; too many attempts?)"
        return "refused" if failure is None else reason(failure)
