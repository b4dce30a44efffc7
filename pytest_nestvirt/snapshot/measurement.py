"""The section that holds a measurement: what was measured, in which rounds, beside the machines of the same chain.

It is JSON: `{"measurements": [{"id", "chain", "kernel", "build", "rounds": [{"cpu", "memory"}]}]}`, with rates in operations
per second. Machines that were measured by turns have a measurement of the same id each; a machine of several chains has
several.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

SECTION = "nestvirt/measurement"

KERNEL = re.compile(r"[a-z][a-z0-9]{0,19} [0-9]{1,3}\.[0-9]{1,4}")
"""A program and its version, as in `python 3.11`."""

_SLOWEST, _FASTEST = 1e-6, 1e15


@dataclass(frozen=True, slots=True)
class Round:
    """One turn of one machine, in operations per second, both above 0."""

    cpu: float
    memory: float


@dataclass(frozen=True, slots=True)
class Measured:
    """All turns of one machine within its chain."""

    id: str
    """Of the whole measurement: equal on all machines that were measured by turns, and nowhere else."""
    chain: str
    """Names of the machines that took part, from the L0 down, ` > ` between them."""
    kernel: str
    """The program that ran, and its version: `python 3.11`."""
    build: str
    """Which build of it, for people and for doubts."""
    rounds: tuple[Round, ...]


def written(measurements: Sequence[Measured]) -> bytes:
    """The contents of the section."""
    return json.dumps({"measurements": [asdict(one) for one in measurements]}, sort_keys=True).encode()


def parse(text: str) -> tuple[Measured, ...]:
    """What `written` was given. Raises ValueError, one line, for anything that it would not write."""
    try:
        document = json.loads(text)
        found = tuple(_measured(one) for one in document["measurements"])
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"is not a record of a measurement: {error!r}") from None
    return found


def _measured(one: dict[str, Any]) -> Measured:
    names = [one[name] for name in ("id", "chain", "kernel", "build")]
    if not all(isinstance(text, str) for text in names) or not KERNEL.fullmatch(names[2]):
        raise TypeError("a measurement without id, chain or program")
    name, chain, kernel, build = names
    rounds = tuple(Round(_rate(each["cpu"]), _rate(each["memory"])) for each in one["rounds"])
    return Measured(name, chain, kernel, build, rounds)


def _rate(value: object) -> float:
    """A number above 0 that a machine of this world may reach, and no boolean."""
    if isinstance(value, (int, float)) and not isinstance(value, bool) and _SLOWEST < value < _FASTEST:
        return float(value)
    raise TypeError(f"{str(value)[:20]!r} is not a rate")
