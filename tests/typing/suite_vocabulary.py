"""Checked by mypy, never run: what a suite reads has the types that its author can rely on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import assert_type

import pytest

import pytest_nestvirt
from pytest_nestvirt import suite
from pytest_nestvirt.suite import Blocked, Machine, ManifestObject, Unobservable, VirtualMachine, VmClass, requirement


@requirement("HOUSE-ONE", "HOUSE-TWO")
def test_check(l0: Machine, l1: Machine) -> None:
    """The marker keeps the signature of the function."""
    assert_type(l0.name, str)
    assert_type(l0.level, int)
    assert_type(l1.parent, Machine | None)
    assert_type(l0.guests, tuple[Machine, ...])


assert_type(test_check(l0=Machine.__new__(Machine), l1=Machine.__new__(Machine)), None)
assert_type(requirement("HOUSE-ONE"), pytest.MarkDecorator)


def facts_have_the_types_of_their_values(l0: Machine) -> None:
    """A fact is a property: a value, never None for what is unknown, which is raised."""
    assert_type(l0.kvm.nested, bool)
    assert_type(l0.cpu.count, int)
    assert_type(l0.kernel.version, tuple[int, ...])
    assert_type(l0.os.id, str)
    assert_type(l0.declared.treat_as, str | None)
    assert_type(l0.memory.huge_pages, Mapping[int, int])


def facts_are_read_only(l0: Machine) -> None:
    """Assigning to one, or reading one that there is not, is a mistake that mypy finds."""
    _ = l0.cpu.flag  # type: ignore[attr-defined]


def objects_of_manifests(manifest: ManifestObject) -> None:
    """The kinds are told apart by isinstance."""
    assert_type(manifest.kind, str)
    if isinstance(manifest, VmClass):
        assert_type(manifest.cpu, int)
    elif isinstance(manifest, VirtualMachine):
        assert_type(manifest.provider, str)


def questions_across_machines(l0: Machine, l1: Machine) -> None:
    """The functions of the vocabulary."""
    assert_type(suite.runs(l0, "rhel >=8.2"), bool)
    assert_type(suite.describe(l1, "os.id", "os.version"), str)
    assert_type(suite.known_or(lambda: l0.cpu.count, 1), int)
    assert_type(suite.either(lambda: l0.kvm.nested, lambda: l1.kvm.nested), bool)
    assert_type(suite.render(l0.cpu.flags), str)


def what_is_unknown() -> None:
    """Unknown and blocked are exceptions; the first says where the answer would have been."""
    unknown = Unobservable("proc/cpuinfo", "reading it was refused")
    assert_type(unknown.source, str)
    assert_type(unknown.host, str)
    raise Blocked("nesting is off on kvm01") from unknown


assert_type(pytest_nestvirt.Machine, type[Machine])
