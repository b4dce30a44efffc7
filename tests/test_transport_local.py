"""Commands on this machine itself keep the same promises as over SSH."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from pytest_nestvirt.inventory.host import Connection, Host
from pytest_nestvirt.transport.base import CommandTimeoutError, TransportError
from pytest_nestvirt.transport.local import LocalTransport

MIB = 1024 * 1024
HERE = Host("here", 0, None, Connection.LOCAL)


def test_streams_and_exit_code_come_back() -> None:
    """Input goes in, both outputs and the exit code come out."""
    done = LocalTransport(HERE).run("cat; echo err >&2; exit 3", stdin=b"\0\xff")
    assert (done.exit_code, done.stdout, done.stderr, done.truncated) == (3, b"\0\xff", b"err\n", False)


@pytest.mark.parametrize("descriptor", [1, 2])
def test_50_megabytes_are_cut_at_the_cap(descriptor: int) -> None:
    """On either stream, with the same cap."""
    done = LocalTransport(HERE).run(f"head -c {50 * MIB} /dev/zero >&{descriptor}; exit 5")
    assert (done.exit_code, done.truncated, len(done.stdout) + len(done.stderr)) == (5, True, 8 * MIB)


def test_much_input_and_much_output_do_not_block_each_other() -> None:
    """Neither pipe is filled while nobody empties the other."""
    data = bytes(range(256)) * (4 * MIB // 256)
    assert LocalTransport(HERE).run("cat", stdin=data).stdout == data
    assert LocalTransport(HERE).run("exit 4", stdin=data).exit_code == 4


def test_input_goes_on_after_both_outputs_have_ended(tmp_path: Path) -> None:
    """A command that writes its input to a file, and nothing to us, gets all of it."""
    data = bytes(range(256)) * (MIB // 256)
    done = LocalTransport(HERE).run(f"exec >/dev/null 2>&1; sleep 0.1; cat >{tmp_path}/copy; exit 6", stdin=data)
    assert (done.exit_code, (tmp_path / "copy").read_bytes()) == (6, data)


def test_a_deadline_keeps_output_and_leaves_no_process(tmp_path: Path) -> None:
    """The whole group of processes ends, not only the shell."""
    child = tmp_path / "child"
    with pytest.raises(CommandTimeoutError, match=r"here: command: still running after 0.3 s") as caught:
        LocalTransport(HERE).run(f"echo before; sh -c 'echo $$ > {child}; sleep 60'; echo after", timeout=0.3)
    assert caught.value.stdout == b"before\n"
    until = time.monotonic() + 10
    while alive(int(child.read_text())) and time.monotonic() < until:
        time.sleep(0.01)
    assert not alive(int(child.read_text()))


def alive(pid: int) -> bool:
    """Whether a process runs: one that has ended and waits for its parent does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_command_ended_by_a_signal_counts_as_the_shell_counts() -> None:
    """128 and the number of the signal."""
    assert LocalTransport(HERE).run("kill -9 $$").exit_code == 137


def test_a_nul_byte_in_the_command_is_refused() -> None:
    """As over SSH."""
    with pytest.raises(TransportError, match="NUL byte"):
        LocalTransport(HERE).run("a\0b")


def test_nothing_stays_open() -> None:
    """No descriptor is left behind by a hundred commands."""
    transport = LocalTransport(HERE)
    transport.run("true")
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(100):
        transport.run("true", stdin=b"x")
    assert len(list(Path("/proc/self/fd").iterdir())) == before
