"""All hosts of an inventory at once, each at most twice, a hop before the hosts behind it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from pytest_nestvirt.collect.crew import Crew
from pytest_nestvirt.collect.look import Collected, given_up, look
from pytest_nestvirt.inventory.host import Connection, Host, Inventory
from pytest_nestvirt.snapshot.snapshot import Snapshot
from pytest_nestvirt.transport.base import Transport


def collect_fleet(
    inventory: Inventory,
    transport_of: Callable[[Host], Transport],
    load_recorded: Callable[[Host], Snapshot],
    *,
    threads: int = 32,
    deadline: float | None = None,
    release: Callable[[Host], None] | None = None,
    progress: Callable[[Host, str], None] | None = None,
) -> Mapping[str, Collected]:
    """Look at every host, by at most `threads` at a time; the result has them all, in the inventory's order.

    A host that cannot be reached is tried once more, unless it would fail alike, and what lies behind it (`via`) is
    given up without waiting. While hosts do not answer, others are looked at in their place. What has no result when `deadline`
    seconds are over is given up. `release` is called when neither a host nor anything behind it is looked at any more, `progress`
    in the calling thread as each host is settled.
    """
    fleet = _Fleet(inventory, lambda host: look(host, transport_of, load_recorded), release, progress)
    fleet.run(max(1, min(threads, len(inventory.hosts))), deadline)
    return {host.name: fleet.settled[host.name] for host in inventory}


class _Fleet:
    def __init__(
        self,
        inventory: Inventory,
        look_at: Callable[[Host], Collected],
        release: Callable[[Host], None] | None,
        progress: Callable[[Host, str], None] | None,
    ) -> None:
        self.inventory = inventory
        self.look_at = look_at
        self.release = release
        self.progress = progress
        self.settled: dict[str, Collected] = {}
        self._hosts = {host.name: host for host in inventory}
        self._behind: dict[str, list[Host]] = {host.name: [] for host in inventory}
        for host in inventory:
            if host.connection is Connection.SSH and host.via in self._behind:
                self._behind[host.via].append(host)
        self._open = {name: 1 + len(behind) for name, behind in self._behind.items()}
        """How many of a host and those behind it are still to be looked at."""

    def run(self, threads: int, deadline: float | None) -> None:
        crew = Crew(threads, self._look)
        try:
            self._dispatch(crew, None if deadline is None else time.monotonic() + deadline)
        finally:
            crew.stop()
        for host in self.inventory:
            if host.name not in self.settled:
                self._settle(given_up(host, self._why_unsettled(host, crew, deadline)))

    def _look(self, host: Host) -> Collected:
        """In a thread of the crew, which also closes what nothing else leads through."""
        collected = self.look_at(host)
        if self.release is not None and not self._behind[host.name]:
            self.release(host)
        return collected

    def _dispatch(self, crew: Crew, until: float | None) -> None:
        first = [host for host in self.inventory if not self._is_behind_another(host)]
        waiting = len(first)
        for host in first:
            crew.assign(host)
        while waiting:
            collected = crew.next_result(until)
            if collected is None:
                return
            waiting -= 1
            for host in self._settle(collected):
                crew.assign(host)
                waiting += 1

    def _is_behind_another(self, host: Host) -> bool:
        return host.connection is Connection.SSH and host.via in self._behind

    def _settle(self, collected: Collected) -> list[Host]:
        """Note what came of a host, and give up those behind it if need be; those that can be looked at now."""
        host = collected.host
        self.settled[host.name] = collected
        if self.progress is not None:
            self.progress(host, _summary(collected))
        self._close(host)
        behind = [other for other in self._behind[host.name] if other.name not in self.settled]
        if not collected.unreachable:
            return behind
        for other in behind:
            self._settle(given_up(other, f"its hop {host.name} could not be reached"))
        return []

    def _close(self, settled: Host) -> None:
        """Release a hop when all that is behind it is settled, and so on up the way."""
        host: Host | None = settled
        while host is not None:
            self._open[host.name] -= 1
            if self._open[host.name]:
                return
            if self.release is not None and self._behind[host.name]:
                self.release(host)
            host = self._hosts.get(host.via or "") if self._is_behind_another(host) else None

    def _why_unsettled(self, host: Host, crew: Crew, deadline: float | None) -> str:
        if deadline is None:
            return f"its hop {host.via} leads back to it"
        when = "while it was being probed" if crew.is_looking_at(host.name) else "before it was its turn"
        return f"the deadline of {deadline:g} s for all machines passed {when}; see --nestvirt-deadline"


def _summary(collected: Collected) -> str:
    if collected.snapshot is not None:
        note = f"; {collected.snapshot.note}" if collected.snapshot.note else ""
        return f"{len(collected.snapshot.sections)} sections in {collected.seconds:.1f} s{note}"
    return collected.trouble or "not looked at"
