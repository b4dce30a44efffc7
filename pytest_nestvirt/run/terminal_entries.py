"""What pytest's terminal lists at the end: one entry per finding instead of one per test.

pytest's own sections are written from `TerminalReporter.stats`. While they are written, the reports of our checks there are
replaced by one for each entry; before, after, and for every other plugin in between, the statistics are the real ones. So
the counts, the status and whatever reads them hold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass
from typing import TypeAlias

import pytest

from pytest_nestvirt.report.case import Case
from pytest_nestvirt.report.case_text import render_case
from pytest_nestvirt.report.entry import FEW, Entry, Likeness, entries
from pytest_nestvirt.report.entry_text import block, counted, heading, is_about_machines, line, names
from pytest_nestvirt.report.layout import cut
from pytest_nestvirt.report.sanitize import plain
from pytest_nestvirt.run.chain_items import CHAIN, CHAIN_STATE, PREFIX

LINE_LIMIT = 400
SHORT = 120
"""Characters of a reason on the line of a skipped test, without -v."""
FEW_IDS = 3
"""How many ids a line names before it counts the rest."""
CaseOf: TypeAlias = Callable[[pytest.TestReport], Case | None]


@dataclass(frozen=True, slots=True)
class _Crash:
    message: str


@dataclass(frozen=True, slots=True)
class _ShortText:
    """A `longrepr` with the one line that the short summary takes (`longrepr.reprcrash.message`)."""

    reprcrash: _Crash

    def __str__(self) -> str:
        return self.reprcrash.message


class TerminalEntries:
    """The entries of a run, as reports for the terminal. `case_of` finds the case of a report."""

    def __init__(
        self, reporter: pytest.TerminalReporter, case_of: CaseOf, likeness: Likeness, *, verbose: bool
    ) -> None:
        self.reporter = reporter
        self.case_of = case_of
        self.likeness = likeness
        self.verbose = verbose
        self._kept: dict[str, list[pytest.TestReport]] = {}
        with_output = [report for report in reporter.stats.get("", []) if getattr(report, "sections", None)]
        self.with_teardown_output = [report for report in with_output if report.when == "teardown"]
        self.failed = list(self._replaced(reporter.stats.get("failed", [])))

    def show_blocks(self) -> None:
        """For `FAILURES` and its like. The state of chains has a section of its own.

        For each failure pytest goes through all setups and teardowns: those that printed something are enough.
        """
        blocks = [report for report, _ in self.failed if not _is_of_chain(report)]
        self._show({"failed": blocks, "": self.with_teardown_output})

    def show_lines(self) -> None:
        """For `short test summary info`."""
        shown = {"failed": list(self._chains_folded([report for _, report in self.failed]))}
        if getattr(self.reporter, "foldskipped", True):
            shown["skipped"] = list(self._folded(self.reporter.stats.get("skipped", [])))
        self._show(shown)

    def show_tests(self) -> None:
        """For everything else: the reports as they are."""
        self.reporter.stats.update(self._kept)
        self._kept = {}

    def _show(self, shown: dict[str, list[pytest.TestReport]]) -> None:
        stats = self.reporter.stats
        self._kept = {key: stats[key] for key in shown if key in stats}
        stats.update({key: shown[key] for key in self._kept})

    def _replaced(self, reports: Sequence[pytest.TestReport]) -> Iterator[tuple[pytest.TestReport, pytest.TestReport]]:
        """For `FAILURES` and for the short summary. What anything was added to (output, a plugin's message) stays."""
        printed = {report.nodeid for report in self.with_teardown_output}
        ours = {id(report): case for report in reports if (case := self._plain_case(report, printed)) is not None}
        entry_of = {id(e.cases[0]): e for e in entries(ours.values(), self.likeness)}
        in_full = self.verbose or sum(not is_about_machines(e) for e in entry_of.values()) <= FEW
        for report in reports:
            case = ours.get(id(report))
            if case is None:
                yield report, report
            elif id(case) in entry_of:
                entry = entry_of[id(case)]
                yield self._block(report, entry, whole_case=in_full), self._short(report, entry)

    def _plain_case(self, report: pytest.TestReport, printed: set[str]) -> Case | None:
        case = self.case_of(report)
        if case is None or report.sections or report.nodeid in printed or report.longrepr != render_case(case):
            return None
        return case

    def _block(self, report: pytest.TestReport, entry: Entry, *, whole_case: bool) -> pytest.TestReport:
        shown = copy(report)
        path, number, _ = report.location
        shown.location = path, number, heading(entry)
        shown.longrepr = block(entry, every_machine=self.verbose, whole_case=whole_case)
        return shown

    def _short(self, report: pytest.TestReport, entry: Entry) -> pytest.TestReport:
        shown = _about(report, entry) if is_about_machines(entry) else copy(report)
        shown.longrepr = _ShortText(_Crash(plain(line(entry), LINE_LIMIT)))  # type: ignore[assignment]
        return shown

    def _chains_folded(self, reports: Sequence[pytest.TestReport]) -> Iterator[pytest.TestReport]:
        """Many chains of one state as one line."""
        by_state: dict[tuple[str, str], list[pytest.TestReport]] = {}
        for report in reports:
            if self.verbose or not _is_of_chain(report):
                yield report
            else:
                state = str(dict(report.user_properties)[CHAIN_STATE])
                by_state.setdefault((_kind(report), state), []).append(report)
        for (kind, state), chains in by_state.items():
            yield from chains if len(chains) <= FEW else [_of_chains(kind, state, chains)]

    def _folded(self, reports: Iterable[pytest.TestReport]) -> Iterator[pytest.TestReport]:
        """Skipped tests, in pytest's folding: as many equal reports as there are cases in an entry."""
        cases = []
        for report in reports:
            case = self.case_of(report)
            if case is None or not isinstance(report.longrepr, tuple):
                yield report
            else:
                cases.append(case)
        for entry in entries(cases, self.likeness):
            case = entry.cases[0]
            ids = names(entry.requirements, len(entry.requirements) if self.verbose else FEW_IDS)
            reason = plain(entry.reason, LINE_LIMIT)
            text = f"{entry.verdict} on {names(entry.hosts)}: {ids}: {reason if self.verbose else cut(reason, SHORT)}"
            report = pytest.TestReport(
                nodeid=f"{PREFIX}::{entry.verdict}",
                location=(PREFIX, None, str(entry.verdict)),
                keywords={},
                outcome="skipped",
                longrepr=(PREFIX, None, text),  # type: ignore[arg-type]
                when="call",
            )
            yield from [report] * len(entry.cases)


def _is_of_chain(report: pytest.TestReport) -> bool:
    return _kind(report) in {"chain", "manifest"}


def _kind(report: pytest.TestReport) -> str:
    prefix, _, rest = report.nodeid.partition("::")
    return rest.partition("[")[0] if prefix == PREFIX else ""


def _of_chains(kind: str, state: str, reports: Sequence[pytest.TestReport]) -> pytest.TestReport:
    chains = [str(dict(report.user_properties)[CHAIN]) for report in reports]
    name = f"{kind}[{counted(len(chains), kind)}]"
    text = _ShortText(_Crash(f"{state}: {names(chains)}"))
    return pytest.TestReport(
        nodeid=f"{PREFIX}::{name}",
        location=(PREFIX, None, name),
        keywords={},
        outcome="failed",
        longrepr=text,  # type: ignore[arg-type]
        when="call",
    )


def _about(report: pytest.TestReport, entry: Entry) -> pytest.TestReport:
    """A report of what is about a machine, under its name instead of that of its first check."""
    hosts = entry.hosts
    who = plain(hosts[0], 60) if len(hosts) == 1 else counted(len(hosts), "machine")
    name = f"{entry.verdict}[{who}]"
    shown = pytest.TestReport(
        nodeid=f"{PREFIX}::{name}",
        location=(PREFIX, None, name),
        keywords={},
        outcome="failed",
        longrepr=None,
        when="call",
    )
    vars(shown).update({name: value for name, value in vars(report).items() if name not in vars(shown)})
    return shown
