"""Cases that say the same thing, as one entry: what a person reads once, however many checks and machines it concerns.

Grouping is for display. Every case stays in `result.json`, in JUnit and in pytest's counts, and no verdict comes from here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from pytest_nestvirt.report.case import Case, HostReport
from pytest_nestvirt.verdict import Verdict

FEW = 5
"""So many machines with the same reason are an entry each; more are one entry."""

_OF_THE_MACHINE = frozenset({Verdict.UNREACHABLE, Verdict.INCONCLUSIVE, Verdict.ERROR})
"""Verdicts whose reason is about what could be seen of the machine, and the same for every requirement it keeps from an answer."""

_ADDRESS = re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?|\[?[0-9a-fA-F]*(?::[0-9a-fA-F]*){2,7}\]?(?::\d+)?")
_IN_WHERE = re.compile(r"@([^\s:\]]+)")
_HERE = "\N{WHITE CIRCLE}"


@dataclass(frozen=True, slots=True)
class Entry:
    """Cases of one verdict with one reason, apart from the names and addresses in it."""

    cases: tuple[Case, ...]

    @property
    def verdict(self) -> Verdict:
        """That of all of them."""
        return self.cases[0].verdict

    @property
    def reason(self) -> str:
        """That of the first; the others say the same of their own machines."""
        return self.cases[0].reason

    @property
    def hosts(self) -> tuple[str, ...]:
        """Names of the machines, each once."""
        return tuple(dict.fromkeys(case.host for case in self.cases))

    @property
    def requirements(self) -> tuple[str, ...]:
        """Ids of the requirements, each once."""
        return tuple(dict.fromkeys(case.requirement for case in self.cases))


class Likeness:
    """Recognizes reasons that differ only in names and addresses of the machine and of those above it."""

    def __init__(self, hosts: Iterable[HostReport] = ()) -> None:
        self.hosts: Mapping[str, HostReport] = {host.name: host for host in hosts}

    def of(self, host: str, text: str) -> str:
        """The text with these names and addresses taken out."""
        names = sorted(filter(None, self._names(host)), key=len, reverse=True)
        anywhere = rf"(?<![\w-])(?:{'|'.join(map(re.escape, names))})(?![\w-])"
        return _ADDRESS.sub(_HERE, re.sub(anywhere, _HERE, text))

    def _names(self, host: str) -> set[str]:
        names = {host}
        seen = self.hosts.get(host)
        while seen is not None:
            names |= {seen.name, *_IN_WHERE.findall(seen.where)}
            seen = self.hosts.get(seen.parent or "")
        return names


def entries(cases: Iterable[Case], likeness: Likeness, few: int = FEW) -> Iterator[Entry]:
    """The cases as entries, in order of their first: one machine and reason each, or all machines of which the same is true.

    A reason that is about the machine unites the requirements that it keeps from an answer; any other is that of its requirement.
    """
    of_machine: dict[tuple[Verdict, str, str, str], list[Case]] = {}
    for case in cases:
        of_machine.setdefault((case.verdict, _question(case), case.host, case.reason), []).append(case)
    alike: dict[tuple[Verdict, str, str], list[list[Case]]] = {}
    for (verdict, question, host, reason), own in of_machine.items():
        alike.setdefault((verdict, question, likeness.of(host, reason)), []).append(own)
    for members in alike.values():
        yield from _united(members, few)


def _united(members: Sequence[list[Case]], few: int) -> Iterator[Entry]:
    if len(members) > few:
        yield Entry(tuple(chain.from_iterable(members)))
    else:
        yield from (Entry(tuple(own)) for own in members)


def _question(case: Case) -> str:
    return "" if case.verdict in _OF_THE_MACHINE else case.requirement
