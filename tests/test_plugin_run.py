"""A run over an inventory, end to end: items, verdicts, exit codes, reports."""

from __future__ import annotations

import json
import signal
import time
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from pathlib import Path

import pytest
from small_runs import (
    CHECKS,
    CPUINFO,
    MACHINE,
    REQUIREMENTS,
    inventory,
    record,
    run_pytest,
    running_pytest,
    suite,
    verdicts,
)

import pytest_nestvirt
from pytest_nestvirt.report.result_json import load_json
from pytest_nestvirt.report.writing import ReportError
from pytest_nestvirt.run import conclusion


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A suite, a conforming L0 with a conforming L1, and their inventory."""
    suite(tmp_path)
    record(tmp_path / "l0")
    record(tmp_path / "l1")
    inventory(tmp_path, {"kvm01": {"path": "l0", "guests": {"vm01": {"path": "l1"}}}})
    return tmp_path


ARGUMENTS = ("house", "--hosts=inventory.yml", "--nestvirt-report=out")


def test_a_conforming_chain_passes(folder: Path) -> None:
    """Exit code 0; items for what applies only; the rest is counted, and is in result.json with its reason."""
    done = run_pytest(folder, *ARGUMENTS, "-v")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "test_house.py::test_vmx[kvm01] PASSED" in done.stdout
    assert "test_house.py::test_guest[vm01] PASSED" in done.stdout
    assert "test_amd" not in done.stdout
    assert verdicts(folder / "out") == {
        ("HOUSE-VMX", "kvm01"): "pass",
        ("HOUSE-NESTED", "kvm01"): "pass",
        ("HOUSE-LIMIT", "kvm01"): "limit-confirmed",
        ("HOUSE-AMD", "kvm01"): "not-applicable",
        ("HOUSE-RELOAD", "kvm01"): "not-run",
        ("HOUSE-GUEST", "vm01"): "pass",
    }
    cases = {case.requirement: case for case in load_json(folder / "out/result.json").cases}
    assert "vendor is intel" in cases["HOUSE-AMD"].reason
    assert "permission reload" in cases["HOUSE-RELOAD"].reason
    assert cases["HOUSE-VMX"].evidence[0].fact == "cpu.flags"
    assert "proc/cpuinfo" in cases["HOUSE-VMX"].evidence[0].sources


def test_what_does_not_apply_becomes_an_item_on_request(folder: Path) -> None:
    """`--nestvirt-show-na` makes a skipped item of it, with the fact that decided."""
    done = run_pytest(folder, *ARGUMENTS, "--nestvirt-show-na", "-v", "-rs")
    assert done.returncode == 0
    assert "test_amd[kvm01] NOT-APPLICABLE" in done.stdout
    assert "vendor is intel" in done.stdout


OUTCOMES: Mapping[str, tuple[Mapping[str, str], str, int]] = {
    "a must that does not hold fails": ({"proc/cpuinfo": CPUINFO.replace("vmx", "")}, "fail", 1),
    "a must that can't be observed fails": ({"proc/cpuinfo": CPUINFO.partition("flags")[0]}, "inconclusive", 1),
}


@pytest.mark.parametrize("claim", OUTCOMES)
def test_musts(folder: Path, claim: str) -> None:
    """A refuted must and an unobservable must both end the run in failure, with different verdicts."""
    changes, verdict, code = OUTCOMES[claim]
    record(folder / "l0", {**MACHINE, **changes})
    done = run_pytest(folder, *ARGUMENTS)
    assert done.returncode == code, done.stdout
    assert verdicts(folder / "out")["HOUSE-VMX", "kvm01"] == verdict
    assert f"HOUSE-VMX: {verdict} on kvm01 (L0)" in done.stdout
    assert "Traceback" not in done.stdout


def test_a_failure_reads_without_the_code(folder: Path) -> None:
    """It names statement, source and section, what was expected and seen, the remedy and the evidence."""
    record(folder / "l0", {**MACHINE, "proc/cpuinfo": CPUINFO.replace("vmx", "")})
    output = run_pytest(folder, *ARGUMENTS).stdout
    for words in ("vmx is there", "house, section 1", "expected", "seen", "switch it on", "proc/cpuinfo"):
        assert words in output, words


def test_a_should_that_does_not_hold_warns(folder: Path) -> None:
    """The item passes, the verdict is warn, and both files tell it from a plain pass."""
    record(folder / "l0", {**MACHINE, "sys/module/kvm_intel/parameters/nested": "N\n"})
    done = run_pytest(folder, *ARGUMENTS, "-v", "--junitxml=junit.xml")
    assert done.returncode == 0
    assert "test_nested[kvm01] WARN" in done.stdout
    assert verdicts(folder / "out")["HOUSE-NESTED", "kvm01"] == "warn"
    properties = {
        (case.get("name"), item.get("name")): item.get("value")
        for case in ET.parse(folder / "junit.xml").getroot().iter("testcase")
        for item in case.iter("property")
    }
    assert properties["test_nested[kvm01]", "nestvirt.verdict"] == "warn"
    assert properties["test_limit[kvm01]", "nestvirt.verdict"] == "limit-confirmed"
    assert properties["test_guest[vm01]", "nestvirt.chain"] == "kvm01 > vm01"
    assert properties["test_guest[vm01]", "nestvirt.level"] == "L1"
    own = (folder / "out/kvm01--vm01/junit.xml").read_text()
    assert "verdict: warn" in own
    assert "verdict: limit-confirmed" in own


def test_a_lifted_limitation_is_no_failure(folder: Path) -> None:
    """What the document rules out and the host does is reported, and passes."""
    record(folder / "l0", {**MACHINE, "proc/cpuinfo": CPUINFO.replace("ept", "ept svm")})
    done = run_pytest(folder, *ARGUMENTS)
    assert done.returncode == 0, done.stdout
    assert verdicts(folder / "out")["HOUSE-LIMIT", "kvm01"] == "limit-lifted"


def test_workers_reach_the_same_verdicts(folder: Path) -> None:
    """Under pytest-xdist everything but the timing part of result.json is the same, and so are the properties."""
    pytest.importorskip("xdist")
    assert run_pytest(folder, *ARGUMENTS, "--junitxml=one.xml").returncode == 0
    first = json.loads((folder / "out/result.json").read_text())
    assert run_pytest(folder, *ARGUMENTS, "-n", "2", "--junitxml=two.xml").returncode == 0
    second = json.loads((folder / "out/result.json").read_text())
    first.pop("timing"), second.pop("timing")
    assert first == second

    def properties(file: str) -> list[tuple[str | None, ...]]:
        cases = ET.parse(folder / file).getroot().iter("testcase")
        return sorted((c.get("name"), p.get("name"), p.get("value")) for c in cases for p in c.iter("property"))

    assert properties("one.xml") == properties("two.xml") != []


def test_an_unreachable_host_is_a_testcase(folder: Path) -> None:
    """Each of its requirements gets the verdict, with one clear line; a guest behind it is latched, too."""
    hosts = {
        "gone": {"address": "127.0.0.1", "port": 1, "guests": {"behind": {"address": "127.0.0.2"}}},
        "kvm01": {"path": "l0"},
    }
    inventory(folder, hosts)
    done = run_pytest(folder, *ARGUMENTS)
    assert done.returncode == 1
    seen = verdicts(folder / "out")
    assert seen["HOUSE-VMX", "gone"] == seen["HOUSE-GUEST", "behind"] == "unreachable"
    assert seen["HOUSE-VMX", "kvm01"] == "pass"
    assert "refused" in done.stdout
    assert "Traceback" not in done.stdout
    assert 'name="HOUSE-VMX' in (folder / "out/gone--behind/junit.xml").read_text()


def test_a_host_that_is_not_accessible_is_inconclusive(folder: Path) -> None:
    """`connection: none` is not unreachable, and nothing about it is good or bad."""
    inventory(folder, {"cloud": {"connection": "none"}, "kvm01": {"path": "l0"}})
    done = run_pytest(folder, *ARGUMENTS)
    assert done.returncode == 1
    assert verdicts(folder / "out")["HOUSE-VMX", "cloud"] == "inconclusive"


def test_a_run_that_verified_nothing_is_no_success(folder: Path) -> None:
    """A chain that no source speaks of does not pass silently."""
    inventory(folder, {"esx": {"connection": "none", "provider": "vsphere"}})
    done = run_pytest(folder, *ARGUMENTS)
    assert done.returncode != 0
    assert "nothing verified" in done.stdout


def test_one_unverified_chain_spoils_the_run(folder: Path) -> None:
    """It does not hide behind a chain that conforms."""
    inventory(folder, {"kvm01": {"path": "l0"}, "esx": {"connection": "none", "provider": "vsphere"}})
    done = run_pytest(folder, *ARGUMENTS)
    assert done.returncode == 1, done.stdout


def test_a_deselected_part_is_told(folder: Path) -> None:
    """The report calls the run incomplete, what did not run is not-run, and the status is not a success."""
    done = run_pytest(folder, *ARGUMENTS, "-k", "test_vmx")
    assert done.returncode == pytest.ExitCode.TESTS_FAILED
    report = json.loads((folder / "out/result.json").read_text())
    assert report["complete"] is False
    assert report["incomplete_because"] == "3 checks were deselected"
    assert verdicts(folder / "out")["HOUSE-NESTED", "kvm01"] == "not-run"


def test_stopping_early_is_told(folder: Path) -> None:
    """With -x the rest never runs, and the report doesn't pretend that it did."""
    record(folder / "l0", {**MACHINE, "proc/cpuinfo": CPUINFO.replace("vmx", "")})
    done = run_pytest(folder, *ARGUMENTS, "-x")
    assert done.returncode != 0
    report = json.loads((folder / "out/result.json").read_text())
    assert report["complete"] is False
    assert verdicts(folder / "out")["HOUSE-GUEST", "vm01"] == "not-run"


