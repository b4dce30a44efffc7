"""Kubernetes quantities: `16Gi`, `500G`, `0.5Ti`, `1e9`, a plain number of bytes.

Grammar and meaning are those of k8s.io/apimachinery/pkg/api/resource: a signed decimal number, and a binary suffix (Ki,
Mi, Gi, ...), a decimal one (n, u, m, k, M, G, ...; no suffix is 1) or a decimal exponent. `m` is a thousandth, and `K`
exists only as `Ki`.
"""

from __future__ import annotations

import re
from fractions import Fraction

EXPECTED = "a quantity such as 16Gi, 500G or a number of bytes"

_BINARY: dict[str, int] = {
    suffix: 1024**power for power, suffix in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"), start=1)
}
_DECIMAL = {
    "n": Fraction(1, 10**9), "u": Fraction(1, 10**6), "m": Fraction(1, 10**3), "": Fraction(1),
    "k": Fraction(10**3), "M": Fraction(10**6), "G": Fraction(10**9), "T": Fraction(10**12), "P": Fraction(10**15),
    "E": Fraction(10**18),
}  # fmt: skip
_QUANTITY = re.compile(
    r"(?P<number>[+-]?(?:[0-9]{1,30}(?:\.[0-9]{0,30})?|\.[0-9]{1,30}))"
    r"(?:(?P<binary>[KMGTPE]i)|[eE](?P<exponent>[+-]?[0-9]{1,2})|(?P<decimal>[numkMGTPE]?))"
)


def parse_quantity(written: object) -> Fraction:
    """The number that a quantity stands for. Raises ValueError, with what was expected, for anything else.

    >>> parse_quantity("16Gi") == 16 * 2**30, parse_quantity("1.5k"), parse_quantity(4096) == 4096
    (True, Fraction(1500, 1), True)
    """
    is_number_or_text = isinstance(written, int | str) and not isinstance(written, bool)
    found = _QUANTITY.fullmatch(str(written)) if is_number_or_text else None
    if found is None:
        raise ValueError(f"expected {EXPECTED}")
    number = Fraction(found["number"].removesuffix("."))
    if found["binary"]:
        return number * _BINARY[found["binary"]]
    if found["exponent"]:
        return number * Fraction(f"1e{found['exponent']}")
    return number * _DECIMAL[found["decimal"]]


def size_in_bytes(written: object) -> int:
    """A quantity as a size in whole bytes, rounded up as the API server does. Raises ValueError."""
    number = parse_quantity(written)
    if number < 0:
        raise ValueError(f"expected {EXPECTED}, and not a negative one")
    return -(-number.numerator // number.denominator)
