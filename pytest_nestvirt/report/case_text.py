"""One case in words: what the document says, what was seen where, what to do about it."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from functools import lru_cache

from pytest_nestvirt.report.case import Case, Evidence, level_label
from pytest_nestvirt.report.sanitize import block, plain
from pytest_nestvirt.verdict import VERIFIED, Verdict

WIDTH = 100
_LABEL = 13
_EVIDENCE_LINES = 7


def headline(case: Case) -> str:
    """`RHEL8-INTEL-CPU-FLAGS: fail on kvm01 (L0)`."""
    return f"{case.requirement}: {case.verdict} on {plain(case.host, 40)} ({level_label(case.level)})"


def render_case(case: Case) -> str:
    """The case as a block of at most some 25 lines of at most 100 columns, readable without knowing the check."""
    if case.verdict is Verdict.UNREACHABLE:  # said once for every statement about the host: the line must do
        return "\n".join([headline(case), *field("why", case.reason, 3)])
    fields = (
        ("statement", case.statement, 3),
        ("source", f"{case.source}, section {case.section} ({case.kind}, {case.obligation})", 2),
        ("expected", case.expected, 3),
        ("seen" if case.verdict in VERIFIED else "why", case.reason, 5),
        ("support", str(case.stance or ""), 1),
        ("remedy", case.remedy, 3),
    )
    lines = [headline(case)]
    for label, text, limit in fields:
        lines += field(label, text, limit)
    return "\n".join([*lines, *_evidence_field(case)])


@lru_cache(maxsize=4096)  # the reason of one machine is written for every requirement
def field(label: str, text: str, limit: int) -> tuple[str, ...]:
    """A labelled field of at most `limit` lines; empty where there is nothing to say."""
    lines = [line for part in block(text, limit, 4000).splitlines() for line in _wrapped(part)]
    if len(lines) > limit:
        lines = [*lines[: limit - 1], f"{lines[limit - 1][: WIDTH - _LABEL - 4]} …"]
    return tuple(_labelled(label, lines))


def listing(label: str, names: Iterable[str]) -> tuple[str, ...]:
    """A labelled field with all of these names, in as many lines as they need."""
    return tuple(_labelled(label, _wrapped(", ".join(names))))


def _labelled(label: str, lines: list[str]) -> Iterator[str]:
    return (f"  {label if first else '':<{_LABEL - 2}}{line}".rstrip() for line, first in _first_marked(lines))


def _first_marked(lines: list[str]) -> Iterator[tuple[str, bool]]:
    return ((line, place == 0) for place, line in enumerate(lines))


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH - _LABEL, break_on_hyphens=False)


def _evidence_field(case: Case) -> list[str]:
    lines = [line for evidence in case.evidence for line in _evidence(evidence, case.host)]
    if len(lines) > _EVIDENCE_LINES:
        more = len(lines) - _EVIDENCE_LINES + 1
        lines = [*lines[: _EVIDENCE_LINES - 1], f"… ({more} more lines in result.json)"]
    return [f"  {'evidence' if first else '':<{_LABEL - 2}}{line}" for line, first in _first_marked(lines)]


def _evidence(evidence: Evidence, host: str) -> list[str]:
    """`cpu.flags = vmx, ... [proc/cpuinfo]`, with the machine where it is another than the case's; two lines at most."""
    return textwrap.wrap(
        evidence_text(evidence, host, 90),
        WIDTH - _LABEL,
        subsequent_indent="  ",
        break_on_hyphens=False,
        max_lines=2,
        placeholder=" …",
    )


def evidence_text(evidence: Evidence, host: str, limit: int) -> str:
    """One fact on one line, its value bounded to `limit` characters, with the section that decided it."""
    where = "" if evidence.host == host else f"{plain(evidence.host, 80)}: "
    sources = _sources(evidence.sources)
    value = plain(evidence.value, limit)
    return f"{where}{plain(evidence.fact, 80)} = {value}{f' [{sources}]' if sources else ''}"


def _sources(sources: tuple[str, ...]) -> str:
    """The first, which the fact was read from, and how many others it depends on; `result.json` names those."""
    more = len(sources) - 1
    return f"{plain(sources[0], 120)}{f' and {more} more' if more > 0 else ''}" if sources else ""
