"""Who a machine is: whether it really is the guest that the inventory takes it for, and no other machine of the inventory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_nestvirt.derived.parent_view import disguise, given_uuid
from pytest_nestvirt.derived.runner import TCG, runner_of
from pytest_nestvirt.derived.same_machine import credentials, is_recognised, one_machine
from pytest_nestvirt.facts.kernel.architecture import Family
from pytest_nestvirt.facts.libvirt.qemu_cpu import EXTENSIONS
from pytest_nestvirt.facts.platform.machine_uuid import same_uuid
from pytest_nestvirt.inventory.host import Connection
from pytest_nestvirt.observation.fact import Unobservable
from pytest_nestvirt.observation.unknown import if_known, known_or, surely
from pytest_nestvirt.snapshot.snapshot import Snapshot

if TYPE_CHECKING:
    from pytest_nestvirt.facts.machine import Machine


@dataclass(frozen=True, slots=True)
class _Offer:
    """What guests of a provider see below them."""

    hypervisors: frozenset[str]
    cloud: str = ""
    """Name of its substrate; empty where it is not a cloud."""


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


def contradiction(machine: Machine) -> str:
    """What contradicts that a machine is the one that the inventory takes it for, for messages; empty where nothing does.

    Compared are boot ids and UUIDs with those of every other machine, the UUID with the one that its parent gives it, its
    processor with that of its parent, and the hypervisor that it sees with the provider of its parent. What is unknown proves nothing, and is not held against it.
    """
    return (
        same_system(machine)
        or other_machine(machine)
        or _same_as_a_neighbour(machine)
        or _is_not_a_guest(machine)
        or _of_another_processor(machine)
        or _of_another_provider(machine)
    )


def same_system(guest: Machine) -> str:
    """What shows that this is one of the machines it is taken to run in, for messages; empty where nothing does.

    An address or an ssh alias that leads to the hypervisor instead of its guest: no two kernels share a boot id. Records of
    systems that have none, ESXi and Windows, are one and the same where everything in them is.
    """
    own = if_known(lambda: guest.kernel.boot_id)
    for above in _ancestors(guest):
        if _is_one_record(guest, above):
            return f"{guest.name} and {above.name} are one and the same system: everything that was read of them is the same"
        if own is not None and own == if_known(lambda above=above: above.kernel.boot_id):  # type: ignore[misc]
            return f"{guest.name} and {above.name} are one and the same system: they have the same boot_id"
    return ""


_WITHOUT_BOOT_ID = frozenset({"windows", "esxi"})


def _is_one_record(one: Machine, other: Machine) -> bool:
    """Whether all that was read of two systems without boot ids is equal. Short records of others may be equal by chance."""
    if if_known(lambda: one.os.id) not in _WITHOUT_BOOT_ID:
        return False
    seen, above = one.reader.snapshot, other.reader.snapshot
    if not isinstance(seen, Snapshot) or not isinstance(above, Snapshot) or not seen.sections:
        return False
    return one.host.connection is Connection.RECORDED and seen.sections == above.sections


def other_machine(guest: Machine) -> str:
    """How the UUID of a guest shows that it is not the one that its parent runs under that name; empty where it does not."""
    shown, given = if_known(lambda: guest.identity.uuid), if_known(lambda: given_uuid(guest))
    if shown is None or given is None or same_uuid(shown, given.uuid):
        return ""
    return f"{guest.name} is another machine than the one that its parent runs: its UUID is {shown}, that of {given.where} {given.uuid}"


def _ancestors(machine: Machine) -> Iterator[Machine]:
    above = machine.parent
    while above is not None:
        yield above
        above = above.parent


def _same_as_a_neighbour(machine: Machine) -> str:
    """How another machine of the inventory, neither above nor below it, is the same system."""
    sharing = (*machine.roster.sharing_boot_id(machine.name), *machine.roster.sharing_uuid(machine.name))
    others = [machine.roster.machines[name] for name in sharing]
    apart = [other for other in others if not _is_in_line(machine, other)]
    found = (one_machine(credentials(machine), credentials(other)) for other in apart)
    return next(filter(None, found), "")


def _is_in_line(one: Machine, other: Machine) -> bool:
    """Whether one of the two runs in the other; `same_system` compares these."""
    return any(above is other for above in _ancestors(one)) or any(above is one for above in _ancestors(other))


def _is_not_a_guest(guest: Machine) -> str:
    if guest.parent is None or not surely(lambda: guest.platform.physical):
        return ""
    if is_recognised(guest) or disguise(guest):
        return ""
    return f"{guest.name} is not a guest: it runs on hardware"


def _of_another_processor(guest: Machine) -> str:
    """How a guest shows a processor that its parent can only emulate, although that does not emulate it."""
    parent = guest.parent
    if parent is None or known_or(lambda: TCG in runner_of(guest).possible, otherwise=False):
        return ""
    own, above = _families(guest), _families(parent)
    if own and above and own.isdisjoint(above) and _is_seen_to_run(guest):
        return (
            f"{guest.name} is not a guest of {parent.name}: its architecture is {' or '.join(sorted(own))}, that of "
            f"{parent.name} {' or '.join(sorted(above))}, and it is not emulated"
        )
    shown, there = (if_known(lambda each=each: each.cpu.flags & EXTENSIONS) for each in (guest, parent))  # type: ignore[misc]
    if shown and there and shown.isdisjoint(there) and _is_seen_to_run(guest):
        return (
            f"{guest.name} is not a guest of {parent.name}: its processor has {', '.join(sorted(shown))}, that of "
            f"{parent.name} {', '.join(sorted(there))}, and it is not emulated"
        )
    return ""


def _families(machine: Machine) -> frozenset[str]:
    """The families of architectures that a machine may be of; empty where that is unknown."""
    if known_or(lambda: machine.os.id, "") == "windows":
        return frozenset({Family.X86, Family.ARM})
    return frozenset({known_or(lambda: machine.kernel.family, str(Family.UNKNOWN))}) - {Family.UNKNOWN}


def _is_seen_to_run(guest: Machine) -> bool:
    """Whether any witness shows what runs it: a guest of which that is unknown may be emulated."""
    return known_or(lambda: bool(runner_of(guest).possible), otherwise=False)


def _of_another_provider(guest: Machine) -> str:
    parent = guest.parent
    if parent is None:
        return ""
    provider = parent.declared.provider
    if provider == "libvirt" and isinstance(parent.reader.snapshot, Unobservable):
        return ""  # the provider of a host for which the file does not name one and which was not collected
    seen, cloud = if_known(lambda: guest.platform.virtualization), if_known(lambda: guest.platform.substrate)
    if _may_be(_OFFERS[provider], seen, cloud) or is_recognised(guest) or disguise(guest):
        return ""
    return (
        f"inventory and machine contradict each other: {parent.name} has `provider: {provider}`, and {guest.name} runs on "
        f"{cloud if cloud in _CLOUDS else seen}; fix the provider, or the address of {guest.name}"
    )


def _may_be(offer: _Offer, hypervisor: str | None, substrate: str | None) -> bool:
    """Whether what a guest sees can be what is offered. Unknown can be anything, and so can a hypervisor that hides itself."""
    if hypervisor not in offer.hypervisors | {None, "none"}:
        return False
    return substrate in {offer.cloud, None} if offer.cloud else substrate not in _CLOUDS
