"""How fast a machine was when its chain was measured by turns, and what that is of the machines above it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import median

from pytest_nestvirt.observation.fact import Reader, Subject, Unobservable, fact
from pytest_nestvirt.observation.unknown import known_or
from pytest_nestvirt.snapshot.measurement import SECTION, Measured, parse

LEAST_ROUNDS = 3
"""Fewer have no spread worth the name."""

NORMAL = 1.4826
"""The standard deviation of normally distributed values over the median of their distances to the median."""

SAME_BUILD = 0.02
"""Two runs of one program differ by that much for no reason: memory layout, the clock of a shell (0.01 s of 0.5 s)."""

OTHER_BUILD = 0.1
"""So much more or less may a program of the same version owe to how it was compiled (PGO and LTO of CPython)."""


class Resource(StrEnum):
    """What was put under load."""

    CPU = "cpu"
    MEMORY = "memory"


@dataclass(frozen=True, slots=True)
class Rate:
    """Operations per second over all rounds."""

    median: float
    spread: float
    """Median distance from the median, made comparable to a standard deviation."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """One machine, measured by turns with others."""

    chain: str
    """Names of all that took part, from the L0 down."""
    kernel: str
    """The program that computed, and its version."""
    build: str
    rounds: int
    cpu: Rate
    memory: Rate


@dataclass(frozen=True, slots=True)
class Ratio:
    """Speed of a machine over that of one above it, 1 for equally fast."""

    of: str
    """Name of the machine above."""
    resource: Resource
    median: float
    """Of the ratios of all rounds, each of which compares two turns that followed each other closely."""
    spread: float
    """As in `Rate`, and never less than what two equal machines would differ by."""
    rounds: int
    kernel: str

    def __str__(self) -> str:
        return f"{self.median:.2f} ± {self.spread:.2f} in {self.resource}"


def rate_of(values: Sequence[float]) -> Rate:
    """Median and spread of rates; one value at least.

    >>> rate_of([10.0, 11.0, 9.0, 10.0, 55.0])
    Rate(median=10.0, spread=1.483)
    """
    middle = median(values)
    return Rate(_figures(middle), _figures(NORMAL * median(abs(value - middle) for value in values)))


def _figures(value: float) -> float:
    return float(f"{value:.4g}")


def ratio_of(
    of: str, resource: Resource, pairs: Sequence[tuple[float, float]], own: Measured, above: Measured
) -> Ratio:
    """From the rates of machine and ancestor, round by round: what made both slower in one round cancels out."""
    seen = rate_of([mine / theirs for mine, theirs in pairs])
    least = seen.median * (SAME_BUILD if own.build == above.build else OTHER_BUILD)
    return Ratio(of, resource, round(seen.median, 4), round(max(seen.spread, least), 4), len(pairs), own.kernel)


class Performance(Subject):
    """What a measurement found. `Unobservable` wherever none was asked for."""

    name = "performance"

    def __init__(self, reader: Reader, parent: Performance | None) -> None:
        super().__init__(reader)
        self._parent = parent

    @fact
    def measurements(self) -> tuple[Measurement, ...]:
        """One for each chain in which the machine was measured."""
        return tuple(map(_summarized, self._measured()))

    @fact
    def ratios(self) -> tuple[Ratio, ...]:
        """Of every machine above that was measured by turns with this one, outermost first: processor, then memory.

        Empty on an L0. `Unobservable` where this machine was not measured.
        """
        own = self._measured()
        return tuple(ratio for above in self._ancestors() for ratio in above.ratios_of(own))

    def ratios_of(self, guest: Sequence[Measured]) -> Iterator[Ratio]:
        """Of a machine below: the ratios to this one; none where they were not measured together."""
        for above in self._measured_if_any():
            for own in guest:
                if own.id == above.id and own.kernel == above.kernel and len(own.rounds) == len(above.rounds):
                    both = list(zip(own.rounds, above.rounds, strict=True))
                    for resource in Resource:
                        pairs = [(getattr(mine, resource), getattr(theirs, resource)) for mine, theirs in both]
                        yield ratio_of(self.reader.host, resource, pairs, own, above)
                    return

    def _ancestors(self) -> Iterator[Performance]:
        if self._parent is not None:
            yield from self._parent._ancestors()  # noqa: SLF001 - another of its kind
            yield self._parent

    def _measured_if_any(self) -> tuple[Measured, ...]:
        return known_or(self._measured, ())

    def _measured(self) -> tuple[Measured, ...]:
        try:
            found = parse(self.read(SECTION))
        except ValueError as error:
            raise Unobservable(SECTION, str(error)) from None
        if not found or any(len(one.rounds) < LEAST_ROUNDS for one in found):
            raise Unobservable(SECTION, f"has fewer than {LEAST_ROUNDS} rounds")
        return found


def _summarized(one: Measured) -> Measurement:
    cpu, memory = ([getattr(each, resource) for each in one.rounds] for resource in Resource)
    return Measurement(one.chain, one.kernel, one.build, len(one.rounds), rate_of(cpu), rate_of(memory))
