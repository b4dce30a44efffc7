"""How facts are defined: read from sections, computed once, remembered with their sources.

A fact is a property of a `Subject`, marked with `@fact`. What it reads through `self.read()` (and through other
facts) is remembered as its sources; reading the fact while `observing()` is active records an `Observation`.
That is how a check's evidence is collected: by reading facts, not by hand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar, cast, overload

from pytest_nestvirt.snapshot.snapshot import Section, Snapshot, Status

T = TypeVar("T")

INVENTORY = "inventory"
"""Source of what the inventory itself says."""


class Unobservable(Exception):  # noqa: N818 - the vocabulary of the design: a state of knowledge, not a mishap
    """A fact that cannot be known, with the section that would have shown it and why it did not.

    It stands for "unknown" wherever a fact is read: never False, None or an empty set.
    """

    def __init__(self, source: str, why: str, host: str = "") -> None:
        super().__init__(source, why, host)
        self.source = source
        self.why = why
        self.host = host
        """Name of the machine whose section it was; set by the first fact that could not be computed for this reason."""

    def __str__(self) -> str:
        return f"{self.source}: {self.why}"


@dataclass(frozen=True, slots=True)
class Observation:
    """One fact with the value it had when it was read: the unit of evidence."""

    host: str
    level: int | None
    """None for an object of a manifest, which is not a machine."""
    fact: str
    """Dotted name, as in `cpu.flags`."""
    value: object
    """The typed value, or the `Unobservable` that stands for it."""
    sources: tuple[str, ...]
    """Names of the sections it was parsed from: those that it read itself first, and of these those that were there; or what
    many of them begin with."""


_observer: ContextVar[list[Observation] | None] = ContextVar("nestvirt_observer", default=None)


@contextmanager
def observing() -> Iterator[list[Observation]]:
    """Collect an `Observation` for every fact read inside the block, each fact once, in order of first reading."""
    seen: list[Observation] = []
    token = _observer.set(seen)
    try:
        yield seen
    finally:
        _observer.reset(token)


FEW = 6
"""As many sections of one prefix are named as sources; of more, the prefix."""


@dataclass(slots=True)
class _Known:
    value: object
    sources: tuple[str, ...]


@dataclass(slots=True)
class _Reading:
    """What a fact that is being computed has read so far: by itself, and through other facts."""

    directly: set[str] = field(default_factory=set)
    inherited: set[str] = field(default_factory=set)
    empty: set[str] = field(default_factory=set)
    """Those of the sections read directly that the machine does not have."""

    @property
    def sources(self) -> tuple[str, ...]:
        there = self.directly - self.empty
        return (*sorted(there), *sorted(self.directly - there), *sorted(self.inherited - self.directly))


class Reader:
    """Reads sections for the facts of one machine and tracks which fact read which section. Not thread-safe."""

    def __init__(self, host: str, level: int | None, snapshot: Snapshot | Unobservable) -> None:
        self.host = host
        self.level = level
        self.snapshot = snapshot
        self._open: list[_Reading] = []
        self._known: dict[tuple[int, str], _Known] = {}

    def note(self, *names: str) -> None:
        """Remember that the fact being computed rests on these sources (`inventory` is one, too)."""
        if self._open:
            self._open[-1].directly.update(names)

    def section(self, *names: str) -> Section:
        """The first of these sections that was collected and is not missing, else the first that was collected.

        Raises `Unobservable` where none was collected or the machine could not be looked at.
        """
        self.note(names[0])
        if isinstance(self.snapshot, Unobservable):
            raise self.snapshot
        if self._open and ((first := self.snapshot.get(names[0])) is None or first.status is Status.MISSING):
            self._open[-1].empty.add(names[0])
        found = [s for s in map(self.snapshot.get, names) if s is not None]
        if not found:
            raise Unobservable(names[0], f"not collected{self._collection_note()}")
        best = next((s for s in found if s.status is not Status.MISSING), found[0])
        self.note(best.name)
        return best

    def _collection_note(self) -> str:
        note = self.snapshot.note if isinstance(self.snapshot, Snapshot) else ""
        return f" ({note})" if note else ""

    def text(self, *names: str) -> str:
        """The whole text of that section; `Unobservable` if it is missing, refused, failed, cut or truncated."""
        section = self.section(*names)
        if section.status is Status.OK:
            return section.text
        raise Unobservable(section.name, why_unread(section))

    def exists(self, *names: str) -> bool:
        """Whether the machine has any of them; `Unobservable` where it was not asked or would not say."""
        section = self.section(*names)
        if section.status in {Status.CUT, Status.FAILED}:
            raise Unobservable(section.name, why_unread(section))
        return section.status is not Status.MISSING

    def under(self, prefix: str) -> list[Section]:
        """The collected sections below `prefix`; `Unobservable` if the machine could not be looked at at all."""
        if isinstance(self.snapshot, Unobservable):
            self.note(prefix)
            raise self.snapshot
        found = list(self.snapshot.under(prefix))
        self.note(*([prefix] if len(found) > FEW else (section.name for section in found)))
        return found

    def compute(self, subject: Subject, name: str, function: Callable[[Any], T]) -> T:
        """The value of a fact: computed at first use, with its sources, and recorded as an observation."""
        key = (id(subject), name)
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = self._first_time(subject, function)
        if self._open:
            self._open[-1].inherited.update(known.sources)
        else:
            self._observe(f"{subject.label}.{name}" if subject.label else name, known)
        if isinstance(known.value, Unobservable):
            raise known.value.with_traceback(None)
        return cast("T", known.value)

    def _first_time(self, subject: Subject, function: Callable[[Any], object]) -> _Known:
        reading = _Reading()
        self._open.append(reading)
        try:
            value: object = function(subject)
        except Unobservable as unknown:
            unknown.host = unknown.host or self.host
            value = unknown
        finally:
            self._open.pop()
        return _Known(value, reading.sources)

    def _observe(self, name: str, known: _Known) -> None:
        observer = _observer.get()
        if observer is None or any(o.fact == name and o.host == self.host for o in observer):
            return
        observer.append(Observation(self.host, self.level, name, known.value, known.sources))


def why_unread(section: Section) -> str:
    """Why a section has no usable text, in a few words for a person."""
    reason = {
        Status.MISSING: "does not exist on this machine",
        Status.DENIED: "reading it was refused",
        Status.FAILED: "reading it failed",
        Status.CUT: "reading it was cut off",
        Status.TRUNCATED: "longer than the size cap, only its beginning was read",
        Status.OK: "read",
    }[section.status]
    return f"{reason} ({section.error})" if section.error else reason


class Subject:
    """A group of facts about one machine (`cpu`, `kvm`, ...)."""

    name = ""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader

    @property
    def label(self) -> str:
        """The part before the dot in the dotted name of its facts; for a subject that has a fact `name` of its own."""
        return self.name

    def __repr__(self) -> str:
        return f"<{self.label} of {self.reader.host}>"

    def read(self, *names: str) -> str:
        """Text of the first of these sections that exists; `Unobservable` where none can be read whole."""
        return self.reader.text(*names)


class fact(Generic[T]):  # noqa: N801 - used as a decorator, like property
    """A property of a `Subject` that is computed once and knows its sources."""

    def __init__(self, function: Callable[[Any], T]) -> None:
        self.function = function
        self.name = function.__name__
        self.__doc__ = function.__doc__

    @overload
    def __get__(self, instance: None, owner: type) -> fact[T]: ...
    @overload
    def __get__(self, instance: Subject, owner: type) -> T: ...
    def __get__(self, instance: Subject | None, owner: type) -> fact[T] | T:
        if instance is None:
            return self
        return instance.reader.compute(instance, self.name, self.function)


def facts_of(subject: type[Subject]) -> list[str]:
    """Names of the facts that a subject offers, in order of definition."""
    return [
        name
        for cls in reversed(subject.__mro__)
        for name, attribute in vars(cls).items()
        if isinstance(attribute, fact)
    ]
