"""The plugin that is registered while an inventory is in use: pytest's hooks, in the order in which they happen."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_nestvirt.marks import BOUND
from pytest_nestvirt.observation.fact import Unobservable
from pytest_nestvirt.report.case import Case, RunReport
from pytest_nestvirt.report.junit import write_junit
from pytest_nestvirt.report.properties import user_properties
from pytest_nestvirt.report.result_json import ReportError, write_json
from pytest_nestvirt.report.summary import WORST_FIRST
from pytest_nestvirt.run import binding, case_codec
from pytest_nestvirt.run.assessment import Assessment
from pytest_nestvirt.run.plan import Planned
from pytest_nestvirt.run.recorder import Recorder, case_without_running, tell_pytest
from pytest_nestvirt.run.results import conclude, verified_nothing
from pytest_nestvirt.run.terminal import status, write_summary
from pytest_nestvirt.transport.base import TransportError
from pytest_nestvirt.verdict import PytestOutcome, Verdict, pytest_outcome

if TYPE_CHECKING:
    from pytest_nestvirt.run.testinfra_host import NestvirtHost

CASE = pytest.StashKey[Case]()
_WORST_FIRST = (*WORST_FIRST, Verdict.NOT_APPLICABLE)
ATTACHED = "nestvirt_case"
"""Attribute of a test report that holds the case."""
WORKER_INPUT = "nestvirt"
"""Key under which the controller hands the snapshots to an xdist worker."""


class NestvirtRun:
    """Looks at every machine, binds checks to machines, and keeps what they found out."""

    def __init__(self, config: pytest.Config, subject: Assessment) -> None:
        self.config = config
        self.subject = subject
        self.cases: dict[tuple[str, str], Case] = {}
        self.partial: list[str] = []
        self.report: RunReport | None = None
        self.show_na: bool = config.getoption("nestvirt_show_na")

    @property
    def is_worker(self) -> bool:
        """Whether this process is an xdist worker, which opens no connection for read-only checks."""
        return hasattr(self.config, "workerinput")

    # ---- looking

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self) -> None:
        """Look at all machines at once, before any test is collected; a worker is handed what the controller saw."""
        worker_input: dict[str, Any] | None = getattr(self.config, "workerinput", None)
        if worker_input is not None:
            self.subject.unpack(worker_input[WORKER_INPUT])
            return
        try:
            self.subject.look(threads=self.config.getoption("nestvirt_threads"))
        except KeyboardInterrupt:
            self._finish("the run was interrupted while the machines were looked at")
            raise

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:  # noqa: ANN401 - xdist has no types
        """Hand the snapshots to an xdist worker that is about to start."""
        node.workerinput[WORKER_INPUT] = self.subject.packed

    # ---- binding

    @pytest.hookimpl(tryfirst=True)
    def pytest_pycollect_makeitem(self, name: str, obj: object) -> list[pytest.Item] | None:
        """Make no item of a check that is due on no machine."""
        if not name.startswith("test") or not callable(obj):
            return None
        ids = binding.requirement_ids(obj)
        return [] if ids and not self._due(ids, obj) else None

    def _due(self, ids: Sequence[str], check: object) -> list[Planned]:
        for requirement_id in ids:
            if requirement_id not in self.subject.catalogue:
                raise pytest.UsageError(
                    f"{binding.location(check)}: no requirement {requirement_id} is declared in the requirements.yml "
                    "of this suite; fix the id in @requirement(...) or declare it"
                )
        return binding.due(self.subject.plan, ids, check, show_na=self.show_na)

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Parametrize checks over the machines they are due on, and people's own tests over the inventory."""
        ids = binding.requirement_ids(metafunc.function)
        if ids:
            binding.parametrize_check(metafunc, self._due(ids, metafunc.function))
        elif binding.levels_used(metafunc):
            binding.parametrize_levels(metafunc, [*self.subject.machines.values(), *self.subject.manifests.objects])
        binding.parametrize_hosts(metafunc, self.subject.inventory)

    def testinfra_host(self, name: str) -> NestvirtHost:
        """The machine of that name as a testinfra Host over our transport, with its facts under `nestvirt`."""
        from pytest_nestvirt.run.testinfra_host import NestvirtHost  # noqa: PLC0415 - for those who use it

        if name in self.subject.unreachable:
            pytest.fail(f"{name} could not be reached: {self.subject.unreachable[name]}", pytrace=False)
        host = self.subject.inventory.host(name)
        return NestvirtHost(self.subject.transports.of(host), self.subject.machines[name])

    # ---- running

    @pytest.hookimpl(wrapper=True)
    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> Generator[None, object, object]:
        """Run a check, make its verdict, and tell pytest in its own terms."""
        planned = self._planned(pyfuncitem)
        if planned is None:
            return (yield)
        case = case_without_running(planned)
        if case is not None:
            self._record(pyfuncitem, replace(case, nodeid=pyfuncitem.nodeid))
            tell_pytest(case)
        recorder = Recorder(planned, pyfuncitem.nodeid)
        try:
            with recorder.watching():
                yield
        finally:
            self._record(pyfuncitem, recorder.case)
        tell_pytest(recorder.case)
        return True

    def _planned(self, item: pytest.Item) -> Planned | None:
        mark = item.get_closest_marker(BOUND)
        return None if mark is None else self.subject.plan.entries[mark.args[0], mark.args[1]]

    def _record(self, item: pytest.Item, case: Case) -> None:
        item.stash[CASE] = case
        item.user_properties.extend(user_properties(case, self.subject.chains_of(case.host)))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Attach the case to the report that travels to the controller; show transport errors as the line they are."""
        crashed = call.excinfo.value if call.excinfo is not None and call.when == "setup" else None
        planned = self._planned(item) if crashed is not None else None
        if planned is not None and not isinstance(crashed, pytest.skip.Exception):
            error = planned.case(Verdict.ERROR, f"the check could not start: {crashed!r}")
            self._record(item, replace(error, nodeid=item.nodeid))
        report = yield
        if call.excinfo is not None and isinstance(call.excinfo.value, (TransportError, Unobservable)):
            report.longrepr = str(call.excinfo.value)
        case = item.stash.get(CASE, None)
        if case is not None and report.skipped and isinstance(report.longrepr, tuple):
            path, line, _ = item.reportinfo()
            report.longrepr = (str(path), (line or 0) + 1, report.longrepr[2])
        if case is not None and (call.when == "call" or crashed is not None):
            vars(report)[ATTACHED] = case
        return report

    @pytest.hookimpl(wrapper=True)
    def pytest_report_to_serializable(
        self, report: pytest.TestReport
    ) -> Generator[None, dict[str, Any] | None, dict[str, Any] | None]:
        """Make plain data of the case in a report that leaves this process."""
        data = yield
        case = vars(report).get(ATTACHED)
        return data if data is None or case is None else {**data, ATTACHED: case_codec.encode(case)}

    @pytest.hookimpl(wrapper=True)
    def pytest_report_from_serializable(self) -> Generator[None, pytest.TestReport | None, pytest.TestReport | None]:
        """Make a case again of the plain data in a report that a worker sent."""
        report = yield
        encoded = None if report is None else vars(report).get(ATTACHED)
        if encoded is not None:
            vars(report)[ATTACHED] = case_codec.decode(encoded)
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep every case, wherever it ran."""
        case: Case | None = vars(report).get(ATTACHED)
        if case is not None:
            self._keep(case)

    def _keep(self, case: Case) -> None:
        """Of several results of one requirement on one machine (two checks of it, parameters, reruns) the worst counts."""
        key = case.requirement, case.host
        self.cases[key] = min(self.cases.get(key, case), case, key=lambda each: _WORST_FIRST.index(each.verdict))

    def pytest_report_teststatus(
        self, report: pytest.TestReport
    ) -> tuple[str, str, tuple[str, dict[str, bool]]] | None:
        """Letters and words of the verdicts that pytest has none for."""
        case: Case | None = vars(report).get(ATTACHED)
        return None if case is None else status(case, report.outcome)

    def pytest_deselected(self, items: Iterable[pytest.Item]) -> None:
        """Remember that somebody chose a part of the catalogue only."""
        count = sum(1 for item in items if item.get_closest_marker(BOUND) is not None)
        if count:
            self.partial.append(f"{count} checks were deselected")

    # ---- concluding

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Close every connection, write the reports, and let no run pass that verified nothing."""
        self.subject.close()
        if self.is_worker or not self.subject.looked:
            return
        if exitstatus == pytest.ExitCode.INTERRUPTED:
            self.partial.append("the run was interrupted")
        self._finish()
        good = exitstatus in {pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED}
        if good and (self._empty() or self._has_failures() or self._contradicted()):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def _has_failures(self) -> bool:
        """Whether a verdict demands failure, also where something made pytest call it otherwise (`xfail`, reruns)."""
        outcomes = (pytest_outcome(case.verdict, case.obligation) for case in self.cases.values())
        return PytestOutcome.FAILED in outcomes

    def _contradicted(self) -> bool:
        """Whether suites judged a machine that is another one than the inventory says."""
        return bool(self.cases) and self.report is not None and any(host.contradiction for host in self.report.hosts)

    def _empty(self) -> bool:
        collect_only: bool = self.config.getoption("collectonly")
        own_tests_only = not self.subject.suites and not self.config.getoption("nestvirt_report")
        return (
            not collect_only and not own_tests_only and self.report is not None and bool(verified_nothing(self.report))
        )

    def _finish(self, trouble: str = "") -> None:
        self.report = conclude(self.subject, self.cases, [*self.partial, *([trouble] if trouble else [])])
        directory: str | None = self.config.getoption("nestvirt_report")
        if directory is None or self.config.getoption("collectonly"):
            return
        target = self.config.invocation_params.dir / Path(directory).expanduser()
        try:
            write_json(self.report, target)
            write_junit(self.report, target)
        except ReportError as error:
            pytest.exit(str(error), returncode=pytest.ExitCode.USAGE_ERROR)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """A block per chain: verdicts, stance, what decided it, what was not run."""
        if self.report is not None and self.subject.suites and not self.config.getoption("collectonly"):
            write_summary(terminalreporter, self.report)
