"""A lab for as long as it is needed: up, pytest over it, down; and whether the verdicts are those of the case."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from pytest_nestvirt.catalogue.load import embedded_suites
from pytest_nestvirt.lab.boot import Tell, bring_up
from pytest_nestvirt.lab.directory import LabDirectory, new_lab
from pytest_nestvirt.lab.judged import deviations
from pytest_nestvirt.lab.model import LabCase
from pytest_nestvirt.lab.problem import LabError
from pytest_nestvirt.lab.processes import marking
from pytest_nestvirt.lab.supply import supplies_of
from pytest_nestvirt.report.canonical import FILE_NAME, ReportError, load_json


@dataclass(frozen=True, slots=True)
class LabRun:
    """What came of a run over a lab."""

    status: int
    """pytest's exit status."""
    deviations: tuple[str, ...]
    """Verdicts that are not those of the case; none where it holds."""
    retried: tuple[str, ...]
    """Why the lab had to be started again."""
    report: Path
    """Directory with result.json, the junit files and the console."""


@contextmanager
def running(
    case: LabCase, tell: Tell, *, refresh: bool = False, cold: bool = False, keep: bool = False
) -> Iterator[LabDirectory]:
    """A lab that is up; it is ended on the way out, unless all went well and it is to be kept. Raises `LabError`."""
    with _ended_in_order():
        lab = new_lab(case.name)
        up, kept = None, False
        try:
            with marking(lab.path):
                supplies = supplies_of(case, tell, refresh=refresh)
                up = bring_up(case, lab, supplies, tell, cold=cold)
                tell(f"{case.name} is up after {up.seconds:.0f} s")
                yield lab
            kept = keep
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

    numbers = (signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(number, stop) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def run_case(
    case: LabCase, report: Path, arguments: Sequence[str], tell: Tell, *, refresh: bool = False, cold: bool = False
) -> LabRun:
    """Bring a case up, let pytest judge it, take it down. Raises `LabError`."""
    with running(case, tell, refresh=refresh, cold=cold) as lab:
        began = time.monotonic()
        status = _pytest(lab, report, arguments)
        tell(f"pytest took {time.monotonic() - began:.0f} s")
        retried = _keep_consoles(lab, report)
        return LabRun(status, _deviations(case, report), retried, report)


def _pytest(lab: LabDirectory, report: Path, arguments: Sequence[str]) -> int:
    report.mkdir(parents=True, exist_ok=True)
    (report / FILE_NAME).unlink(missing_ok=True)
    command = [
        *(sys.executable, "-m", "pytest", f"--hosts={lab.inventory}", f"--nestvirt-report={report}"),
        *("-p", "no:cacheprovider", *arguments, str(embedded_suites())),
    ]
    return subprocess.run(command, check=False).returncode  # noqa: S603 - words of our own, no shell


def _keep_consoles(lab: LabDirectory, report: Path) -> tuple[str, ...]:
    """Copy what the machines printed beside the results; the reasons of failed attempts."""
    for console in (*lab.path.glob("console*.log"), lab.inventory):
        shutil.copy(console, report / f"lab-{console.name}")
    told = lab.path / "retried"
    return tuple(told.read_text("utf-8").splitlines()) if told.exists() else ()


def _deviations(case: LabCase, report: Path) -> tuple[str, ...]:
    try:
        return deviations(case, load_json(report / FILE_NAME))
    except ReportError as error:
        raise LabError(f"lab {case.name}: pytest left no report: {error}") from None
