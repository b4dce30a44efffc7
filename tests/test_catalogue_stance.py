"""The stance of a chain is the worst that any of its cases speaks for."""

from __future__ import annotations

from itertools import product

import pytest
from report_runs import host

from pytest_nestvirt.catalogue.requirement import Needs, Requirement, Stance, Suite
from pytest_nestvirt.catalogue.stance import chain_stance
from pytest_nestvirt.report.case import Case
from pytest_nestvirt.run.results import not_covered
from pytest_nestvirt.verdict import Kind, Obligation, Verdict


def case(requirement: str, stance: Stance | None, verdict: Verdict = Verdict.PASS, source: str = "acme") -> Case:
    """A case of which only its stance matters."""
    return Case(
        requirement=requirement,
        source=source,
        section="1",
        statement="Something holds.",
        host="kvm01",
        level=0,
        verdict=verdict,
        kind=Kind.CLAIM,
        obligation=Obligation.INFO,
        needs=Needs.READ_ONLY,
        stance=stance,
    )


SUPPORTED = case("A-FULL", Stance.SUPPORTED)
PREVIEW = case("A-PREVIEW", Stance.TECHNOLOGY_PREVIEW, Verdict.LIMIT_CONFIRMED)
UNSUPPORTED = case("A-OS", Stance.UNSUPPORTED, Verdict.FAIL)
BROKEN = case("A-ARCH", Stance.NOT_WORKING, Verdict.FAIL)
UNDECIDED = case("A-L1", Stance.NOT_STATED, Verdict.INCONCLUSIVE)
SILENT = case("A-SILENT", None)
FOREIGN = case("B-OS", Stance.NOT_WORKING, Verdict.FAIL, source="other")


@pytest.mark.parametrize(
    "cases, stance, decided_by",
    [
        ([SUPPORTED, SILENT], Stance.SUPPORTED, ["A-FULL on kvm01 (pass)"]),
        ([SUPPORTED, PREVIEW], Stance.TECHNOLOGY_PREVIEW, ["A-PREVIEW on kvm01 (limit-confirmed)"]),
        ([SUPPORTED, UNDECIDED], Stance.NOT_STATED, ["undecided: A-L1 on kvm01 (inconclusive)"]),
        ([PREVIEW, UNDECIDED], Stance.NOT_STATED, ["undecided: A-L1 on kvm01 (inconclusive)"]),
        ([UNDECIDED, UNSUPPORTED, SUPPORTED], Stance.UNSUPPORTED, ["A-OS on kvm01 (fail)"]),
        ([UNSUPPORTED, BROKEN, PREVIEW], Stance.NOT_WORKING, ["A-ARCH on kvm01 (fail)"]),
        ([SUPPORTED, FOREIGN], Stance.SUPPORTED, ["A-FULL on kvm01 (pass)"]),
    ],
)
def test_worst_case_decides(cases: list[Case], stance: Stance, decided_by: list[str]) -> None:
    """Whatever the order, the worst contribution of the source's own cases is the stance, and is named."""
    assert chain_stance("acme", cases) == (stance, tuple(decided_by))
    assert chain_stance("acme", reversed(cases)) == (stance, tuple(decided_by))


def test_silence_is_not_support() -> None:
    """Where no case speaks of support, nothing is stated, and nothing decided it."""
    assert chain_stance("acme", [SILENT, FOREIGN]) == (Stance.NOT_STATED, ())
    assert chain_stance("acme", []) == (Stance.NOT_STATED, ())


def test_all_that_decided_is_named() -> None:
    """Several equally bad contributions are all named."""
    other = case("A-OS-L1", Stance.UNSUPPORTED, Verdict.FAIL)
    assert chain_stance("acme", [UNSUPPORTED, SUPPORTED, other])[1] == (
        "A-OS on kvm01 (fail)",
        "A-OS-L1 on kvm01 (fail)",
    )


# ---- what a requirement declares of support


def declaring(stance: dict[str, str | None], kind: str = "claim", obligation: str = "info") -> Requirement:
    """A requirement whose verdicts say this about support."""
    return Requirement.model_validate(
        {"id": "A-ONE", "section": "1", "statement": "S", "level": "l0", "kind": kind, "obligation": obligation}
        | {"expected": "E", "stance": stance}
    )


@pytest.mark.parametrize("verdict", [verdict for verdict in Verdict if verdict is not Verdict.NOT_APPLICABLE])
@pytest.mark.parametrize("kind, obligation", list(product(Kind, Obligation)))
def test_support_never_rests_on_a_statement_that_was_not_found_to_hold(
    verdict: Verdict, kind: Kind, obligation: Obligation
) -> None:
    """Where `pass` says supported, any verdict that is left out says not-stated, so that no other case can say it alone."""
    supported = declaring({"pass": "supported"}, kind, obligation)
    expected = Stance.SUPPORTED if verdict is Verdict.PASS else Stance.NOT_STATED
    assert supported.stance[verdict] is expected
    other = case("A-OTHER", Stance.SUPPORTED)
    assert chain_stance("acme", [case("A-ONE", supported.stance[verdict], verdict), other])[0] is expected


def test_what_speaks_against_support_only_is_silent_where_it_does_not_hold() -> None:
    """A statement that only takes support away says nothing by holding, and not-stated where it is undecided."""
    against = declaring({"fail": "unsupported"})
    assert Verdict.PASS not in against.stance
    assert against.stance[Verdict.INCONCLUSIVE] is Stance.NOT_STATED


@pytest.mark.parametrize(
    "levels, unseen, covered",
    [
        ((0, 1), "", True),
        ((0, 1, 2), "", True),
        ((0,), "", False),
        ((0, 1, 2, 3), "", False),
        ((0, 1), "m1", False),
        ((0, 1, 2), "m2", True),
        ((None, None, None), "", True),
    ],
)
def test_a_source_supports_the_chains_that_it_speaks_of(
    levels: tuple[int | None, ...], unseen: str, covered: bool
) -> None:
    """A chain that lacks a level, has one that no statement is about, or has one that was not looked at, is not covered."""
    hosts = [host(f"m{place}", level, reachable=unseen != f"m{place}") for place, level in enumerate(levels)]
    source = {"id": "acme", "title": "T", "publisher": "P", "version": "1"}
    suite = Suite.model_validate({"source": source, "applies": [], "requirements": [], "supports": ["l0", "l1"]})
    assert (not_covered(suite, hosts) == "") is covered
