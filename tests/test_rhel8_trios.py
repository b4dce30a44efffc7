"""Every read-only check of the RHEL 8 suite passes where it should, fails where it should, and says when it can't tell."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest
from rhel8_trios import Trio, trios
from suite_checks import assert_told_apart, by_case, catalogue_of, checks_of, read_only, verdict_of

__all__ = ["verdict_of"]

CATALOGUE = catalogue_of("rhel8")
READ_ONLY = read_only(CATALOGUE)
TRIOS = {trio.requirement: trio for trio in trios()}


@pytest.fixture(scope="module")
def checks() -> Mapping[str, Callable[..., None]]:
    """The functions of the suite by the requirement they verify."""
    return checks_of("rhel8")


def test_every_read_only_requirement_has_a_trio() -> None:
    """A statement that can be looked at, and has no conforming, violating and unobservable chain, is not tested."""
    assert sorted(TRIOS) == sorted(READ_ONLY)


@by_case(TRIOS)
def test_check_tells_the_three_apart(trio: Trio, index: int) -> None:
    """The check gives the verdict that is expected of each chain, and explains in words what is not as it should be."""
    assert_told_apart("rhel8", trio, index)
