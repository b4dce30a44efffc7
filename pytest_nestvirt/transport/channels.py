"""Opening channels of an SSH connection that may have none free, or be dead without notice."""

from __future__ import annotations

import time

import paramiko

from pytest_nestvirt.transport.peer import PEER_FAILURES, give_up

_RETRY_SECONDS = 0.05
_FREED_SECONDS = 5.0


def open_session(transport: paramiko.Transport, seconds: float) -> paramiko.Channel:
    """Open a session; where the host has none free, wait for one.

    A session that was closed here takes a place at the host until its sshd has noticed, so that a refusal may be over in a
    moment. Raises paramiko.ChannelException where it lasts.
    """
    deadline = time.monotonic() + min(seconds, _FREED_SECONDS)
    while True:
        try:
            return transport.open_channel("session", timeout=seconds)
        except paramiko.ChannelException:
            if time.monotonic() > deadline or not transport.is_active():
                raise
            time.sleep(_RETRY_SECONDS)


def answers(transport: paramiko.Transport, seconds: float) -> bool:
    """Whether the other side is still there: it opens a session, or refuses to."""
    try:
        give_up(transport.open_channel("session", timeout=seconds).close)
    except paramiko.ChannelException:
        return True
    except PEER_FAILURES:
        return False
    return True
