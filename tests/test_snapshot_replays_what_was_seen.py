"""Nothing but times differs between a machine that is looked at and its snapshot that is read again."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from probe_transports import ShellTransport, host
from small_host import SmallHost

from pytest_nestvirt.cli.facts_json import dump
from pytest_nestvirt.collect.probe import collect
from pytest_nestvirt.facts.machine import Machine
from pytest_nestvirt.snapshot.archive import load, save
from pytest_nestvirt.snapshot.snapshot import Section, Snapshot, Status


def facts(snapshot: Snapshot) -> object:
    """All that is known of a machine by a snapshot, with what is unknown and why."""
    return json.loads(json.dumps(dump(Machine(host(), snapshot, None))))


def replayed(snapshot: Snapshot, folder: Path, form: str) -> Snapshot:
    """The snapshot, saved and loaded; then that one, saved and loaded."""
    save(snapshot, folder / form)
    save(load(folder / form), folder / f"again-{form}")
    return load(folder / f"again-{form}")


every_form = pytest.mark.parametrize("form", ["host", "host.tar", "host.tar.gz"])


@every_form
def test_a_real_machine_is_replayed(tmp_path: Path, form: str) -> None:
    """Facts of this machine are the same live, saved, and saved again from what was saved."""
    snapshot = collect(ShellTransport(["sh"]), host())
    again = replayed(snapshot, tmp_path, form)
    assert facts(again) == facts(snapshot)
    assert again.note == snapshot.note


@every_form
@pytest.mark.parametrize("user", [0, 65534])
def test_a_machine_with_obstacles_is_replayed(small: SmallHost, tmp_path: Path, form: str, user: int) -> None:
    """So are those of one with files that are missing, refused, masked, not UTF-8, not files, or links."""
    small.write("proc/cmdline", "quiet\n")
    small.write(b"etc/modprobe.d/caf\xe9.conf", "options kvm_intel nested=0\n")
    small.write("etc/modprobe.d/two\nlines.conf", "options kvm_amd nested=0\n")
    small.write("etc/modprobe.d/secret.conf", "options kvm nested=1\n", mode=0o600)
    small.write("sys/class/dmi/id/product_uuid", "x\n", mode=0o400)
    os.mkfifo(small.root / "usr-release")
    (small.root / "etc/modprobe.d/mask.conf").symlink_to("/dev/null")
    (small.root / "etc/redhat-release").symlink_to("../usr-release")
    snapshot = Snapshot(small.probe(user=user))
    again = replayed(snapshot, tmp_path, form)
    assert dict(again.sections) == dict(snapshot.sections)
    assert facts(again) == facts(snapshot)


@every_form
def test_what_was_cut_off_is_replayed(tmp_path: Path, form: str) -> None:
    """A collection that stopped half-way says so as long as it is kept."""
    sections = {
        "proc/cpuinfo": Section(
            "proc/cpuinfo", Status.CUT, b"processor\t: 0\n", error="the output ended in the middle of it"
        ),
        "etc/modprobe.d/": Section("etc/modprobe.d/", data=b"a.conf\n"),
    }
    snapshot = Snapshot(sections, note="incomplete: the deadline passed, after etc/modprobe.d/")
    again = replayed(snapshot, tmp_path, form)
    assert (dict(again.sections), again.note) == (sections, snapshot.note)
    assert facts(again) == facts(snapshot)
