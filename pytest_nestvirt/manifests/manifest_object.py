"""Facts about one object of a Kubernetes manifest, and the set of objects that it refers to.

An object takes the place of a machine in a run: checks read facts from it, and evidence names the file and line that a
fact was read from. What a file leaves out is surely left out, so an absent field is not unknown; a field whose value the
API refuses is `Unobservable` where its value is read, and is among the object's faults.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar, TypeVar

from pytest_nestvirt.document import DocumentError, Key, Placed, Value, seen
from pytest_nestvirt.manifests.known_fields import Known
from pytest_nestvirt.manifests.manifest_field import Fault, Field, fault, mapping, text
from pytest_nestvirt.observation.fact import Reader, Subject, Unobservable, fact

T = TypeVar("T")

GROUP = "infra.virtrigaud.io"
API_VERSION = f"{GROUP}/v1beta1"
KINDS = ("VMClass", "VMImage", "VirtualMachine")
"""What the VirtRigaud document has manifests of."""

DEFAULT_NAMESPACE = "default"

NAME = Field("metadata.name", text, required=True)
NAMESPACE = Field("metadata.namespace", text)


@dataclass(frozen=True, slots=True)
class Written:
    """An object as its file has it: a whole document, or an item of a `List`."""

    path: Path
    root: Placed

    def placed(self, *keys: Key) -> Placed | None:
        """What is at that path; None where nothing is. An empty value is the same as none to the API."""
        placed = self.root
        for key in keys:
            inner = placed.node.entries.get(key)
            if inner is None or inner.node.value is None:
                return None
            placed = inner
        return placed

    def value(self, *keys: Key) -> Value:
        """The value at that path; None where there is none."""
        placed = self.placed(*keys)
        return None if placed is None else placed.node.value

    def line(self, *keys: Key) -> int:
        """The line of that key, or of the nearest one around it that exists."""
        return self.root.line_of(*keys)

    def error(self, problem: str, *keys: Key) -> DocumentError:
        """A complaint about the key at that path."""
        return DocumentError(self.path, self.line(*keys), keys, problem)


class ManifestObject(Subject):
    """What the fixture `manifest` hands to a check: one VMClass, VMImage or VirtualMachine.

    Also an object of VirtRigaud's group that is none of these, so that a check can say so.
    """

    FIELDS: ClassVar[tuple[Field[object], ...]] = ()
    """Fields of its kind whose values are checked, beside its metadata."""

    KNOWN: ClassVar[Known] = {}
    """The keys that its kind has, by the path of the mapping that they are in."""

    level = None
    """It is not a machine: it has no place in a chain."""
    parent = None

    def __init__(self, written: Written, name: str) -> None:
        """`name` is what reports call it: `VMClass/hypervisor-class`."""
        super().__init__(Reader(name, None, Unobservable(written.path.name, "is a file, not a machine")))
        self.name = name
        self.written = written

    @property
    def label(self) -> str:
        """Its facts are called `manifest.firmware`, like the fixture that leads to them."""
        return "manifest"

    def __str__(self) -> str:
        return f"{self.name} ({self.place})"

    __repr__ = __str__

    @property
    def place(self) -> str:
        """`nested.yaml:12`: where it begins."""
        return f"{self.written.path.name}:{self.written.root.line}"

    def at(self, field: Field[object] | str, line: int = 0) -> str:
        """`nested.yaml:12: VMClass hypervisor-class: spec.cpu`, for messages; `line` is known from the field if not given."""
        path = _path(field)
        line = line or self.written.line(*path.split("."))
        return f"{self.written.path.name}:{line}: {self.name.replace('/', ' ', 1)}: {path}"

    def said(self, field: Field[object]) -> str:
        """A field as it is written, for messages: `'16Gi'`, or `nothing`."""
        return seen(self.written.value(*field.keys))

    def asked(self, field: Field[T]) -> T | None:
        """The value of a field, or its default; None where there is neither. `Unobservable` where the API refuses it."""
        placed = self._note(*field.keys)
        if placed is None:
            around = self.written.value(*field.keys[:-1])
            return field.default if isinstance(around, dict) else None
        wrong = fault(field, placed.node.value, placed.line)
        if wrong is not None:
            raise Unobservable(f"{self.written.path.name}:{wrong.line}", f"{field.path}: {wrong.problem}")
        return field.read(placed.node.value)

    def needed(self, field: Field[T]) -> T:
        """The same of a required field. `Unobservable` where it is missing."""
        value = self.asked(field)
        if value is None:
            raise Unobservable(f"{self.written.path.name}:{self.written.line(*field.keys)}", f"{field.path} is missing")
        return value

    def _note(self, *keys: str) -> Placed | None:
        """What is at that path; its line counts as a source of the fact that is being computed."""
        self.reader.note(f"{self.written.path.name}:{self.written.line(*keys)}")
        return self.written.placed(*keys)

    def has(self, field: Field[object] | str) -> bool:
        """Whether anything is written at that path."""
        path = _path(field)
        return self.reader.compute(self, f"has.{path}", lambda _: self._note(*path.split(".")) is not None)

    @fact
    def kind(self) -> str:
        """VMClass, VMImage, VirtualMachine, or whatever the object calls itself."""
        self._note("kind")
        return str(self.written.value("kind"))

    @fact
    def api_version(self) -> str:
        """As written: `infra.virtrigaud.io/v1beta1`."""
        self._note("apiVersion")
        return str(self.written.value("apiVersion"))

    @fact
    def metadata_name(self) -> str:
        """The name by which other objects refer to it."""
        return self.needed(NAME)

    @fact
    def namespace(self) -> str:
        """The namespace it goes to; `default` where none is written."""
        return self.asked(NAMESPACE) or DEFAULT_NAMESPACE

    @fact
    def faults(self) -> Mapping[str, Fault]:
        """Fields that the API refuses, by path: wrong types, words and ranges, and required ones that are missing."""
        return MappingProxyType({found.field: found for found in self._faults()})

    def _faults(self) -> Iterator[Fault]:
        for field in (NAME, NAMESPACE, *self.FIELDS):
            yield from self._fault(field)

    def _fault(self, field: Field[object]) -> Iterator[Fault]:
        """A wrong mapping around several fields is reported once for each of them, at the same line."""
        placed = self._note(*field.keys)
        found = None if placed is None else fault(field, placed.node.value, placed.line)
        if found is not None:
            yield found
        elif placed is None:
            yield from self._absent(field)

    def _absent(self, field: Field[object]) -> Iterator[Fault]:
        for depth in range(1, len(field.keys)):
            around = self.written.placed(*field.keys[:depth])
            wrong = None
            if around is not None:
                wrong = fault(Field(".".join(field.keys[:depth]), mapping), around.node.value, around.line)
            if wrong is not None:
                yield wrong
                return
        if field.required:
            yield Fault(field.path, self.written.line(*field.keys), "is missing")

    @fact
    def unknown_fields(self) -> tuple[Fault, ...]:
        """Fields that its kind does not have, in the order of the file."""
        return tuple(sorted(self._unknown_fields(), key=lambda found: found.line))

    def _unknown_fields(self) -> Iterator[Fault]:
        for path, known in self.KNOWN.items():
            around = self._note(*path.split(".")) if path else self.written.root
            if around is not None and isinstance(around.node.value, dict):
                for key in around.node.entries.keys() - known:
                    line = around.node.entries[key].line
                    yield Fault(".".join(filter(None, (path, str(key)))), line, "is not a field of v1beta1")

    def fault_at(self, *fields: Field[object]) -> str:
        """The line that describes what is wrong with the first of these fields that is, or with the mapping around it.

        File and object are in it; empty where nothing is wrong.
        """
        return next((self._described(found) for found in map(self._first, fields) if found is not None), "")

    def _first(self, field: Field[object]) -> Fault | None:
        return self.reader.compute(self, f"faults.{field.path}", lambda _: next(self._fault(field), None))

    def _described(self, found: Fault) -> str:
        return f"{self.at(found.field, found.line)}: {found.problem}"

    @property
    def every_unknown_field(self) -> tuple[str, ...]:
        """One line for each field that its kind does not have, in the order of the file."""
        return tuple(map(self._described, self.unknown_fields))

    @property
    def every_fault(self) -> tuple[str, ...]:
        """One line for each field that the API refuses, in the order of the file."""
        return tuple(map(self._described, sorted(self.faults.values(), key=lambda found: found.line)))


def _path(field: Field[object] | str) -> str:
    return field if isinstance(field, str) else field.path
