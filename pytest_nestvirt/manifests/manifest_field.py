"""Fields of manifests: where they stand, and which values their API accepts.

Types, ranges and words are those of VirtRigaud's definitions (config/crd/bases, version v1beta1).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from pytest_nestvirt.document import Value, seen
from pytest_nestvirt.manifests.quantity import size_in_bytes

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Field(Generic[T_co]):
    """One field of a kind of object."""

    path: str
    """Its keys, joined by dots: `spec.performanceProfile.nestedVirtualization`."""
    read: Callable[[Value], T_co]
    """The value as the API understands it. Raises ValueError, with what was expected, for one that it refuses."""
    default: T_co | None = None
    """What the API server fills in where the mapping around the field is given and the field is not."""
    required: bool = False

    @property
    def keys(self) -> tuple[str, ...]:
        """Its keys, from the outside in."""
        return tuple(self.path.split("."))


@dataclass(frozen=True, slots=True)
class Fault:
    """A value that the API refuses."""

    field: str
    line: int
    problem: str
    """`expected a whole number from 1 to 128; seen 'four'`"""


def boolean(value: Value) -> bool:
    """`true` or `false`; the text "true" is none, and yes and on are truth values to readers of YAML 1.1 only."""
    if not isinstance(value, bool):
        raise ValueError(f"expected true or false{_HINTS.get(str(value).lower(), '')}")  # noqa: TRY004
    return value


_HINTS = {
    **dict.fromkeys(("true", "false"), " (without quotes)"),
    **dict.fromkeys(("yes", "no", "on", "off"), ", written so: what this word means depends on who reads it"),
}


def text(value: Value) -> str:
    """Any text."""
    if not isinstance(value, str):
        raise ValueError("expected text (in quotes where it looks like a number or a truth value)")  # noqa: TRY004
    return value


def mapping(value: Value) -> dict[str, Value]:
    """Any mapping."""
    if not isinstance(value, dict):
        raise ValueError("expected a mapping")  # noqa: TRY004
    return value


def whole(lowest: int, highest: int) -> Callable[[Value], int]:
    """A whole number within bounds, which are part of it."""

    def read(value: Value) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not lowest <= value <= highest:
            raise ValueError(f"expected a whole number from {lowest} to {highest}")
        return value

    return read


def one_of(*words: str) -> Callable[[Value], str]:
    """One of these words, as they are spelled here."""

    def read(value: Value) -> str:
        if not isinstance(value, str) or value not in words:
            raise ValueError(f"expected one of {', '.join(words)}")
        return value

    return read


def size(value: Value) -> int:
    """A Kubernetes quantity, in bytes."""
    return size_in_bytes(value)


def fault(field: Field[T], value: Value, line: int) -> Fault | None:
    """What is wrong with a value; None where nothing is."""
    try:
        field.read(value)
    except ValueError as error:
        return Fault(field.path, line, f"{error}; seen {seen(value)}")
    return None
