"""The probe does its work in each shell that a host may have, with the tools it has, and leaves nothing behind."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from probe_transports import NONCE
from small_host import TOOLS, SmallHost, every_shell, installed, probe

from pytest_nestvirt.collect.frames import parse_frames
from pytest_nestvirt.collect.probe import probe_input
from pytest_nestvirt.inventory.host import Become
from pytest_nestvirt.snapshot.sections import FIXED
from pytest_nestvirt.snapshot.snapshot import Section, Status


@every_shell
def test_every_fixed_section_is_answered(shell: list[str]) -> None:
    """On a real machine the probe reaches its end and leaves none of its questions without an answer."""
    sections, complete, done = probe(shell)
    assert complete
    assert done.returncode == 0
    assert set(FIXED) - set(sections) == set()
    assert (
        sections["proc/cpuinfo"].data == Path("/proc/cpuinfo").read_bytes() or b"MHz" in sections["proc/cpuinfo"].data
    )
    assert sections["proc/version"].data == Path("/proc/version").read_bytes()
    assert (
        sections["sos_commands/kernel/uname_-a"].text.split()
        == list(os.uname()[:1]) + sections["sos_commands/kernel/uname_-a"].text.split()[1:]
    )


@installed("setpriv")
@every_shell
def test_an_account_without_rights_gets_what_it_may_read(shell: list[str]) -> None:
    """As nobody the probe reaches its end: the public files are read, what is refused is called so."""
    if os.geteuid() != 0:
        pytest.skip("only root can become nobody")
    sections, complete, _ = probe(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *shell])
    assert complete
    assert sections["proc/cpuinfo"].status is Status.OK
    assert sections["nestvirt/whoami"].text.startswith("uid=65534 sudo=")
    assert sections["proc/1/environ-container"].status is Status.DENIED
    if Path("/dev/kvm").exists() and not Path("/dev/kvm").stat().st_mode & 0o006:
        assert sections["nestvirt/kvm_ioctl"].status in {Status.DENIED, Status.MISSING}


@every_shell
def test_shells_agree(shell: list[str]) -> None:
    """What does not change between two readings reads the same in every shell, byte for byte."""
    steady = ("proc/cmdline", "etc/os-release", "sys/firmware/acpi/tables/", "usr/lib/modprobe.d/")
    sections, _, _ = probe(shell)
    reference, _, _ = probe(["sh"])
    assert [sections[name] for name in steady] == [reference[name] for name in steady]


@installed("shellcheck")
def test_shellcheck_finds_nothing() -> None:
    """The probe is clean POSIX sh."""
    script = probe_input(NONCE, Become.AUTO)
    done = subprocess.run(["shellcheck", "-s", "sh", "-"], input=script, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout.decode()


@every_shell
def test_no_command_eats_the_rest(shell: list[str], tmp_path: Path) -> None:
    """A tool that reads its standard input gets none of the probe."""
    (tmp_path / "lscpu").write_text("#!/bin/sh\ncat\necho seen\n")
    (tmp_path / "lscpu").chmod(0o755)
    sections, complete, _ = probe(shell, env={"PATH": f"{tmp_path}:{os.environ['PATH']}"})
    assert complete
    assert sections["sos_commands/processor/lscpu"].text == "seen\n"


@every_shell
def test_open_standard_input_does_not_hold_it_up(shell: list[str]) -> None:
    """The probe ends by itself where the sender keeps its standard input open."""
    process = subprocess.Popen(shell, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(probe_input(NONCE, Become.NEVER))
    process.stdin.flush()
    _, complete = parse_frames(process.stdout.read(), NONCE)
    assert complete
    assert process.wait(timeout=30) == 0
    process.stdin.close()
    process.stdout.close()


def test_busybox_is_enough(small: SmallHost) -> None:
    """On a host without any optional tool each of them is reported missing, files are read all the same."""
    small.write("proc/cpuinfo", "processor\t: 0\nflags\t\t: vmx ept\n")
    small.write("sys/module/kvm_intel/parameters/nested", "Y\n")
    small.write("sys/module/kvm_intel/refcnt", "0\n")
    found = small.probe()
    assert found["proc/cpuinfo"].text == "processor\t: 0\nflags\t\t: vmx ept\n"
    assert found["sys/module/kvm_intel"] == Section("sys/module/kvm_intel")
    assert found["sys/module/kvm_intel/parameters/nested"].text == "Y\n"
    assert found["sys/module/kvm_amd"].status is Status.MISSING
    assert found["dev/kvm"].status is Status.MISSING
    assert found["nestvirt/kvm_ioctl"].text == "error=ENOENT\n"
    absent = ("sos_commands/virsh/virsh_-r_version", "nestvirt/systemd-detect-virt_--vm")
    assert {found[name].status for name in absent} == {Status.MISSING}
    assert found["nestvirt/packages"].status is not Status.OK  # some BusyBoxes have an rpm of their own, without data
    assert found["nestvirt/whoami"].text == "uid=0 sudo=none\n"


def test_nothing_is_left_on_the_host(small: SmallHost) -> None:
    """After the probe the host has the files that it had before."""
    small.write("etc/modprobe.d/kvm.conf", "options kvm_intel nested=1\n")
    before = small.everything()
    small.probe()
    assert small.everything() == before


def test_hosts_without_core_tools_still_answer(small: SmallHost) -> None:
    """With no tool but the shell the probe reaches its end, and what needed a tool is no finding."""
    small.write("sys/module/kvm/parameters/nested", "1\n")
    small.write("proc/cpuinfo", "features\t: sie\n")
    for tool in TOOLS:
        (small.root / "bin" / tool).unlink()
    found = small.probe(path="/nowhere")
    # BusyBox may run its own applets without any file; then the file is read, else it is not taken for empty.
    assert found["proc/cpuinfo"].status is Status.FAILED or found["proc/cpuinfo"].text == "features\t: sie\n"
    assert found["sys/module/kvm/parameters/nested"].text == "1\n"


def test_modprobe_files_come_with_any_name(small: SmallHost) -> None:
    """Configuration that mentions kvm is read whatever its file is called; the listing has every name."""
    small.write("etc/modprobe.d/my kvm 100%.conf", "options kvm-intel nested=0\n")
    small.write("etc/modprobe.d/blacklist.conf", "blacklist KVM_intel\n")
    small.write("etc/modprobe.d/unrelated.conf", "options snd index=0\n")
    small.write("etc/modprobe.d/two\nlines.conf", "options kvm nested=1\n")
    small.write("etc/modprobe.d/notes.txt", "kvm\n")
    found = small.probe()
    assert found["etc/modprobe.d/my kvm 100%.conf"].text == "options kvm-intel nested=0\n"
    assert found["etc/modprobe.d/blacklist.conf"].text == "blacklist KVM_intel\n"
    assert found["etc/modprobe.d/two\\x0alines.conf"].text == "options kvm nested=1\n"
    assert "etc/modprobe.d/unrelated.conf" not in found
    assert "etc/modprobe.d/notes.txt" not in found
    assert found["etc/modprobe.d/"].text.splitlines() == [
        "blacklist.conf",
        "my kvm 100%.conf",
        "notes.txt",
        "two\\x0alines.conf",
        "unrelated.conf",
    ]


def test_what_is_listed_is_sent_or_named_as_searched(small: SmallHost) -> None:
    """A file stays on the host only if nothing in it can matter to kvm; then it is named."""
    small.write("etc/modprobe.d/unrelated.conf", "options snd index=0\n")
    small.write("etc/modprobe.d/needed.conf", "install irqbypass /bin/false\n")
    small.write("etc/modprobe.d/pattern.conf", "blacklist x\nsoftdep ?v[m]_intel pre: x\n")
    small.write("etc/modprobe.d/cut.conf", "options k\\\nvm_intel nested=0\n")
    small.write("etc/modprobe.d/udev.conf", "alias cpu:type:* off\n")
    small.write("etc/modprobe.d/old.alias", "options snd index=1\n")
    found = small.probe()
    sent = {"needed", "pattern", "cut", "udev"}
    assert {name for name in sent if found.get(f"etc/modprobe.d/{name}.conf")} == sent
    searched = set(found["nestvirt/modprobe_searched/"].text.split("\n"))
    assert {f"etc/modprobe.d/{name}" for name in ("unrelated.conf", "old.alias")} <= searched
    assert not {"etc/modprobe.d/unrelated.conf", "etc/modprobe.d/old.alias"} & set(found)


def node(small: SmallHost, misc: str | None) -> dict[str, Section]:
    """What the probe finds where udev has made /dev/kvm, with a Python that leaves a trace when it is asked to open it."""
    os.mknod(small.root / "dev/kvm", 0o666 | stat.S_IFCHR, os.makedev(10, 232))
    small.tool("python3", "echo opened >/tmp/opened\necho api=12\n")
    (small.root / "tmp").chmod(0o777)
    if misc is not None:
        small.write("proc/misc", misc)
    return small.probe()


@pytest.mark.parametrize(
    "misc, opened",
    [
        ("229 fuse\n232 kvm\n  1 psaux\n", True),
        (" 63 vga_arbiter\n232 kvm\n", True),
        ("229 fuse\n", False),
        ("", False),
        ("232 kvm-of-another\n 32 kvm\n", False),
    ],
)
def test_a_node_without_a_device_is_not_opened(small: SmallHost, misc: str, opened: bool) -> None:
    """Opening udev's static node would make the kernel load kvm: only what /proc/misc lists is asked."""
    found = node(small, misc)
    assert (small.root / "tmp/opened").exists() is opened
    assert found["nestvirt/kvm_ioctl"].text == ("api=12\n" if opened else "registered=no\n")


