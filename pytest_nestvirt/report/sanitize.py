r"""Text from hosts and people, before it reaches a terminal, XML or JSON.

What survives is printable text: nothing in it moves a cursor, sets a window title, turns the reading direction, hides
a character or is illegal in XML 1.0 or UTF-8. What was there instead stays visible as an escape (`\x1b`, `\u202e`).
Cut text says how much is missing. Both functions are idempotent, so that a report read back and written again is the
same report.
"""

from __future__ import annotations

import re
import unicodedata

_COLOUR = re.compile(r"\x1b\[[0-9;:]*m")
"""Sequences that only colour (ECMA-48, SGR) carry no text and are dropped; all others are made visible."""


def plain(text: str, limit: int) -> str:
    """The text on one line of at most `limit` characters, every run of white space as one blank."""
    if len(text) <= limit and text.isprintable() and "  " not in text and text == text.strip():
        return text  # what almost every text is, many times for each test item
    words = " ".join(_COLOUR.sub("", text).split())
    return _bounded(_printable(words[:limit]), len(words[limit:]), limit)


def block(text: str, limit_lines: int, limit_chars: int) -> str:
    """The text with its lines kept, of at most that many lines and characters in all."""
    bare = _COLOUR.sub("", text)
    kept = bare[:limit_chars].splitlines(keepends=True)[:limit_lines]
    left = len(bare) - sum(map(len, kept))
    lines = (_printable("".join(line.splitlines()).expandtabs(4)).rstrip() for line in kept)
    return _bounded("\n".join(lines).rstrip("\n"), left, limit_chars)


def _printable(text: str) -> str:
    return text if text.isprintable() else "".join(map(_visible, text))


def _visible(character: str) -> str:
    """The character itself if it prints as one, else its escape: controls, formats, surrogates, noncharacters."""
    if character.isprintable():
        return character
    if unicodedata.category(character) == "Zs":
        return " "
    return character.encode("unicode_escape").decode("ascii")


def _bounded(text: str, left: int, limit: int) -> str:
    """The text, or its beginning and a note on the rest; `left` characters are already missing."""
    if not left and len(text) <= limit:
        return text
    room = max(limit - len(_rest(left + len(text))), 0)
    return (text[:room].rstrip() + _rest(left + len(text[room:])))[:limit].rstrip()


def _rest(count: int) -> str:
    return f"… ({count} more characters)"
