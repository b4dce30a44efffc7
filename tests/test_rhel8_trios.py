"""Every read-only check of the RHEL 8 suite passes where it should, fails where it should, and says when it can't tell."""

from __future__ import annotations

import pytest
from recorded_machines import intel_chain
from rhel8_trios import Trio, l0, trios
from suite_checks import assert_told_apart, by_case, case_on, catalogue_of, judged_machine, read_only

from pytest_nestvirt.snapshot.snapshot import Status
from pytest_nestvirt.verdict import Verdict

CATALOGUE = catalogue_of("rhel8")
READ_ONLY = read_only(CATALOGUE)
TRIOS = {trio.requirement: trio for trio in trios()}


def test_every_read_only_requirement_has_a_trio() -> None:
    """A statement that can be looked at, and has no conforming, violating and unobservable chain, is not tested."""
    assert sorted(TRIOS) == sorted(READ_ONLY)


@by_case(TRIOS)
def test_check_tells_the_three_apart(trio: Trio, index: int) -> None:
    """The check gives the verdict that is expected of each chain, and explains in words what is not as it should be."""
    assert_told_apart("rhel8", trio, index)


@pytest.mark.parametrize("value, shown", [("N\n", "no"), ("Y\n", "yes"), (Status.MISSING, "unknown: ")])
def test_that_an_l1_has_no_apicv_is_told_with_what_its_host_has(value: str | Status, shown: str) -> None:
    """An L1 of a host without APICv would have none in any case: the verdict stays, and the evidence shows it."""
    chain = l0(intel_chain(), {"sys/module/kvm_intel/parameters/enable_apicv": value})
    requirement = CATALOGUE.requirement("RHEL8-L1-NO-APICV")
    case = case_on("rhel8", requirement.id, judged_machine(requirement, chain))
    assert case.verdict is Verdict.LIMIT_CONFIRMED, case.reason
    found = {one.host: one.value for one in case.evidence if one.fact == "kvm.enabled.kvm_intel.enable_apicv"}
    assert found["L1"] == "no"
    assert found["L0"].startswith(shown)
