"""The public vocabulary has the types that suites rely on: tests/typing and the embedded suites pass `mypy --strict`."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_nestvirt.embedded import embedded

HERE = Path(__file__).parent
api = pytest.importorskip("mypy.api")


@pytest.mark.parametrize("paths", [[HERE / "typing"], [embedded("suites")]], ids=["vocabulary", "embedded suites"])
def test_mypy_finds_nothing_to_complain_about(paths: list[Path], tmp_path: Path) -> None:
    """An unused `type: ignore` is a complaint too, so what must be a mistake is one."""
    arguments = ["--strict", "--warn-unreachable", "--config-file=", f"--cache-dir={tmp_path}", *map(str, paths)]
    complaints, _, code = api.run(arguments)
    assert code == 0, complaints
