"""The processor that a guest is given: by QEMU's command line where it runs, by its definition otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_nestvirt.derived.describe import describe
from pytest_nestvirt.facts.libvirt.domain_xml import ABSENT, DomainXml
from pytest_nestvirt.facts.libvirt.qemu_argv import parse_argv
from pytest_nestvirt.facts.libvirt.qemu_cpu import EXTENSIONS, GuestCpu, parse_cpu_option
from pytest_nestvirt.observation.fact import Unobservable
from pytest_nestvirt.observation.unknown import attempt, if_known

if TYPE_CHECKING:
    from pytest_nestvirt.facts.machine import Machine

_WHOLE = {"host-passthrough": "host", "maximum": "max"}


def cpu_of_definition(xml: DomainXml) -> GuestCpu:
    """The same from a definition. `Unobservable` for host-model, which becomes a named model at the start only."""
    if xml.cpu_mode == "host-model":
        raise Unobservable(xml.source, "what host-model becomes is decided when the domain starts")
    named = frozenset(EXTENSIONS & xml.features.keys())
    given = frozenset(name for name in named if xml.demands(name))
    taken = frozenset(name for name in named if xml.declines(name))
    model = _WHOLE.get(xml.cpu_mode, xml.cpu_model if xml.cpu_mode == "custom" else "")
    return GuestCpu(model, given, taken)


def running_cpu(guest: Machine) -> GuestCpu:
    """What a guest runs with. `Unobservable` where neither its QEMU nor its running definition is known."""
    argv = attempt(lambda: guest.domain.command_line)
    if isinstance(argv, Unobservable):
        return cpu_of_definition(guest.domain.active)
    values = parse_argv(0, "\n".join(argv)).values("cpu")
    return parse_cpu_option(values[-1] if values else "")


def describe_cpu_mode(guest: Machine) -> str:
    """The mode of the <cpu> that holds now and, where it differs, the one that a person wrote: for messages.

    libvirt shows host-model in a running domain as `custom`, and the person who wrote it looks for host-model.
    """
    mode = describe(guest, "domain.cpu_mode")
    stored = if_known(lambda: guest.domain.inactive.cpu_mode)
    defined = "without <cpu>" if stored == ABSENT else f"as {stored}"
    return mode if stored in {None, mode} else f"{mode} (defined {defined})"
