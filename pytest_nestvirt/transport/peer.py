"""What paramiko raises when the other side fails, and how it is kept from telling the terminal about it."""

from __future__ import annotations

import logging
import struct

import paramiko
from cryptography.exceptions import InvalidSignature, InvalidTag

PEER_FAILURES = (
    paramiko.SSHException,
    EOFError,
    OSError,
    # paramiko hands on whatever its reader thread met: packets of a broken or hostile peer end in these, too.
    ValueError,
    LookupError,
    TypeError,
    ArithmeticError,
    AssertionError,
    struct.error,
    InvalidTag,
    InvalidSignature,
)

LOG_CHANNEL = "pytest_nestvirt.paramiko"


def silence() -> None:
    """Our connections log to a channel of their own that leads nowhere.

    Without it a lost connection would print tracebacks of a foreign thread; other users' paramiko is left as it is.
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
    return " ".join(str(error).split()) or type(error).__name__ if error else "the connection was closed"
