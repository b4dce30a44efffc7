"""The one word for a chain never reads like success where something is wrong, unknown or was not looked at."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from report_runs import case, host, run

from pytest_nestvirt.catalogue.requirement import Needs
from pytest_nestvirt.report.case import Case, ChainReport, RunReport, WhyNotRun
from pytest_nestvirt.report.chain_state import CONFORMING, ChainState, chain_results, shows_conformity
from pytest_nestvirt.verdict import VERIFIED, Kind, Obligation, Verdict

MUST, SHOULD = Obligation.MUST, Obligation.SHOULD


def state(report: RunReport) -> ChainState:
    """Of the first chain."""
    return next(chain_results(report)).state


def beside_a_pass(verdict: Verdict, obligation: Obligation, not_run: WhyNotRun | None = None) -> ChainState:
    """Of a chain on which one thing passed and one thing ended like this."""
    return state(run(case("A-PASS"), case("A-B", verdict=verdict, obligation=obligation, not_run=not_run)))


@pytest.mark.parametrize(
    "verdict, obligation, expected",
    [
        (Verdict.PASS, MUST, ChainState.CONFORMS),
        (Verdict.FAIL, MUST, ChainState.DOES_NOT_CONFORM),
        (Verdict.WARN, SHOULD, ChainState.WITH_WARNINGS),
        (Verdict.WAIVED, MUST, ChainState.WITH_WARNINGS),
        (Verdict.LIMIT_CONFIRMED, MUST, ChainState.CONFORMS),
        (Verdict.LIMIT_LIFTED, MUST, ChainState.CONFORMS),
        (Verdict.NOT_APPLICABLE, MUST, ChainState.CONFORMS),
        (Verdict.INCONCLUSIVE, MUST, ChainState.UNDECIDED),
        (Verdict.INCONCLUSIVE, SHOULD, ChainState.CONFORMS),
        (Verdict.BLOCKED, MUST, ChainState.UNDECIDED),
        (Verdict.BLOCKED, SHOULD, ChainState.CONFORMS),
        (Verdict.UNREACHABLE, SHOULD, ChainState.UNDECIDED),
        (Verdict.ERROR, SHOULD, ChainState.UNDECIDED),
        (Verdict.NOT_RUN, MUST, ChainState.UNDECIDED),
        (Verdict.NOT_RUN, SHOULD, ChainState.CONFORMS),
    ],
)
def test_each_verdict_has_its_weight(verdict: Verdict, obligation: Obligation, expected: ChainState) -> None:
    """Beside one pass, this verdict leads to that state."""
    assert beside_a_pass(verdict, obligation) is expected


def test_a_must_that_needs_a_permission_or_cannot_be_observed_does_not_stand_in_the_way() -> None:
    """The state speaks of what can be verified with the permissions that were given."""
    assert beside_a_pass(Verdict.NOT_RUN, MUST, WhyNotRun.NO_PERMISSION) is ChainState.CONFORMS
    assert beside_a_pass(Verdict.NOT_RUN, MUST, WhyNotRun.NOT_OBSERVABLE) is ChainState.CONFORMS


def test_why_a_must_did_not_run_is_not_read_from_its_reason() -> None:
    """A must that was left out stays one, whatever its reason says and whatever its check would need."""
    left_out = case("A-B", verdict=Verdict.NOT_RUN, needs=Needs.RELOAD, not_run=WhyNotRun.LEFT_OUT)
    misleading = case("A-B", verdict=Verdict.NOT_RUN, reason="not observable: needs the permission reload")
    assert state(run(case(), left_out)) is ChainState.UNDECIDED
    assert state(run(case(), misleading)) is ChainState.UNDECIDED


def test_nothing_verified_is_no_success() -> None:
    """No case, or only cases that say nothing."""
    assert state(run()) is ChainState.NOTHING_VERIFIED
    assert state(run(case(verdict=Verdict.NOT_APPLICABLE))) is ChainState.NOTHING_VERIFIED
    assert state(run(case(verdict=Verdict.NOT_RUN, needs=Needs.L2))) is ChainState.NOTHING_VERIFIED


def test_what_was_left_out_is_undecided() -> None:
    """An incomplete run, a machine that was not reached, a machine of which the run knows nothing."""
    assert state(run(case(), complete=False)) is ChainState.UNDECIDED
    assert state(run(case(), hosts=(host(), host("l1", 1, "kvm01", reachable=False)))) is ChainState.UNDECIDED
    assert state(run(case(), chains=(ChainReport("kvm01 > l1", ("kvm01", "l1")),))) is ChainState.UNDECIDED


def test_a_violation_outweighs_all_else() -> None:
    """A chain that fails fails, however little else is known."""
    assert state(run(case(verdict=Verdict.FAIL), complete=False)) is ChainState.DOES_NOT_CONFORM


def test_a_chain_is_told_by_its_own_machines_only() -> None:
    """What fails elsewhere is not this chain's."""
    chains = (ChainReport("a", ("a",)), ChainReport("b", ("b",)))
    report = run(case(host="a"), case(host="b", verdict=Verdict.FAIL), hosts=(host("a"), host("b")), chains=chains)
    assert [result.state for result in chain_results(report)] == [ChainState.CONFORMS, ChainState.DOES_NOT_CONFORM]


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


