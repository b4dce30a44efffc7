"""Suites are read whole, and what is wrong with them is told in one line that names file and line."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_nestvirt.catalogue.load_catalogue import CatalogueError, load_catalogue, load_suite
from pytest_nestvirt.catalogue.requirement import UNDECIDED, Needs, Stance
from pytest_nestvirt.embedded import embedded
from pytest_nestvirt.verdict import Kind, Obligation, Verdict

HEAD = """\
source: {id: acme, title: Nesting on Acme, publisher: Acme, version: "1"}
applies:
  - l0: {os: rhel}
requirements:
"""
ONE = """\
  - id: ACME-ONE
    section: "1"
    statement: Something holds.
    level: l0
    kind: requirement
    obligation: must
    expected: It holds.
"""


def suite_folder(folder: Path, text: str) -> Path:
    """The folder, with that text as its requirements.yml."""
    folder.mkdir(exist_ok=True)
    (folder / "requirements.yml").write_text(text)
    return folder


def complaint(folder: Path, text: str) -> str:
    """What is said of a requirements.yml that can't be used, without the file's name."""
    with pytest.raises(CatalogueError) as raised:
        load_suite(suite_folder(folder, text))
    message = str(raised.value)
    assert "\n" not in message
    return message.removeprefix(str(folder / "requirements.yml"))


def test_suite_is_read_with_types(tmp_path: Path) -> None:
    """Words of the file become the enums of the model, and what is left out gets its default."""
    suite = load_suite(suite_folder(tmp_path, HEAD + ONE))
    (requirement,) = suite.requirements
    assert (suite.source.id, suite.folder) == ("acme", tmp_path)
    assert (requirement.kind, requirement.obligation) == (Kind.REQUIREMENT, Obligation.MUST)
    assert requirement.needs is Needs.READ_ONLY
    assert requirement.stance == {}


def test_single_words_and_lists_are_the_same_condition(tmp_path: Path) -> None:
    """`arch: s390x` and `arch: [s390x]` ask the same."""
    single = load_suite(suite_folder(tmp_path / "a", HEAD + ONE + "    applies: {l0: {arch: s390x, power: 9}}\n"))
    listed = load_suite(suite_folder(tmp_path / "b", HEAD + ONE + '    applies: {l0: {arch: [s390x], power: "9"}}\n'))
    assert single.requirements == listed.requirements


def test_every_undecided_verdict_says_not_stated_where_a_stance_is_declared(tmp_path: Path) -> None:
    """Nobody has to remember what an unanswered question means; what is declared, `null` included, stays."""
    folder = suite_folder(
        tmp_path, HEAD + ONE + "    stance: {fail: unsupported, waived: unsupported, inconclusive: null}\n"
    )
    stance = load_suite(folder).requirements[0].stance
    assert stance[Verdict.FAIL] is Stance.UNSUPPORTED
    assert stance[Verdict.WAIVED] is Stance.UNSUPPORTED
    assert stance[Verdict.INCONCLUSIVE] is None
    others = UNDECIDED - {Verdict.WAIVED, Verdict.INCONCLUSIVE}
    assert {stance[verdict] for verdict in others} == {Stance.NOT_STATED}
    assert Verdict.PASS not in stance


@pytest.mark.parametrize(
    "more, said",
    [
        pytest.param("    applys: {}\n", ":12: requirements[0].applys: unknown key; did you mean 'applies'?", id="key"),
        pytest.param(
            "    applies: {l0: {archi: x86_64}}\n",
            ":12: requirements[0].applies.l0.archi: unknown key",
            id="condition",
        ),
        pytest.param(
            "    applies:\n      l0:\n        os: rhel >= 8.2\n",
            ":13: requirements[0].applies.l0: not an operating system expression: 'rhel >= 8.2'",
            id="os-expression",
        ),
        pytest.param(
            "    applies: {l0: {not: {any: [{os_strict: '8'}, {os: Rhel}]}}}\n",
            ":12: requirements[0].applies.l0: not an operating system expression: 'Rhel'",
            id="os-expression-inside",
        ),
        pytest.param(
            "    applies: {l0: {power: nine}}\n",
            ":12: requirements[0].applies.l0.power: expected a POWER generation such as 9, '<=8' or '>=9'",
            id="power",
        ),
        pytest.param(
            "    applies: {l0: {arch: []}}\n",
            ":12: requirements[0].applies.l0.arch: an empty list would hold for no machine",
            id="empty-list",
        ),
        pytest.param("    applies: {l0: {any: []}}\n", "`any` lists no alternative", id="no-alternative"),
        pytest.param("    applies: {l0: {provider: kvm}}\n", ":12: requirements[0].applies.l0.provider", id="provider"),
        pytest.param(
            "    applies: {l1: {arch: x86_64}}\n",
            ":5: requirements[0]: `applies` names l1, which is deeper than the requirement's level l0",
            id="deeper",
        ),
        pytest.param("    stance: {pass: great}\n", ":12: requirements[0].stance.pass: expected ", id="stance"),
        pytest.param(
            "    stance: {not-applicable: unsupported}\n",
            ":12: requirements[0].stance: what does not apply says nothing about support",
            id="stance-of-nothing",
        ),
        pytest.param("    needs: courage\n", ":12: requirements[0].needs: expected read-only, measure, l2", id="needs"),
        pytest.param(
            "    needs: reload\n    not_observable: nobody can tell\n",
            ":5: requirements[0]: `not_observable` and `needs` exclude each other",
            id="needs-and-not-observable",
        ),
        pytest.param(ONE, "requirement ACME-ONE is declared twice", id="twice"),
        pytest.param("    kind: claim\n", ":12: requirements[0].kind: duplicate key", id="yaml"),
        pytest.param("folder: /etc\n", ":12: folder: unknown key", id="folder"),
    ],
)
def test_mistakes_name_file_line_and_key(tmp_path: Path, more: str, said: str) -> None:
    """A mistake in requirements.yml is one line with its place and what was expected."""
    assert said in complaint(tmp_path, HEAD + ONE + more)


def test_several_mistakes_are_counted(tmp_path: Path) -> None:
    """The first mistake is shown, and that there are more."""
    assert complaint(tmp_path, HEAD + ONE + "    a: 1\n    b: 2\n    c: 3\n").endswith("(and 2 more problems)")


def test_missing_file_is_a_catalogue_error(tmp_path: Path) -> None:
    """A folder without requirements.yml is no suite."""
    with pytest.raises(CatalogueError, match=r"requirements\.yml: no such file"):
        load_suite(tmp_path)


def test_requirements_are_unique_over_suites(tmp_path: Path) -> None:
    """Two suites can't declare the same id, nor the same source; the line of the later one is named."""
    first = suite_folder(tmp_path / "first", HEAD + ONE)
    second = suite_folder(tmp_path / "second", HEAD.replace("acme", "emca") + ONE)
    with pytest.raises(CatalogueError, match=r"second/requirements\.yml:5: requirements\[0\]\.id: ACME-ONE is also"):
        load_catalogue([first, second])
    third = suite_folder(tmp_path / "third", HEAD + ONE.replace("ONE", "TWO"))
    with pytest.raises(CatalogueError, match=r"third/requirements\.yml:1: source: the source acme is also"):
        load_catalogue([first, third])


