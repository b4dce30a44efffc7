"""A machine of BusyBox and scripts: a directory that the probe takes for the root."""

from __future__ import annotations

import os
import re
import shutil
import signal
import stat
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from probe_transports import NONCE

from pytest_nestvirt.collect.frames import parse_frames
from pytest_nestvirt.collect.probe import probe_input
from pytest_nestvirt.inventory.host import Become
from pytest_nestvirt.snapshot.snapshot import Section

SHELLS = {"dash": ["dash"], "bash": ["bash", "--posix"], "busybox": ["busybox", "sh"]}
TOOLS = (
    "sh",
    "head",
    "tail",
    "grep",
    "sed",
    "ls",
    "tr",
    "cat",
    "id",
    "uname",
    "timeout",
    "dmesg",
    "df",
    "od",
    "readlink",
)


def installed(*tools: str) -> pytest.MarkDecorator:
    """Skip where one of the tools is not installed."""
    gone = [tool for tool in tools if shutil.which(tool) is None]
    return pytest.mark.skipif(bool(gone), reason=f"not installed: {', '.join(gone)}")


every_shell = pytest.mark.parametrize(
    "shell", [pytest.param(argv, id=name, marks=installed(argv[0])) for name, argv in SHELLS.items()]
)


def probe(
    argv: Sequence[str], become: Become = Become.AUTO, **options: object
) -> tuple[dict[str, Section], bool, subprocess.CompletedProcess[bytes]]:
    """Run the probe by a shell and read its frames."""
    done = subprocess.run(  # type: ignore[call-overload]
        argv, input=probe_input(NONCE, become), capture_output=True, timeout=120, check=False, **options
    )
    sections, complete = parse_frames(done.stdout, NONCE)
    return sections, complete, done


class SmallHost:
    """A machine of nothing but BusyBox, and of the tools and files that a test writes."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._copy(shutil.which("busybox") or "", "bin/busybox")
        for tool in TOOLS:
            (root / "bin" / tool).symlink_to("busybox")
        for directory in ("proc/self", "sys/kernel", "sys/module", "dev", "etc/modprobe.d", "tmp"):
            (root / directory).mkdir(parents=True)
        os.mknod(root / "dev/null", 0o666 | stat.S_IFCHR, os.makedev(1, 3))
        (root / "dev/null").chmod(0o666)

    def _copy(self, program: str, place: str) -> None:
        """A program, with the libraries that it is linked to."""
        listed = subprocess.run(["ldd", program], capture_output=True, text=True, check=False).stdout
        for source, target in ((program, place), *((name, name[1:]) for name in re.findall(r"(/\S+) \(0x", listed))):
            (self.root / target).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, self.root / target)

    def write(self, path: str | bytes, data: bytes | str, mode: int = 0o644) -> Path:
        """A file of the host."""
        file = self.root / os.fsdecode(path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data if isinstance(data, bytes) else data.encode())
        file.chmod(mode)
        return file

    def tool(self, name: str, script: str) -> None:
        """A command that is a shell script."""
        (self.root / "bin" / name).unlink(missing_ok=True)
        self.write(f"bin/{name}", f"#!/bin/sh\n{script}", 0o755)

    def probe(
        self,
        *,
        user: int = 0,
        become: Become = Become.AUTO,
        path: str = "/bin",
        shell: Sequence[str] = ("busybox", "sh"),
    ) -> dict[str, Section]:
        """What the probe finds there."""
        if shell[0] != "busybox":
            self._copy(shutil.which(shell[0]) or "", f"bin/{shell[0]}")
        argv = ["chroot", f"--userspec={user}:{user}", str(self.root), f"/bin/{shell[0]}", *shell[1:]]
        sections, complete, done = probe(argv, become, env={"PATH": path}, executable=shutil.which("chroot"))
        assert complete, (done.stdout[-500:], done.stderr)
        return sections

    def probe_until(self, last: bytes) -> dict[str, Section]:
        """What has arrived by the time that `last` has, of a probe that then waits for ever and is ended."""
        argv = ["chroot", str(self.root), "/bin/busybox", "sh"]
        with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(probe_input(NONCE, Become.NEVER))
            process.stdin.close()
            printed = b""
            while last not in printed:
                printed += os.read(process.stdout.fileno(), 1 << 16)
            os.killpg(process.pid, signal.SIGKILL)
        return parse_frames(printed, NONCE)[0]

    def everything(self) -> set[str]:
        """The paths of all there is."""
        return {str(path.relative_to(self.root)) for path in self.root.rglob("*")}


def why_no_small_host() -> str:
    """Why no small host can be made here; empty if one can."""
    if os.geteuid() != 0 or shutil.which("busybox") is None or shutil.which("chroot") is None:
        return "changing the root directory takes root, chroot and busybox"
    return ""
