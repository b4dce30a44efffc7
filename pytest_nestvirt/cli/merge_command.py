"""`nestvirt merge`: the shards of a fleet as one report, with the exit status that one run would have had."""

from __future__ import annotations

import shutil
from pathlib import Path

import click
import pytest

from pytest_nestvirt.report import files
from pytest_nestvirt.report.case import RunReport
from pytest_nestvirt.report.junit import write_junit
from pytest_nestvirt.report.layout import Line
from pytest_nestvirt.report.merge import MergeError, merge
from pytest_nestvirt.report.result_json import ReportError, load_json, write_json
from pytest_nestvirt.report.summary import summary_lines
from pytest_nestvirt.report.writing import require_writable
from pytest_nestvirt.run.chain_items import ChainOutcome, chain_outcomes
from pytest_nestvirt.run.exit_line import exit_line
from pytest_nestvirt.verdict import PytestOutcome


class _Refusal(click.ClickException):
    """What cannot be merged; the status is pytest's for a mistake of the user."""

    exit_code = int(pytest.ExitCode.USAGE_ERROR)


@click.command(name="merge")
@click.argument("reports", nargs=-1, required=True, metavar="DIR...", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, file_okay=False), required=True, help="Directory of the report."
)
@click.option(
    "--allow-partial", is_flag=True, help="As --nestvirt-allow-partial: what was deselected or not run is no failure."
)
def merge_command(reports: tuple[Path, ...], output: Path, *, allow_partial: bool) -> None:
    """Join the reports of all shards of a fleet into the report of one run.

    Each DIR is the report of one `pytest --nestvirt-shard=NUMBER/TOTAL --nestvirt-report=DIR`. The exit status is the one of a
    single run over the whole inventory: 0 only if every chain conforms, 1 if one does not, 4 if the reports do not belong together.
    """
    try:
        run = merge(_read(reports, output))
        require_writable(output)
    except (ReportError, MergeError) as error:
        raise _Refusal(str(error)) from None
    outcomes = chain_outcomes(run, allow_partial=allow_partial)
    outcomes += _write(run, output)
    for line in summary_lines(run, shutil.get_terminal_size().columns):
        click.echo(_styled(line))
    failed = any(outcome.outcome is PytestOutcome.FAILED for outcome in outcomes)
    status = int(pytest.ExitCode.TESTS_FAILED if failed else pytest.ExitCode.OK)
    click.echo(exit_line(status, outcomes, 0, [f"merged from {len(reports)} shards"]))
    raise SystemExit(status)


def _styled(line: Line) -> str:
    colour = next((style for style in line.styles if style not in {"bold", "light"}), None)
    return click.style(line.text, fg=colour, bold="bold" in line.styles, dim="light" in line.styles)


def _read(reports: tuple[Path, ...], output: Path) -> list[tuple[str, RunReport]]:
    """The reports, after those that an earlier run left in the directory to write to were removed."""
    found = [path / files.RESULT if path.is_dir() else path for path in reports]
    if (output / files.RESULT).resolve() in {path.resolve() for path in found}:
        raise ReportError(f"{output}: is the report of a shard; name another directory with -o")
    files.remove_earlier(output)
    return [(str(path), load_json(path)) for path in found]


def _write(run: RunReport, output: Path) -> list[ChainOutcome]:
    """Write the files; what cannot be written is one more result that failed."""
    try:
        write_json(run, output)
        write_junit(run, output)
    except ReportError as error:
        return [ChainOutcome("report", str(output), "not written", PytestOutcome.FAILED, str(error))]
    return []
