"""Documents that disagree about a chain are named beside its verdicts, which stay as they are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from report_runs import case, host, run
from suite_checks import catalogue_of

from pytest_nestvirt.catalogue.disagreements import (
    Disagreement,
    conflicts,
    embedded_disagreements,
    load_disagreements,
)
from pytest_nestvirt.catalogue.load_catalogue import CatalogueError
from pytest_nestvirt.catalogue.requirement import Stance
from pytest_nestvirt.embedded import embedded
from pytest_nestvirt.report.result_json import load_json, write_json
from pytest_nestvirt.report.summary import summary_lines
from pytest_nestvirt.verdict import Kind, Obligation, Verdict

TWO = Disagreement(
    id="B-90", about="Who is right.", sides=(("ACME-ONE", "ACME-ALSO"), ("OTHER-ONE",)), reading="Nobody."
)
ALONE = Disagreement(id="B-91", about="Itself.", sides=(("ACME-ODD",),), reading="Take the command.")
WARN = {"kind": Kind.RECOMMENDATION, "obligation": Obligation.SHOULD}


def found(**verdicts: Verdict) -> list[str]:
    """What is said of a chain with these verdicts, by statement with `_` for `-`."""
    cases = [case(name.replace("_", "-"), verdict=verdict) for name, verdict in verdicts.items()]
    return [str(conflict) for conflict in conflicts(cases, [TWO, ALONE])]


def test_two_sides_that_were_judged_are_a_conflict() -> None:
    """The note names subject, statements with their verdicts, and what to make of it."""
    assert found(ACME_ONE=Verdict.PASS, OTHER_ONE=Verdict.WARN) == [
        "B-90: Who is right. ACME-ONE (pass), OTHER-ONE (warn). Nobody."
    ]


def test_statements_of_one_side_agree() -> None:
    """Two documents that say the same do not make a conflict."""
    assert found(ACME_ONE=Verdict.PASS, ACME_ALSO=Verdict.FAIL) == []


@pytest.mark.parametrize(
    "verdict", [Verdict.NOT_APPLICABLE, Verdict.NOT_RUN, Verdict.INCONCLUSIVE, Verdict.UNREACHABLE, Verdict.BLOCKED]
)
def test_what_was_not_judged_disagrees_with_nothing(verdict: Verdict) -> None:
    """A statement that was not held against a machine is no party to a conflict."""
    assert found(ACME_ONE=Verdict.PASS, OTHER_ONE=verdict) == []


def test_a_statement_can_disagree_with_itself() -> None:
    """A single side is a conflict as soon as its statement is judged."""
    assert found(ACME_ODD=Verdict.PASS) == ["B-91: Itself. ACME-ODD (pass). Take the command."]


def test_verdicts_of_several_machines_are_told_once_each() -> None:
    """Several L2 guests, or L0 and L1, may have come out differently under one statement."""
    cases = [
        case("ACME-ONE", name, verdict=v) for name, v in (("a", Verdict.PASS), ("b", Verdict.WARN), ("c", Verdict.PASS))
    ]
    (conflict,) = conflicts([*cases, case("OTHER-ONE")], [TWO])
    assert conflict.statements == (("ACME-ONE", (Verdict.PASS, Verdict.WARN)), ("OTHER-ONE", (Verdict.PASS,)))


@pytest.mark.parametrize(
    "verdicts, settled",
    [
        pytest.param((Verdict.PASS, Verdict.LIMIT_CONFIRMED), True, id="all-hold"),
        pytest.param((Verdict.FAIL, Verdict.WARN), True, id="none-holds"),
        pytest.param((Verdict.PASS, Verdict.WARN), False, id="one-of-two"),
        pytest.param((Verdict.LIMIT_LIFTED, Verdict.PASS), False, id="one-is-lifted"),
    ],
)
def test_documents_that_come_to_one_answer_are_settled(verdicts: tuple[Verdict, Verdict], settled: bool) -> None:
    """However much two texts differ, a chain to which both say the same has no need to know."""
    cases = [case(name, verdict=verdict) for name, verdict in zip(("ACME-ONE", "OTHER-ONE"), verdicts, strict=True)]
    (conflict,) = conflicts(cases, [TWO])
    assert conflict.settled is settled


def test_different_support_is_never_settled() -> None:
    """One vendor supports what another does not: both statements hold, and a person needs to know."""
    cases = [case("ACME-ONE", stance=Stance.SUPPORTED), case("OTHER-ONE", stance=Stance.UNSUPPORTED)]
    assert not conflicts(cases, [TWO])[0].settled
    cases = [case("ACME-ONE", stance=Stance.SUPPORTED), case("OTHER-ONE", stance=Stance.NOT_STATED)]
    assert conflicts(cases, [TWO])[0].settled


@pytest.mark.parametrize("verdict, settled", [(Verdict.PASS, True), (Verdict.WARN, False)])
def test_a_document_at_odds_with_itself_matters_where_it_does_not_hold(verdict: Verdict, settled: bool) -> None:
    """Whoever is warned has to know that the same page says the contrary."""
    assert conflicts([case("ACME-ODD", verdict=verdict)], [ALONE])[0].settled is settled


# ---- the embedded list


def test_the_list_is_complete_and_each_disagreement_is_listed_once() -> None:
    """26 subjects, numbered through."""
    assert [c.id for c in embedded_disagreements()] == [f"B-{n:02}" for n in range(1, 27)]


@pytest.mark.parametrize("folder", sorted(path.parent.name for path in embedded("suites").glob("*/requirements.yml")))
def test_every_statement_of_the_list_exists(folder: str) -> None:
    """An id that no suite declares would never be found to disagree with anything."""
    declared = {requirement.id for requirement in catalogue_of(folder)}
    prefix = min(declared).split("-")[0]
    listed = {name for c in embedded_disagreements() for side in c.sides for name in side}
    assert {name for name in listed if name.startswith(f"{prefix}-")} <= declared


def test_no_statement_is_on_two_sides_of_one_disagreement() -> None:
    """A side that disagrees with itself would always be a conflict."""
    for disagreement in embedded_disagreements():
        names = [name for side in disagreement.sides for name in side]
        assert len(names) == len(set(names)), disagreement.id


def test_a_mistake_in_a_list_is_one_line(tmp_path: Path) -> None:
    """File, line and key, as for suites."""
    file = tmp_path / "disagreements.yml"
    file.write_text("disagreements:\n  - id: B-99\n    about: x\n    sides: []\n    reading: y\n")
    with pytest.raises(CatalogueError, match=r"disagreements\.yml:4: disagreements\[0\]\.sides") as mistake:
        load_disagreements(file)
    assert "\n" not in str(mistake.value)


# ---- in reports


def test_the_summary_names_conflicts_between_support_and_findings() -> None:
    """A person sees them at 80 columns, in two lines at most."""
    report = run(case())
    noted = replace(
        report, chains=(replace(report.chains[0], notes=(str(conflicts([case("ACME-ODD")], [ALONE])[0]),)),)
    )
    lines = [line.text for line in summary_lines(noted, 80)]
    assert "  conflict      B-91: Itself. ACME-ODD (pass). Take the command." in lines


def test_notes_are_kept_in_the_report(tmp_path: Path) -> None:
    """What was written is what is read again."""
    report = run(case(), hosts=(host(),))
    noted = replace(report, chains=(replace(report.chains[0], notes=("B-91: Itself.",), settled=("B-90: Both.",)),))
    kept = load_json(write_json(noted, tmp_path)).chains[0]
    assert (kept.notes, kept.settled) == (("B-91: Itself.",), ("B-90: Both.",))
    assert "B-90" not in " ".join(line.text for line in summary_lines(noted, 80))
