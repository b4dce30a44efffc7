"""Commands over SSH: what goes in, what comes out, what is kept of it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sshd import Sshd

from pytest_nestvirt.transport.base import CommandTimeoutError, TransportError
from pytest_nestvirt.transport.ssh import SshTransport

MIB = 1024 * 1024


@pytest.fixture
def kvm01(sshd: Sshd) -> Iterator[SshTransport]:
    """A connection of the test's own."""
    transport = SshTransport(sshd.host())
    yield transport
    transport.close()


def test_both_outputs_and_the_exit_code_come_back(kvm01: SshTransport) -> None:
    """Standard output, standard error and exit code are the command's own, kept apart."""
    done = kvm01.run("echo out; echo err >&2; exit 3")
    assert (done.exit_code, done.stdout, done.stderr, done.truncated) == (3, b"out\n", b"err\n", False)


def test_standard_input_arrives_whole_and_ends(kvm01: SshTransport) -> None:
    """More input than any window holds reaches a command that answers while it reads, and then ends."""
    data = bytes(range(256)) * (5 * MIB // 256)
    done = kvm01.run("cat", stdin=data)
    assert done.stdout == data


def test_a_script_on_standard_input_runs(kvm01: SshTransport) -> None:
    """This is how the probe is sent."""
    assert kvm01.run("sh", stdin=b"echo $((6 * 7))\n").stdout == b"42\n"


def test_input_goes_on_after_both_outputs_have_ended(kvm01: SshTransport, tmp_path: Path) -> None:
    """A command that writes its input to a file, and nothing to us, gets all of it."""
    data = bytes(range(256)) * (5 * MIB // 256)
    assert kvm01.run(f"exec >/dev/null 2>&1; sleep 0.2; cat >{tmp_path}/copy; exit 6", stdin=data).exit_code == 6
    assert (tmp_path / "copy").read_bytes() == data


def test_input_that_nobody_reads_does_not_block(kvm01: SshTransport) -> None:
    """A command that ends without reading its input has ended, however much input there is."""
    assert kvm01.run("exit 4", stdin=b"x" * (10 * MIB)).exit_code == 4


@pytest.mark.parametrize("descriptor", [1, 2])
def test_50_megabytes_are_cut_at_the_cap(kvm01: SshTransport, descriptor: int) -> None:
    """On either stream: the beginning is kept, the rest read and thrown away, the exit code is the command's."""
    done = kvm01.run(f"head -c {50 * MIB} /dev/zero >&{descriptor}; echo end >&{3 - descriptor}; exit 5", timeout=60)
    big, small = (done.stdout, done.stderr)[:: 1 if descriptor == 1 else -1]
    assert (done.exit_code, done.truncated, len(big), small) == (5, True, 8 * MIB, b"end\n")


def test_output_at_the_cap_is_not_truncated(sshd: Sshd) -> None:
    """Exactly as much as is kept is not too much; one byte more is."""
    transport = SshTransport(sshd.host(), cap=1000)
    try:
        assert not transport.run("head -c 1000 /dev/zero").truncated
        over = transport.run("head -c 1001 /dev/zero")
    finally:
        transport.close()
    assert (over.truncated, len(over.stdout)) == (True, 1000)


def test_bytes_are_not_touched(kvm01: SshTransport) -> None:
    """NUL and bytes that are no UTF-8 come back as they are."""
    assert kvm01.run(r"printf '\000\377\376\n\r\n'").stdout == b"\0\xff\xfe\n\r\n"


def test_a_command_may_have_lines_quotes_and_any_letter(kvm01: SshTransport) -> None:
    """The text of the command reaches the shell unchanged."""
    assert kvm01.run('echo \'ä"b\'\necho "$((1+1))"').stdout == 'ä"b\n2\n'.encode()


def test_a_nul_byte_in_the_command_is_refused_here(kvm01: SshTransport) -> None:
    """Sshd would end the connection over it."""
    with pytest.raises(TransportError, match="NUL byte"):
        kvm01.run("echo a\0b")


def test_a_deadline_keeps_what_was_printed(kvm01: SshTransport) -> None:
    """The error of a command that runs too long has both outputs so far, and the connection stays usable."""
    with pytest.raises(CommandTimeoutError, match=r"kvm01: command: still running after 0.5 s") as caught:
        kvm01.run("echo before; echo also >&2; sleep 30; echo after", timeout=0.5)
    assert (caught.value.stdout, caught.value.stderr) == (b"before\n", b"also\n")
    assert kvm01.run("echo alive").stdout == b"alive\n"


def test_a_command_that_prints_for_ever_meets_its_deadline(kvm01: SshTransport) -> None:
    """Output without a pause does not keep the clock from being looked at."""
    with pytest.raises(CommandTimeoutError, match="still running"):
        kvm01.run("yes", timeout=0.5)


def test_what_stays_behind_in_the_background_is_named(kvm01: SshTransport) -> None:
    """A command that has ended, but whose child holds the output open, is told from one that still runs."""
    with pytest.raises(CommandTimeoutError, match="in the background keeps its output open"):
        kvm01.run("sleep 5 & echo started", timeout=1)


def test_a_command_ended_by_a_signal_has_no_exit_code(kvm01: SshTransport) -> None:
    """No exit status is no answer, and never the exit code -1."""
    with pytest.raises(CommandTimeoutError, match="ended by a signal") as caught:
        kvm01.run("echo before; kill -9 $$")
    assert caught.value.stdout == b"before\n"


def test_many_threads_share_one_connection(kvm01: SshTransport, sshd: Sshd) -> None:
    """More commands at once than sshd allows sessions: each gets its own answer, over one connection."""
    before = sshd.log.count("Accepted publickey")
    with ThreadPoolExecutor(24) as threads:
        answers = list(threads.map(lambda n: kvm01.run(f"echo {n}; sleep 0.05").stdout, range(48)))
    assert answers == [f"{n}\n".encode() for n in range(48)]
    assert sshd.log.count("Accepted publickey") == before + 1


def test_close_leaves_nothing_and_the_next_use_opens_again(sshd: Sshd) -> None:
    """No thread outlives `close`, and a closed transport is as good as new."""
    transport = SshTransport(sshd.host())
    threads = threading.active_count()
    for _ in range(2):
        assert transport.run("true").exit_code == 0
        assert threading.active_count() == threads + 1
        transport.close()
        assert threading.active_count() == threads


def test_where_is_an_address_without_secrets(sshd: Sshd) -> None:
    """`user@address:port`, without connecting."""
    assert SshTransport(sshd.host()).where == f"{sshd.user}@127.0.0.1:{sshd.port}"


def test_nothing_is_logged_where_a_terminal_would_show_it(
    sshd: Sshd, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """Paramiko's words about connections stay away from logs and terminal, also where they fail."""
    transport = SshTransport(sshd.host())
    transport.run("true")
    transport.close()
    with pytest.raises(TransportError):
        SshTransport(sshd.host(port=1)).run("true")
    assert caplog.text == ""
    assert capfd.readouterr() == ("", "")


def test_a_server_that_declines_commands_says_so(start_sshd: object) -> None:
    """An sshd without a session for us is told from one that was lost."""
    server = start_sshd(config=["MaxSessions 0"])  # type: ignore[operator]
    with pytest.raises(TransportError, match=r"session: the host refused a session .*MaxSessions"):
        SshTransport(server.host()).run("true")
