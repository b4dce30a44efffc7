"""A sosreport, packed or unpacked, is a snapshot: its files under their real paths, its gaps unasked."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from pytest_nestvirt.facts.machine import build_machines
from pytest_nestvirt.inventory.host import Connection, Host, Inventory
from pytest_nestvirt.snapshot.archive import load
from pytest_nestvirt.snapshot.snapshot import Origin, Section, Snapshot, Status

FILES = {
    "version.txt": "sos version: 4.7.2\n",
    "sos_logs/sos.log": "x\n",
    "proc/cpuinfo": "processor\t: 0\nflags\t\t: vmx ept\n",
    "proc/cmdline": "BOOT_IMAGE=(hd0,msdos1)/vmlinuz ro\n",
    "proc/modules": "kvm_intel 282624 0 - Live 0x0\nkvm 663552 1 kvm_intel, Live 0x0\next4 1 1 - Live 0x0\n",
    "sys/module/kvm/parameters/halt_poll_ns": "200000\n",
    "sys/module/kvm_intel/parameters/nested": "Y\n",
    "sys/module/ext4/refcnt": "1\n",
    "etc/modprobe.d/kvm.conf": "options kvm_intel nested=1\n",
    "etc/modprobe.d/lockd.conf": "# nothing\n",
    "usr/lib/os-release": 'ID="rhel"\n',
    "etc/libvirt/qemu/Intel-L1.xml": "<domain type='kvm'/>\n",
    "etc/libvirt/qemu/networks/default.xml": "<network/>\n",
    "sos_commands/kernel/uname_-a": "Linux kvm01 4.18.0-193.el8.x86_64\n",
    "sos_commands/kernel/dmesg_-T": "[Mon] kvm: Nested Virtualization enabled\n",
    "sos_commands/processor/lscpu": "Architecture: x86_64\n",
    "sos_commands/virsh/virsh_-r_list_--all": " Id   Name\n",
    "sos_commands/virsh/virsh_-r_version": "error: failed to connect to the hypervisor\n",
    "sos_commands/rpm/sh_-c_rpm_-qa": "qemu-kvm-4.2.0-19.el8\n",
}
LINKS = {
    "installed-rpms": "sos_commands/rpm/sh_-c_rpm_-qa",
    "uname": "sos_commands/kernel/uname_-a",
    "etc/os-release": "../usr/lib/os-release",
    "etc/redhat-release": "/usr/lib/redhat-release",
    "etc/mtab": "../proc/self/mounts",
}


def report(root: Path, files: dict[str, str]) -> Path:
    """An unpacked sosreport with these files."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    for name, target in LINKS.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).symlink_to(target)
    return root


def loaded(tmp_path: Path, form: str, files: dict[str, str]) -> Snapshot:
    """The snapshot of a sosreport in one of the forms in which people have them."""
    name = "sosreport-kvm01-2024-01-01-abcdefg"
    root = report(tmp_path / "around" / name, files)
    if form == "unpacked":
        return load(root)
    if form == "in a folder":
        return load(root.parent)
    target = tmp_path / f"{name}.{form}"
    with tarfile.open(target, f"w:{form.removeprefix('tar.')}") as archive:  # type: ignore[call-overload]
        archive.add(root, arcname=name)
    return load(target)


every_form = pytest.mark.parametrize("form", ["unpacked", "in a folder", "tar.xz", "tar.gz", "tar.bz2"])


@every_form
def test_every_form_of_a_sosreport_reads_alike(tmp_path: Path, form: str) -> None:
    """The folder around it is taken off, links are followed inside, and the origin is told."""
    snapshot = loaded(tmp_path, form, FILES)
    found = snapshot.sections
    assert snapshot.origin is Origin.SOSREPORT
    assert found["proc/cpuinfo"].text == FILES["proc/cpuinfo"]
    assert found["etc/os-release"].text == FILES["usr/lib/os-release"]
    assert found["installed-rpms"].text == FILES["sos_commands/rpm/sh_-c_rpm_-qa"]
    assert found["sos_commands/kernel/dmesg"].text == FILES["sos_commands/kernel/dmesg_-T"]
    assert found["etc/libvirt/qemu/Intel-L1.xml"].text == FILES["etc/libvirt/qemu/Intel-L1.xml"]
    assert "etc/libvirt/qemu/networks/default.xml" not in found
    assert found["etc/modprobe.d/"].text == "kvm.conf\nlockd.conf\n"
    assert found["etc/redhat-release"].error == "it is a link to usr/lib/redhat-release, which is not in the snapshot"
    assert found["nestvirt/link/etc/redhat-release"].text == "/usr/lib/redhat-release\n"
    assert "proc/sysinfo" not in found


@every_form
def test_modules_of_a_sosreport(tmp_path: Path, form: str) -> None:
    """A module with a folder is loaded; one without is missing where other modules have theirs."""
    found = loaded(tmp_path, form, FILES).sections
    assert found["sys/module/kvm_intel"] == Section("sys/module/kvm_intel")
    assert found["sys/module/kvm_amd"].status is Status.MISSING


def test_a_module_that_is_listed_is_loaded_without_its_folder(tmp_path: Path) -> None:
    """/proc/modules outweighs a folder that was not copied; its parameters stay unknown."""
    files = {name: text for name, text in FILES.items() if not name.startswith("sys/module/kvm")}
    found = loaded(tmp_path, "unpacked", files).sections
    assert found["sys/module/kvm_intel"].status is Status.OK
    assert found["sys/module/kvm_amd"].status is Status.MISSING
    assert not any(name.startswith("sys/module/kvm_intel/") for name in found)


@every_form
@pytest.mark.parametrize("place", ["sos_commands/kernel/lsmod", "lsmod"])
def test_lsmod_stands_in_for_the_modules_table(tmp_path: Path, form: str, place: str) -> None:
    """Sos runs lsmod and does not copy /proc/modules: the rows show what is loaded, what needs it, and what is built in."""
    table = "Module                  Size  Used by\nkvm_intel             282624  0\nkvm                   663552  1 kvm_intel\n"
    files = {name: text for name, text in FILES.items() if name != "proc/modules"} | {place: table}
    snapshot = loaded(tmp_path, form, files)
    host = Host("one", 0, None, Connection.RECORDED)
    one = build_machines(Inventory((host,)), {"one": snapshot})["one"]
    assert one.kvm.is_built_in("kvm_intel") is False
    assert one.modules.users("kvm") == ("kvm_intel",)
    assert one.kvm.needed_by("kvm_intel").surely == {"kvm"}


def test_without_the_folders_of_other_modules_nothing_follows(tmp_path: Path) -> None:
    """A report of few plugins has no /sys/module: no module is called missing."""
    files = {name: text for name, text in FILES.items() if name not in {"sys/module/ext4/refcnt", "proc/modules"}}
    found = loaded(tmp_path, "unpacked", files).sections
    assert found["sys/module/kvm_intel"].status is Status.OK
    assert "sys/module/kvm_amd" not in found


def test_complaints_are_no_output(tmp_path: Path) -> None:
    """Where sos kept an error message in place of a command's output, the section failed with it."""
    section = loaded(tmp_path, "unpacked", FILES).sections["sos_commands/virsh/virsh_-r_version"]
    assert (section.status, section.data) == (Status.FAILED, b"")
    assert section.error == "error: failed to connect to the hypervisor"