def test_a_node_is_not_opened_where_its_device_cannot_be_looked_up(small: SmallHost) -> None:
    """/sys/class/misc stands in for /proc/misc; without both nothing is known, and nothing is opened."""
    found = node(small, None)
    assert not (small.root / "tmp/opened").exists()
    assert found["nestvirt/kvm_ioctl"].status is Status.FAILED
    (small.root / "sys/class/misc").mkdir(parents=True)
    assert small.probe()["nestvirt/kvm_ioctl"].text == "registered=no\n"
    (small.root / "sys/class/misc/kvm").mkdir()
    assert small.probe()["nestvirt/kvm_ioctl"].text == "api=12\n"


@pytest.mark.parametrize(
    "mode, number",
    [
        (stat.S_IFCHR, os.makedev(10, 130)),  # a watchdog, which an open starts
        (stat.S_IFCHR, os.makedev(1, 3)),
        (stat.S_IFBLK, os.makedev(10, 232)),
        (stat.S_IFREG, 0),
    ],
)
def test_another_device_in_its_place_is_not_opened(mode: int, number: int) -> None:
    """The questions look at the type and the numbers of the node before they open it."""
    text = probe_input(NONCE, Become.AUTO).decode()
    questions = text.partition("\nquestions='")[2].partition("\n'")[0]
    traps = (
        "import os, sys, types\n"
        f"os.stat = lambda path: types.SimpleNamespace(st_mode={mode | 0o666}, st_rdev={number})\n"
        "sys.addaudithook(lambda event, args: event == 'open' and args[0] == '/dev/kvm' and print('opened'))\n"
    )
    done = subprocess.run([sys.executable, "-c", traps + questions], capture_output=True, text=True, check=True)
    assert done.stdout == "error=ENOTTY\n"


