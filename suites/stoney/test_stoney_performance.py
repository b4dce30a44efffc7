"""stoney cloud: what the page says of the speed of an L2."""

from __future__ import annotations

from pytest_nestvirt.suite import Claim, Machine, missed, requirement

A_QUARTER = Claim("about 0.25 (0.15 to 0.35)", 0.15, 0.35)
FOUR_FIFTHS = Claim("0.80 or more", 0.8)


@requirement("STONEY-PERF-25")
def test_l2_has_a_quarter_of_the_host_without_second_level_paging(l0: Machine, l1: Machine, l2: Machine) -> None:
    what = missed(A_QUARTER, l1, l2, of=l0)
    assert not what, what


@requirement("STONEY-PERF-80")
def test_l2_has_four_fifths_of_the_host_with_second_level_paging(l0: Machine, l1: Machine, l2: Machine) -> None:
    what = missed(FOUR_FIFTHS, l1, l2, of=l0)
    assert not what, what
