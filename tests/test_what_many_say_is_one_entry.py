"""What many checks or machines have in common is shown once, with a count; what differs is never united."""

from __future__ import annotations

import pytest
from report_runs import case, fleet_run, host, run

from pytest_nestvirt.report.case import ChainReport, HostReport
from pytest_nestvirt.report.entry import FEW, Entry, Likeness, entries
from pytest_nestvirt.report.entry_text import block, heading, line
from pytest_nestvirt.report.overview import MOST
from pytest_nestvirt.report.summary import FEW_CHAINS, summary_lines
from pytest_nestvirt.verdict import Verdict

SCREEN = 50
FLEET_AT_100_COLUMNS = """\
  chains        100 does not conform: kvm001 > kvm001-l1, kvm006 > kvm006-l1, kvm011 > kvm011-l1 and
                97 more
  chains        50 nothing verified: kvm000 > kvm000-l1, kvm010 > kvm010-l1, kvm020 > kvm020-l1 and
                47 more
  chains        50 undecided: kvm007 > kvm007-l1, kvm017 > kvm017-l1, kvm027 > kvm027-l1 and 47 more
  chains        300 conforms
  support       rhel8: 100 unsupported, 400 supported
  verdicts      200 fail, 200 unreachable, 100 inconclusive (100 of a must), 1500 pass
  unreachable   kvm000, kvm010 and 48 more: 150 checks: connect: kvm000.example.org (192.0.2.0:22)…
                kvm000-l1, kvm010-l1 and 48 more: 50 checks: through kvm000: connect: kvm000.exampl…
  fail          RHEL8-INTEL-NESTED-ON on kvm001, kvm006 and 98 more: kvm_intel of kvm001 has nested…
                RHEL8-INTEL-PERSIST on kvm001, kvm006 and 98 more: kvm_intel of kvm001 has nested=N
  inconclusive  kvm007, kvm017 and 48 more: 100 checks: etc/modprobe.d/: reading it was refused (kv…
  more          -v shows every chain; result.json (--nestvirt-report=DIR) has every case

1000 machines, 500 chains, 300 of them conforming; requirements: 1700 verified, 300 not;
catalogue 3f2a9c81b2d4
"""


def united(*cases: object, hosts: tuple[HostReport, ...] = (), few: int = FEW) -> list[Entry]:
    """The entries of these cases."""
    return list(entries(cases, Likeness(hosts), few))  # type: ignore[arg-type]


def test_a_fleet_of_500_chains_fits_a_screen() -> None:
    """Totals by state and stance, then the reasons; the whole of it, as a person sees it."""
    assert "\n".join(each.text for each in summary_lines(fleet_run(500), 100)) + "\n" == FLEET_AT_100_COLUMNS


def test_a_fleet_in_which_everything_differs_fits_a_screen() -> None:
    """Each sort is bounded, and what is left out is counted."""
    names = [f"kvm{number}" for number in range(500)]
    verdicts = [verdict for verdict in Verdict if verdict is not Verdict.PASS]
    cases = [
        case(f"A-{name}", name, verdict=v, reason=f"{v} of its own: {'x' * len(name)}{name[3:]}9")
        for name in names
        for v in verdicts
    ]
    hosts = tuple(host(name, contradiction=f"{name} is another machine") for name in names)
    chains = tuple(ChainReport(name, (name,), notes=(f"B-{name}: they disagree",)) for name in names)
    lines = summary_lines(run(*cases, hosts=hosts, chains=chains), 100)
    assert len(lines) <= SCREEN
    assert f"… and {500 - MOST + 1} more" in " ".join(each.text for each in lines)


def test_every_chain_has_its_block_where_a_person_asks() -> None:
    """And where they are few."""
    headings = [each.text for each in summary_lines(fleet_run(10), 100, verbose=True) if " > " in each.text[:20]]
    assert headings[0] == "kvm000 > kvm000-l1: nothing verified (rhel8: supported)" or headings[0].endswith(
        "nothing verified"
    )
    assert len(headings) == 10
    few = " ".join(each.text for each in summary_lines(fleet_run(FEW_CHAINS), 100))
    assert "kvm004 > kvm004-l1: conforms" in few
    assert "  chains  " not in few


