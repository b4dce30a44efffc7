"""`nestvirt vocabulary`: what a suite is written with, read from the code, so that it is never out of date."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass

import click

from pytest_nestvirt import suite
from pytest_nestvirt.catalogue.conditions import Conditions
from pytest_nestvirt.facts.machine import Machine
from pytest_nestvirt.inventory.local_machine import local_inventory
from pytest_nestvirt.manifests.virtual_machine import VirtualMachine
from pytest_nestvirt.manifests.vm_class import VmClass
from pytest_nestvirt.manifests.vm_image import VmImage
from pytest_nestvirt.observation.fact import Subject, Unobservable, fact, facts_of

WIDTH = 100


@dataclass(frozen=True, slots=True)
class Entry:
    """One name that a suite can use."""

    name: str
    """As it is written: `l0.cpu.flags`, `runs(machine, expression, *, strict=False)`, `vendor`."""
    type: str
    """Of the value, as the code annotates it; empty where the name shows it."""
    meaning: str
    """The first paragraph of its docstring."""


def machine_facts() -> Iterator[Entry]:
    """Every fact of a machine, by the attribute that leads to it."""
    (host,) = local_inventory()
    machine = Machine(host, Unobservable("vocabulary", "no machine is looked at"), None)
    places = {id(value): name for name, value in vars(machine).items() if isinstance(value, Subject)}
    for group in machine.subjects:
        yield from _facts(f"l0.{places[id(group)]}", type(group))


def manifest_facts() -> Iterator[Entry]:
    """Every fact of an object of a manifest, kind by kind."""
    for kind in (VmClass, VmImage, VirtualMachine):
        yield from _facts(f"manifest ({kind.__name__})", kind)


def _facts(place: str, group: type[Subject]) -> Iterator[Entry]:
    for name in facts_of(group):
        found: fact[object] = getattr(group, name)
        returned = str(found.function.__annotations__.get("return", ""))
        yield Entry(f"{place}.{name}", returned, _meaning(found.__doc__))


def functions() -> Iterator[Entry]:
    """Every function of `pytest_nestvirt.suite`."""
    for name in suite.__all__:
        value = getattr(suite, name)
        if inspect.isfunction(value):
            signature = str(inspect.signature(value)).replace("'", "")
            yield Entry(f"{name}{signature}", "", _meaning(value.__doc__))


def conditions() -> Iterator[Entry]:
    """Every condition that `applies:` may name, as `requirements.yml` spells it."""
    for name, field in Conditions.model_fields.items():
        yield Entry(field.alias or name, "", _meaning(field.description))


SECTIONS = {
    "facts of a machine (fixtures l0, l1, l2)": machine_facts,
    "facts of an object of a manifest (fixture manifest)": manifest_facts,
    "functions of pytest_nestvirt.suite": functions,
    "conditions of applies:": conditions,
}


def _meaning(docstring: str | None) -> str:
    return " ".join(inspect.cleandoc(docstring or "").partition("\n\n")[0].split())


@click.command()
@click.argument("words", nargs=-1, metavar="[WORD...]")
def vocabulary(words: tuple[str, ...]) -> None:
    """List what a suite is written with: facts, functions, and the conditions of `applies:`.

    With WORDs, only the names that contain one of them: `nestvirt vocabulary kvm. os`.
    """
    for title, entries in SECTIONS.items():
        shown = [entry for entry in entries() if not words or any(word in entry.name for word in words)]
        if shown:
            click.echo(f"{title}\n")
            click.echo("\n".join(line for entry in shown for line in _lines(entry)) + "\n")


def _lines(entry: Entry) -> Iterator[str]:
    yield f"  {entry.name}{f': {entry.type}' if entry.type else ''}"
    yield from textwrap.wrap(entry.meaning, WIDTH, initial_indent="      ", subsequent_indent="      ")
