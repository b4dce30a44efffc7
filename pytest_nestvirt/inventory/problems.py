"""How an inventory is refused."""

from __future__ import annotations

from collections.abc import Iterable

MAX_PROBLEMS = 500
"""Shown at once: a person mends the first ones and tries again."""


class InventoryError(Exception):
    """An inventory that can't be used. `problems` has one line for each thing that is wrong with it."""

    def __init__(self, problems: Iterable[str]) -> None:
        lines = tuple(dict.fromkeys(problems))
        hidden = len(lines) - MAX_PROBLEMS
        self.problems = (*lines[:MAX_PROBLEMS], f"and {hidden} problems more") if hidden > 0 else lines
        super().__init__(self.problems)

    def __str__(self) -> str:
        return "\n".join(self.problems)
