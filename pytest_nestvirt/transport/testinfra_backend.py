"""testinfra's modules over any transport: `testinfra.host.Host(NestvirtBackend(transport, name))`."""

from __future__ import annotations

import shlex
from typing import Any

from testinfra.backend.base import BaseBackend, CommandResult

from pytest_nestvirt.transport.base import Stage, Transport, TransportError


class RootCommand(str):
    """A command that `host.sudo()` has marked: it runs as root, by the transport's own way there."""

    __slots__ = ()


class NestvirtBackend(BaseBackend):  # type: ignore[misc, unused-ignore]
    """Runs what testinfra asks for. Raises `TransportError` where there is no answer, never inventing an exit code."""

    NAME = "nestvirt"

    def __init__(self, transport: Transport, name: str) -> None:
        super().__init__(name)
        self.transport = transport

    def run(self, command: str, *args: str, **_: Any) -> CommandResult:  # noqa: ANN401 - testinfra's signature
        """Run a command, its arguments quoted.

        Output that was cut at the cap is not an answer: what a test looks for may be in the part that was discarded.
        """
        full = self.get_command(command, *args)
        done = self.transport.run(str(full), become=isinstance(full, RootCommand))
        if done.truncated:
            raise TransportError(
                self.hostname, Stage.COMMAND, f"`{command}` printed more than is kept", "let it print less"
            )
        return self.result(done.exit_code, self.encode(full), done.stdout, done.stderr)

    def get_sudo_command(self, command: str, sudo_user: str | None) -> str:
        """Root is a mark for the transport, which knows passwords and prompts; root needs no password for the rest."""
        if sudo_user in (None, "root"):
            return RootCommand(command)
        return RootCommand(f"su -s /bin/sh -c {shlex.quote(command)} {shlex.quote(str(sudo_user))}")

    @property
    def encoding(self) -> str:
        """UTF-8, without asking the host, which may have no Python to ask."""
        return "utf-8"

    def decode(self, data: bytes) -> str:
        """Text that `encode` turns back into the same bytes, valid UTF-8 or not."""
        return data.decode("utf-8", "surrogateescape")

    def encode(self, data: str) -> bytes:
        """The bytes of a text."""
        return data.encode("utf-8", "surrogateescape")
