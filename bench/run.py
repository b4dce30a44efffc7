"""Measure the product against pytest-testinfra and against a bare paramiko loop, in one run, as ratios.

    python bench/run.py [--hosts 1,10,50] [--checks 50] [--ssh-hosts 1]

One sshd on loopback serves every address, so client and servers share the machine: only ratios within one run mean
anything. Nothing here is asserted.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests/support"))

import paramiko  # noqa: E402
from sshd import Sshd  # noqa: E402

from pytest_nestvirt.collect.probe import probe_input  # noqa: E402
from pytest_nestvirt.inventory.host import Become  # noqa: E402

FILES = (
    "/proc/cpuinfo", "/proc/cmdline", "/proc/version", "/proc/stat", "/proc/meminfo", "/etc/os-release",
    "/proc/uptime", "/proc/sys/kernel/osrelease", "/proc/sys/kernel/hostname", "/proc/sys/kernel/random/boot_id",
)  # fmt: skip
"""What the checks read; each check asks one simple question about one of them."""


def suite_of_ours(folder: Path, checks: int) -> Path:
    """A suite with that many requirements, one check each, over facts that every Linux host offers."""
    suite = folder / "ours"
    suite.mkdir(parents=True)
    lines = [
        "source: {id: bench, title: Benchmark, publisher: nobody, version: '1'}",
        "applies: [{l0: {provider: [libvirt]}}]",
        "requirements:",
    ]
    tests = ["from pytest_nestvirt import Machine, requirement", ""]
    facts = ("l0.cpu.count > 0", "len(l0.kernel.release) > 0", "l0.memory.total_kib > 0", "len(l0.os.id) > 0",
             "len(l0.kernel.architecture) > 0")  # fmt: skip
    for number in range(checks):
        lines.append(
            f"  - {{id: BENCH-{number:03}, section: '1', statement: check {number}, level: l0, kind: requirement, "
            "obligation: must, expected: something}"
        )
        tests.append(f'@requirement("BENCH-{number:03}")\ndef test_{number:03}(l0: Machine) -> None:')
        tests.append(f"    assert {facts[number % len(facts)]}\n")
    (suite / "requirements.yml").write_text("\n".join(lines) + "\n")
    (suite / "test_bench.py").write_text("\n".join(tests))
    return suite


def suite_of_testinfra(folder: Path, checks: int) -> Path:
    """The same number of checks, each reading its file through testinfra."""
    tests = folder / "theirs"
    tests.mkdir()
    body = [
        f'def test_{number:03}(host):\n    assert host.run("cat {FILES[number % len(FILES)]}").stdout\n'
        for number in range(checks)
    ]
    (tests / "test_bench.py").write_text("\n".join(body))
    return tests


def plain_items(folder: Path, items: int) -> Path:
    """Bare pytest items, to know what an item costs without any plugin of ours."""
    tests = folder / "plain"
    tests.mkdir(parents=True)
    (tests / "test_plain.py").write_text(
        f"import pytest\n@pytest.mark.parametrize('n', range({items}))\ndef test_plain(n):\n    assert n >= 0\n"
    )
    return tests


def inventory(folder: Path, farm: Sshd, addresses: Sequence[str]) -> Path:
    """The loopback hosts as an inventory."""
    hosts = "\n".join(f"  h{number:03}: {{address: {address}}}" for number, address in enumerate(addresses))
    file = folder / f"inventory-{len(addresses)}.yml"
    file.write_text(
        f"defaults: {{user: {farm.user}, port: {farm.port}, identity: {farm.client_key}, "
        f"known_hosts: {farm.known_hosts}, agent: false}}\nhosts:\n{hosts}\n"
    )
    return file


def ssh_config(folder: Path, farm: Sshd) -> Path:
    """The same access for testinfra's backends."""
    file = folder / "ssh_config"
    file.write_text(
        f"Host *\n User {farm.user}\n Port {farm.port}\n IdentityFile {farm.client_key}\n IdentitiesOnly yes\n"
        f" UserKnownHostsFile {farm.known_hosts}\n StrictHostKeyChecking yes\n"
    )
    return file


def timed(arguments: Sequence[str], folder: Path) -> tuple[float, int]:
    """Wall seconds and peak memory (MiB, largest process) of one pytest run; its failure is ours.

    Byte code is cached as on a user's machine, and no plugin of the test environment takes part.
    """
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:hypothesispytest", *arguments]
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    before = time.perf_counter()
    process = subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env={**clean, "PYTEST_ADDOPTS": ""},
    )  # fmt: skip
    output, _ = process.communicate()
    seconds = time.perf_counter() - before
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}:\n{output[-3000:]}")
    return seconds, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024


def bare_loop(farm: Sshd, addresses: Sequence[str], threads: int = 32) -> float:
    """Seconds for one connect and one execution of our probe per host, by threads and paramiko alone."""
    key = paramiko.Ed25519Key.from_private_key_file(str(farm.client_key))

    def one(address: str) -> int:
        import socket  # noqa: PLC0415

        raw = socket.create_connection((address, farm.port), 10)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client = paramiko.SSHClient()
        client.load_host_keys(str(farm.known_hosts))
        client.connect(
            address, farm.port, farm.user, pkey=key, sock=raw, allow_agent=False, look_for_keys=False, timeout=20
        )
        stdin, stdout, _ = client.exec_command("sh")
        stdin.write(probe_input("0123456789abcdef", Become.AUTO))
        stdin.channel.shutdown_write()
        size = len(stdout.read())
        client.close()
        return size

    before = time.perf_counter()
    with ThreadPoolExecutor(min(threads, len(addresses))) as pool:
        list(pool.map(one, addresses))
    return time.perf_counter() - before


