"""The modules that are loaded, as /proc/modules lists them and lsmod prints them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from pytest_nestvirt.observation.fact import Subject, Unobservable, fact

SOURCE = "proc/modules"

_ROW = re.compile(
    r"(?P<name>\w+) (?P<size>\d+) (?P<references>\d+|-) (?P<users>\S+) (?P<state>Live|Loading|Unloading)\b.*"
)

_LSMOD_ROW = re.compile(r"(?P<name>\w+) +(?P<size>\d+) +(?P<references>\d+|-)(?: +(?P<users>[\w,\[\]-]+))?")


@dataclass(frozen=True, slots=True)
class LoadedModule:
    """One row: `kvm 1347584 1 kvm_intel, Live 0x0000000000000000`."""

    name: str
    size: int
    """In bytes."""
    references: int
    """How often it is in use, by other modules or by processes; 0 where the kernel does not count."""
    users: tuple[str, ...]
    """The modules that use it."""


class LoadedModules(Subject):
    """What lsmod shows. A module that is built into the kernel has no row here."""

    name = "modules"

    @fact
    def table(self) -> Mapping[str, LoadedModule]:
        """Every row by module name."""
        return MappingProxyType(parse_modules(self.read(SOURCE)))

    def users(self, module: str) -> tuple[str, ...]:
        """The modules that use another one; `Unobservable` if that one has no row, since it may be built in."""
        return self.reader.compute(self, f"users.{module}", lambda _: self._users(module))

    def _users(self, module: str) -> tuple[str, ...]:
        row = self.table.get(module)
        if row is None:
            raise Unobservable(SOURCE, f"has no row for {module}: it is not loaded or built into the kernel")
        return row.users


def modules_needed_by(module: str, table: Mapping[str, LoadedModule]) -> frozenset[str]:
    """The loaded modules that one needs, directly or through others: those that name it among their users."""
    needed: set[str] = set()
    todo = [module]
    while todo:
        user = todo.pop()
        found = {name for name, row in table.items() if user in row.users} - needed
        needed |= found
        todo.extend(found)
    return frozenset(needed)


def parse_modules(text: str) -> dict[str, LoadedModule]:
    r"""Parse the file (kernel/module/procfs.c: m_show) or what lsmod prints; lines of another shape are ignored.

    >>> parse_modules("kvm 1347584 1 kvm_intel, Live 0x0000000000000000\n")["kvm"].users
    ('kvm_intel',)
    >>> parse_modules("Module                  Size  Used by\nkvm                  1347584  1 kvm_intel\n")["kvm"].users
    ('kvm_intel',)
    """
    rows = (_ROW.fullmatch(line.rstrip()) or _LSMOD_ROW.fullmatch(line.rstrip()) for line in text.split("\n"))
    return {row["name"]: _module(row) for row in rows if row}


def _module(row: re.Match[str]) -> LoadedModule:
    users = tuple(user for user in (row["users"] or "").split(",") if user not in {"", "-", "[permanent]"})
    references = 0 if row["references"] == "-" else int(row["references"])
    return LoadedModule(row["name"], int(row["size"]), references, users)
