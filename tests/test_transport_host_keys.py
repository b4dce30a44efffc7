"""A machine must prove that it is the one it was."""

from __future__ import annotations

import base64
import fcntl
import hashlib
import hmac
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sshd import Sshd, make_key, public

from pytest_nestvirt.inventory.host import HostKeyPolicy
from pytest_nestvirt.transport.base import TransportError
from pytest_nestvirt.transport.host_keys import parse_known_hosts
from pytest_nestvirt.transport.ssh import SshTransport


def answer(sshd: Sshd, known: str, tmp_path: Path, **changes: Any) -> str:  # noqa: ANN401 - fields of SshAccess
    """What comes of connecting with these known hosts: `ok`, or the error's text. Nothing must have been logged in then."""
    file = tmp_path / "known_hosts"
    file.write_text(known)
    before = sshd.log.count("Accepted ")
    transport = SshTransport(sshd.host(known_hosts=(file,), **changes))
    try:
        return transport.run("echo ok").stdout.decode().strip()
    except TransportError as error:
        assert error.stage == "host key"  # noqa: PT017 - one of two outcomes
        assert sshd.log.count("Accepted ") == before
        return str(error)
    finally:
        transport.close()


def hashed(name: str) -> str:
    """A name as `HashKnownHosts yes` writes it."""
    salt = b"0123456789abcdefghij"
    digest = hmac.new(salt, name.encode(), hashlib.sha1).digest()
    return f"|1|{base64.b64encode(salt).decode()}|{base64.b64encode(digest).decode()}"


def other_key(tmp_path: Path) -> str:
    """The key of some other machine."""
    return public(make_key(tmp_path / "other"))


def test_an_unknown_key_is_refused_with_its_fingerprint(sshd: Sshd, tmp_path: Path) -> None:
    """Nothing is accepted that no file has; the message says what to compare and where it was looked for."""
    text = answer(sshd, "", tmp_path)
    digest = hashlib.sha256(base64.b64decode(public(sshd.host_key).split()[1])).digest()
    assert f"the host shows ssh-ed25519 SHA256:{base64.b64encode(digest).decode().rstrip('=')}" in text
    assert str(tmp_path / "known_hosts") in text
    assert "accept-new" in text


def test_a_changed_key_is_refused_with_file_and_line(start_sshd: Callable[..., Sshd], tmp_path: Path) -> None:
    """And with the command that mends it, if it is to be mended."""
    server = start_sshd()
    known = f"# comment\n\n{server.known_hosts_text()}"
    assert answer(server, known, tmp_path) == "ok"
    server.rotate_host_key()
    text = answer(server, known, tmp_path)
    assert f"THE HOST KEY HAS CHANGED: {tmp_path}/known_hosts:3 has ssh-ed25519 SHA256:" in text
    assert f"ssh-keygen -R '[127.0.0.1]:{server.port}' -f '{tmp_path}/known_hosts'" in text


def test_accept_new_does_not_accept_a_changed_key(sshd: Sshd, tmp_path: Path) -> None:
    """It is a choice for first meetings."""
    known = f"[127.0.0.1]:{sshd.port} {other_key(tmp_path)}\n"
    assert "HAS CHANGED" in answer(sshd, known, tmp_path, host_key=HostKeyPolicy.ACCEPT_NEW)
    assert (tmp_path / "known_hosts").read_text() == known


def test_accept_new_does_not_accept_a_key_of_another_type(sshd: Sshd, tmp_path: Path) -> None:
    """A host known by its ecdsa key that shows an ed25519 one is a changed host: whoever is in between can do that."""
    ecdsa = public(make_key(tmp_path / "ecdsa", kind="ecdsa"))
    known = f"[127.0.0.1]:{sshd.port} {ecdsa}\n"
    assert "HAS CHANGED" in answer(sshd, known, tmp_path, host_key=HostKeyPolicy.ACCEPT_NEW)


def test_accept_new_writes_the_key_down_once(sshd: Sshd, tmp_path: Path) -> None:
    """Behind a last line without a line break, too; from then on the host is verified."""
    for _ in range(2):
        old = (
            (tmp_path / "known_hosts").read_text()
            if (tmp_path / "known_hosts").exists()
            else f"other {other_key(tmp_path)}"
        )
        assert answer(sshd, old, tmp_path, host_key=HostKeyPolicy.ACCEPT_NEW) == "ok"
    lines = (tmp_path / "known_hosts").read_text().splitlines()
    assert lines[1:] == [f"[127.0.0.1]:{sshd.port} {public(sshd.host_key)}"]
    assert answer(sshd, "\n".join(lines), tmp_path) == "ok"


def test_accept_new_makes_the_file_for_its_owner_only(sshd: Sshd, tmp_path: Path) -> None:
    """As ssh would, folder included."""
    file = tmp_path / "new" / "known_hosts"
    transport = SshTransport(sshd.host(known_hosts=(file,), host_key=HostKeyPolicy.ACCEPT_NEW))
    transport.run("true")
    transport.close()
    assert (file.parent.stat().st_mode & 0o777, file.stat().st_mode & 0o777) == (0o700, 0o600)


