"""The fixtures that checks and people's own tests ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

import pytest

if TYPE_CHECKING:
    from pytest_nestvirt.facts.machine import Machine
    from pytest_nestvirt.manifests.manifest_object import ManifestObject
    from pytest_nestvirt.run.testinfra_host import NestvirtHost

LEVELS = ("l0", "l1", "l2")


def _without_inventory(name: str) -> NoReturn:
    pytest.fail(f"the fixture {name} needs an inventory: run pytest with --hosts=inventory.yml", pytrace=False)


@pytest.fixture
def l0() -> Machine:
    """The L0 of the chain: the hypervisor that offers nesting. Facts as attributes: `l0.cpu.flags`, `l0.kvm.nested`."""
    _without_inventory("l0")


@pytest.fixture
def l1() -> Machine:
    """The L1 of the chain: the guest hypervisor. `l1.domain` is the guest as its parent's libvirt defines it."""
    _without_inventory("l1")


@pytest.fixture
def l2() -> Machine:
    """The L2 of the chain: the nested guest. `l2.parent` is its L1."""
    _without_inventory("l2")


@pytest.fixture
def manifest() -> ManifestObject:
    """One object of the manifests: a VMClass, VMImage or VirtualMachine of VirtRigaud, each in turn.

    Facts as attributes: `manifest.kind`, and by kind `manifest.nested_virtualization`, `manifest.firmware`,
    `manifest.provider`; `manifest.at("spec.cpu")` is file, line, object and field, for messages.
    """
    pytest.fail(
        "the fixture manifest needs manifests: --nestvirt-manifest=FILE, or `manifests:` in the inventory",
        pytrace=False,
    )


@pytest.fixture(scope="module")
def guest(request: pytest.FixtureRequest) -> NestvirtHost:
    """A guest machine, as a testinfra Host: with `host` beside it, the test runs over every hypervisor and guest."""
    if not hasattr(request, "param"):
        _without_inventory("guest")
    return connect(request)


def connect(request: pytest.FixtureRequest) -> NestvirtHost:
    """The machine that the parameter of a fixture names."""
    run: Any = request.config.pluginmanager.get_plugin("pytest_nestvirt.run")
    host: NestvirtHost = run.testinfra_host(request.param)
    request.addfinalizer(lambda: run.assessment.transports.release(host.nestvirt.host))
    return host
