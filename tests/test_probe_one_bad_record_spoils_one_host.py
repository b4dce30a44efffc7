"""A record that cannot be read, and a fault of the tool on one machine, concern that machine: all others are judged."""

from __future__ import annotations

import json
import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from small_runs import inventory, record, run_pytest, suite, verdicts

CRASH = """\
from pytest_nestvirt.run import assessment

whole = assessment.load_recorded

def crash(host):
    if host.name == "bad":
        raise ZeroDivisionError("nobody foresaw this")
    return whole(host)

assessment.load_recorded = crash
"""


def absurd(path: Path) -> None:
    """An archive whose record of a size is beyond any machine's."""
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as archive:
        info = tarfile.TarInfo("proc/cpuinfo")
        info.pax_headers = {"size": "9" * 26}
        archive.addfile(info)


BAD: dict[str, Callable[[Path], object]] = {
    "pipe": os.mkfifo,
    "absurd size": absurd,
    "manifest of surrogates": lambda path: record(path, {}).joinpath("nestvirt-snapshot.json").write_text(
        '{"format": 1, "note": "\\ud800", "sections": {"\\udfff": {"status": "failed", "error": "\\ud800"}}}'
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_record_spoils_one_host(tmp_path: Path, kind: str) -> None:
    """Whatever stands at `path:`, the run ends with a report: the good machine passes, the run does not."""
    record(tmp_path / "good")
    BAD[kind](tmp_path / "bad")
    hosts = {name: {"connection": "recorded", "path": name} for name in ("good", "bad")}
    arguments = (f"--hosts={inventory(tmp_path, hosts)}", "--nestvirt-report=report", "house")
    suite(tmp_path)
    done = run_pytest(tmp_path, *arguments)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    found = verdicts(tmp_path / "report")
    assert found["HOUSE-VMX", "good"] == "pass"
    assert found["HOUSE-VMX", "bad"] in {"unreachable", "inconclusive"}


def test_a_fault_of_the_tool_is_the_error_of_one_host(tmp_path: Path) -> None:
    """What nobody foresaw on one machine is its `error`, with the place; the report has all machines."""
    for name in ("good", "bad"):
        record(tmp_path / name)
    (tmp_path / "conftest.py").write_text(CRASH)
    hosts = {name: {"connection": "recorded", "path": name} for name in ("good", "bad")}
    suite(tmp_path)
    done = run_pytest(tmp_path, f"--hosts={inventory(tmp_path, hosts)}", "--nestvirt-report=report", "house")
    assert done.returncode == 1, done.stdout + done.stderr
    found = verdicts(tmp_path / "report")
    assert found["HOUSE-VMX", "good"] == "pass"
    assert found["HOUSE-VMX", "bad"] == "error"
    cases = json.loads((tmp_path / "report/result.json").read_text())["cases"]
    assert any("ZeroDivisionError: nobody foresaw this (conftest.py:7)" in case["reason"] for case in cases)
