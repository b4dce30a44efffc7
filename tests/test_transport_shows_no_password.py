"""A password goes from the environment to the host, and into nothing that is written or started on the way."""

from __future__ import annotations

import copy
import getpass
import json
import os
import pickle
import pprint
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import paramiko
import pytest
from sshd import Sshd

from pytest_nestvirt.inventory.host import Become, Connection, Host, Inventory, SshAccess
from pytest_nestvirt.inventory.load_inventory import load_inventory
from pytest_nestvirt.transport import secret as secret_module
from pytest_nestvirt.transport.base import TransportError
from pytest_nestvirt.transport.local import LocalTransport
from pytest_nestvirt.transport.pool import Transports
from pytest_nestvirt.transport.secret import Secret, login_password, sudo_password, without_frames
from pytest_nestvirt.transport.ssh import SshTransport
from pytest_nestvirt.transport.ssh_config import resolve_login

if TYPE_CHECKING:
    from _typeshed import TraceFunction

PASSWORD = "tr0ub4dor-and-3"
VARIABLE = "HIDDEN_PASSWORD"
ENDINGS = {
    "signal": "test_login",
    "crash": "test_login",
    "thread": "keyboard-interactive",
    "SIGINT": "sudo",
    "SIGTERM": "password",
}
"""How a run is ended, and which of its logins it makes."""


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The password is in a variable, and no variable is withheld from children yet."""
    monkeypatch.setenv(VARIABLE, PASSWORD)
    monkeypatch.setattr(secret_module, "_withheld", set())
    return iter(())


HANG = 240
"""Seconds after which a run that should have ended is taken for a hang, on a machine that has much else to do."""


@dataclass(frozen=True)
class Ended:
    """A pytest run that was ended while a login waited, and where it was."""

    process: subprocess.Popen[bytes]
    folder: Path


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, Ended]]:
    """One run for each ending, all at once: each spends its time waiting. A run that ends as a whole sees one login."""
    begun = {ending: begin(ending, only, tmp_path_factory.mktemp("run")) for ending, only in ENDINGS.items()}
    yield begun
    for run in begun.values():
        run.process.kill()
        run.process.wait()


def begin(ending: str, only: str, folder: Path) -> Ended:
    """Start pytest on tests/support/hidden_password.py, with everything that it can be asked to show."""
    support = Path(__file__).parent / "support"
    command = [
        *(sys.executable, "-m", "pytest", str(support / "hidden_password.py"), "-p", "no:cacheprovider", "-k", only),
        *("-l", "--full-trace", "--tb=long", "-vv", "-rA", "--log-level=DEBUG", "--log-file=log.txt"),
        *("--junitxml=junit.xml", "--html=report.html", "--self-contained-html", f"--basetemp={folder / 'temp'}"),
        *(f"--rootdir={folder}", "-c", os.devnull, "-o", "junit_logging=all"),
        *((f"--timeout-method={ending}", "--timeout=1.5") if ending in ("signal", "thread") else ()),
    ]
    environment = {
        **os.environ,
        VARIABLE: PASSWORD,
        "HOW": ending,
        "PYTHONPATH": str(support),
        "PYTHONFAULTHANDLER": "1",
    }
    with (folder / "stdout").open("wb") as out, (folder / "stderr").open("wb") as err:
        return Ended(subprocess.Popen(command, cwd=folder, env=environment, stdout=out, stderr=err), folder)


@pytest.mark.parametrize("ending", ENDINGS)
def test_no_ending_of_a_login_writes_the_password(runs: Mapping[str, Ended], ending: str) -> None:
    """A login by password, one by keyboard-interactive and sudo are ended while they wait: by a time-out, a signal, a crash.

    With everything that pytest can be asked to show, the password is in no byte of terminal, JUnit, HTML and log.
    """
    run = runs[ending]
    assert run.process.wait(HANG) != 0
    written = {path.name: path.read_bytes() for path in run.folder.rglob("*") if path.is_file()}
    assert b"test_login" in written["stdout"], written["stderr"]
    assert (
        ending in ("thread", "SIGTERM") or b"= <pytest_nestvirt.transport.ssh.SshTransport object" in written["stdout"]
    ), "no local variables were shown"
    assert ending in ("thread", "SIGTERM") or {"junit.xml", "report.html"} <= written.keys()
    assert [name for name, data in written.items() if PASSWORD.encode() in data] == []


def stack_of(frame: FrameType | None) -> Iterator[FrameType]:
    """The frames that a traceback from here would show, the innermost first."""
    frames = []
    while frame is not None:
        frames.append(frame)
        frame = frame.f_back
    cut = [index for index, one in enumerate(frames) if one.f_code is without_frames.__code__]
    return iter(frames[max(cut, default=0) :])


def exposures(action: Callable[[], object]) -> tuple[set[str], int]:
    """Run something; the places at which an exception would show the password in a local variable, and the lines looked at."""
    found: set[str] = set()
    lines = 0

    def look(frame: FrameType, event: str, _: object) -> TraceFunction:
        nonlocal lines
        lines += 1
        for one in stack_of(frame):
            if one.f_code.co_filename == __file__:
                break
            if any(PASSWORD in _shown(value) for value in one.f_locals.values()):
                found.add(f"{one.f_code.co_filename}:{one.f_lineno}")
        return look

    before = sys.gettrace()
    sys.settrace(look)
    try:
        action()
    finally:
        sys.settrace(before)
    return found, lines


def _shown(value: object) -> str:
    try:
        return repr(value)
    except Exception:  # noqa: BLE001 - of an object whose __init__ is still under way
        return ""


def test_at_no_line_of_a_login_would_a_traceback_show_the_password(
    start_sshd: Callable[..., Sshd], tmp_path: Path
) -> None:
    """Whenever a signal comes, at every line that the calling thread executes, ours, paramiko's or the library's."""
    server = start_sshd(config=["PasswordAuthentication yes", "KbdInteractiveAuthentication yes"])
    transport = SshTransport(server.host(identity=None, password_env=VARIABLE))

    def log_in() -> None:
        with pytest.raises(TransportError, match=f"password from {VARIABLE}"):
            transport.run("true")

    found, lines = exposures(log_in)
    assert not found
    assert lines > 1000


def test_at_no_line_of_sudo_would_a_traceback_show_the_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same for the password of sudo, over a process's standard input; a stand-in for sudo asks for it."""
    (tmp_path / "sudo").write_text(
        '#!/bin/sh\nprintf %s "$3" >&2; read -r given; [ "$given" = "'
        + PASSWORD
        + '" ] || exit 1\nshift 4; exec "$@"\n'
    )
    (tmp_path / "sudo").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(getpass, "getuser", lambda: "tester")
    host = Host("here", 0, None, Connection.LOCAL, become=Become.SUDO, become_password_env=VARIABLE)
    done = []
    found, lines = exposures(lambda: done.append(LocalTransport(host).run("echo as root", become=True)))
    assert not found
    assert lines > 100
    assert done[0].stdout == b"as root\n"


