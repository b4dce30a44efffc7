"""What was changed and is not in effect yet: configuration that modules were not loaded with, edits of running domains."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_nestvirt.facts.core import Unobservable
from pytest_nestvirt.facts.modprobe import expected_default, rejected_by_kernel

if TYPE_CHECKING:
    from pytest_nestvirt.facts.domain_xml import DomainXml
    from pytest_nestvirt.facts.machine import Machine

_WHOLE_CPU = frozenset({"host-passthrough", "host-model", "maximum"})


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
    if before == after or (after, before) == ("host-model", "custom") or not {before, after} & _WHOLE_CPU:
        return ""
    return f"it runs with <cpu> {before}, and its stored definition has {after}"


def unapplied_extension(guest: Machine, extension: str) -> str:
    """How the running guest lacks vmx or svm that its stored definition is to give it; empty if it does not.

    The guest's own flags tell; `Unobservable` where they, or the stored definition, cannot be read.
    """
    stored = stored_definition(guest)
    if stored is None or stored.declines(extension) or extension in guest.cpu.flags:
        return ""
    if stored.cpu_mode in _WHOLE_CPU or stored.demands(extension):
        return f"it runs without {extension}, which its stored definition ({stored.cpu_mode}) is to give it"
    return ""


def stored_definition(guest: Machine) -> DomainXml | None:
    """The definition that the guest starts from next time; None for a transient domain."""
    if guest.parent is None:
        raise Unobservable("inventory", f"{guest.name} is no guest of a machine in the inventory")
    known = guest.parent.libvirt.domains.get(guest.domain.domain)
    if known is None:
        raise Unobservable("libvirt.domains", f"no domain {guest.domain.domain} on {guest.parent.name}")
    return known.inactive
