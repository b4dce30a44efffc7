"""The fingerprint of an inventory, by which two reports show whether they are about the same machines."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path

from .host import Host

_PLACES = frozenset({"file", "line"})


def inventory_digest(hosts: Sequence[Host]) -> str:
    """SHA-256, in hexadecimal, over the resolved hosts as canonical JSON.

    Neither comments nor the order or layout of the files change it, nor where the checkout or the home directory is:
    paths count relative to the inventory file or to `~`.
    """
    plain = {host.name: _plain(host, _base(host)) for host in hosts}
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", errors="surrogatepass")).hexdigest()


def _base(host: Host) -> Path | None:
    return Path(host.file).absolute().parent if host.file else None


def _plain(value: object, base: Path | None) -> object:
    """A value as JSON has it, paths made portable."""
    if is_dataclass(value):
        names = [field.name for field in fields(value) if field.name not in _PLACES]
        return {name: _plain(getattr(value, name), base) for name in names}
    if isinstance(value, tuple):
        return [_plain(item, base) for item in value]
    return _portable(value, base) if isinstance(value, Path) else value


def _portable(path: Path, base: Path | None) -> str:
    if base is not None and path.is_relative_to(base):
        return path.relative_to(base).as_posix()
    try:
        home = Path.home()
    except RuntimeError:
        return path.as_posix()
    return f"~/{path.relative_to(home).as_posix()}" if path.is_relative_to(home) else path.as_posix()
