"""Claim: a machine has its own facts, what its parent says of it, and what the inventory declares, each with its source."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest
from cpuinfo_texts import INTEL, x86
from machine_sections import Sections, snapshot
from test_domain_is_what_libvirt_defines import ROW, xml

from pytest_nestvirt.cli.facts_json import dump
from pytest_nestvirt.facts.libvirt.domain import GuestDomain
from pytest_nestvirt.facts.libvirt.libvirt import DUMP, LIST
from pytest_nestvirt.facts.machine import Machine, build_machines
from pytest_nestvirt.facts.system.packages import Packages
from pytest_nestvirt.inventory.host import Connection, Environment, Host, Inventory
from pytest_nestvirt.observation.fact import Unobservable, facts_of, observing
from pytest_nestvirt.snapshot.snapshot import Status

L0 = Host("kvm01", 0, None, Connection.RECORDED, environment=Environment.DEV)
L1 = Host("l1", 1, "kvm01", Connection.RECORDED, domain="Intel-L1")
L2 = Host("l2", 2, "l1", Connection.RECORDED)
INVENTORY = Inventory((L0, L1, L2))

QEMU = "/usr/libexec/qemu-kvm\n-name\nguest=Intel-L1,debug-threads=on\n-machine\npc-q35-rhel8.2.0,accel=kvm\n"
PARENT: Mapping[str, str | Status] = {
    LIST: ROW.format(id=1, name="Intel-L1", state="running"),
    f"{DUMP}Intel-L1": xml("<cpu mode='host-passthrough'/>", name="Intel-L1"),
    "nestvirt/qemu/": "42\n",
    "nestvirt/qemu/42": QEMU,
    "etc/os-release": 'ID="rhel"\nVERSION_ID="8.10"\n',
    "proc/cpuinfo": x86(INTEL),
    "sos_commands/kernel/uname_-a": "Linux kvm01 4.18.0-553.el8_10.x86_64 #1 SMP x86_64 GNU/Linux\n",
}


def machines(**seen: Sections) -> dict[str, Machine]:
    """The machines of the inventory; one without sections could not be reached."""
    gone = {host.name: Unobservable("connection", f"{host.name} could not be reached") for host in INVENTORY}
    return build_machines(INVENTORY, {**gone, **{name: snapshot(sections) for name, sections in seen.items()}})


def test_the_family() -> None:
    """Parents and guests know each other."""
    built = machines()
    assert list(built) == ["kvm01", "l1", "l2"]
    assert built["l2"].parent is built["l1"]
    assert built["kvm01"].guests == (built["l1"],)
    assert (built["l1"].name, built["l1"].level, str(built["l1"])) == ("l1", 1, "l1 (L1)")


def test_a_guest_s_domain_is_told_by_its_parent() -> None:
    """Also where the guest itself could not be reached; the evidence names the parent's machine and sections."""
    guest = machines(kvm01=PARENT)["l1"]
    with observing() as seen:
        assert guest.domain.cpu_mode == "host-passthrough"
    (observation,) = seen
    assert (observation.host, observation.level, observation.fact) == ("kvm01", 0, "domains.Intel-L1.cpu_mode")
    assert f"{DUMP}Intel-L1" in observation.sources
    assert (guest.domain.defined, guest.domain.running, guest.domain.accel) == (True, True, "kvm")
    assert "guest=Intel-L1,debug-threads=on" in guest.domain.command_line
    assert guest.domain.machine_type == "pc-q35-8.0"
    with pytest.raises(Unobservable, match="could not be reached"):
        _ = guest.os.id


@pytest.mark.parametrize("name", ["kvm01", "l1", "l2"])
def test_what_nobody_can_tell_is_unknown(name: str) -> None:
    """An L0 has no parent; a guest's parent may be unreachable. Every fact on the domain is unknown then."""
    subject = machines()[name].domain
    for fact in facts_of(GuestDomain):
        with pytest.raises(Unobservable):
            getattr(subject, fact)


def test_a_domain_of_another_name() -> None:
    """It is surely not defined, it does not run, and its definition is unknown; the message says what to mend."""
    other = machines(kvm01={**PARENT, LIST: ROW.format(id=1, name="other", state="running")})["l1"].domain
    assert (other.defined, other.running) == (False, False)
    with pytest.raises(Unobservable, match="`domain:` in the inventory"):
        _ = other.cpu_mode


