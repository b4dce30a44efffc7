"""`nestvirt-snapshot.json`: what the files of a saved snapshot do not show. See docs/snapshot.md."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from pytest_nestvirt.snapshot.sections import FIXED, INDEX
from pytest_nestvirt.snapshot.snapshot import Section, Snapshot, SnapshotError, Status

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Kept:
    """One section as the index has it; `file` is where its data lies, None if it has none."""

    section: Section
    file: str | None = None


@dataclass(frozen=True, slots=True)
class Index:
    """`kept` is exhaustive where it is not None; without it, the tree is read like any other and `stated` is added."""

    where: str = ""
    collected_at: str = ""
    probe_version: str = ""
    note: str = ""
    complete: bool = False
    kept: tuple[Kept, ...] | None = None
    stated: Mapping[str, Section] = field(default_factory=dict)


def write_index(snapshot: Snapshot, files: Mapping[str, str]) -> bytes:
    """The index of a snapshot whose sections' data lie in `files`."""
    document = {
        "format": FORMAT,
        "origin": snapshot.origin.value,
        "where": snapshot.where,
        "collected_at": snapshot.collected_at,
        "probe_version": snapshot.probe_version,
        "note": snapshot.note,
        "sections": {name: _entry(snapshot.sections[name], files.get(name)) for name in sorted(snapshot.sections)},
    }
    return (json.dumps(document, indent=1) + "\n").encode("ascii")


def _entry(section: Section, file: str | None) -> dict[str, str | int]:
    entry: dict[str, str | int] = {"status": section.status.value}
    if section.exit_code is not None:
        entry["exit"] = section.exit_code
    if section.error:
        entry["error"] = section.error
    if file is not None:
        entry["file"] = file
    return entry


def read_index(raw: bytes) -> Index:
    """What a index says. Raises `SnapshotError` with the key that is wrong and what was expected there."""
    try:
        document = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise SnapshotError(f"{INDEX} is not JSON: {error}") from None
    top = _Table("", document)
    if top.integer("format") != FORMAT:
        raise SnapshotError(f"{INDEX} has format {top.integer('format')}; this version reads format {FORMAT}")
    return Index(
        where=top.text("where"),
        collected_at=top.text("collected_at"),
        probe_version=top.text("probe_version"),
        note=top.text("note"),
        complete=top.truth("complete"),
        kept=_kept(top.table("sections")) if "sections" in top.values else None,
        stated=_stated(top),
    )


def _kept(sections: _Table) -> tuple[Kept, ...]:
    return tuple(_one_kept(name, sections.table(name)) for name in sections.values)


def _one_kept(name: str, entry: _Table) -> Kept:
    status = entry.text("status")
    if status not in set(Status):
        raise SnapshotError(f"{INDEX}: {entry.path}.status is {status!r}; expected one of {', '.join(Status)}")
    exit_code = entry.integer("exit") if entry.values.get("exit") is not None else None
    file = entry.text("file") if "file" in entry.values else None
    return Kept(Section(name, Status(status), exit_code=exit_code, error=entry.text("error")), file)


def _stated(top: _Table) -> dict[str, Section]:
    stated = {name: Section(name, Status.MISSING) for name in top.texts("missing")}
    for status in (Status.DENIED, Status.FAILED):
        errors = top.table(status.value)
        stated.update({name: Section(name, status, error=errors.text(name)) for name in errors.values})
    return stated


def absent(found: Mapping[str, Section]) -> dict[str, Section]:
    """What a machine that was asked everything does not have, given the sections that were found of it."""
    if any(name.startswith("nestvirt/windows/") for name in found):
        return {}  # another probe asked, and other questions
    missing = {name: Section(name, Status.MISSING) for name in FIXED if name not in found}
    if "nestvirt/qemu/" in missing:  # a listing of processes is never missing, only empty
        missing["nestvirt/qemu/"] = Section("nestvirt/qemu/")
    return missing


class _Table:
    """A JSON object whose members are asked for by type."""

    def __init__(self, path: str, value: object) -> None:
        if not isinstance(value, dict):
            raise SnapshotError(f"{INDEX}: {path or 'the document'} is not an object of names and values")
        self.path = path
        self.values: dict[str, object] = value

    def _typed(self, key: str, kind: type, what: str) -> object:
        value = self.values[key]
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise SnapshotError(f"{INDEX}: {self._at(key)} is {value!r:.60}; expected {what}")
        return value

    def _at(self, key: str) -> str:
        return f"{self.path}.{key}" if self.path else key

    def text(self, key: str) -> str:
        """The string of that name, empty if there is none."""
        return str(self._typed(key, str, "a string")) if key in self.values else ""

    def texts(self, key: str) -> list[str]:
        """The list of strings of that name, empty if there is none."""
        value = self._typed(key, list, "a list of strings") if key in self.values else []
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise SnapshotError(f"{INDEX}: {self._at(key)} is not a list of strings")
        return value

    def integer(self, key: str) -> int:
        """The number of that name, 0 if there is none."""
        value = self._typed(key, int, "a whole number") if key in self.values else 0
        return value if isinstance(value, int) else 0

    def truth(self, key: str) -> bool:
        """The truth value of that name, false if there is none."""
        return bool(self._typed(key, bool, "true or false")) if key in self.values else False

    def table(self, key: str) -> _Table:
        """The object of that name, empty if there is none."""
        return _Table(self._at(key), self.values.get(key, {}))
