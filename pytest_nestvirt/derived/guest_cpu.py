"""The processor that a guest is given: by QEMU's command line where it runs, by its definition otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_nestvirt.derived.describe import describe
from pytest_nestvirt.facts.libvirt.domain_xml import ABSENT, DomainXml
from pytest_nestvirt.facts.libvirt.qemu_cpu import EXTENSIONS, GuestCpu, cpu_of_argv, with_arguments
from pytest_nestvirt.observation.fact import Unobservable
from pytest_nestvirt.observation.unknown import attempt, either, first_known, if_known, known_or

if TYPE_CHECKING:
    from pytest_nestvirt.facts.machine import Machine

_WHOLE = {"host-passthrough": "host", "maximum": "max"}


def cpu_of_definition(xml: DomainXml) -> GuestCpu:
    """What a definition asks QEMU for. A -cpu in <qemu:commandline> replaces <cpu>: QEMU gets it later, and the last one holds."""
    named = frozenset(EXTENSIONS & xml.features.keys())
    given = frozenset(name for name in named if xml.demands(name))
    taken = frozenset(name for name in named if xml.declines(name))
    model = _WHOLE.get(xml.cpu_mode, xml.cpu_model if xml.cpu_mode == "custom" else "")
    if xml.cpu_mode == "host-model":
        model = xml.cpu_mode
    return with_arguments(GuestCpu(model, given, taken, named - given - taken), xml.qemu_arguments)


def running_cpu(guest: Machine) -> GuestCpu:
    """What a guest runs with. `Unobservable` where neither its QEMU nor its running definition is known."""
    return first_known(
        lambda: cpu_of_argv(guest.domain.command_line),
        lambda: cpu_of_argv(guest.pve.command_line),
        lambda: cpu_of_definition(guest.domain.active),
    )


def given_cpu(guest: Machine) -> GuestCpu:
    """What a guest runs with or, where it does not run, what it is defined to start with."""
    return first_known(lambda: running_cpu(guest), lambda: cpu_of_definition(guest.domain.xml))


def gets_extension(guest: Machine, extension: str) -> bool:
    """Whether a guest is given vmx or svm by KVM, or shows that it has it.

    `Unobservable` where that is not known, and where the guest shows what QEMU surely keeps from it: one of the two is not of
    this guest, or not of now.
    """
    cpu = if_known(lambda: given_cpu(guest))
    emulated = if_known(lambda: _accel(guest)) == "tcg"
    withheld = (cpu is not None and extension in cpu.taken) or (emulated and extension == "vmx")  # TCG never has vmx
    if not withheld:
        return either(
            lambda: extension in guest.cpu.flags,
            lambda: given_cpu(guest).offers(extension) and _accel(guest) == "kvm",
        )
    if known_or(lambda: extension in guest.cpu.flags, otherwise=False):
        how = "emulates it" if emulated else f"keeps that from it ({cpu})"
        raise Unobservable("cpu.flags", f"{guest.name} shows {extension}, and QEMU {how}")
    return False


def _accel(guest: Machine) -> str:
    return first_known(lambda: guest.domain.accel, lambda: guest.pve.accel)


def is_given_the_host_cpu(guest: Machine, extension: str) -> bool:
    """Whether QEMU runs a guest with `-cpu host`, without taking vmx or svm away."""
    cpu = given_cpu(guest)
    return cpu.model == "host" and extension not in cpu.taken


def describe_cpu(guest: Machine) -> str:
    """The processor that QEMU gives it: `the processor Penryn,vmx=on`, for messages."""
    cpu = attempt(lambda: given_cpu(guest))
    return "an unknown processor" if isinstance(cpu, Unobservable) else f"the processor {cpu}"


def describe_cpu_mode(guest: Machine) -> str:
    """The mode of the <cpu> that holds now and, where it differs, the one that a person wrote: for messages.

    libvirt shows host-model in a running domain as `custom`, and the person who wrote it looks for host-model.
    """
    mode = describe(guest, "domain.cpu_mode")
    stored = if_known(lambda: guest.domain.inactive.cpu_mode)
    defined = "without <cpu>" if stored == ABSENT else f"as {stored}"
    return mode if stored in {None, mode} else f"{mode} (defined {defined})"