def test_an_interrupted_run_leaves_its_report(folder: Path) -> None:
    """Ctrl-C in the middle: what was found by then is written, and called incomplete."""
    slow = CHECKS.replace("def test_nested(l0: Machine) -> None:", "def test_nested(l0: Machine) -> None:\n    wait()")
    (folder / "house/test_house.py").write_text(
        "import time, pathlib\ndef wait():\n    pathlib.Path('begun').touch()\n    time.sleep(60)\n" + slow
    )
    with running_pytest(folder, *ARGUMENTS) as process:
        deadline = time.monotonic() + 60
        while not (folder / "begun").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=60)
    assert process.returncode == pytest.ExitCode.INTERRUPTED, output
    report = json.loads((folder / "out/result.json").read_text())
    assert report["complete"] is False
    assert "interrupted" in report["incomplete_because"]
    assert verdicts(folder / "out")["HOUSE-VMX", "kvm01"] == "pass"
    assert verdicts(folder / "out")["HOUSE-GUEST", "vm01"] == "not-run"


MISTAKES: Mapping[str, tuple[str, str]] = {
    "unknown id": (CHECKS.replace('"HOUSE-VMX"', '"HOUSE-VMXX"'), "no requirement HOUSE-VMXX"),
    "bare marker": (CHECKS.replace('@requirement("HOUSE-VMX")', "@requirement()"), "the marker takes ids"),
    "wrong level": (
        CHECKS.replace("def test_vmx(l0: Machine)", "def test_vmx(l0: Machine, l1: Machine)"),
        "is about l0",
    ),
    "no machine": (
        CHECKS.replace('def test_vmx(l0: Machine) -> None:\n    assert "vmx" in l0.cpu.flags', "def test_vmx(): pass"),
        "add the fixture l0, l1 or l2",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_marker_used_wrongly_is_answered(folder: Path, mistake: str) -> None:
    """A usage error that names file, line and the right form, and no traceback."""
    checks, answer = MISTAKES[mistake]
    (folder / "house/test_house.py").write_text(checks)
    done = run_pytest(folder, *ARGUMENTS)
    assert done.returncode in {pytest.ExitCode.USAGE_ERROR, pytest.ExitCode.INTERRUPTED}, done.stdout
    assert answer in done.stdout + done.stderr
    assert "test_house.py:" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_a_crashing_check_is_the_tools_fault(folder: Path) -> None:
    """The verdict is error, never a pass and never a fail of the host."""
    crashing = CHECKS.replace('    assert "vmx" in l0.cpu.flags\n\n@requirement("HOUSE-NESTED")',
                              '    raise ZeroDivisionError\n\n@requirement("HOUSE-NESTED")')  # fmt: skip
    (folder / "house/test_house.py").write_text(crashing)
    done = run_pytest(folder, *ARGUMENTS)
    assert done.returncode == 1
    assert verdicts(folder / "out")["HOUSE-VMX", "kvm01"] == "error"


def test_a_check_bound_to_several_statements(folder: Path) -> None:
    """Each statement gets its own item and its own verdict."""
    double = CHECKS.replace('@requirement("HOUSE-VMX")', '@requirement("HOUSE-VMX", "HOUSE-LIMIT")', 1)
    double = double.partition('@requirement("HOUSE-LIMIT")\ndef')[0]
    (folder / "house/test_house.py").write_text(double)
    done = run_pytest(folder, *ARGUMENTS, "-v")
    assert "test_vmx[kvm01-HOUSE-VMX] PASSED" in done.stdout
    assert "test_vmx[kvm01-HOUSE-LIMIT] LIMIT-CONFIRMED" in done.stdout


def test_profiles_choose_the_sources(folder: Path) -> None:
    """An unknown profile is a usage error that lists the known ones; a known one judges every machine."""
    done = run_pytest(folder, *ARGUMENTS, "--nestvirt-profile=hose")
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "available: house" in done.stderr
    inventory(folder, {"esx": {"path": "l0", "provider": "vsphere"}})
    assert run_pytest(folder, *ARGUMENTS).returncode != 0
    assert run_pytest(folder, *ARGUMENTS, "--nestvirt-profile=house").returncode == 0


def test_an_unwritable_report_is_one_line(folder: Path) -> None:
    """A file in the place of the directory is a usage error, before any machine is looked at."""
    (folder / "out").write_text("in the way")
    done = run_pytest(folder, *ARGUMENTS)
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert done.stderr.startswith(f"ERROR: {folder / 'out'}: the report cannot be written")
    assert "nested virtualization" not in done.stdout


def test_a_report_that_can_no_longer_be_written_hides_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk fills while the tests run: the summary is printed, and the report is a result that failed."""

    def full(*_: object) -> None:
        raise ReportError("out: the report cannot be written (No space left on device)")

    monkeypatch.setattr(conclusion, "write_json", full)
    done = run_pytest(folder, *ARGUMENTS)
    assert done.returncode == pytest.ExitCode.TESTS_FAILED
    assert "kvm01 > vm01: conforms" in done.stdout
    assert "No space left on device" in done.stdout
    assert f"FAILED nestvirt::report[{folder / 'out'}]" in done.stdout


def test_a_broken_catalogue_is_one_line(folder: Path) -> None:
    """File, line and key of the mistake, before anything is looked at."""
    (folder / "house/requirements.yml").write_text(REQUIREMENTS.replace("obligation: should", "obligation: ought"))
    done = run_pytest(folder, *ARGUMENTS)
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "requirements.yml:" in done.stderr
    assert "obligation" in done.stderr
    assert "Traceback" not in done.stderr


def test_embedded_suites_run_outside_a_checkout(tmp_path: Path) -> None:
    """Without arguments, `pytest --hosts=inventory.yml` runs the suites that ship with the product."""
    record(tmp_path / "l0")
    inventory(tmp_path, {"kvm01": {"path": "l0"}})
    done = run_pytest(tmp_path, "--hosts=inventory.yml", "--nestvirt-report=out")
    assert verdicts(tmp_path / "out")["RHEL8-INTEL-CPU-FLAGS", "kvm01"] == "pass", done.stdout


def test_hostile_output_stays_harmless(folder: Path) -> None:
    """Escape sequences, NULs and a huge value in what a host prints reach neither terminal nor files."""
    evil = CPUINFO.replace("Test CPU", "\x1b[2J\x07]]><x>&" + "A" * 200_000)
    record(folder / "l0", {**MACHINE, "proc/cpuinfo": evil.replace("vmx", "")})
    done = run_pytest(folder, *ARGUMENTS, "--junitxml=junit.xml")
    everything = done.stdout + (folder / "out/result.json").read_text() + (folder / "junit.xml").read_text()
    assert "\x1b[2J" not in everything
    assert "A" * 5000 not in everything
    ET.parse(folder / "out/kvm01--vm01/junit.xml")


@pytest.mark.skipif(
    not (Path(pytest_nestvirt.__file__).parent / "suites").is_dir(),
    reason="the suites are inside an installed wheel only",
)
def test_suites_can_be_named_as_a_package(tmp_path: Path) -> None:
    """`--pyargs pytest_nestvirt.suites.rhel8` runs one suite, from wherever it is installed."""
    record(tmp_path / "l0")
    inventory(tmp_path, {"kvm01": {"path": "l0"}})
    arguments = ("--hosts=inventory.yml", "--nestvirt-report=out", "--pyargs")
    for package in ("pytest_nestvirt.suites", "pytest_nestvirt.suites.rhel8"):
        done = run_pytest(tmp_path, *arguments, package)
        assert verdicts(tmp_path / "out")["RHEL8-INTEL-CPU-FLAGS", "kvm01"] == "pass", done.stdout
