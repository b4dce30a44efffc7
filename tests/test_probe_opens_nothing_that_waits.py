"""The probe opens regular files only, and names what it has read: a file that is listed and was not read is not silent."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from small_host import SmallHost, every_shell

from pytest_nestvirt.facts.machine import Machine
from pytest_nestvirt.inventory.host import Connection, Host
from pytest_nestvirt.observation.fact import Unobservable
from pytest_nestvirt.snapshot.snapshot import Section, Snapshot, Status

SILENT = "# nothing about virtualization\n"


def bind_socket(path: Path) -> None:
    """A socket at a path, by its directory's descriptor: a name of 108 bytes is the longest that can be bound."""
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind(f"/proc/self/fd/{directory}/{path.name}")
    finally:
        os.close(directory)


WAITING: dict[str, Callable[[Path], object]] = {
    "pipe": os.mkfifo,
    "socket": bind_socket,
    "terminal": lambda path: os.mknod(path, 0o600 | stat.S_IFCHR, os.makedev(5, 0)),
    "disk": lambda path: os.mknod(path, 0o600 | stat.S_IFBLK, os.makedev(7, 250)),
    "directory": Path.mkdir,
    "link to /proc/kmsg": lambda path: path.symlink_to("/proc/kmsg"),
    "link to a link to /proc/kmsg": lambda path: path.symlink_to("/etc/log"),
    "relative link to /sys": lambda path: path.symlink_to(f"{'../' * 9}sys/kernel/waiting"),
    "link to a pipe": lambda path: path.symlink_to("/tmp/pipe"),
    "link to a link to a pipe": lambda path: path.symlink_to("/etc/hose"),
}


@pytest.fixture
def trap(small: SmallHost) -> SmallHost:
    """A host with files that block whoever reads them."""
    for path in ("proc/kmsg", "sys/kernel/waiting", "tmp/pipe"):
        os.mkfifo(small.root / path)
    (small.root / "etc/log").symlink_to("/proc/kmsg")
    (small.root / "etc/hose").symlink_to("../tmp/pipe")
    small.write("proc/cmdline", "quiet\n")
    return small


def settings_of(sections: dict[str, Section]) -> object:
    """What modprobe would load kvm_intel with, by these sections; the `Unobservable` where that is unknown."""
    machine = Machine(Host("kvm01", 0, None, Connection.SSH), Snapshot(sections), None)
    try:
        return machine.modprobe.setting("kvm_intel", "nested")
    except Unobservable as unknown:
        return unknown


@every_shell
@pytest.mark.parametrize("place", ["etc/modprobe.d/zz.conf", "etc/os-release", "var/log/cloud-init-output.log"])
@pytest.mark.parametrize("kind", WAITING)
def test_what_may_wait_is_not_opened(trap: SmallHost, shell: list[str], kind: str, place: str) -> None:
    """A pipe, socket, device, directory, or a link to one of those or into /proc, fails by itself; all else is read."""
    (trap.root / place).parent.mkdir(parents=True, exist_ok=True)
    WAITING[kind](trap.root / place)
    found = trap.probe(shell=shell)
    assert found[place].status is Status.FAILED
    assert "it is a" in found[place].error
    assert found["proc/cmdline"].text == "quiet\n"
    if place.endswith(".conf"):
        assert isinstance(settings_of(found), Unobservable)


@every_shell
@pytest.mark.parametrize(
    "name", [b"plain.conf", b"caf\xe9.conf", b"two\nlines.conf", "日本.conf".encode(), b"50%0A.conf"]
)
@pytest.mark.parametrize("text", ["options kvm_intel nested=0\n", SILENT], ids=["speaks", "silent"])
def test_configuration_of_any_name_is_named(small: SmallHost, shell: list[str], name: bytes, text: str) -> None:
    """A file whose name is not UTF-8 or holds a newline decides as any other, and a silent one is known to be silent."""
    small.write("proc/cmdline", "quiet\n")
    small.write(b"etc/modprobe.d/" + name, text)
    setting = settings_of(small.probe(shell=shell))
    assert setting is None if text == SILENT else str(setting).startswith("kvm_intel nested=0 (etc/modprobe.d/")


