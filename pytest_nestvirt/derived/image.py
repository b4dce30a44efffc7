"""Files that were read in a container: they are those of its image, not of the machine whose kernel runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_nestvirt.observation.fact import Unobservable
from pytest_nestvirt.observation.unknown import known_or

if TYPE_CHECKING:
    from pytest_nestvirt.facts.machine import Machine


def refuse_image(machine: Machine, files: str) -> None:
    """Raise `Unobservable` where the machine was looked at from a container, so that these files are not its own."""
    kind = known_or(lambda: machine.platform.container, "none")
    if kind != "none":
        raise Unobservable("platform.container", f"{files} read in {machine.name} are those of a container ({kind})")
