"""What an assertion says it saw, in one line that is the same in every run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby

from pytest_nestvirt.observation.render import without_addresses

SHOWN = 4
"""As many lines of pytest's explanation of a comparison are kept."""

_ITEMS_FOLLOW = "Extra items in the "
"""How pytest begins the heading of the items of one set that another lacks; a line each, in no order, follows."""

_OMITTED = ("+  where", "Use -v", "...", "Full diff")


def assertion_text(error: AssertionError) -> str:
    """The assertion's own message, or pytest's explanation of the comparison, shortened."""
    text = str(error).strip()
    message, separator, _ = text.partition("\nassert ")
    if separator:
        return without_addresses(message)
    lines = (line.strip() for line in text.splitlines())
    kept = _differences_on_one_line(line for line in lines if line and not line.startswith(_OMITTED))
    return without_addresses(" · ".join(list(kept)[:SHOWN])) or "the assertion does not hold"


def _differences_on_one_line(lines: Iterable[str]) -> Iterator[str]:
    """The lines, with those that list the items of a set joined to their heading, sorted: a set has no order."""
    heading = ""
    for is_heading, group in groupby(lines, key=lambda line: line.startswith(_ITEMS_FOLLOW)):
        if is_heading:
            *others, heading = group
            yield from others
        elif heading:
            yield f"{heading} {', '.join(sorted(group))}"
            heading = ""
        else:
            yield from group
    if heading:
        yield heading
