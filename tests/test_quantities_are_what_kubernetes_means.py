"""Kubernetes quantities mean what the API server makes of them."""

from __future__ import annotations

import contextlib
import re
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_nestvirt.manifests.quantity import parse_quantity, size_in_bytes

API = re.compile(
    r"^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?$"
)
"""The pattern of the custom resource definition."""


@pytest.mark.parametrize(
    "written, size",
    [
        ("16Gi", 16 * 2**30),
        ("512Mi", 512 * 2**20),
        ("500G", 500 * 10**9),
        ("8Gi", 8 * 2**30),
        (".5Ti", 2**39),
        ("1.", 1),
        ("2k", 2000),
        ("1e3", 1000),
        ("1E", 10**18),
        ("12E2", 1200),
        ("+1Ki", 1024),
        ("512m", 1),
        (8589934592, 2**33),
        ("0", 0),
    ],
)
def test_a_quantity_is_its_number_of_bytes(written: object, size: int) -> None:
    """Binary and decimal suffixes differ, `m` is a thousandth, a bare number is bytes; fractions are rounded up."""
    assert size_in_bytes(written) == size


@pytest.mark.parametrize(
    "written",
    ["", "Gi", "8GB", "8 Gi", "8gi", "1Ki2", "0x10", "1e999", "٣Gi", "NaN", "1K", True, None, 1.5, ["1"]],
)
def test_anything_else_is_refused(written: object) -> None:
    """Other units, blanks, other scripts' digits, truth values: told with what was expected."""
    with pytest.raises(ValueError, match=r"expected a quantity such as 16Gi"):
        parse_quantity(written)


def test_no_size_is_negative() -> None:
    """The grammar has a sign; a size has none."""
    assert parse_quantity("-1Gi") == -(2**30)
    with pytest.raises(ValueError, match="not a negative one"):
        size_in_bytes("-1Gi")


@settings(max_examples=200)
@given(st.text(alphabet="0123456789.+-eEKMGTPkmnui \n", max_size=12))
def test_what_is_read_is_what_the_api_accepts(text: str) -> None:
    """Nothing outside of the API's own pattern is taken for a quantity, and nothing crashes."""
    with contextlib.suppress(ValueError):
        assert isinstance(parse_quantity(text), Fraction)
        assert API.fullmatch(text)


@settings(max_examples=50)
@given(st.integers(0, 10**6), st.sampled_from(["Ki", "Mi", "Gi", "k", "M", "G", "", "m"]))
def test_larger_numbers_are_larger_quantities(number: int, suffix: str) -> None:
    """The order of numbers is that of sizes."""
    assert parse_quantity(f"{number}{suffix}") < parse_quantity(f"{number + 1}{suffix}")
