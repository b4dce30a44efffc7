"""What a kvm module's switches will be after the next boot, as far as configuration decides it.

The kernel command line and modprobe's `options` lines decide, the last one winning; without any, the default that the
module was built with. An initramfs may carry older lines than /etc, which can't be seen from here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_nestvirt.facts.kvm.modprobe_files import ModuleOption, expected_default, rejected_by_kernel
from pytest_nestvirt.observation.fact import Unobservable

if TYPE_CHECKING:
    from pytest_nestvirt.facts.machine import Machine


@dataclass(frozen=True, slots=True)
class AfterBoot:
    """Whether a switch will be on after the next boot, and what decides that."""

    enabled: bool
    why: str


def nested_after_boot(machine: Machine, module: str) -> AfterBoot:
    """Whether nesting will be on.

    A kernel whose version does not tell its default (RHEL 8's 4.18 has changes that the version does not show) is taken to
    have it off where it is off now; where it is on now, nobody knows who switched it on. `Unobservable` where the configuration or the kernel's version can't be read.
    """
    hidden = machine.modprobe.hidden_by(module)
    if hidden:
        line = hidden[0]
        return AfterBoot(enabled=False, why=f"{line.command} {line.module} in {line.file} keeps it from being loaded")
    option = machine.modprobe.setting(module, "nested")
    return _by_default(machine, module) if option is None else _by_option(option)


def switched_on_at_boot(machine: Machine, module: str, name: str) -> AfterBoot:
    """Whether configuration switches a parameter on that is off by default."""
    option = machine.modprobe.setting(module, name)
    return AfterBoot(enabled=False, why=f"no line sets {name} of {module}") if option is None else _by_option(option)


def refused_at_load(machine: Machine, module: str, name: str) -> str:
    """Why the module will refuse to load with the value that is configured for a parameter; empty if it will not."""
    option = machine.modprobe.setting(module, name)
    return "" if option is None else rejected_by_kernel(option)


def _by_default(machine: Machine, module: str) -> AfterBoot:
    default = expected_default(module, machine.kernel.version, machine.kernel.release)
    nobody = f"no line sets nested for {module}"
    if default:
        return AfterBoot(enabled=True, why=f"{module} has nested=1 as its default in this kernel")
    if default is None and machine.kvm.enabled("nested", module):
        raise Unobservable(
            "modprobe", f"{nobody}, and whether this kernel has it on by default can't be told from here"
        )
    return AfterBoot(enabled=False, why=f"{nobody}, and this kernel has it off by default")


def _by_option(option: ModuleOption) -> AfterBoot:
    refused = rejected_by_kernel(option)
    if refused:
        return AfterBoot(enabled=False, why=refused)
    return AfterBoot(enabled=option.enabled, why=f"{option} switches it {'on' if option.enabled else 'off'}")
