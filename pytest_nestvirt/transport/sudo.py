"""Becoming root by sudo, with a password that goes to sudo and nowhere else.

`sudo -S` reads a password from standard input only where it needs one. Sent unasked it would become the command's
input wherever sudo does not ask (NOPASSWD, a ticket that is still valid). So sudo gets a prompt that cannot be guessed,
and the password follows only once that prompt was seen; and the command announces itself with a mark of the same kind
before it does anything, so that everything printed earlier is known to be sudo's.
"""

from __future__ import annotations

import secrets
import shlex

from pytest_nestvirt.inventory.host import Become, Host
from pytest_nestvirt.transport.base import Stage, TransportError
from pytest_nestvirt.transport.secret import Secret, sudo_password

_TALK_KEPT = 16 * 1024
"""Bytes of sudo's own messages that are remembered."""


class SudoGate:
    """Listens to standard error until the command has started, and answers sudo's prompt once."""

    def __init__(self, host: str, password: Secret | None = None) -> None:
        nonce = secrets.token_hex(12)
        self._host = host
        self._password = password
        self._prompt = f"[nestvirt {nonce} password]".encode()
        self._mark = f"[nestvirt {nonce} started]".encode()
        self._talk = b""
        self._asked = 0
        self._answered = False
        self.started = False

    def wrap(self, command: str) -> str:
        """The command as root: `sudo ... -- sh -c COMMAND`, announced by the mark on standard error."""
        announced = f"printf %s {shlex.quote(self._mark.decode())} >&2; exec sh -c {shlex.quote(command)}"
        ask = "-n" if self._password is None else f"-S -p {shlex.quote(self._prompt.decode())}"
        return f"sudo {ask} -- sh -c {shlex.quote(announced)}"

    def heard(self, data: bytes) -> bytes:
        """Take a piece of standard error; returns the part of it that the command itself wrote."""
        if self.started:
            return data
        self._talk += data
        before, mark, after = self._talk.partition(self._mark)
        if mark:
            self.started = True
            self._talk = before
            return after
        self._asked += self._talk.count(self._prompt)
        self._talk = self._talk.replace(self._prompt, b"")[-_TALK_KEPT:]
        return b""

    def take_answer(self) -> Secret:
        """The password line, where sudo has just asked for it; else nothing. It is handed out once."""
        if not self._asked or self._answered or self._password is None:
            return Secret()
        self._answered = True
        return self._password + b"\n"

    @property
    def refused(self) -> bool:
        """Sudo asked again: the password is wrong."""
        return self._asked > 1 and not self.started

    def require_started(self) -> None:
        """Raise `TransportError` unless sudo has started the command."""
        if self.refused:
            raise TransportError(
                self._host,
                Stage.AUTHENTICATION,
                "sudo refused the password",
                "check the value of the variable in become_password_env",
            )
        if not self.started:
            raise TransportError(
                self._host,
                Stage.AUTHENTICATION,
                f"sudo did not start the command: {self._message()}",
                "grant it in sudoers, name the variable with the password in become_password_env, or log in as root",
            )

    def _message(self) -> str:
        """What sudo printed. A password that it repeated is not."""
        talk = self._talk.replace(self._password, b"***") if self._password else self._talk
        return " / ".join(talk.decode("utf-8", "replace").split("\n")).strip(" /") or "it printed nothing"


def sudo_gate(host: Host, user: str) -> SudoGate | None:
    """The way to root on this host; None where the login is root's already.

    Raises `TransportError` where the inventory has `become: never`, or names a variable that is not set.
    """
    if user == "root":
        return None
    if host.become is Become.NEVER:
        raise TransportError(
            host.name,
            Stage.CONFIGURATION,
            f"root is needed, but the login is {user} and the inventory has `become: never`",
            "log in as root or allow `become: sudo`",
        )
    if host.become_password_env is None:
        return SudoGate(host.name)
    return SudoGate(host.name, sudo_password(host))
