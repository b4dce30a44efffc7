"""The public vocabulary has the types that suites rely on: all that is written in it passes `mypy --strict`."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_suites_page_is_followed import BLOCKS

from pytest_nestvirt.embedded import embedded

HERE = Path(__file__).parent
api = pytest.importorskip("mypy.api")


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What mypy has found out of the product itself, once for all of these tests."""
    return tmp_path_factory.mktemp("mypy")


def complaints(cache: Path, *paths: Path) -> str:
    """What mypy does not like; nothing if it has no complaint. An unused `type: ignore` is one, too."""
    arguments = ["--strict", "--warn-unreachable", "--config-file=", f"--cache-dir={cache}", *map(str, paths)]
    complaints, _, code = api.run(arguments)
    return str(complaints) if code else ""


def test_the_vocabulary_has_the_types_of_its_page(cache: Path) -> None:
    """tests/typing says what each name is, and what must be a mistake."""
    assert complaints(cache, HERE / "typing") == ""


def test_the_embedded_suites_are_typed(cache: Path) -> None:
    """They use nothing but the vocabulary."""
    assert complaints(cache, embedded("suites")) == ""


def test_the_suite_of_the_page_is_typed(cache: Path, tmp_path: Path) -> None:
    """What docs/suites.md tells people to write, in a folder of its own."""
    for language, path, content in BLOCKS:
        if language == "python":
            (tmp_path / path).parent.mkdir(exist_ok=True)
            (tmp_path / path).write_text(content)
    assert complaints(cache, tmp_path) == ""
