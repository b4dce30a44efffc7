"""Runs to make reports of: small, and of every sort a report has to tell apart."""

from __future__ import annotations

from pytest_nestvirt.catalogue.requirement import Needs, Stance
from pytest_nestvirt.report.case import Case, ChainReport, Evidence, HostReport, RunReport, StanceReport, WhyNotRun
from pytest_nestvirt.verdict import Kind, Obligation, Verdict

HOSTILE = "a\x1b]0;owned\x07b\x1b[31mred\x1b[0m\x00\x9b2J\ud800\ufffe\u202eevil\u2066]]>&<x a='\"'>\r\n\tend"
"""Escape sequences, a NUL, a C1 control, a lone surrogate, a noncharacter, bidi controls, markup, line ends."""

ANY_EVIDENCE = (Evidence("kvm01", 0, "cpu.flags", "fpu, msr, vmx", ("proc/cpuinfo",)),)


def case(
    requirement: str = "RHEL8-INTEL-CPU-FLAGS",
    host: str = "kvm01",
    level: int | None = 0,
    verdict: Verdict = Verdict.PASS,
    *,
    kind: Kind = Kind.REQUIREMENT,
    obligation: Obligation = Obligation.MUST,
    reason: str = "",
    statement: str = "An Intel host offers both vmx and ept.",
    needs: Needs = Needs.READ_ONLY,
    not_run: WhyNotRun | None = None,
    stance: Stance | None = None,
    evidence: tuple[Evidence, ...] = (),
    seconds: float = 0.0,
    nodeid: str = "",
) -> Case:
    """One case; what is not given is plain."""
    return Case(
        requirement=requirement,
        source="rhel8",
        section="18.1, prerequisites",
        statement=statement,
        host=host,
        level=level,
        verdict=verdict,
        kind=kind,
        obligation=obligation,
        needs=needs,
        reason=reason,
        expected="vmx and ept among the flags of every processor",
        remedy="Switch VT-x on in the firmware, or use a processor that has extended page tables.",
        not_run=not_run,
        stance=stance,
        evidence=evidence,
        seconds=seconds,
        nodeid=nodeid,
    )


def host(
    name: str = "kvm01", level: int | None = 0, parent: str | None = None, **given: str | float | bool
) -> HostReport:
    """One machine that was reached over SSH."""
    told: dict[str, object] = {
        "connection": "ssh",
        "where": "192.0.2.10",
        "reachable": True,
        "origin": "ssh",
        "identity": "rhel 8.6, x86_64, Intel Xeon Gold 6130",
        **given,
    }
    return HostReport(name, level, parent, **told)  # type: ignore[arg-type]  # named as in HostReport


def run(
    *cases: Case,
    hosts: tuple[HostReport, ...] = (),
    chains: tuple[ChainReport, ...] = (),
    complete: bool = True,
    because: str = "",
) -> RunReport:
    """A run over these machines; one chain of all of them unless chains are given."""
    machines = hosts or (host(),)
    names = tuple(machine.name for machine in machines)
    return RunReport(
        started="2026-11-21T08:00:00Z",
        finished="2026-11-21T08:00:09Z",
        complete=complete,
        incomplete_because=because,
        tool={"pytest-nestvirt": "0.1.0", "python": "3.11.7", "pytest": "9.2.0"},
        catalogue_digest="3f2a9c81b2d4" + "0" * 52,
        inventory_digest="77aa" + "0" * 60,
        inventory_files=("inventory.yml",),
        hosts=machines,
        chains=chains or (ChainReport(" > ".join(names), names),),
        cases=cases,
    )


