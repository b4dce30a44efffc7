"""How a run over recorded machines grows with their number: time, memory and the size of `result.json`, as ratios.

    python bench/recorded_growth.py [--machines 50,500,2000]

Only ratios within one run mean anything. Nothing here is asserted.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from recorded_fleet import make_fleet

ROOT = Path(__file__).resolve().parent.parent


def measured(folder: Path, machines: int) -> tuple[float, float, float]:
    """Wall seconds, peak memory in MB and KB of `result.json` of one run."""
    file = make_fleet(folder / f"fleet-{machines}", machines // 2)
    report = folder / f"report-{machines}"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    begun = time.perf_counter()
    with (folder / "output").open("w") as output:
        process = subprocess.Popen(
            [*command, f"--hosts={file}", f"--nestvirt-report={report}"], cwd=ROOT, stdout=output, stderr=output
        )
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit((folder / "output").read_text()[-3000:])
    size = (report / "result.json").stat().st_size
    return time.perf_counter() - begun, usage.ru_maxrss / 1024, size / 1000


def main() -> None:
    """Print a line for each number of machines; the first is what the others are compared with."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--machines", default="50,500,2000", help="even numbers: a chain has two")
    counts = [int(number) for number in parser.parse_args().machines.split(",")]
    first: float | None = None
    with tempfile.TemporaryDirectory() as temporary:
        for machines in counts:
            seconds, memory, size = measured(Path(temporary), machines)
            each = seconds / machines
            first = each if first is None else first
            print(
                f"{machines:>5} machines: {seconds:.1f} s, {each / first:.2f} x the first's time for a machine; "
                f"peak {memory:.0f} MB; result.json {size / machines:.1f} KB for a machine",
                flush=True,
            )


if __name__ == "__main__":
    main()