def test_refused_is_not_missing(small: SmallHost) -> None:
    """Files and directories that the account may not read are denied; what is not there is missing."""
    small.write("sys/class/dmi/id/product_uuid", "x\n", mode=0o400)
    small.write("etc/modprobe.d/secret.conf", "options kvm nested=1\n", mode=0o600)
    small.write("usr/lib/modprobe.d/kvm.conf", "options kvm nested=1\n")
    (small.root / "usr/lib/modprobe.d").chmod(0o700)
    (small.root / "run").mkdir(mode=0o700)
    found = small.probe(user=65534)
    denied = ("sys/class/dmi/id/product_uuid", "etc/modprobe.d/secret.conf", "usr/lib/modprobe.d/", "run/modprobe.d/")
    assert {name: found[name].status for name in denied} == dict.fromkeys(denied, Status.DENIED)
    assert found["sys/class/dmi/id/sys_vendor"].status is Status.MISSING
    assert found["nestvirt/whoami"].text == "uid=65534 sudo=none\n"


def test_sudo_is_used_where_it_is_granted_and_allowed(small: SmallHost) -> None:
    """What was refused is read by sudo where that asks no password, unless the inventory says never."""
    small.write("sys/class/dmi/id/product_uuid", "x\n", mode=0o400)
    small.write(
        "bin/sudo",
        '#!/bin/sh\n[ "$1" = -n ] || exit 9\ncase "$2 $5" in "true "*) ;; *product_uuid) echo by-sudo ;; *) exit 1 ;; esac\n',
        mode=0o755,
    )
    granted = small.probe(user=65534)
    assert granted["sys/class/dmi/id/product_uuid"].text == "by-sudo\n"
    assert granted["nestvirt/whoami"].text == "uid=65534 sudo=yes\n"
    never = small.probe(user=65534, become=Become.NEVER)
    assert never["sys/class/dmi/id/product_uuid"].status is Status.DENIED
    assert never["nestvirt/whoami"].text == "uid=65534 sudo=none\n"


