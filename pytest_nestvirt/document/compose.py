"""From YAML text to nodes that know their lines.

PyYAML's parser (libyaml's, where it was built in) yields the events; the nodes are made from them here. PyYAML's own
composer recurses in C, which ends in a segmentation fault on deep input, and it expands aliases without bound.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import yaml

from pytest_nestvirt.one_line import one_line

from .place import DocumentError, Key, Value, seen
from .scalar import resolve_plain

MAX_DEPTH = 64
MAX_NODES = 250_000
"""Nodes of a document with every alias expanded."""

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_STR_TAGS = frozenset({"!", "tag:yaml.org,2002:str"})
_COLLECTION_TAGS = frozenset({"!", "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"})


@dataclass(frozen=True, slots=True)
class Node:
    """One value. `size` and `height` count everything below it, aliases expanded."""

    value: Value
    text: str | None = None
    """The scalar as written; None for mappings and lists."""
    is_merge: bool = False
    """It is a plain `<<`."""
    literal: int = 0
    """Of a literal scalar (`|`): the line of the file on which its text begins; 0 for all else."""
    entries: Mapping[Key, Placed] = field(default_factory=dict)
    size: int = 1
    height: int = 1


@dataclass(frozen=True, slots=True)
class Placed:
    """A node where it is used: the line of its key, or of the list's item."""

    line: int
    node: Node

    def line_of(self, *keys: Key) -> int:
        """The line of the key at that path below, or of the nearest one around it that exists."""
        placed = self
        for key in keys:
            inner = placed.node.entries.get(key)
            if inner is None:
                break
            placed = inner
        return placed.line


@dataclass(frozen=True, slots=True)
class Composed:
    """A whole document."""

    root: Placed
    block_scalars: tuple[range, ...]
    """Lines that belong to literal and folded scalars, where a tab is text."""
    line: int
    """Where it begins."""


@dataclass(slots=True)
class _Frame:
    """A mapping or list whose end has not been seen yet."""

    is_mapping: bool
    line: int
    anchor: str | None
    entries: dict[Key, Placed] = field(default_factory=dict)
    key: str | None = None
    key_line: int = 0
    merging: bool = False
    merges: list[Placed] = field(default_factory=list)

    def position(self) -> Key | None:
        """The key whose value comes next."""
        if not self.is_mapping:
            return len(self.entries)
        return "<<" if self.merging else self.key


class _Mark(Protocol):
    """Where something begins; libyaml's and PyYAML's own are two classes."""

    line: int


def _line(mark: _Mark | None, offset: int = 0) -> int:
    """The line from 1; the parsers leave no event without a mark."""
    return mark.line + 1 + offset if mark else 0


