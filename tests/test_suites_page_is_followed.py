"""docs/suites.md is enough to write a suite outside of this project: its blocks are followed here, in an empty folder."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_nestvirt.catalogue.requirement import Needs
from pytest_nestvirt.verdict import Kind, Obligation

PAGE = (Path(__file__).parents[1] / "docs/suites.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
"""Language, path if it is a file, content."""


def _follow(folder: Path) -> list[tuple[str, subprocess.CompletedProcess[str]]]:
    """Write every file and run every command of the page, in its order; what the commands came to."""
    (folder / "pytest.ini").touch()
    scripts = str(Path(sys.executable).parent)
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COV_"))}
    ran = []
    for language, path, content in BLOCKS:
        if path:
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(content)
            continue
        commands = [line[2:] for line in content.splitlines()] if language == "console" else [content]
        for command in commands:
            done = subprocess.run(
                command, cwd=folder, shell=True, capture_output=True, text=True, check=False, timeout=180,
                env={**clean, "PATH": f"{scripts}:{clean['PATH']}"},
            )  # fmt: skip
            ran.append((command, done))
    return ran


def test_the_page_leads_to_a_suite_whose_checks_were_seen_to_pass_to_fail_and_to_be_inconclusive(
    tmp_path: Path,
) -> None:
    """Every command of the page ends in success, the last of them the trios."""
    ran = _follow(tmp_path)
    assert [command for command, done in ran if done.returncode] == [], ran[-1][1].stdout
    assert ran[-1][0] == "pytest tests"
    assert "1 passed" in ran[-1][1].stdout


@pytest.mark.parametrize("words", [Kind, Obligation])
def test_the_page_names_every_word(words: type[Kind | Obligation]) -> None:
    """Kinds and obligations are listed beside the key that takes them, in the order of the code."""
    assert f"# {', '.join(words)}\n" in PAGE


def test_the_page_names_every_permission() -> None:
    """What a check can need."""
    for need in Needs:
        assert need is Needs.READ_ONLY or f"`{need}`" in PAGE or f"`needs: {need}`" in PAGE, need