def test_two_cpu_elements_leave_the_mode_unknown() -> None:
    """Their number is known; which of them would hold is not."""
    two = "<cpu mode='host-passthrough'/><cpu mode='custom'><model>qemu64</model></cpu>"
    subject = machines(kvm01={**PARENT, f"{DUMP}Intel-L1": xml(two, name="Intel-L1")})["l1"].domain
    assert subject.xml.cpu_elements == 2
    with pytest.raises(Unobservable, match="2 <cpu> elements"):
        _ = subject.cpu_mode


def test_the_accelerator_of_a_guest() -> None:
    """The process tells, also that it cannot be told; without one the definition does."""
    choice = {**PARENT, "nestvirt/qemu/42": QEMU.replace("accel=kvm", "accel=kvm:tcg")}
    with pytest.raises(Unobservable, match="choice"):
        _ = machines(kvm01=choice)["l1"].domain.accel
    nobody = {**PARENT, "nestvirt/qemu/": Status.DENIED, f"{DUMP}Intel-L1": xml(kind="qemu", name="Intel-L1")}
    assert machines(kvm01=nobody)["l1"].domain.accel == "tcg"
    with pytest.raises(Unobservable):
        _ = machines(kvm01=nobody)["l1"].domain.command_line


def test_what_the_inventory_declares() -> None:
    """It is known whether or not the machine can be reached; what nobody wrote is unknown."""
    built = machines()
    with observing() as seen:
        assert built["kvm01"].declared.environment == "dev"
    assert seen[0].sources == ("inventory",)
    assert (built["l1"].declared.provider, built["l1"].declared.treat_as, built["l1"].declared.expendable) == (
        "libvirt",
        None,
        False,
    )
    with pytest.raises(Unobservable):
        _ = built["l1"].declared.environment


@pytest.mark.parametrize(
    "source, text",
    [
        ("nestvirt/packages", "qemu-kvm 6.2.0-12.el8\n"),
        ("installed-rpms", "qemu-kvm-6.2.0-12.el8.x86_64      Mon Jan  1 00:00:00 2024\nheading\n"),
        ("installed-debs", "||/ Name Version\nii  qemu-kvm  6.2.0-12.el8  amd64  text\nrc  gone  1  amd64  text\n"),
    ],
)
def test_packages(source: str, text: str) -> None:
    """The probe's list, and those of a sosreport."""
    assert Packages(machines(kvm01={source: text})["kvm01"].reader).installed == {"qemu-kvm": "6.2.0-12.el8"}


def test_every_fact_of_a_machine_is_a_value_or_unknown() -> None:
    """Whatever state its sections are in: facts raise `Unobservable` and nothing else, and their dump is JSON."""
    for status in Status:
        broken = dict.fromkeys([*PARENT, "proc/cmdline", "etc/modprobe.d/", "nestvirt/kvm_ioctl", "dev/kvm"], status)
        for machine in machines(kvm01=broken, l1={}).values():
            json.dumps(dump(machine))


def test_the_dump() -> None:
    """Values at their paths, null where unknown, with where they were read and why the rest is unknown."""
    told = json.loads(json.dumps(dump(machines(kvm01=PARENT)["kvm01"])))
    assert (told["arch"], told["arch_family"], told["cpu"]["vendor"], told["cpu"]["nested"]["capable"]) == (
        "x86_64",
        "x86",
        "intel",
        "yes",
    )
    assert (told["os"]["id"], told["os"]["version"], told["os"]["version_numbers"]) == ("rhel", "8.10", [8, 10])
    assert "release_rules" not in told["os"], "what a document says of a release is a verdict of its suite"
    assert told["provenance"]["cpu.flags"] == ["proc/cpuinfo"]
    assert told["kvm"]["nested"] is None
    assert told["unknown"]["kvm.nested"] == {"source": "sys/module/kvm_intel/parameters/nested", "why": "not collected"}
    found = told["domains"]["Intel-L1"]
    assert (found["cpu_mode"], found["accel"], found["hugepages"], found["nested_hv"]) == (
        "host-passthrough",
        "kvm",
        False,
        "absent",
    )
    assert "rules" not in found, "what documents say of a definition are verdicts of their suites"
    assert told["qemu"]["processes"][0]["pid"] == 42
    assert "domain" not in told


def test_the_dump_of_a_guest_has_what_its_parent_says() -> None:
    """Under `domain`, where its own libvirt's guests are under `domains`."""
    told = json.loads(json.dumps(dump(machines(kvm01=PARENT)["l1"])))
    assert told["domain"]["cpu_mode"] == "host-passthrough"
    assert told["domains"] is None
    assert told["os"]["id"] is None
    assert told["arch_family"] == "unknown"
