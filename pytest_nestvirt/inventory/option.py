"""What the value of `--hosts` means: inventories of ours, or testinfra's host specs.

Imports nothing heavy: it is asked in runs that have nothing to do with nested virtualization.
"""

from __future__ import annotations

from pathlib import Path

from .problems import InventoryError

_SUFFIXES = (".yml", ".yaml")


def _parts(value: str) -> list[str]:
    return [part.strip() for part in value.split(",") if part.strip()]


def _is_file(part: str) -> bool:
    # A spec such as ansible://all?ansible_inventory=hosts.yml ends like a file and is testinfra's.
    return part.lower().endswith(_SUFFIXES) and "://" not in part


def is_inventory(value: str) -> bool:
    """Whether a `--hosts` value, comma-separated, names YAML files only.

    >>> is_inventory("lab.yml,more.yaml"), is_inventory("ssh://kvm01"), is_inventory("lab.yml,kvm01")
    (True, False, False)
    """
    parts = _parts(value)
    return bool(parts) and all(map(_is_file, parts))


def split_hosts_option(value: str | None) -> tuple[Path, ...] | None:
    """The inventory files of a `--hosts` value; None where it has testinfra's meaning, or is empty.

    A leading `~` is expanded, since shells leave it alone after `--hosts=`. Raises `InventoryError` for a mixture.
    """
    parts = _parts(value or "")
    files = [part for part in parts if _is_file(part)]
    if not files:
        return None
    specs = [part for part in parts if not _is_file(part)]
    if specs:
        mixture = f"--hosts: {files[0]} is an inventory and {_without_password(specs[0])} a host spec"
        raise InventoryError([f"{mixture}; name inventory files only, or host specs only"])
    return tuple(_expanded(part) for part in files)


def _without_password(spec: str) -> str:
    """The spec without what may be a password: everything between the scheme and the last `@`."""
    scheme, separator, rest = spec.rpartition("://")
    return scheme + separator + rest.rpartition("@")[2]


def _expanded(part: str) -> Path:
    try:
        return Path(part).expanduser()
    except RuntimeError:
        raise InventoryError([f"--hosts: {part}: the home directory that ~ stands for is not known"]) from None
