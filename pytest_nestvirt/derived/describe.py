"""Facts in messages: what was seen, or that it is unknown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_nestvirt.observation.render import render
from pytest_nestvirt.observation.unknown import known_or

if TYPE_CHECKING:
    from pytest_nestvirt.facts.machine import Machine


def describe(machine: Machine, *names: str) -> str:
    """The values of facts for a person: `describe(l0, "os.id", "os.version")` is `rhel 8.6`.

    A fact that can't be known is shown as `unknown`, so that a message never hides the finding that it is about: an
    `Unobservable` that escapes while a failure is being worded would make it inconclusive.
    """
    return " ".join(_value(machine, name) for name in names)


def _value(machine: Machine, name: str) -> str:
    subject, attribute = name.split(".")
    return known_or(lambda: render(getattr(getattr(machine, subject), attribute)), "unknown")
