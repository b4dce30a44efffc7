"""`nestvirt lab`: what people are told."""

from __future__ import annotations

import platform
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pytest_nestvirt.cli import main
from pytest_nestvirt.lab import doctor
from pytest_nestvirt.lab.cases import CASES


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
    for program in ("apt-get", "dpkg-deb", "tar"):
        (tmp_path / "bin" / program).write_text("#!/bin/sh\n")
        (tmp_path / "bin" / program).chmod(0o755)
    monkeypatch.setattr(doctor, "_PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(doctor, "KEYRING", tmp_path / "bin/tar")
    done = lab("doctor")
    assert done.exit_code == 1
    assert "missing: mke2fs (package e2fsprogs)" in done.output
    assert "sudo apt-get install --no-install-recommends e2fsprogs\n" in done.output
    assert "can't start here" in lab("up", "power9").output


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
        (("up", "itanium"), "there is no case 'itanium'; there is: power9"),
        (("down", "itanium"), "there is no case 'itanium'"),
        (("ssh", "power9", "L2"), "power9 has L0, L1, no L2"),
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
