"""What pydantic found wrong with a document, in the words of the file: where, what was expected, what was seen."""

from __future__ import annotations

import difflib
import re
import typing
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from pydantic import BaseModel

from pytest_nestvirt.one_line import one_line

from .load_yaml import Document
from .place import DocumentError, Key, seen

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails, ValidationError


_HINTED = 100
"""Errors for which a similar key is looked for: it takes longer than all else, and only the first ones are shown."""

_SECRET = re.compile(r"pass|secret|token|credential", re.IGNORECASE)

_EXPECTED = {
    "bool": "true or false",
    "int": "a whole number",
    "float": "a number",
    "string": "text (in quotes where it looks like a number)",
    "list": "a list",
    "tuple": "a list",
    "set": "a list",
    "frozen_set": "a list",
    "dict": "a mapping",
    "model": "a mapping",
    "dataclass": "a mapping",
    "model_attributes": "a mapping",
}

_LIMITS = {
    "greater_than": ("gt", "a value above {}"),
    "greater_than_equal": ("ge", "a value of at least {}"),
    "less_than": ("lt", "a value below {}"),
    "less_than_equal": ("le", "a value of at most {}"),
    "multiple_of": ("multiple_of", "a multiple of {}"),
    "string_pattern_mismatch": ("pattern", "text that matches {}"),
    "string_too_short": ("min_length", "at least {} character"),
    "string_too_long": ("max_length", "at most {} character"),
    "too_short": ("min_length", "at least {} entry"),
    "too_long": ("max_length", "at most {} entry"),
}
"""Constraints by pydantic's type of error: where its context has the limit, and our words. pydantic's own change with it."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A hint at the known word that is nearest, or at all of them.

    >>> did_you_mean("adress", ["address", "port"]), did_you_mean("zzz", ["port", "address"])
    ("did you mean 'address'?", 'expected one of: address, port')
    """
    words = sorted(set(known))
    folded = {candidate.lower().replace("-", "_"): candidate for candidate in words}
    near = difflib.get_close_matches(word[:80].lower().replace("-", "_"), folded, n=1, cutoff=0.6)
    return f"did you mean '{folded[near[0]]}'?" if near else f"expected one of: {', '.join(words)}"


def explain(
    validation_error: ValidationError,
    document: Document,
    prefix: tuple[Key, ...] = (),
    *,
    model: type[BaseModel] | None = None,
) -> list[str]:
    """One line `FILE:LINE: key.path: …` for each key that is wrong, in the order of the file.

    `prefix` is where in the document the validated part is. `model` is what it was validated with; by default the
    one pydantic model whose name the error has. Its keys are the ones that are suggested.
    """
    return [str(complaint) for complaint in complaints(validation_error, document, prefix, model=model)]


def complaints(
    validation_error: ValidationError,
    document: Document,
    prefix: tuple[Key, ...] = (),
    *,
    model: type[BaseModel] | None = None,
) -> list[DocumentError]:
    """What `explain` lists, as errors that still have their places."""
    model = model or _model_named(validation_error.title)
    found: dict[tuple[Key, ...], list[str]] = {}
    for number, error in enumerate(validation_error.errors(include_url=False)):
        keys = _existing(document, (*prefix, *error["loc"]))
        known = tuple(_fields(model, error["loc"][:-1])) if model and number < _HINTED else ()
        message = _message(error, keys, known)
        if message not in found.setdefault(keys, []):
            found[keys].append(message)
    errors = [document.error(_joined(messages), *keys) for keys, messages in found.items()]
    return sorted(errors, key=lambda error: error.line)


def _joined(messages: list[str]) -> str:
    """What the members of a union expect, as one sentence."""
    if len(messages) == 1:
        return messages[0]
    wanted = [message.removeprefix("expected ").partition("; seen ")[0] for message in messages]
    tail = messages[0].partition("; seen ")[2]
    return f"expected {' or '.join(wanted)}" + (f"; seen {tail}" if tail else "")


def _existing(document: Document, keys: Sequence[Key]) -> tuple[Key, ...]:
    """The key path without what only pydantic's locations have (names of union members, `[key]`)."""
    placed, path = document.root, []
    for index, key in enumerate(keys):
        inner = placed.node.entries.get(key)
        is_missing_key = index == len(keys) - 1 and isinstance(key, str) and isinstance(placed.node.value, dict)
        if inner is not None:
            placed = inner
        if inner is not None or (is_missing_key and key != "[key]"):
            path.append(key)
    return tuple(path)


def _message(error: ErrorDetails, keys: tuple[Key, ...], known: Sequence[str]) -> str:
    kind, key = error["type"], str(keys[-1]) if keys else ""
    if kind == "extra_forbidden":
        return f"unknown key; {did_you_mean(key, known)}" if known else "unknown key"
    if kind == "missing":
        return "is missing"
    words = one_line(_expectation(error), 300)
    is_secret = any(_SECRET.search(str(part)) for part in keys)
    return words if is_secret or kind == "value_error" else f"{words}; seen {seen(error['input'])}"


def _expectation(error: ErrorDetails) -> str:
    kind = error["type"]
    if kind in ("value_error", "assertion_error"):
        return str(error.get("ctx", {}).get("error", error["msg"]))
    if kind in ("enum", "literal_error"):
        return f"expected {str(error['ctx']['expected']).replace(chr(39), '')}{_nearest(error)}"
    base = re.sub(r"_(type|parsing|from_float|parsing_size|attributes_type)$", "", kind)
    if base in _EXPECTED and base != kind:
        return f"expected {_EXPECTED[base]}"
    return f"expected {_within(kind, error)}" if kind in _LIMITS else error["msg"]


def _within(kind: str, error: ErrorDetails) -> str:
    name, words = _LIMITS[kind]
    limit = error["ctx"][name]
    if words.endswith("entry") and limit != 1:
        words = words.replace("entry", "entries")
    elif words.endswith("character") and limit != 1:
        words += "s"
    return words.format(f"{limit:g}" if isinstance(limit, float) else limit)


def _nearest(error: ErrorDetails) -> str:
    words = re.findall(r"'([^']*)'", str(error["ctx"]["expected"]))
    hint = did_you_mean(error["input"], words) if isinstance(error["input"], str) else ""
    return f" ({hint})" if hint.startswith("did") else ""


def _model_named(name: str) -> type[BaseModel] | None:
    found = {model for model in _subclasses(BaseModel) if model.__name__ == name}
    return found.pop() if len(found) == 1 else None


def _subclasses(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for subclass in model.__subclasses__():
        yield subclass
        yield from _subclasses(subclass)


def _fields(model: type[BaseModel], location: Sequence[Key]) -> Iterator[str]:
    """The keys that the models found at that location take."""
    models = [model]
    for step in location:
        models = [inner for outer in models for inner in _models_below(outer, step)] or models
    for found in models:
        for name, field in found.model_fields.items():
            yield field.alias or name


def _models_below(model: type[BaseModel], step: Key) -> Iterator[type[BaseModel]]:
    for name, field in model.model_fields.items():
        if step in (name, field.alias):
            yield from _models_in(field.annotation)


def _models_in(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in typing.get_args(annotation):
        yield from _models_in(part)
