"""testinfra's own API over our transports."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import testinfra.host
from sshd import Sshd

from pytest_nestvirt.facts.machine import build_machines
from pytest_nestvirt.inventory.host import Connection, Host
from pytest_nestvirt.inventory.local_machine import local_inventory
from pytest_nestvirt.run.testinfra_host import NestvirtHost
from pytest_nestvirt.transport.base import TransportError
from pytest_nestvirt.transport.local import LocalTransport
from pytest_nestvirt.transport.ssh import SshTransport
from pytest_nestvirt.transport.testinfra_backend import NestvirtBackend, RootCommand


def over(transport: SshTransport | LocalTransport, name: str = "kvm01") -> Any:  # noqa: ANN401 - testinfra's modules are typed as classes
    """A testinfra host."""
    backend = NestvirtBackend(transport, name)
    host = testinfra.host.Host(backend)
    backend.set_host(host)
    return host


@pytest.fixture
def host(sshd: Sshd) -> Iterator[Any]:
    """A testinfra host over SSH."""
    transport = SshTransport(sshd.host())
    yield over(transport)
    transport.close()


def test_arguments_are_quoted(host: Any) -> None:  # noqa: ANN401 - as above
    """As testinfra promises."""
    done = host.run("printf %s %s", "%s", "a b;$(id)'\"")
    assert (done.rc, done.stdout) == (0, "a b;$(id)'\"")


def test_modules_work(host: Any, tmp_path: Path) -> None:  # noqa: ANN401 - as above
    """Files, packages, processes, system information: over SSH as over testinfra's own backends."""
    (tmp_path / "a file").write_text("content\n")
    assert host.file(str(tmp_path / "a file")).content_string == "content\n"
    assert not host.file(str(tmp_path / "missing")).exists
    assert host.system_info.type == "linux"
    assert host.user("root").uid == 0
    assert host.exists("sh")
    assert host.process.filter(comm="sshd")


def test_output_that_is_no_text_does_not_raise(host: Any) -> None:  # noqa: ANN401 - as above
    """Bytes survive the way through text and back; the host is not asked for its Python."""
    done = host.run(r"printf '\377\303\244\000'")
    assert (done.stdout, done.stdout_bytes) == ("\udcffä\0", b"\xff\xc3\xa4\0")
    assert host.backend.encode(done.stdout) == done.stdout_bytes


def test_output_that_was_cut_is_an_error(sshd: Sshd) -> None:
    """`assert "x" not in output` must not pass because x was thrown away."""
    transport = SshTransport(sshd.host(), cap=100)
    with pytest.raises(TransportError, match=r"kvm01: command: `head -c 200 /dev/zero` printed more than is kept"):
        over(transport).run("head -c 200 /dev/zero")
    transport.close()


def test_an_unreachable_host_is_an_error_and_no_exit_code(sshd: Sshd) -> None:
    """`assert host.run(...).rc != 0` must not pass because the connection failed."""
    with pytest.raises(TransportError, match="refused the connection"):
        over(SshTransport(sshd.host(port=1))).run("false")


def test_the_id_is_the_name_of_the_inventory(host: Any) -> None:  # noqa: ANN401 - as above
    """Which stands in pytest's ids."""
    assert host.backend.get_pytest_id() == "nestvirt://kvm01"


@pytest.mark.skipif(os.geteuid() != 0, reason="root becomes another user without a password")
def test_sudo_is_the_transports_own() -> None:
    """`host.sudo()` is root by the inventory's way there; `host.sudo(user)` goes on from root, nested or not."""
    host = over(LocalTransport(Host("here", 0, None, Connection.LOCAL)), "here")
    with host.sudo():
        assert host.check_output("id -un") == "root"
        with host.sudo("nobody"):
            assert host.check_output("id -un; echo %s", "it's") == "nobody\nit's"
        assert host.check_output("id -un") == "root"
    assert host.check_output("id -un") == "root"


def test_sudo_marks_commands_and_nothing_else(host: Any) -> None:  # noqa: ANN401 - as above
    """Only inside the block does the transport hear `become`."""
    heard = []
    transport = host.backend.transport
    run = transport.run

    def listen(command: str, **options: object) -> object:
        heard.append((command, options["become"]))
        return run(command)

    transport.run = listen
    host.run("echo %s", "a b")
    with host.sudo():
        host.run("echo %s", "a b")
    assert heard == [("echo 'a b'", False), ("echo 'a b'", True)]
    assert isinstance(host.backend.get_sudo_command("x", None), RootCommand)


def test_another_host_is_reached_from_a_machine_of_the_inventory(sshd: Sshd) -> None:
    """`host.get_host()` and `host.get_hosts()` take testinfra's host specs and lead to testinfra's own hosts."""
    host = NestvirtHost(SshTransport(sshd.host()), build_machines(local_inventory(), {})["localhost"])
    assert host.get_host("local://").check_output("echo here") == "here"
    assert [other.backend.get_pytest_id() for other in host.get_hosts(["local://"])] == ["local"]
    assert type(host.get_host("local://", sudo=True)) is testinfra.host.Host
