"""A machine of the inventory as a testinfra Host, so that existing testinfra tests run on L1 and L2, too."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import testinfra.host

from pytest_nestvirt.facts.machine import Machine
from pytest_nestvirt.transport.base import Transport
from pytest_nestvirt.transport.testinfra_backend import NestvirtBackend


class NestvirtHost(testinfra.host.Host):
    """A testinfra Host over our transport; `nestvirt` leads to its level, facts and domain."""

    nestvirt: Machine

    def __init__(self, transport: Transport, machine: Machine) -> None:
        backend = NestvirtBackend(transport, machine.name)
        super().__init__(backend)
        backend.set_host(self)
        self.nestvirt = machine

    @classmethod
    def get_host(cls, hostspec: str, **options: Any) -> testinfra.host.Host:  # noqa: ANN401 - testinfra's signature
        """Another host, by a host spec of testinfra: it is reached by testinfra's own transports."""
        return testinfra.host.Host.get_host(hostspec, **options)

    @classmethod
    def get_hosts(cls, hosts: Iterable[str], **options: Any) -> list[testinfra.host.Host]:  # noqa: ANN401 - as above
        """Other hosts, by host specs of testinfra."""
        return testinfra.host.Host.get_hosts(hosts, **options)
