"""The main job over real sshd hosts: a three-level chain of hops, and what goes wrong on the way."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from small_runs import inventory, run_pytest, running_pytest, suite, verdicts
from sshd import Sshd

from pytest_nestvirt.snapshot.archive import load, save

ARGUMENTS = ("house", "--hosts=inventory.yml", "--nestvirt-report=out")

REQUIREMENTS = """\
source: {id: house, title: House rules, publisher: us, version: "1"}
applies: [{l0: {provider: [libvirt]}}]
requirements:
  - {id: HOUSE-L0, section: "1", statement: a kernel runs, level: l0, kind: requirement, obligation: must, expected: one}
  - {id: HOUSE-L1, section: "1", statement: a kernel runs, level: l1, kind: requirement, obligation: must, expected: one}
  - {id: HOUSE-L2, section: "1", statement: a kernel runs, level: l2, kind: requirement, obligation: must, expected: one}
"""
CHECKS = "\n".join(
    ["from pytest_nestvirt import Machine, requirement"]
    + [
        f'@requirement("HOUSE-{level.upper()}")\ndef test_{level}({level}: Machine) -> None:\n'
        f"    assert {level}.kernel.release\n    assert {level}.cpu.count\n"
        for level in ("l0", "l1", "l2")
    ]
)


def access(server: Sshd, address: str, **more: object) -> dict[str, object]:
    """A host of the inventory that is one address of a test sshd."""
    return {
        "address": address, "port": server.port, "user": server.user, "identity": str(server.client_key),
        "known_hosts": str(server.known_hosts), "agent": False, **more,
    }  # fmt: skip


def chain(server: Sshd, **more: object) -> dict[str, object]:
    """Three levels, each reached through the one above it."""
    l2 = access(server, "127.0.0.3", **more)
    l1 = access(server, "127.0.0.2", guests={"l2-host": l2})
    return {"l0-host": access(server, "127.0.0.1", guests={"l1-host": l1})}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A suite that asks one thing of each level."""
    suite(tmp_path, REQUIREMENTS, CHECKS)
    return tmp_path


def test_a_chain_of_three_levels_is_looked_at_through_hops(folder: Path, sshd: Sshd) -> None:
    """Each machine is asked once, through its parents, and each session comes from the address of its hop.

    The three addresses are one machine, which is noticed: such a chain proves nothing, whatever its verdicts are.
    """
    inventory(folder, chain(sshd))
    before = sshd.log.count("Accepted publickey")
    done = run_pytest(folder, *ARGUMENTS)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "l0-host > l1-host > l2-host: undecided" in done.stdout
    assert "l2-host and l1-host are one and the same system" in done.stdout
    assert set(verdicts(folder / "out").values()) == {"pass"}
    assert sshd.log.count("Accepted publickey") - before == 3


def test_workers_open_no_connection(folder: Path, sshd: Sshd) -> None:
    """With xdist the controller looks at the hosts once; the number of logins stays the same."""
    pytest.importorskip("xdist")
    inventory(folder, chain(sshd))
    before = sshd.log.count("Accepted publickey")
    done = run_pytest(folder, *ARGUMENTS, "-n", "2")
    assert set(verdicts(folder / "out").values()) == {"pass"}, done.stdout + done.stderr
    assert sshd.log.count("Accepted publickey") - before == 3


def test_a_changed_host_key_is_refused(folder: Path, start_sshd: Callable[..., Sshd]) -> None:
    """It makes the host unreachable, the line says so and names the known_hosts file; nothing was run there."""
    server = start_sshd()
    inventory(folder, {"l0-host": access(server, server.address)})
    assert run_pytest(folder, *ARGUMENTS).returncode == 0
    server.rotate_host_key()
    done = run_pytest(folder, *ARGUMENTS)
    assert done.returncode == 1
    assert verdicts(folder / "out")["HOUSE-L0", "l0-host"] == "unreachable"
    assert "host key" in done.stdout
    assert str(server.known_hosts) in done.stdout.replace("\n", "").replace(" ", "")
    assert "Traceback" not in done.stdout


def test_a_wrong_key_is_one_line(folder: Path, sshd: Sshd, tmp_path: Path) -> None:
    """Authentication failures say what was tried, and the key's content never shows."""
    stranger = tmp_path / "stranger"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(stranger)], check=True)
    inventory(folder, {"l0-host": access(sshd, "127.0.0.1") | {"identity": str(stranger)}})
    done = run_pytest(folder, *ARGUMENTS)
    assert done.returncode == 1
    assert "authentication" in done.stdout
    assert "BEGIN OPENSSH" not in done.stdout
    assert "Traceback" not in done.stdout


NOISE = {
    "a banner before the answer": "echo 'Welcome to this host!'; echo hello >&2; exec /bin/sh -c \"$SSH_ORIGINAL_COMMAND\"",
    "a shell that dies half-way": (
        'exec /bin/sh -c "$SSH_ORIGINAL_COMMAND" | (dd bs=300 count=1 2>/dev/null; kill -9 $PPID)'
    ),
    "a host that accepts and hangs": "sleep 90",
    "another program instead of a shell": "echo This account is currently not available.; exit 1",
    "fifty megabytes of output": "yes 0123456789012345678901234567890123456789 | head -c 50000000",
    "bytes that are no text": "head -c 300000 /dev/urandom",
}
ANSWERED = {"a banner before the answer"}


