"""Bringing a lab up: image, keys, emulator, and then waiting for each machine to answer."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from dataclasses import dataclass
from typing import NoReturn

from pytest_nestvirt.inventory.host import Host
from pytest_nestvirt.inventory.load_inventory import load_inventory
from pytest_nestvirt.lab.access import write_access
from pytest_nestvirt.lab.cases.emulators import BOCHS
from pytest_nestvirt.lab.cases.lab_case import LabCase
from pytest_nestvirt.lab.directory import LabDirectory
from pytest_nestvirt.lab.image import qemu_command
from pytest_nestvirt.lab.image.initrd import initrd
from pytest_nestvirt.lab.image.outermost import Outermost, Supplies
from pytest_nestvirt.lab.keys import Keys
from pytest_nestvirt.lab.locking import use
from pytest_nestvirt.lab.machine import bochs
from pytest_nestvirt.lab.machine.console import last_lines, read
from pytest_nestvirt.lab.machine.ports import free_port
from pytest_nestvirt.lab.machine.saved_state import SavedState, save, saved_state_of, wait_for_restore
from pytest_nestvirt.lab.machine.watch import Watched, watch
from pytest_nestvirt.lab.packages.store import Announce
from pytest_nestvirt.lab.problem import LabError
from pytest_nestvirt.lab.processes import end_marked
from pytest_nestvirt.transport.base import TransportError
from pytest_nestvirt.transport.pool import Transports


@dataclass(frozen=True, slots=True)
class Up:
    """How a lab came up."""

    lab: LabDirectory
    emulator: subprocess.Popen[bytes]
    seconds: float
    retried: tuple[str, ...] = ()
    """Why earlier attempts failed, one line each."""
    restored: bool = False
    """Whether it came from a saved state."""


def bring_up(case: LabCase, lab: LabDirectory, supplies: Supplies, announce: Announce, *, cold: bool = False) -> Up:
    """Bring a case up in its directory and wait until its innermost machine answers. Raises `LabError`.

    It comes from its saved state where there is one, unless it is to start `cold`.
    """
    began = time.monotonic()
    saved = saved_state_of(case, supplies) if case.snapshots else None
    emulator = _restored(case, lab, supplies, saved, announce) if saved and not cold else None
    restored = emulator is not None
    retried: tuple[str, ...] = ()
    if emulator is None:
        emulator, retried = _booted(case, lab, supplies, saved, announce)
    up = Up(lab, emulator, time.monotonic() - began, retried, restored)
    lab.up.write_text(json.dumps(_told(case, supplies, up), indent=1) + "\n", "utf-8")
    return up


def _told(case: LabCase, supplies: Supplies, up: Up) -> dict[str, object]:
    """How a lab came up, for the report."""
    return {
        "case": case.name,
        "image": supplies.image.directory.name,
        "emulator": supplies.emulator.directory.name,
        "restored": up.restored,
        "retried": up.retried,
        "seconds": round(up.seconds, 1),
    }


def _booted(
    case: LabCase, lab: LabDirectory, supplies: Supplies, saved: SavedState | None, announce: Announce
) -> tuple[subprocess.Popen[bytes], tuple[str, ...]]:
    """Start it from nothing, as often as the case allows; the emulator, and why earlier attempts failed."""
    retried: list[str] = []
    while True:
        keys = Keys.generate(case.levels)
        emulator = _start(case, lab, supplies, keys)
        announce(f"started; {case.levels[-1]} answers after {case.seconds:.0f} s as a rule")
        try:
            watch(Watched(case, lab, emulator), announce)
            _answer(case, lab, announce)
            if saved is not None:
                _keep(lab, keys, saved, announce)
                _answer(case, lab, announce)
        except LabError as error:
            end_marked(lab.path)
            emulator.wait()
            # An emulator that ends before its machine has printed anything does so every time.
            if not error.console or len(retried) + 1 >= case.attempts:
                raise
            retried.append(str(error))
            if lab.console.exists():
                lab.console.rename(lab.path / f"console-{len(retried)}.log")
            announce(f"{error}; this emulator fails occasionally; retrying")
        else:
            return emulator, tuple(retried)


def _keep(lab: LabDirectory, keys: Keys, saved: SavedState, announce: Announce) -> None:
    try:
        announce(f"state saved ({save(lab, keys, saved):.1f} s)")
    except (LabError, OSError) as error:
        announce(f"no saved state was taken: {error}")


def _restored(
    case: LabCase, lab: LabDirectory, supplies: Supplies, saved: SavedState, announce: Announce
) -> subprocess.Popen[bytes] | None:
    """The emulator, if it came up from its saved state; a saved state that does not work is removed."""
    if lab.monitor is None or not use(saved.directory):
        return None
    try:
        shutil.copy(saved.console, lab.earlier_console)
        keys = saved.keys
    except (LabError, OSError) as error:
        _useless(saved, lab, error, announce)
        return None
    emulator = _start(case, lab, supplies, keys, "-incoming", saved.source)
    try:
        wait_for_restore(lab)
        announce("restored from a saved state")
        _answer(case, lab, announce)
    except LabError as error:
        end_marked(lab.path)
        emulator.wait()
        _useless(saved, lab, error, announce)
        return None
    return emulator


def _useless(saved: SavedState, lab: LabDirectory, why: Exception, announce: Announce) -> None:
    saved.forget()
    for console in (lab.console, lab.earlier_console):
        console.unlink(missing_ok=True)
    announce(f"the saved state is of no use and has been removed: {why}")


def _start(case: LabCase, lab: LabDirectory, supplies: Supplies, keys: Keys, *more: str) -> subprocess.Popen[bytes]:
    """Start the emulator, with everything that leads to its machines written down first."""
    outermost = Outermost(case, supplies, lab, free_port())
    write_access(lab, case, keys, outermost.port)
    outermost.initrd.touch(mode=0o600)
    outermost.initrd.write_bytes(initrd(case, supplies.image, keys))
    command = [*_command(outermost), *more]
    with (lab.path / "emulator.log").open("wb") as log:
        # A session of its own: Ctrl-C is for the command, which then ends the emulator.
        return subprocess.Popen(  # noqa: S603 - words of our own, no shell
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _command(outermost: Outermost) -> list[str]:
    if outermost.case.emulator == BOCHS:
        return bochs.outer_command(outermost)
    return qemu_command.outer_command(outermost)


def _answer(case: LabCase, lab: LabDirectory, announce: Announce) -> None:
    """Log in to the innermost machine, and so to those around it."""
    began = time.monotonic()
    inventory = load_inventory([lab.inventory])
    innermost = inventory.hosts[-1]
    with Transports(inventory, _not_recorded) as transports:
        try:
            completed = transports.of(innermost).run("true")
        except TransportError as error:
            raise LabError(f"lab {case.name}: {error}", last_lines(read(lab.console))) from None
    if completed.exit_code != 0:
        raise LabError(f"lab {case.name}: `true` ended with {completed.exit_code} on {innermost.name}")
    announce(f"{innermost.name.upper()} answered a login, in {time.monotonic() - began:.1f} s")


def _not_recorded(host: Host) -> NoReturn:
    raise LabError(f"lab: {host.name} is not recorded")
