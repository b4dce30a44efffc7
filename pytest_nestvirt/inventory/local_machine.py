"""The inventory of runs that name none: this machine is the hypervisor."""

from __future__ import annotations

from .digest import inventory_digest
from .host import Connection, Host, Inventory

LOCAL_NAME = "localhost"


def local_inventory() -> Inventory:
    """This machine as the one L0, looked at without SSH."""
    hosts = (Host(name=LOCAL_NAME, level=0, parent=None, connection=Connection.LOCAL),)
    return Inventory(hosts, digest=inventory_digest(hosts))
