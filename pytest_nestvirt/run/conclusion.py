"""What a run comes to: it keeps every case, writes the reports, and makes every reporter hear the state of each chain."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from pathlib import Path

import pytest

from pytest_nestvirt.marks import BOUND
from pytest_nestvirt.report.case import Case, RunReport
from pytest_nestvirt.report.counts import WORST_FIRST
from pytest_nestvirt.report.entry import Likeness
from pytest_nestvirt.report.junit import write_junit
from pytest_nestvirt.report.result_json import ReportError, write_json
from pytest_nestvirt.report.writing import require_writable
from pytest_nestvirt.run.assessment import Assessment
from pytest_nestvirt.run.chain_items import ChainOutcome, announce, chain_outcomes
from pytest_nestvirt.run.exit_line import exit_line
from pytest_nestvirt.run.given_path import given_path
from pytest_nestvirt.run.results import conclude
from pytest_nestvirt.run.terminal import status, write_summary
from pytest_nestvirt.run.terminal_entries import TerminalEntries
from pytest_nestvirt.verdict import PytestOutcome, Verdict

ATTACHED = "nestvirt_case"
"""Attribute of a test report that holds the case."""


def attached(report: pytest.TestReport) -> Case | None:
    """The case of a test report; None for any other test, phase or plugin's report."""
    case: Case | None = vars(report).get(ATTACHED)
    return case


_WORST_FIRST = (*WORST_FIRST, Verdict.NOT_APPLICABLE)


def worse(one: Case, other: Case) -> Case:
    """Of two results of one requirement on one machine the one that counts; the first of equals."""
    return min(one, other, key=lambda case: _WORST_FIRST.index(case.verdict))


