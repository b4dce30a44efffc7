"""The definition of a guest on its parent's libvirt: the stored one, and the one that a person edits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_nestvirt.observation.fact import Unobservable
from pytest_nestvirt.observation.unknown import if_known

if TYPE_CHECKING:
    from pytest_nestvirt.facts.libvirt.domain_xml import DomainXml
    from pytest_nestvirt.facts.machine import Machine


def stored_definition(guest: Machine) -> DomainXml | None:
    """The definition that the guest starts from next time; None for a transient domain."""
    if guest.parent is None:
        raise Unobservable("inventory", f"{guest.name} is not a guest of a machine in the inventory")
    known = guest.parent.libvirt.domains.get(guest.domain.domain)
    if known is None:
        raise Unobservable("libvirt.domains", f"no domain {guest.domain.domain} on {guest.parent.name}")
    return known.inactive


def configured_cpu(guest: Machine) -> DomainXml:
    """The definition that a person edits: the stored one, else that of the running domain.

    `Unobservable` where only the running one is known and its processor is of the form that libvirt expands host-model into.
    """
    stored = if_known(lambda: stored_definition(guest))
    if stored is not None:
        return stored
    active = guest.domain.xml
    if active.cpu_mode == "custom" and active.cpu_check == "full":
        raise Unobservable(
            active.source, "the running domain does not show whether its model was named or is an expanded host-model"
        )
    return active
