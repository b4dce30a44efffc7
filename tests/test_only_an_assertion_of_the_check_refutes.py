"""A check that ended otherwise than by an assertion of its own has not answered its question: its verdict is `error`."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_runs import CHECKS, MACHINE, inventory, record, run_process, run_pytest, suite, verdicts

VMX = '    assert "vmx" in l0.cpu.flags\n'
NESTED = '    assert l0.kvm.nested, "nesting is off"\n'
LIMIT = '    assert "svm" not in l0.cpu.flags\n'
HELPERS = """\
import signal, threading, unittest
from concurrent.futures import ThreadPoolExecutor

import pytest

def refuse(*_):
    assert False, "not so"

def handler(signum, frame):
    assert signum == 0, "out of time"

def interrupt(handler):
    before = signal.signal(signal.SIGUSR1, handler)
    try:
        signal.raise_signal(signal.SIGUSR1)
    finally:
        signal.signal(signal.SIGUSR1, before)

def endless():
    endless()

@pytest.fixture
def broken_at_the_end():
    yield
    assert False, "not the check's"

@pytest.fixture
def broken_at_the_start():
    assert False, "not the check's"

@pytest.fixture
def event():
    event = threading.Event()
    yield event
    event.set()

"""

ANSWERS = {
    "it asserts": "assert not flags",
    "it asserts with unittest's methods": "unittest.TestCase().assertFalse(flags)",
    "a function that it calls asserts": "refuse()",
    "a thread that it waits for asserts, and hands it on": "with ThreadPoolExecutor() as it: it.submit(refuse).result()",
}
OTHER_ENDS = {
    "a signal handler asserts": "interrupt(handler)",
    "a signal handler with any arguments asserts": "interrupt(refuse)",
    "a signal handler fails the test, as pytest-timeout does": "interrupt(lambda *_: pytest.fail('Timeout (>1.0s)'))",
    "it fails the test without asserting": "pytest.fail('no')",
    "it skips itself": "pytest.skip('no')",
    "it skips itself as unittest does": "raise unittest.SkipTest('no')",
    "it imports what is not there": "pytest.importorskip('no_such_module')",
    "it expects to fail": "pytest.xfail('no')",
    "it exits": "raise SystemExit(0)",
    "it calls itself for ever": "endless()",
    "it is out of memory": "raise MemoryError",
    "it raises a group of assertions": "raise ExceptionGroup('two', [AssertionError('no')])",
    "a generator is closed": "raise GeneratorExit",
    "a thread of it asserts": "thread = threading.Thread(target=refuse); thread.start(); thread.join()",
    "a thread of it goes on": "threading.Thread(target=event.wait).start()",
    "pytest asserts in a fixture that it asks for": "request.getfixturevalue('broken_at_the_start')",
}


def _run(folder: Path, place: str, body: str, *arguments: str, fixtures: str = "request") -> tuple[int, dict[str, str]]:
    """Exit status and verdicts by requirement, with another body in the place of a check's own."""
    own, other = f"(l0: Machine) -> None:\n{place}", f"(l0: Machine, {fixtures}) -> None:\n    flags = l0.cpu.flags\n"
    checks = CHECKS.replace(own, f"{other}    {body}\n", 1)
    suite(folder, checks=HELPERS + checks)
    record(folder / "l0", MACHINE)
    inventory(folder, {"kvm01": {"path": "l0"}})
    done = run_pytest(folder, "house", "--hosts=inventory.yml", "--nestvirt-report=out", *arguments)
    assert (folder / "out").exists(), done.stdout + done.stderr
    return done.returncode, {name: verdict for (name, _), verdict in verdicts(folder / "out").items()}


@pytest.mark.parametrize("claim", ANSWERS)
def test_an_assertion_of_the_check_lifts_a_limitation(tmp_path: Path, claim: str) -> None:
    """Wherever the check takes it from, as long as it is raised in the check."""
    code, found = _run(tmp_path, LIMIT, ANSWERS[claim])
    assert (code, found["HOUSE-LIMIT"]) == (0, "limit-lifted")


@pytest.mark.parametrize("place, requirement", [(LIMIT, "HOUSE-LIMIT"), (NESTED, "HOUSE-NESTED")])
@pytest.mark.parametrize("claim", OTHER_ENDS)
def test_any_other_end_lifts_nothing_and_warns_of_nothing(
    tmp_path: Path, claim: str, place: str, requirement: str
) -> None:
    """A limitation is not lifted, a should is not a warning: the verdict is `error`, and the run fails."""
    fixtures = "event" if "event" in OTHER_ENDS[claim] else "request"
    code, found = _run(tmp_path, place, OTHER_ENDS[claim], fixtures=fixtures)
    assert (code, found[requirement]) == (pytest.ExitCode.TESTS_FAILED, "error")


