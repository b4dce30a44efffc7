"""How a check ended: by an assertion of its own, which answers its question, or in some other way, which does not."""

from __future__ import annotations

import inspect
import threading
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import dropwhile
from types import FrameType

import pytest

from pytest_nestvirt.observation.fact import Unobservable
from pytest_nestvirt.run.assertion_text import assertion_text
from pytest_nestvirt.verdict import Blocked, Finding


@dataclass(frozen=True, slots=True)
class Ending:
    """One way in which a check, or a subtest of it, ended."""

    finding: Finding
    reason: str = ""


WORST_FIRST = (Finding.CRASHED, Finding.REFUTED, Finding.UNOBSERVABLE, Finding.BLOCKED, Finding.HELD)
"""Which ending counts where a check has several. A crash comes first: no answer can be read off what went wrong."""


def worst(endings: list[Ending]) -> Ending:
    """The ending that counts; the first of equals."""
    return min(endings, key=lambda ending: WORST_FIRST.index(ending.finding))


def ending_of(error: BaseException, check_globals: Mapping[str, object]) -> Ending:
    """What an exception that left a check means. `check_globals` are those of the check's module.

    Only an assertion of the check's own refutes. A skip, a failure or an exit that pytest or a plugin can raise inside a
    check (a time-out is `pytest.fail`, raised by a signal handler) is not an answer to the check's question.
    """
    match error:
        case Unobservable():
            return Ending(Finding.UNOBSERVABLE, str(error))
        case Blocked():
            return Ending(Finding.BLOCKED, str(error))
        case AssertionError() if asserted_by_check(error, check_globals):
            return Ending(Finding.REFUTED, assertion_text(error))
        case AssertionError():
            return Ending(Finding.CRASHED, f"an assertion that is not the check's own: {assertion_text(error)}")
        case pytest.skip.Exception():
            return Ending(Finding.CRASHED, f"the check was skipped while it ran: {error.msg}")
        case pytest.fail.Exception():
            return Ending(Finding.CRASHED, f"the check was failed without an assertion: {error.msg}")
        case _:
            return Ending(Finding.CRASHED, f"{type(error).__name__}: {error}")


def asserted_by_check(error: AssertionError, check_globals: Mapping[str, object]) -> bool:
    """Whether the check, or a function that it called, raised the assertion.

    The frames from the check's module inwards decide. A function that was handed a frame is a signal handler or a trace
    function (Python's `signal.signal` and `sys.settrace`), which interrupts whatever runs; pytest's own frames lead into
    fixtures and hooks; and an assertion inside this package is a fault of the tool.
    """
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    own = list(dropwhile(lambda frame: frame.f_globals is not check_globals, frames))
    return bool(own) and not any(map(_interrupts, own)) and not any(map(_is_pytests, own)) and not _is_ours(own[-1])


def _interrupts(frame: FrameType) -> bool:
    code = frame.f_code
    arguments = code.co_varnames[: code.co_argcount]
    given = [frame.f_locals.get(name) for name in arguments]
    if code.co_flags & inspect.CO_VARARGS:
        given += frame.f_locals.get(code.co_varnames[code.co_argcount + code.co_kwonlyargcount], ())
    return any(isinstance(value, FrameType) for value in given)


def _is_pytests(frame: FrameType) -> bool:
    return _module(frame).partition(".")[0] in {"_pytest", "pluggy"}


def _is_ours(frame: FrameType) -> bool:
    name = _module(frame)
    return name.partition(".")[0] == "pytest_nestvirt" and not name.startswith("pytest_nestvirt.suites.")


def _module(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", ""))


@contextmanager
def watching_threads(endings: list[Ending]) -> Iterator[None]:
    """Add what the threads of a check do: an exception ends a thread silently, and one left running has no answer yet.

    Daemon threads that outlive the check are taken for a plugin's.
    """
    before, hook = set(threading.enumerate()), threading.excepthook

    def note(died: threading.ExceptHookArgs) -> None:
        endings.append(Ending(Finding.CRASHED, f"a thread ended in {died.exc_type.__name__}: {died.exc_value}"))
        hook(died)

    threading.excepthook = note
    try:
        yield
    finally:
        threading.excepthook = hook
        left = [thread.name for thread in threading.enumerate() if thread not in before and not thread.daemon]
        endings += [Ending(Finding.CRASHED, f"the check left its thread {name} running") for name in left]
