"""What virsh prints: pure parsers of `virsh list --all`, `virsh dominfo` and `virsh version`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pytest_nestvirt.facts.libvirt.domain_state import DomainState, parse_state
from pytest_nestvirt.observation.fact import Unobservable

_STATES = (*DomainState, "blocked")
"""virDomainState in English, as virsh prints it under LC_ALL=C; `blocked` before libvirt 0.9.10."""

_HEADER = re.compile(r"\s*Id\s+Name\s+State\s*", re.IGNORECASE)
_ROW = re.compile(rf"\s*(?P<id>[0-9]+|-)\s+(?P<name>\S.*?)\s+(?P<state>{'|'.join(_STATES)})\s*")
_OTHER_ROW = re.compile(r"\s*(?P<id>[0-9]+|-)\s+(?P<name>\S.*?)\s{2,}(?P<state>\S.*?)\s*")
_STATE = re.compile(r"^State:[ \t]+(?P<state>\S.*?)\s*$", re.MULTILINE)
_VERSION = re.compile(
    r"(?P<what>Using library|Running hypervisor|Running against daemon):[^0-9\n]*(?P<version>[0-9]+(\.[0-9]+)*)"
)


@dataclass(frozen=True, slots=True)
class ListedDomain:
    """One row of `virsh list --all`."""

    name: str
    active: bool
    """Whether it has a process (and so an id), whatever its state: a paused machine is active."""
    state: str
    """The word, in English unless virsh was run in another language."""


@dataclass(frozen=True, slots=True)
class Versions:
    """`virsh version`; empty where a line is missing."""

    library: tuple[int, ...]
    hypervisor: tuple[int, ...]


def refuse_error(text: str, source: str) -> None:
    """Raise `Unobservable` with virsh's own message if that is what the text is (a record does not keep exit codes)."""
    for line in text.split("\n"):
        if re.match(r"error: |.*\bvirsh: .*(not found|No such file)|.*failed to run command .*virsh", line):
            raise Unobservable(source, line.strip()[:200])


def parse_list(text: str, source: str) -> tuple[ListedDomain, ...]:
    """Parse the table ` Id   Name       State`, in the layouts before and after libvirt 4.10. Raises `Unobservable`.

    A name may hold blanks, and a name longer than its column moves the rest of the old layout: the state is what the
    line ends with.
    """
    refuse_error(text, source)
    lines = [line for line in text.split("\n") if line.strip()]
    if not lines or not _HEADER.fullmatch(lines[0]):
        raise Unobservable(source, f"not a table of domains: {lines[0].strip()[:80] if lines else 'it is empty'!r}")
    return tuple(_row(line, source) for line in lines[1:] if line.strip("- "))


def _row(line: str, source: str) -> ListedDomain:
    found = _ROW.fullmatch(line) or _OTHER_ROW.fullmatch(line)
    if found is None:
        raise Unobservable(source, f"not a row of a table of domains: {line.strip()[:80]!r}")
    return ListedDomain(found["name"], found["id"] != "-", found["state"])


def parse_dominfo(text: str, source: str) -> DomainState:
    """The line `State:` of `virsh dominfo`. Raises `Unobservable`."""
    refuse_error(text, source)
    found = _STATE.search(text)
    if found is None:
        raise Unobservable(source, "has no line `State:`")
    return parse_state(found["state"], source)


def parse_domstate(text: str, source: str) -> DomainState:
    """What `virsh domstate`, with or without --reason, prints. Raises `Unobservable`."""
    refuse_error(text, source)
    return parse_state(text, source)


def parse_versions(text: str, source: str) -> Versions:
    """Parse `Using library: libvirt 9.0.0` and `Running hypervisor: QEMU 7.2.0`. Raises `Unobservable` on an error."""
    refuse_error(text, source)
    found = {match["what"]: tuple(map(int, match["version"].split("."))) for match in _VERSION.finditer(text)}
    return Versions(found.get("Using library", ()), found.get("Running hypervisor", ()))
