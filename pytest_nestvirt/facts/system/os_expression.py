"""Which operating systems an expression of the catalogue names: `rhel >=8.2 <9`, `windows 14393`."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from pytest_nestvirt.observation.fact import Unobservable
from pytest_nestvirt.observation.unknown import every

GRAMMAR = "an os id, then a version or comparisons that must all hold: rhel, rhel 8, rhel >=8.2 <9"

_ID = re.compile(r"[a-z0-9][a-z0-9._-]*")
_COMPARISON = re.compile(r"(?P<operator>>=|<=|==|!=|>|<|)(?P<version>[0-9]+(?:\.[0-9]+)*)")

_DECIDE: dict[str, Callable[[tuple[float, ...], tuple[float, ...]], bool]] = {
    ">=": lambda seen, named: seen >= named,
    ">": lambda seen, named: seen > named,
    "<=": lambda seen, named: seen <= named,
    "<": lambda seen, named: seen < named,
    "==": lambda seen, named: seen == named,
    "!=": lambda seen, named: seen != named,
}


@dataclass(frozen=True, slots=True)
class Comparison:
    """One condition on a version; it looks at as many numbers as it names: `==8` holds for 8.10, `>8` does not."""

    operator: str
    version: tuple[int, ...]

    def holds(self, version: tuple[int, ...]) -> bool:
        """Whether it holds for that version; `Unobservable` where numbers are missing that would decide it.

        CentOS Stream is (8,) and nothing more: 8.0 and 8.99 are both possible, so `>=8.2` is undecided and `<9` holds.
        """
        missing = len(self.version) - len(version)
        if missing <= 0:
            return _DECIDE[self.operator](version[: len(self.version)], self.version)
        lowest = _DECIDE[self.operator]((*version, *(0.0,) * missing), self.version)
        highest = _DECIDE[self.operator]((*version, *(math.inf,) * missing), self.version)
        if lowest != highest or self._may_be_in_between(version):
            written = ".".join(map(str, version)) or "no version"
            raise Unobservable("os.version", f"{written} is too short to compare with {self}")
        return lowest

    def _may_be_in_between(self, version: tuple[int, ...]) -> bool:
        return self.operator in {"==", "!="} and self.version[: len(version)] == version

    def __str__(self) -> str:
        return self.operator + ".".join(map(str, self.version))


@dataclass(frozen=True, slots=True)
class OsMatch:
    """A parsed expression."""

    os_id: str
    comparisons: tuple[Comparison, ...] = ()

    def __call__(self, os_id: str, version: tuple[int, ...]) -> bool:
        """Whether it names that system; `Unobservable` where the version is too short to decide it."""
        return os_id == self.os_id and self._all_hold(version)

    def _all_hold(self, version: tuple[int, ...]) -> bool:
        return every(*(partial(comparison.holds, version) for comparison in self.comparisons))


def parse(expression: str) -> OsMatch:
    """Parse an expression. Raises ValueError, with the grammar, if it is malformed."""
    os_id, *words = expression.split() or [""]
    comparisons = [_COMPARISON.fullmatch(word) for word in words]
    if not _ID.fullmatch(os_id) or None in comparisons:
        raise ValueError(f"not an operating system expression: {expression!r}; expected {GRAMMAR}")
    return OsMatch(os_id, tuple(_comparison(found) for found in comparisons if found))


def _comparison(found: re.Match[str]) -> Comparison:
    return Comparison(found["operator"] or "==", tuple(map(int, found["version"].split("."))))


def matches(expression: str, os_id: str, version: tuple[int, ...]) -> bool:
    """Whether the expression names the system of that id and version.

    >>> matches("rhel >=8.2 <9", "rhel", (8, 10))
    True
    >>> matches("rhel", "rocky", (8, 10))
    False

    Raises `Unobservable` where the version is too short to decide it, ValueError for a malformed expression.
    """
    return parse(expression)(os_id, version)
