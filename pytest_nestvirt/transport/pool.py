"""The transports of one run: one per host of the inventory, hops shared, everything closed at the end."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Self

from pytest_nestvirt.inventory.host import Connection, Host, Inventory
from pytest_nestvirt.snapshot.snapshot import Snapshot
from pytest_nestvirt.transport.base import Stage, Transport, TransportError
from pytest_nestvirt.transport.local import LocalTransport
from pytest_nestvirt.transport.recorded import RecordedTransport
from pytest_nestvirt.transport.secret import withhold

if TYPE_CHECKING:
    from pytest_nestvirt.transport.jumps import Jumps
    from pytest_nestvirt.transport.ssh import SshTransport


KEPT = 64
"""Connections are kept for tests that may follow, each with a thread and a file descriptor, if there are no more hosts than this."""


class Transports:
    """Builds transports at first use and keeps them. `load` reads the snapshot of a recorded host."""

    def __init__(self, inventory: Inventory, load: Callable[[Host], Snapshot]) -> None:
        self._inventory = inventory
        self._load = load
        self._lock = threading.RLock()
        self._kept: dict[str, Transport] = {}
        self._jumps: Jumps | None = None
        self._is_large = sum(host.connection is Connection.SSH for host in inventory) > KEPT
        for host in inventory:
            withhold((host.ssh.password_env, host.become_password_env))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def of(self, host: Host) -> Transport:
        """The transport of a host; nothing is connected yet.

        Raises `TransportError` where the inventory offers no way to it, and what `load` raises for a recorded one.
        """
        with self._lock:
            if host.name not in self._kept:
                self._kept[host.name] = self._build(host)
            return self._kept[host.name]

    def _build(self, host: Host) -> Transport:
        match host.connection:
            case Connection.SSH:
                return self._ssh(host, ())
            case Connection.LOCAL:
                return LocalTransport(host)
            case Connection.RECORDED:
                return RecordedTransport(host, self._load(host))
            case Connection.NONE:
                raise _no_way(host, "not accessible (`connection: none`)")

    def _ssh(self, host: Host, path: tuple[str, ...]) -> SshTransport:
        # Importing paramiko takes a quarter of a second, which runs over recordings can do without.
        from pytest_nestvirt.transport.jumps import Jumps  # noqa: PLC0415
        from pytest_nestvirt.transport.ssh import SshTransport  # noqa: PLC0415

        kept = self._kept.get(host.name)
        if isinstance(kept, SshTransport):
            return kept
        if host.name in path:
            raise _no_way(host, f"`via` forms a loop: {' -> '.join([*path, host.name])}")
        self._jumps = self._jumps or Jumps()
        transport = SshTransport(host, self._hop(host, (*path, host.name)), jumps=self._jumps.last)
        self._kept[host.name] = transport
        return transport

    def _hop(self, host: Host, path: tuple[str, ...]) -> SshTransport | None:
        if host.via is None:
            return None
        try:
            hop = self._inventory.host(host.via)
        except KeyError as error:
            raise _no_way(host, f"`via: {host.via}` is not a host of the inventory") from error
        if hop.connection is Connection.LOCAL:
            return None
        if hop.connection is not Connection.SSH:
            raise _no_way(host, f"its hop {hop.name} cannot forward connections (`connection: {hop.connection}`)")
        return self._ssh(hop, path)

    def release(self, host: Host) -> None:
        """Give back the connection of a host that is not needed for now, where there are more hosts than connections are kept for."""
        with self._lock:
            transport = self._kept.get(host.name) if self._is_large else None
        if transport is not None:
            transport.close()

    def close(self) -> None:
        """Give back every connection, guests before the hosts they are reached through."""
        with self._lock:
            for transport in reversed(self._kept.values()):
                transport.close()
            if self._jumps is not None:
                self._jumps.close()


def _no_way(host: Host, what: str) -> TransportError:
    return TransportError(host.name, Stage.CONFIGURATION, what, "set `address:`, `via:` or `connection:`")
