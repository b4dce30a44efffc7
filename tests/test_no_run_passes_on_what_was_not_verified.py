"""Ways in which a check can end without having verified anything, and what a run makes of each."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from small_runs import CHECKS, CPUINFO, MACHINE, inventory, record, run_pytest, suite, verdicts

VIOLATING = {**MACHINE, "proc/cpuinfo": CPUINFO.replace("vmx", "")}
BODY = '    assert "vmx" in l0.cpu.flags\n'
ARGUMENTS = ("house", "--hosts=inventory.yml", "--nestvirt-report=out")


def _run(
    folder: Path, checks: str, *arguments: str, conforming: bool = False, **environment: str
) -> tuple[int, str, str]:
    """Exit code, verdict of HOUSE-VMX on an L0, state of its chain."""
    suite(folder, checks=checks)
    record(folder / "l0", MACHINE if conforming else VIOLATING)
    inventory(folder, {"kvm01": {"path": "l0"}})
    done = run_pytest(folder, *ARGUMENTS, *arguments, **environment)
    if not (folder / "out").exists():
        return done.returncode, "", done.stderr
    state = re.findall(r'nestvirt.chain.state" value="([^"]*)"', (folder / "out/kvm01/junit.xml").read_text())
    return done.returncode, verdicts(folder / "out")["HOUSE-VMX", "kvm01"], state[0]


@pytest.mark.parametrize("arguments", [("--assert=plain",), ()], ids=["plain asserts", "rewritten asserts"])
def test_python_that_takes_assertions_away_is_refused(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """With -O a plain assert is no assert: every check would hold. It is a usage error, and nothing is reported."""
    code, _, told = _run(tmp_path, CHECKS, *arguments, PYTHONOPTIMIZE="1")
    assert code == pytest.ExitCode.USAGE_ERROR
    assert "PYTHONOPTIMIZE" in told


NOT_TO_THE_END = {
    "it ends the process": "    raise SystemExit(0)\n",
    "it skips itself as unittest does": "    import unittest\n    raise unittest.SkipTest('x')\n",
    "it returns its answer": '    return "vmx" in l0.cpu.flags\n',
    "it looks at nothing": "    assert True\n",
}


@pytest.mark.parametrize("claim", NOT_TO_THE_END)
def test_a_check_that_does_not_end_in_an_observation_is_an_error(tmp_path: Path, claim: str) -> None:
    """Its verdict is `error`, whatever pytest calls it; the chain is undecided and the run fails, even on a good machine."""
    checks = CHECKS.replace(BODY, NOT_TO_THE_END[claim], 1)
    assert _run(tmp_path, checks, conforming=True) == (pytest.ExitCode.TESTS_FAILED, "error", "undecided")


AFTERTHOUGHTS = {
    "a second check of the same requirement holds": (
        CHECKS + '\n@requirement("HOUSE-VMX")\ndef test_again(l0: Machine) -> None:\n    assert l0.cpu.flags\n'
    ),
    "a parameter of it holds": "import pytest\n\n"
    + CHECKS.replace("@requirement", '@pytest.mark.parametrize("flag", ["vmx", "ept"])\n@requirement', 1)
    .replace("(l0: Machine)", "(l0: Machine, flag: str)", 1)
    .replace('"vmx" in', "flag in", 1),
    "it is expected to fail": "import pytest\n\n"
    + CHECKS.replace("@requirement", "@pytest.mark.xfail\n@requirement", 1),
}


@pytest.mark.parametrize("claim", AFTERTHOUGHTS)
def test_a_failure_is_not_made_good_by_what_comes_after_it(tmp_path: Path, claim: str) -> None:
    """Of several results of one requirement on one machine the worst counts, and `xfail` is no waiver."""
    assert _run(tmp_path, AFTERTHOUGHTS[claim]) == (pytest.ExitCode.TESTS_FAILED, "fail", "does not conform")


def test_tests_of_ones_own_project_do_not_displace_the_suites(tmp_path: Path) -> None:
    """`testpaths` of a project names that project's tests; `--hosts=inventory.yml` still judges the machines."""
    record(tmp_path / "l0", VIOLATING)
    inventory(tmp_path, {"kvm01": {"path": "l0"}})
    (tmp_path / "own").mkdir()
    (tmp_path / "own/test_own.py").write_text("def test_own(): pass\n")
    (tmp_path / "pytest.ini").write_text("[pytest]\ntestpaths = own\n")
    done = run_pytest(tmp_path, "--hosts=inventory.yml", "--nestvirt-report=out", "-v")
    assert done.returncode == pytest.ExitCode.TESTS_FAILED
    assert "test_own PASSED" in done.stdout
    assert verdicts(tmp_path / "out")["RHEL8-INTEL-CPU-FLAGS", "kvm01"] == "fail"


WITHOUT_A_CHECK = {
    "there is none": "",
    "its function is misnamed": f'@requirement("HOUSE-VMX")\ndef check_vmx(l0: Machine) -> None:\n{BODY}\n',
    "it is a method of a class that pytest passes over": (
        f'class Vmx:\n    @requirement("HOUSE-VMX")\n    def test_vmx(self, l0: Machine) -> None:\n    {BODY}\n'
    ),
}


@pytest.mark.parametrize("claim", WITHOUT_A_CHECK)
def test_a_requirement_without_a_check_is_an_error(tmp_path: Path, claim: str) -> None:
    """What is due and can be verified needs a check: an error of the suite, which fails the run."""
    others = CHECKS.replace('@requirement("HOUSE-VMX")\ndef test_vmx(l0: Machine) -> None:\n' + BODY, "")
    done = _run(tmp_path, others + WITHOUT_A_CHECK[claim], conforming=True)
    assert done == (pytest.ExitCode.TESTS_FAILED, "error", "undecided")
