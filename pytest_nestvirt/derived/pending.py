"""What was changed and is not in effect yet: configuration that modules were not loaded with, edits of running domains."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from pytest_nestvirt.facts.kvm.modprobe_files import expected_default, rejected_by_kernel
from pytest_nestvirt.observation.fact import Unobservable

if TYPE_CHECKING:
    from pytest_nestvirt.facts.libvirt.domain_xml import DomainXml
    from pytest_nestvirt.facts.machine import Machine

T = TypeVar("T")

_WHOLE_CPU = frozenset({"host-passthrough", "maximum"})
"""Modes of <cpu> that give a guest whatever KVM can pass on."""

_OF_THE_HOST = _WHOLE_CPU | {"host-model"}


def unapplied_nesting(machine: Machine, module: str) -> str:
    """How `nested` of the loaded module differs from what it is to be loaded with; empty if it does not.

    Without a line the kernel's default counts, as far as its version tells. Values are compared and not times: a file that
    is newer than the module's load changes nothing if it says what holds already.
    """
    option = machine.modprobe.setting(module, "nested")
    running = machine.kvm.enabled("nested", module)
    if option is not None:
        refused = rejected_by_kernel(option)
        if refused:
            return refused
        wanted: bool | None = option.enabled
    else:
        wanted = expected_default(module, machine.kernel.version, machine.kernel.release)
    if wanted is None or wanted is running:
        return ""
    source = str(option) if option is not None else "the kernel's default"
    return f"{module} runs with nested={machine.kvm.parameter('nested', module)}, and {source} says otherwise"


def unapplied_shadow_vmcs(machine: Machine) -> str:
    """The same for `enable_shadow_vmcs` of kvm_intel, where a line sets it. The kernel ignores it on processors without."""
    option = machine.modprobe.setting("kvm_intel", "enable_shadow_vmcs")
    if option is None:
        return ""
    running = machine.kvm.enabled("enable_shadow_vmcs", "kvm_intel")
    if option.enabled is running or (option.enabled and "shadow_vmcs" not in machine.cpu.vmx_flags):
        return ""
    return f"kvm_intel runs with enable_shadow_vmcs {'on' if running else 'off'}, and {option} says otherwise"


def unapplied_mode(guest: Machine) -> str:
    """How the running guest's <cpu> is of another mode than its stored one; empty if it is not.

    libvirt shows host-model in a running domain as the model that it has become (since 3.2), so that difference is none.
    `Unobservable` where one of the two is not known, as of a domain that has none stored.
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

    The guest's own flags tell; `Unobservable` where they, or the stored definition, cannot be read.
    """
    stored = stored_definition(guest)
    if stored is None or stored.declines(extension) or extension in guest.cpu.flags:
        return ""
    if stored.cpu_mode in _OF_THE_HOST or stored.demands(extension):
        gives = "is to" if _promises(stored, extension) else "may"
        return f"it runs without {extension}, which its stored definition ({stored.cpu_mode}) {gives} give it"
    return ""


def unapplied_extension(guest: Machine, extension: str) -> str:
    """The same where another start is to mend it. `Unobservable` where nobody knows whether it would.

    host-model promises neither vmx nor svm: libvirt names a model and what the host has beyond it, and QEMU leaves out of
    its models what KVM guests do not get unasked. libvirt's EPYC has svm and so does not name it, QEMU's has it switched
    off under KVM: a domain that was started a moment ago runs without it (libvirt 9.0.0, QEMU 7.2).
    """
    lacking, stored = lacking_extension(guest, extension), stored_definition(guest)
    if lacking and stored is not None and not _promises(stored, extension):
        why = f"{lacking}: what host-model becomes is decided at each start, so nobody knows whether another would help"
        raise Unobservable(stored.source, why)
    return lacking


def withheld_by_host_model(guest: Machine, extension: str) -> str:
    """How a guest whose stored definition is host-model has come to run without vmx or svm; empty if it has not.

    The guest's own flags tell, else the running definition; where neither does, nothing is known to be withheld.
    """
    stored = _if_known(lambda: stored_definition(guest))
    if stored is None or stored.cpu_mode != "host-model" or stored.demands(extension):
        return ""
    flags, active = _if_known(lambda: guest.cpu.flags), _if_known(lambda: guest.domain.active)
    withheld = extension not in flags if flags is not None else active is not None and active.declines(extension)
    model = f" with {active.cpu_model}" if active is not None and active.cpu_model else ""
    return f"its <cpu> is host-model, and it runs{model} without {extension}" if withheld else ""


def _promises(definition: DomainXml, extension: str) -> bool:
    """Whether a guest that is started from it has the extension, on a host that nests."""
    return definition.cpu_mode in _WHOLE_CPU or definition.demands(extension)


def _if_known(read: Callable[[], T | None]) -> T | None:
    try:
        return read()
    except Unobservable:
        return None


def stored_definition(guest: Machine) -> DomainXml | None:
    """The definition that the guest starts from next time; None for a transient domain."""
    if guest.parent is None:
        raise Unobservable("inventory", f"{guest.name} is no guest of a machine in the inventory")
    known = guest.parent.libvirt.domains.get(guest.domain.domain)
    if known is None:
        raise Unobservable("libvirt.domains", f"no domain {guest.domain.domain} on {guest.parent.name}")
    return known.inactive
