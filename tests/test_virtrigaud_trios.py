"""Every read-only check of VirtRigaud's statements about machines tells conforming, violating and unseen machines apart."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from manifest_trios import EVERYTHING
from recorded_machines import Chain
from rhel8_trios import Trio
from suite_checks import CASES, by_case, catalogue_of, checks_of, judged_machine, read_only, verdict_of
from virtrigaud_chains import libvirt_chain, proxmox_chain, vsphere_chain
from virtrigaud_trios import virtrigaud_trios

from pytest_nestvirt.catalogue.applicability import Applicable, requirement_applies, suite_applies
from pytest_nestvirt.catalogue.requirement import Requirement
from pytest_nestvirt.facts.machine import Machine
from pytest_nestvirt.manifests.load_manifests import load_manifests
from pytest_nestvirt.verdict import Verdict

CATALOGUE = catalogue_of("virtrigaud")
TRIOS = {trio.requirement: trio for trio in virtrigaud_trios()}


@pytest.fixture(scope="module")
def manifests(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A VirtualMachine that is called like the L1 of every chain."""
    file = tmp_path_factory.mktemp("manifests") / "set.yaml"
    file.write_text(EVERYTHING)
    return file


def machines_of(requirement: Requirement, chain: Chain, manifests: Path) -> tuple[Machine, Mapping[str, Machine]]:
    """The machine that the verdict is about, and its chain; the L1 is told of by a manifest."""
    machine, line = judged_machine(requirement, chain)
    line["l1"].manifest = load_manifests([manifests]).of_machine({"l1"})
    return machine, line


def test_every_statement_about_machines_has_a_trio() -> None:
    """A statement that can be looked at, and has no conforming, violating and unobservable chain, is not tested."""
    about_machines = {i for i in read_only(CATALOGUE) if CATALOGUE.requirement(i).level != "manifest"}
    assert set(TRIOS) == about_machines


@by_case(TRIOS)
def test_check_tells_the_three_apart(trio: Trio, index: int, manifests: Path) -> None:
    """The check gives the verdict that is expected of that chain; the suite and the statement speak of it."""
    requirement = CATALOGUE.requirement(trio.requirement)
    machine, line = machines_of(requirement, trio.chains[index], manifests)
    allowed = {Applicable.YES} if index < 2 else {Applicable.YES, Applicable.UNDECIDED}
    applies, judges = requirement_applies(requirement, machine), suite_applies(CATALOGUE.suites[0], machine)
    assert applies.state in allowed, applies
    assert judges.state in allowed, judges
    verdict, reason = verdict_of(checks_of("virtrigaud")[requirement.id], requirement, line)
    assert verdict is trio.verdicts[index], reason
    assert "\n" not in reason
    assert reason or CASES[index] == "conforming", "a bare assertion says nothing to a person"


@pytest.mark.parametrize(
    "chain", [libvirt_chain(), vsphere_chain(), proxmox_chain()], ids=["libvirt", "vsphere", "pve"]
)
def test_a_sound_chain_of_each_provider_has_no_finding(chain: Chain, manifests: Path) -> None:
    """What applies to it holds, and nothing is left open: no statement contradicts another."""
    found = {}
    for name in read_only(CATALOGUE):
        requirement = CATALOGUE.requirement(name)
        if requirement.level == "manifest":
            continue
        machine, line = machines_of(requirement, chain, manifests)
        if requirement_applies(requirement, machine).state is Applicable.YES:
            found[name] = verdict_of(checks_of("virtrigaud")[name], requirement, line)
    wrong = {name: told for name, told in found.items() if told[0] not in {Verdict.PASS, Verdict.LIMIT_CONFIRMED}}
    assert not wrong
    assert len(found) > 25


def test_a_libvirt_host_alone_is_not_judged(manifests: Path) -> None:
    """That its guests are made by VirtRigaud shows on no libvirt host: it takes a manifest, or a person who says so."""
    for requirement in ("VR-LIBVIRT-NESTED-ON", "VR-VER-LNX-FLAGS"):
        machine, line = judged_machine(CATALOGUE.requirement(requirement), libvirt_chain())
        assert suite_applies(CATALOGUE.suites[0], machine).state is Applicable.NO
        line["l1"].manifest = load_manifests([manifests]).of_machine({"l1"})
        assert suite_applies(CATALOGUE.suites[0], machine).state is Applicable.YES
