"""Every check of VirtRigaud's manifests passes where it should, fails where it should, and says when it can't tell."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from manifest_trios import ManifestTrio, but, manifest_trios
from suite_checks import CASES, assert_verdict, case_on, catalogue_of, read_only

from pytest_nestvirt.catalogue.applicability import Applicable, requirement_applies
from pytest_nestvirt.manifests.load_manifests import load_manifests
from pytest_nestvirt.manifests.manifest_object import ManifestObject
from pytest_nestvirt.verdict import Verdict

CATALOGUE = catalogue_of("virtrigaud")
TRIOS = {trio.requirement: trio for trio in manifest_trios()}
ABOUT_MANIFESTS = sorted(i for i in read_only(CATALOGUE) if "manifest" in CATALOGUE.requirement(i).levels)
EVERY = [
    pytest.param(trio, index, id=f"{trio.requirement}-{CASES[index]}")
    for trio in TRIOS.values()
    for index in range(3)
    if index < 2 or trio.unobservable is not None
]
LOCATED = re.compile(r"set\.yaml:\d+: (VMClass|VMclass|VMImage|VirtualMachine) \S+: [A-Za-z.]+")


@pytest.fixture
def find(tmp_path: Path) -> Callable[[str, str], ManifestObject]:
    """An object of a manifest that is given as text, by its name."""

    def find(text: str, name: str) -> ManifestObject:
        file = tmp_path / "set.yaml"
        file.write_text(text)
        return {item.name: item for item in load_manifests([file]).objects}[name]

    return find


def test_every_statement_about_manifests_has_a_trio() -> None:
    """A statement that can be looked at, and has no conforming and no violating manifest, is not tested."""
    assert sorted(TRIOS) == ABOUT_MANIFESTS


@pytest.mark.parametrize("trio,index", EVERY)
def test_check_tells_them_apart(trio: ManifestTrio, index: int, find: Callable[[str, str], ManifestObject]) -> None:
    """The check gives the verdict that is expected; a violation names file, line, object and field."""
    text = (trio.conforming, trio.violating, trio.unobservable)[index]
    assert text is not None
    name = "VirtualMachine/l1" if CASES[index] == "unobservable" and "SIZE" in trio.requirement else trio.item
    item = find(text, trio.violator if index == 1 and trio.violator else name)
    reason = assert_verdict("virtrigaud", trio.requirement, item, trio.verdicts[index], CASES[index])
    if CASES[index] == "violating":
        assert LOCATED.match(reason), reason


def test_no_statement_about_machines_is_asked_of_an_object(find: Callable[[str, str], ManifestObject]) -> None:
    """An object has no kernel: what is about machines does not apply to it."""
    item = find(TRIOS["VR-MAN-KINDS"].conforming, "VMClass/big")
    for requirement in CATALOGUE:
        if "manifest" not in requirement.levels:
            assert requirement_applies(requirement, item).state is Applicable.NO, requirement.id


@pytest.mark.parametrize(
    "old, new, item, field",
    [
        ("ization: true", "isation: true", "VMClass/big", "spec.performanceProfile.nestedVirtualisation"),
        ("  cpu: 8\n", "  cpu: 8\n  cpus: 8\n", "VMClass/big", "spec.cpus"),
        ("secureBoot: false", "secureboot: false", "VMClass/big", "spec.securityProfile.secureboot"),
        ("      url: ", "      uri: x\n      url: ", "VMImage/jammy", "spec.source.libvirt.uri"),
        ("classRef: ", "class: big\n  classRef: ", "VirtualMachine/l1", "spec.class"),
    ],
)
def test_a_field_that_the_version_lacks_is_refused_by_kubectl(
    old: str, new: str, item: str, field: str, find: Callable[[str, str], ManifestObject]
) -> None:
    """Verdict and message are about strict validation; the API server by itself drops the field."""
    case = case_on("virtrigaud", "VR-MAN-APIVERSION", find(but((old, new)), item))
    assert case.verdict is Verdict.FAIL
    assert field in case.reason
    assert "kubectl refuses the object" in case.reason
    assert "API server refuses" not in case.reason


def test_what_is_free_to_name_is_not_an_unknown_field(find: Callable[[str, str], ManifestObject]) -> None:
    """`extraConfig` takes any key, and a `status` that was dumped along is a field."""
    text = but(("  cpu: 8\n", "  cpu: 8\n  extraConfig: {anything: goes}\n  hardwareVersion: 19\n"))
    assert case_on("virtrigaud", "VR-MAN-APIVERSION", find(text, "VMClass/big")).verdict is Verdict.PASS
