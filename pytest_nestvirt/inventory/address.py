"""Addresses of hosts: `host`, `host:port`, `user@host`, `user@[2001:db8::1]:2222`."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

_FORMS = "expected host, host:port or user@host (IPv6 in brackets: [2001:db8::1]:22)"
# A name that OpenSSH would take as an alias too; it cannot begin with a dash, which a command line reads as an option.
_HOST_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,252}")
_LOOKS_LIKE_IPV4 = re.compile(r"[0-9.]+")
_USER = re.compile(r"[^\s:/@\x00-\x1f\x7f-][^\s:/\x00-\x1f\x7f]{0,127}")
_PARTS = re.compile(r"(?:\[(?P<ipv6>[^\[\]]*)\]|(?P<name>[^:\[\]]*))(?::(?P<port>[0-9]{1,5}))?")


@dataclass(frozen=True, slots=True)
class Address:
    """The parts of a host's address."""

    host: str
    port: int | None = None
    user: str | None = None


def parse_address(text: str) -> Address:
    """Read an address. Raises ValueError, whose text names the forms and never a password.

    >>> parse_address("root@[2001:DB8::1]:2222")
    Address(host='2001:db8::1', port=2222, user='root')
    """
    if "://" in text:
        raise ValueError(f"{_FORMS}, without scheme")
    user, at, rest = text.rpartition("@")
    match = _PARTS.fullmatch(rest)
    if match is None:
        raise ValueError(_FORMS)
    host = _ipv6(match["ipv6"]) if match["ipv6"] is not None else _host(match["name"])
    port = port_number(int(match["port"])) if match["port"] else None
    return Address(host, port, parse_user(user) if at else None)


def parse_user(text: str) -> str:
    """The name of an account. Raises ValueError."""
    if ":" in text:
        raise ValueError(
            "passwords must not be written in an inventory; put the name of an environment variable in password_env"
        )
    if not _USER.fullmatch(text):
        raise ValueError("expected the name of an account")
    return text


def port_number(port: int) -> int:
    """The port itself. Raises ValueError."""
    if not 1 <= port <= 65535:  # noqa: PLR2004 (the range of TCP ports)
        raise ValueError(f"expected a port from 1 to 65535; seen {port}")
    return port


def _ipv6(text: str) -> str:
    try:
        return str(ipaddress.IPv6Address(text))
    except ValueError:
        raise ValueError("expected an IPv6 address between the brackets") from None


def _host(text: str) -> str:
    if not _HOST_NAME.fullmatch(text):
        raise ValueError(_FORMS)
    if not _LOOKS_LIKE_IPV4.fullmatch(text):
        return text
    try:
        return str(ipaddress.IPv4Address(text))
    except ValueError:
        raise ValueError("expected an IPv4 address of four numbers from 0 to 255") from None