def our_collection(file: Path) -> float:
    """Seconds in which our fleet collector looks at all hosts of an inventory."""
    code = (
        "import sys, time\nfrom pathlib import Path\n"
        "from pytest_nestvirt.inventory.load_inventory import load_inventory\n"
        "from pytest_nestvirt.transport.pool import Transports\n"
        "from pytest_nestvirt.collect.fleet import collect_fleet\n"
        "import paramiko\n"
        "inventory = load_inventory([Path(sys.argv[1])])\nbefore = time.perf_counter()\n"
        "transports = Transports(inventory, None)\nseen = collect_fleet(inventory, transports.of, None)\n"
        "transports.close()\nprint(time.perf_counter() - before)\n"
        "assert all(c.snapshot is not None for c in seen.values()), [c.trouble for c in seen.values()]\n"
    )
    return float(subprocess.check_output([sys.executable, "-c", code, str(file)], text=True).split()[-1])


def executions(farm: Sshd) -> int:
    """How many commands sshd has been asked to run so far."""
    return farm.log.count("Starting session")


def recorded(folder: Path, hosts: int) -> Path:
    """As many hosts, recorded: what looking at them takes varies more over sshd than all of their items cost."""
    machine = HERE.parent / "inventories" / "recorded" / "intel-l0"
    file = folder / "recorded.yml"
    lines = "".join(f"  h{number:03}: {{connection: recorded, path: {machine}}}\n" for number in range(hosts))
    file.write_text(f"hosts:\n{lines}")
    return file


def item_cost(folder: Path, file: Path, ours: Path, hosts: int, checks: int) -> str:
    """What one test item costs over a bare one: both runs less the start-up of a run of their own kind, median of five."""
    one, many = plain_items(folder / "one", 1), plain_items(folder / "many", hosts * checks)
    alone = suite_of_ours(folder / "alone", 1)
    option = f"--hosts={file}"
    ratios = []
    for _ in range(5):
        bare = timed([str(many)], folder)[0] - timed([str(one)], folder)[0]
        own = timed([str(ours), option], folder)[0] - timed([str(alone), option], folder)[0]
        ratios.append(own / bare)
    return f"an item of ours / a bare item: {statistics.median(ratios):.2f} ({hosts * checks} items; {ratios})"


def main() -> None:
    """Run everything once and print a table and, at the end, one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hosts", default="1,10,50")
    parser.add_argument("--checks", type=int, default=50)
    parser.add_argument("--ssh-hosts", default="1", help="numbers of hosts for testinfra's slow ssh backend")
    options = parser.parse_args()
    counts = [int(number) for number in options.hosts.split(",")]
    with_ssh = {int(number) for number in options.ssh_hosts.split(",") if number}
    addresses = [f"127.0.{1 + n // 200}.{1 + n % 200}" for n in range(max(counts))]
    results: list[dict[str, float]] = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        ours, theirs = suite_of_ours(folder, options.checks), suite_of_testinfra(folder, options.checks)
        with Sshd(folder / "sshd", addresses=addresses) as farm:
            config = ssh_config(folder, farm)
            warm_up = [str(ours), f"--hosts={inventory(folder, farm, addresses[:1])}"]
            timed(warm_up, folder)
            for count in counts:
                chosen = addresses[:count]
                file = inventory(folder, farm, chosen)
                names = ",".join(chosen)
                row: dict[str, float] = {"hosts": count}
                before = executions(farm)
                runs = [timed([str(ours), f"--hosts={file}"], folder) for _ in range(3)]
                row["ours"], row["peak_mib"] = statistics.median(r[0] for r in runs), max(r[1] for r in runs)
                row["executions_per_host"] = (executions(farm) - before) / len(runs) / count
                remote = [str(theirs), f"--hosts={names}", f"--ssh-config={config}"]
                row["testinfra_paramiko"], _ = timed([*remote, "--connection=paramiko"], folder)
                if count in with_ssh:
                    row["testinfra_ssh"], _ = timed([*remote, "--connection=ssh"], folder)
                loops = [(bare_loop(farm, chosen), our_collection(file)) for _ in range(3)]
                row["bare_loop"] = statistics.median(loop for loop, _ in loops)
                row["our_collection"] = statistics.median(own for _, own in loops)
                results.append(row)
                print(
                    f"{count:>3} hosts x {options.checks} checks: ours {row['ours']:.2f} s, testinfra-paramiko "
                    f"{row['testinfra_paramiko']:.2f} s = {row['testinfra_paramiko'] / row['ours']:.1f} x"
                    + (
                        f", testinfra-ssh = {row['testinfra_ssh'] / row['ours']:.1f} x"
                        if "testinfra_ssh" in row
                        else ""
                    )
                    + f"; collection / bare loop = {row['our_collection'] / row['bare_loop']:.2f}"
                    f" ({row['our_collection']:.2f} s / {row['bare_loop']:.2f} s); peak {row['peak_mib']:.0f} MiB; "
                    f"{row['executions_per_host']:g} executions on each host",
                    flush=True,
                )
            print(item_cost(folder, recorded(folder, counts[-1]), ours, counts[-1], options.checks), flush=True)
    print(json.dumps(results))


if __name__ == "__main__":
    main()
