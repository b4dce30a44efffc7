"""What the terminal says at the end of a run: a block per chain, readable at a glance, and one line in all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pytest_nestvirt.catalogue.requirement import Stance
from pytest_nestvirt.report.case import Case, HostReport, RunReport, StanceReport, level_label
from pytest_nestvirt.report.chain_state import (
    CONFORMING,
    ChainResult,
    ChainState,
    chain_results,
    verified,
)
from pytest_nestvirt.report.counts import not_run_lines, verdict_lines
from pytest_nestvirt.report.layout import UNBROKEN, Line, Style, cut, labelled, wrap
from pytest_nestvirt.report.overview import overview_lines
from pytest_nestvirt.report.sanitize import plain
from pytest_nestvirt.verdict import Obligation, Verdict

LISTED = 10
"""How many cases of one sort a block lists before it counts the rest."""


FEW_CHAINS = 5
"""So many chains have a block each; of more there is an overview, and the blocks where they are asked for."""


def summary_lines(run: RunReport, width: int, *, verbose: bool = False) -> list[Line]:
    """What the run found out, for a terminal of that many columns: a block per chain if they are few or `verbose`."""
    results = list(chain_results(run))
    lines: list[Line] = []
    if verbose or len(results) <= FEW_CHAINS:
        lines += [line for result in results for line in (*_block(result, width), Line(""))]
    if len(results) > FEW_CHAINS:
        lines += [*overview_lines(run, results, width), Line("")]
    return [*lines, *_total(run, results, width)]


def _block(result: ChainResult, width: int) -> Iterator[Line]:
    yield _heading(result, width)
    for host in result.hosts[:LISTED]:
        yield from labelled(_host_label(host), _host_text(host), width)
    if result.hosts[LISTED:]:
        yield from labelled("", f"… and {len(result.hosts) - LISTED} more", width)
    yield from _verdicts(result, width)
    for stance in result.chain.stances:
        yield from _stance(stance, width)
    for note in result.chain.notes:
        yield from labelled("conflict", plain(note, 400), width, lines=2)
    if not result.chain.stances:
        yield from labelled("support", "no source that judged this chain speaks of support", width, ("yellow",))
    for host in result.hosts:
        yield from _trouble(host, result, width)
    yield from _attention(result, width)
    if not result.complete:
        yield from labelled("incomplete", "parts of the catalogue were left out", width, ("yellow",))
    yield from not_run_lines(result.cases, width)


def _heading(result: ChainResult, width: int) -> Line:
    """Name and state; the name gives way where both are too long, and doubtful support is said in the same breath."""
    text = f": {result.state}"
    doubtful = _doubtful_support(result)
    if doubtful and result.state in CONFORMING:
        text += f" ({', '.join(doubtful)})"
    text = cut(text, max(width - 10, len(f": {result.state}")))
    return Line(cut(plain(result.chain.name, 400), width - len(text)) + text, ("bold", _colour(result)))


def _doubtful_support(result: ChainResult) -> list[str]:
    if not result.chain.stances:
        return ["support not stated"]
    return [f"{plain(s.source, 40)}: {s.stance}" for s in result.chain.stances if s.stance is not Stance.SUPPORTED]


def _colour(result: ChainResult) -> Style:
    """Green is for what its vendors support, too."""
    if result.state is ChainState.DOES_NOT_CONFORM:
        return "red"
    return "yellow" if result.state is not ChainState.CONFORMS or _doubtful_support(result) else "green"


def _host_label(host: HostReport) -> str:
    return level_label(host.level)


def _host_text(host: HostReport) -> str:
    live = host.origin in {"", "ssh", "local"} or not host.is_machine
    seen = plain(host.identity, 200) or ("not looked at" if not host.reachable else "no identity could be read")
    return f"{plain(host.name, 60)}: {'' if live else f'[{plain(host.origin, 20)}] '}{seen}"


def _verdicts(result: ChainResult, width: int) -> Iterator[Line]:
    return verdict_lines(result.cases, width)


def _stance(stance: StanceReport, width: int) -> Iterator[Line]:
    decided = "; ".join(plain(line, 200) for line in stance.decided_by)
    colour: dict[Stance, tuple[Style, ...]] = {
        Stance.SUPPORTED: (),
        Stance.NOT_STATED: (),
        Stance.UNSUPPORTED: ("red",),
        Stance.NOT_WORKING: ("red",),
    }
    text = f"{stance.stance}{f': {decided}' if decided else ''}"
    yield from labelled(cut(plain(stance.source, 40), 13), text, width, colour.get(stance.stance, ("yellow",)), lines=3)


def _trouble(host: HostReport, result: ChainResult, width: int) -> Iterator[Line]:
    if host in result.unreachable:
        text = f"{plain(host.name, 60)}: {plain(host.trouble, 400) or 'no reason was recorded'}"
        yield from labelled("unreachable", text, width, ("red",), lines=4)
    elif host.trouble:
        yield from labelled("note", f"{plain(host.name, 60)}: {plain(host.trouble, 400)}", width, ("yellow",), lines=2)
    if host.contradiction:
        yield from labelled("contradiction", plain(host.contradiction, 400), width, ("red",), lines=4)


def _attention(result: ChainResult, width: int) -> Iterator[Line]:
    """The cases a person should look at, each on a line or two, worst first."""
    musts = [case for case in result.of(Verdict.INCONCLUSIVE) if case.obligation is Obligation.MUST]
    yield from _listed("fail", result.of(Verdict.FAIL), width, ("red",), lines=2)
    yield from _listed("error", result.of(Verdict.ERROR), width, ("red",), lines=2)
    yield from _listed("inconclusive", musts, width, ("yellow",), lines=2)
    yield from _listed("blocked", result.of(Verdict.BLOCKED), width, ("yellow",), lines=2)
    yield from _listed("warn", result.of(Verdict.WARN), width, ("yellow",), lines=2)
    yield from _listed("waived", result.of(Verdict.WAIVED), width, ("yellow",))
    yield from _listed("limit lifted", result.of(Verdict.LIMIT_LIFTED), width)
    yield from _listed("limit holds", result.of(Verdict.LIMIT_CONFIRMED), width)


def _listed(
    label: str, cases: Sequence[Case], width: int, styles: tuple[Style, ...] = (), *, lines: int = 1
) -> Iterator[Line]:
    shown = cases if len(cases) <= LISTED else cases[: LISTED - 1]
    for place, case in enumerate(shown):
        room = max(lines, 2) if case.level is None else lines
        yield from labelled(label if place == 0 else "", _one_line(case), width, styles, lines=room)
    if len(shown) < len(cases):
        yield from labelled("", f"… and {len(cases) - len(shown)} more", width, styles)


def _one_line(case: Case) -> str:
    """A limitation says what it is, for its reason is often only that it held; all else says what was seen."""
    limitation = case.verdict in {Verdict.LIMIT_CONFIRMED, Verdict.LIMIT_LIFTED}
    text = case.statement if limitation or not case.reason else case.reason
    # What is reported of a manifest begins with file, line and object.
    where = f" on {plain(case.host, 60)}" if case.level is not None or text is case.statement else ""
    return f"{case.requirement}{where}: {plain(text, 400)}"


def _total(run: RunReport, results: Sequence[ChainResult], width: int) -> Iterator[Line]:
    due = [case for case in run.cases if case.verdict is not Verdict.NOT_APPLICABLE]
    seen = verified(due)
    all_conform = bool(results) and all(result.state in CONFORMING for result in results)
    styles: tuple[Style, ...] = ("bold",) if all_conform else ("bold", "red")
    text = (
        f"{'; '.join(_parts(run, results))}; requirements: {seen} verified, {len(due) - seen} not; "
        f"catalogue{UNBROKEN}{plain(run.catalogue_digest.removeprefix('sha256:'), 80)[:12] or 'unknown'}"
    )
    yield from (Line(line, styles) for line in wrap(text, width, 4))
    if run.limited_to:
        yield from (
            Line(line, ("bold",)) for line in wrap(f"limited to: {plain(', '.join(run.limited_to), 300)}", width, 4)
        )
    if run.shard is not None:
        part = f"shard {run.shard}: {len(run.shard.members)} of the inventory's {run.shard.machines} machines"
        yield from (Line(line, ("bold",)) for line in wrap(part, width, 4))
    if not run.complete:
        why = plain(run.incomplete_because, 300) or "a part of the catalogue was left out"
        yield from (Line(line, ("bold", "red")) for line in wrap(f"this run is incomplete: {why}", width, 4))


def _parts(run: RunReport, results: Sequence[ChainResult]) -> Iterator[str]:
    """Machines and chains, files of manifests and objects: whatever the run has of them."""
    chains = [result for result in results if not _is_manifest(result)]
    manifests = [result for result in results if _is_manifest(result)]
    machines = sum(host.is_machine for host in run.hosts)
    if chains or not manifests:
        yield f"{_counted(machines, 'machine')}, {_counted(len(chains), 'chain')}, {_conforming(chains)}"
    if manifests:
        objects = _counted(len(run.hosts) - machines, "object")
        yield f"{objects}, {_counted(len(manifests), 'manifest')}, {_conforming(manifests)}"


def _is_manifest(result: ChainResult) -> bool:
    return any(not host.is_machine for host in result.hosts)


def _conforming(results: Sequence[ChainResult]) -> str:
    return f"{sum(result.state in CONFORMING for result in results)} of them conforming"


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
