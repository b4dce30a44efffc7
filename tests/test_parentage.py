"""A machine is the guest that the inventory takes it for, or something speaks against it."""

from __future__ import annotations

import pytest
from recorded_machines import Texts, domain, intel_chain, machines

from pytest_nestvirt.facts.machine import Machine
from pytest_nestvirt.facts.parentage import contradiction

DEFINED = "0b0e1b2a-2f0e-4c8a-9d6e-1f2e3d4c5b6a"
SWAPPED = "2a1b0e0b-0e2f-8a4c-9d6e-1f2e3d4c5b6a"
OTHER = "ffffffff-2f0e-4c8a-9d6e-1f2e3d4c5b6a"


def guest(uuid: Texts) -> Machine:
    """An L1 whose domain has a UUID, and which was told one by its firmware."""
    above, below, *_ = intel_chain()
    defined = {
        name: str(text).replace("<name>L1</name>", f"<name>L1</name><uuid>{DEFINED}</uuid>")
        for name, text in domain("L1", "<cpu mode='host-passthrough'/>").items()
    }
    return machines((above.having(defined), below.having(uuid)))[1]


@pytest.mark.parametrize("own", [DEFINED, DEFINED.upper() + "\n", SWAPPED])
def test_the_same_uuid_is_the_same_machine(own: str) -> None:
    """Also in capitals, and with the first fields the other way round."""
    assert contradiction(guest({"sys/class/dmi/id/product_uuid": own})) == ""


def test_another_uuid_is_another_machine() -> None:
    """An address that leads to somebody else's guest must not lend its good marks to this chain."""
    told = contradiction(guest({"sys/class/dmi/id/product_uuid": OTHER}))
    assert OTHER in told
    assert DEFINED in told


def test_an_unknown_uuid_proves_nothing() -> None:
    """It is readable by root only, so that its absence holds nothing against the machine."""
    assert contradiction(guest({"sys/class/dmi/id/product_uuid": "not a uuid"})) == ""


@pytest.mark.parametrize(
    "source, text",
    [("proc/device-tree/vm,uuid", OTHER), ("proc/sysinfo", f"VM00 Name: L1\nVM00 UUID:            {OTHER}\n")],
)
def test_power_and_z_name_their_guests_elsewhere(source: str, text: str) -> None:
    """The device tree on POWER, sysinfo on IBM Z."""
    assert OTHER in contradiction(guest({source: text}))
