"""Whether a guest is where the inventory has it: inside its parent, run by KVM."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_nestvirt.facts.platform.machine_uuid import same_uuid
from pytest_nestvirt.observation.fact import Unobservable

if TYPE_CHECKING:
    from pytest_nestvirt.facts.machine import Machine


def hypervisor_below(guest: Machine) -> str:
    """What runs a guest: kvm, qemu (emulation), ... as the guest sees it, else as its parent's libvirt and QEMU tell.

    Windows does not tell; then the parent does. `Unobservable` where neither is known.
    """
    try:
        return guest.platform.virtualization
    except Unobservable as unknown:
        return _told_by_the_parent(guest, unknown)


def _told_by_the_parent(guest: Machine, unknown: Unobservable) -> str:
    try:
        running, accel = guest.domain.running, guest.domain.accel
    except Unobservable:
        raise unknown.with_traceback(None) from None
    if not running:
        raise unknown.with_traceback(None)
    return "qemu" if accel == "tcg" else accel


def other_machine(guest: Machine) -> str:
    """How the UUID of a guest shows that it is not the domain of that name on its parent; empty where nothing shows it."""
    try:
        shown, defined = guest.identity.uuid, guest.domain.xml.uuid
    except Unobservable:
        return ""
    if same_uuid(shown, defined):
        return ""
    return f"{guest.name} shows the UUID {shown}, and domain {guest.domain.domain} has {defined}: the address leads to another machine"
