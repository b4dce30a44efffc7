"""From a document to its machines, whatever else is wrong with them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from pytest_nestvirt.document import Document, DocumentError, Key, Value, complaints, seen

from .host import Connection
from .schema import DefaultKeys, FileKeys, HostKeys

MAX_LEVEL = 3
NO_HOST = "none"
"""The value of `via` for a direct connection; therefore not the name of a host."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,252}")
_PLAIN_SECRETS = {
    "password": "password_env",
    "passwd": "password_env",
    "pass": "password_env",
    "passphrase": "password_env",
    "ssh_password": "password_env",
    "ansible_password": "password_env",
    "become_password": "become_password_env",
    "become_pass": "become_password_env",
    "sudo_password": "become_password_env",
    "ansible_become_password": "become_password_env",
}
_MAY_BE_EMPTY = frozenset({"defaults", "hosts", "guests"})
_Keys = TypeVar("_Keys", bound=BaseModel)


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """A machine as the file has it: keys with the defaults applied, and which of them could not be read."""

    name: str
    level: int
    parent: Entry | None
    document: Document
    at: tuple[Key, ...]
    settings: HostKeys
    broken: frozenset[str]

    @property
    def line(self) -> int:
        """The line of its name."""
        return self.document.line(*self.at)

    @property
    def place(self) -> str:
        """File and line, for messages about another host."""
        return f"{self.document.path}:{self.line}"

    @property
    def connection(self) -> Connection | None:
        """None where the file's value could not be read."""
        return None if "connection" in self.broken else self.settings.connection

    def error(self, message: str, *keys: Key) -> DocumentError:
        """A message about this host, or about one of its keys."""
        return self.document.error(message, *self.at, *keys)


class Walk:
    """One pass over a file, which gathers machines and problems alike."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.base = document.path.absolute().parent
        self.entries: list[Entry] = []
        self.problems: list[DocumentError] = []
        self.manifests: tuple[Path, ...] = ()
        self._defaults = DefaultKeys()
        self._broken_defaults: frozenset[str] = frozenset()

    def run(self) -> None:
        """Fill `entries`, parents first, `manifests` and `problems`."""
        data = self.document.data
        self.manifests = self._settings(FileKeys, data, ())[0].manifests
        defaults = self._mapping(data.get("defaults"), ("defaults",), "keys that all hosts of this file share")
        self._defaults, self._broken_defaults = self._default_keys(defaults)
        hosts = self._mapping(data.get("hosts"), ("hosts",), "host names")
        if not hosts and isinstance(data.get("hosts"), dict | None) and "manifests" not in data:
            self._complain("no host is defined; expected hosts: {NAME: {address: ADDRESS}}", "hosts")
        for name, value in hosts.items():
            self._host(name, value, ("hosts", name), None)

    def _complain(self, message: str, *keys: Key) -> None:
        self.problems.append(self.document.error(message, *keys))

    def _default_keys(self, written: Mapping[str, Value]) -> tuple[DefaultKeys, frozenset[str]]:
        shared = dict(written)
        for key in HostKeys.model_fields.keys() - DefaultKeys.model_fields.keys():
            if key in shared:
                del shared[key]
                self._complain("belongs to one host; it cannot be a default", "defaults", key)
        return self._settings(DefaultKeys, shared, ("defaults",))

    def _host(self, name: str, value: Value, at: tuple[Key, ...], parent: Entry | None) -> None:
        level = parent.level + 1 if parent else 0
        if level > MAX_LEVEL:
            self._complain(f"nested too deep: this is level L{level}, and L{MAX_LEVEL} is the deepest", *at)
            return
        self._check_name(name, at)
        keys = self._mapping(value, at, "keys of a host, such as {address: 192.0.2.10}")
        own, broken = self._settings(HostKeys, keys, at)
        inherited = self._broken_defaults - own.model_fields_set
        entry = Entry(name, level, parent, self.document, at, own.over(self._defaults), broken | inherited)
        self.entries.append(entry)
        self.problems += _address_conflicts(entry, own)
        guests = self._mapping(keys.get("guests"), (*at, "guests"), "host names")
        for guest, inside in guests.items():
            self._host(guest, inside, (*at, "guests", guest), entry)

    def _check_name(self, name: str, at: tuple[Key, ...]) -> None:
        if not _NAME.fullmatch(name):
            self._complain("expected a name of letters, digits, dots, dashes and underscores", *at)
        elif name.lower() == NO_HOST:
            self._complain(
                f"'{NO_HOST}' is reserved: `via: {NO_HOST}` means a direct connection; expected another name", *at
            )

    def _mapping(self, value: Value, at: tuple[Key, ...], of: str) -> Mapping[str, Value]:
        """The value as a mapping; an empty one, and a problem, where it is something else."""
        if value is None:
            return {}
        if isinstance(value, dict):
            return value
        self._complain(f"expected a mapping of {of}; seen {seen(value)}", *at)
        return {}

    def _settings(
        self, model: type[_Keys], written: Mapping[str, Value], at: tuple[Key, ...]
    ) -> tuple[_Keys, frozenset[str]]:
        """The keys that can be read, and the names of those that cannot; each of these is a problem."""
        refused = {complaint.keys[len(at)]: complaint for complaint in self._refused(model, written, at)}
        self.problems += refused.values()
        rest = {key: value for key, value in written.items() if key not in refused}
        try:
            return model.model_validate(rest, context=self.base), frozenset(map(str, refused))
        except ValidationError as error:
            self.problems += complaints(error, self.document, at, model=model)
            wrong = {str(detail["loc"][0]) for detail in error.errors(include_url=False)}
        sound = {key: value for key, value in rest.items() if key not in wrong}
        return model.model_validate(sound, context=self.base), frozenset(map(str, refused)) | wrong

    def _refused(
        self, model: type[BaseModel], written: Mapping[str, Value], at: tuple[Key, ...]
    ) -> Iterator[DocumentError]:
        """What no model needs to look at: secrets in plain text, and keys without a value."""
        for key, value in written.items():
            if key.lower() in _PLAIN_SECRETS:
                hint = f"passwords must not be written in an inventory; put the name of an environment variable in {_PLAIN_SECRETS[key.lower()]}"
                yield self.document.error(hint, *at, key)
            elif value is None and key in model.model_fields and key not in _MAY_BE_EMPTY:
                yield self.document.error("has no value; give one, or remove the key", *at, key)


def _address_conflicts(entry: Entry, own: HostKeys) -> Iterator[DocumentError]:
    """User or port given twice, differently: in the address and in a key."""
    address = own.address
    if address is None:
        return
    if address.port is not None and own.port not in (None, address.port):
        yield entry.error(f"{own.port} conflicts with the address (port {address.port}); give it once", "port")
    if address.user is not None and own.user not in (None, address.user):
        yield entry.error(
            f"{seen(own.user)} conflicts with the address (user {seen(address.user)}); give it once", "user"
        )
