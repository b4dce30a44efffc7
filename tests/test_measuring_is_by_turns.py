"""Measuring: the program that all levels have, by turns, by one command each, and only where somebody asked for it."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from statistics import median

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from probe_transports import PlayedTransport, host, nonce_of, printed
from small_runs import Done, inventory, run_pytest, suite, verdicts
from sshd import Sshd
from test_plugin_ssh import access

from pytest_nestvirt.catalogue.requirement import Needs
from pytest_nestvirt.collect.fleet import collect_fleet
from pytest_nestvirt.collect.interleaved import measure_chains
from pytest_nestvirt.collect.look import Collected
from pytest_nestvirt.collect.measure import Choice, common_kernel, offers, parse_answer, script, turn
from pytest_nestvirt.collect.wire import pack, unpack
from pytest_nestvirt.facts.machine import build_machines
from pytest_nestvirt.facts.performance import NORMAL, SAME_BUILD, Resource, rate_of, ratio_of
from pytest_nestvirt.inventory.host import Connection, Host, Inventory
from pytest_nestvirt.report.result_json import load_json
from pytest_nestvirt.snapshot.archive import load, save
from pytest_nestvirt.snapshot.measurement import SECTION, Measured, Round, parse, written
from pytest_nestvirt.snapshot.snapshot import Section, Snapshot, Status
from pytest_nestvirt.transport.base import Completed, Stage, Transport, TransportError
from pytest_nestvirt.transport.pool import Transports

QUICK = 0.02
"""Seconds of each part where only the structure matters."""
NONCE = "5f0c5f0c"


def no_recording(machine: Host) -> Snapshot:
    """No host here is recorded."""
    raise AssertionError(machine)


# ---- over real hosts


def levels(server: Sshd) -> Inventory:
    """Three addresses of one sshd as a chain."""
    names = ("l0-host", "l1-host", "l2-host")
    return Inventory(
        tuple(
            server.host(name, f"127.0.0.{level + 1}", level=level, parent=names[level - 1] if level else None)
            for level, name in enumerate(names)
        )
    )


def test_three_levels_are_measured_by_turns(sshd: Sshd, tmp_path: Path) -> None:
    """Each has all its rounds with one program and one id; ratios follow, for saved and for handed-on snapshots, too."""
    chain = levels(sshd)
    with Transports(chain, no_recording) as transports:
        seen = collect_fleet(chain, transports.of, no_recording)
        seen = measure_chains([chain.hosts], seen, transports.of, rounds=3, seconds=QUICK)
    found = [parse(one.snapshot.sections[SECTION].text)[0] for one in seen.values() if one.snapshot]
    assert len({(one.id, one.kernel, one.chain) for one in found}) == 1
    assert [len(one.rounds) for one in found] == [3, 3, 3]
    save(seen["l2-host"].snapshot or Snapshot(), tmp_path / "l2")
    saved = replace(seen["l2-host"], snapshot=load(tmp_path / "l2"))
    seen = unpack(pack({**seen, "l2-host": saved}))
    machines = build_machines(chain, {name: one.snapshot for name, one in seen.items() if one.snapshot})
    ratios = machines["l2-host"].performance.ratios
    assert [(ratio.of, ratio.resource) for ratio in ratios] == [
        (name, resource) for name in ("l0-host", "l1-host") for resource in Resource
    ]
    assert all(ratio.median > 0 and ratio.rounds == 3 for ratio in ratios)


REQUIREMENTS = """\
source: {id: house, title: House rules, publisher: us, version: "1"}
applies: [{l0: {provider: [libvirt]}}]
requirements:
  - {id: HOUSE-FAST, section: "1", statement: it is fast, level: l2, kind: claim, obligation: should, expected: speed,
     remedy: wait, needs: measure}
  - {id: HOUSE-L0, section: "1", statement: a kernel runs, level: l0, kind: requirement, obligation: must, expected: one}
"""
CHECKS = """\
from pytest_nestvirt import Machine, requirement

@requirement("HOUSE-FAST")
def test_fast(l0: Machine, l2: Machine) -> None:
    ratios = [ratio for ratio in l2.performance.ratios if ratio.of == l0.name]
    assert len(ratios) == 2 and all(ratio.median > 0 for ratio in ratios), "no ratios"

@requirement("HOUSE-L0")
def test_l0(l0: Machine) -> None:
    assert l0.kernel.release
