"""A machine is the guest that the inventory takes it for, or something speaks against it."""

from __future__ import annotations

import pytest
from recorded_machines import HARDWARE, XEON, Texts, cpuinfo, domain, intel_chain, machines
from rhel8_trios import AWS, AZURE, GCE, HYPERV, NO_DMI, VMWARE, XEN, foreign

from pytest_nestvirt.derived.identity import contradiction
from pytest_nestvirt.facts.machine import Machine
from pytest_nestvirt.inventory.host import Connection, Provider

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


KVM: Texts = {}
"""What the L1 of a RHEL chain sees anyway."""


@pytest.mark.parametrize(
    "provider, seen, told",
    [
        (Provider.VSPHERE, VMWARE, ""),
        (Provider.VSPHERE, KVM, "vsphere`, and L1 runs on kvm;"),
        (Provider.VSPHERE, AWS, "vsphere`, and L1 runs on aws;"),
        (Provider.VSPHERE, NO_DMI, ""),
        (Provider.EC2, AWS, ""),
        (Provider.EC2, KVM, "ec2`, and L1 runs on kvm;"),
        (Provider.EC2, VMWARE, "ec2`, and L1 runs on vmware;"),
        (Provider.HYPERV, HYPERV, ""),
        (Provider.HYPERV, AZURE, "hyperv`, and L1 runs on azure;"),
        (Provider.AZURE, AZURE, ""),
        (Provider.AZURE, HYPERV, "azure`, and L1 runs on hyperv;"),
        (Provider.AZURE, {**HARDWARE, **cpuinfo("GenuineIntel", XEON, "fpu lm vmx ept")}, "L1 is no guest at all"),
        (Provider.GCE, GCE, ""),
        (Provider.GCE, KVM, "gce`, and L1 runs on kvm;"),
        (Provider.PROXMOX, KVM, ""),
        (Provider.PROXMOX, XEN, "proxmox`, and L1 runs on xen;"),
        (Provider.LIBVIRT, VMWARE, ""),
    ],
)
def test_what_a_guest_runs_on_is_held_against_the_provider_of_the_inventory(
    provider: Provider, seen: Texts, told: str
) -> None:
    """A contradiction between what is declared and what is seen is no guess of either; what is unknown contradicts nothing.

    `libvirt` is also what stands for nothing: of a host at which nobody looks it says nothing.
    """
    found = contradiction(machines(foreign(provider, seen))[1])
    assert (told in found) if told else found == ""


@pytest.mark.parametrize("provider", [Provider.LIBVIRT, Provider.VSPHERE])
def test_a_host_that_was_looked_at_is_of_its_provider(provider: Provider) -> None:
    """Its guests run on what it is: a guest of somebody else lends it nothing."""
    l0, l1, *_ = intel_chain()
    other = VMWARE if provider is Provider.LIBVIRT else KVM
    chain = (l0.having(provider=provider, connection=Connection.RECORDED), l1.having(other))
    assert f"L0 has `provider: {provider}`" in contradiction(machines(chain)[1])


def test_an_l0_contradicts_nobody() -> None:
    """It runs on hardware, as it should, and nothing in the inventory is above it."""
    assert contradiction(machines(intel_chain())[0]) == ""
