"""No verdict, state or count depends on what a text for people says: fields and enums decide."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import pytest_nestvirt

PACKAGE = Path(pytest_nestvirt.__file__).parent
ROOMS = ("observation", "derived", "catalogue", "report", "run", "facts", "manifests")
TEXTS = {"reason", "why", "because", "trouble", "statement", "expected", "remedy", "note"}
"""Attributes that hold a text for people."""
QUESTIONS = {"startswith", "endswith", "find", "index", "count", "partition", "split", "fullmatch", "match", "search"}


def questions(tree: ast.AST) -> Iterator[ast.AST]:
    """Where a text for people is searched: `"x" in case.reason`, `unknown.why.startswith(...)`, `re.match(..., case.reason)`."""
    for node in ast.walk(tree):
        match node:
            case ast.Compare(ops=ops, comparators=asked) if any(isinstance(op, ast.In | ast.NotIn) for op in ops):
                searched = asked
            case ast.Call(func=ast.Attribute(value=owner, attr=name), args=arguments) if name in QUESTIONS:
                searched = [owner, *arguments]
            case _:
                continue
        if any(map(_is_text, searched)):
            yield node


def _is_text(node: ast.AST) -> bool:
    """An attribute with a text for people, or what is unknown as a text."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "str":
        return any(isinstance(argument, ast.Name) and "unknown" in argument.id for argument in node.args)
    return isinstance(node, ast.Attribute) and node.attr in TEXTS


@pytest.mark.parametrize("room", ROOMS)
def test_no_text_for_people_is_searched(room: str) -> None:
    """In none of the rooms in which facts, verdicts, states and counts are made."""
    found = [
        f"{path.relative_to(PACKAGE)}:{node.lineno}"  # type: ignore[attr-defined]
        for path in sorted((PACKAGE / room).rglob("*.py"))
        for node in questions(ast.parse(path.read_text("utf-8")))
    ]
    assert found == []


@pytest.mark.parametrize(
    "code",
    ["case.reason.startswith('not')", "'kvm01' in unknown.why", "'x' in str(unknown)", "re.match('x', case.reason)"],
)
def test_the_search_finds_what_it_is_for(code: str) -> None:
    """Each way in which a text was asked once."""
    assert list(questions(ast.parse(code)))
