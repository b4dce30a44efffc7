"""A shell script in the place of an emulator."""

from __future__ import annotations

from pathlib import Path

from pytest_nestvirt.lab.cases.lab_case import LabCase
from pytest_nestvirt.lab.image.kernel_image import BASE, DISK, KERNEL, Image
from pytest_nestvirt.lab.image.outermost import Supplies
from pytest_nestvirt.lab.image.toolbox import Toolbox

_FINDS_CONSOLE = """#!/bin/sh
for word in "$@"; do case $word in file,id=console,path=*) console=${word#*path=} ;; esac; done
"""


def emulated_by(directory: Path, script: str, case: LabCase) -> Supplies:
    """Supplies of a case, made in `directory`, whose emulator is a script; that finds its console in `$console`.

    A toolbox runs its programs by the dynamic linker that it holds: the script stands there.
    """
    tools = directory / "tools"
    linker, program = tools / "usr/lib/x86_64-linux-gnu/ld-stand-in.so.2", tools / "usr/bin" / case.emulator.program
    for file in (linker, program):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(_FINDS_CONSOLE + script)
        file.chmod(0o755)
    for name in (BASE, KERNEL, DISK):
        (directory / name).write_bytes(b"")
    return Supplies(Image(directory), Toolbox(tools))
