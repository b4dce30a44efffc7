"""What a shard reports of itself, so that the shards of a fleet can be merged."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_nestvirt.derived.same_machine import credentials
from pytest_nestvirt.facts.machine import Machine
from pytest_nestvirt.inventory.host import Host
from pytest_nestvirt.report.shard import Member, Shard
from pytest_nestvirt.run.assessment import Assessment


def shard_report(assessment: Assessment) -> Shard | None:
    """Which part of the inventory was judged, and by which options; None where the run is not a shard."""
    shard = assessment.shard
    if shard is None:
        return None
    places = {host.name: place for place, host in enumerate(assessment.reach)}
    seen = assessment.machines if assessment.looked else {}
    return Shard(
        number=shard.number,
        of=shard.of,
        machines=len(places),
        settings=tuple(_settings(assessment)),
        members=tuple(_member(host, places[host.name], seen.get(host.name)) for host in assessment.inventory),
    )


def _settings(assessment: Assessment) -> Iterator[str]:
    if assessment.profiles:
        yield f"--nestvirt-profile={','.join(sorted(assessment.profiles))}"
    if assessment.measuring_rounds:
        yield f"--nestvirt-measure --nestvirt-measure-rounds={assessment.measuring_rounds}"


def _member(host: Host, place: int, machine: Machine | None) -> Member:
    """Where nothing is known of it, its place alone: the run was interrupted before anything was looked at."""
    if machine is None:
        return Member(host.name, place)
    own = credentials(machine)
    return Member(host.name, place, own.boot_id, own.uuid, own.record, own.domain, own.is_recognised)
