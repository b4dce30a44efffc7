"""Many chains on one screen: how many are in which state, what their sources say of support, and what needs a person."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from pytest_nestvirt.catalogue.requirement import Stance
from pytest_nestvirt.report.case import RunReport
from pytest_nestvirt.report.chain_state import CONFORMING, ChainResult, ChainState, is_unreachable
from pytest_nestvirt.report.counts import not_run_lines, verdict_lines
from pytest_nestvirt.report.entry import Entry, Likeness, entries
from pytest_nestvirt.report.entry_text import counted, line, names
from pytest_nestvirt.report.layout import Line, Style, labelled
from pytest_nestvirt.report.sanitize import plain
from pytest_nestvirt.verdict import Obligation, Verdict

MOST = 8
"""How many reasons of failures the overview lists before it counts the rest; of any other sort, half as many."""

_COLOURS: dict[ChainState, Style] = {ChainState.CONFORMS: "green", ChainState.DOES_NOT_CONFORM: "red"}
_NEEDS_A_PERSON: tuple[tuple[Verdict, Style], ...] = (
    (Verdict.UNREACHABLE, "red"),
    (Verdict.FAIL, "red"),
    (Verdict.ERROR, "red"),
    (Verdict.INCONCLUSIVE, "yellow"),
    (Verdict.BLOCKED, "yellow"),
    (Verdict.WARN, "yellow"),
    (Verdict.WAIVED, "yellow"),
)


def overview_lines(run: RunReport, results: Sequence[ChainResult], width: int) -> Iterator[Line]:
    """States and stances, then the reasons a person has to look at, the same reason of many machines once."""
    for state in ChainState:
        yield from _state(state, [result.chain.name for result in results if result.state is state], width)
    yield from _support(results, width)
    yield from verdict_lines(run.cases, width)
    yield from _contradictions(run, width)
    for verdict, style in _NEEDS_A_PERSON:
        yield from _reasons(verdict, run, width, style)
    yield from _unreachable_without_case(run, width)
    yield from _conflicts(results, width)
    yield from not_run_lines(run.cases, width)
    yield from labelled(
        "more", "-v shows every chain; result.json (--nestvirt-report=DIR) has every case", width, ("light",)
    )


def _state(state: ChainState, chains: Sequence[str], width: int) -> Iterator[Line]:
    if not chains:
        return
    named = "" if state in CONFORMING else f": {names(chains, 3)}"
    colour = _COLOURS.get(state, "yellow")
    yield from labelled("chains", f"{len(chains)} {state}{named}", width, (colour, "bold"), lines=2)


def _support(results: Sequence[ChainResult], width: int) -> Iterator[Line]:
    """Of each source, how many chains have which stance from it."""
    stances: dict[str, Counter[Stance]] = {}
    for result in results:
        for each in result.chain.stances:
            stances.setdefault(each.source, Counter())[each.stance] += 1
    for source, counts in stances.items():
        text = ", ".join(f"{counts[stance]} {stance}" for stance in Stance if counts[stance])
        good = not set(counts) - {Stance.SUPPORTED}
        yield from labelled("support", f"{plain(source, 40)}: {text}", width, () if good else ("yellow",))
    silent = sum(not result.chain.stances for result in results)
    if silent:
        text = f"{counted(silent, 'chain')}: no source that judged them speaks of support"
        yield from labelled("" if stances else "support", text, width, ("yellow",))


def _contradictions(run: RunReport, width: int) -> Iterator[Line]:
    found = [plain(host.contradiction, 400) for host in run.hosts if host.contradiction]
    yield from _bounded("contradiction", found, width, "red", MOST // 2)


def _unreachable_without_case(run: RunReport, width: int) -> Iterator[Line]:
    """Machines that no requirement speaks of are lost all the same."""
    with_case = {case.host for case in run.cases if case.verdict is Verdict.UNREACHABLE}
    lost = [host for host in run.hosts if is_unreachable(host) and host.name not in with_case]
    found = [f"{plain(host.name, 60)}: {plain(host.trouble, 400) or 'no reason was recorded'}" for host in lost]
    yield from _bounded("unreachable", found, width, "red", MOST // 2)


def _conflicts(results: Sequence[ChainResult], width: int) -> Iterator[Line]:
    notes = Counter(note for result in results for note in result.chain.notes)
    found = [f"{counted(number, 'chain')}: {plain(note, 400)}" for note, number in notes.most_common()]
    yield from _bounded("conflict", found, width, "yellow", MOST // 2)


def _reasons(verdict: Verdict, run: RunReport, width: int, style: Style) -> Iterator[Line]:
    """The reasons of a verdict, those that concern most first."""
    cases = [case for case in run.cases if case.verdict is verdict]
    if verdict is Verdict.INCONCLUSIVE:
        cases = [case for case in cases if case.obligation is Obligation.MUST]
    found = sorted(entries(cases, Likeness(run.hosts), few=1), key=lambda entry: -len(entry.cases))
    most = MOST if verdict is Verdict.FAIL else MOST // 2
    yield from _bounded(str(verdict), map(_entry_line, found), width, style, most)


def _entry_line(entry: Entry) -> str:
    """`kvm01: 59 checks: connect: ...`, `RHEL8-INTEL-NESTED-ON on 240 (kvm01, kvm02, ...): kvm_intel has nested=N`."""
    where = names(entry.hosts, 2)
    if len(entry.requirements) > 1 or entry.verdict is Verdict.UNREACHABLE:
        return f"{where}: {line(entry)}"
    return f"{entry.requirements[0]} on {where}: {plain(entry.reason or entry.cases[0].statement, 400)}"


def _bounded(label: str, found: Iterable[str], width: int, style: Style, most: int) -> Iterator[Line]:
    texts = list(found)
    shown = texts if len(texts) <= most else texts[: most - 1]
    for place, text in enumerate(shown):
        yield from labelled(label if place == 0 else "", text, width, (style,))
    if len(shown) < len(texts):
        yield from labelled("", f"… and {len(texts) - len(shown)} more", width, (style,))
