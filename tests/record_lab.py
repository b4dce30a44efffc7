"""Record the machines of labs anew: `python tests/record_lab.py [CASE]...`, all that are kept if none is named.

They stand in inventories/recorded as lab-CASE-LEVEL and are named by inventories/recorded-lab.yml.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from pytest_nestvirt.lab.cases.all_cases import case_of
from pytest_nestvirt.lab.cases.lab_case import LabCase
from pytest_nestvirt.lab.lab_run import running

RECORDED = Path(__file__).parent.parent / "inventories/recorded"
KEPT = (
    *("amd", "amd-nested-off", "amd-virtual", "amd-libvirt", "amd-libvirt-host-model", "amd-libvirt-no-cpu"),
    *("power9-3", "power9-nested-off", "power8", "intel", "intel-nested-off", "ibmz-no-sie", "arm64"),
)
"""What the other cases show is shown by these as well."""


def record(case: LabCase) -> None:
    """Bring a lab up and put what is seen of its machines in the place of earlier records."""
    names = [level.lower() for level in case.levels]
    with running(case, print) as lab, tempfile.TemporaryDirectory() as kept:
        command = [sys.executable, "-c", "from pytest_nestvirt.cli import main; main()", "collect", *names]
        subprocess.run([*command, "--hosts", str(lab.inventory), "-o", kept], check=True)
        for name in names:
            target = RECORDED / f"lab-{case.name}-{name}"
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(Path(kept) / name, target)


if __name__ == "__main__":
    for name in sys.argv[1:] or KEPT:
        record(case_of(name))
