"""The machines of a chain, measured by turns: L0, L1, L2, then back, so that a host that slows down slows all of them.

Chains below one L0 follow each other, for they share its processors; those of different L0s run side by side.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from queue import SimpleQueue

from pytest_nestvirt.collect.look import Collected
from pytest_nestvirt.collect.measure import PART_SECONDS, Choice, NotMeasuredError, common_kernel, offers, turn
from pytest_nestvirt.inventory.host import Connection, Host
from pytest_nestvirt.snapshot.measurement import SECTION, Measured, Round, parse, written
from pytest_nestvirt.snapshot.snapshot import Section, Snapshot, Status
from pytest_nestvirt.transport.base import Transport, TransportError

Chain = Sequence[Host]
"""From the L0 down."""

LIVE = frozenset({Connection.SSH, Connection.LOCAL})
SIDE_BY_SIDE = 8


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What one chain's measurement came to, by host."""

    measured: Mapping[str, Measured]
    trouble: Mapping[str, str]


def measure_chains(
    chains: Iterable[Chain],
    collected: Mapping[str, Collected],
    transport_of: Callable[[Host], Transport],
    *,
    rounds: int,
    seconds: float = PART_SECONDS,
) -> Mapping[str, Collected]:
    """What was collected, with a section on every machine of these chains that says how fast it is, or why that is unknown.

    Each part of a turn takes `seconds`. Raises nothing that a machine could cause.
    """
    trees: dict[str, list[Chain]] = {}
    for chain in chains:
        trees.setdefault(chain[0].name, []).append(chain)

    def measure(tree: list[Chain]) -> list[_Outcome]:
        return [_Turns(chain, collected, transport_of, seconds).measure(rounds) for chain in tree]

    outcomes = [outcome for tree in _side_by_side(measure, list(trees.values())) for outcome in tree]
    return {name: _with_section(one, outcomes) for name, one in collected.items()}


def _side_by_side(
    measure: Callable[[list[Chain]], list[_Outcome]], trees: list[list[Chain]]
) -> Iterator[list[_Outcome]]:
    """Daemon threads, as in `fleet`: Ctrl-C waits for none of them."""
    tasks: SimpleQueue[list[Chain] | None] = SimpleQueue()
    done: SimpleQueue[list[_Outcome] | BaseException] = SimpleQueue()

    def work() -> None:
        while (tree := tasks.get()) is not None:
            try:
                done.put(measure(tree))
            except BaseException as crash:  # noqa: BLE001 - handed to the thread that waits, which raises it
                done.put(crash)

    count = min(SIDE_BY_SIDE, len(trees))
    for task in (*trees, *[None] * count):
        tasks.put(task)
    for _ in range(count):
        threading.Thread(target=work, name="nestvirt-measure", daemon=True).start()
    for _ in trees:
        outcome = done.get()
        if isinstance(outcome, BaseException):
            raise outcome
        yield outcome


class _Turns:
    """One chain while it is measured."""

    def __init__(
        self,
        chain: Chain,
        collected: Mapping[str, Collected],
        transport_of: Callable[[Host], Transport],
        seconds: float,
    ) -> None:
        self.chain = chain
        self.collected = collected
        self.transport_of = transport_of
        self.seconds = seconds
        self.trouble: dict[str, str] = {}

    def measure(self, rounds: int) -> _Outcome:
        offered = {host: programs for host in self.chain if (programs := self._offers(host))}
        if self.chain[-1] not in offered:
            return self._none(offered, f"{self.chain[-1].name} was not measured, and its speed is what is asked")
        choice = common_kernel(list(offered.values()))
        if choice is None:
            offers_of_each = "; ".join(f"{host.name} has {', '.join(programs)}" for host, programs in offered.items())
            return self._none(
                offered,
                f"no machine above has a program to measure with that {self.chain[-1].name} has, too: {offers_of_each}",
            )
        return self._by_turns(list(offered), choice, rounds)

    def _none(self, hosts: Iterable[Host], why: str) -> _Outcome:
        return _Outcome({}, {**{host.name: why for host in hosts}, **self.trouble})

    def _offers(self, host: Host) -> tuple[str, ...]:
        """Empty, with a note of the reason, where the machine takes no part."""
        snapshot = self.collected[host.name].snapshot
        if snapshot is None:
            return ()
        why = _why_not(host, snapshot)
        try:
            if not why:
                return offers(self.transport_of(host))
        except (TransportError, NotMeasuredError) as error:
            why = str(error)
        self.trouble[host.name] = why
        return ()

    def _by_turns(self, able: Sequence[Host], choice: Choice, rounds: int) -> _Outcome:
        taking = [able[place] for place in choice.places]
        without = (
            f"it does not have {choice.kernel}, with which {', '.join(host.name for host in taking)} were measured"
        )
        self.trouble.update({host.name: without for host in able if host not in taking})
        seen: dict[Host, list[Round]] = {host: [] for host in taking}
        builds: dict[Host, str] = {}
        for number in range(rounds):
            # There and back again: what drifts steadily meets all levels alike.
            for host in taking if number % 2 == 0 else reversed(taking):
                try:
                    builds[host], one = turn(self.transport_of(host), choice.kernel, self.seconds)
                except (TransportError, NotMeasuredError) as error:
                    return self._none(taking, f"round {number + 1} of {rounds} failed on {host.name}: {error}")
                seen[host].append(one)
        name, chain = secrets.token_hex(8), " > ".join(host.name for host in taking)
        return _Outcome(
            {host.name: Measured(name, chain, choice.kernel, builds[host], tuple(seen[host])) for host in taking},
            self.trouble,
        )


def _why_not(host: Host, snapshot: Snapshot) -> str:
    if host.connection not in LIVE:
        return "a recording runs nothing"
    if any(snapshot.under("nestvirt/windows/")):
        return "there is no measuring program for Windows"
    return ""


def _with_section(collected: Collected, outcomes: Sequence[_Outcome]) -> Collected:
    """A recording that has a measurement of its own keeps it."""
    name, snapshot = collected.host.name, collected.snapshot
    measured = [outcome.measured[name] for outcome in outcomes if name in outcome.measured]
    trouble = dict.fromkeys(outcome.trouble[name] for outcome in outcomes if name in outcome.trouble)
    if snapshot is None or not (measured or trouble) or (not measured and _has_own(snapshot)):
        return collected
    section = (
        Section(SECTION, data=written(measured))
        if measured
        else Section(SECTION, Status.FAILED, error="; ".join(trouble))
    )
    return replace(collected, snapshot=replace(snapshot, sections={**snapshot.sections, SECTION: section}))


def _has_own(snapshot: Snapshot) -> bool:
    section = snapshot.get(SECTION)
    try:
        return section is not None and bool(parse(section.text))
    except ValueError:
        return False
