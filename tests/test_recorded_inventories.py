"""The embedded inventories of recorded machines, run as their users run them: verdicts, stances, exit status."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True, slots=True)
class Run:
    """How one run of pytest over an inventory ended."""

    status: int
    output: str
    result: dict[str, Any]
    """`result.json`, with what does not apply among the cases."""

    def hosts(self, verdict: str, source: str = "rhel8") -> dict[str, set[str]]:
        """The requirements of a source with that verdict, by host; hosts that have none are left out."""
        found: dict[str, set[str]] = {}
        for case in self.result["cases"]:
            if case["verdict"] == verdict and case["source"] == source:
                found.setdefault(case["host"], set()).add(case["requirement"])
        return found

    def verdict(self, requirement: str, host: str) -> str:
        """The verdict of one requirement on one machine."""
        cases = {(case["requirement"], case["host"]): case for case in self.result["cases"]}
        return str(cases[requirement, host]["verdict"])

    def stances(self, source: str = "rhel8") -> dict[str, str]:
        """What a document says of the support of each chain that it judges, by the name of its last host."""
        return {
            chain["hosts"][-1]: stance["stance"]
            for chain in self.result["chains"]
            for stance in chain["stances"]
            if stance["source"] == source
        }


def run(name: str, reports: Path) -> Run:
    """`pytest --hosts=inventories/NAME.yml`, with the reports left in a directory."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", f"--hosts=inventories/{name}.yml", f"--nestvirt-report={reports}"),
            *("-p", "no:cacheprovider", "-q"),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    output = done.stdout + done.stderr
    assert (reports / "result.json").exists(), output
    result = json.loads((reports / "result.json").read_text())
    result["cases"] += put_aside(result)
    return Run(done.returncode, output, result)


def put_aside(result: dict[str, Any]) -> list[dict[str, Any]]:
    """What does not apply to the hosts, as cases."""
    return [
        {"requirement": name, "source": result["requirements"][name]["source"], "host": host["name"]}
        | {"verdict": "not-applicable"}
        for host in result["hosts"]
        for group in host["not_applicable"]
        for name in group["requirements"]
    ]


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The machines that conform."""
    return run("recorded", tmp_path_factory.mktemp("recorded"))


@pytest.fixture(scope="module")
def bad(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The machines that do not."""
    return run("recorded-violations", tmp_path_factory.mktemp("violations"))


# ---- recorded.yml


def test_the_conforming_machines_end_in_success(good: Run) -> None:
    """Exit status 0, and nothing that would deserve another."""
    assert good.status == 0, good.output
    bad = {"fail", "error", "unreachable", "blocked"}
    assert [case for case in good.result["cases"] if case["verdict"] in bad] == []


def test_no_must_is_left_undecided_on_the_conforming_machines(good: Run) -> None:
    """What is inconclusive there is told by the document in passing, and is never a must."""
    undecided = [c for c in good.result["cases"] if c["verdict"] == "inconclusive"]
    obligations = {good.result["requirements"][case["requirement"]]["obligation"] for case in undecided}
    assert obligations <= {"should", "may", "info"}


def test_stances_of_the_conforming_chains(good: Run) -> None:
    """Intel is supported, in production too; the other architectures and Microsoft's hypervisors are previews; others lack support."""
    assert good.stances() == {
        "rhel84-l2": "supported",
        "rhel79-l2": "supported",
        "ws2019-l2": "supported",
        "prod-l2": "supported",
        "amd-l2": "technology-preview",
        "z15-l2": "technology-preview",
        "power9-l2": "technology-preview",
        "azure-l2": "technology-preview",
        "hyperv-l2": "technology-preview",
        "vmware-l1": "unsupported",
        "aws-l1": "unsupported",
    }


def test_production_is_warned_of_and_nothing_else(good: Run) -> None:
    """A supported chain in production gets the document's advice against it."""
    assert good.hosts("warn") == {"prod-l0": {"RHEL8-NOT-PRODUCTION", "RHEL8-DEVTEST"}}


def test_limits_are_confirmed_and_lifted(good: Run) -> None:
    """One L1 has neither APICv nor an IOMMU, the other has both; that it has them is no failure."""
    for requirement in ("RHEL8-L1-NO-APICV", "RHEL8-L1-NO-IOMMU"):
        assert good.verdict(requirement, "intel-l1") == "limit-confirmed"
        assert good.verdict(requirement, "prod-l1") == "limit-lifted"
    assert good.hosts("limit-lifted") == {"prod-l1": {"RHEL8-L1-NO-APICV", "RHEL8-L1-NO-IOMMU"}}
    for host in ("rhel84-l2", "amd-l2", "z15-l2", "power9-l2", "azure-l2"):
        assert good.verdict("RHEL8-L3", host) == "limit-confirmed"


