"""`nestvirt lab`: emulated hosts with real kernels, to see the product work and to test it against."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn, TypeVar

import click

from pytest_nestvirt.lab.cases.all_cases import CASES, case_of
from pytest_nestvirt.lab.directory import LabDirectory, labs
from pytest_nestvirt.lab.lab_run import run_case, running
from pytest_nestvirt.lab.machine import saved_state
from pytest_nestvirt.lab.packages import store
from pytest_nestvirt.lab.packages.doctor import lacking, remedy
from pytest_nestvirt.lab.places import cache_directory
from pytest_nestvirt.lab.problem import LabError

T = TypeVar("T")

CASE = click.argument("name", metavar="CASE")
REFRESH = click.option("--refresh", is_flag=True, help="Ask Debian for newer packages, even if there is an image.")

COLD = click.option("--cold", is_flag=True, help="Boot it, even if it could be restored from a snapshot.")


@click.group()
def lab() -> None:
    """Emulated hosts with real kernels and real nesting; no hardware and no root needed."""


@lab.command("list")
def list_cases() -> None:
    """Show the cases, and which of them run."""
    width = max(len(case.name) for case in CASES)
    for case in CASES:
        click.echo(f"{case.name:<{width}}  {case.title}; up in some {case.seconds:.0f} s")
        for note in case.notes:
            click.echo(f"{'':<{width}}    {note}")
    for found in _or_fail(lambda: list(labs())):
        click.echo(f"running: {found.path.name}: {_state(found)}")


def _state(found: LabDirectory) -> str:
    if found.ready and found.is_running():
        return "up"
    return "coming up" if found.owner else "not up; `nestvirt lab down` removes it"


@lab.command()
def doctor() -> None:
    """Check whether this machine has what labs need, and print how to install what is missing."""
    lacks = lacking()
    for lack in lacks:
        click.echo(f"missing: {lack.what}{f' (package {lack.package})' if lack.package else ''}")
    click.echo(f"images, emulators and downloads: {_or_fail(cache_directory)}")
    click.echo(f"fix: {remedy(lacks)}" if lacks else "nothing is missing")
    if lacks:
        raise SystemExit(1)


@lab.command()
@CASE
@REFRESH
@COLD
def up(name: str, *, refresh: bool, cold: bool) -> None:
    """Bring a CASE up and leave it running."""
    case = _or_fail(lambda: case_of(name))

    def start() -> LabDirectory:
        with running(case, _clock(), refresh=refresh, cold=cold, keep=True) as started:
            return started

    started = _or_fail(start)
    inventory = shlex.quote(str(started.inventory))
    click.echo(f"pytest --hosts={inventory}")
    for level in case.levels:
        click.echo(f"nestvirt lab ssh {case.name} {level}")
    click.echo(f"nestvirt lab down {case.name}")


@lab.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@CASE
@click.argument("level", type=click.Choice(["L0", "L1", "L2"], case_sensitive=False))
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
def ssh(name: str, level: str, command: tuple[str, ...]) -> None:
    """Log in to a machine of the CASE that was brought up last, or run COMMAND there."""
    case = _or_fail(lambda: case_of(name))
    if level.upper() not in case.levels:
        raise click.UsageError(f"{case.name} has {', '.join(case.levels)}, not {level.upper()}")
    found = next((each for each in _or_fail(lambda: list(labs(case.name))) if each.ready and each.is_running()), None)
    if found is None:
        raise click.ClickException(f"{case.name} is not up; nestvirt lab up {case.name}")
    client = shutil.which("ssh")
    if client is None:
        raise click.ClickException("ssh is not installed; apt-get install openssh-client")
    words = [client, "-F", str(found.ssh_config), level.lower(), *command]
    raise SystemExit(subprocess.run(words, check=False).returncode)  # noqa: S603 - asked for by the user


@lab.command(context_settings={"ignore_unknown_options": True})
@CASE
@click.option("--report", type=click.Path(path_type=Path), help="Directory of the report (default: reports/lab-CASE).")
@REFRESH
@COLD
@click.argument("pytest_arguments", nargs=-1, type=click.UNPROCESSED)
def run(name: str, report: Path | None, pytest_arguments: tuple[str, ...], *, refresh: bool, cold: bool) -> None:
    """Bring a CASE up, run pytest over it, take it down.

    Succeeds where the verdicts are those that the case expects, be they good or bad. Console and report are kept.
    """
    case = _or_fail(lambda: case_of(name))
    kept = report or Path("reports") / f"lab-{case.name}"
    result = _or_fail(lambda: run_case(case, kept, pytest_arguments, _clock(), refresh=refresh, cold=cold))
    for why in result.retried:
        click.echo(f"started again, because: {why}")
    for line in result.deviations:
        click.echo(f"not as expected: {line}", err=True)
    click.echo(f"report and console: {result.report}")
    click.echo(f"{case.name}: {'NOT as expected' if result.deviations else 'verdicts as expected'}")
    raise SystemExit(1 if result.deviations else 0)


@lab.command()
@click.argument("name", metavar="[CASE]", default="")
def down(name: str) -> None:
    """End the labs of a CASE, or all of them, and what killed commands have left behind."""
    if name:
        _or_fail(lambda: case_of(name))
    for found in _or_fail(lambda: list(labs(name))):
        ended = _or_fail(found.remove)
        click.echo(f"{found.path.name}: {ended} processes ended")
    _or_fail(store.sweep_all)
    _or_fail(saved_state.sweep)


def _clock() -> Callable[[str], None]:
    began = time.monotonic()

    def announce(line: str) -> None:
        click.echo(f"[{time.monotonic() - began:5.1f} s] {line}", err=True)

    return announce


def _or_fail(action: Callable[[], T]) -> T:
    """What the action returns. A failure becomes one line, after the last lines of the console."""
    try:
        return action()
    except LabError as error:
        _refuse(error)
    except OSError as error:
        raise click.ClickException(f"lab: {error.filename or 'the machine'}: {error.strerror or error}") from None


def _refuse(error: LabError) -> NoReturn:
    for line in error.console:
        click.echo(f"  | {line}", err=True)
    raise click.ClickException(str(error)) from None
