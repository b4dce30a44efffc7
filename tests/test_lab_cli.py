"""`nestvirt lab`: what people are told."""

from __future__ import annotations

import os
import platform
import signal
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pytest_nestvirt.cli import main
from pytest_nestvirt.lab import lab_run
from pytest_nestvirt.lab.cases.all_cases import CASES
from pytest_nestvirt.lab.directory import LabDirectory, labs, new_lab
from pytest_nestvirt.lab.packages import doctor
from pytest_nestvirt.lab.problem import LabError
from pytest_nestvirt.report.case import RunReport
from pytest_nestvirt.report.result_json import to_json


@pytest.fixture(autouse=True)
def nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user without labs and images."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def lab(*words: str) -> Result:
    """`nestvirt lab` with these words."""
    return CliRunner().invoke(main, ["lab", *words])


def test_list_names_every_case() -> None:
    """With its title and how deep it goes."""
    done = lab("list")
    assert done.exit_code == 0
    for case in CASES:
        assert case.title in done.output
        assert case.notes


def test_doctor_says_what_is_missing_and_how_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Each thing with its package, one command for all, and a status for scripts."""
    (tmp_path / "bin").mkdir()
    for program in ("apt-get", "apt-cache", "apt-config", "dpkg-deb", "tar"):
        (tmp_path / "bin" / program).write_text("#!/bin/sh\n")
        (tmp_path / "bin" / program).chmod(0o755)
    monkeypatch.setattr(doctor, "_PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(doctor, "KEYRING", tmp_path / "bin/tar")
    done = lab("doctor")
    assert done.exit_code == 1
    assert "missing: mke2fs (package e2fsprogs)" in done.output
    assert "sudo apt-get install --no-install-recommends e2fsprogs\n" in done.output
    assert "mke2fs, debugfs is missing: sudo apt-get install" in lab("up", "power9").output


def test_system_without_apt_is_told_what_is_not_possible(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No command is named that there is not."""
    monkeypatch.setattr(doctor, "_PATH", str(tmp_path))
    done = lab("doctor")
    assert "use a Debian or Ubuntu machine or container" in done.output
    assert "apt-get install" not in done.output


def test_machine_that_debian_has_no_emulators_for_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that could be installed would help there."""
    monkeypatch.setattr(platform, "machine", lambda: "alpha")
    done = lab("doctor")
    assert done.exit_code == 1
    assert "missing: an emulator for this machine, a alpha\n" in done.output
    assert "Debian has emulators for x86_64, aarch64" in done.output


@pytest.mark.parametrize(
    "words, said",
    [
        (("up", "itanium"), "unknown case 'itanium'; choose from: power9"),
        (("down", "itanium"), "unknown case 'itanium'"),
        (("ssh", "power9", "L2"), "power9 has L0, L1, not L2"),
        (("ssh", "power9", "L1"), "power9 is not up; nestvirt lab up power9"),
    ],
)
def test_mistakes_are_answered_in_one_line(words: tuple[str, ...], said: str) -> None:
    """What is wrong, and what there is."""
    done = lab(*words)
    assert done.exit_code != 0
    assert said in done.output


def test_down_without_labs_succeeds() -> None:
    """There is nothing to say."""
    done = lab("down")
    assert (done.exit_code, done.output) == (0, "")


def test_lab_that_is_coming_up_is_not_called_left_over() -> None:
    """While the command that brings it up is at work; when that is gone, `down` is what remains."""
    booting = new_lab("power9")
    assert f"running: {booting.path.name}: coming up\n" in lab("list").output
    (booting.path / "owner.json").unlink()
    assert f"running: {booting.path.name}: not up; `nestvirt lab down` removes it\n" in lab("list").output


def test_lab_whose_emulator_is_gone_is_not_up() -> None:
    """Ssh would only say that the connection was refused."""
    dead = new_lab("power9")
    dead.up.write_text("{}")
    assert "power9 is not up; nestvirt lab up power9" in lab("ssh", "power9", "L0").output


def test_options_of_a_command_that_is_run_there_are_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`lab ssh amd L1 df -h` is about df."""
    up = new_lab("power9")
    up.up.write_text("{}")
    (tmp_path / "ssh").write_text(f'#!/bin/sh\necho "$*" >{tmp_path}/asked\n')
    (tmp_path / "ssh").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setattr(LabDirectory, "is_running", lambda _: True)
    assert lab("ssh", "power9", "L1", "df", "-h").exit_code == 0
    assert (tmp_path / "asked").read_text() == f"-F {up.ssh_config} l1 df -h\n"


def test_run_judges_by_the_embedded_tests_only(tmp_path: Path) -> None:
    """Somebody's own would fail without being noticed: a run compares what the embedded ones find."""
    own = tmp_path / "test_own.py"
    own.write_text("def test(): assert False\n")
    done = lab("run", "power9", f"{own}::test")
    assert done.exit_code == 1
    assert "to run yours, `nestvirt lab up CASE` prints the inventory" in done.output


def test_report_that_cannot_be_written_is_told_before_anything_starts(tmp_path: Path) -> None:
    """In one line, and without a lab."""
    (tmp_path / "file").write_text("")
    done = lab("run", "power9", "--report", str(tmp_path / "file"))
    assert done.exit_code == 1
    assert done.output == f"Error: lab: {tmp_path / 'file'}: File exists\n"
    assert not list(labs())


def test_report_of_an_earlier_run_goes_and_files_of_others_stay(tmp_path: Path) -> None:
    """What is left where the lab does not come up must not be taken for its report."""
    for name in ("lab-console.log", "lab-console-1.log", "lab-up.json", "lab-inventory.yml", "lab-notes.txt"):
        (tmp_path / name).write_text("")
    report = RunReport("", "", complete=True, incomplete_because="", tool={"pytest-nestvirt": "1"}, catalogue_digest="",
                       inventory_digest="", inventory_files=())  # fmt: skip
    (tmp_path / "result.json").write_text(to_json(report))
    (tmp_path / "lab-amd").mkdir()
    lab_run._prepare(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir() if path.name not in {"cache", "state"}) == [
        "lab-amd",
        "lab-notes.txt",
    ]


def test_closed_terminal_ends_no_command_that_ignores_it() -> None:
    """nohup(1) has SIGHUP ignored, and it stays so while a lab runs."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with lab_run._ended_in_order():
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
            assert callable(signal.getsignal(signal.SIGTERM))
    finally:
        signal.signal(signal.SIGHUP, before)


def test_pytest_that_breaks_down_has_judged_nothing(tmp_path: Path) -> None:
    """Whatever report it left."""
    case = next(case for case in CASES if case.name == "power9")
    report = RunReport("", "", complete=True, incomplete_because="", tool={}, catalogue_digest="", inventory_digest="",
                       inventory_files=())  # fmt: skip
    (tmp_path / "result.json").write_text(to_json(report))
    assert lab_run._deviations(case, tmp_path, 1)
    with pytest.raises(LabError, match="pytest ended with 3, so its report can't be trusted"):
        lab_run._deviations(case, tmp_path, 3)
