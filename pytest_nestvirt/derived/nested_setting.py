"""What `nested` and other switches of the kvm modules will be after the next boot, and what is not in effect yet.

The kernel command line and modprobe's `options` lines decide, the last one winning; without any, the default that the
module was built with. An initramfs may carry older lines than /etc, which cannot be seen from here. A module that is built into
the kernel reads no file: what it runs with is what it will run with.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_nestvirt.derived.image import refuse_image
from pytest_nestvirt.derived.nested_default import Setting, upstream_default
from pytest_nestvirt.facts.kernel.architecture import Family, family_of
from pytest_nestvirt.facts.kvm.module_option import ModuleOption, first_rejected
from pytest_nestvirt.observation.fact import Unobservable
from pytest_nestvirt.observation.unknown import if_known, known_or

if TYPE_CHECKING:
    from pytest_nestvirt.facts.machine import Machine


def nested_after_boot(machine: Machine, module: str) -> Setting:
    """Whether nesting will be on.

    A kernel whose version does not show its default (RHEL 8's 4.18 has changes that the version does not show) is taken to
    have it off where it is off now; where it is on now and no line sets it, the module may have been loaded by hand.
    `Unobservable` in that case, where the configuration or the kernel's version cannot be read, and in a container.
    """
    refuse_image(machine, "the files of modprobe")
    if _is_built_in(machine, module):
        return _of_the_image(machine, module)
    line = machine.modprobe.kept_out_by(module)
    if line is not None:
        return Setting(enabled=False, why=f"{line} keeps {module} from being loaded")
    refused = refused_at_load(machine, module)
    if refused:
        return Setting(enabled=False, why=refused)
    option = machine.modprobe.setting(module, "nested")
    return _by_default(machine, module) if option is None else _by_option(option)


def lost_at_boot(machine: Machine, module: str) -> str:
    """How nesting that is on now will be off after the next boot; empty if it will not be lost, or is off already."""
    if if_known(lambda: machine.kvm.enabled("nested", module)) is False:
        return ""
    after_boot = nested_after_boot(machine, module)
    if after_boot.enabled or not machine.kvm.enabled("nested", module):
        return ""
    return f"nesting is on now, but {after_boot.why}"


def _is_built_in(machine: Machine, module: str) -> bool:
    """Where it is unknown, `Modprobe` raises as soon as it matters."""
    return known_or(lambda: machine.kvm.is_built_in(module), otherwise=False)


def _of_the_image(machine: Machine, module: str) -> Setting:
    line = machine.modprobe.kept_out_by(module)
    if line is not None:
        return Setting(enabled=False, why=f"{line} keeps {module} from being initialized")
    option = machine.modprobe.setting(module, "nested")
    source = str(option) if option else "no word on the kernel command line sets it"
    running = machine.kvm.enabled("nested", module)
    return Setting(running, f"{module} is built into the kernel and has nested {'on' if running else 'off'}: {source}")


def switched_on_at_boot(machine: Machine, module: str, name: str) -> Setting:
    """Whether configuration switches a parameter on that is off by default."""
    option = machine.modprobe.setting(module, name)
    return Setting(enabled=False, why=f"no line sets {name} of {module}") if option is None else _by_option(option)


def refused_at_load(machine: Machine, module: str) -> str:
    """Why the module will refuse to load with its options, be it for one that a later one overrides; empty if it will not.

    A module that is built in is never loaded: the kernel ignores what it cannot parse. `Unobservable` where a value is
    accepted by some kernels only.
    """
    if _is_built_in(machine, module):
        return ""
    ibm_z = family_of(machine.kernel.architecture) is Family.S390X
    return first_rejected(machine.modprobe.settings_of(module), ibm_z=ibm_z)


def unapplied_nesting(machine: Machine, module: str) -> str:
    """How `nested` of the module as it runs differs from what is configured; empty if it does not.

    Without a line the kernel's default counts, as far as its version shows it. Values are compared and not times: a file that
    is newer than the module's load changes nothing if it asks for what holds already.
    """
    if _is_built_in(machine, module):
        return _without_effect(machine, module, "nested")
    refused = refused_at_load(machine, module)
    if refused:
        return refused
    option = machine.modprobe.setting(module, "nested")
    if option is not None:
        wanted: bool | None = option.enabled
    else:
        wanted = upstream_default(module, machine.kernel.version, machine.kernel.release)
    if wanted is None or wanted is machine.kvm.enabled("nested", module):
        return ""
    source = str(option) if option is not None else "the kernel's default"
    running = machine.kvm.parameter("nested", module)
    return f"{module} runs with nested={running}, which is not what is configured: {source}"


def unapplied_shadow_vmcs(machine: Machine) -> str:
    """The same for `enable_shadow_vmcs` of kvm_intel, where a line sets it. The kernel ignores it on processors without."""
    if _is_built_in(machine, "kvm_intel"):
        return _without_effect(machine, "kvm_intel", "enable_shadow_vmcs")
    option = machine.modprobe.setting("kvm_intel", "enable_shadow_vmcs")
    if option is None:
        return ""
    running = machine.kvm.enabled("enable_shadow_vmcs", "kvm_intel")
    if option.enabled is running or (option.enabled and "shadow_vmcs" not in machine.cpu.vmx_flags):
        return ""
    state = "on" if running else "off"
    return f"kvm_intel runs with enable_shadow_vmcs {state}, which is not what is configured: {option}"


def _without_effect(machine: Machine, module: str, name: str) -> str:
    """A line of a file that asks for another value than a module has that is built in: no reload will bring it into effect."""
    lines = [option for option in machine.modprobe.settings_of(module) if option.name == name]
    if not lines or lines[-1].enabled is machine.kvm.enabled(name, module):
        return ""
    return f"{module} runs with {name}={machine.kvm.parameter(name, module)}, and {lines[-1]} has no effect: it is built in"


def _by_default(machine: Machine, module: str) -> Setting:
    default = upstream_default(module, machine.kernel.version, machine.kernel.release)
    unset = f"no line sets nested for {module}"
    if default:
        return Setting(enabled=True, why=f"{module} has nested=1 as its default in this kernel")
    if default is None and machine.kvm.enabled("nested", module):
        raise Unobservable("modprobe", f"{unset}, and whether this kernel has it on by default is not known")
    return Setting(enabled=False, why=f"{unset}, and this kernel has it off by default")


def _by_option(option: ModuleOption) -> Setting:
    return Setting(enabled=option.enabled, why=f"{option} switches it {'on' if option.enabled else 'off'}")
