"""A large fleet behind one bastion, on loopback: some machines dead, some hanging, and few file descriptors.

Prints wall time, peak memory of the client and what came of the machines. Both ends of every connection run on this machine, so the
time is that of the hosts' probes as much as of the client.

    python bench/live_fleet.py --hosts 1000 --dead 50 --hanging 50 --descriptors 256
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import socket
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests" / "support"))

from sshd import Sshd, free_port  # noqa: E402 - the real sshd of the tests


def inventory(folder: Path, bastion: Sshd, farm: Sshd, options: argparse.Namespace, silent: int) -> Path:
    """One bastion, and all machines behind it; the dead ones refuse, the hanging ones accept and say nothing."""
    bad = options.dead + options.hanging
    step = max(options.hosts // max(bad, 1), 1)
    lines = [
        f"  bastion: {{address: 127.0.0.1, port: {bastion.port}, known_hosts: {bastion.known_hosts}, identity: {bastion.client_key}}}"
    ]
    placed = 0
    for number, address in enumerate(farm.addresses):
        port = ""
        if number % step == 0 and placed < bad:
            port = f", port: {silent if placed % 2 and placed // 2 < options.hanging else free_port()}"
            placed += 1
        lines.append(f"  h{number:04}: {{address: {address}, via: bastion{port}}}")
    file = folder / "fleet.yml"
    file.write_text(
        f"defaults: {{user: {farm.user}, port: {farm.port}, identity: {farm.client_key}, known_hosts: {farm.known_hosts}, "
        "agent: false}\nhosts:\n" + "\n".join(lines) + "\n"
    )
    return file


def run(folder: Path, file: Path, options: argparse.Namespace) -> tuple[float, int, int]:
    """Wall seconds, peak MiB and exit status of one run with the embedded suites and so many file descriptors."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        f"--hosts={file}",
        f"--nestvirt-report={folder}/out",
    ]
    command += [f"--nestvirt-threads={options.threads}"]
    if options.profile:
        command.append(f"--nestvirt-profile={options.profile}")
    if options.deadline:
        command.append(f"--nestvirt-deadline={options.deadline}")
    before = time.perf_counter()
    child = os.fork()
    if not child:
        resource.setrlimit(resource.RLIMIT_NOFILE, (options.descriptors, options.descriptors))
        output = os.open(str(folder / "output"), os.O_WRONLY | os.O_CREAT)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.chdir(folder)
        os.execv(command[0], command)
    _, status, usage = os.wait4(child, 0)
    return time.perf_counter() - before, usage.ru_maxrss // 1024, os.waitstatus_to_exitcode(status)


def main() -> None:
    """Run it once and print a line for a person and one of JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    for name, default in (
        ("hosts", 100),
        ("dead", 5),
        ("hanging", 5),
        ("descriptors", 256),
        ("threads", 32),
        ("deadline", 0),
    ):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--profile", help="judge by these sources only: looking takes as long, and reporting less")
    options = parser.parse_args()
    addresses = [f"127.1.{1 + n // 200}.{1 + n % 200}" for n in range(options.hosts)]
    with tempfile.TemporaryDirectory() as temporary, socket.socket() as silent:
        folder = Path(temporary)
        silent.bind(("0.0.0.0", 0))
        silent.listen(1024)
        limits = ["MaxStartups 10:30:100", "MaxSessions 10"]
        with Sshd(folder / "farm", addresses=addresses) as farm, Sshd(folder / "bastion", config=limits) as bastion:
            file = inventory(folder, bastion, farm, options, silent.getsockname()[1])
            seconds, peak, status = run(folder, file, options)
            shared, broken = bastion.log.count("Accepted publickey"), bastion.log.count("nonexistent channel")
        output = (folder / "output").read_text(errors="replace")
        if not (folder / "out" / "result.json").exists():
            raise SystemExit(f"no report after {seconds:.0f} s, exit status {status}:\n{output[-3000:]}")
        written = json.loads((folder / "out" / "result.json").read_text())
        size = (folder / "out" / "result.json").stat().st_size
    troubles = Counter(
        host["trouble"].partition(": ")[2][:60] if not host["reachable"] else "reached" for host in written["hosts"]
    )
    print(output.splitlines()[-1])
    print(
        f"{options.hosts} hosts, {options.dead} dead, {options.hanging} hanging, {options.descriptors} descriptors: {seconds:.0f} s, peak "
        f"{peak} MiB, {shared} login(s) at the bastion ({broken} lost to its protocol errors), result.json {size / 2**20:.1f} MiB, complete: {written['complete']}, "
        f"{sum(not host['reachable'] for host in written['hosts'])} unreachable"
    )
    print(
        json.dumps(
            {
                "seconds": round(seconds, 1),
                "peak_mib": peak,
                "status": status,
                "troubles": dict(troubles.most_common(8)),
            }
        )
    )


if __name__ == "__main__":
    main()
