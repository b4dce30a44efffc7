"""The plugin that is registered while an inventory is in use: pytest's hooks, in the order in which they happen."""

from __future__ import annotations

import inspect
from collections.abc import Generator, Iterable, Mapping, Sequence
from copy import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import pytest

from pytest_nestvirt.marks import BOUND
from pytest_nestvirt.observation.fact import Unobservable
from pytest_nestvirt.report.case import Case
from pytest_nestvirt.report.case_text import render_case
from pytest_nestvirt.report.properties import user_properties
from pytest_nestvirt.report.sanitize import plain
from pytest_nestvirt.run import binding, case_codec
from pytest_nestvirt.run.assessment import Assessment
from pytest_nestvirt.run.conclusion import ATTACHED, Conclusion, worse
from pytest_nestvirt.run.plan import Planned
from pytest_nestvirt.run.recorder import REASON_LIMIT, Recorder, case_without_running, end_in_pytest
from pytest_nestvirt.transport.base import TransportError
from pytest_nestvirt.verdict import PytestOutcome, Verdict, pytest_outcome

if TYPE_CHECKING:
    from pytest_nestvirt.run.testinfra_host import NestvirtHost

CASE = pytest.StashKey[Case]()
RECORDER = pytest.StashKey[Recorder]()
WORKER_INPUT = "nestvirt"
"""Key under which the controller hands the snapshots to an xdist worker."""
PROPERTY = "nestvirt."
"""What the names of our properties begin with."""


