"""What pytest's own JUnit file says of a test item, as `user_properties`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from pytest_nestvirt.report.case import Case, level_label
from pytest_nestvirt.report.sanitize import plain


def user_properties(case: Case, chains: Sequence[str]) -> list[tuple[str, str]]:
    """Name and value of each property; `nestvirt.chain` once for every chain the host belongs to.

    `nestvirt.stance` is empty where the verdict says nothing about support.
    """
    named = [
        ("requirement", case.requirement),
        ("verdict", str(case.verdict)),
        ("stance", str(case.stance or "")),
        ("source", case.source),
        ("level", level_label(case.level)),
        ("host", case.host),
        *(("chain", chain) for chain in chains),
    ]
    return [_property(name, value) for name, value in named]


@lru_cache(maxsize=4096)
def _property(name: str, value: str) -> tuple[str, str]:
    """One property; thousands of items have the same, and pytest keeps them all to the end."""
    return f"nestvirt.{name}", plain(value, 500)
