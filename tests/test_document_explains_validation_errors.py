"""What pydantic objects to is told in the words of the file."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pytest_nestvirt.document import did_you_mean, explain, load_document


class Colour(StrEnum):
    RED = "red"
    GREEN = "green"


class Wheel(BaseModel):
    model_config = ConfigDict(extra="forbid")

    spokes: int
    colour: Colour = Colour.RED


class ExplainedCart(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str
    wheels: list[Wheel] = []
    spare: Wheel | None = None
    by_side: dict[str, Wheel] = {}
    load: int | list[int] = 0
    kind: Literal["hand", "ox"] = "hand"
    speed: Annotated[float, Field(gt=0)] = 1.0
    axles: Annotated[int, Field(ge=1, le=8)] = 1
    owner: Annotated[str, Field(min_length=1, max_length=8)] = "x"
    spare_keys: Annotated[list[str], Field(min_length=1)] = ["x"]
    password_env: Annotated[str, Field(pattern="^[A-Z]+$")] = "X"


def explained(tmp_path: Path, text: str, prefix: tuple[str, ...] = ()) -> list[str]:
    """What is said of the text as a cart, after the name of its file."""
    file = tmp_path / "cart.yml"
    file.write_text(text)
    document = load_document(file)
    data: object = document.data
    for key in prefix:
        assert isinstance(data, dict)
        data = data[key]
    with pytest.raises(ValidationError) as caught:
        ExplainedCart.model_validate(data)
    return [line.removeprefix(f"{file}:") for line in explain(caught.value, document, prefix)]


@pytest.mark.parametrize(
    "text, said",
    [
        ("wheels: []\n", "1: name: is missing"),
        ("name: 5\n", "1: name: expected text (in quotes where it looks like a number); seen 5"),
        ("name: x\nwheel: []\n", "2: wheel: unknown key; did you mean 'wheels'?"),
        ("name: x\nwheels:\n- spokes: 3\n  spoke: 4\n", "4: wheels[0].spoke: unknown key; did you mean 'spokes'?"),
        ("name: x\nspare:\n  spokes: 3\n  color: red\n", "4: spare.color: unknown key; did you mean 'colour'?"),
        (
            "name: x\nby_side:\n  left: {spokes: 3, zz: 1}\n",
            "3: by_side.left.zz: unknown key; expected one of: colour, spokes",
        ),
        ("name: x\nwheels:\n- spokes: many\n", "3: wheels[0].spokes: expected a whole number; seen 'many'"),
        ("name: x\nwheels:\n- 5\n", "3: wheels[0]: expected a mapping; seen 5"),
        ("name: x\nwheels: {a: b}\n", "2: wheels: expected a list; seen a mapping"),
        (
            "name: x\nspare: {spokes: 1, colour: redd}\n",
            "2: spare.colour: expected red or green (did you mean 'red'?); seen 'redd'",
        ),
        ("name: x\nkind: horse\n", "2: kind: expected hand or ox; seen 'horse'"),
        ("name: x\nspeed: -1\n", "2: speed: expected a value above 0; seen -1"),
        ("name: x\naxles: 0\n", "2: axles: expected a value of at least 1; seen 0"),
        ("name: x\naxles: 9\n", "2: axles: expected a value of at most 8; seen 9"),
        ("name: x\nowner: ''\n", "2: owner: expected at least 1 character; seen ''"),
        ("name: x\nowner: Jacqueline\n", "2: owner: expected at most 8 characters; seen 'Jacqueline'"),
        ("name: x\nspare_keys: []\n", "2: spare_keys: expected at least 1 entry; seen a list"),
        ("name: x\nload: heavy\n", "2: load: expected a whole number or a list; seen 'heavy'"),
        ("name: x\npassword_env: hunter2\n", "2: password_env: expected text that matches ^[A-Z]+$"),
    ],
)
def test_each_complaint_names_line_key_and_expectation(tmp_path: Path, text: str, said: str) -> None:
    """Line, key path, what was expected and what was seen; a near key is suggested; secrets are not shown."""
    assert explained(tmp_path, text) == [said]


def test_all_complaints_come_in_the_order_of_the_file(tmp_path: Path) -> None:
    """Nothing hides behind the first mistake, and a prefix says where in the file the validated part stands."""
    said = explained(tmp_path, "cart:\n  speed: 0\n  nam: x\n  wheels: 7\n", ("cart",))
    assert [line.partition(": ")[0] for line in said] == ["1", "2", "3", "4"]
    assert said[0] == "1: cart.name: is missing"
    assert said[2] == "3: cart.nam: unknown key; did you mean 'name'?"


def test_a_hint_is_given_only_where_something_is_near() -> None:
    """A word like none of the known ones gets the list of them."""
    assert did_you_mean("host-key", ["host_key", "port"]) == "did you mean 'host_key'?"
    assert did_you_mean("manifests", ["hosts", "defaults"]) == "expected one of: defaults, hosts"
