"""Which machines of a fleet each of several runs judges."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from .host import Host, Inventory
from .problems import InventoryError

OPTION = "--nestvirt-shard"


@dataclass(frozen=True, slots=True)
class ShardNumber:
    """One of several shards: `2/8`."""

    number: int
    """From 1 to `of`."""
    of: int

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"


def parse_shard(text: str) -> ShardNumber:
    """The shard that an option names. Raises `InventoryError` for what is not one.

    >>> parse_shard("2/8")
    ShardNumber(number=2, of=8)
    """
    written = re.fullmatch(r"([0-9]{1,6})/([0-9]{1,6})", text)
    if written is None:
        raise InventoryError([f"{OPTION}: {text!r} is not NUMBER/TOTAL; expected for example 2/8"])
    shard = ShardNumber(int(written[1]), int(written[2]))
    if not 1 <= shard.number <= shard.of:
        last = max(shard.of, 1)
        raise InventoryError([f"{OPTION}: there is no shard {text}; expected 1/{last} to {last}/{last}"])
    return shard


def allotted(inventory: Inventory, shard: ShardNumber) -> Inventory:
    """The machines of one shard: whole trees, each an L0 with all that runs in it, in the order of the inventory.

    The largest trees are allotted first, each to the shard that has the fewest machines so far, so that shards differ by no more
    than one tree. It depends on nothing but the inventory: every machine is in exactly one shard. Raises `InventoryError` where
    there are fewer trees than shards.
    """
    roots = _roots(inventory)
    sizes: dict[str, int] = {}
    for root in roots.values():
        sizes[root] = sizes.get(root, 0) + 1
    if shard.of > max(len(sizes), 1):
        raise InventoryError(
            [
                f"{OPTION}={shard}: the inventory has {len(sizes)} L0 to share out; use at most {max(len(sizes), 1)} shards"
            ]
        )
    loads = [0] * shard.of
    shards: dict[str, int] = {}
    for root in sorted(sizes, key=lambda root: -sizes[root]):  # stable: equal ones in the order of the inventory
        least = min(range(shard.of), key=loads.__getitem__)
        loads[least] += sizes[root]
        shards[root] = least + 1
    chosen: tuple[Host, ...] = tuple(host for host in inventory if shards[roots[host.name]] == shard.number)
    return replace(inventory, hosts=chosen)


def _roots(inventory: Inventory) -> dict[str, str]:
    """The name of the L0 that each host is or runs in; parents come before their guests."""
    roots: dict[str, str] = {}
    for host in inventory:
        roots[host.name] = roots[host.parent] if host.parent else host.name
    return roots
