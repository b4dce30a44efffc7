"""What was cut off, refused or overlooked while it was read is not taken for something that is not there."""

from __future__ import annotations

import pytest
from probe_transports import NONCE
from small_host import SmallHost, every_shell

from pytest_nestvirt.collect.frames import parse_frames
from pytest_nestvirt.facts.machine import Machine
from pytest_nestvirt.inventory.host import Connection, Host
from pytest_nestvirt.observation.fact import Unobservable
from pytest_nestvirt.snapshot.snapshot import Section, Snapshot, Status

QEMU = b"/usr/bin/qemu-system-x86_64\0-name\0guest=l1,process=web\0-accel\0tcg\0"


def machine(sections: dict[str, Section]) -> Machine:
    """The facts of a machine with these sections."""
    return Machine(Host("kvm01", 0, None, Connection.SSH), Snapshot(sections), None)


@every_shell
@pytest.mark.parametrize(
    "comm, cmdline, found",
    [
        ("web", QEMU, True),
        ("qemu-system-x86", QEMU, True),
        ("CPU 0/KVM", b"qemu-kvm\0-m\x004096\0", True),
        ("l1", b"/usr/bin/kvm\0-id\x00101\0", True),
        ("sudo", b"sudo\0/usr/bin/qemu-system-x86_64\0", False),
        ("less", b"less\0/var/log/qemu-system-x86_64.log\0", False),
        ("qemu-ga", b"/usr/bin/qemu-ga\0--daemonize\0", False),
        ("kvm-nx-lpage-re", b"", False),
    ],
)
def test_qemu_is_found_by_whatever_name(
    small: SmallHost, shell: list[str], comm: str, cmdline: bytes, found: bool
) -> None:
    """A QEMU whose process was given another name runs all the same; other programs that name QEMU do not."""
    small.write("proc/1/comm", "init\n")
    small.write("proc/4711/comm", f"{comm}\n")
    small.write("proc/4711/cmdline", cmdline)
    processes = machine(small.probe(shell=shell)).qemu.processes
    assert [process.pid for process in processes] == [4711] * found


def test_a_process_that_has_ended_runs_nothing(small: SmallHost) -> None:
    """A QEMU that waits for its parent to notice its end has no arguments, and is none."""
    small.write("proc/4711/comm", "qemu-system-x86\n")
    small.write("proc/4711/cmdline", "")
    sections = small.probe()
    assert sections["nestvirt/qemu/4711"].status is Status.MISSING
    assert machine(sections).qemu.processes == ()


LISTED = "install ok installed qemu-kvm 1:4.2-3ubuntu6\\n"


@pytest.mark.parametrize(
    "tool, script, status",
    [
        ("rpm", "echo '. libvirt 6.0.0-37.el8'; exit 3", Status.OK),
        ("rpm", "echo 'package qemu is not installed'; exit 26", Status.OK),
        ("rpm", "echo '. libvirt 6.0.0-37.el8'; exit 124", Status.FAILED),
        ("rpm", "echo '. libvirt 6.0.0-37.el8'; exit 137", Status.FAILED),
        ("rpm", "echo 'error: rpmdb open failed' >&2; exit 1", Status.FAILED),
        ("dpkg-query", f"printf '{LISTED}'; exit 1", Status.OK),
        ("dpkg-query", "exit 1", Status.OK),
        ("dpkg-query", f"printf '{LISTED}'; exit 124", Status.FAILED),
        ("dpkg-query", "exit 2", Status.FAILED),
    ],
)
def test_a_list_of_packages_that_was_cut_off_is_none(small: SmallHost, tool: str, script: str, status: Status) -> None:
    """A package manager that was ended half-way or broke says nothing of packages that it did not list."""
    if tool == "dpkg-query":
        small.write("var/lib/dpkg/status", "")
    small.tool(tool, f"{script}\n")
    assert small.probe()["nestvirt/packages"].status is status


@pytest.mark.parametrize("name", ["installed-rpms", "installed-debs"])
@pytest.mark.parametrize("text", ["", "error: rpmdb open failed\n", "dpkg-query: error: parsing file\n"])
def test_a_list_of_all_packages_is_not_empty(name: str, text: str) -> None:
    """A machine has packages: a record that lists none has no answer of the package manager."""
    with pytest.raises(Unobservable):
        _ = machine({name: Section(name, data=text.encode())}).packages.installed


def test_a_disk_that_cannot_be_read_is_not_left_out(small: SmallHost) -> None:
    """Of disks of which one does not say whether it rotates, not all are known."""
    small.write("sys/block/sda/queue/rotational", "0\n")
    small.write("sys/block/sdb/queue/rotational", "")
    assert small.probe()["nestvirt/rotational"].error == "not readable of: sdb"


@pytest.mark.parametrize("first, second", [(b"a", b"b"), (b"a", b""), (b"", b"b")])
def test_two_answers_to_one_question_are_none(first: bytes, second: bytes) -> None:
    """Two sections of one name and different contents, of domains with contrived names say, are not one of the two."""
    mark = f"\n@{NONCE} ".encode()
    printed = b"".join(mark + b"ok - %d x\n" % len(body) + body for body in (first, second, first))
    assert parse_frames(printed, NONCE)[0]["x"].status is Status.FAILED
    assert parse_frames(mark + b"ok - 1 x\na" + mark + b"ok - 1 x\na", NONCE)[0]["x"].data == b"a"


@pytest.mark.parametrize("fact", ["iommu_groups", "efi"])
def test_a_directory_that_could_not_be_listed_is_not_there_for_sure(fact: str) -> None:
    """Where /sys is not mounted, nothing is known of what would be in it."""
    names = ("sys/kernel/iommu_groups/", "sys/firmware/efi/")
    firmware = machine({name: Section(name, Status.FAILED, error="/sys is not mounted") for name in names}).firmware
    with pytest.raises(Unobservable):
        getattr(firmware, fact)
