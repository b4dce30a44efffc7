"""What people read: the message of one case and the summary at the end of a run."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from report_runs import ANY_EVIDENCE, HOSTILE, case, host, run, violating_run

from pytest_nestvirt.catalogue.requirement import Stance
from pytest_nestvirt.report.case import ChainReport, Evidence, RunReport, StanceReport
from pytest_nestvirt.report.case_text import headline, render_case
from pytest_nestvirt.report.properties import user_properties
from pytest_nestvirt.report.summary import LISTED, summary_lines
from pytest_nestvirt.verdict import Obligation, Verdict

AT_80_COLUMNS = """\
kvm01 > rhel8-l1 > rhel8-l2: does not conform
  L0            kvm01: rhel 8.6, x86_64, Intel Xeon Gold 6130
  L1            rhel8-l1: rhel 8.6, x86_64, Intel Xeon Processor (Skylake, IBRS)
  L2            rhel8-l2: not looked at
  verdicts      1 fail, 1 unreachable, 1 inconclusive (1 of a must), 1 warn,
                1 limit-lifted, 1 limit-confirmed, 2 pass, 18 not-run
                41 not-applicable
  rhel8         unsupported: RHEL8-INTEL-CPU-FLAGS on kvm01 (fail)
  unreachable   rhel8-l2: no route to 192.168.123.12 port 22 through rhel8-l1;
                check that the guest runs and sshd listens
  fail          RHEL8-INTEL-CPU-FLAGS on kvm01: flag ept is missing on 96 of 96
                processors
  inconclusive  RHEL8-INTEL-PERSIST on kvm01: etc/modprobe.d/: reading it was
                refused (Permission denied)
  warn          RHEL8-NOT-PRODUCTION on kvm01: the inventory says environment:
                prod
  limit lifted  RHEL8-L1-NO-IOMMU on rhel8-l1: An L1 gets no virtual IOMMU.
  limit holds   RHEL8-L1-NO-APICV on rhel8-l1: An L1 gets no APICv.
  not run       7 need permission `l2`, 9 need permission `reload`, 2 cannot be
                observed by any check

epyc01 > amd-l1: conforms (rhel8: technology-preview)
  L0            epyc01: [sosreport] rhel 8.8, x86_64, AMD EPYC 7543 32-Core Pro…
  L1            amd-l1: [directory] rhel 8.8, x86_64, AMD EPYC-Milan Processor
  verdicts      3 pass
  rhel8         technology-preview: RHEL8-TP-AMD on epyc01 (pass)

