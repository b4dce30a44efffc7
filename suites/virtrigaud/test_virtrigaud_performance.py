"""VirtRigaud: what the page says of the price of nesting."""

from __future__ import annotations

from pytest_nestvirt.suite import Claim, Machine, missed, requirement

TEN_TO_TWENTY_PER_CENT = Claim("10 to 20 % overhead (0.80 to 0.91)", 0.8, 0.91)


@requirement("VR-LIM-VSPHERE-OVERHEAD")
def test_nesting_costs_ten_to_twenty_per_cent(l1: Machine, l2: Machine) -> None:
    what = missed(TEN_TO_TWENTY_PER_CENT, l1, l2, of=l1)
    assert not what, what
