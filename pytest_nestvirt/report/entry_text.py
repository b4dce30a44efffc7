"""One entry in words: the block under a heading, the heading, and the line of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pytest_nestvirt.report.case import Case, level_label
from pytest_nestvirt.report.case_text import field, headline, listing, render_case
from pytest_nestvirt.report.entry import Entry
from pytest_nestvirt.report.layout import cut
from pytest_nestvirt.report.sanitize import plain
from pytest_nestvirt.verdict import VERIFIED, Verdict

NAMED = 5
"""How many machines an entry names before it counts the rest."""
HEADING = 90
"""Columns of a heading."""


def is_about_machines(entry: Entry) -> bool:
    """Whether it is one thing about a machine or several, and not a case that stands for itself."""
    return len(entry.cases) > 1 or entry.verdict is Verdict.UNREACHABLE


def heading(entry: Entry) -> str:
    """`unreachable: kvm01 (L0), 59 checks`, `inconclusive: 24 machines, 480 checks`, or headline and source of the only case."""
    if not is_about_machines(entry):
        case = entry.cases[0]
        return cut(f"{headline(case)} [{case.source}, {plain(case.section, 60)}]", HEADING)
    first, hosts = entry.cases[0], entry.hosts
    who = f"{plain(first.host, 60)} ({level_label(first.level)})" if len(hosts) == 1 else f"{len(hosts)} {_noun(entry)}"
    return f"{entry.verdict}: {who}, {counted(len(entry.cases), 'check')}"


def block(entry: Entry, *, every_machine: bool = False, whole_case: bool = False) -> str:
    """What a person needs to know and to do, below the heading."""
    if is_about_machines(entry):
        return "\n".join(_about_machines(entry, every_machine=every_machine))
    case = entry.cases[0]
    return "\n".join(render_case(case).splitlines()[1:] if whole_case else _brief(case))


def line(entry: Entry) -> str:
    """The reason, with what it is about."""
    if not is_about_machines(entry):
        return f"{entry.cases[0].requirement}: {entry.reason or entry.cases[0].statement}"
    example = f" ({plain(entry.cases[0].host, 60)})" if len(entry.hosts) > 1 else ""
    return f"{counted(len(entry.cases), 'check')}: {entry.reason}{example}"


def names(hosts: Sequence[str], limit: int = NAMED) -> str:
    """`a, b, c and 9 more`."""
    more = f" and {len(hosts) - limit} more" if len(hosts) > limit else ""
    return f"{', '.join(plain(host, 60) for host in hosts[:limit])}{more}"


def counted(number: int, noun: str) -> str:
    """`1 check`, `2 checks`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _noun(entry: Entry) -> str:
    return "machines" if entry.cases[0].level is not None else "objects"


def _about_machines(entry: Entry, *, every_machine: bool) -> Iterator[str]:
    many = len(entry.hosts) > 1
    example = f" ({plain(entry.cases[0].host, 60)}; the others alike)" if many else ""
    yield from field("why", f"{entry.reason}{example}", 4)
    if many:
        shown = [plain(host, 60) for host in entry.hosts] if every_machine else [names(entry.hosts)]
        yield from listing(_noun(entry), shown)
    yield from listing("checks", entry.requirements)


def _brief(case: Case) -> Iterator[str]:
    yield from field("statement", case.statement, 2)
    yield from field("seen" if case.verdict in VERIFIED else "why", case.reason, 3)
    yield from field("remedy", case.remedy, 2)
