"""Whether a statement applies to an object of a manifest: the conditions that can be asked of one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pytest_nestvirt.manifests.manifest_object import ManifestObject
from pytest_nestvirt.manifests.virtual_machine import VirtualMachine
from pytest_nestvirt.manifests.vm_class import VmClass
from pytest_nestvirt.observation.fact import Unobservable


def _kind(item: ManifestObject, wanted: tuple[str, ...]) -> tuple[bool, str]:
    return item.kind in wanted, f"kind is {item.kind}"


def _has(item: ManifestObject, wanted: tuple[str, ...]) -> tuple[bool, str]:
    missing = [field for field in wanted if not item.has(field)]
    return not missing, f"has no {missing[0]}" if missing else f"has {', '.join(wanted)}"


def _nested(item: ManifestObject, wanted: bool) -> tuple[bool, str]:  # noqa: FBT001 - the signature of conditions
    about_nesting = isinstance(item, VmClass | VirtualMachine) and item.for_nesting
    return about_nesting is wanted, f"{item.name} is {'' if about_nesting else 'not '}about nested virtualization"


def _provider(item: ManifestObject, wanted: tuple[str, ...]) -> tuple[bool, str]:
    """A class holds for the providers of all its machines; with several of them it belongs to none alone."""
    if not isinstance(item, VmClass | VirtualMachine):
        raise Unobservable(item.place, f"{item.kind} has no provider")
    return item.providers <= set(wanted), f"provider is {', '.join(sorted(item.providers))}"


MANIFEST_CONDITIONS: Mapping[str, Callable[[ManifestObject, Any], tuple[bool, str]]] = {
    "kind": _kind,
    "has": _has,
    "nested": _nested,
    "provider": _provider,
}
"""The answer to each condition, and what was seen."""
