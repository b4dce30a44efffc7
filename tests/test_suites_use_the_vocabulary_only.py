"""What the embedded suites are written with is what anybody can write a suite with: `pytest_nestvirt.suite`."""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from pytest_nestvirt import suite
from pytest_nestvirt.cli.vocabulary import SECTIONS, conditions, machine_facts, vocabulary
from pytest_nestvirt.embedded import embedded

MODULES = sorted(embedded("suites").rglob("*.py"))


def imported(module: Path) -> Iterator[str]:
    """Every module that a file imports at any place in it, but for its siblings (`from .rules import ...`)."""
    for node in ast.walk(ast.parse(module.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level <= 1, f"{module}:{node.lineno}: a suite imports from its own folder only"
            if node.level == 0:
                yield node.module or ""


def reaches_in(module: Path) -> Iterator[str]:
    """Private attributes, and ways around an import statement."""
    for node in ast.walk(ast.parse(module.read_text("utf-8"))):
        if isinstance(node, ast.Attribute) and node.attr.startswith("_"):
            yield node.attr
        if isinstance(node, ast.Name) and node.id in {"__import__", "importlib"}:
            yield node.id


@pytest.mark.parametrize("module", MODULES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_suite_imports_the_vocabulary_and_the_standard_library_only(module: Path) -> None:
    """No suite of ours has a door that an outside suite has not."""
    others = {name for name in imported(module) if name.partition(".")[0] not in sys.stdlib_module_names}
    assert others <= {"pytest_nestvirt.suite"}
    assert not list(reaches_in(module))


def test_every_name_of_the_vocabulary_says_what_it_is() -> None:
    """Each function and class of it is documented."""
    for name in suite.__all__:
        value = getattr(suite, name)
        if inspect.isfunction(value) or inspect.isclass(value):
            assert inspect.getdoc(value), name


def test_every_entry_of_the_vocabulary_has_a_meaning_and_every_fact_a_type() -> None:
    """`nestvirt vocabulary` is the page that a suite is written from."""
    for title, entries in SECTIONS.items():
        found = list(entries())
        assert found, title
        for entry in found:
            assert entry.meaning, entry.name
            assert entry.type or not entry.name.startswith(("l0.", "manifest (")), entry.name


def test_the_vocabulary_is_read_from_the_code() -> None:
    """Facts by the path that leads to them, conditions as `requirements.yml` spells them."""
    facts = {entry.name: entry.type for entry in machine_facts()}
    assert facts["l0.kvm.nested"] == "bool"
    assert {"os", "not", "any", "vendor"} <= {entry.name for entry in conditions()}


def test_words_choose_from_the_vocabulary() -> None:
    """Names that contain one of them; sections without any are left out."""
    shown = CliRunner().invoke(vocabulary, ["kvm.nested", "second_level"])
    assert "  l0.kvm.nested: bool\n" in shown.output
    assert "  second_level_paging\n" in shown.output
    assert "cpu.flags" not in shown.output
    assert "functions of" not in shown.output
