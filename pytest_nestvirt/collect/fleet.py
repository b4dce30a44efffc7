"""All hosts of an inventory at once, each at most twice, a hop before the hosts behind it."""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

from pytest_nestvirt.collect.probe import ProbeError, collect
from pytest_nestvirt.inventory.host import Connection, Host, Inventory
from pytest_nestvirt.one_line import one_line
from pytest_nestvirt.snapshot.snapshot import Snapshot, SnapshotError
from pytest_nestvirt.transport.base import CommandTimeoutError, Stage, Transport, TransportError

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


@dataclass(frozen=True, slots=True)
class _Done:
    host: Host
    collected: Collected | None
    crash: BaseException | None = None


def collect_fleet(
    inventory: Inventory,
    transport_of: Callable[[Host], Transport],
    load_recorded: Callable[[Host], Snapshot],
    *,
    threads: int = 32,
    progress: Callable[[Host, str], None] | None = None,
) -> Mapping[str, Collected]:
    """Look at every host, by at most `threads` at a time; the result has them all, in the inventory's order.

    A host that cannot be reached is tried once more, unless it would fail alike, and what lies behind it (`via`) is
    given up without waiting. `progress` is called in the calling thread as each host is settled.
    """
    fleet = _Fleet(inventory, transport_of, load_recorded, progress)
    fleet.run(max(1, min(threads, len(inventory.hosts))))
    return {host.name: fleet.settled[host.name] for host in inventory}


class _Fleet:
    def __init__(
        self,
        inventory: Inventory,
        transport_of: Callable[[Host], Transport],
        load_recorded: Callable[[Host], Snapshot],
        progress: Callable[[Host, str], None] | None,
    ) -> None:
        self.inventory = inventory
        self.transport_of = transport_of
        self.load_recorded = load_recorded
        self.progress = progress
        self.settled: dict[str, Collected] = {}
        self._tasks: SimpleQueue[Host | None] = SimpleQueue()
        self._done: SimpleQueue[_Done] = SimpleQueue()
        self._stopped = threading.Event()

    def run(self, threads: int) -> None:
        # Own daemon threads: those of an executor are waited for when the interpreter ends, so that Ctrl-C would have
        # to sit out the longest deadline.
        for _ in range(threads):
            threading.Thread(target=self._work, name="nestvirt-collect", daemon=True).start()
        try:
            self._dispatch()
        finally:
            self._stopped.set()
            for _ in range(threads):
                self._tasks.put(None)

    def _dispatch(self) -> None:
        names = {host.name for host in self.inventory}
        waiting = 0
        for host in self.inventory:
            if host.via is None or host.via not in names or host.connection is not Connection.SSH:
                self._tasks.put(host)
                waiting += 1
        while waiting:
            done = self._done.get()
            waiting -= 1
            if done.crash is not None:
                raise done.crash
            if done.collected is not None:
                waiting += self._settle(done.collected)
        for host in self.inventory:
            if host.name not in self.settled:
                self._settle(_given_up(host, f"its hop {host.via} leads back to it"))

    def _settle(self, collected: Collected) -> int:
        """Note what came of a host, and start or give up those behind it; how many were started."""
        host = collected.host
        self.settled[host.name] = collected
        if self.progress is not None:
            self.progress(host, _summary(collected))
        started = 0
        for behind in self.inventory:
            if behind.via != host.name or behind.connection is not Connection.SSH or behind.name in self.settled:
                continue
            if collected.unreachable:
                started += self._settle(_given_up(behind, f"its hop {host.name} could not be reached"))
            else:
                self._tasks.put(behind)
                started += 1
        return started

    def _work(self) -> None:
        while (host := self._tasks.get()) is not None and not self._stopped.is_set():
            try:
                self._done.put(_Done(host, self._look(host)))
            except Exception as crash:  # noqa: BLE001 - one machine must not end the run for all: it becomes that one's error
                self._done.put(_Done(host, _crashed(host, crash)))
            except BaseException as crash:  # noqa: BLE001 - handed to the thread that waits, which raises it
                self._done.put(_Done(host, None, crash))

    def _look(self, host: Host) -> Collected:
        if host.connection is Connection.NONE:
            return Collected(host, None, "", 0.0, "")
        return self._replay(host) if host.connection is Connection.RECORDED else self._reach(host)

    def _reach(self, host: Host) -> Collected:
        started = time.monotonic()
        where, trouble, snapshot, unreachable = host.ssh.address or host.name, "", None, False
        try:
            transport = self.transport_of(host)
            where = transport.where
            snapshot = _twice(transport, host)
        except TransportError as error:
            # Where a command ran out of time, there had been a connection, which others may pass through.
            trouble, unreachable = str(error), not isinstance(error, CommandTimeoutError)
        except ProbeError as error:
            trouble = str(error)
        return Collected(host, snapshot, trouble, time.monotonic() - started, where, unreachable)

    def _replay(self, host: Host) -> Collected:
        started = time.monotonic()
        if host.path is None:
            return Collected(host, None, f"{host.name}: no `path:` to a recorded snapshot is given", 0.0, "")
        snapshot, trouble = None, ""
        try:
            snapshot = self.load_recorded(host)
        except SnapshotError as error:
            trouble = f"{host.name}: {error}"
        return Collected(host, snapshot, trouble, time.monotonic() - started, str(host.path))


def _twice(transport: Transport, host: Host) -> Snapshot:
    """Collect, and once more where another try may end otherwise; a hang would only take as long again."""
    started = time.monotonic()
    try:
        return collect(transport, host)
    except TransportError as error:
        hung = isinstance(error, CommandTimeoutError) and time.monotonic() - started > host.deadlines.command / 2
        if hung or error.stage in _SETTLED_STAGES:
            raise
    transport.close()
    return collect(transport, host)


def _crashed(host: Host, crash: Exception) -> Collected:
    place = traceback.extract_tb(crash.__traceback__)[-1]
    what = one_line(f"{type(crash).__name__}: {crash}", 200)
    trouble = f"{host.name}: the tool failed on this machine: {what} ({Path(place.filename).name}:{place.lineno})"
    return Collected(host, None, trouble, 0.0, "", crashed=True)


def _given_up(host: Host, why: str) -> Collected:
    return Collected(host, None, f"{host.name}: {why}", 0.0, "", unreachable=True)


def _summary(collected: Collected) -> str:
    if collected.snapshot is not None:
        note = f"; {collected.snapshot.note}" if collected.snapshot.note else ""
        return f"{len(collected.snapshot.sections)} sections in {collected.seconds:.1f} s{note}"
    return collected.trouble or "not looked at"