"""


@pytest.fixture
def folder(tmp_path: Path, sshd: Sshd) -> Path:
    """A suite with one statement about speed, and a chain of three levels."""
    suite(tmp_path, REQUIREMENTS, CHECKS)
    inside = {"l1-host": access(sshd, "127.0.0.2", guests={"l2-host": access(sshd, "127.0.0.3")})}
    inventory(tmp_path, {"l0-host": access(sshd, "127.0.0.1", guests=inside)})
    return tmp_path


ARGUMENTS = ("house", "--hosts=inventory.yml", "--nestvirt-report=out")


def no_check_fails(done: Done) -> bool:
    """The three addresses are one machine, which leaves the chain undecided and the run not a success; that is all."""
    return done.returncode == 1 and "one and the same system" in done.stdout and " 1 failed" in done.stdout


def test_nothing_is_measured_unasked(folder: Path) -> None:
    """Without the option the statement is not run, and report and summary name the permission; no test fails."""
    done = run_pytest(folder, *ARGUMENTS)
    assert no_check_fails(done), done.stdout + done.stderr
    assert verdicts(folder / "out")["HOUSE-FAST", "l2-host"] == "not-run"
    assert "1 needs permission `measure`" in done.stdout
    case = next(c for c in load_json(folder / "out/result.json").cases if c.needs is Needs.MEASURE)
    assert case.reason.startswith("needs the permission measure: ")
    assert "--nestvirt-measure" in case.reason


def test_a_run_that_measures_judges_by_it(folder: Path) -> None:
    """With the option, and in worker processes, the statement is judged by the ratio, which is its evidence."""
    pytest.importorskip("xdist")
    done = run_pytest(folder, *ARGUMENTS, "--nestvirt-measure", "--nestvirt-measure-rounds=3", "-n", "1")
    assert no_check_fails(done), done.stdout + done.stderr
    assert verdicts(folder / "out")["HOUSE-FAST", "l2-host"] == "pass"
    cases = load_json(folder / "out/result.json").cases
    evidence = next(c for c in cases if c.requirement == "HOUSE-FAST").evidence
    told = {item.fact: item.value for item in evidence if item.host == "l2-host"}
    assert "of=l0-host, resource=cpu, median=" in told["performance.ratios"]


def test_too_few_rounds_are_refused(folder: Path) -> None:
    """Two rounds have no spread: one line says so before anything connects."""
    done = run_pytest(folder, *ARGUMENTS, "--nestvirt-measure", "--nestvirt-measure-rounds=2")
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "--nestvirt-measure-rounds: 2: must be at least 3 (spread cannot be estimated from fewer)" in done.stderr
    assert "Traceback" not in done.stdout + done.stderr


# ---- the script in every shell


class Here:
    """Runs the script on this machine, by a shell and with a PATH of its own."""

    where = "here"

    def __init__(self, shell: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
        self.shell = shell
        self.environment = environment

    def run(self, command: str, *, stdin: bytes = b"", timeout: float | None = None, become: bool = False) -> Completed:
        done = subprocess.run(
            self.shell, input=stdin, capture_output=True, timeout=60, check=False, env=self.environment
        )
        return Completed(done.returncode, done.stdout, done.stderr, 0.0)

    def close(self) -> None:
        """Nothing is open."""


def shell(*argv: str) -> object:
    """A shell that may not be installed."""
    gone = shutil.which(argv[0]) is None
    return pytest.param(argv, id=argv[0], marks=pytest.mark.skipif(gone, reason=f"not installed: {argv[0]}"))


@pytest.mark.parametrize("argv", [shell("dash"), shell("bash", "--posix"), shell("busybox", "sh")])
def test_every_program_that_is_offered_measures(argv: Sequence[str]) -> None:
    """Whatever a host says it has gives figures, in each shell."""
    here = Here(argv)
    for kernel in offers(here):
        build, one = turn(here, kernel, QUICK)
        assert build
        assert min(one.cpu, one.memory) > 0


@pytest.fixture
def small_host(tmp_path: Path) -> Here:
    """A machine of nothing but BusyBox."""
    busybox = shutil.which("busybox")
    if busybox is None:
        pytest.skip("not installed: busybox")
    for tool in ("busybox", "sh", "awk", "dd", "uname"):
        (tmp_path / tool).symlink_to(busybox)
    return Here([str(tmp_path / "busybox"), "sh"], {"PATH": str(tmp_path)})


def test_a_host_of_busybox_falls_back_to_awk(small_host: Here) -> None:
    """Without Python there is awk for the processor and dd for the memory, and nothing is left behind."""
    assert [kernel.partition(" ")[0] for kernel in offers(small_host)] == ["busybox"]
    _, one = turn(small_host, offers(small_host)[0], QUICK)
    assert min(one.cpu, one.memory) > 0


def test_a_chain_meets_at_the_program_of_its_poorest_level(small_host: Here) -> None:
    """Where the L2 has BusyBox only, all are measured with BusyBox."""
    rich = Here(["sh"])
    if not set(offers(rich)) & set(offers(small_host)):
        pytest.skip("busybox stands outside of PATH")
    seen = measured({"l0": rich, "l1": rich, "l2": small_host})
    assert {record(seen, name).kernel.partition(" ")[0] for name in ("l0", "l1", "l2")} == {"busybox"}


def test_the_script_is_clean() -> None:
    """Shellcheck has nothing to say about it."""
    if shutil.which("shellcheck") is None:
        pytest.skip("not installed: shellcheck")
    done = subprocess.run(
        ["shellcheck", "-s", "sh", "-"], input=script(NONCE, "offer", 0.5), capture_output=True, check=False
    )
    assert done.returncode == 0, done.stdout.decode()


def test_no_program_but_a_program_is_put_into_the_script() -> None:
    """What a host calls its programs becomes part of the next script only if it is a word and a version."""
    for wicked in ("python 3.11'; reboot; '", "", "python", "python 3.11\nreboot"):
        with pytest.raises(ValueError, match="no program to measure with"):
            script(NONCE, wicked, 0.5)


# ---- order and failures, on played hosts


def line(*connections: Connection) -> Inventory:
    """A chain l0, l1, ... that is looked at in these ways."""
    names = [f"l{level}" for level in range(len(connections))]
    return Inventory(
        tuple(
            replace(host(name), level=level, parent=names[level - 1] if level else None, connection=connection)
            for level, (name, connection) in enumerate(zip(names, connections, strict=True))
        )
    )


def measured(
    transports: Mapping[str, Transport],
    snapshots: Mapping[str, Snapshot] | None = None,
    chain: Inventory | None = None,
    rounds: int = 3,
) -> Mapping[str, Collected]:
    """A chain of SSH hosts with these transports, measured."""
    chain = chain or line(*[Connection.SSH] * len(transports))
    seen = {h.name: Collected(h, (snapshots or {}).get(h.name, Snapshot()), "", 0.0, "") for h in chain}
    return measure_chains([chain.hosts], seen, lambda h: transports[h.name], rounds=rounds, seconds=QUICK)


def section(seen: Mapping[str, Collected], name: str) -> Section:
    """What a machine says of its measurement."""
    snapshot = seen[name].snapshot
    assert snapshot is not None
    return snapshot.sections[SECTION]


def record(seen: Mapping[str, Collected], name: str) -> Measured:
    """The figures of a machine."""
    return parse(section(seen, name).text)[0]


def playing(turns: list[str], name: str, offered: str, fails_at: int = 99) -> PlayedTransport:
    """A host that offers a program and computes at a steady rate, until its turn to fail."""

    def play(_: str, stdin: bytes) -> Completed:
        at = f"@{nonce_of(stdin)} "
        if b"w='offer'" in stdin:
            return printed(f"hello\n{at}offer {offered}\n{at}end\n".encode())
        turns.append(name)
        if turns.count(name) == fails_at:
            raise TransportError(name, Stage.CONNECT, "the host went away")
        return printed(f"{at}build b\n{at}cpu 100 0.50\n{at}memory 20 0.5\n{at}end\n".encode())

    return PlayedTransport(play)


def test_turns_go_there_and_back() -> None:
    """One command a turn; the order is reversed every other round, so that a steady drift meets all levels alike."""
    turns: list[str] = []
    seen = measured({name: playing(turns, name, "python 3.6") for name in ("l0", "l1", "l2")})
    assert turns == ["l0", "l1", "l2", "l2", "l1", "l0", "l0", "l1", "l2"]
    assert record(seen, "l2").rounds == (Round(200.0, 40.0),) * 3


def test_a_level_without_the_program_is_left_out() -> None:
    """The deepest machine takes part in any case; the others say why they do not."""
    turns: list[str] = []
    programs = {"l0": "python 3.6", "l1": "python 3.9", "l2": "python 3.6"}
    seen = measured({name: playing(turns, name, kernel) for name, kernel in programs.items()})
    assert set(turns) == {"l0", "l2"}
    assert record(seen, "l2").chain == "l0 > l2"
    assert section(seen, "l1").status is Status.FAILED
    assert "does not have python 3.6" in section(seen, "l1").error


def test_machines_with_nothing_in_common_are_not_measured() -> None:
    """Another version is another speed: nothing runs, and all say so."""
    turns: list[str] = []
    seen = measured({"l0": playing(turns, "l0", "python 3.6"), "l1": playing(turns, "l1", "mawk 1.3")})
    assert turns == []
    assert "l0 has python 3.6; l1 has mawk 1.3" in section(seen, "l0").error


def test_a_host_that_goes_away_ends_the_measurement() -> None:
    """Half a measurement is none: no machine keeps figures, and the line names the one that failed."""
    turns: list[str] = []
    hosts = {"l0": playing(turns, "l0", "python 3.6"), "l1": playing(turns, "l1", "python 3.6", fails_at=2)}
    seen = measured(hosts)
    for name in hosts:
        assert section(seen, name).status is Status.FAILED
        assert "round 2 of 3 failed on l1: l1: connect: the host went away" in section(seen, name).error


OFFLINE: dict[str, tuple[Connection, Snapshot, str]] = {
    "recorded": (Connection.RECORDED, Snapshot(), "a recording runs nothing"),
    "windows": (
        Connection.SSH,
        Snapshot({"nestvirt/windows/bios.json": Section("nestvirt/windows/bios.json")}),
        "no measuring program for Windows",
    ),
}


@pytest.mark.parametrize("connection, snapshot, why", OFFLINE.values(), ids=OFFLINE)
def test_what_cannot_be_measured_says_why(connection: Connection, snapshot: Snapshot, why: str) -> None:
    """Recordings and Windows machines are left alone, and without the L2 no other level is put under load."""
    turns: list[str] = []
    chain = line(Connection.SSH, connection)
    hosts: dict[str, Transport] = {name: playing(turns, name, "python 3.6") for name in ("l0", "l1")}
    seen = measured(hosts, {"l1": snapshot}, chain)
    assert turns == []
    assert why in section(seen, "l1").error
    assert "l1 was not measured" in section(seen, "l0").error


def test_a_recorded_measurement_is_kept() -> None:
    """What a recording brings along is not written over."""
    own = written([Measured("id", "l0 > l1", "python 3.6", "", (Round(1.0, 2.0),) * 3)])
    seen = measured({}, {"l0": Snapshot({SECTION: Section(SECTION, data=own)})}, line(Connection.RECORDED))
    assert section(seen, "l0").data == own


def test_a_host_that_was_not_reached_is_not_asked_again() -> None:
    """Without a snapshot there is no section, and no connection is tried."""
    chain = line(Connection.SSH)
    seen = {"l0": Collected(chain.hosts[0], None, "l0: connect: refused", 0.0, "")}
    assert measure_chains([chain.hosts], seen, no_transport, rounds=3) == seen


def no_transport(machine: Host) -> Transport:
    """Nobody is to be asked."""
    raise AssertionError(machine)


# ---- parsers, choice, statistics

KERNELS = st.sampled_from(["python 3.6", "python 3.11", "gawk 5.1", "mawk 1.3", "busybox 1.35", "pypy 3.9"])


@given(
    st.binary(max_size=200),
    st.lists(st.sampled_from(["cpu", "memory", "offer", "build", "end", "trouble"]), max_size=5),
    st.text(max_size=30),
)
@settings(max_examples=150, deadline=None)
def test_answers_are_never_invented(noise: bytes, words: list[str], rest: str) -> None:
    """Whatever a host prints, figures are positive numbers from lines with the nonce, or none."""
    printed_text = noise + "".join(f"\n@{NONCE} {word} {rest}" for word in words).encode("utf-8", "replace")
    answer = parse_answer(printed_text, NONCE)
    for rate in (answer.cpu, answer.memory):
        assert rate is None or (rate > 0 and math.isfinite(rate))
    assert answer.complete <= ("end" in words)
    assert all(script(NONCE, kernel, 0.1) for kernel in answer.offers)


def test_an_answer_is_found_in_a_banner() -> None:
    """Banners, carriage returns and the lines of somebody else's nonce do not matter."""
    text = b"Welcome\n@beef cpu 1 1.0\n@5f0c5f0c cpu 30 1.5\r\n@5f0c5f0c memory 4 0.50\n@5f0c5f0c end\n"
    answer = parse_answer(text, NONCE)
    assert (answer.cpu, answer.memory, answer.complete) == (20.0, 8.0, True)
    for nothing in ("0 1.0", "5 0.00", "5", "-5 1.0", "5 1e9", "nan 1.0"):
        assert parse_answer(f"@{NONCE} cpu {nothing}\n".encode(), NONCE).cpu is None