class _Composer:
    """What is open while the events of one document are read."""

    def __init__(self, path: Path, offset: int = 0) -> None:
        self.path = path
        self.offset = offset
        self.stack: list[_Frame] = []
        self.anchors: dict[str, Node] = {}
        self.root: Placed | None = None
        self.nodes = 0
        self.block_scalars: list[range] = []

    def error(self, line: int, problem: str, *more: Key) -> DocumentError:
        keys = [frame.position() for frame in self.stack]
        return DocumentError(self.path, line, (*(key for key in keys if key is not None), *more), problem)

    def take(self, event: yaml.Event) -> None:
        line = _line(event.start_mark, self.offset)
        match event:
            case yaml.ScalarEvent():
                self.scalar(event, line)
            case yaml.AliasEvent():
                self.add(line, self.aliased(str(event.anchor), line))
            case yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                self.open(event, line)
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                self.close()
            case _:
                pass

    def scalar(self, event: yaml.ScalarEvent, line: int) -> None:
        if event.tag is not None and event.tag not in _STR_TAGS:
            raise self.error(line, f"the tag {one_line(event.tag)} is not supported; write the plain value")
        plain = event.tag is None and bool(event.implicit[0])
        if event.style in ("|", ">"):
            self.block_scalars.append(range(line + 1, _line(event.end_mark, self.offset) + 1))
        value = resolve_plain(event.value) if plain else event.value
        literal = line + 1 if event.style == "|" else 0
        node = Node(value, event.value, is_merge=plain and event.value == "<<", literal=literal)
        self.remember(event.anchor, node)
        self.add(line, node)

    def open(self, event: yaml.CollectionStartEvent, line: int) -> None:
        if event.tag is not None and event.tag not in _COLLECTION_TAGS:
            raise self.error(line, f"the tag {one_line(event.tag)} is not supported; write the plain value")
        frame = self.stack[-1] if self.stack else None
        if frame and frame.is_mapping and frame.key is None and not frame.merging:
            raise self.error(line, "keys must be scalars")
        if len(self.stack) >= MAX_DEPTH:
            raise self.error(line, f"nested more than {MAX_DEPTH} levels")
        self.stack.append(_Frame(isinstance(event, yaml.MappingStartEvent), line, event.anchor))

    def close(self) -> None:
        frame = self.stack.pop()
        for source in frame.merges:
            for key, placed in source.node.entries.items():
                frame.entries.setdefault(key, placed)
        children = [placed.node for placed in frame.entries.values()]
        values = [node.value for node in children]
        value: Value = dict(zip(map(str, frame.entries), values, strict=True)) if frame.is_mapping else values
        node = Node(
            value,
            entries=frame.entries,
            size=1 + sum(child.size for child in children),
            height=1 + max((child.height for child in children), default=0),
        )
        self.remember(frame.anchor, node)
        self.add(frame.line, node)

    def remember(self, anchor: str | None, node: Node) -> None:
        if anchor is not None:
            self.anchors[anchor] = node

    def aliased(self, anchor: str, line: int) -> Node:
        """The node of an alias, counted as if it had been written out."""
        if anchor not in self.anchors:
            raise self.error(line, f"undefined alias *{one_line(anchor)}")
        node = self.anchors[anchor]
        self.count(node.size, line)
        if len(self.stack) + node.height > MAX_DEPTH:
            raise self.error(line, f"nested more than {MAX_DEPTH} levels by the alias *{one_line(anchor)}")
        return node

    def count(self, nodes: int, line: int) -> None:
        self.nodes += nodes
        if self.nodes > MAX_NODES:
            raise self.error(line, f"more than {MAX_NODES} values, with aliases expanded")

    def add(self, line: int, node: Node) -> None:
        """Put a complete node into what is open around it."""
        self.count(1, line)
        if not self.stack:
            self.root = Placed(line, node)
            return
        frame = self.stack[-1]
        if not frame.is_mapping:
            frame.entries[len(frame.entries)] = Placed(line, node)
        elif frame.merging:
            frame.merges += self.mergeable(line, node)
            frame.merging = False
        elif frame.key is None:
            self.begin_entry(frame, line, node)
        else:
            frame.entries[frame.key] = Placed(frame.key_line, node)
            frame.key = None

    def begin_entry(self, frame: _Frame, line: int, node: Node) -> None:
        if node.is_merge:
            frame.merging = True
            return
        if not node.text:
            raise self.error(line, f"a key must be text; seen {seen(node.value)}")
        if node.text in frame.entries:
            first = frame.entries[node.text].line
            raise self.error(line, f"duplicate key (first defined on line {first})", node.text)
        frame.key, frame.key_line = node.text, line

    def mergeable(self, line: int, node: Node) -> Iterator[Placed]:
        """The mappings that a merge key brings in, the most important first."""
        sources = node.entries.values() if isinstance(node.value, list) else (Placed(line, node),)
        for source in sources:
            if not isinstance(source.node.value, dict):
                raise self.error(line, "expected the alias of a mapping, or a list of such aliases")
            yield source


def compose_all(text: str, path: Path, offset: int = 0) -> Iterator[Composed]:
    """Every document of a text that holds anything; `offset` lines of the file come before the text.

    Raises `DocumentError` for duplicate keys, keys that are not scalars, tags, and what exceeds `MAX_DEPTH` or `MAX_NODES`
    in one document; `yaml.YAMLError` where the text is not YAML.
    """
    composer, begun = _Composer(path, offset), 0
    for event in yaml.parse(text, Loader=_LOADER):
        if isinstance(event, yaml.DocumentStartEvent):
            composer, begun = _Composer(path, offset), _line(event.start_mark, offset)
        composer.take(event)
        if isinstance(event, yaml.DocumentEndEvent) and composer.root is not None:
            yield Composed(composer.root, tuple(composer.block_scalars), begun)