def violating_run() -> RunReport:
    """A chain of three with a bit of everything, its L2 out of reach, and an AMD chain that conforms."""
    trouble = "no route to 192.168.123.12 port 22 through rhel8-l1; check that the guest runs and sshd listens"
    intel = ("kvm01", "rhel8-l1", "rhel8-l2")
    amd = ("epyc01", "amd-l1")
    hosts = (
        host(),
        host("rhel8-l1", 1, "kvm01", identity="rhel 8.6, x86_64, Intel Xeon Processor (Skylake, IBRS)"),
        host("rhel8-l2", 2, "rhel8-l1", reachable=False, origin="", identity="", trouble=trouble),
        host("epyc01", identity="rhel 8.8, x86_64, AMD EPYC 7543 32-Core Processor", origin="sosreport"),
        host("amd-l1", 1, "epyc01", identity="rhel 8.8, x86_64, AMD EPYC-Milan Processor", origin="directory"),
    )
    limited = {"kind": Kind.LIMITATION, "obligation": Obligation.MUST}
    cases = (
        case(verdict=Verdict.FAIL, reason="flag ept is missing on 96 of 96 processors", evidence=ANY_EVIDENCE),
        case("RHEL8-INTEL-NESTED-ON", reason="", evidence=ANY_EVIDENCE),
        case(
            "RHEL8-NOT-PRODUCTION",
            verdict=Verdict.WARN,
            obligation=Obligation.SHOULD,
            kind=Kind.RECOMMENDATION,
            reason="the inventory says environment: prod",
        ),
        case(
            "RHEL8-INTEL-PERSIST",
            verdict=Verdict.INCONCLUSIVE,
            reason="etc/modprobe.d/: reading it was refused (Permission denied)",
        ),
        *(
            case(f"RHEL8-RELOAD-{n}", verdict=Verdict.NOT_RUN, needs=Needs.RELOAD, not_run=WhyNotRun.NO_PERMISSION)
            for n in range(9)
        ),
        *(case(f"RHEL8-DOC-{n}", verdict=Verdict.NOT_RUN, not_run=WhyNotRun.NOT_OBSERVABLE) for n in range(2)),
        *(case(f"RHEL8-Z-{n}", verdict=Verdict.NOT_APPLICABLE, reason="architecture is x86_64") for n in range(41)),
        case(
            "RHEL8-L1-NO-APICV",
            "rhel8-l1",
            1,
            Verdict.LIMIT_CONFIRMED,
            statement="An L1 gets no APICv.",
            **limited,  # type: ignore[arg-type]
        ),
        case(
            "RHEL8-L1-NO-IOMMU",
            "rhel8-l1",
            1,
            Verdict.LIMIT_LIFTED,
            statement="An L1 gets no virtual IOMMU.",
            **limited,  # type: ignore[arg-type]
        ),
        case("RHEL8-OS-L1", "rhel8-l1", 1),
        *(
            case(f"RHEL8-L2-{n}", "rhel8-l1", 1, Verdict.NOT_RUN, needs=Needs.L2, not_run=WhyNotRun.NO_PERMISSION)
            for n in range(7)
        ),
        case("RHEL8-OS-L2-RHEL8", "rhel8-l2", 2, Verdict.UNREACHABLE, reason=trouble),
        case("RHEL8-AMD-CPU-FLAGS", "epyc01", seconds=0.002),
        case("RHEL8-TP-AMD", "epyc01", stance=Stance.TECHNOLOGY_PREVIEW, kind=Kind.CLAIM, obligation=Obligation.INFO),
        case("RHEL8-OS-L1", "amd-l1", 1),
    )
    preview = StanceReport("rhel8", Stance.TECHNOLOGY_PREVIEW, ("RHEL8-TP-AMD on epyc01 (pass)",))
    refused = StanceReport("rhel8", Stance.UNSUPPORTED, ("RHEL8-INTEL-CPU-FLAGS on kvm01 (fail)",))
    chains = (
        ChainReport(" > ".join(intel), intel, (refused,)),
        ChainReport(" > ".join(amd), amd, (preview,)),
    )
    return run(*cases, hosts=hosts, chains=chains)


def fleet_run(chains: int) -> RunReport:
    """So many chains of an L0 and an L1: a tenth is out of reach, a fifth has nesting off, a tenth shows too little."""
    names = [f"kvm{number:03}" for number in range(chains)]
    hosts = [each for place, name in enumerate(names) for each in _fleet_hosts(name, dead=place % 10 == 0)]
    cases = [each for place, name in enumerate(names) for each in _fleet_cases(name, place % 10)]
    supported = StanceReport("rhel8", Stance.SUPPORTED, ())
    refused = StanceReport("rhel8", Stance.UNSUPPORTED, ("RHEL8-INTEL-NESTED-ON (fail)",))
    reports = (
        ChainReport(f"{name} > {name}-l1", (name, f"{name}-l1"), (refused if place % 5 == 1 else supported,))
        for place, name in enumerate(names)
    )
    return run(*cases, hosts=tuple(hosts), chains=tuple(reports))


def _fleet_hosts(name: str, *, dead: bool) -> tuple[HostReport, HostReport]:
    trouble = _refused(name) if dead else ""
    where = f"root@{name}.example.org:22"
    return (
        host(name, reachable=not dead, trouble=trouble, where=where),
        host(f"{name}-l1", 1, name, reachable=not dead, trouble=f"through {name}: {trouble}" if dead else ""),
    )


def _refused(name: str) -> str:
    return f"connect: {name}.example.org (192.0.2.{int(name[3:]) % 250}:22) refused the connection"


def _fleet_cases(name: str, kind: int) -> list[Case]:
    ids = ("RHEL8-INTEL-CPU-FLAGS", "RHEL8-INTEL-NESTED-ON", "RHEL8-INTEL-PERSIST")
    l1 = "RHEL8-INTEL-L1-PASSTHROUGH", f"{name}-l1", 1
    if kind == 0:
        reason = _refused(name)
        lost = [case(each, name, verdict=Verdict.UNREACHABLE, reason=reason) for each in ids]
        return [*lost, case(*l1, Verdict.UNREACHABLE, reason=f"through {name}: {reason}")]
    verdict, reason = {
        1: (Verdict.FAIL, f"kvm_intel of {name} has nested=N"),
        6: (Verdict.FAIL, f"kvm_intel of {name} has nested=N"),
        7: (Verdict.INCONCLUSIVE, "etc/modprobe.d/: reading it was refused"),
    }.get(kind, (Verdict.PASS, ""))
    return [case(ids[0], name), *(case(each, name, verdict=verdict, reason=reason) for each in ids[1:]), case(*l1)]