@given(
    st.text(max_size=80)
    | st.recursive(
        st.none() | st.floats() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["measurements", "id", "rounds", "cpu"]), inner, max_size=3)
        ),
        max_leaves=8,
    ).map(json.dumps)
)
@settings(max_examples=150, deadline=None)
def test_records_are_read_or_refused(text: str) -> None:
    """A section that is no record is refused in one line, never misread."""
    with suppress(ValueError):
        found = parse(text)
        assert found == parse(written(found).decode())


SOME_ROUNDS = st.lists(st.builds(Round, st.floats(1e-5, 1e14), st.floats(1e-5, 1e14)), max_size=3).map(tuple)


@given(st.lists(st.builds(Measured, st.text(), st.text(), KERNELS, st.text(), SOME_ROUNDS), max_size=3))
@settings(max_examples=100, deadline=None)
def test_a_record_says_what_was_measured(measurements: list[Measured]) -> None:
    """What is written into a section is read out of it again, whatever machines and builds are called."""
    assert parse(written(measurements).decode()) == tuple(measurements)


@given(st.lists(st.lists(KERNELS, max_size=3), min_size=1, max_size=4))
@settings(max_examples=150, deadline=None)
def test_the_common_program_is_one_that_all_have(offered: list[list[str]]) -> None:
    """Who takes part has it, the deepest machine takes part, and nobody who has it with them is left out for nothing."""
    choice = common_kernel(offered)
    others = [set(programs) & set(offered[-1]) for programs in offered[:-1]]
    assert (choice is not None) is any(others)
    if choice is not None:
        assert choice.places[-1] == len(offered) - 1
        assert all(choice.kernel in offered[place] for place in choice.places)
        assert len(choice.places) - 1 >= max(sum(kernel in have for have in others) for kernel in set().union(*others))


