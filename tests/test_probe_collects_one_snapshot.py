"""One host gives one snapshot by one execution; what went wrong on the way is said in one line."""

from __future__ import annotations

import base64
import json
import re
import sys

import pytest
from probe_transports import NONCE, PlayedTransport, ShellTransport, frames, host, nonce_of, printed

from pytest_nestvirt.collect.probe import ProbeError, collect, probe_input
from pytest_nestvirt.collect.windows_probe import looks_like_windows, windows_command
from pytest_nestvirt.inventory.host import Become, Connection
from pytest_nestvirt.snapshot.snapshot import Origin, Status
from pytest_nestvirt.transport.base import CommandTimeoutError, Completed, TransportError


def test_this_machine_is_collected_by_one_execution() -> None:
    """A real shell is run once, and the snapshot says whence it is."""
    transport = ShellTransport(["sh"])
    snapshot = collect(transport, host(connection=Connection.LOCAL))
    assert transport.commands == ["sh"]
    assert snapshot.sections["proc/cpuinfo"].status is Status.OK
    assert (snapshot.origin, snapshot.where, snapshot.note) == (Origin.LOCAL, "this machine", "")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", snapshot.collected_at)
    assert snapshot.probe_version


def test_profile_noise_and_banners_are_skipped() -> None:
    """A login that prints before the probe runs does not disturb it."""
    transport = ShellTransport(["sh", "-c", "echo Welcome; echo '@ ok - 3 proc/cpuinfo'; exec sh"])
    snapshot = collect(transport, host())
    assert snapshot.note == ""
    assert snapshot.sections["proc/cpuinfo"].status is Status.OK


@pytest.mark.parametrize("become, as_root", [(Become.SUDO, True), (Become.AUTO, False), (Become.NEVER, False)])
def test_become_is_left_to_the_transport(become: Become, as_root: bool) -> None:
    """Only `become: sudo` runs the whole probe as root."""
    transport = PlayedTransport(lambda _, stdin: printed(frames(nonce_of(stdin), ("proc/uptime", b"1"))))
    collect(transport, host(become=become))
    assert transport.becomes == [as_root]


def test_the_probe_is_told_what_it_may() -> None:
    """`become: never` reaches the probe, whose nonce is hexadecimal and nothing else."""
    assert probe_input(NONCE, Become.NEVER).startswith(f"n={NONCE}\nb=never\n".encode())
    assert probe_input(NONCE, Become.AUTO).startswith(f"n={NONCE}\nb=auto\n".encode())
    for bad in ("", "0123456", "0123456789abcdeg", "01234567\nrm -rf /"):
        with pytest.raises(ValueError, match="hexadecimal"):
            probe_input(bad, Become.AUTO)


def test_what_came_before_the_deadline_is_kept() -> None:
    """A host that hangs half-way yields the sections that were whole, and a note."""

    def play(_: str, stdin: bytes) -> Completed:
        whole = frames(nonce_of(stdin), ("proc/uptime", b"1 2\n"), ("proc/version", b"Linux\n"))
        raise CommandTimeoutError("kvm01", "no end within 60 s", whole[: whole.index(b"Linux") + 3], b"")

    snapshot = collect(PlayedTransport(play), host())
    assert snapshot.sections["proc/uptime"].status is Status.OK
    assert snapshot.sections["proc/version"].status is Status.CUT
    assert snapshot.note == "incomplete: no end within 60 s, after proc/version"
    assert snapshot.get("proc/cpuinfo") is None


def test_nothing_before_the_deadline_is_unreachable() -> None:
    """A host that accepts and never answers raises the transport's own error."""

    def play(_: str, stdin: bytes) -> Completed:
        raise CommandTimeoutError("kvm01", "no end within 60 s", b"Welcome\n", b"")

    with pytest.raises(TransportError, match="no end within 60 s"):
        collect(PlayedTransport(play), host())


def test_output_beyond_the_cap_is_noted() -> None:
    """An answer that the transport cut is kept as far as it goes, and the note says so."""

    def play(_: str, stdin: bytes) -> Completed:
        whole = frames(nonce_of(stdin), ("proc/version", b"Linux\n"))
        return Completed(0, whole[:60], b"", 0.1, truncated=True)

    snapshot = collect(PlayedTransport(play), host())
    assert snapshot.note == "incomplete: the probe printed more than is read"
    assert snapshot.sections["proc/version"].status is Status.CUT


def test_a_probe_that_dies_is_noted() -> None:
    """A shell that ended early is no complete collection, though its exit code may be 0."""
    transport = PlayedTransport(
        lambda _, stdin: printed(b"\n@" + nonce_of(stdin).encode() + b" ok - 2 proc/uptime\n1\n", b"sh: killed\n", 137)
    )
    assert collect(transport, host()).note == "incomplete: the probe ended with 137 before it was done: sh: killed"


