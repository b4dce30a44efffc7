"""Reading a YAML file, and the document it holds."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import yaml

from pytest_nestvirt.one_line import one_line
from pytest_nestvirt.regular_file import NotRegularError, read_regular_file

from .compose import Composed, Placed, compose_all
from .place import DocumentError, Key, Value

MAX_BYTES = 4 * 1024 * 1024

# What YAML 1.2.2 (section 5.1) lets a text hold, surrogates excluded by decoding.
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ufffd\U00010000-\U0010ffff]")
_TAB_INDENT = re.compile(r"[ ]*\t[ \t]*[^\s#]")


@dataclass(frozen=True, slots=True)
class Document:
    """One mapping, with the lines of its keys. Aliased parts of `data` are shared: do not change it."""

    path: Path
    data: dict[str, Value]
    root: Placed

    def line(self, *keys: Key) -> int:
        """The line, from 1, of the key at that path, or of the nearest one around it that exists."""
        return self.root.line_of(*keys)

    def error(self, message: str, *keys: Key) -> DocumentError:
        """A complaint about the key at that path, ready to be raised or shown."""
        return DocumentError(self.path, self.line(*keys), keys, message)


def load_document(path: Path) -> Document:
    """Read a file. Raises `DocumentError`, always one line, if it is not one plain mapping."""
    text = _decode(_read(path), path)
    composed = _compose(text, path)
    if not composed:
        raise DocumentError(path, 0, (), "is empty; expected a mapping")
    if len(composed) > 1:
        raise DocumentError(path, composed[1].line, (), "a second document begins here; expected one document per file")
    _refuse_tabs(text, path, composed)
    return _document(composed[0], path)


def load_documents(path: Path) -> tuple[Document, ...]:
    """Read a file of several documents, each a mapping; empty ones are skipped. Raises `DocumentError`."""
    text = _decode(_read(path), path)
    composed = _compose(text, path)
    _refuse_tabs(text, path, composed)
    return tuple(_document(one, path) for one in composed if one.root.node.value is not None)


def parse_document(text: str, path: Path, offset: int) -> Document:
    """A document that is text inside a file, `offset` lines below the file's beginning. Raises `DocumentError`."""
    composed = _compose(text, path, offset)
    if len(composed) != 1:
        raise DocumentError(path, offset + 1, (), f"holds {len(composed) or 'no'} documents; expected one mapping")
    return _document(composed[0], path)


def _document(composed: Composed, path: Path) -> Document:
    data = composed.root.node.value
    if not isinstance(data, dict):
        raise DocumentError(path, composed.root.line, (), "expected a mapping of keys to values at the top")
    return Document(path, data, composed.root)


def _read(path: Path) -> bytes:
    try:
        return read_regular_file(path, MAX_BYTES)
    except FileNotFoundError:
        raise DocumentError(path, 0, (), "no such file") from None
    except PermissionError:
        raise DocumentError(path, 0, (), "cannot be read by this account; check its permissions") from None
    except NotRegularError as error:
        raise DocumentError(path, 0, (), f"{error.strerror}; expected a YAML file") from None
    except OSError as error:
        raise DocumentError(path, 0, (), f"cannot be read: {error.strerror or error}") from None


def _decode(data: bytes, path: Path) -> str:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        problem = f"byte 0x{data[error.start]:02x} is not UTF-8; save the file as UTF-8"
        raise DocumentError(path, line, (), problem) from None
    unprintable = _UNPRINTABLE.search(text)
    if unprintable:
        line = text.count("\n", 0, unprintable.start()) + 1
        problem = f"control character U+{ord(unprintable[0]):04X} in the text; remove it, or write it as an escape"
        raise DocumentError(path, line, (), problem)
    return text


def _compose(text: str, path: Path, offset: int = 0) -> list[Composed]:
    try:
        return list(compose_all(text, path, offset))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 0
        raise DocumentError(path, line + offset, (), _problem(error, text, line, offset)) from None
    except yaml.YAMLError as error:
        raise DocumentError(path, 0, (), f"invalid YAML: {one_line(str(error), 200)}") from None


def _problem(error: yaml.MarkedYAMLError, text: str, line: int, offset: int) -> str:
    lines = text.splitlines()
    if line and any(_TAB_INDENT.match(near) for near in lines[line - 1 : line]):
        return _TABS
    what = ", ".join(part for part in (error.context, error.problem) if part)
    begun = error.context_mark.line + 1 if error.context_mark else line
    since = f" (begun on line {begun + offset})" if begun != line else ""
    return f"invalid YAML: {one_line(what, 200)}{since}"


_TABS = "indented with a tab; YAML requires spaces"


def _refuse_tabs(text: str, path: Path, composed: Iterable[Composed]) -> None:
    """YAML lets a tab continue a plain scalar, so `a: 1`, tab, `b` is read as one value, which is never intended."""
    if "\t" not in text:
        return
    blocks = {line for document in composed for block in document.block_scalars for line in block}
    for number, line in enumerate(text.split("\n"), start=1):
        if _TAB_INDENT.match(line) and number not in blocks:
            raise DocumentError(path, number, (), _TABS)
