"""A document says what was written, and where."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_nestvirt.document import Document, load_document


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where the text under test is written."""
    return tmp_path / "lab.yml"


def document(file: Path, text: str) -> Document:
    """Write the text and load it."""
    file.write_text(text)
    return load_document(file)


@pytest.mark.parametrize(
    "written, meant",
    [
        ("true", True),
        ("False", False),
        ("on", "on"),
        ("yes", "yes"),
        ("No", "No"),
        ("off", "off"),
        ("y", "y"),
        ("22", 22),
        ("-7", -7),
        ("0", 0),
        ("0x1F", 31),
        ("0o755", 493),
        ("0755", "0755"),
        ("22:22", "22:22"),
        ("1:30:00", "1:30:00"),
        ("1_000", "1_000"),
        ("8.10", "8.10"),
        ("1e3", "1e3"),
        (".inf", ".inf"),
        ("2026-01-31", "2026-01-31"),
        ("9" * 30, "9" * 30),
        ("'22'", "22"),
        ('"true"', "true"),
        ("!!str 22", "22"),
        ("! true", "true"),
        ("~", None),
        ("", None),
        ("null", None),
        ("'null'", "null"),
        ("=", "="),
        ("[on, 1]", ["on", 1]),
    ],
)
def test_a_scalar_means_what_it_looks_like(file: Path, written: str, meant: object) -> None:
    """Only true and false are booleans, only plain digits numbers; releases, times and modes stay as written."""
    value = document(file, f"key: {written}\n").data["key"]
    assert (value, type(value)) == (meant, type(meant))


def test_keys_are_text(file: Path) -> None:
    """A machine named 8, on or null keeps its name."""
    assert list(document(file, "8: a\non: b\nnull: c\n08: d\n").data) == ["8", "on", "null", "08"]


def test_every_key_knows_its_line(file: Path) -> None:
    """Keys and items have the line where they are written, aliases where they are used.

    What is missing has the line of what is around it.
    """
    found = document(file, "# c\na: &a\n  b: |\n    x\n    y\n  c:\n  - 1\n  - {d: 2}\ne: *a\nf:\n  <<: *a\n  b: 3\n")
    lines = {
        (): 2,
        ("a",): 2,
        ("a", "b"): 3,
        ("a", "c"): 6,
        ("a", "c", 0): 7,
        ("a", "c", 1, "d"): 8,
        ("a", "c", 7): 6,
        ("e",): 9,
        ("e", "b"): 3,
        ("f", "b"): 12,
        ("f", "c"): 6,
        ("f", "gone", "deeper"): 10,
    }
    assert {keys: found.line(*keys) for keys in lines} == lines


def test_an_error_names_file_line_and_key(file: Path) -> None:
    """`Document.error` is the one form of every complaint."""
    found = document(file, "hosts:\n  kvm.01:\n    'odd key': [1, 2]\n")
    said = str(found.error("is odd", "hosts", "kvm.01", "odd key", 1))
    assert said == f"{file}:3: hosts.kvm.01.'odd key'[1]: is odd"


def test_merge_keys_fill_in_what_is_not_said(file: Path) -> None:
    """A merged mapping never overrides what stands beside it, and the first of several wins."""
    text = "a: &a {x: 1, y: 1}\nb: &b {x: 2, z: 2}\nc: {x: 3, <<: *a}\nd: {<<: [*a, *b], y: 4}\ne: {'<<': 5}\n"
    data = document(file, text).data
    assert data["c"] == {"x": 3, "y": 1}
    assert data["d"] == {"x": 1, "y": 4, "z": 2}
    assert data["e"] == {"<<": 5}


def test_tabs_are_text_inside_block_scalars(file: Path) -> None:
    """A literal block may hold a Makefile; the key after it is looked at again."""
    assert document(file, "a: |\n  x:\n  \ty\nb: 1\n").data == {"a": "x:\n\ty\n", "b": 1}


def test_both_parsers_agree(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where PyYAML was built without libyaml, the same data and lines come out."""
    text = "a: &a {b: [1, on]}\nc: |\n  x\n\nd:\n  <<: *a\n  e: '1'\n"
    fast = document(file, text)
    monkeypatch.setattr("pytest_nestvirt.document.compose._LOADER", yaml.SafeLoader)
    assert load_document(file) == fast


_WORDS = st.text(alphabet="abcdefxyz0123456789._- ", max_size=8)
_TREES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**17), 10**17) | _WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_WORDS.filter(bool), inner, max_size=3),
    max_leaves=12,
)


@given(st.dictionaries(_WORDS.filter(bool), _TREES, min_size=1, max_size=4))
@settings(max_examples=100, deadline=None)
def test_json_is_loaded_as_what_it_says(tmp_path_factory: pytest.TempPathFactory, tree: dict[str, object]) -> None:
    """JSON, which is YAML with every string in quotes, comes back unchanged."""
    file = tmp_path_factory.getbasetemp() / "dumped.yml"
    file.write_text(json.dumps(tree))
    loaded = load_document(file).data
    assert (loaded, json.dumps(loaded)) == (tree, json.dumps(tree))
