"""The reports of all shards of a fleet, joined into the report that one run over the whole inventory would have left.

Two things differ from that run. Where machines of two shards turn out to be one (see `derived.same_machine`), both are contradicted
and their chains are undecided, but a check that asks who a machine is has its verdict from a shard, which could not see the
other machine. And where hosts are reached through one of another shard that is down, each host has its own message.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, pairwise

from pytest_nestvirt.catalogue.requirement import Stance
from pytest_nestvirt.catalogue.stance import chain_stance
from pytest_nestvirt.derived.same_machine import Credentials, one_machine
from pytest_nestvirt.inventory.host import Connection
from pytest_nestvirt.report.case import Case, ChainReport, HostReport, RunReport, StanceReport
from pytest_nestvirt.report.sanitize import plain
from pytest_nestvirt.report.shard import Member, Shard

TOOL = "pytest-nestvirt"
SHOWN = 5
"""How many missing shards a message names before it counts the rest."""


class MergeError(Exception):
    """Reports that do not belong together. `problems` has one line for each."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


@dataclass(frozen=True, slots=True)
class ShardRun:
    """The report of one shard, and where it was read."""

    where: str
    run: RunReport
    shard: Shard


def merge(reports: Sequence[tuple[str, RunReport]]) -> RunReport:
    """One report of all shards, each given with the place that it was read from. Raises `MergeError`."""
    shards = sorted(_shard_runs(reports), key=lambda given: given.shard.number)
    problems = [*_strangers(shards), *_repeated(shards), *_missing(shards)]
    if not problems:
        problems = list(_not_adding_up(shards))
    if problems:
        raise MergeError(problems)
    return _joined(shards)


def _shard_runs(reports: Sequence[tuple[str, RunReport]]) -> list[ShardRun]:
    found = [ShardRun(where, run, run.shard) for where, run in reports if run.shard is not None]
    problems = [
        f"{where}: is not the report of a shard; expected is one of a run with --nestvirt-shard"
        for where, run in reports
        if run.shard is None
    ]
    if problems or not found:
        raise MergeError(problems or ["no report is given; expected are those of all shards"])
    return found


# ---- what does not belong together


def _strangers(shards: Sequence[ShardRun]) -> Iterator[str]:
    """A line for every shard that was judged by something else than the first, or is of another fleet."""
    first, *others = shards
    expected = _belonging(first)
    for other in others:
        for what, value in _belonging(other).items():
            if value != expected[what]:
                shown, wanted = plain(value, 80), plain(expected[what], 80)
                yield f"{other.where}: another {what} ({shown}) than {first.where} ({wanted})"


def _belonging(given: ShardRun) -> Mapping[str, str]:
    """What all shards of one fleet have in common, by what a message calls it."""
    return {
        "version of pytest-nestvirt": given.run.tool.get(TOOL, "unknown"),
        "catalogue": given.run.catalogue_digest,
        "inventory": given.run.inventory_digest,
        "number of shards": str(given.shard.of),
        "number of machines": str(given.shard.machines),
        "set of options": " ".join(given.shard.settings) or "none",
    }


def _repeated(shards: Sequence[ShardRun]) -> Iterator[str]:
    for one, other in pairwise(shards):
        if one.shard.number == other.shard.number:
            yield f"{other.where}: shard {other.shard} again, as {one.where} is"


def _missing(shards: Sequence[ShardRun]) -> Iterator[str]:
    of = shards[0].shard.of
    given = {each.shard.number for each in shards}
    missing = [f"{number}/{of}" for number in range(1, of + 1) if number not in given]
    if missing:
        more = f" and {len(missing) - SHOWN} more" if len(missing) > SHOWN else ""
        yield f"missing: shard {', '.join(missing[:SHOWN])}{more}"


def _not_adding_up(shards: Sequence[ShardRun]) -> Iterator[str]:
    """A line where the shards are not the whole inventory, each machine once: their files had another order of hosts."""
    machines = shards[0].shard.machines
    members = [member for each in shards for member in each.shard.members]
    names = {member.name for member in members}
    if sorted(member.place for member in members) != list(range(machines)) or len(names) != machines:
        yield f"the shards do not add up to the {machines} machines of the inventory; run them over one state of its files"
    for each in shards:
        own = {member.name for member in each.shard.members}
        judged = {host.name for host in each.run.hosts if host.is_machine}
        if not judged <= own:
            yield f"{each.where}: reports machines that are not in shard {each.shard}: {plain(min(judged - own), 80)}"


