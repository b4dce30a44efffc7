"""An inventory that puts a machine where it is not certifies nothing: neither yes nor no, whichever document judges."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from report_runs import case, host, run
from small_runs import inventory, run_pytest

from pytest_nestvirt.report.chain_state import ChainState, chain_results
from pytest_nestvirt.report.junit import to_junit
from pytest_nestvirt.report.summary import summary_lines
from pytest_nestvirt.verdict import Verdict

ROOT = Path(__file__).parent.parent
RECORDED = ROOT / "inventories" / "recorded"
TOLD = "inventory and machine contradict each other: kvm01 has `provider: vsphere`, and rhel8-l1 runs on kvm"


def _recorded(name: str, **more: object) -> dict[str, object]:
    return {"connection": "recorded", "path": str(RECORDED / name), **more}


INVENTORIES: dict[str, tuple[str, dict[str, object], str]] = {
    "RHEL 8, below a host that nobody looks at": (
        "rhel8",
        {"provider": "vsphere", "connection": "none", "guests": {"l1": _recorded("intel-l1", via="none")}},
        "top has `provider: vsphere`, and l1 runs on kvm",
    ),
    "VirtRigaud, below an ESXi that was looked at": (
        "virtrigaud",
        _recorded("esxi-l0", provider="vsphere", guests={"l1": _recorded("pve-l1", domain="nested-hypervisor")}),
        "l1 is another machine than the one that its parent runs",
    ),
    "Ubuntu, below its own host": (
        "ubuntu",
        _recorded("ubuntu-intel-l0", guests={"l1": _recorded("esxi-l1", domain="ubuntu-l1")}),
        "l1 is another machine than the one that its parent runs",
    ),
    "Ubuntu, at an address that leads back": (
        "ubuntu",
        _recorded("ubuntu-intel-l0", guests={"l1": _recorded("ubuntu-intel-l0", domain="ubuntu-l1")}),
        "l1 and top are one and the same system",
    ),
}


@pytest.mark.parametrize("claim", INVENTORIES)
def test_no_document_certifies_a_machine_that_is_elsewhere(claim: str, tmp_path: Path) -> None:
    """The chain is undecided, its support not stated, the run no success, and one line says what contradicts what."""
    profile, top, told = INVENTORIES[claim]
    inventory(tmp_path, {"top": top})
    suite = f"{ROOT / 'suites' / profile}"
    done = run_pytest(
        tmp_path, "--hosts=inventory.yml", "--nestvirt-report=out", f"--nestvirt-profile={profile}", suite
    )
    assert done.returncode == 1, done.stdout
    assert "top > l1: undecided" in done.stdout
    result = json.loads((tmp_path / "out" / "result.json").read_text())
    assert told in result["hosts"][1]["contradiction"]
    assert [stance["stance"] for stance in result["chains"][0]["stances"]] == ["not-stated"]
    junit = ET.parse(tmp_path / "out" / "top--l1" / "junit.xml").getroot()
    assert int(junit.get("errors", 0)) + int(junit.get("failures", 0)) > 0


def test_reports_say_what_contradicts_what() -> None:
    """In the terminal's block and as an error in JUnit, though every verdict is a pass."""
    hosts = (host(), host("rhel8-l1", 1, "kvm01", contradiction=TOLD))
    report = run(case(), case("RHEL8-OS-L1", "rhel8-l1", 1), hosts=hosts)
    (result,) = chain_results(report)
    assert result.state is ChainState.UNDECIDED
    assert TOLD in " ".join(" ".join(line.text for line in summary_lines(report, 100)).split())
    assert "rhel8-l1 runs on kvm" in to_junit(result, report)


def test_what_surely_fails_stays_a_failure() -> None:
    """A contradiction is no excuse: a must that does not hold says no all the same."""
    hosts = (host(), host("rhel8-l1", 1, "kvm01", contradiction=TOLD))
    (result,) = chain_results(run(case(verdict=Verdict.FAIL), hosts=hosts))
    assert result.state is ChainState.DOES_NOT_CONFORM
