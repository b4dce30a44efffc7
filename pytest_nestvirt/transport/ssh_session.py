"""One command in one SSH session channel: asked for, talked to, ended (RFC 4254, section 6).

paramiko's own `exec_command` waits for the server's answer without a deadline, and its `recv_exit_status` answers -1
where there was no exit status. Neither is used.
"""

from __future__ import annotations

import threading
import time

import paramiko
from paramiko.common import cMSG_CHANNEL_REQUEST

from pytest_nestvirt.transport.peer import PEER_FAILURES
from pytest_nestvirt.transport.secret import without_frames
from pytest_nestvirt.transport.streams import Exchange, take

_CHUNK = 1 << 20
_SEND_CHUNK = 1 << 15
_NO_STATUS = -1
_WINDOW_POLL_SECONDS = 0.02


class _Wakeup(threading.Event):
    """Set whenever either stream has news. paramiko clears it when one buffer is empty, which says nothing about both."""

    def clear(self) -> None:
        """Nothing: `rest` clears it, before the streams are read."""

    def rest(self) -> None:
        super().clear()


class Session:
    """A command on its way through one channel."""

    def __init__(self, channel: paramiko.Channel, exchange: Exchange, until: float) -> None:
        """`until` is the deadline on the monotonic clock."""
        self._channel = channel
        self._exchange = exchange
        self._until = until
        self._wakeup = _Wakeup()

    def run(self, transport: paramiko.Transport, command: str) -> int | None:
        """The exit status; None where the session ended without one, or sudo refused the password.

        Raises TimeoutError at the deadline. What was received is in the exchange in any case.
        """
        channel = self._channel
        channel.settimeout(0.0)
        channel.in_buffer.set_event(self._wakeup)
        channel.in_stderr_buffer.set_event(self._wakeup)
        try:
            _ask(transport, channel, command)
            self._talk()
        except TimeoutError:
            raise
        except PEER_FAILURES:
            return None
        return None if self._exchange.hopeless else self._status()

    @property
    def declined(self) -> bool:
        """The server refused the command, as one with a forced `internal-sftp` does."""
        return self._channel.closed and not self._channel.event_ready and self._channel.exit_status == _NO_STATUS

    @property
    def has_status(self) -> bool:
        """The command itself has ended, whatever it may have left behind."""
        return self._channel.exit_status != _NO_STATUS

    def _talk(self) -> None:
        """Move all three streams until both outputs have ended."""
        while not self._exchange.hopeless:
            self._wakeup.rest()
            ended = self._channel.closed or self._channel.eof_received
            heard = self._hear()
            sent = self._send()
            if not heard and not sent:
                if ended and self._has_no_reader():
                    return
                self._rest()
            elif time.monotonic() >= self._until:
                raise TimeoutError

    def _has_no_reader(self) -> bool:
        """Outputs may end long before input does, as with `cat >file 2>&1`: then there is more to send."""
        return self._channel.closed or self._channel.status_event.is_set() or not self._exchange.outgoing

    def _hear(self) -> bool:
        channel, exchange = self._channel, self._exchange
        out = take(channel.recv_ready, lambda: channel.recv(_CHUNK), exchange.heard_stdout)
        err = take(channel.recv_stderr_ready, lambda: channel.recv_stderr(_CHUNK), exchange.heard_stderr)
        return out or err

    def _send(self) -> bool:
        """Send what the window takes. True if something was sent."""
        channel, exchange = self._channel, self._exchange
        if exchange.all_sent:
            if not channel.eof_sent and not channel.closed:
                channel.shutdown_write()
            return False
        if not exchange.outgoing or not channel.send_ready():
            return False
        try:
            # It may be the password for sudo, which paramiko's frames would show.
            count = without_frames(lambda: channel.send(bytes(exchange.outgoing[:_SEND_CHUNK])))
        except TimeoutError:
            return False
        except OSError:
            if not channel.closed:
                raise
            count = 0
        if not count:
            exchange.stop_sending()
        exchange.sent(count)
        return bool(count)

    def _rest(self) -> None:
        """Sleep until there is news; with something left to send, look at the window now and then."""
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._wakeup.wait(min(left, _WINDOW_POLL_SECONDS) if self._exchange.outgoing else left)

    def _status(self) -> int | None:
        """The exit status follows the end of the output, or the channel closes without one."""
        if not self._channel.status_event.wait(max(self._until - time.monotonic(), 0)):
            raise TimeoutError
        status = self._channel.exit_status
        return None if status == _NO_STATUS else status


def _ask(transport: paramiko.Transport, channel: paramiko.Channel, command: str) -> None:
    """Send the `exec` request; the answer is not waited for: output, or the end of the channel, shows it as well."""
    message = paramiko.Message()
    message.add_byte(cMSG_CHANNEL_REQUEST)
    message.add_int(channel.remote_chanid)
    message.add_string("exec")
    message.add_boolean(True)  # noqa: FBT003 - the protocol's "want reply"
    message.add_string(command.encode("utf-8", "surrogateescape"))
    channel.event.clear()
    channel.event_ready = False
    transport._send_user_message(message)  # type: ignore[attr-defined]  # noqa: SLF001 - the public exec_command waits without a deadline
