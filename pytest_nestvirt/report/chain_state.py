"""What the verdicts of a chain amount to, in one word. It reports, it does not judge: verdicts are taken as they are.

The first row that holds decides:

| state                    | the chain has                                                                       |
|--------------------------|-------------------------------------------------------------------------------------|
| `does not conform`       | a `fail`                                                                            |
| `nothing verified`       | no verdict that rests on an observation                                             |
| `undecided`              | a machine that could not be reached, an `unreachable` or `error`, an `inconclusive` |
|                          | or `blocked` must, a must that should have been looked at and was not, a machine    |
|                          | that is another one than the inventory says, or the run is incomplete; or no must   |
|                          | was verified (where none is due: no should)                                         |
| `conforms with warnings` | a `warn` or a `waived`                                                              |
| `conforms`               | none of these: everything that could be verified without changing a machine holds   |

Claims and limitations do not show that a chain conforms, nor does what is merely permitted or mentioned.
Support is another axis: a chain that conforms can be one that its vendor does not support.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from pytest_nestvirt.report.case import Case, ChainReport, HostReport, RunReport, WhyNotRun
from pytest_nestvirt.verdict import VERIFIED, Kind, Obligation, Verdict


class ChainState(StrEnum):
    """What the verdicts of one chain amount to."""

    DOES_NOT_CONFORM = "does not conform"
    NOTHING_VERIFIED = "nothing verified"
    UNDECIDED = "undecided"
    WITH_WARNINGS = "conforms with warnings"
    CONFORMS = "conforms"


CONFORMING = frozenset({ChainState.CONFORMS, ChainState.WITH_WARNINGS})


@dataclass(frozen=True, slots=True)
class ChainResult:
    """A chain with the machines and cases that are its own."""

    chain: ChainReport
    hosts: tuple[HostReport, ...]
    """From the L0 down."""
    cases: tuple[Case, ...]
    complete: bool
    """Whether the run left nothing out that it should have looked at."""

    @property
    def state(self) -> ChainState:
        """The one word."""
        verdicts = {case.verdict for case in self.cases}
        if Verdict.FAIL in verdicts:
            return ChainState.DOES_NOT_CONFORM
        if not verdicts & VERIFIED:
            return ChainState.NOTHING_VERIFIED
        if not self.complete or self.unreachable or self.contradictions or any(map(leaves_open, self.cases)):
            return ChainState.UNDECIDED
        if not shows_conformity(self.cases):
            return ChainState.UNDECIDED
        return ChainState.WITH_WARNINGS if verdicts & {Verdict.WARN, Verdict.WAIVED} else ChainState.CONFORMS

    @property
    def unreachable(self) -> tuple[HostReport, ...]:
        """Machines that the inventory says how to reach, and that could not be reached."""
        return tuple(filter(is_unreachable, self.hosts))

    @property
    def contradictions(self) -> tuple[str, ...]:
        """What shows that machines are others than the inventory says: what was found is true of another machine."""
        return tuple(host.contradiction for host in self.hosts if host.contradiction)

    def of(self, *verdicts: Verdict) -> tuple[Case, ...]:
        """The cases with one of these verdicts."""
        return tuple(case for case in self.cases if case.verdict in verdicts)


def is_unreachable(host: HostReport) -> bool:
    """Whether the machine could not be looked at although the inventory says how (`connection: none` says not to)."""
    return not host.reachable and host.connection != "none"


def leaves_open(case: Case) -> bool:
    """Whether a case leaves the chain undecided."""
    match case.verdict:
        case Verdict.UNREACHABLE | Verdict.ERROR:
            return True
        case Verdict.INCONCLUSIVE | Verdict.BLOCKED:
            return case.obligation is Obligation.MUST
        case Verdict.NOT_RUN:
            return case.obligation is Obligation.MUST and was_left_out(case)
        case _:
            return False


def was_left_out(case: Case) -> bool:
    """Whether a case did not run although it had the permission and something could have been seen."""
    return case.verdict is Verdict.NOT_RUN and case.not_run in {None, WhyNotRun.LEFT_OUT}


_BINDING = frozenset({Kind.REQUIREMENT, Kind.RECOMMENDATION, Kind.PROCEDURE})


def shows_conformity(cases: Sequence[Case]) -> bool:
    """Whether anything was verified that a conforming chain has to satisfy: a must, or a should where no must is due."""
    due = [case for case in cases if case.kind in _BINDING and case.verdict is not Verdict.NOT_APPLICABLE]
    musts = [case for case in due if case.obligation is Obligation.MUST]
    decisive = musts or [case for case in due if case.obligation is Obligation.SHOULD]
    return any(case.verdict in VERIFIED for case in decisive)


def chain_results(run: RunReport) -> Iterator[ChainResult]:
    """Every chain of the run with what belongs to it; a host of several chains belongs to each."""
    hosts = {host.name: host for host in run.hosts}
    by_host: dict[str, list[Case]] = {}
    for case in run.cases:
        by_host.setdefault(case.host, []).append(case)
    for chain in run.chains:
        own = tuple(hosts[name] for name in chain.hosts if name in hosts)
        cases = tuple(case for name in chain.hosts for case in by_host.get(name, ()))
        yield ChainResult(chain, own, cases, run.complete and len(own) == len(chain.hosts))


def verified(cases: Sequence[Case]) -> int:
    """How many of the cases rest on an observation."""
    return sum(case.verdict in VERIFIED for case in cases)
