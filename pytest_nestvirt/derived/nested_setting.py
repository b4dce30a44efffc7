"""What `nested` is where nobody sets it: by the kernel alone, and by what the distribution adds.

Documents disagree about the default since each was written for other kernels. It is decided here from the module and the
kernel's version; a value that an administrator or the command line sets is nobody's default.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_nestvirt.facts.kvm.modprobe_files import ModuleOption, Origin, expected_default, rejected_by_kernel
from pytest_nestvirt.observation.fact import Unobservable

if TYPE_CHECKING:
    from pytest_nestvirt.facts.machine import Machine


@dataclass(frozen=True, slots=True)
class Default:
    """Whether nesting is on where nobody decides otherwise, and what makes it so."""

    enabled: bool
    why: str


def kernel_default(machine: Machine, module: str) -> Default:
    """What the module was built with.

    A kernel whose version does not tell (enterprise kernels take changes over without showing it) is asked itself: nesting
    that is off and that no line sets is off by default. `Unobservable` where it is on, for somebody may have loaded the
    module by hand, and where a line decides.
    """
    expected = expected_default(module, machine.kernel.version, machine.kernel.release)
    if expected is not None:
        return Default(
            expected, f"{module} of kernel {machine.kernel.release} has nested={int(expected)} as its default"
        )
    if machine.modprobe.setting(module, "nested") is None and not machine.kvm.enabled("nested", module):
        return Default(enabled=False, why=f"nested of {module} is off, and no line sets it")
    raise Unobservable(
        "proc/sys/kernel/osrelease", f"the default of {module} in kernel {machine.kernel.release} is not known"
    )


def on_by_default(machine: Machine, module: str) -> bool:
    """Whether nesting is on although no line sets it: by the kernel's default, or because somebody loaded it so by hand."""
    return machine.modprobe.setting(module, "nested") is None and machine.kvm.enabled("nested", module)


def shipped_default(machine: Machine, module: str) -> Default:
    """What a file of the distribution sets, or else the kernel's default."""
    shipped = shipped_option(machine, module)
    if shipped is None:
        return kernel_default(machine, module)
    refused = rejected_by_kernel(shipped)
    if refused:
        return Default(enabled=False, why=refused)
    return Default(
        shipped.enabled, f"the distribution's line {shipped} switches it {'on' if shipped.enabled else 'off'}"
    )


def shipped_option(machine: Machine, module: str) -> ModuleOption | None:
    """The line of the distribution that sets `nested`, whether or not another one overrides it; None if there is none."""
    of_module = [option for option in machine.modprobe.options if (option.module, option.name) == (module, "nested")]
    return next((o for o in reversed(of_module) if machine.modprobe.origin_of(o) is Origin.DISTRIBUTION), None)