def test_sudo_that_asks_is_left_alone(small: SmallHost) -> None:
    """Where sudo wants a password nothing is read by it, and the probe says so."""
    small.write("sys/class/dmi/id/product_uuid", "x\n", mode=0o400)
    small.write("bin/sudo", "#!/bin/sh\necho 'sudo: a password is required' >&2\nexit 1\n", mode=0o755)
    found = small.probe(user=65534)
    assert found["sys/class/dmi/id/product_uuid"].status is Status.DENIED
    assert found["nestvirt/whoami"].text == "uid=65534 sudo=no\n"


def test_unmounted_sys_is_no_finding(small: SmallHost) -> None:
    """Where /sys is not mounted, nothing in it is called missing: a module may be loaded all the same."""
    shutil.rmtree(small.root / "sys")
    found = small.probe()
    below = [section for name, section in found.items() if name.startswith("sys/")]
    assert below
    assert {section.status for section in below} == {Status.FAILED}


def test_nul_bytes_become_newlines(small: SmallHost) -> None:
    """Device-tree strings and the arguments of QEMU stand one a line; of PID 1's environment one value is taken."""
    small.write("proc/device-tree/compatible", b"qemu,pseries\0ibm,powernv\0")
    small.write("proc/1/environ", b"SECRET=1\0container=lxc\0HOME=/\0")
    small.write("proc/1/comm", "init\n")
    small.write("proc/4711/comm", "qemu-system-x86\n")
    small.write("proc/4711/cmdline", b"/usr/bin/qemu-system-x86_64\0-name\0guest=a b\0-append\0two\nlines\0")
    small.write("proc/4712/comm", "qemu-ga\n")
    found = small.probe()
    assert found["proc/device-tree/compatible"].text == "qemu,pseries\nibm,powernv\n"
    assert found["proc/1/environ-container"].text == "lxc\n"
    assert not any("SECRET" in section.text for section in found.values())
    assert found["nestvirt/qemu/"].text == "4711\n"
    assert found["nestvirt/qemu/4711"].text.splitlines() == [
        "/usr/bin/qemu-system-x86_64",
        "-name",
        "guest=a b",
        "-append",
        "two lines",
    ]


