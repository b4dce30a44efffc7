"""The hops that ProxyJump names: machines outside the inventory. Each is connected to once, for all that lies behind it."""

from __future__ import annotations

import threading

from pytest_nestvirt.inventory.host import Become, Connection, Host, SshAccess
from pytest_nestvirt.transport.base import Stage, TransportError
from pytest_nestvirt.transport.ssh import SshTransport
from pytest_nestvirt.transport.ssh_config import parse_jump


class Jumps:
    """Keeps the connections of jump hosts. As in ssh, the first hop may have a ProxyJump of its own."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._kept: dict[tuple[SshAccess, SshTransport | None], SshTransport] = {}
        self._resolving: list[str] = []

    def last(self, host: Host, specs: tuple[str, ...]) -> SshTransport:
        """The transport of the last of these hops. Raises `TransportError` (configuration)."""
        with self._lock:
            hop: SshTransport | None = None
            for spec in specs:
                hop = self._hop(host, spec, hop)
            if hop is None:
                raise _mistake(host, "ProxyJump does not name a host")
            return hop

    def _hop(self, host: Host, spec: str, previous: SshTransport | None) -> SshTransport:
        machine = _machine(host, spec, previous)
        key = (machine.ssh, previous)
        if spec in self._resolving:
            raise _mistake(host, f"ProxyJump forms a loop: {' -> '.join([*self._resolving, spec])}")
        if key not in self._kept:
            transport = SshTransport(machine, previous, jumps=self.last)
            self._resolving.append(spec)
            try:
                _ = transport.hop  # a loop is found here, before a thread waits in it
            finally:
                self._resolving.pop()
            self._kept[key] = transport
        return self._kept[key]

    def close(self) -> None:
        """Give back all connections, the last hops first."""
        with self._lock:
            kept = list(self._kept.values())
        for transport in reversed(kept):
            transport.close()


def _machine(host: Host, spec: str, previous: SshTransport | None) -> Host:
    """The hop as a host. What the inventory has for the host (user, keys, accept-new) does not apply to its hops."""
    try:
        jump = parse_jump(spec)
    except ValueError as error:
        raise _mistake(host, f"ProxyJump: {error}") from error
    return Host(
        name=spec,
        level=0,
        parent=None,
        connection=Connection.SSH,
        ssh=SshAccess(
            address=jump.host,
            port=jump.port,
            user=jump.user,
            known_hosts=host.ssh.known_hosts,
            config=host.ssh.config,
            agent=host.ssh.agent,
        ),
        deadlines=host.deadlines,
        via=previous.host.name if previous else None,
        become=Become.NEVER,
    )


def _mistake(host: Host, what: str) -> TransportError:
    return TransportError(host.name, Stage.CONFIGURATION, what, "fix the SSH configuration")
