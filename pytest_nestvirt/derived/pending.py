"""What was changed and is not in effect yet: configuration that modules were not loaded with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_nestvirt.facts.kvm.modprobe_files import expected_default, rejected_by_kernel

if TYPE_CHECKING:
    from pytest_nestvirt.facts.machine import Machine


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
