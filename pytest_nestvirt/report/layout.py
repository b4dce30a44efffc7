"""Lines for a terminal of some width: text without colour codes, and how it is to be set."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Style = Literal["bold", "light", "red", "green", "yellow"]
"""Words of pytest's terminal writer."""

LABEL = 16
"""Columns that a label takes, indentation and gap included."""

UNBROKEN = "\N{NO-BREAK SPACE}"
"""Stands between words that belong on one line."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a summary."""

    text: str
    styles: tuple[Style, ...] = ()


def cut(text: str, width: int) -> str:
    """The text in `width` columns, with a mark where something is missing."""
    return text if len(text) <= width else f"{text[: max(width - 1, 0)].rstrip()}…"


def labelled(label: str, text: str, width: int, styles: tuple[Style, ...] = (), *, lines: int = 1) -> Iterator[Line]:
    """`label  text`, the text in its own column, in at most that many lines; a line too long for one is cut."""
    room = max(width - LABEL, 20)
    parts = [cut(text, room)] if lines == 1 else wrap(text, room, lines) or [""]
    for place, part in enumerate(parts):
        yield Line(f"  {label if place == 0 else '':<{LABEL - 2}}{part}".rstrip(), styles)


def wrap(text: str, width: int, lines: int) -> list[str]:
    """The text in at most that many lines, broken at blanks other than U+00A0."""
    parts = textwrap.wrap(text, width, max_lines=lines, placeholder=" …", break_on_hyphens=False)
    return [part.replace(UNBROKEN, " ") for part in parts]
