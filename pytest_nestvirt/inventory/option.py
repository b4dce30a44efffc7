"""What the value of `--hosts` means: inventory files, testinfra's host specs, or a mistake.

Imports nothing heavy: it is asked in runs that have nothing to do with nested virtualization.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from pytest_nestvirt.one_line import one_line

from .problems import InventoryError

_SUFFIXES = (".yml", ".yaml")
_QUOTES = "'\"`\u2018\u2019\u201c\u201d"
_NOT_QUITE_YAML = re.compile(
    r"\.ya?ml(?=[^a-z-]|\Z)|\.(?:yal|yalm|ymal|ymll|yamll|ylm|yl|ym|yamls|ymls)\Z", re.IGNORECASE
)
"""A YAML suffix with something after it (`lab.yml.bak`, `lab.yml~`), or one misspelled."""
_OTHER_FORMATS = (
    ".json",
    ".json5",
    ".toml",
    ".ini",
    ".cfg",
    ".conf",
    ".txt",
    ".csv",
    ".xml",
    ".tar",
    ".xz",
    ".gz",
    ".bak",
)
"""Suffixes of files of which none is a top-level domain, so that no host's name ends with one."""
_WORDS = frozenset({"inventory", "inventories"})
_BY_NAME = (None, "ssh", "safe-ssh", "paramiko")
"""testinfra's connections for which a spec is a host's name; for others it may be a container, a pattern or a path."""
_FILE_SCHEMES = frozenset({"file", "http", "https"})


class HostsKind(StrEnum):
    """What a value of `--hosts` is."""

    INVENTORY = "inventory"
    SPECS = "host specs"
    MISTAKE = "mistake"


@dataclass(frozen=True, slots=True)
class HostsValue:
    """A value of `--hosts`, understood."""

    kind: HostsKind
    files: tuple[Path, ...] = ()
    """Of an inventory, in the order given; `~` is expanded, since shells leave it alone after `--hosts=`."""
    mistake: str = ""
    """One line that says what is wrong and what to write instead; it repeats no password."""


def _is_file(name: str) -> bool:
    try:
        return Path(name).is_file()
    except (OSError, ValueError):  # a name that no file has
        return False


def classify_hosts(
    value: str, *, connection: str | None = None, is_file: Callable[[str], bool] = _is_file
) -> HostsValue:
    """Read a `--hosts` value, comma-separated.

    Names that end with `.yml` or `.yaml`, in any case, are inventories. Host specs are testinfra's (its
    `backend.parse_hostspec`), which takes any word for a host's name: a value that was meant as an inventory would
    become a host that no check of ours looks at. What is empty or nearly a file's name is therefore a mistake, not a spec;
    `ssh://NAME` says that a host is meant. `connection` is testinfra's option; `is_file` asks the file system.

    >>> classify_hosts("lab.yml").files, classify_hosts("ssh://kvm01").kind.value
    ((PosixPath('lab.yml'),), 'host specs')
    >>> classify_hosts("lab.yml.bak").mistake
    "--hosts: 'lab.yml.bak' looks like a file, but an inventory's name ends with .yml or .yaml"
    """
    parts = [part.strip() for part in value.split(",") if part.strip()]
    if not parts:
        return _mistake("the value is empty (an unset variable?); expected inventory.yml, or a host spec of testinfra")
    for part in parts:
        if not _names_inventory(part) and (complaint := _near_miss(part, connection, is_file)):
            return _mistake(f"{_shown(part)} {complaint}")
    files = [part for part in parts if _names_inventory(part)]
    if not files:
        return HostsValue(HostsKind.SPECS)
    specs = [part for part in parts if not _names_inventory(part)]
    if specs:
        mixture = f"{_shown(files[0])} is an inventory and {_shown(specs[0])} a host spec"
        return _mistake(f"{mixture}; name inventory files only, or host specs only")
    return _inventory(files)


def inventory_files(value: str) -> tuple[Path, ...]:
    """The inventory files of a `--hosts` value. Raises `InventoryError` for everything else."""
    hosts = classify_hosts(value)
    match hosts.kind:
        case HostsKind.INVENTORY:
            return hosts.files
        case HostsKind.SPECS:
            raise InventoryError(["--hosts: expected inventory files (.yml, .yaml), not host specs of testinfra"])
        case HostsKind.MISTAKE:
            raise InventoryError([hosts.mistake])


def _inventory(files: list[str]) -> HostsValue:
    paths = []
    for name in files:
        try:
            paths.append(Path(name).expanduser())
        except RuntimeError:
            return _mistake(f"{_shown(name)}: unknown home directory")
    return HostsValue(HostsKind.INVENTORY, tuple(paths))


def _names_inventory(part: str) -> bool:
    # A spec such as ansible://all?ansible_inventory=hosts.yml ends like a file and is testinfra's.
    return part.lower().endswith(_SUFFIXES) and "://" not in part and part[0] not in _QUOTES


def _near_miss(part: str, connection: str | None, is_file: Callable[[str], bool]) -> str:
    """What is wrong with a part that names no inventory; empty where it is a host spec."""
    scheme, separator, rest = part.rpartition("://")
    if scheme.lower() in _FILE_SCHEMES:
        return "is a URL; expected the path of an inventory"
    name = rest.partition("?")[0] if separator else part
    if name[:1] in tuple(_QUOTES) or name[-1:] in tuple(_QUOTES):
        return "is in quotes, which the shell has left in place; expected the path without them"
    if separator:
        return "is a URL; expected the path of an inventory alone" if name.lower().endswith(_SUFFIXES) else ""
    if _NOT_QUITE_YAML.search(name) or name.lower().endswith(_OTHER_FORMATS):
        return "looks like a file, but an inventory's name ends with .yml or .yaml"
    return _unlike_a_host(name, is_file) if connection in _BY_NAME else ""


def _unlike_a_host(name: str, is_file: Callable[[str], bool]) -> str:
    """What keeps a word without a scheme from being taken for the name of a host."""
    if "/" in name or "\\" in name or name.startswith(("~", ".")):
        return "is a path, but an inventory's name ends with .yml or .yaml"
    if near := next((f"{name}{suffix}" for suffix in _SUFFIXES if is_file(f"{name}{suffix}")), ""):
        return f"could be a host or the file {_shown(near)}; write --hosts={near}, or ssh://{_shown(name, '')} for the host"
    if name.lower() in _WORDS or is_file(name):
        return f"looks like a file, but an inventory's name ends with .yml or .yaml (write ssh://{_shown(name, '')} for a host)"
    return ""


def _mistake(what: str) -> HostsValue:
    return HostsValue(HostsKind.MISTAKE, mistake=f"--hosts: {what}")


def _shown(part: str, quote: str = "'") -> str:
    """The part without what may be a password: everything between the scheme and the last `@`."""
    scheme, separator, rest = part.rpartition("://")
    return quote + one_line(scheme + separator + rest.rpartition("@")[2], 200) + quote
