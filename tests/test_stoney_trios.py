"""Every read-only check of the stoney cloud suite passes where it should, fails where it should, and says when it can't tell."""

from __future__ import annotations

from rhel8_trios import Trio
from stoney_trios import trios
from suite_checks import assert_told_apart, by_case, catalogue_of, read_only

TRIOS = {trio.requirement: trio for trio in trios()}


def test_every_read_only_requirement_has_a_trio() -> None:
    """A statement that can be looked at, and has no conforming, violating and unobservable chain, is not tested."""
    assert sorted(TRIOS) == sorted(read_only(catalogue_of("stoney")))


@by_case(TRIOS)
def test_check_tells_the_three_apart(trio: Trio, index: int) -> None:
    """The check gives the verdict that is expected of each chain, and explains in words what is not as it should be."""
    assert_told_apart("stoney", trio, index)
