"""Talking to a running emulator (QEMU Machine Protocol, docs/interop/qmp-spec)."""

from __future__ import annotations

import json
import socket
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pytest_nestvirt.lab.problem import LabError

_SECONDS = 120.0
_CONNECT_SECONDS = 15.0
LONGEST_PATH = 107
"""Bytes in the name of a socket (unix(7))."""


class Monitor:
    """A connection to an emulator's monitor. Raises `LabError` where it does not answer as expected."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(_SECONDS)
        try:
            self._connect(path)
            self._lines = self._socket.makefile("rb")
            self._lines.readline()
        except OSError as error:
            self._socket.close()
            raise LabError(f"lab: the emulator's monitor does not answer: {error.strerror or error}") from None
        self.run("qmp_capabilities")

    def _connect(self, path: Path) -> None:
        until = time.monotonic() + _CONNECT_SECONDS
        while True:
            try:
                self._socket.connect(str(path))
            except (FileNotFoundError, ConnectionRefusedError):
                if time.monotonic() > until:
                    raise
                time.sleep(0.02)
            else:
                return

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _at: TracebackType | None
    ) -> None:
        self._lines.close()
        self._socket.close()

    def run(self, command: str, **arguments: object) -> Any:  # noqa: ANN401 - each command returns something else
        """What a command returns."""
        asked = {"execute": command, "arguments": arguments} if arguments else {"execute": command}
        try:
            self._socket.sendall(json.dumps(asked).encode() + b"\n")
            for line in iter(self._lines.readline, b""):
                answer = json.loads(line)
                if "error" in answer:
                    raise LabError(f"lab: the emulator refuses {command}: {answer['error'].get('desc')}")
                if "return" in answer:
                    return answer["return"]
        except (OSError, ValueError) as error:
            raise LabError(f"lab: the emulator's monitor failed at {command}: {error}") from None
        raise LabError(f"lab: the emulator ended at {command}")
