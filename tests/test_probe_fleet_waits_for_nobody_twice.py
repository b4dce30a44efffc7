"""All hosts are looked at side by side; who cannot be reached costs one more try, and those behind it none."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from probe_transports import PlayedTransport, frames, host, nonce_of, printed

from pytest_nestvirt.collect import crew
from pytest_nestvirt.collect.fleet import collect_fleet
from pytest_nestvirt.collect.look import Collected
from pytest_nestvirt.inventory.host import Connection, Deadlines, Host, Inventory
from pytest_nestvirt.snapshot.snapshot import Section, Snapshot, SnapshotError
from pytest_nestvirt.transport.base import CommandTimeoutError, Completed, SessionRefusedError, Stage, TransportError

Play = Callable[[str, bytes], Completed]


def answers(_: str, stdin: bytes) -> Completed:
    """A host that is as it should be."""
    return printed(frames(nonce_of(stdin), ("proc/uptime", b"1 2\n")))


def refuses(name: str, stage: Stage = Stage.CONNECT) -> Play:
    """A host that cannot be reached."""

    def play(_command: str, _stdin: bytes) -> Completed:
        raise TransportError(name, stage, "Connection refused")

    return play


def no_recorded(wanted: Host) -> Snapshot:
    """For inventories without recorded hosts."""
    raise AssertionError(wanted)


class Fleet:
    """Hosts with a played transport each."""

    def __init__(self, *hosts: Host, **plays: Play) -> None:
        self.inventory = Inventory(hosts)
        self.transports = {one.name: PlayedTransport(plays.get(one.name, answers)) for one in hosts}
        self.said: list[tuple[str, str]] = []

    def collect(self, load: Callable[[Host], Snapshot] = no_recorded, threads: int = 4) -> Mapping[str, Collected]:
        return collect_fleet(
            self.inventory,
            lambda one: self.transports[one.name],
            load,
            threads=threads,
            progress=lambda one, what: self.said.append((one.name, what)),
        )

    def tries(self, name: str) -> int:
        return len(self.transports[name].commands)


def guest(name: str, via: str | None, **fields: object) -> Host:
    """A machine behind another."""
    return host(name, level=1, parent=via, via=via, **fields)


def test_every_host_is_in_the_result_in_the_order_of_the_inventory() -> None:
    """Reached or not, no host is left out, and parents are settled before what lies behind them."""
    fleet = Fleet(host("a"), guest("a1", "a"), guest("a11", "a1"), host("b"), b=refuses("b"))
    seen = fleet.collect()
    assert list(seen) == ["a", "a1", "a11", "b"]
    assert [seen[name].snapshot is not None for name in seen] == [True, True, True, False]
    order = [name for name, _ in fleet.said]
    assert order.index("a") < order.index("a1") < order.index("a11")
    assert sorted(order) == sorted(seen)


def test_unreachable_is_tried_once_more_and_then_latched() -> None:
    """A host that refuses is asked twice, not three times, and its trouble is one line."""
    fleet = Fleet(host("a"), a=refuses("a"))
    seen = fleet.collect()["a"]
    assert fleet.tries("a") == 2
    assert (seen.snapshot, seen.trouble, seen.unreachable) == (None, "a: connect: Connection refused", True)
    assert seen.where == "root@192.0.2.10:22"


def test_second_try_may_succeed() -> None:
    """A host that comes back in time is collected."""
    tries: list[int] = []

    def play(command: str, stdin: bytes) -> Completed:
        tries.append(1)
        return answers(command, stdin) if len(tries) > 1 else refuses("a")(command, stdin)

    seen = Fleet(host("a"), a=play).collect()["a"]
    assert seen.snapshot is not None
    assert seen.trouble == ""


@pytest.mark.parametrize("stage", [Stage.AUTHENTICATION, Stage.HOST_KEY, Stage.CONFIGURATION])
def test_what_fails_for_good_is_not_repeated(stage: Stage) -> None:
    """A wrong login is tried once: the second may lock the account."""
    fleet = Fleet(host("a"), a=refuses("a", stage))
    assert not fleet.collect()["a"].snapshot
    assert fleet.tries("a") == 1


def test_a_hang_is_latched_after_one_deadline() -> None:
    """A host that accepted and let the deadline pass is not waited for again."""

    def play(_command: str, _stdin: bytes) -> Completed:
        threading.Event().wait(0.05)
        raise CommandTimeoutError("a", "no end within 0.06 s", b"", b"")

    fleet = Fleet(host("a", deadlines=Deadlines(command=0.06)), a=play)
    seen = fleet.collect()["a"]
    assert fleet.tries("a") == 1
    assert "no end within" in seen.trouble


def test_behind_an_unreachable_hop_nobody_is_tried() -> None:
    """All that lies behind a hop that cannot be reached is given up at once, to any depth, and says why."""
    fleet = Fleet(host("kvm01"), guest("l1", "kvm01"), guest("l2", "l1"), kvm01=refuses("kvm01"))
    seen = fleet.collect()
    assert (fleet.tries("l1"), fleet.tries("l2")) == (0, 0)
    assert seen["l1"].trouble == "l1: its hop kvm01 could not be reached"
    assert seen["l2"].trouble == "l2: its hop l1 could not be reached"


def test_a_hop_that_answers_oddly_is_still_a_hop() -> None:
    """A jump host without a shell has no snapshot; the hosts behind it are reached all the same."""
    fleet = Fleet(host("jump"), guest("l1", "jump"), jump=lambda *_: printed(b"no shell here\n", exit_code=1))
    seen = fleet.collect()
    assert "no shell here" in seen["jump"].trouble
    assert not seen["jump"].unreachable
    assert seen["l1"].snapshot is not None


def test_a_guest_with_its_own_address_does_not_wait_for_its_parent() -> None:
    """Only hops matter: a guest that is reached directly is collected though its parent is down."""
    direct = host("l1", level=1, parent="kvm01", via=None)
    seen = Fleet(host("kvm01"), direct, kvm01=refuses("kvm01")).collect()
    assert seen["l1"].snapshot is not None


def test_recorded_hosts_come_from_disk_and_nobody_logs_in_where_none_is_said(tmp_path: Path) -> None:
    """A recorded host is loaded, a broken one is a trouble of its own, `connection: none` is neither."""
    good = host("good", connection=Connection.RECORDED, path=tmp_path / "good")
    bad = host("bad", connection=Connection.RECORDED, path=tmp_path / "bad")
    azure = host("azure", connection=Connection.NONE)
    fleet = Fleet(good, bad, azure)

    def load(wanted: Host) -> Snapshot:
        if wanted.name == "bad":
            raise SnapshotError(f"{wanted.path}: cannot be read: No such file or directory")
        return Snapshot({"proc/uptime": Section("proc/uptime", data=b"1")})

    seen = fleet.collect(load)
    assert seen["good"].snapshot is not None
    assert seen["good"].where == str(tmp_path / "good")
    assert seen["bad"].trouble == f"bad: {tmp_path / 'bad'}: cannot be read: No such file or directory"
    assert (seen["azure"].snapshot, seen["azure"].trouble) == (None, "")
    assert all(fleet.tries(name) == 0 for name in seen)


def test_hosts_are_looked_at_side_by_side_and_within_the_bound() -> None:
    """As many hosts at a time as there are threads, and no more."""
    together = threading.Barrier(3, timeout=30)
    running: list[int] = [0]
    most: list[int] = [0]
    lock = threading.Lock()

    def play(command: str, stdin: bytes) -> Completed:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        together.wait()
        with lock:
            running[0] -= 1
        return answers(command, stdin)

    names = [f"h{number}" for number in range(6)]
    seen = Fleet(*(host(name) for name in names), **dict.fromkeys(names, play)).collect(threads=3)
    assert all(seen[name].snapshot for name in names)
    assert most[0] == 3


def test_interrupt_does_not_wait_for_the_hosts() -> None:
    """Ctrl-C while others are still being waited for stops at once, and nothing new is begun."""
    release = threading.Event()

    def hangs(command: str, stdin: bytes) -> Completed:
        release.wait(60)
        return answers(command, stdin)

    fleet = Fleet(host("quick"), host("slow"), host("queued"), slow=hangs)

    def interrupt(_host: Host, _what: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        collect_fleet(
            fleet.inventory, lambda one: fleet.transports[one.name], no_recorded, threads=1, progress=interrupt
        )
    release.set()
    assert fleet.tries("queued") == 0


def test_a_crash_of_our_own_is_the_error_of_one_host() -> None:
    """A fault in the tool is shown with its place; it neither hangs the run, nor ends it, nor becomes an unreachable host."""

    def play(_command: str, _stdin: bytes) -> Completed:
        raise ZeroDivisionError

    collected = Fleet(host("a"), host("b"), a=play).collect()
    assert collected["a"].crashed
    assert not collected["a"].unreachable
    assert collected["a"].trouble.startswith(
        "a: the tool failed on this machine: ZeroDivisionError:  (test_probe_fleet"
    )
    assert collected["b"].snapshot is not None


def waits(gate: threading.Event) -> Play:
    """A host that answers nothing until the gate is opened."""

    def play(name: str, stdin: bytes) -> Completed:
        assert gate.wait(30)
        return answers(name, stdin)

    return play


def test_hosts_that_do_not_answer_hold_up_no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """All threads wait for a host each, and the rest of the fleet is looked at all the same, by others in their place."""
    monkeypatch.setattr(crew, "STALLED_SECONDS", 0.01)
    monkeypatch.setattr(crew, "TICK_SECONDS", 0.01)
    gate = threading.Event()
    good = [f"good{number}" for number in range(5)]
    fleet = Fleet(*map(host, ("h1", "h2", *good)), h1=waits(gate), h2=waits(gate))
    settled: list[str] = []

    def note(one: Host, _: str) -> None:
        settled.append(one.name)
        if set(good) <= set(settled):
            gate.set()

    seen = collect_fleet(fleet.inventory, lambda one: fleet.transports[one.name], no_recorded, threads=2, progress=note)
    assert all(each.snapshot for each in seen.values())
    assert set(settled[:5]) == set(good)


def test_a_deadline_for_all_machines_ends_the_looking() -> None:
    """What was done by then is kept; the others are unreachable, and their trouble says which were being probed."""
    gate = threading.Event()
    fleet = Fleet(host("a"), host("b"), host("c"), guest("d", "b"), b=waits(gate))
    seen = collect_fleet(fleet.inventory, lambda one: fleet.transports[one.name], no_recorded, threads=1, deadline=0.3)
    gate.set()
    assert seen["a"].snapshot
    assert [each.unreachable for each in seen.values()] == [False, True, True, True]
    text = "the deadline of 0.3 s for all machines passed"
    assert seen["b"].trouble == f"b: {text} while it was being probed; see --nestvirt-deadline"
    assert seen["c"].trouble == f"c: {text} before it was its turn; see --nestvirt-deadline"


def test_a_host_that_lets_its_deadline_pass_is_not_tried_again() -> None:
    """Nor is one that was silent while it was connected to; a refusal is quick, and is tried once more."""

    def play(name: str, _: bytes) -> Completed:
        threading.Event().wait(0.05)
        raise TransportError(name, Stage.CONNECT, "no answer within 0.05 s")

    fleet = Fleet(host("a", deadlines=Deadlines(connect=0.05)), a=play)
    assert not fleet.collect()["a"].snapshot
    assert fleet.tries("a") == 1


def test_connections_are_released_when_nothing_leads_through_them_any_more() -> None:
    """A hop after the last host behind it, also where that was given up."""
    fleet = Fleet(host("hop"), guest("b", "hop"), guest("c", "b"), host("d"), b=refuses("b"))
    released: list[str] = []
    collect_fleet(
        fleet.inventory,
        lambda one: fleet.transports[one.name],
        no_recorded,
        threads=1,
        release=lambda one: released.append(one.name),
    )
    assert sorted(released) == ["b", "d", "hop"]
    assert released.index("b") < released.index("hop")


def test_a_hop_that_only_forwards_is_still_a_hop() -> None:
    """A bastion with `MaxSessions 0` runs no probe; what lies behind it is reached."""

    def play(name: str, _: bytes) -> Completed:
        raise SessionRefusedError(name, Stage.SESSION, "the host refused a session")

    fleet = Fleet(host("bastion"), guest("b", "bastion"), bastion=play)
    seen = fleet.collect()
    assert not seen["bastion"].snapshot
    assert seen["b"].snapshot