@pytest.mark.parametrize("noise", NOISE)
def test_a_host_that_answers_strangely(folder: Path, start_sshd: Callable[..., Sshd], noise: str) -> None:
    """Banners are skipped; whatever else comes back is unreachable or inconclusive, never a pass, a hang or a traceback."""
    server = start_sshd(config=[f"ForceCommand {NOISE[noise]}"])
    inventory(folder, {"l0-host": access(server, server.address, timeouts={"command": 8})})
    begun = time.monotonic()
    done = run_pytest(folder, *ARGUMENTS)
    assert time.monotonic() - begun < 100
    verdict = verdicts(folder / "out")["HOUSE-L0", "l0-host"]
    assert verdict in ({"pass"} if noise in ANSWERED else {"unreachable", "inconclusive"}), done.stdout
    assert done.returncode == (0 if noise in ANSWERED else 1)
    assert "Traceback" not in done.stdout + done.stderr


def wait_for_login(server: Sshd) -> None:
    """Until somebody is logged in."""
    deadline = time.monotonic() + 30
    while "Accepted publickey" not in server.log and time.monotonic() < deadline:
        time.sleep(0.1)


def test_an_sshd_killed_in_the_middle(folder: Path, start_sshd: Callable[..., Sshd]) -> None:
    """The host dies while it is looked at: the run ends, and the host did not pass."""
    server = start_sshd(config=['ForceCommand touch "$HOME/../begun" 2>/dev/null; sleep 90'])
    inventory(folder, {"l0-host": access(server, server.address, timeouts={"command": 60})})
    with running_pytest(folder, *ARGUMENTS) as process:
        wait_for_login(server)
        time.sleep(0.5)
        server.kill()
        output, _ = process.communicate(timeout=90)
    assert process.returncode == 1, output
    assert verdicts(folder / "out")["HOUSE-L0", "l0-host"] in {"unreachable", "inconclusive"}
    assert "Traceback" not in output


def test_ctrl_c_while_looking_leaves_a_report(folder: Path, start_sshd: Callable[..., Sshd]) -> None:
    """An interrupt before any test ran: an incomplete report, and the process ends promptly."""
    server = start_sshd(config=["ForceCommand sleep 90"])
    inventory(folder, {"l0-host": access(server, server.address, timeouts={"command": 60})})
    with running_pytest(folder, *ARGUMENTS) as process:
        wait_for_login(server)
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=30)
    assert process.returncode == pytest.ExitCode.INTERRUPTED, output
    assert json.loads((folder / "out/result.json").read_text())["complete"] is False


def test_testinfra_tests_run_over_every_level(tmp_path: Path, sshd: Sshd) -> None:
    """`host` alone runs over all machines, `host` with `guest` over every edge; `nestvirt` leads to the facts."""
    (tmp_path / "test_own.py").write_text(
        "def test_machine(host):\n"
        "    assert host.run('printf %s', 'a b').stdout == 'a b'\n"
        "    assert host.file('/etc/passwd').exists\n"
        "    assert host.nestvirt.kernel.release == host.check_output('uname -r')\n"
        "def test_edge(host, guest):\n"
        "    assert guest.nestvirt.level == host.nestvirt.level + 1\n"
        "def test_guest(guest):\n"
        "    assert guest.nestvirt.parent is not None\n"
    )
    inventory(tmp_path, chain(sshd))
    done = run_pytest(tmp_path, "--hosts=inventory.yml", "test_own.py", "-v")
    assert done.returncode == 0, done.stdout + done.stderr
    for name in ("test_machine[l0-host]", "test_machine[l2-host]", "test_edge[l1-host-l2-host]", "test_guest[l1-host]"):
        assert f"{name} PASSED" in done.stdout, done.stdout


def test_a_lost_host_fails_testinfra_tests_in_one_line(tmp_path: Path) -> None:
    """Unreachable machines fail people's own tests without a traceback."""
    (tmp_path / "test_own.py").write_text("def test_machine(host):\n    assert host.run('true').rc == 0\n")
    inventory(tmp_path, {"gone": {"address": "127.0.0.1", "port": 1}})
    done = run_pytest(tmp_path, "--hosts=inventory.yml", "test_own.py")
    assert done.returncode == 1
    assert "gone could not be reached" in done.stdout
    assert "Traceback" not in done.stdout


def test_a_collected_snapshot_replays_to_the_same_verdicts(folder: Path, sshd: Sshd, tmp_path: Path) -> None:
    """What `nestvirt collect` saves of a live host judges like the host, as a directory and as an archive."""
    inventory(folder, {"l0-host": access(sshd, "127.0.0.1")})
    live = run_pytest(folder, *ARGUMENTS)
    assert live.returncode == 0, live.stdout
    expected = verdicts(folder / "out")
    command = [sys.executable, "-c", "from pytest_nestvirt.cli import main; main()", "collect", "l0-host"]
    kept = tmp_path / "kept"
    subprocess.run([*command, "-o", str(kept), "--hosts", str(folder / "inventory.yml")], check=True)
    save(load(kept / "l0-host"), tmp_path / "kept.tar.xz")
    for path in ("kept/l0-host", "kept.tar.xz"):
        inventory(folder, {"l0-host": {"path": str(tmp_path / path)}})
        done = run_pytest(folder, *ARGUMENTS)
        assert done.returncode == 0, done.stdout
        assert verdicts(folder / "out") == expected