# ---- what shows that a chain conforms

BINDING = (Kind.REQUIREMENT, Kind.RECOMMENDATION, Kind.PROCEDURE)


def verified_only(kind: Kind, obligation: Obligation, count: int) -> list[Case]:
    """So many statements of one sort, all of which hold."""
    verdict = Verdict.LIMIT_CONFIRMED if kind is Kind.LIMITATION else Verdict.PASS
    return [case(f"A-{n}", verdict=verdict, kind=kind, obligation=obligation) for n in range(count)]


@pytest.mark.parametrize("count", [1, 2, 50])
@pytest.mark.parametrize("obligation", Obligation)
@pytest.mark.parametrize("kind", Kind)
def test_only_what_binds_a_chain_shows_that_it_conforms(kind: Kind, obligation: Obligation, count: int) -> None:
    """Claims, limitations and what is merely permitted or mentioned show nothing, however many of them hold."""
    binds = kind in BINDING and obligation in {MUST, SHOULD}
    expected = ChainState.CONFORMS if binds else ChainState.UNDECIDED
    assert state(run(*verified_only(kind, obligation, count))) is expected


@pytest.mark.parametrize("count", [1, 2, 50])
@pytest.mark.parametrize("why", [WhyNotRun.NO_PERMISSION, WhyNotRun.NOT_OBSERVABLE])
def test_recommendations_do_not_stand_in_for_musts(why: WhyNotRun, count: int) -> None:
    """Where musts are due and none was verified, any number of shoulds that hold leave the chain undecided."""
    musts = [case(f"B-{n}", verdict=Verdict.NOT_RUN, not_run=why) for n in range(count)]
    assert state(run(*verified_only(Kind.RECOMMENDATION, SHOULD, 50), *musts)) is ChainState.UNDECIDED
    assert state(run(*verified_only(Kind.REQUIREMENT, MUST, 1), *musts)) is ChainState.CONFORMS


@pytest.mark.parametrize("verdict", Verdict)
def test_a_must_that_does_not_apply_is_not_due(verdict: Verdict) -> None:
    """It neither shows anything nor keeps a should from deciding; any other verdict on a must does."""
    should = case("A-S", obligation=SHOULD)
    shown = shows_conformity([should, case("A-M", verdict=verdict)])
    assert shown is (verdict in VERIFIED or verdict is Verdict.NOT_APPLICABLE)


judgements = st.lists(
    st.builds(
        lambda n, verdict, kind, obligation, why: case(
            f"A-{n}", verdict=verdict, kind=kind, obligation=obligation, not_run=why
        ),
        st.integers(0, 99),
        st.sampled_from(Verdict),
        st.sampled_from(Kind),
        st.sampled_from(Obligation),
        st.sampled_from([None, *WhyNotRun]),
    ),
    max_size=6,
)


@settings(max_examples=400, deadline=None)
@given(cases=judgements)
def test_a_chain_that_conforms_has_a_verified_statement_and_no_open_must(cases: list[Case]) -> None:
    """Whatever else there is: each must was verified, was waived, does not apply, or could not be looked at by permission."""
    if state(run(*cases)) not in CONFORMING:
        return
    assert any(c.verdict in VERIFIED and c.kind in BINDING and c.obligation in {MUST, SHOULD} for c in cases)
    for must in (c for c in cases if c.obligation is MUST):
        excused = must.verdict is Verdict.NOT_RUN and must.not_run in {
            WhyNotRun.NO_PERMISSION,
            WhyNotRun.NOT_OBSERVABLE,
        }
        assert must.verdict in {*VERIFIED, Verdict.WAIVED, Verdict.NOT_APPLICABLE} - {Verdict.FAIL} or excused


@settings(max_examples=200, deadline=None)
@given(cases=judgements, worse=st.sampled_from([Verdict.INCONCLUSIVE, Verdict.BLOCKED, Verdict.ERROR, Verdict.FAIL]))
def test_one_more_open_must_never_makes_a_chain_conform(cases: list[Case], worse: Verdict) -> None:
    """Knowing less, or finding a violation, is never better."""
    assert state(run(*cases, case("B-MORE", verdict=worse))) not in CONFORMING
