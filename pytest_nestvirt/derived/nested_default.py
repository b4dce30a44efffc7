"""What `nested` is where no administrator sets it: by the kernel alone, and by what the distribution adds.

Documents disagree about the default since each was written for other kernels. It is decided here from the module and the
kernel's version; a value that an administrator or the command line sets is not a default.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_nestvirt.facts.kvm.modprobe import Origin
from pytest_nestvirt.facts.kvm.module_option import ModuleOption, rejected_by_kernel
from pytest_nestvirt.observation.fact import Unobservable
from pytest_nestvirt.observation.unknown import known_or

if TYPE_CHECKING:
    from pytest_nestvirt.facts.machine import Machine


@dataclass(frozen=True, slots=True)
class Setting:
    """Whether a switch is on, by default or after the next boot, and what decides that."""

    enabled: bool
    why: str


_ON_SINCE = {"kvm_intel": (4, 20), "kvm_amd": (2, 6, 32), "kvm_hv": (4, 20)}


def upstream_default(module: str, kernel_version: tuple[int, ...], release: str = "") -> bool | None:
    """What `nested` of a module was built with; None where that cannot be derived from the version.

    kvm_intel: on since 4.20 (commit 1e58e5e59148); kvm_amd: on since 2009; kvm_hv: on since it has the parameter;
    kvm on IBM Z: off. Enterprise kernels (`.el8` in the release) take such changes over without the version showing it.
    """
    if module == "kvm":
        return False
    since = _ON_SINCE.get(module)
    if since is None:
        return None
    if kernel_version >= since:
        return True
    return None if module == "kvm_hv" or ".el" in release else False


def kernel_default(machine: Machine, module: str) -> Setting:
    """What the module was built with.

    A kernel whose version does not show it is asked itself: nesting that is off and that no line sets is off by default, and a
    module that is built in and that no line sets reads as it was built. `Unobservable` where nesting is on, for the module may have
    been loaded by hand with another value, and where a line decides.
    """
    expected = upstream_default(module, machine.kernel.version, machine.kernel.release)
    if expected is not None:
        return Setting(
            expected, f"{module} of kernel {machine.kernel.release} has nested={int(expected)} as its default"
        )
    if machine.modprobe.setting(module, "nested") is None:
        running = machine.kvm.enabled("nested", module)
        if not running or known_or(lambda: machine.kvm.is_built_in(module), otherwise=False):
            return Setting(running, f"nested of {module} is {'on' if running else 'off'}, and no line sets it")
    raise Unobservable(
        "proc/sys/kernel/osrelease", f"the default of {module} in kernel {machine.kernel.release} is not known"
    )


def on_by_default(machine: Machine, module: str) -> bool:
    """Whether nesting is on although no line sets it: by the kernel's default, or since the module was loaded so by hand."""
    return machine.modprobe.setting(module, "nested") is None and machine.kvm.enabled("nested", module)


def shipped_default(machine: Machine, module: str) -> Setting:
    """What a file of the distribution sets, or else the kernel's default."""
    shipped = _shipped_option(machine, module)
    if shipped is None:
        return kernel_default(machine, module)
    refused = rejected_by_kernel(shipped)
    if refused:
        return Setting(enabled=False, why=refused)
    return Setting(
        shipped.enabled, f"the distribution's line {shipped} switches it {'on' if shipped.enabled else 'off'}"
    )


def _shipped_option(machine: Machine, module: str) -> ModuleOption | None:
    """The distribution's line that sets `nested`, whether or not another one overrides it; None if there is none in effect."""
    if known_or(lambda: machine.kvm.is_built_in(module), otherwise=False):
        return None
    named = [option for option in machine.modprobe.settings_of(module) if option.name == "nested"]
    return next((o for o in reversed(named) if machine.modprobe.origin_of(o) is Origin.DISTRIBUTION), None)
