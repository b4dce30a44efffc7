"""The one word for a chain never reads like success where something is wrong, unknown or was not looked at."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from report_runs import case, host, run

from pytest_nestvirt.catalogue.requirement import Needs
from pytest_nestvirt.report.case import ChainReport, RunReport
from pytest_nestvirt.report.chain_state import CONFORMING, State, chain_results
from pytest_nestvirt.verdict import Obligation, Verdict

MUST, SHOULD = Obligation.MUST, Obligation.SHOULD


def state(report: RunReport) -> State:
    """Of the first chain."""
    return next(chain_results(report)).state


def beside_a_pass(verdict: Verdict, obligation: Obligation, needs: Needs = Needs.READ_ONLY, reason: str = "") -> State:
    """Of a chain on which one thing passed and one thing ended like this."""
    return state(run(case("A-PASS"), case("A-B", verdict=verdict, obligation=obligation, needs=needs, reason=reason)))


@pytest.mark.parametrize(
    "verdict, obligation, expected",
    [
        (Verdict.PASS, MUST, State.CONFORMS),
        (Verdict.FAIL, MUST, State.DOES_NOT_CONFORM),
        (Verdict.WARN, SHOULD, State.WITH_WARNINGS),
        (Verdict.WAIVED, MUST, State.WITH_WARNINGS),
        (Verdict.LIMIT_CONFIRMED, MUST, State.CONFORMS),
        (Verdict.LIMIT_LIFTED, MUST, State.CONFORMS),
        (Verdict.NOT_APPLICABLE, MUST, State.CONFORMS),
        (Verdict.INCONCLUSIVE, MUST, State.UNDECIDED),
        (Verdict.INCONCLUSIVE, SHOULD, State.CONFORMS),
        (Verdict.BLOCKED, MUST, State.UNDECIDED),
        (Verdict.BLOCKED, SHOULD, State.CONFORMS),
        (Verdict.UNREACHABLE, SHOULD, State.UNDECIDED),
        (Verdict.ERROR, SHOULD, State.UNDECIDED),
        (Verdict.NOT_RUN, MUST, State.UNDECIDED),
        (Verdict.NOT_RUN, SHOULD, State.CONFORMS),
    ],
)
def test_each_verdict_has_its_weight(verdict: Verdict, obligation: Obligation, expected: State) -> None:
    """Beside one pass, this verdict leads to that state."""
    assert beside_a_pass(verdict, obligation) is expected


def test_a_must_that_needs_a_permission_or_cannot_be_observed_does_not_stand_in_the_way() -> None:
    """The state speaks of what can be verified with the permissions that were given."""
    assert beside_a_pass(Verdict.NOT_RUN, MUST, Needs.RELOAD, "needs the permission reload") is State.CONFORMS
    assert beside_a_pass(Verdict.NOT_RUN, MUST, reason="not observable: a promise") is State.CONFORMS


def test_nothing_verified_is_no_success() -> None:
    """No case, or only cases that say nothing."""
    assert state(run()) is State.NOTHING_VERIFIED
    assert state(run(case(verdict=Verdict.NOT_APPLICABLE))) is State.NOTHING_VERIFIED
    assert state(run(case(verdict=Verdict.NOT_RUN, needs=Needs.L2))) is State.NOTHING_VERIFIED


def test_what_was_left_out_is_undecided() -> None:
    """An incomplete run, a machine that was not reached, a machine of which the run knows nothing."""
    assert state(run(case(), complete=False)) is State.UNDECIDED
    assert state(run(case(), hosts=(host(), host("l1", 1, "kvm01", reachable=False)))) is State.UNDECIDED
    assert state(run(case(), chains=(ChainReport("kvm01 > l1", ("kvm01", "l1")),))) is State.UNDECIDED


def test_a_violation_outweighs_all_else() -> None:
    """A chain that fails fails, however little else is known."""
    assert state(run(case(verdict=Verdict.FAIL), complete=False)) is State.DOES_NOT_CONFORM


def test_a_chain_is_told_by_its_own_machines_only() -> None:
    """What fails elsewhere is not this chain's."""
    chains = (ChainReport("a", ("a",)), ChainReport("b", ("b",)))
    report = run(case(host="a"), case(host="b", verdict=Verdict.FAIL), hosts=(host("a"), host("b")), chains=chains)
    assert [result.state for result in chain_results(report)] == [State.CONFORMS, State.DOES_NOT_CONFORM]


@settings(max_examples=200, deadline=None)
@given(told=st.lists(st.tuples(st.sampled_from(Verdict), st.sampled_from(Obligation)), max_size=5))
def test_no_success_beside_a_fail_an_unreachable_or_an_inconclusive_must(
    told: list[tuple[Verdict, Obligation]],
) -> None:
    """Whatever else passed."""
    bad = {Verdict.FAIL, Verdict.UNREACHABLE, Verdict.ERROR}
    wrong = any(v in bad or (v is Verdict.INCONCLUSIVE and o is MUST) for v, o in told)
    report = run(*(case(f"A-{n}", verdict=v, obligation=o) for n, (v, o) in enumerate(told)))
    assert not (wrong and state(report) in CONFORMING)
