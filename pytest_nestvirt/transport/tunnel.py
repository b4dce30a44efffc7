"""The stream of a connection that goes through another one."""

from __future__ import annotations

import threading

import paramiko


class Tunnel:
    """A channel as paramiko uses a socket, that sends nothing after it was closed.

    paramiko's own channel checks that it is open, and sends when it no longer holds its lock: what one thread sends may follow another
    thread's close. OpenSSH answers data for a channel that there is not by ending the connection, with every tunnel in it.
    """

    def __init__(self, channel: paramiko.Channel) -> None:
        self._channel = channel
        self._lock = threading.Lock()

    def send(self, data: bytes) -> int:
        """Some of the data. Raises OSError where it was closed."""
        with self._lock:
            return self._channel.send(data)

    def recv(self, size: int) -> bytes:
        """What has come; empty at the end."""
        return self._channel.recv(size)

    def settimeout(self, seconds: float | None) -> None:
        """For `send` and `recv`."""
        self._channel.settimeout(seconds)

    def close(self) -> None:
        """When nothing is being sent."""
        with self._lock:
            self._channel.close()
