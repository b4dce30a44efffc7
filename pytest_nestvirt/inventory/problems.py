"""How an inventory is refused."""

from __future__ import annotations

from collections.abc import Iterable

MAX_PROBLEMS = 20
"""Shown at once: the first ones are fixed before the rest is looked at."""


class InventoryError(Exception):
    """An inventory that cannot be used. `problems` has one line for each thing that is wrong with it."""

    def __init__(self, problems: Iterable[str]) -> None:
        lines = tuple(dict.fromkeys(problems))
        hidden = len(lines) - MAX_PROBLEMS
        self.problems = (
            (*lines[:MAX_PROBLEMS], f"and {hidden} more problem{'s' if hidden > 1 else ''}") if hidden > 0 else lines
        )
        super().__init__(self.problems)

    def __str__(self) -> str:
        return "\n".join(self.problems)
