"""What follows from facts of which some are unknown is three-valued: a known value decides, an unknown one never does."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_nestvirt.facts.machine import build_machines
from pytest_nestvirt.inventory.host import Connection, Host, Inventory
from pytest_nestvirt.observation.fact import Unobservable
from pytest_nestvirt.observation.unknown import (
    attempt,
    either,
    every,
    first_finding,
    first_known,
    if_known,
    known_or,
)
from pytest_nestvirt.snapshot.snapshot import Snapshot

UNKNOWN = "unknown"
VALUES = st.lists(st.sampled_from([True, False, UNKNOWN]), min_size=1, max_size=5)


def reading(value: bool | str, place: int = 0) -> Callable[[], bool]:
    """A reading that gives the value, or cannot."""

    def read() -> bool:
        if isinstance(value, str):
            raise Unobservable(f"section {place}", "not collected")
        return value

    return read


def readings(values: list[bool | str]) -> list[Callable[[], bool]]:
    """One reading for each value, in order."""
    return [reading(value, place) for place, value in enumerate(values)]


@given(VALUES)
def test_every_and_either_are_kleenes(values: list[bool | str]) -> None:
    """A false decides `every`, a true decides `either`; without one, the first unknown is raised."""
    for operation, decisive in ((every, False), (either, True)):
        if decisive in values:
            assert operation(*readings(values)) is decisive
        elif UNKNOWN in values:
            with pytest.raises(Unobservable, match=f"section {values.index(UNKNOWN)}:"):
                operation(*readings(values))
        else:
            assert operation(*readings(values)) is not decisive


@given(VALUES)
def test_the_first_known_reading_counts(values: list[bool | str]) -> None:
    """The best witness that says anything; where none does, the best one's reason."""
    known = [value for value in values if value != UNKNOWN]
    if known:
        assert first_known(*readings(values)) is known[0]
    else:
        with pytest.raises(Unobservable, match="section 0:"):
            first_known(*readings(values))


@given(st.lists(st.sampled_from(["", "", "a finding", "another", None]), min_size=1, max_size=5))
def test_the_first_finding_decides(values: list[str | None]) -> None:
    """A part of a statement that surely fails decides before one that cannot be seen, in whatever order they are."""

    def part(value: str | None) -> str:
        if value is None:
            raise Unobservable("section", "not collected")
        return value

    parts = [partial(part, value) for value in values]
    findings = [value for value in values if value]
    if not findings and None in values:
        with pytest.raises(Unobservable):
            first_finding(*parts)
    else:
        assert first_finding(*parts) == (findings[0] if findings else "")


def test_one_reading_is_a_value_or_its_reason() -> None:
    """`attempt` hands the reason on, `if_known` and `known_or` do without it."""
    assert (attempt(reading(True)), if_known(reading(False)), known_or(reading(False), True)) == (True, False, False)
    assert isinstance(attempt(reading(UNKNOWN)), Unobservable)
    assert (if_known(reading(UNKNOWN)), known_or(reading(UNKNOWN), True)) == (None, True)


def test_what_is_unknown_names_the_machine_whose_section_it_was() -> None:
    """Of a fact, its own machine; of a guest as its parent shows it, the parent, whatever the text of the reason is."""
    hosts = Inventory((Host("up", 0, None, Connection.RECORDED), Host("down", 1, "up", Connection.RECORDED)))
    built = build_machines(hosts, {"up": Snapshot({}), "down": Snapshot({})})
    own, given_by_parent = attempt(lambda: built["down"].kernel.boot_id), attempt(lambda: built["down"].domain.state)
    assert isinstance(own, Unobservable)
    assert isinstance(given_by_parent, Unobservable)
    assert (own.host, given_by_parent.host) == ("down", "up")
    assert given_by_parent.why.startswith("on up: ")
