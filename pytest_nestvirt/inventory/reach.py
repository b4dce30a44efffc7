"""How each machine is reached, and the rules between hosts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pytest_nestvirt.document import DocumentError, did_you_mean, seen
from pytest_nestvirt.one_line import one_line

from .host import Connection
from .host_tree import NO_HOST, Entry

SSH_PORT = 22
_SEARCHED = 300
_LISTED = 10


def first_of_each_name(entries: Sequence[Entry]) -> dict[str, Entry]:
    """Hosts by name; of two with the same name the first."""
    by_name: dict[str, Entry] = {}
    for entry in entries:
        by_name.setdefault(entry.name, entry)
    return by_name


def resolve_via(entry: Entry, by_name: Mapping[str, Entry]) -> str | None:
    """The host whose connection this one goes through; None: directly.

    Unless the file has `via:`, it is the nearest ancestor that is reached by SSH. Recorded ancestors and those without a
    connection are skipped; an ancestor that is this machine itself needs no hop.
    """
    if entry.connection is not Connection.SSH or entry.settings.via == NO_HOST:
        return None
    if entry.settings.via is not None:
        hop = by_name.get(entry.settings.via)
        return hop.name if hop and hop.connection is Connection.SSH else None
    ancestor = entry.parent
    while ancestor is not None:
        if ancestor.connection in (Connection.SSH, Connection.LOCAL):
            return ancestor.name if ancestor.connection is Connection.SSH else None
        ancestor = ancestor.parent
    return None


def problems_between(entries: Sequence[Entry], *, complete: bool) -> Iterator[DocumentError]:
    """Everything wrong with hosts that can be read one by one.

    `complete` is False where one of the files could not be read at all, so that a host may be defined there.
    """
    by_name = first_of_each_name(entries)
    for entry in entries:
        if by_name[entry.name] is not entry:
            yield entry.error(f"duplicate host name (first defined at {by_name[entry.name].place})")
        yield from _recording(entry)
        yield from _domain(entry)
        yield from _via(entry, by_name, complete=complete)
    yield from _loops(by_name)
    yield from _same_machine(entries, by_name)
    yield from _same_domain(entries)


def _recording(entry: Entry) -> Iterator[DocumentError]:
    """Recorded hosts have a path that exists; the others have none."""
    path = entry.settings.path
    if "path" in entry.broken or entry.connection is None:
        return
    if entry.connection is not Connection.RECORDED:
        if path is not None:
            yield entry.error(
                f"only valid with connection: recorded; this host has connection: {entry.connection}", "path"
            )
    elif path is None:
        yield entry.error("connection: recorded requires the path: of a snapshot or sosreport", "path")
    elif not _exists(path):
        yield entry.error(f"expected a directory or archive; there is no {one_line(str(path), 400)}", "path")


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # no permission to look, or a name longer than the file system has
        return False


def _domain(entry: Entry) -> Iterator[DocumentError]:
    if entry.parent is None and entry.settings.domain is not None:
        yield entry.error("only valid for guests; this host has no parent", "domain")


def _via(entry: Entry, by_name: Mapping[str, Entry], *, complete: bool) -> Iterator[DocumentError]:
    via = entry.settings.via
    if via in (None, NO_HOST) or "via" in entry.broken or entry.connection is None:
        return
    hop = by_name.get(via) if via else None
    if entry.connection is not Connection.SSH:
        yield entry.error(f"only valid with connection: ssh; this host has connection: {entry.connection}", "via")
    elif via == entry.name:
        yield entry.error(f"a host cannot be reached through itself; expected another host, or {NO_HOST}", "via")
    elif hop is None:
        if complete:
            yield entry.error(f"there is no host {seen(via)}; {_hint(str(via), by_name)}", "via")
    elif hop.connection in (Connection.NONE, Connection.RECORDED):
        yield entry.error(f"{hop.name} has connection: {hop.connection}, so no connection goes through it", "via")


def _hint(word: str, by_name: Mapping[str, Entry]) -> str:
    """The host that may be meant. In large fleets a list does not help, and the search would take long."""
    expected = f"expected the name of a host, or {NO_HOST}"
    if len(by_name) > _SEARCHED:
        return expected
    hint = did_you_mean(word, [*by_name, NO_HOST])
    return hint if hint.startswith("did you mean") or len(by_name) <= _LISTED else expected


def _loops(by_name: Mapping[str, Entry]) -> Iterator[DocumentError]:
    """Hosts that are reached through each other. Each loop is reported once, at its first `via:`."""
    hops = {name: resolve_via(entry, by_name) for name, entry in by_name.items()}
    settled: set[str] = set()
    for start in by_name:
        way: dict[str, None] = {}
        name: str | None = start
        while name is not None and name not in settled and name not in way:
            way[name] = None
            name = hops[name]
        settled.update(way)
        if name in way and hops[name] != name:
            yield _loop([*way][[*way].index(name) :], by_name)


def _loop(circle: list[str], by_name: Mapping[str, Entry]) -> DocumentError:
    """The message at a host that has `via:`; there is one, since ancestors alone form no loop."""
    begin = next(index for index, name in enumerate(circle) if by_name[name].settings.via)
    way = " -> ".join([*circle[begin:], *circle[:begin], circle[begin]])
    return by_name[circle[begin]].error(f"`via` forms a loop: {one_line(way, 200)}", "via")


def _same_machine(entries: Sequence[Entry], by_name: Mapping[str, Entry]) -> Iterator[DocumentError]:
    """One machine under two names would be certified twice, and its guests apart."""
    first: dict[tuple[str, int, str | None], Entry] = {}
    for entry in entries:
        if entry.connection is Connection.LOCAL:
            address, port, via = "", 0, None
        elif entry.connection is Connection.SSH and not entry.broken & {"address", "port", "via"}:
            address, port = effective_address(entry).lower(), entry.settings.port or SSH_PORT
            via = resolve_via(entry, by_name)
        else:
            continue
        other = first.setdefault((address, port, via), entry)
        if other is entry or other.name == entry.name:
            continue
        if not address:
            yield entry.error(f"duplicate of {other.name} ({other.place}): both have connection: local", "connection")
            continue
        where = f"{address}:{port}" + (f" via {via}" if via else "")
        yield entry.error(f"same machine as {other.name} ({other.place}): {where}", "address")


def effective_address(entry: Entry) -> str:
    """What to connect to: without an address the name itself, which ~/.ssh/config may know."""
    return entry.settings.address.host if entry.settings.address else entry.name


def _same_domain(entries: Sequence[Entry]) -> Iterator[DocumentError]:
    first: dict[tuple[Entry, str], Entry] = {}
    for entry in entries:
        if entry.parent is None or "domain" in entry.broken:
            continue
        domain = entry.settings.domain or entry.name
        other = first.setdefault((entry.parent, domain), entry)
        if other is not entry:
            message = f"same domain {seen(domain)} of {entry.parent.name} as {other.name} ({other.place})"
            yield entry.error(message, "domain")
