"""The stance of a chain is the worst that any of its cases speaks for."""

from __future__ import annotations

import pytest

from pytest_nestvirt.catalogue.requirement import Needs, Stance
from pytest_nestvirt.catalogue.stance import chain_stance
from pytest_nestvirt.report.case import Case
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