def test_python_is_preferred_and_newer_is_better() -> None:
    """Among what all have, the one with the finest clock; 3.11 is newer than 3.6."""
    every = ["mawk 1.3", "python 3.6", "python 3.11"]
    assert common_kernel([every, every[::-1]]) == Choice("python 3.11", (0, 1))
    assert common_kernel([["python 3.6"], ["mawk 1.3"], ["python 3.6", "mawk 1.3"]]) == Choice("python 3.6", (0, 2))


RATES = st.lists(st.floats(1e-3, 1e9), min_size=3, max_size=15)


@given(RATES, st.floats(0.01, 100))
@settings(max_examples=150, deadline=None)
def test_medians_and_spreads_are_those_of_the_values(values: list[float], factor: float) -> None:
    """The median lies among the values, the spread is never negative, and both grow with the unit."""
    rate = rate_of(values)
    assert min(values) * 0.999 <= rate.median <= max(values) * 1.001
    assert 0 <= rate.spread <= NORMAL * (max(values) - min(values)) * 1.001
    scaled = rate_of([value * factor for value in values])
    assert scaled.median == pytest.approx(rate.median * factor, rel=2e-3)


@given(RATES, st.floats(0.1, 2.0), st.lists(st.floats(0.2, 5.0), min_size=15, max_size=15))
@settings(max_examples=150, deadline=None)
def test_what_slows_both_levels_cancels_out(values: list[float], speed: float, load: list[float]) -> None:
    """A host that is busy in some rounds slows its guest alike: the ratio stays, with no more than the least spread."""
    pairs = [(value * speed * slow, value * slow) for value, slow in zip(values, load, strict=False)]
    own = Measured("i", "c", "python 3.6", "b", ())
    ratio = ratio_of("l0", Resource.CPU, pairs, own, own)
    assert ratio.median == pytest.approx(speed, rel=1e-2, abs=1e-4)
    assert ratio.spread == pytest.approx(speed * SAME_BUILD, rel=1e-2, abs=2e-4)


def test_one_outlier_moves_neither_median_nor_spread() -> None:
    """A cron job in one round of five does not count."""
    quiet, disturbed = [10.0, 10.1, 9.9, 10.0, 10.1], [10.0, 10.1, 9.9, 10.0, 3.0]
    assert rate_of(disturbed).median == median(quiet)
    assert rate_of(disturbed).spread == pytest.approx(rate_of(quiet).spread, abs=0.16)