def test_each_chain_is_judged_by_the_documents_that_speak_of_it(good: Run) -> None:
    """A RHEL chain by its vendor's document alone; Ubuntu and Gentoo hosts by their own page and by the KVM wiki."""
    judged: dict[str, set[str]] = {}
    for case in good.result["cases"]:
        if case["verdict"] != "not-applicable":
            judged.setdefault(case["host"], set()).add(case["source"])
    for host in ("intel-l0", "amd-l1", "z15-l2", "power9-l0", "azure-l1"):
        assert judged[host] == {"rhel8"}, host
    for host in ("ubuntu-intel-l0", "ubuntu-l1", "ubuntu-amd-l0", "focal-l1"):
        assert judged[host] == {"ubuntu", "kvm-wiki"}, host
    assert judged["stoney-l0"] == judged["stoney-l1"] == {"stoney", "kvm-wiki"}


def test_ubuntu_supports_its_chains_and_the_community_states_nothing(good: Run) -> None:
    """Only a vendor's page has a stance; a wiki's silence takes nothing away from it."""
    assert good.stances("ubuntu") == {"ubuntu-l2": "supported", "focal-l2": "supported"}
    assert good.stances("kvm-wiki") == good.stances("stoney") == {}


def test_documents_that_differ_are_named_where_they_judged(good: Run) -> None:
    """An Ubuntu L1 satisfies the page and the wiki, which ask for different things; on RHEL one chapter has two minds."""
    chains = {chain["hosts"][-1]: chain for chain in good.result["chains"]}
    notes = {name: "\n".join(chain["notes"]) for name, chain in chains.items()}
    assert "UBU-L1-CPU-MODE (pass), KWIKI-L1-CPU-HOST (pass)" in "\n".join(chains["ubuntu-l2"]["settled"])
    assert notes["ubuntu-l2"] == ""
    assert "RHEL8-SUP-INTEL-FULL (pass), RHEL8-NOT-PRODUCTION (warn)" in notes["prod-l2"]
    assert notes["amd-l2"] == ""


def test_shadow_vmcs_of_the_stoney_host_is_on(good: Run) -> None:
    """The recorded host has the processor, the parameter and the file."""
    for requirement in ("STONEY-SHADOW-VMCS-ON", "STONEY-INTEL-CONF", "STONEY-INTEL-RELOAD", "STONEY-LIBVIRT-AUTO"):
        assert good.verdict(requirement, "stoney-l0") == "pass"
    assert good.verdict("STONEY-DEFAULT-OFF", "stoney-l0") == "not-applicable"


# ---- recorded-violations.yml


def test_the_violating_machines_end_in_failure(bad: Run) -> None:
    """Exit status 1: tests failed. Nothing crashed on the way."""
    assert bad.status == pytest.ExitCode.TESTS_FAILED, bad.output
    assert bad.hosts("error") == {}


INTEL, AMD, Z, P9 = "RHEL8-INTEL", "RHEL8-AMD", "RHEL8-Z", "RHEL8-P9"


def ids(prefix: str, names: Iterable[str]) -> set[str]:
    """`RHEL8-AMD` and `NESTED-ON` make `RHEL8-AMD-NESTED-ON`."""
    return {f"{prefix}-{name}" for name in names}


FAILS = {
    "intel-off-l0": ids(INTEL, ["CPU-FLAGS", "NESTED-ON", "PERSIST"]) | {"RHEL8-OS-L0"},
    "intel-off-l1": ids(INTEL, ["L1-PASSTHROUGH", "L1-CPU-REWRITE"]) | {"RHEL8-OS-L1"},
    "ws2022-l2": {"RHEL8-OS-L2-WS2019"},
    "win10-l2": {"RHEL8-OS-L2-WS2016"},
    "intel-bios-l0": {"RHEL8-INTEL-CPU-FLAGS", "RHEL8-OS-L0"},
    "amd-off-l0": ids(AMD, ["NESTED-ON", "PERSIST"]),
    "amd-off-l1": {"RHEL8-AMD-L1-PASSTHROUGH"},
    "z-nosie-l0": {"RHEL8-Z-CPU-SIE"},
    "z-hpage-l0": {"RHEL8-Z-PERSIST"},
    "power9-off-l0": ids(P9, ["NESTED-ON", "PERSIST"]),
    "power9-off-l1": ids(P9, ["L1-RHEL8", "NESTED-HV-L1", "CAP-NESTED-HV", "WORKS-L0L1", "NO-P8COMPAT-L1"]),
    "power8-l0": {"RHEL8-ARCH-LIST"},
    "virtual-l0": {"RHEL8-L0-PHYSICAL"},
}