5 machines, 2 chains, 1 of them conforming; requirements: 9 verified, 20 not;
catalogue 3f2a9c81b2d4
"""


def text(report: RunReport, width: int = 140) -> str:
    """The summary as it stands on the terminal, without colours."""
    return "\n".join(line.text for line in summary_lines(report, width)) + "\n"


def test_the_summary_at_80_columns() -> None:
    """The whole of it, as a person sees it."""
    assert text(violating_run(), 80) == AT_80_COLUMNS


@pytest.mark.parametrize("width", [60, 80, 100, 140])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    """Not with long names and hostile reasons either."""
    long_name = "a-rather-long-name-of-a-host-" * 8
    report = run(
        case(host=long_name, verdict=Verdict.FAIL, reason=HOSTILE * 100),
        hosts=(host(long_name, identity="x" * 500, trouble="y " * 400),),
        complete=False,
        because="z " * 500,
    )
    for line in (*summary_lines(report, width), *summary_lines(violating_run(), width)):
        assert len(line.text) <= width
        assert line.text.isprintable()


def test_the_state_is_never_cut_off() -> None:
    """The name of the chain gives way."""
    report = run(case(verdict=Verdict.FAIL), chains=(ChainReport("n" * 300, ("kvm01",)),))
    assert summary_lines(report, 80)[0].text.endswith("n…: does not conform")


def test_support_in_doubt_is_said_beside_the_state() -> None:
    """A chain that conforms and that its vendor does not support does not look like one that he does."""
    chain = ChainReport("kvm01", ("kvm01",), (StanceReport("rhel8", Stance.UNSUPPORTED, ("RHEL8-L0-AWS (fail)",)),))
    heading = summary_lines(run(case(), chains=(chain,)), 80)[0]
    assert heading.text == "kvm01: conforms (rhel8: unsupported)"
    assert "green" not in heading.styles


def test_green_is_for_conforming_and_supported_chains_only() -> None:
    """Every other heading has another colour."""
    supported = ChainReport("kvm01", ("kvm01",), (StanceReport("rhel8", Stance.SUPPORTED, ()),))
    assert "green" in summary_lines(run(case(), chains=(supported,)), 80)[0].styles
    for verdict in Verdict:
        if verdict not in {Verdict.PASS, Verdict.LIMIT_CONFIRMED, Verdict.LIMIT_LIFTED}:
            report = run(case(verdict=verdict), chains=(supported,))
            assert not any("green" in line.styles for line in summary_lines(report, 80)), verdict


@settings(max_examples=60, deadline=None)
@given(verdicts=st.lists(st.sampled_from([Verdict.PASS, Verdict.NOT_APPLICABLE, Verdict.NOT_RUN]), max_size=3))
def test_a_bad_chain_has_no_line_that_reads_like_success(verdicts: list[Verdict]) -> None:
    """With a fail, an inconclusive must or a lost machine among whatever else."""
    others = [case(f"A-{n}", verdict=verdict) for n, verdict in enumerate(verdicts)]
    for bad in (Verdict.FAIL, Verdict.UNREACHABLE, Verdict.INCONCLUSIVE):
        told = text(run(*others, case("A-BAD", verdict=bad)))
        assert ": conforms" not in told
        assert "0 of them conforming" in told


def test_long_lists_are_bounded_and_counted() -> None:
    """Nobody reads 300 lines; how many there are is said."""
    told = text(run(*(case(f"A-{n}", verdict=Verdict.FAIL, reason="no") for n in range(300))))
    assert told.count(" on kvm01: no") == LISTED - 1
    assert "… and 291 more" in told


def test_an_incomplete_run_says_so() -> None:
    """And why."""
    told = text(run(case(), complete=False, because="the run was interrupted"))
    assert "kvm01: undecided\n" in told
    assert "this run is incomplete: the run was interrupted\n" in told


def test_a_run_without_machines_says_so() -> None:
    """Nothing at all is a line, too."""
    nothing = replace(run(), hosts=(), chains=())
    assert text(nothing).startswith("0 machines, 0 chains, 0 of them conforming; requirements: 0 verified, 0 not")


def test_a_limitation_says_what_it_is() -> None:
    """A limitation that holds has no reason of its own; its statement stands there."""
    told = text(run(case(verdict=Verdict.LIMIT_CONFIRMED, statement="An L1 gets no APICv.", reason="it held")))
    assert "limit holds   RHEL8-INTEL-CPU-FLAGS on kvm01: An L1 gets no APICv." in told


def test_a_failure_can_be_read_without_knowing_the_code() -> None:
    """Statement, source, expected, seen, remedy, evidence, in columns."""
    other = Evidence("kvm00", 0, "kvm.nested", "False", ("sys/module/kvm_intel/parameters/nested",))
    told = case(verdict=Verdict.FAIL, reason="flag ept is missing", evidence=(*ANY_EVIDENCE, other))
    assert render_case(told).splitlines() == [
        "RHEL8-INTEL-CPU-FLAGS: fail on kvm01 (L0)",
        "  statement  An Intel host offers both vmx and ept.",
        "  source     rhel8, section 18.1, prerequisites (requirement, must)",
        "  expected   vmx and ept among the flags of every processor",
        "  seen       flag ept is missing",
        "  remedy     Switch VT-x on in the firmware, or use a processor that has extended page tables.",
        "  evidence   cpu.flags = fpu, msr, vmx [proc/cpuinfo]",
        "             kvm00: kvm.nested = False [sys/module/kvm_intel/parameters/nested]",
    ]


def test_what_was_not_seen_is_not_called_seen() -> None:
    """An inconclusive case says why."""
    lines = render_case(case(verdict=Verdict.INCONCLUSIVE, reason="dev/kvm: reading it was refused")).splitlines()
    assert "  why        dev/kvm: reading it was refused" in lines
    assert not any(line.startswith("  seen") for line in lines)


def test_a_message_is_bounded_whatever_it_tells() -> None:
    """A megabyte of reason and forty facts: 25 lines, 100 columns, printable."""
    facts = tuple(Evidence("l0", 0, f"kvm.fact{n}", HOSTILE * 50, ("proc/cpuinfo",) * 9) for n in range(40))
    told = case(verdict=Verdict.FAIL, reason=HOSTILE * 20_000, statement="word " * 900, evidence=facts, host=HOSTILE)
    lines = render_case(told).splitlines()
    assert len(lines) <= 25
    assert max(map(len, lines)) <= 100
    assert all(line.isprintable() for line in lines)
    assert lines[0].isprintable()


def test_the_headline_is_one_line() -> None:
    """Id, verdict, machine and level."""
    assert headline(case(verdict=Verdict.WARN, level=1)) == "RHEL8-INTEL-CPU-FLAGS: warn on kvm01 (L1)"


def test_user_properties_carry_every_fact() -> None:
    """For pytest's own JUnit file: all of them always, the chain once for each."""
    told = case(stance=Stance.TECHNOLOGY_PREVIEW, obligation=Obligation.INFO, host="l1", level=1)
    assert user_properties(told, ["kvm01 > l1 > a", "kvm01 > l1 > b"]) == [
        ("nestvirt.requirement", "RHEL8-INTEL-CPU-FLAGS"),
        ("nestvirt.verdict", "pass"),
        ("nestvirt.stance", "technology-preview"),
        ("nestvirt.source", "rhel8"),
        ("nestvirt.level", "L1"),
        ("nestvirt.host", "l1"),
        ("nestvirt.chain", "kvm01 > l1 > a"),
        ("nestvirt.chain", "kvm01 > l1 > b"),
    ]
    assert ("nestvirt.stance", "") in user_properties(case(), [])
