"""cloud-init's user data: what a `#cloud-config` asks for, as far as nested virtualization is concerned.

The format is cloud-init's (https://cloudinit.readthedocs.io, "Cloud config data"). It is read as the YAML it is; a user
may be a name or a mapping.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from pytest_nestvirt.document import Value, parse_document

HEADER = "#cloud-config"


@dataclass(frozen=True, slots=True)
class CloudUser:
    """One account that is to be made."""

    name: str
    sudo: tuple[str, ...]
    """Rules for sudoers, as written after the name."""
    groups: tuple[str, ...]
    keys: int
    """How many lines of authorized_keys it gets."""
    whole_keys: int
    """How many of them hold a whole public key; a placeholder is none."""


@dataclass(frozen=True, slots=True)
class CloudConfig:
    """What the user data asks for. Passwords, files and commands are left out: they may hold secrets."""

    header: str
    """Its first line, without trailing blanks; cloud-init goes by it."""
    hostname: str
    """Empty where none is set."""
    users: tuple[CloudUser, ...]
    packages: tuple[str, ...]


def parse_cloud_config(text: str, path: Path, offset: int) -> CloudConfig:
    """User data in a file, `offset` lines below its beginning. Raises `DocumentError` if it is not a YAML mapping."""
    document = parse_document(text, path, offset)
    data = document.data
    for key in ("users", "packages", "runcmd"):
        if not isinstance(data.get(key, []), list):
            raise document.error("expected a list", key)
    return CloudConfig(
        header=text.split("\n", 1)[0].rstrip(),
        hostname=_word(data.get("hostname")) or _word(data.get("fqdn")).partition(".")[0],
        users=tuple(_users(data.get("users", []))),
        packages=tuple(_package(item) for item in _items(data.get("packages"))),
    )


def _items(value: Value) -> list[Value]:
    return value if isinstance(value, list) else []


def _word(value: Value) -> str:
    return "" if value is None or isinstance(value, list | dict) else str(value)


def _words(value: Value) -> tuple[str, ...]:
    """A list of texts, or one text with commas between them."""
    if isinstance(value, list):
        return tuple(map(_word, value))
    return tuple(part.strip() for part in _word(value).split(",") if part.strip())


def _users(value: Value) -> Iterator[CloudUser]:
    for item in _items(value):
        if isinstance(item, dict):
            sudo = item.get("sudo")
            rules = tuple(map(_word, sudo)) if isinstance(sudo, list) else (sudo,) if isinstance(sudo, str) else ()
            keys = item.get("ssh_authorized_keys", item.get("ssh-authorized-keys"))
            listed = tuple(map(_word, keys)) if isinstance(keys, list) else (keys,) if isinstance(keys, str) else ()
            yield CloudUser(
                _word(item.get("name")), rules, _words(item.get("groups")), len(listed), sum(map(is_public_key, listed))
            )
        else:
            yield CloudUser(_word(item), (), (), 0, 0)


def _package(item: Value) -> str:
    """Its name; a version may stand beside it in a list."""
    return _word(item[0]) if isinstance(item, list) and item else _word(item)


def is_public_key(line: str) -> bool:
    """Whether a line of authorized_keys holds a whole public key: a type, and Base64 that begins with that type.

    >>> is_public_key("ssh-rsa AAAAB3NzaC1yc2E... me"), is_public_key("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA")
    (False, False)
    """
    words = line.split()
    for kind, encoded in pairwise(words):
        if kind.startswith(("ssh-", "ecdsa-", "sk-")):
            return _is_key_of(kind.encode(), encoded)
    return False


def _is_key_of(kind: bytes, encoded: str) -> bool:
    """A key is a sequence of strings, each after its length in four bytes (RFC 4253, section 6.6); the first is the type."""
    try:
        data = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        return False
    strings = list(_strings(data))
    return len(strings) > 1 and strings[0] == kind and sum(len(part) + 4 for part in strings) == len(data)


def _strings(data: bytes) -> Iterator[bytes]:
    place = 0
    while place + 4 <= len(data):
        length = int.from_bytes(data[place : place + 4], "big")
        place += 4 + length
        if place > len(data):
            return
        yield data[place - length : place]