def test_a_fixture_that_fails_after_the_check_is_an_error(tmp_path: Path) -> None:
    """The check held, and something that it rests on did not."""
    code, found = _run(tmp_path, VMX, "assert 'vmx' in flags", fixtures="broken_at_the_end")
    assert (code, found["HOUSE-VMX"]) == (pytest.ExitCode.TESTS_FAILED, "error")


@pytest.mark.parametrize("body, code", [("raise KeyboardInterrupt", 2), ("pytest.exit('enough', returncode=0)", 1)])
def test_an_interrupted_check_did_not_run(tmp_path: Path, body: str, code: int) -> None:
    """Neither the check nor the machine is at fault; the run is not a success."""
    status, found = _run(tmp_path, LIMIT, body)
    assert (status, found["HOUSE-LIMIT"]) == (code, "not-run")


SUBTESTS = {
    "it asserts": ("assert not flags", "fail"),
    "it cannot read a fact": ("l0.libvirt.version", "inconclusive"),
    "it crashes": ("1 / 0", "error"),
    "it skips itself": ("pytest.skip('no')", "error"),
}


@pytest.mark.parametrize("claim", SUBTESTS)
def test_a_subtest_counts_like_the_check(tmp_path: Path, claim: str) -> None:
    """A subtest swallows how it ends, and the check goes on; the worst of its ends is the verdict."""
    pytest.importorskip("_pytest.subtests")
    body, verdict = SUBTESTS[claim]
    code, found = _run(tmp_path, VMX, f"with subtests.test():\n        {body}", fixtures="subtests")
    assert (code, found["HOUSE-VMX"]) == (pytest.ExitCode.TESTS_FAILED, verdict)


def test_a_plugin_that_collects_failures_is_heard(tmp_path: Path) -> None:
    """pytest-check fails the test when the check is over; the check did not assert, so this is an error."""
    body = "from pytest_check import check; check.is_in('nope', flags)"
    code, found = _run(tmp_path, LIMIT, body, "-p", "pytest_check.plugin")
    assert (code, found["HOUSE-LIMIT"]) == (pytest.ExitCode.TESTS_FAILED, "error")


def test_a_time_out_is_an_error(tmp_path: Path) -> None:
    """pytest-timeout by signal, in a check of a limitation that hangs."""
    checks = CHECKS.replace(LIMIT, "    l0.cpu.flags\n    threading.Event().wait(60)\n")
    suite(tmp_path, checks=f"import threading\n{checks}")
    record(tmp_path / "l0")
    inventory(tmp_path, {"kvm01": {"path": "l0"}})
    arguments = ("house", "--hosts=inventory.yml", "--nestvirt-report=out", "-p", "pytest_timeout", "--timeout=1")
    done = run_process(tmp_path, "-p", "pytest_nestvirt.plugin", *arguments, PYTEST_DISABLE_PLUGIN_AUTOLOAD="1")
    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout
    assert verdicts(tmp_path / "out")["HOUSE-LIMIT", "kvm01"] == "error"


RETRIES = {
    "pytest-retry": ("-p", "pytest_retry.retry_plugin", "--retries=2"),
    "pytest-rerunfailures": ("-p", "pytest_rerunfailures", "--reruns=2"),
    "flaky": ("-p", "flaky.flaky_pytest_plugin", "--force-flaky", "--max-runs=3"),
}


@pytest.mark.parametrize("plugin", RETRIES)
def test_the_worst_attempt_counts(tmp_path: Path, plugin: str) -> None:
    """A check that failed once and held when it was tried again has failed."""
    once = (
        VMX + '    if not pathlib.Path("seen").exists():\n        pathlib.Path("seen").touch()\n        assert False\n'
    )
    suite(tmp_path, checks="import pathlib\n" + CHECKS.replace(VMX, once, 1))
    record(tmp_path / "l0")
    inventory(tmp_path, {"kvm01": {"path": "l0"}})
    arguments = ("house", "--hosts=inventory.yml", "--nestvirt-report=out", *RETRIES[plugin])
    done = run_process(tmp_path, "-p", "pytest_nestvirt.plugin", *arguments, PYTEST_DISABLE_PLUGIN_AUTOLOAD="1")
    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout
    assert verdicts(tmp_path / "out")["HOUSE-VMX", "kvm01"] == "fail"
