"""Ways to a machine that lead through other machines."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from sshd import Sshd, free_port

from pytest_nestvirt.inventory.host import Connection, Deadlines, Host, Inventory
from pytest_nestvirt.snapshot.snapshot import Snapshot
from pytest_nestvirt.transport.base import TransportError
from pytest_nestvirt.transport.pool import Transports
from pytest_nestvirt.transport.ssh import SshTransport

WHO = "echo $SSH_CONNECTION"
"""Prints `client port server port` as sshd saw them."""


def no_recording(host: Host) -> Snapshot:
    """No host of these tests is recorded."""
    raise AssertionError(host)


def chain(sshd: Sshd, **of_l2: object) -> Inventory:
    """An L0, an L1 behind it, an L2 behind that."""
    return Inventory(
        (
            sshd.host("kvm01", "127.0.0.1"),
            sshd.host("l1", "127.0.0.2", level=1, parent="kvm01", via="kvm01"),
            sshd.host("l2", "127.0.0.3", level=2, parent="l1", via="l1", **of_l2),
        )
    )


@pytest.fixture
def transports(sshd: Sshd) -> Iterator[Transports]:
    """The pool of a chain of three."""
    with Transports(chain(sshd), no_recording) as pool:
        yield pool


def test_a_chain_of_three_leads_through_each(sshd: Sshd) -> None:
    """L2 is reached from L1, which is reached from L0: each connection comes from where the inventory says."""
    inventory = chain(sshd)
    before = sshd.log.count("Accepted publickey")
    with Transports(inventory, no_recording) as pool:
        seen = [pool.of(host).run(WHO).stdout.split()[2] for host in reversed(inventory.hosts)]
        assert pool.of(inventory.host("l2")).where == f"{sshd.user}@127.0.0.3:{sshd.port} via l1"
    assert seen == [b"127.0.0.3", b"127.0.0.2", b"127.0.0.1"]
    assert sshd.log.count("Accepted publickey") == before + 3


def test_large_output_comes_through_a_chain(transports: Transports, sshd: Sshd) -> None:
    """Windows inside windows: megabytes in both directions come through two hops unharmed."""
    data = bytes(range(256)) * 8192
    assert transports.of(chain(sshd).host("l2")).run("cat", stdin=data).stdout == data


def test_a_dead_hop_is_named(sshd: Sshd) -> None:
    """The error of an L2 says which machine on the way is the one that cannot be used, and why."""
    dead = sshd.host("kvm01", port=free_port())
    l1 = sshd.host("l1", "127.0.0.2", via="kvm01")
    l2 = sshd.host("l2", "127.0.0.3", via="l1")
    with Transports(Inventory((dead, l1, l2)), no_recording) as pool, pytest.raises(TransportError) as caught:
        pool.of(l2).run("true")
    assert str(caught.value).startswith("l2: connect: its hop kvm01 cannot be used: connect: 127.0.0.1:")
    assert "refused the connection" in str(caught.value)


def test_a_guest_that_its_hop_cannot_reach_is_not_blamed_on_the_hop(sshd: Sshd) -> None:
    """The hop is well, the machine behind it is not."""
    l1 = sshd.host("l1", "127.0.0.2", port=free_port(), via="kvm01")
    with Transports(Inventory((sshd.host(), l1)), no_recording) as pool:
        with pytest.raises(TransportError, match=r"^l1: connect: its hop kvm01 cannot reach 127.0.0.2:\d+ "):
            pool.of(l1).run("true")
        assert pool.of(sshd.host()).run("true").exit_code == 0


def test_a_guest_that_does_not_answer_costs_its_hop_nothing(sshd: Sshd, start_sshd: Callable[..., Sshd]) -> None:
    """The hop's connection, and what others run over it, outlives a machine behind it that swallows packets."""
    hop = start_sshd()
    kvm01 = hop.host(deadlines=Deadlines(0.5, 5.0, 5.0))
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, ExitStack() as fillers:
        for _ in range(4):
            filler = fillers.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
        l1 = sshd.host("l1", "127.0.0.1", port=full.getsockname()[1], via="kvm01")
        with Transports(Inventory((kvm01, l1)), no_recording) as pool:
            pool.of(kvm01).run("true")
            with pytest.raises(
                TransportError, match=r"^l1: connect: its hop kvm01 got no answer from 127.0.0.1:\d+ within 0.5"
            ):
                pool.of(l1).run("true")
            assert pool.of(kvm01).run("echo well").stdout == b"well\n"
    assert hop.log.count("Accepted publickey") == 1


