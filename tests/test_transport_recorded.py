"""A recording answers what it was asked when it was made, and nothing else."""

from __future__ import annotations

import pytest

from pytest_nestvirt.inventory.host import Connection, Host, Inventory
from pytest_nestvirt.snapshot.snapshot import Origin, Section, Snapshot, Status
from pytest_nestvirt.transport.base import TransportError
from pytest_nestvirt.transport.pool import Transports
from pytest_nestvirt.transport.recorded import RecordedTransport

HOST = Host("z13", 0, None, Connection.RECORDED)
SECTIONS = (
    Section("proc/cmdline", data=b"root=/dev/vda\n"),
    Section("proc/sysinfo", Status.MISSING),
    Section("proc/1/environ-container", data=b"lxc"),
    Section("sys/firmware/dmi/tables/DMI", Status.DENIED),
    Section("proc/cpuinfo", Status.TRUNCATED, b"processor"),
    Section("sys/module/kvm"),
    Section("sys/module/kvm/parameters/nested", data=b"1\n"),
    Section("dev/kvm", data=b"crw-rw-rw- 1 0 36 10, 232 Jan 1 00:00 /dev/kvm\n"),
    Section("sos_commands/kernel/uname_-a", data=b"Linux z13\n", exit_code=0),
    Section("sos_commands/kernel/dmesg", data=b"[0.0] kvm\n"),
    Section("sos_commands/virsh/virsh_-r_dumpxml_rhel8-l1", data=b"<domain/>", exit_code=0),
    Section("sos_commands/virsh/virsh_-r_version", Status.FAILED, b"", 1, "no connection"),
)


def recording(origin: Origin = Origin.DIRECTORY) -> RecordedTransport:
    """A recorded machine."""
    return RecordedTransport(HOST, Snapshot({section.name: section for section in SECTIONS}, origin, "recorded/z13"))


@pytest.mark.parametrize(
    "command, exit_code, stdout",
    [
        ("cat /proc/cmdline", 0, b"root=/dev/vda\n"),
        ("cat -- /sys/module/kvm/parameters/nested", 0, b"1\n"),
        ("cat /proc/sysinfo", 1, b""),
        ("cat /sys/firmware/dmi/tables/DMI", 1, b""),
        ("test -e /proc/sysinfo", 1, b""),
        ("test -e /sys/module/kvm", 0, b""),
        ("uname -a", 0, b"Linux z13\n"),
        ("virsh -r dumpxml rhel8-l1", 0, b"<domain/>"),
    ],
)
def test_what_was_recorded_is_answered(command: str, exit_code: int, stdout: bytes) -> None:
    """Files, their absence, and commands under the names sosreport gives them."""
    done = recording().run(command)
    assert (done.exit_code, done.stdout) == (exit_code, stdout)


@pytest.mark.parametrize(
    "command",
    [
        "cat /etc/shadow",  # never asked for, which is not the same as missing
        "test -e /etc/shadow",
        "cat /proc/cpuinfo",  # cut
        "cat /dev/kvm",  # the section has what ls says of it
        "cat /sys/module/kvm",  # a directory
        "cat /proc/1/environ-container",  # no such file on any machine
        "cat /sos_commands/kernel/uname_-a",
        "virsh -r version",  # failed
        "dmesg",  # only the lines on virtualization
        "cat /proc/cmdline; reboot",
        "cat '",
        "",
        "true",
    ],
)
def test_everything_else_is_refused(command: str) -> None:
    """An answer that nobody gave is never made up."""
    with pytest.raises(TransportError, match=r"^z13: command: "):
        recording().run(command)


def test_a_command_with_input_is_refused() -> None:
    """What it would have done with the input is not known."""
    with pytest.raises(TransportError, match="a recording cannot run commands"):
        recording().run("uname -a", stdin=b"x")


def test_a_sosreport_has_the_whole_kernel_log() -> None:
    """There it may be asked for."""
    assert recording(Origin.SOSREPORT).run("dmesg").stdout == b"[0.0] kvm\n"


def test_the_snapshot_is_loaded_once_by_whoever_knows_how() -> None:
    """The pool is given the loader, calls it once per host and passes on what it raises."""
    calls: list[str] = []

    def load(host: Host) -> Snapshot:
        calls.append(host.name)
        return Snapshot({"proc/cmdline": SECTIONS[0]}, where="recorded/z13")

    with Transports(Inventory((HOST,)), load) as pool:
        assert pool.of(HOST) is pool.of(HOST)
        assert pool.of(HOST).where == "recording recorded/z13"
    assert calls == ["z13"]
