"""Whether a machine really is the guest that the inventory takes it for."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_nestvirt.derived.describe import describe
from pytest_nestvirt.facts.platform.machine_uuid import same_uuid
from pytest_nestvirt.observation.fact import Unobservable

if TYPE_CHECKING:
    from pytest_nestvirt.facts.machine import Machine


@dataclass(frozen=True, slots=True)
class _Offer:
    """What guests of a provider see below them."""

    hypervisors: frozenset[str]
    cloud: str = ""
    """Name of its substrate; empty where it is no cloud."""


_OFFERS: Mapping[str, _Offer] = {
    "libvirt": _Offer(frozenset({"kvm", "qemu", "xen", "xen-pv"})),
    "proxmox": _Offer(frozenset({"kvm", "qemu"})),
    "vsphere": _Offer(frozenset({"vmware"})),
    "hyperv": _Offer(frozenset({"hyperv"})),
    "azure": _Offer(frozenset({"hyperv"}), "azure"),
    "ec2": _Offer(frozenset({"kvm", "xen", "xen-pv"}), "aws"),
    "gce": _Offer(frozenset({"kvm"}), "gce"),
}
_CLOUDS = frozenset(offer.cloud for offer in _OFFERS.values()) - {""}


def contradiction(guest: Machine) -> str:
    """What speaks against a machine being the guest that the inventory takes it for, for people; empty where nothing does.

    Compared are the hypervisor that it sees and the provider of its parent, and the UUIDs that its firmware and the parent's
    libvirt give it. The guest's needs root on x86: where either is unknown nothing is proven, and nothing held against the
    machine either.
    """
    if guest.parent is None:
        return ""
    with suppress(Unobservable):
        if guest.platform.physical:
            return f"{guest.name} is no guest at all: it runs on hardware"
    return same_system(guest) or _of_another_provider(guest, guest.parent) or _another_domain(guest)


def _of_another_provider(guest: Machine, parent: Machine) -> str:
    provider = parent.declared.provider
    if provider == "libvirt" and isinstance(parent.reader.snapshot, Unobservable):
        return ""  # what a host is taken for of which neither the file nor anybody's look at it says more
    seen = describe(guest, "platform.virtualization"), describe(guest, "platform.substrate")
    if _may_be(_OFFERS[provider], *seen):
        return ""
    told = seen[1] if seen[1] in _CLOUDS else seen[0]
    return (
        f"inventory and machine contradict each other: {parent.name} has `provider: {provider}`, and {guest.name} runs on "
        f"{told}; mend the provider, or what leads to {guest.name}"
    )


def _may_be(offer: _Offer, hypervisor: str, substrate: str) -> bool:
    """Whether what a guest sees can be what is offered. Unknown can be anything, and so can a hypervisor that hides itself."""
    if hypervisor not in offer.hypervisors | {"unknown", "none"}:
        return False
    return substrate in {offer.cloud, "unknown"} if offer.cloud else substrate not in _CLOUDS


def _another_domain(guest: Machine) -> str:
    try:
        own, defined = guest.identity.uuid, guest.domain.xml.uuid
    except Unobservable:
        return ""
    if same_uuid(own, defined):
        return ""
    return f"{guest.name} is another machine than the domain: its UUID is {own}, the domain's {defined}"


def same_system(guest: Machine) -> str:
    """What tells that this is one of the machines it is said to run in, for people; empty where nothing does.

    An address or an ssh alias that leads to the hypervisor instead of its guest: no two kernels share a boot id.
    """
    above = guest.parent
    while above is not None:
        with suppress(Unobservable):
            if guest.kernel.boot_id == above.kernel.boot_id:
                return f"{guest.name} and {above.name} are one and the same system: they have the same boot_id"
        above = above.parent
    return ""
