"""How the processor of a running guest differs from what its stored definition gives it: an edit takes a new start."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_nestvirt.derived.guest_definition import stored_definition
from pytest_nestvirt.observation.fact import Unobservable
from pytest_nestvirt.observation.unknown import if_known

if TYPE_CHECKING:
    from pytest_nestvirt.facts.libvirt.domain_xml import DomainXml
    from pytest_nestvirt.facts.machine import Machine

_WHOLE_CPU = frozenset({"host-passthrough", "maximum"})
"""Modes of <cpu> that give a guest whatever KVM can pass on."""

_OF_THE_HOST = _WHOLE_CPU | {"host-model"}


def unapplied_mode(guest: Machine) -> str:
    """How the <cpu> of the running guest has another mode than its stored one; empty if it has not.

    libvirt shows host-model in a running domain as the model that it has become (since 3.2), so that is not a difference.
    `Unobservable` where one of the two is not known.
    """
    stored = stored_definition(guest)
    if stored is None:
        return ""
    before, after = guest.domain.active.cpu_mode, stored.cpu_mode
    if before == after or (after, before) == ("host-model", "custom") or not {before, after} & _OF_THE_HOST:
        return ""
    return f"it runs with <cpu> {before}, and its stored definition has {after}"


def lacking_extension(guest: Machine, extension: str) -> str:
    """How the running guest lacks vmx or svm that its stored definition gives it, or may give it; empty if it does not.

    The flags that the guest shows decide; `Unobservable` where they, or the stored definition, cannot be read.
    """
    stored = stored_definition(guest)
    if stored is None or stored.declines(extension) or extension in guest.cpu.flags:
        return ""
    if stored.cpu_mode in _OF_THE_HOST or stored.demands(extension):
        gives = "is to" if _promises(stored, extension) else "may"
        return f"it runs without {extension}, which its stored definition ({stored.cpu_mode}) {gives} give it"
    return ""


def unapplied_extension(guest: Machine, extension: str) -> str:
    """The same where another start is to give it the extension. `Unobservable` where it is not known whether it would.

    host-model promises neither vmx nor svm: libvirt names a model and what the host has beyond it, and QEMU leaves out of
    its models what KVM guests do not get unasked. libvirt's EPYC has svm and so does not name it, QEMU's has it switched
    off under KVM: a domain that was started a moment ago runs without it (libvirt 9.0.0, QEMU 7.2).
    """
    lacking, stored = lacking_extension(guest, extension), stored_definition(guest)
    if lacking and stored is not None and not _promises(stored, extension):
        why = f"{lacking}: what host-model becomes is decided at each start, and another start may not change it"
        raise Unobservable(stored.source, why)
    return lacking


def withheld_by_host_model(guest: Machine, extension: str) -> str:
    """How a guest whose stored definition is host-model has come to run without vmx or svm; empty if it has not.

    The flags that the guest shows decide, else the running definition; where neither is known, nothing is known to be withheld.
    """
    stored = if_known(lambda: stored_definition(guest))
    if stored is None or stored.cpu_mode != "host-model" or stored.demands(extension):
        return ""
    flags, active = if_known(lambda: guest.cpu.flags), if_known(lambda: guest.domain.active)
    withheld = extension not in flags if flags is not None else active is not None and active.declines(extension)
    model = f" with {active.cpu_model}" if active is not None and active.cpu_model else ""
    return f"its <cpu> is host-model, and it runs{model} without {extension}" if withheld else ""


def _promises(definition: DomainXml, extension: str) -> bool:
    """Whether a guest that is started from it has the extension, on a host that nests."""
    return definition.cpu_mode in _WHOLE_CPU or definition.demands(extension)
