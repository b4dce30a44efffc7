"""Two runs over the same machines find the same, word for word: nothing but `timing` differs."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path

import pytest
from small_runs import MACHINE, inventory, record, run_pytest, suite

from pytest_nestvirt.catalogue.load_catalogue import load_catalogue
from pytest_nestvirt.catalogue.requirement import Suite
from pytest_nestvirt.collect.fleet import collect_fleet
from pytest_nestvirt.embedded import embedded
from pytest_nestvirt.facts.machine import build_machines
from pytest_nestvirt.inventory.load_inventory import load_inventory, local_inventory
from pytest_nestvirt.observation.fact import facts_of, observing
from pytest_nestvirt.observation.render import render, without_addresses
from pytest_nestvirt.observation.unknown import attempt
from pytest_nestvirt.run.assertion_text import assertion_text
from pytest_nestvirt.run.plan import Plan
from pytest_nestvirt.run.results import identity
from pytest_nestvirt.run.suite_paths import suite_folders
from pytest_nestvirt.snapshot.archive import load, load_recorded, save
from pytest_nestvirt.snapshot.snapshot import Snapshot
from pytest_nestvirt.transport.pool import Transports

INVENTORIES = Path(__file__).parents[1] / "inventories"

BARE = """\
from pytest_nestvirt import Machine, requirement

@requirement("HOUSE-VMX")
def test_of_a_set(l0: Machine) -> None:
    assert {"a", "b", "c", "d", "e", "f"} <= l0.cpu.flags

@requirement("HOUSE-NESTED")
def test_of_objects(l0: Machine) -> None:
    assert l0.cpu.flags and l0.cpu == (flag for flag in l0.cpu.flags)

@requirement("HOUSE-LIMIT")
def test_with_a_message(l0: Machine) -> None:
    assert not l0.cpu.flags, f"{object()} and {l0.cpu} have flags"

@requirement("HOUSE-GUEST")
def test_that_crashes(l1: Machine) -> None:
    raise ValueError(l1.cpu.flags and object())
"""


def test_two_runs_differ_in_their_timing_only(tmp_path: Path) -> None:
    """Neither the order of a set nor the address of an object reaches a report, however bare the assertions are."""
    suite(tmp_path, checks=BARE)
    record(tmp_path / "l0", MACHINE)
    inventory(tmp_path, {"kvm01": {"path": "l0", "guests": {"l1": {"path": "l0"}}}})
    reports = []
    for seed in ("1", "2"):
        run_pytest(tmp_path, "house", "--hosts=inventory.yml", f"--nestvirt-report=out-{seed}", PYTHONHASHSEED=seed)
        reports.append(json.loads((tmp_path / f"out-{seed}/result.json").read_text()))
        del reports[-1]["timing"]
    reasons = {case["requirement"]: case["reason"] for case in reports[0]["cases"]}
    assert "'a', 'b', 'c', 'd', 'e', 'f'" in reasons["HOUSE-VMX"]
    assert reports[0] == reports[1]


def everything(snapshot: Snapshot, suites: tuple[Suite, ...]) -> tuple[object, ...]:
    """What verdicts are made of: every fact of the machine with its sources, and what is planned for it and why."""
    hosts = local_inventory()
    machines = build_machines(hosts, {hosts.hosts[0].name: snapshot})
    with observing() as seen:
        for machine in machines.values():
            for subject in machine.subjects:
                for fact in facts_of(type(subject)):
                    attempt(lambda subject=subject, fact=fact: getattr(subject, fact))  # type: ignore[misc]
    facts = [(each.fact, render(each.value), repr(each.value), each.sources) for each in seen]
    planned = [
        (key, entry.fate, entry.because, entry.stance)
        for key, entry in Plan(suites, machines.values(), unreachable={}).entries.items()
    ]
    return facts, planned, [identity(machine) for machine in machines.values()]


def test_a_replayed_machine_is_the_machine_that_was_looked_at(tmp_path: Path) -> None:
    """This machine, looked at live and replayed from a directory and from an archive: only `origin` differs."""
    hosts = local_inventory()
    (collected,) = collect_fleet(hosts, Transports(hosts, load_recorded).of, load_recorded, threads=1).values()
    live = collected.snapshot
    assert live is not None
    suites = load_catalogue(suite_folders([embedded("suites")])).suites
    expected = everything(live, suites)
    assert len(expected[0]) > 100  # type: ignore[arg-type]
    for form in ("host", "host.tar.xz"):
        save(live, tmp_path / form)
        replayed = load(tmp_path / form)
        assert replayed.origin is not live.origin
        assert everything(replayed, suites) == expected


@pytest.mark.parametrize("name", ["recorded", "recorded-violations", "recorded-lab"])
def test_every_fact_has_a_form_that_a_person_reads(name: str) -> None:
    """As evidence and in messages: no fact of any recorded machine shows the address of an object."""
    machines = load_inventory([INVENTORIES / f"{name}.yml"])
    collected = collect_fleet(machines, Transports(machines, load_recorded).of, load_recorded, threads=2)
    snapshots = {host: each.snapshot for host, each in collected.items() if each.snapshot is not None}
    for machine in build_machines(machines, snapshots).values():
        for subject in machine.subjects:
            assert " at 0x" not in repr(subject)
            for fact in facts_of(type(subject)):
                value = attempt(lambda subject=subject, fact=fact: getattr(subject, fact))  # type: ignore[misc]
                assert " at 0x" not in render(value) + repr(value), f"{subject.label}.{fact}"


@pytest.mark.parametrize("left, right", list(product(["frozenset({1})", "{1}"], ["{1, 2}", "frozenset({2})"])))
def test_items_that_a_set_lacks_are_sorted_beside_their_heading(left: str, right: str) -> None:
    """In pytest's explanation each has a line of its own, in an order that changes from run to run."""
    explained = (
        f"assert {left} == {right}\n  \n  Extra items in the right set:\n  3\n  1\n  2\n  Use -v to get more diff"
    )
    assert assertion_text(AssertionError(explained)) == (
        f"assert {left} == {right} · Extra items in the right set: 1, 2, 3"
    )


@pytest.mark.parametrize(
    "text, shown",
    [
        ("<object object at 0x7f5be18>", "<object object>"),
        (
            "<A at 0x7F5B> == <generator object f.<locals>.<genexpr> at 0x1>",
            "<A> == <generator object f.<locals>.<genexpr>>",
        ),
        ("refused at 0x", "refused at 0x"),
        ("an error at 0x10.", "an error at 0x10."),
    ],
)
def test_an_address_is_left_out_of_a_text(text: str, shown: str) -> None:
    """Whatever object it belongs to."""
    assert without_addresses(text) == shown
