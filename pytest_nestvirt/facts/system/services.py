"""What systemd shows of units: a pure parser of `systemctl show -p Id,LoadState,ActiveState,UnitFileState UNIT...`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from pytest_nestvirt.observation.fact import Unobservable

_AT_BOOT = frozenset({"enabled", "enabled-runtime"})
_RUNS = frozenset({"active", "reloading"})


@dataclass(frozen=True, slots=True)
class ServiceState:
    """One unit of systemd."""

    enabled: bool
    """Whether it is started at boot by itself. `static` is not: another unit starts it, or none does."""
    active: bool
    """Whether it runs, or, of a socket, listens."""
    file_state: str
    """As systemd names it: enabled, disabled, static, masked, indirect, ...; empty for a unit without a file."""
    active_state: str
    """As systemd names it: active, inactive, failed, activating, ..."""


def parse_units(text: str, source: str) -> Mapping[str, ServiceState]:
    r"""Every unit that exists, by name: a service without its `.service`, others with their suffix.

    A unit that systemd was asked for and does not have is not among them. Raises `Unobservable` where no block is one.

    >>> parse_units("Id=libvirtd.service\nLoadState=loaded\nActiveState=active\nUnitFileState=enabled", "here")["libvirtd"].active
    True
    """
    blocks = [dict(_properties(block)) for block in text.replace("\r", "").split("\n\n") if block.strip()]
    if not blocks or not all(block.keys() >= {"Id", "LoadState", "ActiveState"} for block in blocks):
        raise Unobservable(source, f"not the output of systemctl show: {text.strip()[:60]!r}")
    return MappingProxyType(
        {block["Id"].removesuffix(".service"): _state(block) for block in blocks if block["LoadState"] != "not-found"}
    )


def _properties(block: str) -> Iterator[tuple[str, str]]:
    for line in block.split("\n"):
        name, equals, value = line.partition("=")
        if equals:
            yield name.strip(), value.strip()


def _state(block: Mapping[str, str]) -> ServiceState:
    file_state, active_state = block.get("UnitFileState", ""), block["ActiveState"]
    return ServiceState(file_state in _AT_BOOT, active_state in _RUNS, file_state, active_state)