# ---- joining


def _joined(shards: Sequence[ShardRun]) -> RunReport:
    runs = [each.run for each in shards]
    places = {member.name: member.place for each in shards for member in each.shard.members}
    beyond = len(places)
    """The place of what is not a machine: objects of manifests, which one shard judges."""
    doubts = _seen_twice(shards)
    hosts = sorted((host for run in runs for host in run.hosts), key=lambda host: places.get(host.name, beyond))
    hosts = [replace(host, contradiction=host.contradiction or doubts.get(host.name, "")) for host in hosts]
    cases = sorted((case for run in runs for case in run.cases), key=lambda case: places.get(case.host, beyond))
    chains = sorted(
        (chain for run in runs for chain in run.chains),
        key=lambda chain: max((places.get(name, beyond) for name in chain.hosts), default=beyond),
    )
    partial = [f"shard {each.shard}: {each.run.incomplete_because}" for each in shards if not each.run.complete]
    return replace(
        runs[0],
        started=min(run.started for run in runs),
        finished=max(run.finished for run in runs),
        complete=not partial,
        incomplete_because="; ".join(partial),
        tool=_tools(runs),
        hosts=tuple(hosts),
        chains=tuple(_doubted(chain, doubts, hosts, cases) for chain in chains) if doubts else tuple(chains),
        cases=tuple(cases),
        shard=None,
    )


def _tools(runs: Iterable[RunReport]) -> dict[str, str]:
    """Every version of each, in the order of the shards: they may have run on different machines."""
    versions: dict[str, dict[str, None]] = {}
    for run in runs:
        for name, version in run.tool.items():
            versions.setdefault(name, {})[version] = None
    return {name: ", ".join(found) for name, found in versions.items()}


# ---- one machine in two shards


def _seen_twice(shards: Sequence[ShardRun]) -> Mapping[str, str]:
    """What contradicts machines that are one with a machine of another shard, by name."""
    numbers = {member.name: each.shard.number for each in shards for member in each.shard.members}
    known = {name: found for each in shards for name, found in _credentials(each).items()}
    shared = Counter(sign for each in known.values() for sign in {each.boot_id, each.uuid} - {""})
    groups: dict[str, list[Credentials]] = {}
    for each in known.values():
        for sign in (each.boot_id, each.uuid):
            if shared[sign] > 1:
                groups.setdefault(sign, []).append(each)
    doubts: dict[str, str] = {}
    for group in groups.values():
        for one, other in combinations(group, 2):
            if numbers[one.name] != numbers[other.name]:
                for pair in ((one, other), (other, one)):
                    if found := one_machine(*pair):
                        doubts.setdefault(pair[0].name, found)
    return doubts


def _credentials(given: ShardRun) -> Mapping[str, Credentials]:
    """Those of every machine of a shard that was looked at, parents before their guests."""
    reported = {host.name: host for host in given.run.hosts}
    found: dict[str, Credentials] = {}
    for member in given.shard.members:
        host = reported.get(member.name)
        if host is not None:
            found[member.name] = _of(member, host, found.get(host.parent or ""))
    return found


def _of(member: Member, host: HostReport, parent: Credentials | None) -> Credentials:
    return Credentials(
        name=member.name,
        parent=parent,
        is_recorded=host.connection == Connection.RECORDED,
        record=member.record,
        domain=member.domain,
        boot_id=member.boot_id,
        uuid=member.uuid,
        is_recognised=member.recognised,
    )


def _doubted(
    chain: ChainReport, doubts: Mapping[str, str], hosts: Sequence[HostReport], cases: Sequence[Case]
) -> ChainReport:
    """A chain in whose machines is one that another shard has, too: what is said of their support is not of this chain."""
    if not any(name in doubts for name in chain.hosts):
        return chain
    doubt = next(host.contradiction for host in hosts if host.name in chain.hosts and host.contradiction)
    own = [case for case in cases if case.host in chain.hosts]
    return replace(chain, stances=tuple(_stance(stance, own, doubt) for stance in chain.stances))


def _stance(report: StanceReport, cases: Sequence[Case], doubt: str) -> StanceReport:
    said, _ = chain_stance(report.source, cases)
    if said not in {Stance.SUPPORTED, Stance.TECHNOLOGY_PREVIEW}:
        return report
    return StanceReport(report.source, Stance.NOT_STATED, (f"undecided: {doubt}",))