class Conclusion:
    """The result of the run. A worker of pytest-xdist has one, too, and concludes nothing."""

    def __init__(self, config: pytest.Config, assessment: Assessment) -> None:
        self.config = config
        self.assessment = assessment
        self.cases: dict[tuple[str, str], Case] = {}
        self.left_out: list[str] = []
        self.deselected = 0
        self.report: RunReport | None = None
        self.outcomes: list[ChainOutcome] = []
        self.session: pytest.Session | None = None
        self.was_interrupted = False
        self.entries: TerminalEntries | None = None

    @property
    def concludes(self) -> bool:
        """Whether this process runs the session (a worker does not), and the session runs anything."""
        only_lists = any(map(self.config.getoption, ("collectonly", "showfixtures", "show_fixtures_per_test")))
        return not hasattr(self.config, "workerinput") and not only_lists

    @property
    def is_about_chains(self) -> bool:
        """Whether chains are judged; a person's own tests over an inventory alone judge none."""
        return bool(self.assessment.suites or self.directory)

    @property
    def directory(self) -> Path | None:
        """Where the reports go. Raises `pytest.UsageError` where no such path can be."""
        named: str | None = self.config.getoption("nestvirt_report")
        if named is None:
            return None
        return given_path("--nestvirt-report", named, self.config.invocation_params.dir)

    def prepare(self) -> None:
        """Find out whether the reports can be written, before any machine is looked at. Raises `pytest.UsageError`."""
        if self.concludes and self.directory is not None:
            try:
                require_writable(self.directory)
            except ReportError as error:
                raise pytest.UsageError(str(error)) from None

    # ---- keeping

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep every case, wherever it ran. Of several results of one requirement on one machine the worst counts."""
        case = attached(report)
        if case is not None:
            self.keep(case)

    def keep(self, case: Case) -> None:
        """Keep a case, also of an attempt whose report a plugin withholds."""
        key = case.requirement, case.host
        self.cases[key] = worse(self.cases.get(key, case), case)

    def pytest_report_teststatus(
        self, report: pytest.TestReport
    ) -> tuple[str, str, tuple[str, dict[str, bool]]] | None:
        """Letters and words of the verdicts that pytest has none for."""
        case = attached(report)
        return None if case is None else status(case, report.outcome)

    def pytest_deselected(self, items: Iterable[pytest.Item]) -> None:
        """Remember that only a part of the catalogue was chosen."""
        self.deselected += sum(1 for item in items if item.get_closest_marker(BOUND) is not None)

    def leave_out(self, why: str) -> None:
        """Remember that the run is incomplete, and why."""
        if why not in self.left_out:
            self.left_out.append(why)

    # ---- concluding

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, object, object]:
        """When all tests have run, let each chain be a result that every plugin counts."""
        try:
            return (yield)
        except (KeyboardInterrupt, pytest.exit.Exception):
            self.leave_out("the run was interrupted")
            raise
        finally:
            self.conclude()
            session.testscollected += len(self.outcomes)
            for outcome in self.outcomes:
                announce(self.config, outcome)

    def conclude(self) -> None:
        """Make the report, write it, and find out what each chain comes to."""
        if not self.concludes or self.report is not None:
            return
        show_na: bool = self.config.getoption("nestvirt_show_na")
        self.report = conclude(
            self.assessment, self.cases, self.left_out, self.deselected, lists_not_applicable=show_na
        )
        if self.is_about_chains:
            allow_partial: bool = self.config.getoption("nestvirt_allow_partial")
            self.outcomes = chain_outcomes(self.report, allow_partial=allow_partial)
        self._write(self.report)

    def _write(self, report: RunReport) -> None:
        """Write the files. What cannot be written is one more result that failed: the summary is printed all the same."""
        if self.directory is None:
            return
        try:
            write_json(report, self.directory)
            write_junit(report, self.directory)
        except ReportError as error:
            self.outcomes.append(
                ChainOutcome("report", str(self.directory), "not written", PytestOutcome.FAILED, str(error))
            )

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Close every connection; conclude where the tests did not get to run."""
        self.assessment.close()
        if not self.concludes:
            return
        self.session = session
        self.was_interrupted = exitstatus == pytest.ExitCode.INTERRUPTED
        if self.was_interrupted:
            self.leave_out("the run was interrupted")
        if self.assessment.looked:
            self.conclude()
        self._refuse_success(session)

    @pytest.hookimpl(trylast=True)
    def pytest_unconfigure(self) -> None:
        """Say last why the exit status is what it is, after all other plugins have set and printed theirs."""
        if self.session is not None and self.report is not None and self.is_about_chains:
            self._refuse_success(self.session)
            self._write_line(self.session)

    def _refuse_success(self, session: pytest.Session) -> None:
        """Where the tests did not get to run, or something set the status anew, a chain that does not conform still counts."""
        if session.exitstatus in {pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED} and any(
            outcome.outcome is PytestOutcome.FAILED for outcome in self.outcomes
        ):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def _write_line(self, session: pytest.Session) -> None:
        failed = sum(outcome.outcome is PytestOutcome.FAILED for outcome in self.outcomes)
        limit = self.assessment.limit
        notes = [*["the run was interrupted"] * self.was_interrupted, *[f"limited to {', '.join(limit)}"] * bool(limit)]
        notes += [f"shard {self.assessment.shard}"] if self.assessment.shard else []
        line = exit_line(int(session.exitstatus), self.outcomes, max(session.testsfailed - failed, 0), notes)
        reporter: pytest.TerminalReporter | None = self.config.pluginmanager.get_plugin("terminalreporter")
        if reporter is None or self.config.pluginmanager.has_plugin("nagiosreporter"):
            # testinfra's --nagios has printed all that the reporter wrote, and prints no more of it.
            print(f"\n{line}")  # noqa: T201
        else:
            reporter.ensure_newline()
            reporter.write_line(line)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Verdicts, stance, what decided it, what was not run."""
        if self.report is not None and self.assessment.suites:
            write_summary(terminalreporter, self.report, verbose=self.is_verbose)

    @property
    def is_verbose(self) -> bool:
        """Whether a person asked for all of it."""
        return bool(self.config.getoption("verbose") > 0)

    @pytest.hookimpl(wrapper=True, tryfirst=True, specname="pytest_terminal_summary")
    def pytest_list_entries(self, terminalreporter: pytest.TerminalReporter) -> Generator[None, object, object]:
        """Around pytest's own sections: let them list findings instead of tests."""
        likeness = Likeness(self.report.hosts if self.report is not None else ())
        self.entries = TerminalEntries(terminalreporter, attached, likeness, verbose=self.is_verbose)
        self.entries.show_blocks()
        try:
            return (yield)
        finally:
            self.entries.show_tests()
            self.entries = None

    @pytest.hookimpl(wrapper=True, trylast=True, specname="pytest_terminal_summary")
    def pytest_list_tests(self) -> Generator[None, object, object]:
        """Around all other plugins, between pytest's sections: let them see the tests."""
        if self.entries is None:
            return (yield)
        self.entries.show_tests()
        try:
            return (yield)
        finally:
            self.entries.show_lines()
