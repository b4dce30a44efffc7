"""Passwords: from the environment to the library that sends them, and shown nowhere on the way.

pytest prints the local variables of every frame of a traceback (`--showlocals`), of a time-out or Ctrl-C too, into the
terminal, JUnit files and HTML reports. So a password is a `Secret` from the moment it is read, and what hands it to a
library, whose frames hold it in packets and plain bytes, runs under `without_frames`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import NoReturn, Self, SupportsIndex, TypeVar

from pytest_nestvirt.inventory.host import Host
from pytest_nestvirt.transport.base import Stage, TransportError

T = TypeVar("T")

_SHOWN = "<secret>"
_withheld: set[str] = set()


class Secret(bytes):
    """Bytes that nothing shows: neither repr, str and format nor a pickle. Slices and sums are secrets, too."""

    __slots__ = ()

    def __repr__(self) -> str:
        return _SHOWN

    def __str__(self) -> str:
        return _SHOWN

    def __format__(self, _: str) -> str:
        return _SHOWN

    def __reduce_ex__(self, _: SupportsIndex) -> NoReturn:
        raise TypeError("a secret is not written to files or sent to other processes")

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, _: object) -> Self:
        return self

    def __getitem__(self, index: SupportsIndex | slice) -> Secret:  # type: ignore[override]
        place = index if isinstance(index, slice) else slice(int(index), int(index) + 1 or None)
        return Secret(super().__getitem__(place))

    def __add__(self, other: object) -> Secret:
        return Secret(super().__add__(other))  # type: ignore[operator]


def without_frames(action: Callable[[], T]) -> T:
    """Run what hands a secret to a library. An exception keeps its type and message and loses the frames below this one."""
    __tracebackhide__ = True
    try:
        return action()
    except BaseException as error:  # noqa: BLE001 - Ctrl-C and time-outs above all; it is raised again
        error.__cause__ = error.__context__ = None
        raise error.with_traceback(None) from None


def login_password(host: Host) -> Secret:
    """What the variable named by the host's `password_env` holds. Raises `TransportError`."""
    return without_frames(lambda: _value(host, "password_env", host.ssh.password_env))


def sudo_password(host: Host) -> Secret:
    """What the variable named by the host's `become_password_env` holds. Raises `TransportError`."""
    return without_frames(lambda: _value(host, "become_password_env", host.become_password_env))


def _value(host: Host, key: str, variable: str | None) -> Secret:
    """The value of an environment variable, as bytes: it need not be UTF-8.

    A name that is not set is not shown: it may be the password itself, written in the wrong place.
    """
    value = os.environb.get(os.fsencode(variable or ""))
    if value is None:
        where = f" (line {host.line} of {host.file})" if host.file else ""
        raise _mistake(
            host,
            f"the environment variable that {key} names{where} is not set",
            f"set it, and check that {key} has the name of a variable, not the password",
        )
    if not value:
        raise _mistake(host, f"{variable} ({key}) is empty", f"set it to the password: export {variable}=...")
    if b"\n" in value:
        raise _mistake(host, f"{variable} ({key}) contains a line break", "remove it from the value")
    withhold([variable or ""])
    return Secret(value)


def _mistake(host: Host, what: str, remedy: str) -> TransportError:
    return TransportError(host.name, Stage.CONFIGURATION, what, remedy)


def withhold(variables: Iterable[str | None]) -> None:
    """Keep these variables out of the environment of processes that are started here."""
    _withheld.update(variable for variable in variables if variable)


def child_environment() -> dict[str, str]:
    """This process's environment without the passwords in it."""
    return without_frames(lambda: {name: value for name, value in os.environ.items() if name not in _withheld})


def environment_variable(name: str) -> str | None:
    """A variable that is not a secret. Frames of `os.environ` show all the others as well."""
    return without_frames(lambda: os.environ.get(name))
