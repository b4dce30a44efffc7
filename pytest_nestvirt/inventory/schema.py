"""The keys that hosts and defaults take, and the form of their values."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainValidator, StrictBool, StrictInt, ValidationInfo

from pytest_nestvirt.document import seen

from .address import Address, parse_address, parse_user, port_number
from .host import Become, Connection, Environment, HostKeyPolicy, Provider

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OS_ID = re.compile(r"[a-z0-9][a-z0-9._-]*")
_SECONDS = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)\s*([smh]?)")
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600}
_LONGEST = 24 * 3600


def _text(value: object, expected: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"expected {expected}; seen {seen(value)}")
    return value


def _seconds(value: object) -> float:
    """`30`, `2.5`, `30s`, `2m` or `1h` in seconds."""
    match = None if isinstance(value, bool) else _SECONDS.fullmatch(str(value))
    seconds = float(match[1]) * _UNITS[match[2]] if match else 0.0
    if not 0 < seconds <= _LONGEST:
        raise ValueError(f"expected seconds above 0 and up to a day, such as 30, 2.5, 30s or 2m; seen {seen(value)}")
    return seconds


def _path(value: object, info: ValidationInfo) -> Path:
    """A path relative to the inventory's directory, which is the context of validation."""
    text = _text(value, "a path")
    if "\0" in text:
        raise ValueError("expected a path; it cannot contain a NUL")
    try:
        expanded = Path(text).expanduser()
    except RuntimeError:
        raise ValueError(f"unknown home directory; seen {seen(text)}") from None
    return Path(str(info.context)) / expanded


def _paths(value: object, info: ValidationInfo) -> tuple[Path, ...]:
    paths = value if isinstance(value, list) else [value]
    if not paths:
        raise ValueError("expected a path, or a list of paths; seen an empty list")
    return tuple(_path(path, info) for path in paths)


def _variable(value: object) -> str:
    # What was seen is not shown: it may be the password itself.
    if not isinstance(value, str) or not _VARIABLE.fullmatch(value):
        raise ValueError("expected the name of an environment variable that holds the password, such as KVM01_PASSWORD")
    return value


def _os_id(value: object) -> str:
    if not isinstance(value, str) or not _OS_ID.fullmatch(value):
        raise ValueError(f"expected an operating system ID as in os-release, such as rhel; seen {seen(value)}")
    return value


Seconds = Annotated[float | None, PlainValidator(_seconds)]
FilePath = Annotated[Path, PlainValidator(_path)]
FilePaths = Annotated[tuple[Path, ...], PlainValidator(_paths)]
Variable = Annotated[str | None, PlainValidator(_variable), Field(repr=False)]
HostAddress = Annotated[Address, PlainValidator(lambda value: parse_address(_text(value, "an address")))]
User = Annotated[str, PlainValidator(lambda value: parse_user(_text(value, "the name of an account")))]


class Timeouts(BaseModel):
    """Deadlines, in seconds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    connect: Seconds = None
    authenticate: Seconds = None
    command: Seconds = None


class DefaultKeys(BaseModel):
    """What `defaults` may hold: everything that is not a host's identity. None means: not written."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    port: Annotated[StrictInt, AfterValidator(port_number)] | None = None
    user: User | None = None
    identity: FilePath | None = None
    certificate: FilePath | None = None
    password_env: Variable = None
    known_hosts: FilePaths = ()
    host_key: HostKeyPolicy = HostKeyPolicy.VERIFY
    ssh_config: FilePath | None = None
    agent: StrictBool = True
    timeouts: Timeouts = Timeouts()
    connection: Connection = Connection.SSH
    provider: Provider = Provider.LIBVIRT
    environment: Environment | None = None
    treat_as: Annotated[str, PlainValidator(_os_id)] | None = None
    become: Become = Become.AUTO
    become_password_env: Variable = None
    expendable: StrictBool = False


class HostKeys(DefaultKeys):
    """What a host may hold."""

    address: HostAddress | None = None
    path: FilePath | None = None
    domain: Annotated[str, PlainValidator(lambda value: _text(value, "a libvirt domain's name"))] | None = None
    via: Annotated[str, PlainValidator(lambda value: _text(value, "a host's name, or none"))] | None = None
    guests: object = None
    """Hosts themselves; `tree` walks them."""

    def over(self, defaults: DefaultKeys) -> HostKeys:
        """This host's keys, and those of the defaults where it has none. Deadlines are merged one by one.

        User and port in the address count as keys of the host.
        """
        own = self.model_copy(update=self._from_address())
        inherited = {
            key: getattr(defaults, key) for key in defaults.model_fields_set - own.model_fields_set if key != "timeouts"
        }
        inherited["timeouts"] = defaults.timeouts.model_copy(update=_written(self.timeouts))
        if own.path is not None and "connection" not in own.model_fields_set:
            inherited["connection"] = Connection.RECORDED
        return own.model_copy(update=inherited)

    def _from_address(self) -> dict[str, object]:
        address = self.address
        given = {"user": address.user, "port": address.port} if address else {}
        return {key: value for key, value in given.items() if value is not None and key not in self.model_fields_set}


def _written(timeouts: Timeouts) -> dict[str, object]:
    return {key: getattr(timeouts, key) for key in timeouts.model_fields_set}


class FileKeys(BaseModel):
    """What the file itself may hold; `tree` walks defaults and hosts."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    defaults: object = None
    hosts: object = None
    manifests: FilePaths = ()
    """Files of VirtRigaud objects; with them, a file may do without hosts."""
