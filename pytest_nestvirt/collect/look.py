"""One host of a fleet: looked at over its transport, at most twice, or read from its record."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pytest_nestvirt.collect.probe import ProbeError, collect
from pytest_nestvirt.inventory.host import Connection, Host
from pytest_nestvirt.one_line import one_line
from pytest_nestvirt.snapshot.snapshot import Snapshot, SnapshotError
from pytest_nestvirt.transport.base import (
    CommandTimeoutError,
    SessionRefusedError,
    Stage,
    Transport,
    TransportError,
)

_SILENT = 0.9
"""The part of its deadline that a host takes to connect if it does not answer."""
_SETTLED_STAGES = frozenset({Stage.CONFIGURATION, Stage.HOST_KEY, Stage.AUTHENTICATION})
"""What fails there fails again; and a second wrong login may lock the account."""


@dataclass(frozen=True, slots=True)
class Collected:
    """What came of one host. No snapshot and no trouble: it was not meant to be looked at (`connection: none`)."""

    host: Host
    snapshot: Snapshot | None
    trouble: str
    """One line that says why there is no snapshot; empty if there is one."""
    seconds: float
    where: str
    """The address or path, for people."""
    unreachable: bool = False
    """No connection to it came about, so nothing behind it can be reached either."""
    crashed: bool = False
    """The tool itself failed on it; `trouble` says how and where."""


def look(host: Host, transport_of: Callable[[Host], Transport], load_recorded: Callable[[Host], Snapshot]) -> Collected:
    """What came of one host. A fault of the tool is that host's error, and ends nothing else."""
    try:
        match host.connection:
            case Connection.NONE:
                return Collected(host, None, "", 0.0, "")
            case Connection.RECORDED:
                return _replay(host, load_recorded)
            case _:
                return _reach(host, transport_of)
    except Exception as crash:  # noqa: BLE001 - one machine must not end the run for all
        return _crashed(host, crash)


def given_up(host: Host, why: str) -> Collected:
    """A host that was not reached, for a reason that is not its own."""
    return Collected(host, None, f"{host.name}: {why}", 0.0, "", unreachable=True)


def _reach(host: Host, transport_of: Callable[[Host], Transport]) -> Collected:
    started = time.monotonic()
    where, trouble, snapshot, unreachable = host.ssh.address or host.name, "", None, False
    try:
        transport = transport_of(host)
        where = transport.where
        snapshot = _twice(transport, host)
    except TransportError as error:
        # Where a command ran out of time, or only sessions are refused, there was a connection; others may pass through it.
        trouble, unreachable = str(error), not isinstance(error, CommandTimeoutError | SessionRefusedError)
    except ProbeError as error:
        trouble = str(error)
    return Collected(host, snapshot, trouble, time.monotonic() - started, where, unreachable)


def _replay(host: Host, load_recorded: Callable[[Host], Snapshot]) -> Collected:
    started = time.monotonic()
    if host.path is None:
        return Collected(host, None, f"{host.name}: no `path:` to a recorded snapshot is given", 0.0, "")
    snapshot, trouble = None, ""
    try:
        snapshot = load_recorded(host)
    except SnapshotError as error:
        trouble = f"{host.name}: {error}"
    return Collected(host, snapshot, trouble, time.monotonic() - started, str(host.path))


def _twice(transport: Transport, host: Host) -> Snapshot:
    """Collect, and once more where another try may end otherwise; a hang would only take as long again."""
    started = time.monotonic()
    try:
        return collect(transport, host)
    except TransportError as error:
        if error.stage in _SETTLED_STAGES or _hung(error, host, time.monotonic() - started):
            raise
    transport.close()
    return collect(transport, host)


def _hung(error: TransportError, host: Host, seconds: float) -> bool:
    """Whether a host let a deadline pass, by its own silence or by that of a machine on the way to it."""
    if isinstance(error, CommandTimeoutError):
        return seconds > host.deadlines.command / 2
    return seconds > host.deadlines.connect * _SILENT


def _crashed(host: Host, crash: Exception) -> Collected:
    place = traceback.extract_tb(crash.__traceback__)[-1]
    what = one_line(f"{type(crash).__name__}: {crash}", 200)
    trouble = f"{host.name}: the tool failed on this machine: {what} ({Path(place.filename).name}:{place.lineno})"
    return Collected(host, None, trouble, 0.0, "", crashed=True)
