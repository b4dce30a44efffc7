"""A bastion that all hosts are reached through: one login for all, and none of them waits for its death more than once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from sshd import Sshd

from pytest_nestvirt.inventory.host import Host, Inventory
from pytest_nestvirt.transport import channels, pool, ssh
from pytest_nestvirt.transport.base import SessionRefusedError, TransportError
from pytest_nestvirt.transport.pool import Transports
from pytest_nestvirt.transport.tunnel import Tunnel


def no_recorded(_: Host) -> None:
    """No host of these tests is recorded."""


def behind(sshd: Sshd, bastion: Sshd, number: int) -> Inventory:
    """A bastion and as many hosts behind it."""
    names = [f"h{place}" for place in range(number)]
    return Inventory((bastion.host("bastion"), *(sshd.host(name, via="bastion") for name in names)))


def test_one_login_serves_all_hosts_behind_a_bastion(
    sshd: Sshd, start_sshd: Callable[..., Sshd], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tunnels are not sessions: neither `MaxSessions 0` nor `MaxStartups 1` of the bastion keeps hosts from being reached."""
    monkeypatch.setattr(channels, "_FREED_SECONDS", 0.1)
    bastion = start_sshd(config=["MaxSessions 0", "MaxStartups 1"])
    inventory = behind(sshd, bastion, 8)
    with Transports(inventory, no_recorded) as transports, ThreadPoolExecutor(8) as threads:  # type: ignore[arg-type]
        done = list(threads.map(lambda host: transports.of(host).run("echo hi").stdout, inventory.hosts[1:]))
        with pytest.raises(SessionRefusedError):
            transports.of(inventory.hosts[0]).run("true")
    assert done == [b"hi\n"] * 8
    assert bastion.log.count("Accepted publickey") == 1


def test_a_busy_sshd_is_tried_again(start_sshd: Callable[..., Sshd]) -> None:
    """One that drops connections while others log in (MaxStartups) lets all of them in after a while."""
    host = start_sshd(config=["MaxStartups 2"])
    inventory = Inventory(tuple(host.host(f"h{place}") for place in range(6)))
    with Transports(inventory, no_recorded) as transports, ThreadPoolExecutor(6) as threads:  # type: ignore[arg-type]
        done = list(threads.map(lambda one: transports.of(one).run("echo hi").stdout, inventory))
    assert done == [b"hi\n"] * 6


def test_a_bastion_that_dies_is_given_up_once_for_all(
    sshd: Sshd, start_sshd: Callable[..., Sshd], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is connected to twice more, whatever number of hosts lies behind it; each says which hop it was."""
    monkeypatch.setattr(ssh, "_HOP_PAUSE_SECONDS", 0.01)
    bastion = start_sshd()
    inventory = behind(sshd, bastion, 12)
    with Transports(inventory, no_recorded) as transports:  # type: ignore[arg-type]
        assert transports.of(inventory.hosts[1]).run("echo hi").stdout == b"hi\n"
        bastion.kill()
        attempts: list[str] = []
        hop = transports.of(inventory.hosts[0])
        monkeypatch.setattr(hop, "_connect", _counted(hop, attempts))
        for host in inventory.hosts[2:]:
            with pytest.raises(TransportError, match="its hop bastion cannot be used"):
                transports.of(host).run("true")
    assert len(attempts) == 2


def _counted(hop: object, attempts: list[str]) -> Callable[[], object]:
    connect: Callable[[], object] = hop._connect  # type: ignore[attr-defined]

    def counted() -> object:
        attempts.append("")
        return connect()

    return counted


def test_a_large_fleet_keeps_no_connection(sshd: Sshd, monkeypatch: pytest.MonkeyPatch) -> None:
    """Descriptors are bounded: what was released is closed, and opens again at its next use. A small fleet keeps all."""
    for kept, survives in ((1, False), (2, True)):
        monkeypatch.setattr(pool, "KEPT", kept)
        inventory = Inventory((sshd.host("a"), sshd.host("b")))
        with Transports(inventory, no_recorded) as transports:  # type: ignore[arg-type]
            transport = transports.of(inventory.hosts[0])
            transport.run("true")
            transports.release(inventory.hosts[0])
            assert (transport._transport is not None) is survives  # type: ignore[attr-defined]
            assert transport.run("echo hi").stdout == b"hi\n"


def test_closing_does_not_wait_for_a_host_that_hangs(sshd: Sshd) -> None:
    """The end of a run whose deadline passed comes at once, not with the deadline of a host that is being connected to."""
    transports = Transports(Inventory((sshd.host(),)), no_recorded)  # type: ignore[arg-type]
    transport = transports.of(sshd.host())
    with transport._lock:  # type: ignore[attr-defined]
        closing = threading.Thread(target=transports.close)
        closing.start()
        closing.join(10)
        assert not closing.is_alive()


class SlowChannel:
    """A channel that is in the middle of sending when it is closed, as paramiko's own may be."""

    def __init__(self) -> None:
        self.sending, self.go_on = threading.Event(), threading.Event()
        self.sent: list[str] = []

    def send(self, _: bytes) -> int:
        self.sending.set()
        assert self.go_on.wait(10)
        self.sent.append("data")
        return 1

    def close(self) -> None:
        self.sent.append("close")


def test_a_tunnel_sends_nothing_after_its_close() -> None:
    """OpenSSH would end the bastion's connection, and with it the tunnels of all other hosts."""
    channel = SlowChannel()
    tunnel = Tunnel(channel)  # type: ignore[arg-type]
    sender, closer = threading.Thread(target=tunnel.send, args=(b"x",)), threading.Thread(target=tunnel.close)
    sender.start()
    assert channel.sending.wait(10)
    closer.start()
    closer.join(0.05)
    channel.go_on.set()
    sender.join(10)
    closer.join(10)
    assert channel.sent == ["data", "close"]
