"""A machine of the inventory as testinfra knows machines, so that existing testinfra tests run on L1 and L2, too."""

from __future__ import annotations

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
