"""How the processor of a running guest differs from what its stored definition gives it: an edit takes a new start."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_nestvirt.derived.guest_cpu import cpu_of_definition
from pytest_nestvirt.derived.guest_definition import stored_definition
from pytest_nestvirt.facts.libvirt.qemu_cpu import HOST_MODEL
from pytest_nestvirt.observation.fact import Unobservable
from pytest_nestvirt.observation.unknown import attempt, if_known, known_or

if TYPE_CHECKING:
    from pytest_nestvirt.facts.machine import Machine

_OF_THE_HOST = frozenset({"host", "max", HOST_MODEL})


def unapplied_model(guest: Machine) -> str:
    """How the processor of the running guest is of another kind than that of its stored definition; empty if it is not.

    Between the host's processor and a named model, that is. libvirt shows host-model in a running domain as the model that it
    has become (since 3.2), so that is not a difference. `Unobservable` where one of the two is not known.
    """
    stored = stored_definition(guest)
    if stored is None:
        return ""
    before, after = cpu_of_definition(guest.domain.active), cpu_of_definition(stored)
    became = after.model == HOST_MODEL and before.model not in _OF_THE_HOST
    if before.model == after.model or became or not {before.model, after.model} & _OF_THE_HOST:
        return ""
    return f"it runs with the processor {before}, and its stored definition has {after}"


def losing_extension(guest: Machine, extension: str) -> str:
    """How the next start takes vmx or svm away that the running definition gives; empty if it does not, as far as is known."""
    stored, active = if_known(lambda: stored_definition(guest)), if_known(lambda: guest.domain.active)
    if stored is None or active is None:
        return ""
    before, after = cpu_of_definition(active), cpu_of_definition(stored)
    lost = known_or(lambda: before.offers(extension) and not after.offers(extension), otherwise=False)
    return f"it runs with {extension}, and its stored definition ({after}) does not give it any more" if lost else ""


def lacking_extension(guest: Machine, extension: str) -> str:
    """How the running guest lacks vmx or svm that its stored definition gives it, or may give it; empty if it does not.

    The flags that the guest shows decide; `Unobservable` where they, or the stored definition, cannot be read.
    """
    stored = stored_definition(guest)
    if stored is None or extension in guest.cpu.flags:
        return ""
    promised = attempt(lambda: cpu_of_definition(stored).offers(extension))
    if promised is False:
        return ""
    gives = "is to" if promised is True else "may"
    return f"it runs without {extension}, which its stored definition ({stored.cpu_mode}) {gives} give it"


def unapplied_extension(guest: Machine, extension: str) -> str:
    """The same where another start is to give it the extension. `Unobservable` where it is not known whether it would.

    host-model promises neither vmx nor svm: libvirt names a model and what the host has beyond it, and QEMU leaves out of
    its models what KVM guests do not get unasked. libvirt's EPYC has svm and so does not name it, QEMU's has it switched
    off under KVM: a domain that was started a moment ago runs without it (libvirt 9.0.0, QEMU 7.2).
    """
    lacking, stored = lacking_extension(guest, extension), stored_definition(guest)
    if lacking and stored is not None:
        promised = attempt(lambda: cpu_of_definition(stored).offers(extension))
        if isinstance(promised, Unobservable):
            raise Unobservable(
                stored.source, f"{lacking}: that is decided at each start, and another start may not change it"
            )
    return lacking


def withheld_by_host_model(guest: Machine, extension: str) -> str:
    """How a guest whose stored definition is host-model has come to run without vmx or svm; empty if it has not.

    The flags that the guest shows decide, else the running definition; where neither is known, nothing is known to be withheld.
    """
    stored = if_known(lambda: stored_definition(guest))
    if stored is None or cpu_of_definition(stored).model != HOST_MODEL or stored.demands(extension):
        return ""
    flags, active = if_known(lambda: guest.cpu.flags), if_known(lambda: guest.domain.active)
    withheld = extension not in flags if flags is not None else active is not None and active.declines(extension)
    model = f" with {active.cpu_model}" if active is not None and active.cpu_model else ""
    return f"its <cpu> is host-model, and it runs{model} without {extension}" if withheld else ""
