"""Lists that the documentation shows are the code's own, in its words."""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path

import pytest

from pytest_nestvirt.catalogue.load_catalogue import load_catalogue
from pytest_nestvirt.catalogue.requirement import Stance
from pytest_nestvirt.embedded import embedded
from pytest_nestvirt.report.case import SCHEMA_VERSION, Case, HostReport, WhyNotRun
from pytest_nestvirt.report.chain_state import ChainState
from pytest_nestvirt.run.suite_paths import suite_folders
from pytest_nestvirt.verdict import Verdict

ROOT = Path(__file__).parents[1]


def page(name: str) -> str:
    """The text of a page."""
    return (ROOT / name).read_text("utf-8")


def first_column(text: str, heading: str) -> list[str]:
    """The words between backticks in the first column of the table with that heading."""
    table = text.partition(f"| {heading} |")[2].partition("\n\n")[0]
    return re.findall(r"^\| ((?:`[^`]+`(?:, )?)+) \|", table, re.MULTILINE)


@pytest.mark.parametrize(
    "name, heading, words",
    [
        ("docs/result-json.md", "verdict", Verdict),
        ("docs/reports.md", "state", ChainState),
    ],
)
def test_a_table_has_every_word_and_no_other(name: str, heading: str, words: type[StrEnum]) -> None:
    """Verdicts and states of chains, each in a row."""
    assert sorted(first_column(page(name), heading)) == sorted(f"`{word}`" for word in words)


def test_every_verdict_of_the_readme_exists() -> None:
    """It shows the usual ones."""
    assert set(first_column(page("README.md"), "verdict")) <= {f"`{word}`" for word in Verdict}


def test_the_readme_names_every_source_that_comes_with_the_product() -> None:
    """One row each."""
    sources = {f"`{suite.source.id}`" for suite in load_catalogue(suite_folders([embedded("suites")])).suites}
    assert set(first_column(page("README.md"), "id")) == sources


@pytest.mark.parametrize("name", ["README.md", "docs/result-json.md"])
def test_every_stance_is_named(name: str) -> None:
    """Where the second axis is introduced."""
    assert [stance for stance in Stance if f"`{stance}`" not in page(name)] == []


def test_the_page_of_result_json_names_version_and_every_field() -> None:
    """Version, fields of hosts and cases, and why a check did not run."""
    text = page("docs/result-json.md")
    assert f"| `schema_version` | `{SCHEMA_VERSION}` |" in text
    fields = {*Case.__dataclass_fields__, *HostReport.__dataclass_fields__, *WhyNotRun}
    assert [field for field in sorted(fields) if f"`{field}" not in text] == []
