"""What the report of a shard adds, so that `nestvirt merge` can join all shards of a fleet into the report of one run."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Member:
    """A machine of a shard: its place in the inventory, and what shows whether a machine of another shard is the same one."""

    name: str
    place: int
    """In the order of the whole inventory, from 0."""
    boot_id: str = ""
    """Digest of its boot id; empty where that is unknown."""
    uuid: str = ""
    """Digest of its UUID, the same for both orders of bytes; empty where that is unknown."""
    record: str = ""
    """Digest of the path that it was recorded in; empty where it was not recorded."""
    domain: str = ""
    """Name by which its parent knows it."""
    recognised: bool = False
    """Whether it shows the UUID that its parent gives it."""


@dataclass(frozen=True, slots=True)
class Shard:
    """Which part of a fleet a run judged."""

    number: int
    """From 1 to `of`."""
    of: int
    machines: int
    """How many the whole inventory has."""
    settings: tuple[str, ...] = ()
    """The options that decide how machines are judged, as they were given; equal in all shards of one fleet."""
    members: tuple[Member, ...] = ()
    """The machines of this shard, in the order of the inventory."""

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"