def test_a_trace_of_plain_code_would_be_found(tmp_path: Path) -> None:
    """What the two tests above look with does see a password in a local variable."""
    scope: dict[str, object] = {}
    exec(compile("def hold(given):\n    kept = given\n    return None\n", "plain.py", "exec"), scope)
    hold = scope["hold"]
    assert callable(hold)
    found, _ = exposures(lambda: hold(PASSWORD))
    assert "plain.py:2" in found


@pytest.mark.parametrize(
    "show",
    [
        repr,
        str,
        ascii,
        pprint.pformat,
        lambda secret: f"{secret} {secret!r} {secret:>20}",
        lambda secret: "%s %r" % (secret, secret),  # noqa: UP031 - it is one of the ways
        lambda secret: repr([secret, {"password": secret}, (secret,)]),
        lambda secret: repr(copy.copy(secret)) + repr(copy.deepcopy([secret])),
        lambda secret: repr(secret[2:8]) + repr(secret[0]) + repr(secret + b"\n"),
    ],
)
def test_a_secret_shows_nothing(show: Callable[[Secret], str]) -> None:
    """Neither itself, nor a part, nor inside of something else."""
    shown = show(Secret(PASSWORD.encode()))
    assert PASSWORD[2:8] not in shown


@pytest.mark.parametrize("write", [pickle.dumps, json.dumps, lambda secret: copy.copy(secret).__reduce_ex__(4)])
def test_a_secret_is_not_written(write: Callable[[Secret], object]) -> None:
    """Not to a file, not to another process."""
    with pytest.raises(TypeError):
        write(Secret(PASSWORD.encode()))


