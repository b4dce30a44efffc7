"""Every read-only check of VirtRigaud's statements about machines tells conforming, violating and unseen machines apart."""

from __future__ import annotations

from pathlib import Path

import pytest
from manifest_trios import EVERYTHING
from recorded_machines import Chain, machines
from rhel8_trios import Trio
from suite_checks import CASES, assert_verdict, by_case, case_of, catalogue_of, plan_of, read_only
from virtrigaud_chains import libvirt_chain, proxmox_chain, vsphere_chain
from virtrigaud_trios import virtrigaud_trios

from pytest_nestvirt.catalogue.applicability import Applicable, suite_applies
from pytest_nestvirt.facts.machine import Machine
from pytest_nestvirt.manifests.load_manifests import load_manifests
from pytest_nestvirt.run.plan import Fate
from pytest_nestvirt.verdict import Verdict

CATALOGUE = catalogue_of("virtrigaud")
TRIOS = {trio.requirement: trio for trio in virtrigaud_trios()}


@pytest.fixture(scope="module")
def manifests(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A VirtualMachine that is called like the L1 of every chain."""
    file = tmp_path_factory.mktemp("manifests") / "set.yaml"
    file.write_text(EVERYTHING)
    return file


def described(chain: Chain, manifests: Path) -> tuple[Machine, ...]:
    """The machines of a chain, of which a manifest describes the L1."""
    line = machines(chain)
    line[1].manifest = load_manifests([manifests]).of_machine({"l1"})
    return line


def test_every_statement_about_machines_has_a_trio() -> None:
    """A statement that can be looked at, and has no conforming, violating and unobservable chain, is not tested."""
    about_machines = {i for i in read_only(CATALOGUE) if CATALOGUE.requirement(i).level != "manifest"}
    assert set(TRIOS) == about_machines


@by_case(TRIOS)
def test_check_tells_the_three_apart(trio: Trio, index: int, manifests: Path) -> None:
    """The check gives the verdict that is expected of that chain; the suite and the statement speak of it."""
    machine = described(trio.chains[index], manifests)[int(CATALOGUE.requirement(trio.requirement).level[1])]
    assert_verdict("virtrigaud", trio.requirement, machine, trio.verdicts[index], CASES[index])


@pytest.mark.parametrize(
    "chain", [libvirt_chain(), vsphere_chain(), proxmox_chain()], ids=["libvirt", "vsphere", "pve"]
)
def test_a_sound_chain_of_each_provider_has_no_finding(chain: Chain, manifests: Path) -> None:
    """What applies to it holds, and nothing is left open: no statement contradicts another."""
    plan = plan_of("virtrigaud", described(chain, manifests), *read_only(CATALOGUE))
    found = [case_of(planned) for planned in plan.entries.values() if planned.fate is Fate.RUN]
    good = {Verdict.PASS, Verdict.LIMIT_CONFIRMED}
    assert not [(case.requirement, case.reason) for case in found if case.verdict not in good]
    assert len(found) > 25


def test_a_libvirt_host_alone_is_not_judged(manifests: Path) -> None:
    """That its guests are made by VirtRigaud shows on no libvirt host: it takes a manifest, or a person who says so."""
    for requirement in ("VR-LIBVIRT-NESTED-ON", "VR-VER-LNX-FLAGS"):
        level = int(CATALOGUE.requirement(requirement).level[1])
        assert suite_applies(CATALOGUE.suites[0], machines(libvirt_chain())[level]).state is Applicable.NO
        assert suite_applies(CATALOGUE.suites[0], described(libvirt_chain(), manifests)[level]).state is Applicable.YES
