"""Requirements and checks are held against each other, in both directions."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_nestvirt.catalogue.load_catalogue import CatalogueError, load_catalogue
from pytest_nestvirt.catalogue.trace import Traceability, trace

REQUIREMENTS = """\
source: {id: acme, title: Nesting on Acme, publisher: Acme, version: "1"}
applies: [{l0: {}}]
requirements:
  - {id: ACME-ONE, section: "1", statement: S, level: l0, kind: claim, obligation: must, expected: E}
  - {id: ACME-TWO, section: "1", statement: S, level: l0, kind: claim, obligation: must, expected: E}
  - {id: ACME-ACT, section: "1", statement: S, level: l0, kind: claim, obligation: must, expected: E, needs: reload}
  - {id: ACME-DARK, section: "1", statement: S, level: l0, kind: claim, obligation: must, not_observable: why}
"""


def traced(folder: Path, tests: str) -> Traceability:
    """The table of a suite with these tests."""
    (folder / "requirements.yml").write_text(REQUIREMENTS)
    (folder / "test_acme.py").write_text(tests)
    return trace(load_catalogue([folder]))


def test_table_reads_both_ways(tmp_path: Path) -> None:
    """A check names its requirements, a requirement its checks; functions without a marker are no checks."""
    found = traced(
        tmp_path,
        "@requirement('ACME-ONE', 'ACME-TWO')\ndef test_both(l0): ...\n\ndef test_of_their_own(host): ...\n\n"
        "class TestMore:\n    @pytest.mark.requirement('ACME-ONE')\n    def test_again(self, l0): ...\n",
    )
    both, again = found.checks
    assert (both.name, both.line) == ("test_acme.py::test_both", 2)
    assert again.name == "test_acme.py::TestMore::test_again"
    assert found.checks_of("ACME-ONE") == (both, again)
    assert [requirement.id for requirement in found.requirements_of(both)] == ["ACME-ONE", "ACME-TWO"]
    assert found.problems() == ()


def test_requirement_without_check_is_a_problem(tmp_path: Path) -> None:
    """What can be observed and is not excused needs a check."""
    (problem,) = traced(tmp_path, "@requirement('ACME-ONE')\ndef test_one(l0): ...\n").problems()
    assert problem.startswith("ACME-TWO: no check verifies it")


@pytest.mark.parametrize(
    "name, body",
    [
        ("test_acme.py", "def check_one(l0): ..."),
        ("test_acme.py", "def One_test(l0): ..."),
        ("acme.py", "def test_one(l0): ..."),
        ("test_acme.py", "def test_one(l1): ..."),
    ],
)
def test_a_check_that_pytest_does_not_collect_verifies_nothing(tmp_path: Path, name: str, body: str) -> None:
    """A misnamed function or file, or one that is about another level: the requirement is without a check."""
    (tmp_path / name).write_text(f"@requirement('ACME-ONE')\n{body}\n")
    found = traced(tmp_path, "") if name != "test_acme.py" else traced(tmp_path, (tmp_path / name).read_text())
    assert found.unchecked == {("ACME-ONE", "l0"), ("ACME-TWO", "l0")}
    assert found.problems()


def test_checks_are_found_wherever_pytest_collects_them(tmp_path: Path) -> None:
    """In `test_*.py` and `*_test.py`, in folders below the suite's; not in those of another suite."""
    check = "@requirement('{}')\ndef test_it(l0): ...\n"
    for name, requirement_id in (("more/one_test.py", "ACME-ONE"), ("other/test_two.py", "ACME-TWO")):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text(check.format(requirement_id))
    (tmp_path / "other/requirements.yml").touch()
    assert traced(tmp_path, "").unchecked == {("ACME-TWO", "l0")}


def test_unknown_id_is_a_problem(tmp_path: Path) -> None:
    """A marker with an id that nobody declares is named with file and line."""
    problems = traced(tmp_path, "@requirement('ACME-ONE', 'ACME-TWO', 'ACME-TREE')\ndef test_one(l0): ...\n").problems()
    (problem,) = problems
    assert problem.startswith(
        f"{tmp_path}/test_acme.py:2: test_acme.py::test_one: no requirement ACME-TREE is declared"
    )


def test_check_of_another_level_is_a_problem(tmp_path: Path) -> None:
    """The deepest machine that a check asks for is the one that its requirement is about."""
    problems = traced(tmp_path, "@requirement('ACME-ONE', 'ACME-TWO')\ndef test_one(l0, l1): ...\n").problems()
    assert [problem.split(": ", 2)[2] for problem in problems] == [
        "ACME-ONE is about l0, the check about l1",
        "ACME-TWO is about l0, the check about l1",
    ]


def test_check_of_the_unobservable_is_a_problem(tmp_path: Path) -> None:
    """A check for something that is declared not observable contradicts the catalogue."""
    (problem,) = traced(
        tmp_path, "@requirement('ACME-ONE', 'ACME-TWO', 'ACME-DARK')\ndef test_one(l0): ...\n"
    ).problems()
    assert "ACME-DARK is declared not observable" in problem


@pytest.mark.parametrize(
    "tests, said",
    [
        ("def test_one(l0: ...\n", "test_acme.py:1: syntax error"),
        ("@requirement(ID)\ndef test_one(l0): ...\n", "test_acme.py:1: the ids of a marker are written out"),
    ],
)
def test_unreadable_checks_are_catalogue_errors(tmp_path: Path, tests: str, said: str) -> None:
    """A test file that can't be understood is an error with its place, not an empty table."""
    with pytest.raises(CatalogueError) as raised:
        traced(tmp_path, tests)
    assert said in str(raised.value)
