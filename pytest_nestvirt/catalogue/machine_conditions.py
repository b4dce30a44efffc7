"""Whether a statement applies to a machine: the conditions that can be asked of one, each with what was seen."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from pytest_nestvirt.catalogue.conditions import kernel_expression
from pytest_nestvirt.derived.describe import describe
from pytest_nestvirt.derived.runs import names_itself, parsed
from pytest_nestvirt.facts.machine import Machine
from pytest_nestvirt.observation.render import render
from pytest_nestvirt.observation.unknown import either


def _member(path: str) -> Callable[[Machine, Any], tuple[bool, str]]:
    """The condition that a fact is one of the accepted values."""
    subject, attribute = path.split(".")

    def ask(machine: Machine, wanted: Any) -> tuple[bool, str]:  # noqa: ANN401 - as above
        value = getattr(getattr(machine, subject), attribute)
        return value in wanted, f"{path} is {value}"

    return ask


def _parent_provider(machine: Machine, wanted: tuple[str, ...]) -> tuple[bool, str]:
    if machine.parent is None:
        return False, "is not a guest"
    provider = machine.parent.declared.provider
    return provider in wanted, f"is a guest of {machine.parent.name} (provider: {provider})"


def _treat_as(machine: Machine, wanted: tuple[str, ...]) -> tuple[bool, str]:
    assumed = machine.declared.treat_as
    if assumed is None or assumed not in wanted:
        return False, f"declared.treat_as is {assumed or 'not set'}"
    really = machine.os.id
    return really != assumed, f"runs {really}, judged as {assumed} (treat_as)"


def _os(machine: Machine, wanted: tuple[str, ...]) -> tuple[bool, str]:
    return _runs_any(machine, wanted, strict=False)


def _os_strict(machine: Machine, wanted: tuple[str, ...]) -> tuple[bool, str]:
    return _runs_any(machine, wanted, strict=True)


def _runs_any(machine: Machine, wanted: tuple[str, ...], *, strict: bool) -> tuple[bool, str]:
    return either(*(partial(names_itself, machine, expression, strict=strict) for expression in wanted)), _system(
        machine
    )


def _system(machine: Machine) -> str:
    return f"os is {describe(machine, 'os.id', 'os.version_id')}"


def _kernel(machine: Machine, wanted: tuple[str, ...]) -> tuple[bool, str]:
    version = machine.kernel.version
    holds = any(parsed(kernel_expression(comparisons))("linux", version) for comparisons in wanted)
    return holds, f"kernel.version is {render(version)}"


def _power(machine: Machine, wanted: Any) -> tuple[bool, str]:  # noqa: ANN401 - Generations, as validated
    generation = machine.cpu.power.generation
    return generation in wanted, f"cpu.power.generation is {generation}"


def _power8_compat(machine: Machine, wanted: bool) -> tuple[bool, str]:  # noqa: FBT001 - the signature of conditions
    compat = machine.cpu.power.power8_compat
    return compat is wanted, f"{'runs' if compat else 'does not run'} in POWER8 compatibility mode"


def _connection(machine: Machine, wanted: tuple[str, ...]) -> tuple[bool, str]:
    return machine.host.connection in wanted, f"connection is {machine.host.connection}"


def _second_level_paging(machine: Machine, wanted: bool) -> tuple[bool, str]:  # noqa: FBT001 - as above
    used = machine.kvm.second_level_paging
    return used is wanted, f"{'uses' if used else 'does not use'} second-level paging"


def _domain_known(machine: Machine, wanted: bool) -> tuple[bool, str]:  # noqa: FBT001 - as above
    known = machine.domain.defined
    return known is wanted, f"is {'' if known else 'not '}defined by its parent's libvirt"


def _manifested(machine: Machine, wanted: bool) -> tuple[bool, str]:  # noqa: FBT001 - as above
    found = any(one.manifest is not None for one in (machine, *machine.guests))
    return (
        found is wanted,
        "has the name of a VirtualMachine in the manifests"
        if found
        else "no VirtualMachine in the manifests has this name",
    )


MACHINE_CONDITIONS: Mapping[str, Callable[[Machine, Any], tuple[bool, str]]] = {
    "provider": _member("declared.provider"),
    "parent_provider": _parent_provider,
    "connection": _connection,
    "environment": _member("declared.environment"),
    "treat_as": _treat_as,
    "arch": _member("kernel.architecture"),
    "vendor": _member("cpu.vendor"),
    "power": _power,
    "power8_compat": _power8_compat,
    "os": _os,
    "os_strict": _os_strict,
    "kernel": _kernel,
    "virtualization": _member("platform.virtualization"),
    "substrate": _member("platform.substrate"),
    "second_level_paging": _second_level_paging,
    "domain_known": _domain_known,
    "manifested": _manifested,
}
"""The answer to each condition, and what was seen."""