@pytest.mark.parametrize(
    "answer, line",
    [
        (
            printed(b"This account is restricted.\r\n\x1b[0m", exit_code=1),
            'kvm01: the probe got no answer; the host printed "This account is restricted.; ?[0m" and ended it with 1',
        ),
        (
            printed(b"", b"bash: sh: command not found\n", 127),
            'kvm01: the probe got no answer; the host printed "bash: sh: command not found" and ended it with 127',
        ),
        (
            printed(b""),
            "kvm01: the probe got no answer; the host ended it with 0 and printed nothing",
        ),
    ],
)
def test_a_host_without_a_shell_is_one_clear_line(answer: Completed, line: str) -> None:
    """A forced command, a missing shell or silence is told with what the host printed instead."""
    transport = PlayedTransport(lambda *_: answer)
    with pytest.raises(ProbeError) as raised:
        collect(transport, host())
    assert str(raised.value) == f"{line}; is there a POSIX shell behind this login?"
    assert transport.commands == ["sh"]


def test_endless_output_makes_a_short_message() -> None:
    """Of fifty megabytes of noise two hundred characters are shown."""
    with pytest.raises(ProbeError) as raised:
        collect(PlayedTransport(lambda *_: printed(b"y\n" * 1_000_000)), host())
    assert len(str(raised.value)) < 400


def windows_answer(command: str) -> bytes:
    """What a Windows Server 2019 prints when it is given the probe's command line."""
    script = base64.b64decode(command.rpartition(" ")[2]).decode("utf-16-le")
    found = re.search(r"@([0-9a-f]+) ", script)
    assert found is not None
    system = {"Caption": "Microsoft Windows Server 2019 Datacenter", "BuildNumber": "17763", "ProductType": 3}
    return frames(
        found[1],
        ("nestvirt/windows/operating_system.json", json.dumps(system).encode()),
        ("nestvirt/windows/computer_system.json", b'{"Manufacturer":"Microsoft Corporation","HypervisorPresent":true}'),
    )


@pytest.mark.parametrize(
    "complaint",
    [
        b"'sh' is not recognized as an internal or external command,\r\noperable program or batch file.\r\n",
        b"sh : The term 'sh' is not recognized as the name of a cmdlet, function, script file, or operable program.",
        'Der Befehl "sh" ist entweder falsch geschrieben oder konnte nicht gefunden werden.'.encode("cp850"),
        "\u00ab sh \u00bb n'est pas reconnu en tant que commande interne".encode(),
    ],
)
def test_windows_is_asked_in_its_own_language(complaint: bytes) -> None:
    """Where cmd.exe or PowerShell does not know `sh`, in whatever language, the PowerShell probe follows."""

    def play(command: str, _: bytes) -> Completed:
        return printed(b"", complaint, 1) if command == "sh" else printed(windows_answer(command))

    transport = PlayedTransport(play)
    snapshot = collect(transport, host())
    assert len(transport.commands) == 2
    assert json.loads(snapshot.sections["nestvirt/windows/operating_system.json"].text)["BuildNumber"] == "17763"
    assert snapshot.note == ""


def test_git_for_windows_is_still_windows() -> None:
    """Where a POSIX shell runs on Windows, what counts is what PowerShell says."""

    def play(command: str, stdin: bytes) -> Completed:
        if command == "sh":
            return printed(frames(nonce_of(stdin), ("nestvirt/windows/shell", b"a POSIX shell on Windows\n")))
        return printed(windows_answer(command))

    names = set(collect(PlayedTransport(play), host()).sections)
    assert names == {"nestvirt/windows/operating_system.json", "nestvirt/windows/computer_system.json"}


def test_the_windows_command_fits_cmd_and_decodes() -> None:
    """The command line stays below cmd.exe's limit and is the script, in UTF-16, with the nonce in it."""
    command = windows_command("0" * 32)
    assert len(command) < 8191
    assert command.startswith("powershell -NoProfile -NonInteractive -EncodedCommand ")
    script = base64.b64decode(command.rpartition(" ")[2]).decode("utf-16-le")
    assert "@" + "0" * 32 + " ok - - end" in script
    assert "NONCE" not in script
    assert all(word in script for word in ("Win32_OperatingSystem", "ProductType", "BuildNumber", "HypervisorPresent"))
    assert script.count("{") == script.count("}")
    assert script.count("(") == script.count(")")
    assert script.count("'") % 2 == 0


@pytest.mark.parametrize(
    "exit_code, said",
    [(127, b"sh: not found"), (0, b"Welcome to 'sh'"), (1, b"restricted account"), (126, b"permission denied: sh")],
)
def test_other_hosts_are_not_taken_for_windows(exit_code: int, said: bytes) -> None:
    """A UNIX host that refuses is not asked again in PowerShell."""
    assert not looks_like_windows(exit_code, said, b"")


def test_collecting_imports_no_ssh_library() -> None:
    """Nothing of collection needs paramiko or pytest."""
    code = (
        "import sys; before = set(sys.modules); import pytest_nestvirt.collect.fleet, pytest_nestvirt.snapshot.archive; "
        "print(sorted({'paramiko', 'pytest'} & set(sys.modules) - before))"
    )
    assert ShellTransport(["sh"]).run(f'"{sys.executable}" -c "{code}"').stdout == b"[]\n"
