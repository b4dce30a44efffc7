"""One question to one machine, and its answer as a snapshot."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files

from pytest_nestvirt.collect.frames import parse_frames
from pytest_nestvirt.collect.windows_probe import SECONDS, SHELL_SECTION, looks_like_windows, windows_command
from pytest_nestvirt.inventory.host import Become, Connection, Host
from pytest_nestvirt.one_line import excerpt
from pytest_nestvirt.snapshot.sections import (
    DEVICE_TREE,
    FILES,
    LINKS,
    LISTINGS,
    MODPROBE,
    MODULES,
    PARAMETERS,
    SMALL_FILES,
)
from pytest_nestvirt.snapshot.snapshot import Origin, Section, Snapshot
from pytest_nestvirt.transport.base import CommandTimeoutError, Completed, Transport

PROBE_VERSION = "1"
_PARTS = (
    "probe_frames.sh",
    "probe_machine.sh",
    "probe_kvm.sh",
    "probe_libvirt.sh",
    "probe_setup.sh",
    "probe_providers.sh",
    "probe.sh",
)
_SHOWN = 200


class ProbeError(Exception):
    """A machine was reached and cannot be looked at: one line that says what it printed instead."""


_LISTS = {
    "small": SMALL_FILES,
    "files": FILES,
    "words": DEVICE_TREE,
    "directories": tuple(name for name in LISTINGS if name not in MODPROBE and not name.startswith("nestvirt/")),
    "configurations": MODPROBE,
    "modules": MODULES,
    "parameters": PARAMETERS,
    "links": LINKS,
}
"""What the probe reads in the same way, by the variable of the shell that lists it."""


def probe_input(nonce: str, become: Become) -> bytes:
    """What `sh` gets on its standard input: assignments, then the probe. `nonce` is hexadecimal."""
    if not re.fullmatch(r"[0-9a-f]{8,64}", nonce):
        msg = f"a nonce has 8 to 64 hexadecimal digits, not {nonce!r}"
        raise ValueError(msg)
    permission = "never" if become is Become.NEVER else "auto"
    here = files("pytest_nestvirt.collect")
    lists = "".join(f"{variable}='{' '.join(names)}'\n" for variable, names in _LISTS.items())
    return f"n={nonce}\nb={permission}\n{lists}".encode("ascii") + b"".join(
        here.joinpath(p).read_bytes() for p in _PARTS
    )


def collect(transport: Transport, host: Host) -> Snapshot:
    """Everything that is read from one machine, by one execution of `sh` (two on Windows, which has none).

    What came before a deadline passed is kept, and `note` says so. Raises `TransportError` where the machine cannot be
    reached or nothing came in time, `ProbeError` where it answers, but not with frames.
    """
    nonce = secrets.token_hex(16)
    become = host.become is Become.SUDO
    answer = _answer(nonce, lambda: transport.run("sh", stdin=probe_input(nonce, host.become), become=become))
    if SHELL_SECTION in answer.sections or (not answer.sections and answer.is_windows):
        seconds = max(host.deadlines.command, SECONDS)
        answer = _answer(nonce, lambda: transport.run(windows_command(nonce), timeout=seconds))
    if not answer.sections:
        if answer.timeout is not None:
            raise answer.timeout
        msg = f"{host.name}: the probe got no answer; the host {answer.summary}; is there a POSIX shell behind this login?"
        raise ProbeError(msg)
    return Snapshot(
        sections=answer.sections,
        origin=Origin.LOCAL if host.connection is Connection.LOCAL else Origin.SSH,
        where=transport.where,
        collected_at=datetime.now(UTC).isoformat(timespec="seconds"),
        probe_version=PROBE_VERSION,
        note=answer.note,
    )


@dataclass(frozen=True, slots=True)
class _Answer:
    sections: Mapping[str, Section]
    complete: bool
    completed: Completed
    timeout: CommandTimeoutError | None = None

    @property
    def is_windows(self) -> bool:
        return looks_like_windows(self.completed.exit_code, self.completed.stdout, self.completed.stderr)

    @property
    def summary(self) -> str:
        """What the host did instead of answering, for messages."""
        output = excerpt(self.completed.stdout, _SHOWN) or excerpt(self.completed.stderr, _SHOWN)
        ended = f"ended it with {self.completed.exit_code}"
        return f'printed "{output}" and {ended}' if output else f"{ended} and printed nothing"

    @property
    def note(self) -> str:
        """What went wrong with the collection as a whole; empty if nothing did."""
        if self.timeout is not None:
            return f"incomplete: {self.timeout.what}, after {next(reversed(list(self.sections)), 'nothing')}"
        if self.completed.truncated:
            return "incomplete: the probe printed more than is read"
        if not self.complete:
            output = excerpt(self.completed.stderr, _SHOWN)
            return f"incomplete: the probe ended with {self.completed.exit_code} before it was done" + (
                f": {output}" if output else ""
            )
        return ""


def _answer(nonce: str, run: Callable[[], Completed]) -> _Answer:
    timeout: CommandTimeoutError | None = None
    try:
        completed = run()
    except CommandTimeoutError as passed:
        completed = Completed(-1, passed.stdout, passed.stderr, 0.0)
        timeout = passed
    sections, complete = parse_frames(completed.stdout, nonce)
    return _Answer(sections, complete, completed, timeout)