@pytest.mark.parametrize("kind", [KeyboardInterrupt, RuntimeError, pytest.fail.Exception, SystemExit])
def test_what_handles_a_secret_leaves_no_frames(kind: type[BaseException]) -> None:
    """Type and message stay; frames and causes below do not."""

    def handle() -> None:
        plain = PASSWORD
        try:
            int(plain)
        except ValueError as error:
            raise kind("while sending") from error

    with pytest.raises(kind, match="while sending") as caught:
        without_frames(handle)
    shown = "".join(traceback.TracebackException.from_exception(caught.value, capture_locals=True).format())
    assert "in handle" not in shown
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("key", ["password_env", "become_password_env"])
def test_a_password_in_place_of_a_variable_is_not_repeated(tmp_path: Path, key: str) -> None:
    """`password_env: Hunter2` is a name that is not set: the message leads to the line, and shows no more."""
    file = tmp_path / "lab.yml"
    file.write_text(f"hosts:\n  kvm01:\n    {key}: Hunter2\n")
    host = load_inventory([file]).host("kvm01")
    with pytest.raises(TransportError) as caught:
        (login_password if key == "password_env" else sudo_password)(host)
    assert f"the environment variable that {key} names (line 2 of {file}) is not set" in str(caught.value)
    below = caught.tb.tb_next
    assert below is not None
    shown = traceback.TracebackException(TransportError, caught.value, below, capture_locals=True)
    assert "Hunter2" not in "".join(shown.format())
    assert "Hunter2" not in repr(host)


@pytest.mark.parametrize("value", [b"caf\xe9", "käse".encode(), b"\xff\xfe", b" blank "])
def test_a_password_need_not_be_utf8(monkeypatch: pytest.MonkeyPatch, value: bytes) -> None:
    """It goes to sudo and sshd as the bytes it is."""
    monkeypatch.setitem(os.environb, VARIABLE.encode(), value)
    host = Host("a", 0, None, Connection.SSH, SshAccess(password_env=VARIABLE), become_password_env=VARIABLE)
    assert login_password(host) == sudo_password(host) == value


@pytest.mark.parametrize("value, words", [("", "is empty"), ("two\nlines", "contains a line break")])
def test_a_value_that_cannot_be_a_password_is_an_error(monkeypatch: pytest.MonkeyPatch, value: str, words: str) -> None:
    """An empty variable is an unset one in most scripts; a line break would end the password."""
    monkeypatch.setenv(VARIABLE, value)
    with pytest.raises(TransportError, match=words):
        login_password(Host("a", 0, None, Connection.SSH, SshAccess(password_env=VARIABLE)))


def test_processes_that_are_started_do_not_get_the_password(tmp_path: Path) -> None:
    """The probe of the local machine and the commands of `Match exec` run without any password of the inventory."""
    config, seen = tmp_path / "config", tmp_path / "seen"
    config.write_text(f'Match exec "env >{seen}"\n  Port 2222\n')
    here = Host("here", 0, None, Connection.LOCAL)
    kvm01 = Host("kvm01", 0, None, Connection.SSH, SshAccess(config=config, password_env=VARIABLE))
    with Transports(Inventory((here, kvm01)), lambda _: pytest.fail("nothing is recorded")) as transports:
        environment = transports.of(here).run("env; tr '\\0' '\\n' </proc/self/environ").stdout
        assert resolve_login(kvm01).port == 2222
    assert b"PATH=" in environment
    assert PASSWORD.encode() not in environment
    assert PASSWORD not in seen.read_text()


def test_no_thread_is_left_with_a_password(start_sshd: Callable[..., Sshd]) -> None:
    """What was tried and refused is over: no thread of paramiko lives on with it."""
    server = start_sshd(config=["PasswordAuthentication yes"])
    transport = SshTransport(server.host(identity=None, password_env=VARIABLE))
    with pytest.raises(TransportError):
        transport.run("true")
    deadline = time.monotonic() + 5
    while any(isinstance(one, paramiko.Transport) for one in threading.enumerate()) and time.monotonic() < deadline:
        threading.Event().wait(0.02)
    assert not any(isinstance(one, paramiko.Transport) for one in threading.enumerate())