def test_bytes_are_counted_not_characters(small: SmallHost) -> None:
    """What is no ASCII, and what is no UTF-8, arrives as it is."""
    small.write("sys/class/dmi/id/sys_vendor", "Société Générale\n")
    small.write("etc/os-release", b'NAME="\xff\xfe"\nID=x')
    found = small.probe()
    assert found["sys/class/dmi/id/sys_vendor"].text == "Société Générale\n"
    assert found["etc/os-release"].data == b'NAME="\xff\xfe"\nID=x\n'


def test_huge_files_are_truncated(small: SmallHost) -> None:
    """A file beyond the cap arrives as its beginning, and is called truncated."""
    small.write("etc/modprobe.d/kvm.conf", b"# kvm\n" + b"x" * (2 << 20))
    assert small.probe()["etc/modprobe.d/kvm.conf"].status is Status.TRUNCATED


def test_a_device_that_is_none_is_not_asked(small: SmallHost) -> None:
    """A plain file in the place of /dev/kvm is no KVM."""
    small.write("dev/kvm", "")
    found = small.probe()
    assert found["dev/kvm"].text.startswith("-rw-r--r--")
    assert found["nestvirt/kvm_ioctl"].text == "error=ENOTTY\n"


def test_kernel_log_that_is_refused_is_denied(small: SmallHost) -> None:
    """An unprivileged dmesg that is turned down is no empty log."""
    (small.root / "bin/dmesg").unlink()
    small.write(
        "bin/dmesg", "#!/bin/sh\necho 'dmesg: read kernel buffer failed: Operation not permitted' >&2\nexit 1\n", 0o755
    )
    assert small.probe()["sos_commands/kernel/dmesg"].status is Status.DENIED


def test_kernel_log_is_filtered(small: SmallHost) -> None:
    """Only lines that concern virtualization leave the host."""
    (small.root / "bin/dmesg").unlink()
    small.write(
        "bin/dmesg", "#!/bin/sh\necho '[1.0] kvm: Nested Virtualization enabled'\necho '[2.0] usb 1-1: new'\n", 0o755
    )
    assert small.probe()["sos_commands/kernel/dmesg"].text == "[1.0] kvm: Nested Virtualization enabled\n"


def test_the_kernel_log_is_read_for_damage_too(small: SmallHost) -> None:
    """An oops of whatever origin is in what is read, and so is the mask in which the kernel remembers it."""
    (small.root / "bin/dmesg").unlink()
    lines = ("[9.1] BUG: unable to handle page fault", "[9.2] Oops: 0000 [#1] SMP", "[9.3] Kernel panic - not syncing")
    small.write("bin/dmesg", "#!/bin/sh\n" + "".join(f"echo '{line}'\n" for line in lines), 0o755)
    small.write("proc/sys/kernel/tainted", "128\n")
    found = small.probe()
    assert found["sos_commands/kernel/dmesg"].text.splitlines() == list(lines)
    assert found["proc/sys/kernel/tainted"].text == "128\n"


def test_tools_that_hang_are_ended(small: SmallHost) -> None:
    """A tool that does not answer costs its time limit, not the collection."""
    small.write("bin/lscpu", "#!/bin/sh\nexec sleep 600\n", 0o755)
    (small.root / "bin/sleep").symlink_to("busybox")
    small.write("bin/patient", "")
    (small.root / "bin/timeout").unlink()
    # The limit itself is the probe's; a stand-in makes it a short one.
    small.write("bin/timeout", '#!/bin/sh\nshift\n[ "$1" = lscpu ] && exit 124\nexec "$@"\n', 0o755)
    section = small.probe()["sos_commands/processor/lscpu"]
    assert (section.status, section.exit_code) == (Status.FAILED, 124)


def test_a_posix_shell_on_windows_is_recognised(small: SmallHost) -> None:
    """A shell of Git for Windows emulates /proc: nothing of that is read."""
    argv = ["chroot", str(small.root), "/bin/busybox", "sh"]
    sections, complete, _ = probe(argv, env={"PATH": "/bin", "OS": "Windows_NT"}, executable=shutil.which("chroot"))
    assert list(sections) == ["nestvirt/windows/shell"]
    assert not complete
