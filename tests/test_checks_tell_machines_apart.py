"""Every read-only check passes where it should, fails where it should, and says when it cannot tell.

The checks of VirtRigaud's statements, which need manifests, have a file of their own.
"""

from __future__ import annotations

import kvm_wiki_trios
import pytest
import rhel8_trios
import stoney_trios
import ubuntu_trios
from rhel8_trios import Trio
from suite_checks import CASES, assert_told_apart, catalogue_of, read_only

TRIOS = {
    "rhel8": list(rhel8_trios.trios()),
    "ubuntu": list(ubuntu_trios.trios()),
    "stoney": list(stoney_trios.trios()),
    "kvm_wiki": list(kvm_wiki_trios.trios()),
}


@pytest.mark.parametrize("folder", TRIOS)
def test_every_read_only_requirement_has_a_trio(folder: str) -> None:
    """A statement that can be looked at, and has no conforming, violating and unobservable chain, is not tested."""
    assert {trio.requirement for trio in TRIOS[folder]} == set(read_only(catalogue_of(folder)))


@pytest.mark.parametrize(
    "folder,trio,index",
    [
        pytest.param(folder, trio, index, id=f"{trio.requirement}-{case}")
        for folder, trios in TRIOS.items()
        for trio in trios
        for index, case in enumerate(CASES)
    ],
)
def test_check_tells_the_three_apart(folder: str, trio: Trio, index: int) -> None:
    """The check gives the verdict that is expected of each chain, and explains in words what is not as it should be."""
    assert_told_apart(folder, trio, index)