class NestvirtRun:
    """Looks at every machine, binds checks to machines, and runs them; `conclusion` keeps what they found out."""

    def __init__(self, config: pytest.Config, assessment: Assessment, conclusion: Conclusion) -> None:
        self.config = config
        self.assessment = assessment
        self.conclusion = conclusion
        self.show_na: bool = config.getoption("nestvirt_show_na")

    # ---- looking

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self) -> None:
        """Look at all machines at once, before any test is collected; a worker is handed what the controller saw."""
        worker_input: dict[str, Any] | None = getattr(self.config, "workerinput", None)
        if worker_input is not None:
            self.assessment.unpack(worker_input[WORKER_INPUT])
            return
        self.conclusion.prepare()
        try:
            self.assessment.look(
                threads=self.config.getoption("nestvirt_threads"), deadline=self.config.getoption("nestvirt_deadline")
            )
        except KeyboardInterrupt:
            self.conclusion.leave_out("the run was interrupted while the machines were being probed")
            self.conclusion.conclude()
            raise

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:  # noqa: ANN401 - xdist has no types
        """Hand the snapshots to an xdist worker that is about to start."""
        node.workerinput[WORKER_INPUT] = self.assessment.packed

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
            if requirement_id not in self.assessment.catalogue:
                raise pytest.UsageError(
                    f"{binding.location(check)}: no requirement {requirement_id} is declared in the requirements.yml "
                    "of this suite; fix the id in @requirement(...) or declare it"
                )
        return binding.due(self.assessment.plan, ids, check, show_na=self.show_na)

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Parametrize checks over the machines they are due on, and people's own tests over the inventory."""
        ids = binding.requirement_ids(metafunc.function)
        if ids:
            binding.parametrize_check(metafunc, self._due(ids, metafunc.function))
        elif binding.levels_used(metafunc):
            binding.parametrize_levels(
                metafunc, [*self.assessment.machines.values(), *self.assessment.manifests.objects]
            )
        binding.parametrize_hosts(metafunc, self.assessment.inventory)

    def testinfra_host(self, name: str) -> NestvirtHost:
        """The machine of that name as a testinfra Host over our transport, with its facts under `nestvirt`."""
        from pytest_nestvirt.run.testinfra_host import NestvirtHost  # noqa: PLC0415 - for those who use it

        if name in self.assessment.unreachable:
            pytest.fail(f"{name} could not be reached: {self.assessment.unreachable[name]}", pytrace=False)
        host = self.assessment.inventory.host(name)
        return NestvirtHost(self.assessment.transports.of(host), self.assessment.machines[name])

    # ---- running

    def pytest_itemcollected(self, item: pytest.Item) -> None:
        """Let `-k` choose checks by the id of their requirement."""
        mark = item.get_closest_marker(BOUND)
        if mark is not None:
            item.extra_keyword_matches.add(mark.args[0])

    @pytest.hookimpl(wrapper=True)
    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> Generator[None, object, object]:
        """Run a check, make its verdict, and report it in pytest's own terms."""
        planned = self._planned(pyfuncitem)
        if planned is None:
            return (yield)
        case = case_without_running(planned)
        if case is not None:
            self._record(pyfuncitem, replace(case, nodeid=pyfuncitem.nodeid))
            end_in_pytest(case)
        recorder = Recorder(planned, pyfuncitem.nodeid, _globals(pyfuncitem))
        pyfuncitem.stash[RECORDER] = recorder
        try:
            with recorder.watching():
                yield
        finally:
            self._record(pyfuncitem, recorder.case)
        end_in_pytest(recorder.case)
        return True

    def _planned(self, item: pytest.Item) -> Planned | None:
        mark = item.get_closest_marker(BOUND)
        return None if mark is None else self.assessment.plan.entries[mark.args[0], mark.args[1]]

    def _record(self, item: pytest.Item, case: Case) -> Case:
        """Keep the case with its item; where the item ran before (a plugin retries it), the worse of the two."""
        kept = worse(item.stash[CASE], case) if CASE in item.stash else case
        item.stash[CASE] = kept
        item.user_properties[:] = self._properties(item.user_properties, kept)
        return kept

    def _properties(self, properties: Iterable[tuple[str, object]], case: Case) -> list[tuple[str, object]]:
        others = [(name, value) for name, value in properties if not name.startswith(PROPERTY)]
        return [*others, *user_properties(case, self.assessment.chains_of(case.host))]

    @pytest.hookimpl(tryfirst=True, specname="pytest_runtest_makereport")
    def pytest_report_ending(self, item: pytest.Item, call: pytest.CallInfo[None]) -> pytest.TestReport | None:
        """Report a check that ended as its verdict demands by its message alone: its traceback would never be shown."""
        if call.excinfo is None or call.when != "call" or CASE not in item.stash or self._is_in_subtest(item):
            return None
        match call.excinfo.value:
            case pytest.fail.Exception(pytrace=False) as failed:
                return _report(item, call, "failed", failed.msg or "")
            case pytest.skip.Exception() as skipped:
                path, line, _ = item.reportinfo()
                return _report(item, call, "skipped", (str(path), (line or 0) + 1, f"Skipped: {skipped.msg}"))
        return None

    @staticmethod
    def _is_in_subtest(item: pytest.Item) -> bool:
        recorder = item.stash.get(RECORDER, None)
        return recorder is not None and recorder.is_watching

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Attach the case to the report that travels to the controller; show transport errors as the line they are."""
        if self._is_in_subtest(item):  # which swallows how it ends
            if call.excinfo is not None:
                item.stash[RECORDER].ended_by(call.excinfo.value)
            return (yield)
        self._note_crash_of_setup(item, call)
        report = yield
        if call.excinfo is not None and isinstance(call.excinfo.value, (TransportError, Unobservable)):
            report.longrepr = str(call.excinfo.value)
        if CASE in item.stash:
            self._attach(item, report, item.stash[CASE])
        return report

    def _note_crash_of_setup(self, item: pytest.Item, call: pytest.CallInfo[None]) -> None:
        crashed = call.excinfo.value if call.excinfo is not None and call.when == "setup" else None
        planned = self._planned(item) if crashed is not None else None
        if planned is not None and not isinstance(crashed, pytest.skip.Exception):
            error = planned.case(Verdict.ERROR, f"the check could not start: {crashed!r}")
            self._record(item, replace(error, nodeid=item.nodeid))

    def _attach(self, item: pytest.Item, report: pytest.TestReport, case: Case) -> None:
        """Let report and case say the same: the worse of the two counts, whatever made pytest or a plugin see it otherwise."""
        demanded = pytest_outcome(case.verdict, case.obligation)
        if report.failed and demanded is not PytestOutcome.FAILED:
            why = f"pytest or a plugin failed the check in its {report.when} phase: {report.longreprtext}"
            case = self._record(
                item, replace(case, verdict=Verdict.ERROR, reason=plain(why, REASON_LIMIT), stance=None)
            )
        elif demanded is PytestOutcome.FAILED and report.when == "call" and not report.failed:
            report.outcome = "failed"
            report.longrepr = render_case(case)
            vars(report).pop("wasxfail", None)
        elif report.skipped and isinstance(report.longrepr, tuple):
            path, line, _ = item.reportinfo()
            report.longrepr = (str(path), (line or 0) + 1, report.longrepr[2])
        ours = [each for each in item.user_properties if each[0].startswith(PROPERTY)]
        report.user_properties = [*(each for each in report.user_properties if not each[0].startswith(PROPERTY)), *ours]
        if report.when == "call" or report.failed:
            vars(report)[ATTACHED] = case
            self.conclusion.keep(case)

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


def _report(
    item: pytest.Item,
    call: pytest.CallInfo[None],
    outcome: Literal["failed", "skipped"],
    longrepr: str | tuple[str, int, str],
) -> pytest.TestReport:
    without_error = copy(call)
    without_error.excinfo = None
    report = pytest.TestReport.from_item_and_call(item, without_error)
    report.outcome, report.longrepr = outcome, longrepr
    return report


def _globals(item: pytest.Function) -> Mapping[str, object]:
    """Those of the module in which the check is written, decorators aside."""
    found: Mapping[str, object] = getattr(inspect.unwrap(item.function), "__globals__", vars(item.module))
    return found
