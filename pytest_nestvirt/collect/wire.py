"""Snapshots as bytes, for the worker processes of pytest-xdist: they judge what the controller has collected."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter

from pytest_nestvirt.collect.look import Collected
from pytest_nestvirt.inventory.host import Host
from pytest_nestvirt.snapshot.snapshot import Origin, Section, Snapshot, Status

_HOST = TypeAdapter(Host)


def pack(fleet: Mapping[str, Collected]) -> bytes:
    """What was collected, by host, as bytes; nothing in them is executed when they are read."""
    document = [[name, *_collected(collected)] for name, collected in fleet.items()]
    return zlib.compress(json.dumps(document, separators=(",", ":")).encode("ascii"), level=1)


def unpack(packed: bytes) -> dict[str, Collected]:
    """What `pack` was given."""
    return {row[0]: _read_collected(row[1:]) for row in json.loads(zlib.decompress(packed))}


def _collected(collected: Collected) -> list[object]:
    return [
        _HOST.dump_python(collected.host, mode="json"),
        None if collected.snapshot is None else _snapshot(collected.snapshot),
        collected.trouble,
        collected.seconds,
        collected.where,
        collected.unreachable,
        collected.crashed,
    ]


def _read_collected(row: list[Any]) -> Collected:
    host, snapshot, trouble, seconds, where, unreachable, crashed = row
    return Collected(
        host=_HOST.validate_python(host),
        snapshot=None if snapshot is None else _read_snapshot(snapshot),
        trouble=trouble,
        seconds=seconds,
        where=where,
        unreachable=unreachable,
        crashed=crashed,
    )


def _snapshot(snapshot: Snapshot) -> list[object]:
    # Latin-1 has a character for every byte, and compresses where base64 does not.
    sections = [[s.name, s.status, s.data.decode("latin-1"), s.exit_code, s.error] for s in snapshot.sections.values()]
    return [sections, snapshot.origin, snapshot.where, snapshot.collected_at, snapshot.probe_version, snapshot.note]


def _read_snapshot(row: list[Any]) -> Snapshot:
    sections, origin, *texts = row
    return Snapshot({section[0]: _read_section(section) for section in sections}, Origin(origin), *texts)


def _read_section(row: list[Any]) -> Section:
    name, status, text, exit_code, error = row
    return Section(name, Status(status), text.encode("latin-1"), exit_code, error)