def test_catalogue_finds_what_it_holds(tmp_path: Path) -> None:
    """Requirements are found by id, suites by source and by requirement; what is not there is a KeyError."""
    catalogue = load_catalogue([suite_folder(tmp_path, HEAD + ONE)])
    assert "ACME-ONE" in catalogue
    assert "ACME-TWO" not in catalogue
    assert catalogue.requirement("ACME-ONE") is next(iter(catalogue))
    assert catalogue.suite_of("ACME-ONE") is catalogue.suite("acme")
    with pytest.raises(KeyError):
        catalogue.suite("emca")


def test_digest_follows_the_meaning_and_nothing_else(tmp_path: Path) -> None:
    """Comments, places and order of folders don't change the digest; any word of a requirement does."""
    one = suite_folder(tmp_path / "one", HEAD + ONE)
    two = suite_folder(tmp_path / "two", HEAD.replace("acme", "emca") + ONE.replace("ONE", "TWO"))
    moved = suite_folder(tmp_path / "moved", "# a comment\n" + HEAD + ONE)
    changed = suite_folder(tmp_path / "changed", HEAD + ONE.replace("It holds", "It really holds"))
    digest = load_catalogue([one, two]).digest
    assert len(digest) == 64
    assert load_catalogue([two, moved]).digest == digest
    assert load_catalogue([changed, two]).digest != digest


def test_embedded_suites_are_found() -> None:
    """The suites that come with the product are where `embedded` says."""
    assert (embedded("suites") / "rhel8" / "requirements.yml").is_file()