def test_a_machine_that_no_requirement_speaks_of_is_lost_all_the_same() -> None:
    """It has no case, and an entry."""
    hosts = (*(host(f"kvm{n}") for n in range(9)), host("lost", reachable=False, trouble="no route to 192.0.2.1"))
    chains = tuple(ChainReport(each.name, (each.name,)) for each in hosts)
    text = "\n".join(each.text for each in summary_lines(run(case(), hosts=hosts, chains=chains), 100))
    assert "  unreachable   lost: no route to 192.0.2.1" in text


def test_one_machine_out_of_reach_is_one_entry_with_all_ids() -> None:
    """Its checks have nothing else to say."""
    lost = [case(f"A-{n}", verdict=Verdict.UNREACHABLE, reason="connect: no route") for n in range(70)]
    (entry,) = united(*lost)
    assert heading(entry) == "unreachable: kvm01 (L0), 70 checks"
    told = " ".join(block(entry).split())
    assert "why connect: no route" in told
    assert all(f" {each.requirement}" in told for each in lost)
    assert line(entry) == "70 checks: connect: no route"


@pytest.mark.parametrize("machines", [FEW, FEW + 1])
def test_few_machines_have_an_entry_each_and_many_have_one(machines: int) -> None:
    """Names and addresses of a machine do not make its reason another one."""
    lost = [
        case(host=f"kvm{n}", verdict=Verdict.UNREACHABLE, reason=f"connect: 192.0.2.{n}:22 refused kvm{n}")
        for n in range(machines)
    ]
    found = united(*lost)
    assert len(found) == (machines if machines <= FEW else 1)
    if len(found) == 1:
        assert heading(found[0]) == "unreachable: 6 machines, 6 checks"
        assert "kvm0, kvm1, kvm2, kvm3, kvm4 and 1 more" in block(found[0])
        assert "kvm5" in block(found[0], every_machine=True)
        assert "(kvm0; the others alike)" in block(found[0])


def test_names_of_machines_above_and_addresses_of_version_6_count_as_well() -> None:
    """A guest is lost with its host, and the reason names the host."""
    hosts = tuple(
        each
        for n in range(9)
        for each in (host(f"top{n}", where=f"root@top{n}.example.org:22"), host(f"sub{n}", 1, f"top{n}"))
    )
    reasons = ["through top{}", "top{}.example.org is unknown", "[fe80::{}]:22 refused", "sub{} hung up"]
    for reason in reasons:
        lost = [case(host=f"sub{n}", verdict=Verdict.UNREACHABLE, reason=reason.format(n)) for n in range(9)]
        assert len(united(*lost, hosts=hosts)) == 1, reason


def test_what_differs_is_not_united() -> None:
    """Another reason, another verdict, or another requirement that fails."""
    for reasons in (("nested=N", "nested=0"), ("rhel 8.1", "rhel 8.2"), ("etc/a: refused", "etc/b: refused")):
        cases = [case(host=f"kvm{n}", verdict=Verdict.INCONCLUSIVE, reason=reasons[n % 2]) for n in range(20)]
        assert len(united(*cases)) == 2, reasons
    verdicts = [case(f"A-{v}", verdict=v, reason="same") for v in Verdict]
    assert len(united(*verdicts)) == len(Verdict)
    fails = [case(f"A-{n}", verdict=Verdict.FAIL, reason="same") for n in range(20)]
    assert len(united(*fails)) == 20


def test_a_fail_of_few_machines_is_a_block_of_its_own() -> None:
    """Short: what the document says, what was seen, what to do."""
    (entry,) = united(case(verdict=Verdict.FAIL, reason="flag ept is missing"))
    assert heading(entry) == "RHEL8-INTEL-CPU-FLAGS: fail on kvm01 (L0) [rhel8, 18.1, prerequisites]"
    assert block(entry).splitlines() == [
        "  statement  An Intel host offers both vmx and ept.",
        "  seen       flag ept is missing",
        "  remedy     Switch VT-x on in the firmware, or use a processor that has extended page tables.",
    ]
    assert "  source     rhel8" in block(entry, whole_case=True)


def test_no_case_is_lost_among_the_entries() -> None:
    """Each is in exactly one."""
    cases = fleet_run(60).cases
    for few in (1, FEW):
        found = [id(each) for entry in united(*cases, hosts=fleet_run(60).hosts, few=few) for each in entry.cases]
        assert sorted(found) == sorted(map(id, cases))
