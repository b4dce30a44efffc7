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


def unapplied_edit(guest: Machine, flag: str) -> str:
    """What of its stored <cpu> a running guest does not have; empty if nothing.

    libvirt shows host-model in a running domain as the model that it has become (since 3.2), so that difference is none; the
    guest's own flags tell whether it has what host-model or a demanded feature gives. `Unobservable` where the running or
    the stored definition is not known; a transient domain has none stored, and nothing to wait for.
    """
    stored = stored_definition(guest)
    if stored is None or stored.declines(flag):
        return ""
    active = guest.domain.active
    expanded = stored.cpu_mode == "host-model" and active.cpu_mode == "custom"
    whole = {stored.cpu_mode, active.cpu_mode} & _WHOLE_CPU
    if stored.cpu_mode != active.cpu_mode and whole and not expanded:
        return f"it runs with <cpu> {active.cpu_mode}, and its stored definition has {stored.cpu_mode}"
    if (expanded or stored.demands(flag)) and flag not in guest.cpu.flags:
        return f"it runs without {flag}, which its stored definition ({stored.cpu_mode}) is to give it"
    return ""


def stored_definition(guest: Machine) -> DomainXml | None:
    """The definition that the guest starts from next time; None for a transient domain."""
    if guest.parent is None:
        raise Unobservable("inventory", f"{guest.name} is no guest of a machine in the inventory")
    known = guest.parent.libvirt.domains.get(guest.domain.domain)
    if known is None:
        raise Unobservable("libvirt.domains", f"no domain {guest.domain.domain} on {guest.parent.name}")
    return known.inactive
