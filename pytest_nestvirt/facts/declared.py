"""What the inventory declares of a machine, as facts: they need no access to it."""

from __future__ import annotations

from pytest_nestvirt.inventory.host import Host
from pytest_nestvirt.observation.fact import INVENTORY, Reader, Subject, Unobservable, fact


class Declared(Subject):
    """Provider, environment and permissions as the inventory declares them."""

    name = "declared"

    def __init__(self, reader: Reader, host: Host) -> None:
        super().__init__(reader)
        self.host = host

    @fact
    def provider(self) -> str:
        """Who offers the virtual machines on this host: libvirt, vsphere, proxmox, hyperv, azure, ec2, gce."""
        self.reader.note(INVENTORY)
        return self.host.provider.value

    @fact
    def environment(self) -> str:
        """What the host is used for: dev, test, preprod, prod. `Unobservable` where it is not declared."""
        self.reader.note(INVENTORY)
        if self.host.environment is None:
            raise Unobservable(INVENTORY, f"`environment:` is not set for {self.host.name}")
        return self.host.environment.value

    @fact
    def treat_as(self) -> str | None:
        """Operating system id by whose rules the host is to be judged; None where it is judged by its own."""
        self.reader.note(INVENTORY)
        return self.host.treat_as

    @fact
    def expendable(self) -> bool:
        """Whether tests that may destroy this machine are allowed to use it."""
        self.reader.note(INVENTORY)
        return self.host.expendable
