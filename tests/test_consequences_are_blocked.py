"""A check whose question has no point yet says so, and is no failure: its verdict is `blocked`."""

from __future__ import annotations

from pathlib import Path

import pytest
from recorded_machines import intel_chain, machines
from rhel8_trios import l0
from small_runs import inventory, record, run_pytest, suite, verdicts

from pytest_nestvirt import Blocked
from pytest_nestvirt.derived.consequence import blocked_without_nesting
from pytest_nestvirt.snapshot.snapshot import Status

PARAMETER = "sys/module/kvm_intel/parameters/nested"
CHECKS = """\
from pytest_nestvirt import Blocked, Machine, requirement

@requirement("HOUSE-VMX")
def test_vmx(l0: Machine) -> None:
    if l0.kvm.nested:
        raise Blocked("this follows from nesting being on")
"""


def test_blocked_is_a_verdict_of_its_own(tmp_path: Path) -> None:
    """It is skipped with its reason, stands in the report, and leaves the run without a failure of its own."""
    record(tmp_path / "l0")
    suite(tmp_path, checks=CHECKS)
    hosts = inventory(tmp_path, {"one": {"connection": "recorded", "path": "l0"}})
    done = run_pytest(tmp_path, "house", f"--hosts={hosts}", "--nestvirt-report=reports", "-rs")
    assert verdicts(tmp_path / "reports")["HOUSE-VMX", "one"] == "blocked"
    assert "blocked on one: HOUSE-VMX: this follows from nesting being on" in done.stdout


def test_nesting_that_is_off_makes_a_consequence() -> None:
    """The reason names the host."""
    off = machines(l0(intel_chain(), {PARAMETER: "N\n"}))[0]
    with pytest.raises(Blocked, match="nesting is off on L0, and what follows from that: L1 lacks vmx"):
        blocked_without_nesting(off, "L1 lacks vmx")


@pytest.mark.parametrize("text", ["Y\n", "maybe\n", Status.MISSING])
def test_nesting_that_is_on_or_unknown_excuses_nothing(text: str | Status) -> None:
    """Only a host that surely does not nest explains what its guest lacks."""
    blocked_without_nesting(machines(l0(intel_chain(), {PARAMETER: text}))[0], "L1 lacks vmx")
