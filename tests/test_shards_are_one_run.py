"""A fleet that is judged in shards comes to what one run over it comes to, and shards that do not belong together are refused."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from report_runs import case, host, run
from small_runs import MACHINE, inventory, record, run_process, run_pytest, suite

from pytest_nestvirt.catalogue.requirement import Stance
from pytest_nestvirt.cli import main
from pytest_nestvirt.inventory.allotment import ShardNumber, allotted, parse_shard
from pytest_nestvirt.inventory.host import Connection, Host, Inventory
from pytest_nestvirt.inventory.load_inventory import InventoryError
from pytest_nestvirt.report.case import ChainReport, HostReport, RunReport, StanceReport
from pytest_nestvirt.report.chain_state import ChainState, chain_results
from pytest_nestvirt.report.merge import MergeError, merge
from pytest_nestvirt.report.result_json import load_json, write_json
from pytest_nestvirt.report.shard import Member, Shard

INVENTORIES = Path(__file__).parent.parent / "inventories"


# ---- the same as one run


def without_timing(folder: Path) -> Mapping[str, Any]:
    """`result.json`, but for what differs between two equal runs."""
    found = json.loads((folder / "result.json").read_text())
    del found["timing"]
    return found  # type: ignore[no-any-return]


def junit(folder: Path) -> Mapping[str, str]:
    """The JUnit file of each chain, without moments and durations."""
    files = folder.glob("*/junit.xml")
    return {file.parent.name: re.sub(r' (time|timestamp)="[^"]*"', "", file.read_text()) for file in files}


def test_shards_and_workers_come_to_what_one_process_does(tmp_path: Path) -> None:
    """Over all recorded machines and manifests: result.json, JUnit, the last line and the exit status are the same."""
    hosts = ",".join(str(INVENTORIES / f"{name}.yml") for name in ("recorded", "recorded-violations"))
    one = run_process(tmp_path, f"--hosts={hosts}", "--nestvirt-report=one", "-q")
    run_process(tmp_path, f"--hosts={hosts}", "--nestvirt-report=workers", "-q", "-n2")
    for number in (1, 2, 3):
        run_process(tmp_path, f"--hosts={hosts}", f"--nestvirt-report=s{number}", "-q", f"--nestvirt-shard={number}/3")
    shards = [str(tmp_path / f"s{number}") for number in (3, 1, 2)]
    merged = CliRunner().invoke(main, ["merge", *shards, "-o", str(tmp_path / "merged")])
    assert merged.exit_code == one.returncode == 1
    expected = one.stdout.splitlines()[-1].partition("; ")[0]
    assert merged.output.splitlines()[-1] == f"{expected}; merged from 3 shards"
    for other in ("merged", "workers"):
        assert without_timing(tmp_path / other) == {**without_timing(tmp_path / "one"), **_xdist(tmp_path / other)}
        assert junit(tmp_path / other) == junit(tmp_path / "one")


def _xdist(folder: Path) -> Mapping[str, Any]:
    """The versions of what took part, which are those of this environment in every run."""
    return {"tool": without_timing(folder)["tool"]}


def test_a_node_id_is_the_same_in_every_part(tmp_path: Path) -> None:
    """Also of a check of two requirements of which only one is due on the machines of a shard."""
    checks = 'from pytest_nestvirt import requirement\n\n@requirement("HOUSE-VMX", "HOUSE-AMD")\ndef test_both(l0):\n    assert l0.cpu.flags\n'
    suite(tmp_path, checks=checks)
    record(tmp_path / "intel", MACHINE)
    inventory(tmp_path, {"kvm01": {"connection": "recorded", "path": "intel"}})
    done = run_pytest(tmp_path, "house", "--hosts=inventory.yml", "-v")
    assert "test_both[kvm01-HOUSE-VMX]" in done.stdout


def test_a_shard_reaches_hosts_through_those_of_another(tmp_path: Path) -> None:
    """A shard is what is judged, not what leads there: the hop is still known."""
    suite(tmp_path)
    inventory(tmp_path, {"hop": {"address": "127.0.0.1", "port": 1}, "far": {"address": "127.0.0.2", "via": "hop"}})
    done = run_pytest(tmp_path, "house", "--hosts=inventory.yml", "--nestvirt-shard=2/2", "--nestvirt-report=out")
    (far,) = json.loads((tmp_path / "out/result.json").read_text())["hosts"]
    assert far["name"] == "far"
    assert "its hop hop cannot be used" in far["trouble"]
    assert "127.0.0.1:1 refused the connection" in far["trouble"]
    assert done.stdout.splitlines()[-1].endswith("shard 2/2")


# ---- sharing out


def _fleet(sizes: list[int]) -> Inventory:
    """A tree of each size: an L0 with guests in it, one in the other where the size is even."""
    hosts: list[Host] = []
    for number, size in enumerate(sizes):
        for depth in range(size):
            above = f"h{number}-{depth - 1 if size % 2 == 0 else 0}" if depth else None
            level = 0 if above is None else 1 + next(known.level for known in hosts if known.name == above)
            hosts.append(Host(f"h{number}-{depth}", level, above, Connection.SSH))
    return Inventory(tuple(hosts))


@given(st.lists(st.integers(1, 9), min_size=1, max_size=12), st.data())
def test_every_machine_is_in_one_shard_with_its_whole_tree(sizes: list[int], data: st.DataObject) -> None:
    """In the order of the inventory, and no shard has more than a tree more than another."""
    fleet = _fleet(sizes)
    of = data.draw(st.integers(1, len(sizes)))
    shards = [allotted(fleet, ShardNumber(number, of)) for number in range(1, of + 1)]
    names = [[host.name for host in shard] for shard in shards]
    assert sorted(name for shard in names for name in shard) == sorted(host.name for host in fleet)
    for shard in names:
        assert [host.name for host in fleet if host.name in shard] == shard
        assert {host.parent for host in fleet if host.name in shard} - {None} <= set(shard)
    assert max(map(len, names)) - min(map(len, names)) <= max(sizes)


MISTAKES = {
    "0/8": "--nestvirt-shard: there is no shard 0/8; expected 1/8 to 8/8",
    "9/8": "--nestvirt-shard: there is no shard 9/8; expected 1/8 to 8/8",
    "1/0": "--nestvirt-shard: there is no shard 1/0; expected 1/1 to 1/1",
    "a/b": "--nestvirt-shard: 'a/b' is not NUMBER/TOTAL; expected for example 2/8",
    "2": "--nestvirt-shard: '2' is not NUMBER/TOTAL; expected for example 2/8",
    "": "--nestvirt-shard: '' is not NUMBER/TOTAL; expected for example 2/8",
    "-1/8": "--nestvirt-shard: '-1/8' is not NUMBER/TOTAL; expected for example 2/8",
    "1/2/3": "--nestvirt-shard: '1/2/3' is not NUMBER/TOTAL; expected for example 2/8",
    " 1/2": "--nestvirt-shard: ' 1/2' is not NUMBER/TOTAL; expected for example 2/8",
    "\u0661/8": "--nestvirt-shard: '\u0661/8' is not NUMBER/TOTAL; expected for example 2/8",
}


@pytest.mark.parametrize("text", MISTAKES)
def test_what_is_not_a_shard_is_refused(text: str) -> None:
    """In one line that says what is expected."""
    with pytest.raises(InventoryError) as refused:
        parse_shard(text)
    assert str(refused.value) == MISTAKES[text]


def test_more_shards_than_trees_are_refused() -> None:
    """In every shard alike: none of them would be run over nothing, and pass or fail for it."""
    for number in (1, 3):
        with pytest.raises(InventoryError, match="has 2 L0 to share out; use at most 2 shards"):
            allotted(_fleet([4, 1]), ShardNumber(number, 3))


def test_a_shard_of_a_limit_is_refused(tmp_path: Path) -> None:
    """One of the two says what is judged."""
    suite(tmp_path)
    inventory(tmp_path, {"kvm01": {"connection": "none"}})
    done = run_pytest(tmp_path, "house", "--hosts=inventory.yml", "--nestvirt-shard=1/1", "--nestvirt-limit=kvm01")
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert done.stderr.startswith("ERROR: --nestvirt-shard and --nestvirt-limit exclude each other")


# ---- merging


def shard_of(number: int, of: int = 2, **member: Any) -> RunReport:  # noqa: ANN401 - fields of Member
    """The report of one shard: an L0 with one guest."""
    hosts = (host(f"kvm{number}"), host(f"vm{number}", 1, f"kvm{number}"))
    members = tuple(Member(each.name, 2 * (number - 1) + place) for place, each in enumerate(hosts))
    members = (members[0], replace(members[1], **member))
    report = run(case(host=f"kvm{number}"), case("RHEL8-OS-L1", f"vm{number}", 1), hosts=hosts)
    return replace(report, shard=Shard(number, of, 2 * of, (), members))


def merged(*runs: RunReport) -> RunReport:
    """What `nestvirt merge` makes of reports that were read from 1/, 2/ ..."""
    return merge([(f"{number}/", each) for number, each in enumerate(runs, 1)])


STRANGERS: Mapping[str, tuple[Callable[[RunReport, Shard], RunReport], str]] = {
    "catalogue": (lambda run, _: replace(run, catalogue_digest="00"), "2/: another catalogue (00) than 1/ ("),
    "inventory": (lambda run, _: replace(run, inventory_digest="00"), "2/: another inventory (00) than 1/ ("),
    "version": (
        lambda run, _: replace(run, tool={"pytest-nestvirt": "9.9"}),
        "2/: another version of pytest-nestvirt (9.9) than 1/ (0.1.0)",
    ),
    "options": (
        lambda run, shard: replace(run, shard=replace(shard, settings=("--nestvirt-profile=rhel8",))),
        "2/: another set of options (--nestvirt-profile=rhel8) than 1/ (none)",
    ),
    "number of shards": (
        lambda run, shard: replace(run, shard=replace(shard, of=3)),
        "2/: another number of shards (3) than 1/ (2)",
    ),
    "number of machines": (
        lambda run, shard: replace(run, shard=replace(shard, machines=5)),
        "2/: another number of machines (5) than 1/ (4)",
    ),
    "a shard twice": (lambda run, shard: replace(run, shard=replace(shard, number=1)), "2/: shard 1/2 again, as 1/ is"),
    "no shard": (lambda run, _: replace(run, shard=None), "2/: is not the report of a shard; "),
    "another order": (
        lambda run, shard: replace(run, shard=replace(shard, members=(Member("kvm2", 1), Member("vm2", 2)))),
        "the shards do not add up to the 4 machines of the inventory; ",
    ),
    "a machine that is not its own": (
        lambda run, _: replace(run, hosts=(*run.hosts, host("kvm9"))),
        "2/: reports machines that are not in shard 2/2: kvm9",
    ),
}


@pytest.mark.parametrize("what", STRANGERS)
def test_what_does_not_belong_together_is_refused(what: str) -> None:
    """The first line says which report, what differs and from which."""
    change, message = STRANGERS[what]
    second = shard_of(2)
    assert second.shard is not None
    with pytest.raises(MergeError) as refused:
        merged(shard_of(1), change(second, second.shard))
    assert refused.value.problems[0].startswith(message)


def test_a_missing_shard_is_named() -> None:
    """A fleet of which a part was not judged is not a fleet that conforms."""
    with pytest.raises(MergeError, match=r"^missing: shard 2/4, 4/4$"):
        merged(shard_of(3, of=4), shard_of(1, of=4))


def test_shards_come_in_any_order() -> None:
    """The merged report has the order of the inventory, is complete, and is itself not a shard."""
    joined = merged(shard_of(2), shard_of(1))
    assert [each.name for each in joined.hosts] == ["kvm1", "vm1", "kvm2", "vm2"]
    assert [chain.name for chain in joined.chains] == ["kvm1 > vm1", "kvm2 > vm2"]
    assert [each.host for each in joined.cases] == ["kvm1", "vm1", "kvm2", "vm2"]
    assert joined.complete
    assert joined.shard is None
    assert [result.state for result in chain_results(joined)] == [ChainState.CONFORMS] * 2


def test_an_incomplete_shard_makes_an_incomplete_run() -> None:
    """Also where it did not get to look at a machine: every chain is undecided, and the shard is named."""
    cut = replace(shard_of(2), complete=False, incomplete_because="the run was interrupted", hosts=(), cases=())
    joined = merged(shard_of(1), cut)
    assert joined.incomplete_because == "shard 2/2: the run was interrupted"
    assert {result.state for result in chain_results(joined)} == {ChainState.UNDECIDED, ChainState.NOTHING_VERIFIED}


# ---- one machine in two shards

SAME: Mapping[str, tuple[Mapping[str, Any], Mapping[str, Any], bool]] = {
    "one boot id": ({"boot_id": "b"}, {}, True),
    "one UUID": ({"uuid": "u"}, {}, True),
    "clones that their hypervisors know": ({"uuid": "u", "recognised": True}, {}, False),
    "nothing known": ({"boot_id": "", "uuid": ""}, {}, False),
    "one record": ({"boot_id": "b", "record": "r"}, {"connection": "recorded"}, False),
    "two records of one boot, in unlike hypervisors": ({"boot_id": "b"}, {"connection": "recorded"}, True),
}


@pytest.mark.parametrize("claim", SAME)
def test_a_machine_in_two_shards_contradicts_both(claim: str) -> None:
    """No shard can see it, merging does: neither chain is decided, and nothing is said of their support."""
    member, of_host, is_one = SAME[claim]
    shards = [_supported(shard_of(number, **member), of_host) for number in (1, 2)]
    if member.get("record") is None and of_host:
        shards = [_with_record(report, number) for number, report in enumerate(shards)]
    joined = merged(*shards)
    assert [bool(each.contradiction) for each in joined.hosts] == [False, is_one, False, is_one]
    states = {result.state for result in chain_results(joined)}
    assert states == {ChainState.UNDECIDED if is_one else ChainState.CONFORMS}
    said = {stance.stance for chain in joined.chains for stance in chain.stances}
    assert said == {Stance.NOT_STATED if is_one else Stance.SUPPORTED}


def _supported(report: RunReport, of_host: Mapping[str, Any]) -> RunReport:
    hosts: tuple[HostReport, ...] = tuple(replace(each, **of_host) for each in report.hosts)
    chains = tuple(
        ChainReport(chain.name, chain.hosts, (StanceReport("rhel8", Stance.SUPPORTED, ("it says so",)),))
        for chain in report.chains
    )
    cases = tuple(replace(each, stance=Stance.SUPPORTED) for each in report.cases)
    return replace(report, hosts=hosts, chains=chains, cases=cases)


def _with_record(report: RunReport, number: int) -> RunReport:
    assert report.shard is not None
    members = tuple(replace(each, record=f"{number} {each.name}") for each in report.shard.members)
    return replace(report, shard=replace(report.shard, members=members))


# ---- the command


def test_the_command_writes_the_report_and_ends_like_a_run(tmp_path: Path) -> None:
    """0 where every chain conforms; the summary and the last line are those of a run."""
    for number in (1, 2):
        write_json(shard_of(number), tmp_path / str(number))
    done = CliRunner().invoke(main, ["merge", str(tmp_path / "1"), str(tmp_path / "2"), "-o", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    assert done.output.splitlines()[-1] == (
        "nestvirt: exit status 0: 2 chains, all conforming: kvm1 > vm1 (conforms), kvm2 > vm2 (conforms); "
        "merged from 2 shards"
    )
    assert load_json(tmp_path / "out/result.json") == merged(shard_of(1), shard_of(2))
    assert len(junit(tmp_path / "out")) == 2


def test_the_command_refuses_with_the_status_of_a_usage_error(tmp_path: Path) -> None:
    """And leaves nothing in the directory, not even what an earlier merge left there."""
    for number in (1, 2):
        write_json(shard_of(number), tmp_path / str(number))
    write_json(merged(shard_of(1), shard_of(2)), tmp_path / "out")
    done = CliRunner().invoke(main, ["merge", str(tmp_path / "1"), "-o", str(tmp_path / "out")])
    assert done.exit_code == pytest.ExitCode.USAGE_ERROR
    assert done.output == "Error: missing: shard 2/2\n"
    assert not list((tmp_path / "out").iterdir())


def test_the_command_does_not_write_over_a_shard(tmp_path: Path) -> None:
    """A shard that was overwritten could not be merged again."""
    for number in (1, 2):
        write_json(shard_of(number), tmp_path / str(number))
    done = CliRunner().invoke(main, ["merge", str(tmp_path / "1"), str(tmp_path / "2"), "-o", str(tmp_path / "2")])
    assert done.exit_code == pytest.ExitCode.USAGE_ERROR
    assert load_json(tmp_path / "2/result.json").shard is not None
