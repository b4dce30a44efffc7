"""What paramiko raises when the other side fails, and how its log is kept out of the terminal."""

from __future__ import annotations

import logging
import struct
from collections.abc import Callable
from contextlib import suppress

import paramiko
from cryptography.exceptions import InvalidSignature, InvalidTag

from pytest_nestvirt.one_line import one_line

LOST = (paramiko.SSHException, EOFError, OSError)
"""The connection has ended."""

PEER_FAILURES = (
    *LOST,
    # paramiko passes on whatever its reader thread met: packets of a broken or hostile peer end in these, too.
    ValueError,
    LookupError,
    TypeError,
    ArithmeticError,
    AssertionError,
    struct.error,
    InvalidTag,
    InvalidSignature,
)

_SHOWN = 300
LOG_CHANNEL = "pytest_nestvirt.paramiko"


def silence() -> None:
    """Let our connections log to a channel of their own, which discards everything.

    Otherwise a lost connection would print tracebacks of paramiko's thread. Other users of paramiko are not affected.
    """
    logger = logging.getLogger(LOG_CHANNEL)
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
        logger.propagate = False
        logger.setLevel(logging.CRITICAL)


def reason(error: BaseException | None) -> str:
    """An exception's message in a few words, one line."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if isinstance(error, paramiko.ChannelException):
        return str(error.text)
    if error is None:
        return "the connection was closed"
    return one_line(" ".join(str(error).split()), _SHOWN) or type(error).__name__


def give_up(*steps: Callable[[], object]) -> None:
    """Close what is no longer used. What goes wrong then changes nothing of what was found out."""
    for step in steps:
        with suppress(Exception):
            step()
