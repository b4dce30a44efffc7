"""An inventory of as many recorded chains of two as asked for, each a pair of machines of its own.

    python bench/recorded_fleet.py FOLDER CHAINS

The trees are those of `inventories/recorded`; every UUID in them (boot ids, firmware, the definitions of guests) is replaced by one
that belongs to the chain, the same in both of its machines, so that no two machines of the fleet pass for one. Files
without a UUID are linked, not copied.
"""

from __future__ import annotations

import os
import re
import sys
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import yaml

RECORDED = Path(__file__).resolve().parent.parent / "inventories"
_UUID = re.compile(
    rb"\b(?:[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|(?:[0-9a-fA-F]{2}[ -]){15}[0-9a-fA-F]{2})\b"
)
"""In the usual form and in VMware's, which is sixteen pairs of digits."""


@dataclass(frozen=True)
class Tree:
    """The recording of one machine."""

    root: Path
    keys: Mapping[str, object]
    """What the inventory says of the machine, aside from its guests."""

    @cached_property
    def files(self) -> list[tuple[Path, bytes | None]]:
        """Every file, with its content where a UUID occurs in it."""
        paths = sorted(path for path in self.root.rglob("*") if path.is_file() and not path.is_symlink())
        return [(path, data if _UUID.search(data := path.read_bytes()) else None) for path in paths]

    def copy(self, target: Path, chain: int) -> None:
        """Lay the tree out anew, with the UUIDs of that chain."""
        for path, data in self.files:
            copy = target / path.relative_to(self.root)
            copy.parent.mkdir(parents=True, exist_ok=True)
            if data is None:
                os.link(path, copy)
            else:
                copy.write_bytes(_UUID.sub(lambda found: _of_chain(found[0], chain), data))
        for path in self.root.rglob("*"):
            if path.is_symlink():
                copy = target / path.relative_to(self.root)
                copy.parent.mkdir(parents=True, exist_ok=True)
                copy.symlink_to(path.readlink())
            elif path.is_dir():
                (target / path.relative_to(self.root)).mkdir(parents=True, exist_ok=True)


def _of_chain(text: bytes, chain: int) -> bytes:
    """Another UUID for this one; the two orders of bytes of one UUID stay those of one."""
    given = uuid.UUID(text.decode().replace(" ", "").replace("-", ""))
    first = min(given.bytes, given.bytes_le)
    made = uuid.uuid5(uuid.UUID(bytes=first), str(chain))
    shown = str(made if given.bytes == first else uuid.UUID(bytes_le=made.bytes))
    if b" " not in text:
        return shown.encode()
    digits = shown.replace("-", "")
    halves = (" ".join(half[place : place + 2] for place in range(0, 16, 2)) for half in (digits[:16], digits[16:]))
    return "-".join(halves).encode()


def pairs() -> list[tuple[Tree, Tree]]:
    """Every L0 of `recorded.yml` that was looked at, with the first of its guests."""
    hosts = yaml.safe_load((RECORDED / "recorded.yml").read_text())["hosts"]
    return [
        (_tree(host), _tree({"domain": name, **guest}))
        for host in hosts.values()
        if "path" in host
        for name, guest in list(host.get("guests", {}).items())[:1]
    ]


def _tree(keys: Mapping[str, object]) -> Tree:
    kept = {key: value for key, value in keys.items() if key not in {"path", "guests"}}
    return Tree(RECORDED / str(keys["path"]), kept)


def make_fleet(folder: Path, chains: int) -> Path:
    """Lay out the machines below a folder that is made, and write their inventory."""
    folder.mkdir(parents=True)
    file = folder / "inventory.yml"
    document = {"defaults": {"connection": "recorded", "environment": "test"}, "hosts": dict(_hosts(folder, chains))}
    file.write_text(yaml.safe_dump(document, sort_keys=False))
    return file


def _hosts(folder: Path, chains: int) -> Iterator[tuple[str, object]]:
    kinds = pairs()
    for chain in range(chains):
        outer, inner = kinds[chain % len(kinds)]
        names = f"c{chain:04}-l0", f"c{chain:04}-l1"
        for tree, name in zip((outer, inner), names, strict=True):
            tree.copy(folder / name, chain)
        yield names[0], {**outer.keys, "path": names[0], "guests": {names[1]: {**inner.keys, "path": names[1]}}}


if __name__ == "__main__":
    print(make_fleet(Path(sys.argv[1]), int(sys.argv[2])))
