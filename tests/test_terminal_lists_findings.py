"""pytest's own sections list findings, while its counts, its status and what other plugins see stay those of the tests."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Mapping
from pathlib import Path

import pytest
from small_runs import CPUINFO, MACHINE, Done, inventory, record, run_process, run_pytest, suite

MUSTS = 8
MANY = """\
source: {id: house, title: House rules, publisher: us, version: "1"}
applies: [{l0: {provider: [libvirt]}}]
requirements:
""" + "".join(
    f'  - {{id: HOUSE-{n}, section: "{n}", statement: vmx is there, level: l0, kind: requirement, obligation: must, '
    "expected: vmx, remedy: switch it on}\n"
    for n in range(MUSTS)
)
CHECKS = "from pytest_nestvirt import Machine, requirement\n" + "".join(
    f'@requirement("HOUSE-{n}")\ndef test_{n}(l0: Machine) -> None:\n    assert "vmx" in l0.cpu.flags\n'
    for n in range(MUSTS)
)
DEAD: Mapping[str, object] = {"address": "127.0.0.1", "port": 1, "user": "root"}
COUNTING = """\
import pytest

def pytest_terminal_summary(terminalreporter):
    failed = terminalreporter.stats["failed"]
    print(f"a plugin counted {len(failed)}, {sum(r.nodeid.startswith('house/') for r in failed)} of the suite")
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One machine that conforms, one that fails a check after the other, one with no /proc/cpuinfo, nine that refuse."""
    folder = tmp_path_factory.mktemp("fleet")
    suite(folder, MANY, CHECKS)
    record(folder / "good")
    record(folder / "bad", {**MACHINE, "proc/cpuinfo": CPUINFO.replace("vmx", "")})
    record(folder / "sparse", {**MACHINE}, **{"proc/cpuinfo": None})
    hosts = {name: {"path": name} for name in ("good", "bad", "sparse")}
    inventory(folder, {**hosts, "dead": DEAD}).rename(folder / "few.yml")
    refusing = {f"dead{n}": {**DEAD, "address": f"127.0.0.{n + 1}"} for n in range(9)}
    inventory(folder, {**hosts, **refusing}).rename(folder / "many.yml")
    (folder / "conftest.py").write_text(COUNTING)
    return folder


def section(done: Done, title: str) -> str:
    """The text below the heading of that title, up to the next."""
    text = done.stdout.partition(f" {title} =")[2].partition("\n")[2]
    return text.partition("\n====")[0]


def test_each_finding_is_listed_once(folder: Path) -> None:
    """A machine out of reach, a section that was not collected, and every fail."""
    done = run_pytest(folder, "house", "--hosts=few.yml")
    failures = section(done, "FAILURES")
    assert failures.count("unreachable: dead (L0), 8 checks") == 1
    assert failures.count("inconclusive: sparse (L0), 8 checks") == 1
    assert failures.count(": fail on bad (L0)") == MUSTS
    assert failures.count("refused the connection") == 1
    short = section(done, "short test summary info")
    assert short.count("UNREACHABLE nestvirt::unreachable[dead] - 8 checks: connect: ") == 1
    assert short.count("FAILED house/test_house.py::test_") == MUSTS
    assert "27 failed, 9 passed" in done.stdout
    assert done.returncode == 1


def test_many_machines_with_one_reason_are_one_entry(folder: Path) -> None:
    """With the first names, and all names where a person asks."""
    done = run_pytest(folder, "house", "--hosts=many.yml")
    assert "unreachable: 9 machines, 72 checks" in section(done, "FAILURES")
    assert "dead0, dead1, dead2, dead3, dead4 and 4 more" in section(done, "FAILURES")
    assert "99 failed, 9 passed" in done.stdout
    assert "dead8" in section(run_pytest(folder, "house", "--hosts=many.yml", "-v"), "FAILURES")


WAYS = {
    "quietly": ("-q",),
    "verbosely": ("-v",),
    "with all reasons": ("-rA",),
    "with nothing folded": ("-ra", "--no-fold-skipped"),
    "without a summary": ("--no-summary",),
    "with lines": ("--tb=line",),
    "without tracebacks": ("--tb=no",),
    "with both reports": (
        "-p",
        "pytest_metadata.plugin",
        "-p",
        "pytest_html.plugin",
        "--html=all.html",
        "--junitxml=all.xml",
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_counts_and_status_are_those_of_the_tests(folder: Path, way: str) -> None:
    """Whatever is shown, and for whatever plugin looks."""
    done = run_pytest(folder, "house", "--hosts=few.yml", *WAYS[way])
    assert done.returncode == 1
    assert "27 failed, 9 passed" in done.stdout
    assert "a plugin counted 27, 24 of the suite" in done.stdout
    if way == "with both reports":
        (counted,) = ET.parse(folder / "all.xml").getroot().iter("testsuite")
        assert (counted.get("tests"), counted.get("failures")) == ("36", "27")
        assert (folder / "all.html").read_text().count("house/test_house.py::test_0[dead]") > 0


@pytest.mark.parametrize(
    "arguments, code, told",
    [(("-qq",), 1, "exit status 1"), (("--nagios",), 2, "TESTINFRA CRITICAL - 9 passed, 27 failed")],
)
def test_those_that_print_otherwise_count_the_same(
    folder: Path, arguments: tuple[str, ...], code: int, told: str
) -> None:
    """Testinfra's `--nagios` counts by itself."""
    done = run_pytest(folder, "house", "--hosts=few.yml", *arguments)
    assert done.returncode == code
    assert told in done.stdout


@pytest.mark.parametrize("most", [1, 3])
def test_a_run_stops_after_as_many_failures_as_are_allowed(folder: Path, most: int) -> None:
    """Each check of a machine that is out of reach is one."""
    done = run_pytest(folder, "house", "--hosts=few.yml", f"--maxfail={most}")
    assert f", {most} of the suite" in done.stdout
    assert done.returncode == 1


def test_workers_report_the_same(folder: Path) -> None:
    """The controller lists what they found."""
    done = run_process(folder, "house", "--hosts=many.yml", "-n1")
    assert "unreachable: 9 machines, 72 checks" in section(done, "FAILURES")
    assert "99 failed, 9 passed" in done.stdout
    assert done.returncode == 1


def test_the_last_failures_are_run_again(folder: Path) -> None:
    """`--lf` knows the tests, not the entries."""
    cached = ("-p", "cacheprovider", "--nestvirt-allow-partial")
    first = run_process(folder, "house", "--hosts=few.yml", *cached)
    again = run_process(folder, "house", "--hosts=few.yml", *cached, "--lf")
    assert "27 failed, 9 passed" in first.stdout
    assert "24 failed" in again.stdout or "27 failed" in again.stdout
    assert "run-last-failure: rerun previous 24 failures" in again.stdout


def test_what_a_check_printed_is_shown(folder: Path, tmp_path: Path) -> None:
    """A report with more than our own words in it is not united with any other."""
    checks = CHECKS.replace('    assert "vmx"', '    print("seen by the author")\n    assert "vmx"', 1)
    suite(tmp_path, MANY, checks)
    record(tmp_path / "sparse", {**MACHINE}, **{"proc/cpuinfo": None})
    inventory(tmp_path, {"sparse": {"path": "sparse"}})
    done = run_pytest(tmp_path, "house", "--hosts=inventory.yml")
    assert "seen by the author" in section(done, "FAILURES")
    assert "inconclusive: sparse (L0), 7 checks" in section(done, "FAILURES")