@every_shell
def test_a_mask_is_an_empty_file(small: SmallHost, shell: list[str]) -> None:
    """A link to /dev/null is the documented way to switch a file of the distribution off."""
    small.write("proc/cmdline", "quiet\n")
    small.write("usr/lib/modprobe.d/kvm.conf", "options kvm_intel nested=0\n")
    (small.root / "etc/modprobe.d/kvm.conf").symlink_to("/dev/null")
    assert settings_of(small.probe(shell=shell)) is None


def test_a_link_to_nothing_is_missing_for_root_only(small: SmallHost) -> None:
    """Root sees that a link leads nowhere; another account cannot tell that from a directory that it may not enter."""
    (small.root / "etc/modprobe.d/kvm.conf").symlink_to("/root/kvm.conf")
    assert small.probe()["etc/modprobe.d/kvm.conf"].status is Status.MISSING
    small.write("root/kvm.conf", "options kvm_intel nested=0\n")
    (small.root / "root").chmod(0o700)
    assert small.probe(user=65534)["etc/modprobe.d/kvm.conf"].status is Status.DENIED
    assert small.probe()["etc/modprobe.d/kvm.conf"].text == "options kvm_intel nested=0\n"


def test_a_search_that_fails_leaves_nothing_silent(small: SmallHost) -> None:
    """Where grep breaks, every file is read instead."""
    small.write("etc/modprobe.d/other.conf", SILENT)
    small.tool("grep", "exit 2\n")
    found = small.probe()
    assert found["nestvirt/modprobe_searched/"].text == ""
    assert found["etc/modprobe.d/other.conf"].text == SILENT


@pytest.mark.parametrize(
    "searched, silent",
    [
        (Section("nestvirt/modprobe_searched/", data=b"etc/modprobe.d/a.conf\n"), True),
        (Section("nestvirt/modprobe_searched/", data=b"etc/modprobe.d/b.conf\n"), False),
        (Section("nestvirt/modprobe_searched/", data=b""), False),
        (Section("nestvirt/modprobe_searched/", Status.CUT), False),
        (Section("nestvirt/modprobe_searched/", Status.MISSING), False),
        (Section("nestvirt/whoami", data=b"uid=0 sudo=none\n"), True),
        (None, False),
    ],
    ids=["searched", "another was", "none was", "cut", "missing", "earlier probe", "record of no probe"],
)
def test_only_what_was_searched_is_silent(searched: Section | None, silent: bool) -> None:
    """A listed file without a section says nothing about kvm only if it was searched; earlier probes did not say which were."""
    given = [
        Section("proc/cmdline", data=b"quiet\n"),
        Section("etc/modprobe.d/", data=b"a.conf\n"),
        *([searched] if searched else []),
    ]
    assert (settings_of({section.name: section for section in given}) is None) is silent


@every_shell
@pytest.mark.parametrize(
    "target, section",
    [
        ("rocky-release", Section("nestvirt/link/etc/redhat-release", data=b"rocky-release\n")),
        (
            "/usr/lib/springdale-release",
            Section("nestvirt/link/etc/redhat-release", data=b"/usr/lib/springdale-release\n"),
        ),
        ("", Section("nestvirt/link/etc/redhat-release", Status.MISSING, error="it is not a link")),
    ],
    ids=["relative", "absolute and dangling", "a file"],
)
def test_where_the_release_file_leads_is_read(
    small: SmallHost, shell: list[str], target: str, section: Section
) -> None:
    """Rebuilds of RHEL have /etc/redhat-release lead to a file of their own name: the target is a section."""
    small.write("etc/rocky-release", "Rocky Linux release 8.6 (Green Obsidian)\n")
    if target:
        (small.root / "etc/redhat-release").symlink_to(target)
    else:
        small.write("etc/redhat-release", "Red Hat Enterprise Linux release 8.6 (Ootpa)\n")
    assert small.probe(shell=shell)[section.name] == section


def test_sections_that_were_read_arrive_before_one_that_blocks(small: SmallHost) -> None:
    """Each part is sent as soon as it is read: of a host that hangs later, what came first is known."""
    small.write("proc/cmdline", "quiet\n")
    small.tool("ls", "read line </tmp/pipe\n")
    small.write("dev/kvm", "")
    os.mkfifo(small.root / "tmp/pipe")
    sections = small.probe_until(b"nestvirt/modprobe_searched/")
    assert sections["proc/cmdline"].text == "quiet\n"
