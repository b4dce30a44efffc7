"""Which operating system a machine runs, by itself or because the inventory has it judged as one."""

from __future__ import annotations

from functools import lru_cache

from pytest_nestvirt.derived.identity import same_system
from pytest_nestvirt.derived.image import refuse_image
from pytest_nestvirt.facts.machine import Machine
from pytest_nestvirt.facts.system.os_expression import OsMatch, parse
from pytest_nestvirt.observation.fact import Unobservable
from pytest_nestvirt.observation.unknown import every, first_known


def runs(machine: Machine, expression: str) -> bool:
    """Whether a machine runs that operating system, `treat_as` of the inventory counting: for what a check asks.

    A rebuild does not run `rhel` whatever ID it has. Raises `Unobservable` where identity or version are unknown and would
    decide, and where the release that was read is not that of the machine.
    """
    refuse_borrowed_release(machine)
    if machine.declared.treat_as is not None and names_itself(machine, expression):
        return True
    return every(
        lambda: names_itself(machine, expression, strict=True),
        lambda: parsed(expression).os_id != "rhel" or machine.os.red_hat,
        # ESXi is named by its own kernel, or by its host where its files cannot be read: no release is compared.
        lambda: parsed(expression).os_id == "esxi" or machine.os.runs_kernel_of(expression),
    )


def released(machine: Machine, os_id: str, at_least: tuple[int, ...] = (), below: tuple[int, ...] = ()) -> bool:
    """Whether it runs a finished release of that system from `at_least` on and before `below`: no rebuild, no Beta.

    Raises `Unobservable` where that cannot be known, and where the release that was read is not that of the machine.
    """
    refuse_borrowed_release(machine)
    return every(lambda: machine.os.release(os_id, at_least, below), lambda: not machine.os.prerelease)


def refuse_borrowed_release(machine: Machine) -> None:
    """Raise `Unobservable` where the release that was read is not that of the machine: an image's, or its hypervisor's."""
    if same := same_system(machine):
        raise Unobservable("proc/sys/kernel/random/boot_id", same)
    refuse_image(machine, "the release files")


def names_itself(machine: Machine, expression: str, *, strict: bool = False) -> bool:
    """Whether that is the system by its own release files, `treat_as` of the inventory counting unless `strict`.

    For what is asked to find out which documents speak of a machine: a rebuild that has the ID `rhel` is judged by the
    documents of RHEL, and found not to be it. Raises `Unobservable` where identity or version are unknown and would decide.
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
