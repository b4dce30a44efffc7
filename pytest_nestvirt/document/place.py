"""Places in a document, and messages about them: `hosts.yml:12: hosts.kvm01.port: expected a whole number`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

from pytest_nestvirt.one_line import one_line

Value: TypeAlias = "bool | int | str | list[Value] | dict[str, Value] | None"
Key: TypeAlias = "str | int"
"""A mapping's key, or an index into a list, from 0."""

_PLAIN_KEY = re.compile(r"[\w.@/:+-]{1,80}")


def seen(value: object) -> str:
    """A value of the file as a message shows it."""
    if value is None:
        return "nothing"
    if isinstance(value, list | tuple):
        return "a list"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, int):
        return str(value).lower()
    return f"'{one_line(str(value), 60)}'"


def dotted(keys: Sequence[Key]) -> str:
    """A key path for people: `hosts.kvm01.known_hosts[1]`. A key that is not a word is shown in quotes.

    >>> dotted(("hosts", "kvm 01", "known_hosts", 1))
    "hosts.'kvm 01'.known_hosts[1]"
    """
    parts = [f"[{key}]" if isinstance(key, int) else f".{_word(key)}" for key in keys]
    return "".join(parts).removeprefix(".")


def _word(key: str) -> str:
    return key if _PLAIN_KEY.fullmatch(key) else f"'{one_line(key)}'"


class DocumentError(ValueError):
    """A file that cannot be used, in one line: `FILE:LINE: key.path: what is wrong`.

    `line` counts from 1; 0 where the whole file is meant and no line is shown. `keys` may be empty.
    """

    def __init__(self, path: Path, line: int, keys: tuple[Key, ...], problem: str) -> None:
        super().__init__(path, line, keys, problem)
        self.path = path
        self.line = line
        self.keys = keys
        self.problem = problem

    def __str__(self) -> str:
        where = one_line(str(self.path), 400) + (f":{self.line}" if self.line else "")
        return ": ".join(part for part in (where, one_line(dotted(self.keys), 300), self.problem) if part)