def test_a_hop_that_forbids_forwarding_says_so(start_sshd: Callable[..., Sshd], sshd: Sshd) -> None:
    """The remedy is on the hop, and named."""
    hop = start_sshd(config=["AllowTcpForwarding no"])
    l1 = sshd.host("l1", via="kvm01")
    with (
        Transports(Inventory((hop.host(), l1)), no_recording) as pool,
        pytest.raises(TransportError, match=r"forbids forwarding.*AllowTcpForwarding"),
    ):
        pool.of(l1).run("true")


def test_a_changed_host_key_of_a_hop_stops_everything_behind_it(start_sshd: Callable[..., Sshd], sshd: Sshd) -> None:
    """Nothing is sent through a machine that is not the one it was."""
    hop = start_sshd()
    hop.rotate_host_key()
    l1 = sshd.host("l1", via="kvm01")
    with (
        Transports(Inventory((hop.host(), l1)), no_recording) as pool,
        pytest.raises(TransportError, match="its hop kvm01 cannot be used: host key: THE HOST KEY HAS CHANGED"),
    ):
        pool.of(l1).run("true")


def test_a_hop_that_was_restarted_is_connected_to_again(start_sshd: Callable[..., Sshd], sshd: Sshd) -> None:
    """One reconnect, of the parents too: a command behind a hop that came back runs."""
    hop = start_sshd()
    l1 = sshd.host("l1", "127.0.0.2", via="kvm01")
    with Transports(Inventory((hop.host(), l1)), no_recording) as pool:
        assert pool.of(l1).run("true").exit_code == 0
        hop.kill()
        hop.start()
        assert pool.of(l1).run("echo again").stdout == b"again\n"


@pytest.mark.parametrize("spec", ["jump", "127.0.0.4:{port}", "ssh://{user}@127.0.0.4:{port}"])
def test_proxyjump_of_the_ssh_configuration_is_followed(sshd: Sshd, tmp_path: Path, spec: str) -> None:
    """In all spellings, with the jump host's own settings."""
    (tmp_path / "config").write_text(
        "Host target\n  HostName 127.0.0.5\n"
        f"  ProxyJump {spec.format(port=sshd.port, user=sshd.user)}\n"
        "Host jump\n  HostName 127.0.0.4\n"
        f"Host *\n  Port {sshd.port}\n  IdentityFile {sshd.client_key}\n"
    )
    target = sshd.host("l0", "target", port=None, user=None, identity=None, config=tmp_path / "config")
    before = sshd.log.count(" on 127.0.0.4 ")
    with Transports(Inventory((target,)), no_recording) as pool:
        assert pool.of(target).run(WHO).stdout.split()[2] == b"127.0.0.5"
        assert " via " in pool.of(target).where
    assert sshd.log.count(" on 127.0.0.4 ") == before + 1


