"""CI that publishes what lies in the directory never publishes an earlier run's success."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from report_runs import violating_run
from small_runs import MACHINE, inventory, record, run_pytest, suite

from pytest_nestvirt.report.files import remove_earlier
from pytest_nestvirt.report.junit import write_junit
from pytest_nestvirt.report.result_json import write_json
from pytest_nestvirt.report.writing import ReportError

RUN = ("house", "--hosts=inventory.yml", "--nestvirt-report=out")


@pytest.fixture(scope="module")
def after_a_success(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A suite, a conforming machine, and the report of a run that was a success: made once, copied for each test."""
    folder = tmp_path_factory.mktemp("earlier")
    suite(folder)
    record(folder / "l0", MACHINE)
    inventory(folder, {"one": {"connection": "recorded", "path": "l0"}})
    done = run_pytest(folder, *RUN)
    assert done.returncode == 0, done.stdout
    assert len(reports(folder)) == 2
    return folder


@pytest.fixture
def folder(after_a_success: Path, tmp_path: Path) -> Path:
    """The same, for one test."""
    ignored = shutil.ignore_patterns("__pycache__")  # compiled under the path of the original
    return Path(shutil.copytree(after_a_success, tmp_path, ignore=ignored, dirs_exist_ok=True))


def reports(folder: Path) -> list[str]:
    """What lies in the directory of the reports."""
    return sorted(str(path.relative_to(folder / "out")) for path in (folder / "out").rglob("*") if path.is_file())


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(("house", "--hosts=nowhere.yml"), id="no-inventory"),
        pytest.param((*RUN, "--collect-only"), id="collect-only"),
        pytest.param((*RUN, "--nestvirt-profile=nobody"), id="no-such-source"),
        pytest.param((*RUN, "--no-such-option"), id="no-such-option"),
        pytest.param(("--hosts=ssh://one", "house"), id="nothing-of-ours-to-do"),
    ],
)
def test_a_run_that_judges_nothing_leaves_no_report(folder: Path, arguments: tuple[str, ...]) -> None:
    """Neither the old one nor a new one, wherever it went wrong."""
    run_pytest(folder, "--nestvirt-report=out", *arguments)
    assert reports(folder) == []


def test_a_broken_conftest_leaves_no_report(folder: Path) -> None:
    """It is read before any plugin is configured."""
    (folder / "conftest.py").write_text("raise RuntimeError('broken')\n")
    assert run_pytest(folder, *RUN).returncode == 4
    assert reports(folder) == []


@pytest.mark.parametrize("option", ["--version", "--help"])
def test_a_question_about_pytest_is_no_run(folder: Path, option: str) -> None:
    """The option may stand in `addopts`."""
    run_pytest(folder, *RUN, option)
    assert len(reports(folder)) == 2


def test_files_of_others_stay(folder: Path) -> None:
    """By what is in them, not by their names."""
    others = {
        "out/result.json": json.dumps({"cases": [], "tool": "another"}),
        "out/other/junit.xml": "<testsuites name='somebody else'/>",
        "out/notes.txt": "mine",
        "out/one/log.txt": "mine, too",
    }
    (folder / "out" / "other").mkdir()
    for name, text in others.items():
        (folder / name).write_text(text)
    run_pytest(folder, *RUN, "--collect-only")
    assert {name: (folder / name).read_text() for name in others} == others
    assert len(reports(folder)) == len(others)


def test_workers_take_nothing_away(folder: Path) -> None:
    """They read the same options, and the report is written when they are done."""
    assert run_pytest(folder, *RUN, "-n2").returncode == 0
    assert len(reports(folder)) == 2


def test_a_report_that_cannot_be_removed_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rather no run than one whose directory tells of another."""
    write_json(violating_run(), tmp_path)
    write_junit(violating_run(), tmp_path)

    def refuse(self: Path, *, missing_ok: bool = False) -> None:
        raise PermissionError(13, os.strerror(13), str(self))

    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(ReportError, match=r"result\.json: an earlier run's report cannot be removed") as told:
        remove_earlier(tmp_path)
    assert "\n" not in str(told.value)
