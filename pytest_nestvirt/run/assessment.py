"""What a run is about: the machines of an inventory, what was seen of them, the suites that judge them."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property

import pytest

from pytest_nestvirt.catalogue.load_catalogue import Catalogue, CatalogueError
from pytest_nestvirt.catalogue.requirement import Needs, Suite
from pytest_nestvirt.catalogue.trace import trace
from pytest_nestvirt.collect.fleet import collect_fleet
from pytest_nestvirt.collect.interleaved import measure_chains
from pytest_nestvirt.collect.look import Collected
from pytest_nestvirt.collect.wire import pack, unpack
from pytest_nestvirt.facts.machine import Machine, build_machines
from pytest_nestvirt.inventory.allotment import ShardNumber
from pytest_nestvirt.inventory.host import Connection, Host, Inventory
from pytest_nestvirt.manifests.manifest_set import ManifestFile, ManifestSet
from pytest_nestvirt.observation.fact import Unobservable
from pytest_nestvirt.run.plan import Fate, Judged, Plan
from pytest_nestvirt.snapshot.archive import load_recorded
from pytest_nestvirt.snapshot.snapshot import Snapshot
from pytest_nestvirt.transport.pool import Transports


class Assessment:
    """The machines and suites of one run; everything beyond the inventory is made at first use.

    `reach` is the inventory with the hosts that lead to those that are judged, if it is not the same; `limit` is
    what was chosen of it, and `shard` which of several runs over it this is.
    """

    def __init__(
        self,
        inventory: Inventory,
        catalogue: Catalogue,
        profiles: frozenset[str],
        manifests: ManifestSet | None = None,
        *,
        measuring_rounds: int = 0,
        reach: Inventory | None = None,
        limit: Sequence[str] = (),
        shard: ShardNumber | None = None,
    ) -> None:
        self.inventory = inventory
        self.reach = reach or inventory
        self.limit = tuple(limit)
        self.shard = shard
        self.catalogue = catalogue
        self.profiles = profiles
        self.manifests = manifests or ManifestSet()
        self.measuring_rounds = measuring_rounds
        if self.manifests and self.suites and not self.manifest_files and not inventory.hosts:
            raise pytest.UsageError("no source that is in use judges manifests; add the suite virtrigaud, or hosts")
        self.started = datetime.now(UTC)
        self.collected: Mapping[str, Collected] = {}
        self.looked = False

    @property
    def headline(self) -> str:
        """What is about to be verified, for pytest's header."""
        files = ", ".join(path.name for path in self.inventory.files) or (
            "this machine" if self.inventory.hosts else ""
        )
        sources = ", ".join(suite.source.id for suite in self.suites) or "none"
        machines, chains = len(self.inventory.hosts), len(self.inventory.chains())
        named = [f"{files}: {machines} machines in {chains} chains"] if files else []
        named += [f"{file.path.name}: {len(file.objects)} objects" for file in self.manifest_files]
        return f"{', '.join(named)}; sources: {sources}"

    @property
    def digest(self) -> str:
        """SHA-256 of what inventory and manifests say."""
        both = f"{self.inventory.digest} {self.manifests.digest}"
        return hashlib.sha256(both.encode()).hexdigest() if self.manifests else self.inventory.digest

    @cached_property
    def manifest_files(self) -> tuple[ManifestFile, ...]:
        """The files with objects, if any of the suites speaks of manifests: each is reported like a chain.

        Of several shards the first judges them; the others look up in them which object a machine was made from.
        """
        if self.shard is not None and self.shard.number != 1:
            return ()
        if not any("manifest" in requirement.levels for suite in self.suites for requirement in suite.requirements):
            return ()
        return tuple(file for file in self.manifests.files if file.objects)

    @cached_property
    def suites(self) -> tuple[Suite, ...]:
        """Those that the arguments lead to, or the chosen profiles among them."""
        return tuple(s for s in self.catalogue.suites if not self.profiles or s.source.id in self.profiles)

    @cached_property
    def transports(self) -> Transports:
        """Connections, opened at first use."""
        return Transports(self.reach, load_recorded)

    def look(self, threads: int, deadline: float | None = None) -> None:
        """Look at every machine, side by side. Machines that can't be reached are latched, not raised."""
        self.collected = collect_fleet(
            self.inventory,
            self.transports.of,
            load_recorded,
            threads=threads,
            deadline=deadline,
            release=self.transports.release,
        )
        if self.measuring_rounds:
            self._measure()
        self.looked = True

    def _measure(self) -> None:
        """Measure the machines of which a statement about speed speaks, each with those above it; nothing else."""
        due = {
            entry.judged.name
            for entry in self._planned(self._built()).entries.values()
            if entry.requirement.needs is Needs.MEASURE and entry.fate is Fate.RUN
        }
        chains = [self.inventory.ancestry(host) for host in self.inventory if host.name in due]
        self.collected = measure_chains(chains, self.collected, self.transports.of, rounds=self.measuring_rounds)

    @cached_property
    def packed(self) -> bytes:
        """What was seen, to be handed to another process."""
        return pack(self.collected)

    def unpack(self, packed: bytes) -> None:
        """Take over what another process saw."""
        self.collected = unpack(packed)
        self.looked = True

    def close(self) -> None:
        """Give back every connection."""
        if "transports" in vars(self):
            self.transports.close()

    @cached_property
    def machines(self) -> Mapping[str, Machine]:
        """Every machine of the inventory with its facts, parents first."""
        return self._built()

    def _built(self) -> Mapping[str, Machine]:
        machines = build_machines(self.inventory, {host.name: self._seen(host) for host in self.inventory})
        for machine in machines.values():
            if machine.parent is not None:
                names, provider = {machine.host.name, machine.host.domain}, machine.parent.host.provider.value
                machine.manifest = self.manifests.of_machine(names, provider)
        return machines

    def _seen(self, host: Host) -> Snapshot | Unobservable:
        if host.connection is Connection.NONE:
            return Unobservable("inventory", "not accessible (connection: none)")
        if host.name in self.unreachable:
            return Unobservable("connection", f"could not be reached: {self.unreachable[host.name]}")
        snapshot = self.collected[host.name].snapshot
        if snapshot is None:
            raise AssertionError(f"{host.name} is neither reachable nor unreachable")
        return snapshot

    @cached_property
    def unreachable(self) -> Mapping[str, str]:
        """Machines that should have been reached and were not, with the one line that says why."""
        return {
            name: collected.trouble.removeprefix(f"{name}: ")
            for name, collected in self.collected.items()
            if collected.snapshot is None and collected.host.connection is not Connection.NONE
        }

    @cached_property
    def plan(self) -> Plan:
        """What is to be verified on which machine."""
        return self._planned(self.machines)

    def _planned(self, machines: Mapping[str, Machine]) -> Plan:
        objects = (item for file in self.manifest_files for item in file.objects)
        permitted = {Needs.READ_ONLY} | ({Needs.MEASURE} if self.measuring_rounds else set())
        crashed = frozenset(name for name, collected in self.collected.items() if collected.crashed)
        judged: tuple[Judged, ...] = (*machines.values(), *objects)
        return Plan(self.suites, judged, self.unreachable, self.profiles, frozenset(permitted), crashed=crashed)

    @cached_property
    def chains(self) -> Mapping[str, tuple[str, ...]]:
        """Names of the chains, ` > ` between their hosts, and the hosts of each; files of manifests with their objects."""
        lines = (tuple(host.name for host in chain) for chain in self.inventory.chains())
        chains = {" > ".join(line): line for line in lines}
        names = Counter([*chains, *(file.path.name for file in self.manifest_files)])
        files = {
            file.path.name if names[file.path.name] == 1 else str(file.path): tuple(item.name for item in file.objects)
            for file in self.manifest_files
        }
        return chains | files

    @cached_property
    def unchecked(self) -> frozenset[tuple[str, str]]:
        """Requirement and level of every statement that could be verified and that no check of its suite verifies there."""
        try:
            return trace(self.catalogue).unchecked
        except CatalogueError:  # a file that is not Python: pytest reports it when it collects the file
            return frozenset()

    @cached_property
    def _chains_by_host(self) -> Mapping[str, list[str]]:
        found: dict[str, list[str]] = {}
        for name, line in self.chains.items():
            for host in line:
                found.setdefault(host, []).append(name)
        return found

    def chains_of(self, host: str) -> list[str]:
        """Names of the chains that a host is part of."""
        return self._chains_by_host.get(host, [])