def test_exactly_the_intended_requirements_fail(bad: Run) -> None:
    """Each machine fails for what was done to it, and for nothing else."""
    assert bad.hosts("fail") == FAILS


def test_an_l1_without_kvm_is_a_consequence_while_nesting_is_off(bad: Run) -> None:
    """The cause is reported once, on the host whose nesting is off."""
    assert bad.hosts("blocked") == {
        "intel-off-l1": {"RHEL8-INTEL-CREATE-L2"},
        "amd-off-l1": {"RHEL8-AMD-CREATE-L2"},
        "power9-off-l1": {"RHEL8-P9-CREATE-L2"},
    }


def test_only_the_host_without_a_listener_is_unreachable(bad: Run) -> None:
    """A refused connection gives the verdict to every statement about that host, and says so in its report."""
    assert set(bad.hosts("unreachable")) == {"unreachable-l0"}
    assert "RHEL8-OS-L0" in bad.hosts("unreachable")["unreachable-l0"]
    (host,) = (host for host in bad.result["hosts"] if host["name"] == "unreachable-l0")
    assert not host["reachable"]
    assert "refused" in host["trouble"].lower()


def test_what_cannot_be_seen_is_inconclusive(bad: Run) -> None:
    """A module that is not loaded has nesting neither on nor off, and a machine of which nothing is known no verdict."""
    assert bad.verdict("RHEL8-INTEL-NESTED-ON", "intel-bios-l0") == "inconclusive"
    assert bad.verdict("RHEL8-Z-NESTED-ON", "z-nosie-l0") == "inconclusive"
    sparse = {c["verdict"] for c in bad.result["cases"] if c["host"] == "sparse-l0"}
    assert "inconclusive" in sparse
    assert not sparse & {"pass", "fail", "warn", "limit-confirmed", "limit-lifted"}


def test_an_l3_lifts_its_limit_and_the_support(bad: Run) -> None:
    """A guest that runs with KVM inside an L2 is no failure; it is unsupported."""
    assert bad.verdict("RHEL8-L3", "deep-l2") == "limit-lifted"


def test_stances_of_the_violating_chains(bad: Run) -> None:
    """None is supported; what does not work by the document is told from what merely lacks support."""
    stances = bad.stances()
    assert "supported" not in stances.values()
    expected = {
        "ws2022-l2": "unsupported",
        "win10-l2": "unsupported",
        "intel-bios-l0": "unsupported",
        "amd-off-l1": "technology-preview",
        "z-nosie-l0": "technology-preview",
        "z-hpage-l1": "technology-preview",
        "power9-off-l1": "not-working",
        "power8-l1": "not-working",
        "deep-l3": "unsupported",
        "virtual-l0": "unsupported",
        "rocky-l0": "unsupported",
    }
    assert {name: stances.get(name) for name in expected} == expected


def test_chains_that_only_lack_support_fail_nothing(bad: Run) -> None:
    """A rebuild and an L3 are matters of stance, never of verdict."""
    lacking = {"deep-l0", "deep-l1", "deep-l2", "deep-l3", "rocky-l0"}
    assert not lacking & set(bad.hosts("fail"))


def test_other_documents_find_what_was_done_to_their_machines(bad: Run) -> None:
    """Ubuntu's host fails for the file that switches nesting off, stoney cloud's for the page's own line, which the module refuses; no more, no less."""
    assert bad.hosts("fail", "ubuntu") == {
        "ubuntu-off-l0": {"UBU-NESTED-VALUE", "UBU-PERSIST-FILE"},
        "bionic-l1": {"UBU-L1-CPU-MODE"},
    }
    assert bad.hosts("blocked", "ubuntu") == {"bionic-l1": {"UBU-L1-FLAG", "UBU-L1-FLAG-VENDOR"}}
    assert bad.hosts("fail", "stoney") == {"stoney-amd-l0": {"STONEY-AMD-CONF", "STONEY-AMD-RELOAD"}}
    assert bad.hosts("fail", "kvm-wiki") == {
        "ubuntu-off-l0": {"KWIKI-PARAM-VALUES"},
        "stoney-amd-l0": {"KWIKI-PARAM-VALUES", "KWIKI-TERM-L0"},
    }


def test_a_rhel_chain_is_judged_by_its_vendor_alone(bad: Run) -> None:
    """Of the other documents only machines of unknown system have verdicts beside those of RHEL's."""
    others = [c for c in bad.result["cases"] if c["source"] in {"ubuntu", "stoney", "kvm-wiki"}]
    judged = {case["host"] for case in others if case["verdict"] != "not-applicable"}
    assert judged == {"ubuntu-off-l0", "bionic-l1", "stoney-amd-l0", "unreachable-l0", "sparse-l0"}
