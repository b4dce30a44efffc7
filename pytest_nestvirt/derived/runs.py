"""Whether a machine runs an operating system, by itself or because the inventory says so."""

from __future__ import annotations

from functools import lru_cache

from pytest_nestvirt.facts.machine import Machine
from pytest_nestvirt.facts.system.os_expression import OsMatch, parse
from pytest_nestvirt.observation.unknown import first_known


def runs(machine: Machine, expression: str, *, strict: bool = False) -> bool:
    """Whether a machine runs that operating system, `treat_as` of the inventory counting unless `strict`.

    Raises `Unobservable` where identity or version are unknown and would decide.
    """
    assumed = None if strict else machine.declared.treat_as
    identity = _system_of(machine)
    identities = (identity, assumed) if assumed and assumed != identity else (identity,)
    return any(_is(expression, name, machine) for name in identities)


def _system_of(machine: Machine) -> str:
    """By the machine's own files; a guest of vSphere that is not accessible is ESXi if its host switches it on as such."""
    return first_known(lambda: machine.os.id, lambda: machine.vmx.esxi)


def _is(expression: str, identity: str, machine: Machine) -> bool:
    named = parsed(expression)
    if named.os_id != identity:
        return False
    return not named.comparisons or named(identity, machine.os.version)


@lru_cache(maxsize=256)
def parsed(expression: str) -> OsMatch:
    """An expression such as `rhel >=8.2 <9`, parsed once."""
    return parse(expression)
