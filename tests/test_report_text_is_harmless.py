"""Text from hosts and people is printable, bounded and legal before it reaches a report."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from report_runs import HOSTILE

from pytest_nestvirt.report.sanitize import block, plain

ANYTHING = st.text(st.characters(codec=None), max_size=200)


def test_ordinary_text_stays_as_it_is() -> None:
    """What is printable is not touched, whatever the script."""
    assert plain("flag ept is missing · für 漢字 é", 100) == "flag ept is missing · für 漢字 é"


def test_colour_is_dropped_and_other_sequences_become_visible() -> None:
    """Colour carries no text; a sequence that would act on the terminal is shown instead."""
    assert plain("\x1b[1;31mred\x1b[0m \x1b]0;title\x07 \x9b2J", 100) == r"red \x1b]0;title\x07 \x9b2J"


def test_what_cannot_be_seen_is_shown() -> None:
    """Bidirectional controls, zero-width characters, surrogates and noncharacters become escapes."""
    assert plain("a\u202eb\u200bc\ud800d\ufffe", 100) == r"a\u202eb\u200bc\ud800d\ufffe"


def test_plain_is_one_line() -> None:
    """Line ends of every sort and tabs become single blanks."""
    assert plain(" a\r\nb\x0b\tc\u2028d\x85e\xa0f ", 100) == "a b c d e f"


def test_block_keeps_lines() -> None:
    """Lines stay, a lone carriage return cannot overwrite one, tabs are set."""
    assert block("a\n\tb\rc\n\n", 10, 100) == "a\n    b\nc"


def test_cut_text_says_how_much_is_missing() -> None:
    """A bound is visible."""
    shown = plain("x" * 1_000_000, 100)
    assert len(shown) <= 100
    kept, missing = re.fullmatch(r"(x+)… \((\d+) more characters\)", shown).groups()  # type: ignore[union-attr]
    assert len(kept) + int(missing) == 1_000_000


def test_cut_lines_say_how_much_is_missing() -> None:
    """A bound on lines counts in characters, too."""
    assert block("one\ntwo\nthree", 2, 100) == "one\ntwo… (5 more characters)"


@settings(max_examples=200, deadline=None)
@given(text=ANYTHING | st.just(HOSTILE), limit=st.integers(1, 120), lines=st.integers(1, 5))
def test_nothing_unprintable_gets_through(text: str, limit: int, lines: int) -> None:
    """Whatever comes in: bounded, printable, encodable, and doing it twice changes nothing."""
    one, several = plain(text, limit), block(text, lines, limit)
    assert one.isprintable()
    assert all(line.isprintable() for line in several.split("\n"))
    assert len(one) <= limit
    assert len(several) <= limit
    assert several.count("\n") < lines
    (one + several).encode()
    assert plain(one, limit) == one
    assert block(several, lines, limit) == several


@pytest.mark.parametrize("text", ["", " ", "\n"])
def test_nothing_stays_nothing(text: str) -> None:
    """Empty text needs no note."""
    assert plain(text, 10) == ""
    assert block(text, 3, 10) == ""
