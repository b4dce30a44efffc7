"""Claim: RHEL 8.2 and later at each level, RHEL 7.8 and later in guests, two servers of Windows in nested guests; no other."""

from __future__ import annotations

import pytest
from real_files import CORPUS, needs, rows
from recorded_machines import NOT_COLLECTED, Texts, intel_chain, rhel
from rhel8_trios import l0, l1, l2, windows
from suite_checks import catalogue_of, judged_machine, verdict_on

from pytest_nestvirt.catalogue.applicability import Applicable, suite_applies
from pytest_nestvirt.verdict import Verdict

NOTHING: Texts = dict.fromkeys(
    ("etc/os-release", "etc/redhat-release", "proc/sys/kernel/osrelease", "sos_commands/kernel/uname_-a"), NOT_COLLECTED
)
L2_RULES = ("RHEL8-OS-L2-RHEL7", "RHEL8-OS-L2-RHEL8", "RHEL8-OS-L2-WS2016", "RHEL8-OS-L2-WS2019")


def covered(files: Texts) -> list[bool]:
    """Whether a release is one that the document speaks of, on L0, L1 and L2."""
    chain = intel_chain()
    first = verdict_on("rhel8", "RHEL8-OS-L0", l0(chain, files))[0]
    second = verdict_on("rhel8", "RHEL8-OS-L1", l1(chain, files))[0]
    third = {verdict_on("rhel8", rule, l2(chain, files))[0] for rule in L2_RULES} - {Verdict.NOT_APPLICABLE}
    return [first is Verdict.PASS, second is Verdict.PASS, third == {Verdict.PASS}]


@pytest.mark.parametrize(
    "version, host, guest",
    [
        ("7.7", False, False),
        ("7.8", False, True),
        ("7.9", False, True),
        ("8.1", False, False),
        ("8.2", True, True),
        ("8.10", True, True),
        ("9.4", False, False),
        ("10.0", False, False),
    ],
)
def test_lists_of_the_rhel_8_document(version: str, host: bool, guest: bool) -> None:
    """`8.2 and later` is read within RHEL 8: later major releases have documents of their own."""
    assert covered(rhel(version)) == [host, guest, guest]


@pytest.mark.parametrize(
    "build, kind, listed", [(14393, 3, True), (14393, 1, False), (17763, 2, True), (17763, 1, False), (20348, 3, False)]
)
def test_windows_in_nested_guests(build: int, kind: int, listed: bool) -> None:
    """Windows Server 2016 and 2019 are listed for L2; Windows 10 has the same builds, and 2022 another."""
    chain = (*intel_chain()[:2], windows(build, product_type=kind))
    verdicts = {verdict_on("rhel8", rule, chain)[0] for rule in L2_RULES} - {Verdict.NOT_APPLICABLE}
    assert (verdicts == {Verdict.PASS}) is listed


@needs("expected_os.csv")
def test_release_files_of_real_systems() -> None:
    """Every row of the table is covered as it says, but for RHEL 9 and 10, which it lists by the letter of `and later`."""
    for row in rows("expected_os.csv"):
        name = "etc/os-release" if row["kind"] == "os-release" else "etc/redhat-release"
        text = (CORPUS / row["file"]).read_text(encoding="utf-8")
        files: Texts = {**NOTHING, **({"etc/redhat-release": ""} if row["kind"] == "os-release" else {}), name: text}
        later = row["id"] == "rhel" and int(row["major"]) > 8
        wanted = [row[f"rhel_{level}_supported"] == "yes" and not later for level in ("l0", "l1", "l2")]
        assert covered(files) == wanted, row
        machine = judged_machine(catalogue_of("ubuntu").requirement("UBU-DEFAULT-ON"), l0(intel_chain(), files))
        judged = suite_applies(catalogue_of("ubuntu").suites[0], machine).state is Applicable.YES
        assert judged is (row["ubuntu_nested_default"] == "yes"), row