def test_jump_hosts_are_shared(start_sshd: Callable[..., Sshd], sshd: Sshd, tmp_path: Path) -> None:
    """Two hosts behind one jump host: it is connected to once, as in a run over an inventory."""
    jump = start_sshd()
    jump.authorize(jump.client_key, sshd.client_key)
    (tmp_path / "known").write_text(jump.known_hosts_text() + sshd.known_hosts_text())
    (tmp_path / "config").write_text(
        f"IdentityFile {sshd.client_key}\nHost a b\nProxyJump 127.0.0.1:{jump.port}\nHost a\nHostName 127.0.0.2\nHost b\nHostName 127.0.0.3\n"
    )
    ways = {"config": tmp_path / "config", "known_hosts": (tmp_path / "known",)}
    hosts = [sshd.host(name, name, **ways) for name in "ab"]
    with Transports(Inventory(tuple(hosts)), no_recording) as pool:
        assert [pool.of(host).run("echo x").stdout for host in hosts] == [b"x\n", b"x\n"]
    assert jump.log.count("Accepted publickey") == 1


def test_a_hop_of_the_inventory_goes_before_proxyjump(sshd: Sshd, tmp_path: Path) -> None:
    """`via` is what a person wrote for this run; a jump host that does not exist is not asked."""
    (tmp_path / "config").write_text("Host *\nProxyJump nowhere.invalid\n")
    l1 = sshd.host("l1", "127.0.0.2", via="kvm01", config=tmp_path / "config")
    with Transports(Inventory((sshd.host(), l1)), no_recording) as pool:
        assert pool.of(l1).run("true").exit_code == 0


def test_a_circle_of_jump_hosts_is_an_error(sshd: Sshd, tmp_path: Path) -> None:
    """Not a hang."""
    (tmp_path / "config").write_text("Host a\nProxyJump b\nHost b\nProxyJump c\nHost c\nProxyJump b\n")
    host = sshd.host("x", "a", config=tmp_path / "config")
    with (
        Transports(Inventory((host,)), no_recording) as pool,
        pytest.raises(TransportError, match=r"configuration: ProxyJump forms a loop: b -> c -> b"),
    ):
        pool.of(host).run("true")


def test_a_circle_of_via_is_an_error(sshd: Sshd) -> None:
    """The inventory is checked for it; nobody hangs where it was not."""
    hosts = (sshd.host("a", via="b"), sshd.host("b", via="a"))
    with (
        Transports(Inventory(hosts), no_recording) as pool,
        pytest.raises(TransportError, match="`via` forms a loop: a -> b -> a"),
    ):
        pool.of(hosts[0])


@pytest.mark.parametrize("kind", [Connection.RECORDED, Connection.NONE])
def test_nobody_goes_through_a_recording(sshd: Sshd, kind: Connection) -> None:
    """A hop must be a machine that is there."""
    hosts = (Host("kvm01", 0, None, kind), sshd.host("l1", via="kvm01"))
    with (
        Transports(Inventory(hosts), no_recording) as pool,
        pytest.raises(TransportError, match="cannot forward connections"),
    ):
        pool.of(hosts[1])


def test_a_guest_of_this_machine_is_reached_directly(sshd: Sshd) -> None:
    """An L0 with `connection: local` is no hop: we are there already."""
    hosts = (Host("here", 0, None, Connection.LOCAL), sshd.host("l1", via="here"))
    with Transports(Inventory(hosts), no_recording) as pool:
        assert pool.of(hosts[0]).run("echo here").stdout == b"here\n"
        assert pool.of(hosts[1]).run("echo there").stdout == b"there\n"


def test_a_host_without_a_way_to_it_is_an_error_that_says_so() -> None:
    """`connection: none`."""
    azure = Host("azure", 0, None, Connection.NONE, deadlines=Deadlines())
    with (
        Transports(Inventory((azure,)), no_recording) as pool,
        pytest.raises(TransportError, match="not accessible"),
    ):
        pool.of(azure)


def test_a_hop_without_a_keeper_is_an_error(sshd: Sshd, tmp_path: Path) -> None:
    """ProxyJump is never ignored: the direct way may lead to another machine."""
    (tmp_path / "config").write_text("ProxyJump elsewhere\n")
    with pytest.raises(TransportError, match="ProxyJump"):
        SshTransport(sshd.host(config=tmp_path / "config")).run("true")