def test_accept_new_waits_for_other_processes(sshd: Sshd, tmp_path: Path) -> None:
    """And judges what they have written meanwhile: two runs that meet a host first do not accept two keys."""
    file = tmp_path / "known_hosts"
    file.touch()
    outcome: list[str] = []

    def meet() -> None:
        transport = SshTransport(sshd.host(known_hosts=(file,), host_key=HostKeyPolicy.ACCEPT_NEW))
        try:
            outcome.append(transport.run("echo ok").stdout.decode())
        except TransportError as error:
            outcome.append(str(error))
        transport.close()

    with file.open("a") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        thread = threading.Thread(target=meet)
        thread.start()
        thread.join(0.5)
        assert not outcome
        other.write(f"[127.0.0.1]:{sshd.port} {other_key(tmp_path)}\n")
    thread.join()
    assert "HAS CHANGED" in outcome[0]


def test_hashed_entries_are_understood(sshd: Sshd, tmp_path: Path) -> None:
    """The right name's hash lets in, another name's does not."""
    key = public(sshd.host_key)
    assert answer(sshd, f"{hashed(f'[127.0.0.1]:{sshd.port}')} {key}\n", tmp_path) == "ok"
    assert "no key of" in answer(sshd, f"{hashed('[127.0.0.2]:22')} {key}\n", tmp_path)


def test_a_key_known_for_port_22_serves_other_ports(sshd: Sshd, tmp_path: Path) -> None:
    """As in ssh: the same key is the same machine. Another one there says nothing about this port."""
    assert answer(sshd, f"127.0.0.1 {public(sshd.host_key)}\n", tmp_path) == "ok"
    assert "no key of" in answer(sshd, f"127.0.0.1 {other_key(tmp_path)}\n", tmp_path)


def test_patterns_and_negations_are_understood(sshd: Sshd, tmp_path: Path) -> None:
    """`*`, `?` and `!`."""
    key = public(sshd.host_key)
    assert answer(sshd, f"[127.0.0.?]:* {key}\n", tmp_path) == "ok"
    assert "no key of" in answer(sshd, f"[127.0.0.*]:*,!127.0.0.*,![127.0.0.1]:* {key}\n", tmp_path)


def test_a_revoked_key_is_refused_wherever_it_is_known(sshd: Sshd, tmp_path: Path) -> None:
    """The mark goes before every other line, and before accept-new."""
    key = public(sshd.host_key)
    known = f"{sshd.known_hosts_text()}@revoked * {key}\n"
    for policy in HostKeyPolicy:
        assert f"{tmp_path}/known_hosts:6 revokes" in answer(sshd, known, tmp_path, host_key=policy)


def test_a_certificate_authority_is_no_host_key(sshd: Sshd, tmp_path: Path) -> None:
    """Host certificates are not supported, and the message says so where one would have helped."""
    text = answer(sshd, f"@cert-authority * {public(sshd.host_key)}\n", tmp_path)
    assert "@cert-authority for it, but host certificates are not supported" in text


def test_the_known_type_is_asked_for(start_sshd: Callable[..., Sshd], tmp_path: Path) -> None:
    """A host with several keys, known by its RSA one, is the host it was."""
    rsa = make_key(tmp_path / "rsa", kind="rsa")
    server = start_sshd(config=[f"HostKey {rsa}"])
    assert answer(server, server.known_hosts_text(rsa), tmp_path) == "ok"


def test_a_known_hosts_file_that_cannot_be_read_is_an_error(sshd: Sshd, tmp_path: Path) -> None:
    """It may hold the line that revokes."""
    with pytest.raises(TransportError, match=r"host key: .* cannot be read: is a directory"):
        SshTransport(sshd.host(known_hosts=(tmp_path,))).run("true")


def test_the_alias_of_the_configuration_is_the_name(sshd: Sshd, tmp_path: Path) -> None:
    """HostKeyAlias tells machines apart that share an address."""
    (tmp_path / "config").write_text("HostKeyAlias l1-of-kvm01\n")
    known = f"l1-of-kvm01 {public(sshd.host_key)}\n[127.0.0.1]:{sshd.port} {other_key(tmp_path)}\n"
    assert answer(sshd, known, tmp_path, config=tmp_path / "config") == "ok"


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet=st.sampled_from("|1=@ \t\n#a*?![],:AB/\0é"), max_size=80) | st.text(max_size=40))
def test_no_text_upsets_the_reader(text: str) -> None:
    """Any text gives keys or none; a name that nobody wrote is not matched but by patterns."""
    for key in parse_known_hosts(text):
        assert key.kind
        key.is_of("kvm01")
        if not set("*?") & set("".join(key.names)):
            assert not key.is_of("a name that stands in no file")
