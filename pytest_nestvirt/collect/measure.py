"""One turn of one machine: which programs it has to measure with, and how fast one of them runs there."""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from itertools import combinations

from pytest_nestvirt.one_line import excerpt
from pytest_nestvirt.snapshot.measurement import KERNEL, Round
from pytest_nestvirt.transport.base import Transport

OFFER = "offer"
PART_SECONDS = 0.5
"""For which each of the two parts of a turn runs, at least."""
PREFERRED = ("python", "pypy", "gawk", "mawk", "busybox")
"""Programs, the most exact first: Python reads a finer clock and reaches more memory than awk and dd."""

_FIGURES = re.compile(r"([0-9]{1,18}) ([0-9]{1,9}\.[0-9]{1,9})")
_TEXT_LIMIT = 200


class NotMeasuredError(Exception):
    """A machine was asked to measure and did not: one line that says why."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the script printed."""

    offers: tuple[str, ...] = ()
    build: str = ""
    cpu: float | None = None
    """Operations per second."""
    memory: float | None = None
    trouble: str = ""
    complete: bool = False


def parse_answer(printed: bytes, nonce: str) -> Answer:
    r"""The lines that bear the nonce; all others come from elsewhere. What is not a figure is left out.

    >>> parse_answer(b"Welcome!\n@c0ffee cpu 30 1.5\n@c0ffee end\n", "c0ffee").cpu
    20.0
    """
    lines = [line.split(" ", 2)[1:] for line in _lines(printed, nonce)]
    values = {words[0]: words[1] if len(words) > 1 else "" for words in lines}
    offers = (words[1] for words in lines if words[0] == OFFER and len(words) > 1 and KERNEL.fullmatch(words[1]))
    return Answer(
        offers=tuple(dict.fromkeys(offers)),
        build=excerpt(values.get("build", "").encode(), _TEXT_LIMIT),
        cpu=_rate(values.get("cpu", "")),
        memory=_rate(values.get("memory", "")),
        trouble=excerpt(values.get("trouble", "").encode(), _TEXT_LIMIT),
        complete="end" in values,
    )


def _lines(printed: bytes, nonce: str) -> list[str]:
    lines = printed.decode("utf-8", errors="replace").split("\n")
    return [line.rstrip("\r") for line in lines if line.startswith(f"@{nonce} ")]


def _rate(text: str) -> float | None:
    """`COUNT SECONDS` as operations per second; None for anything else, and where nothing was done or no time passed."""
    match = _FIGURES.fullmatch(text)
    if match is None or int(match[1]) == 0 or float(match[2]) == 0:
        return None
    return int(match[1]) / float(match[2])


def script(nonce: str, wanted: str, seconds: float) -> bytes:
    """What `sh` gets on its standard input. `wanted` is `offer` or the name of a program."""
    if wanted != OFFER and not KERNEL.fullmatch(wanted):
        raise ValueError(f"no program to measure with: {wanted!r}")
    body = files("pytest_nestvirt.collect").joinpath("measure.sh").read_bytes()
    return f"n={nonce}\nw='{wanted}'\ns={max(1, round(seconds * 100))}\n".encode("ascii") + body


def offers(transport: Transport) -> tuple[str, ...]:
    """The programs that a machine has. Raises `TransportError`, and `NotMeasuredError` where it has none."""
    answer = _ask(transport, OFFER, 0.0)
    if not answer.offers:
        raise NotMeasuredError("it has neither Python 3 nor an awk with /proc/uptime and dd to measure with")
    return answer.offers


def turn(transport: Transport, kernel: str, seconds: float = PART_SECONDS) -> tuple[str, Round]:
    """Run that program once: its build, and how fast it was. Raises `TransportError`, `NotMeasuredError`."""
    answer = _ask(transport, kernel, seconds)
    if answer.cpu is None or answer.memory is None:
        raise NotMeasuredError(f"{kernel} printed no figures")
    return answer.build, Round(answer.cpu, answer.memory)


def _ask(transport: Transport, wanted: str, seconds: float) -> Answer:
    nonce = secrets.token_hex(8)
    completed = transport.run("sh", stdin=script(nonce, wanted, seconds))
    answer = parse_answer(completed.stdout, nonce)
    if answer.trouble:
        raise NotMeasuredError(answer.trouble)
    if not answer.complete:
        said = excerpt(completed.stderr or completed.stdout, _TEXT_LIMIT)
        raise NotMeasuredError(f"the measuring script ended with {completed.exit_code}" + (f": {said}" if said else ""))
    return answer


@dataclass(frozen=True, slots=True)
class Choice:
    """The program to measure with, and the places of the machines that have it."""

    kernel: str
    places: tuple[int, ...]


def common_kernel(offered: Sequence[Sequence[str]]) -> Choice | None:
    """The best program that as many machines of a chain as possible have, from the L0 down; None where no two do.

    The deepest machine takes part in any case, for it is the one whose speed is asked; of equally many machines those
    that reach farther up win. Programs are compared with their version: another version is another speed.
    """
    deepest = len(offered) - 1
    for size in range(len(offered), 1, -1):
        for above in combinations(range(deepest), size - 1):
            places = (*above, deepest)
            shared = set.intersection(*(set(offered[place]) for place in places))
            if shared:
                return Choice(min(shared, key=_rank), places)
    return None


def _rank(kernel: str) -> tuple[int, tuple[int, ...], str]:
    """The preferred program, and of several versions of it the newest."""
    name, _, version = kernel.partition(" ")
    newest = tuple(-int(part) for part in version.split("."))
    return PREFERRED.index(name) if name in PREFERRED else len(PREFERRED), newest, kernel
