"""What follows from facts of which some cannot be known: the only places where `Unobservable` is caught while facts are read.

    >>> if_known(lambda: 5)
    5

Each takes readings, functions that read a fact, since reading is what raises.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from pytest_nestvirt.observation.fact import Unobservable

T = TypeVar("T")


def attempt(reading: Callable[[], T]) -> T | Unobservable:
    """The value, or the `Unobservable` that stands for it."""
    try:
        return reading()
    except Unobservable as unknown:
        return unknown.with_traceback(None)


def if_known(reading: Callable[[], T]) -> T | None:
    """The value; None where it cannot be known."""
    value = attempt(reading)
    return None if isinstance(value, Unobservable) else value


def known_or(reading: Callable[[], T], otherwise: T) -> T:
    """The value; `otherwise` where it cannot be known, which must mean "nothing was seen", never "it is not there"."""
    value = attempt(reading)
    return otherwise if isinstance(value, Unobservable) else value


def surely(reading: Callable[[], bool]) -> bool:
    """Whether it is known to hold: False where it does not, and where it cannot be known."""
    return attempt(reading) is True


def first_known(first: Callable[[], T], *others: Callable[[], T]) -> T:
    """The value of the first reading that has one, best witness first. Raises the first one's `Unobservable` if none has."""
    value = attempt(first)
    for reading in others:
        if not isinstance(value, Unobservable):
            return value
        another = attempt(reading)
        value = value if isinstance(another, Unobservable) else another
    if isinstance(value, Unobservable):
        raise value
    return value


def every(*readings: Callable[[], bool]) -> bool:
    """Whether all hold. One that surely does not decides, whatever else is unknown; else the first unknown one is raised."""
    return not _decided_by(readings, decisive=False)


def either(*readings: Callable[[], bool]) -> bool:
    """Whether one holds. One that surely does decides, whatever else is unknown; else the first unknown one is raised."""
    return _decided_by(readings, decisive=True)


def first_finding(*readings: Callable[[], str]) -> str:
    """The first finding of the parts of a statement, each of them empty where it holds; empty if all hold.

    A part that surely fails decides, whatever else is unknown; else the first unknown one is raised.
    """
    findings = [attempt(reading) for reading in readings]
    for finding in findings:
        if isinstance(finding, str) and finding:
            return finding
    for finding in findings:
        if isinstance(finding, Unobservable):
            raise finding
    return ""


def _decided_by(readings: tuple[Callable[[], bool], ...], *, decisive: bool) -> bool:
    """Whether a reading has the decisive value. Raises the first `Unobservable` if none has and one is unknown."""
    values = [attempt(reading) for reading in readings]
    if any(value is decisive for value in values):
        return True
    for value in values:
        if isinstance(value, Unobservable):
            raise value
    return False
