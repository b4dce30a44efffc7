"""A lab for as long as it is needed: up, pytest over it, down; and whether the verdicts are those of the case."""

from __future__ import annotations

import json
import shutil
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import pytest

from pytest_nestvirt.lab.boot import bring_up
from pytest_nestvirt.lab.cases.judged import deviations
from pytest_nestvirt.lab.cases.lab_case import LabCase
from pytest_nestvirt.lab.directory import LabDirectory, new_lab
from pytest_nestvirt.lab.packages.store import Announce
from pytest_nestvirt.lab.problem import LabError
from pytest_nestvirt.lab.processes import marking
from pytest_nestvirt.lab.supply import supplies_of
from pytest_nestvirt.report.files import remove_earlier
from pytest_nestvirt.report.result_json import FILE_NAME, ReportError, load_json
from pytest_nestvirt.run.embedded_run import run_embedded

_STATUSES = (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)
_KEPT = "lab-"
"""How the names of files begin that a lab leaves beside the report of a run over it."""


@dataclass(frozen=True, slots=True)
class LabRun:
    """What came of a run over a lab."""

    deviations: tuple[str, ...]
    """Verdicts that are not those of the case; none where it holds."""
    retried: tuple[str, ...]
    """Why the lab had to be started again."""
    report: Path
    """Directory with result.json, the junit files, the consoles and lab-up.json."""


@contextmanager
def running(
    case: LabCase,
    announce: Announce,
    *,
    refresh: bool = False,
    cold: bool = False,
    keep: bool = False,
    report: Path | None = None,
) -> Iterator[LabDirectory]:
    """A lab that is up; it is ended on the way out, unless all went well and it is to be kept. Raises `LabError`.

    Its consoles are left in the directory `report`, also where it did not come up.
    """
    with _ended_in_order():
        lab = new_lab(case.name)
        up, kept = None, False
        try:
            with marking(lab.path):
                supplies = supplies_of(case, announce, refresh=refresh)
                up = bring_up(case, lab, supplies, announce, cold=cold)
                announce(f"{case.name} is up after {up.seconds:.0f} s")
                yield lab
            kept = keep
        finally:
            try:
                if report is not None:
                    _keep(lab, report)
            finally:
                if not kept:
                    lab.remove()
                    if up is not None:
                        up.emulator.wait()


@contextmanager
def _ended_in_order() -> Iterator[None]:
    """SIGTERM and a closed terminal end the command the way Ctrl-C does: with all that it started."""

    def stop(number: int, _frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    # What is ignored stays ignored: that is what nohup(1) is for.
    numbers = [n for n in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(n) is not signal.SIG_IGN]
    before = [signal.signal(number, stop) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def run_case(
    case: LabCase,
    report: Path,
    arguments: Sequence[str],
    announce: Announce,
    *,
    refresh: bool = False,
    cold: bool = False,
) -> LabRun:
    """Bring a case up, let pytest judge it, take it down. Raises `LabError`."""
    _refuse_tests(arguments)
    _prepare(report)
    with running(case, announce, refresh=refresh, cold=cold, report=report) as lab:
        began = time.monotonic()
        status = run_embedded(lab.inventory, report, arguments)
        announce(f"pytest took {time.monotonic() - began:.0f} s")
        retried = tuple(json.loads(lab.up.read_text("utf-8"))["retried"])
        return LabRun(_deviations(case, report, status), retried, report)


def _refuse_tests(arguments: Sequence[str]) -> None:
    """What a case expects speaks of the embedded suites alone: others would fail unnoticed."""
    for argument in arguments:
        if argument == "--pyargs" or Path(argument.partition("::")[0]).exists():
            raise LabError(
                f"lab: {argument} names tests, but a lab run uses the embedded ones; to run yours, `nestvirt lab up CASE` "
                "prints the inventory to give to pytest"
            )


def _prepare(report: Path) -> None:
    """Make the directory, without what an earlier run has left there: that must not be taken for this one's."""
    report.mkdir(parents=True, exist_ok=True)
    try:
        remove_earlier(report)
    except ReportError as error:
        raise LabError(f"lab: {error}") from None
    for pattern in ("console*.log", "inventory.yml", "up.json"):
        for left in report.glob(f"{_KEPT}{pattern}"):
            left.unlink()


def _keep(lab: LabDirectory, report: Path) -> None:
    """Copy what the machines printed, and how they were reached, beside the results."""
    for file in (*lab.path.glob("console*.log"), lab.inventory, lab.up):
        if file.exists():
            shutil.copy(file, report / f"{_KEPT}{file.name}")


def _deviations(case: LabCase, report: Path, status: int) -> tuple[str, ...]:
    try:
        report_of_run = load_json(report / FILE_NAME)
    except ReportError as error:
        raise LabError(f"lab {case.name}: pytest ended with {status} and left no report: {error}") from None
    if status not in _STATUSES:
        raise LabError(f"lab {case.name}: pytest ended with {status}, so its report can't be trusted; see above")
    return deviations(case, report_of_run)
