"""A file that can't be used is refused in one line that names the place."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pytest_nestvirt.document import DocumentError, load_document


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where the text under test is written."""
    return tmp_path / "lab.yml"


def refusal(path: Path) -> str:
    """What is said of the file, after its name."""
    with pytest.raises(DocumentError) as caught:
        load_document(path)
    text = str(caught.value)
    assert "\n" not in text
    return text.removeprefix(f"{path}")


@pytest.mark.parametrize(
    "text, said",
    [
        ("", ": is empty; expected a mapping"),
        ("# only this\n", ": is empty; expected a mapping"),
        ("\n- a\n", ":2: expected a mapping of keys to values at the top"),
        ("null\n", ":1: expected a mapping of keys to values at the top"),
        ("a: 1\n---\nb: 2\n", ":2: a second document begins here; expected one document per file"),
        ("x:\n  a: 1\n  b: 2\n  'a': 3\n", ":4: x.a: duplicate key (first defined on line 2)"),
        ("x:\n- {a: 1}\n- {a: 1,\n   a: 2}\n", ":4: x[1].a: duplicate key (first defined on line 3)"),
        ("a:\n\tb: 1\n", ":2: indented with a tab; YAML requires spaces"),
        ("a:\n  b: 1\n \tc: 2\n", ":3: indented with a tab; YAML requires spaces"),
        ("a: 1\n\tb\nc: 2\n", ":2: indented with a tab; YAML requires spaces"),
        ("a: 1\nb: *gone\n", ":2: b: undefined alias *gone"),
        ("a: &a [*a]\n", ":1: a[0]: undefined alias *a"),
        (
            "a: !!python/object:os.system {}\n",
            ":1: a: the tag tag:yaml.org,2002:python/object:os.system is not supported",
        ),
        ("a: !vault x\n", ":1: a: the tag !vault is not supported"),
        ("a:\n  ? [1, 2]\n  : x\n", ":2: a: keys must be scalars"),
        ("a: &l [1]\n? *l\n: x\n", ":2: a key must be text; seen a list"),
        ("'': 1\n", ":1: a key must be text; seen ''"),
        ("a:\n  <<: 5\n", ":2: a.'<<': expected the alias of a mapping"),
        ("a: 1\nb: \x07\n", ":2: control character U+0007 in the text"),
        ("[" * 70 + "]" * 70, f":1: {'[0]' * 64}: nested more than 64 levels"),
        ("".join(f"{' ' * depth}a:\n" for depth in range(100)), ":65: a.a."),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_a_broken_text_is_refused_at_its_line(file: Path, text: str, said: str) -> None:
    """What isn't one plain mapping is refused, with the line at fault and the key path where there is one."""
    file.write_text(text)
    assert refusal(file).startswith(said)


@pytest.mark.parametrize(
    "text, beginning, end",
    [
        ("a: 1\nb: 'x\n", ":3: invalid YAML: ", " (begun on line 2)"),
        ("a: b: c\n", ":1: invalid YAML: ", ""),
        ("a: {b: 1\nc: 2\n", ":2: invalid YAML: ", " (begun on line 1)"),
        ("a: 1\nb: @c\n", ":2: invalid YAML: ", ""),
        ("%YAML 9.9\n---\na: 1\n", ":1: invalid YAML: ", ""),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_what_yaml_itself_refuses_is_shown_at_its_line(file: Path, text: str, beginning: str, end: str) -> None:
    """The place and the frame of the message are ours; the words between are PyYAML's and change with it."""
    file.write_text(text)
    message = refusal(file)
    assert message.startswith(beginning)
    assert message.endswith(end)
    assert len(message) > len(beginning) + len(end)


@pytest.mark.parametrize("text", ["[" * 100_000, "{a: " * 100_000, "- " * 100_000], ids=["lists", "mappings", "blocks"])
def test_text_of_any_depth_is_refused_in_one_line(file: Path, text: str) -> None:
    """PyYAML has a limit of its own from 6.0.4 on: whichever of the two is met first, there is one line with the place."""
    file.write_text(text)
    assert refusal(file).startswith(":1: ")


def test_bytes_that_are_no_utf8_are_named_with_their_line(file: Path) -> None:
    """Latin-1 and UTF-16 are refused; a UTF-8 byte order mark is not."""
    file.write_bytes(b"a: 1\nb: caf\xe9\n")
    assert refusal(file) == ":2: byte 0xe9 is not UTF-8; save the file as UTF-8"
    file.write_bytes("a: 1\n".encode("utf-16"))
    assert refusal(file).startswith(":1: byte 0xff is not UTF-8")
    file.write_bytes("a: 1\n".encode("utf-8-sig"))
    assert load_document(file).data == {"a": 1}


def test_what_is_no_readable_file_is_refused(tmp_path: Path) -> None:
    """A missing file, a directory, a pipe (which would never end) and a link to itself each get a line."""
    assert refusal(tmp_path / "gone.yml") == ": no such file"
    assert refusal(tmp_path) == ": is a directory; expected a YAML file"
    pipe, loop = tmp_path / "pipe.yml", tmp_path / "loop.yml"
    os.mkfifo(pipe)
    loop.symlink_to(loop)
    assert refusal(pipe) == ": is not a regular file; expected a YAML file"
    assert refusal(Path("/dev/zero")) == ": is not a regular file; expected a YAML file"
    assert refusal(loop).startswith(": cannot be read: ")
    with pytest.raises(DocumentError, match="cannot be read: not a valid file name"):
        load_document(Path("a\0b.yml"))


def test_a_file_without_permission_is_refused(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that this account may not read gets a line. Root may read everything, so the refusal is made up."""

    def refused(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    file.write_text("a: 1\n")
    monkeypatch.setattr(os, "open", refused)
    assert refusal(file) == ": cannot be read by this account; check its permissions"


def test_a_huge_file_is_refused(file: Path) -> None:
    """Four MiB are read, a byte more is not."""
    file.write_text("a: 1\n#".ljust(4 * 1024 * 1024, "x"))
    assert load_document(file).data == {"a": 1}
    file.write_text("a: 1\n#".ljust(4 * 1024 * 1024 + 1, "x"))
    assert refusal(file) == ": cannot be read: larger than 4 MiB"


def test_aliases_count_as_what_they_stand_for(file: Path) -> None:
    """A few hundred bytes of aliases can't stand for billions of values, neither in width nor in depth."""
    layers = [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12)]
    file.write_text("a0: &a0 [x]\n" + "".join(layers))
    assert "more than 250000 values, with aliases expanded" in refusal(file)
    file.write_text("a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 100)))
    assert "nested more than 64 levels by the alias" in refusal(file)
    merged = [f"m{n}: &m{n} {{<<: [{', '.join([f'*m{n - 1}'] * 20)}]}}\n" for n in range(1, 12000)]
    file.write_text("m0: &m0 {x: 1}\n" + "".join(merged))
    assert "more than 250000 values" in refusal(file)


@given(st.one_of(st.text(), st.text(alphabet="ab:-?[]{}&*!|>'\"%@`#,<~ \n\t0\\"), st.binary()))
@settings(max_examples=300, deadline=None)
@example("? ? ? a")
@example("&a a: *a")
@example("<<: <<")
@example("<<: {<<: {a: 1}}")
@example("%YAML 9.9\n---\n")
def test_no_text_gets_past_with_another_error(tmp_path_factory: pytest.TempPathFactory, text: str | bytes) -> None:
    """Whatever a file holds, it is a document or a `DocumentError` of one line; lines lie within the file."""
    file = tmp_path_factory.getbasetemp() / "any.yml"
    data = text if isinstance(text, bytes) else text.encode("utf-8", errors="surrogatepass")
    file.write_bytes(data)
    try:
        document = load_document(file)
    except DocumentError as error:
        said = str(error)
    else:
        assert all(1 <= document.line(key) <= len(data.splitlines()) + 1 for key in document.data)
        return
    assert len(said.splitlines()) == 1
