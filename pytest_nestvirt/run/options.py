"""What the command line asks for: inventory, suites, manifests and profiles, from pytest's options and arguments."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_nestvirt.catalogue.load_catalogue import Catalogue, CatalogueError, load_catalogue
from pytest_nestvirt.embedded import embedded
from pytest_nestvirt.facts.performance import LEAST_ROUNDS
from pytest_nestvirt.inventory.allotment import ShardNumber, allotted, parse_shard
from pytest_nestvirt.inventory.host import Host, Inventory
from pytest_nestvirt.inventory.load_inventory import InventoryError, inventory_files, load_inventory, local_inventory
from pytest_nestvirt.manifests.load_manifests import ManifestError, load_manifests
from pytest_nestvirt.manifests.references import Surroundings
from pytest_nestvirt.run.assessment import Assessment
from pytest_nestvirt.run.given_path import given_path
from pytest_nestvirt.run.suite_paths import suite_folders

TESTINFRA = "pytest11.testinfra"
"""Name under which pytest-testinfra registers its plugin."""

TESTINFRA_OPTIONS = {
    "connection": ("--connection", "`connection:`"),
    "ssh_config": ("--ssh-config", "`config:`"),
    "ssh_extra_args": ("--ssh-extra-args", "`config:`"),
    "ssh_identity_file": ("--ssh-identity-file", "`identity:`"),
    "sudo": ("--sudo", "`become:`"),
    "sudo_user": ("--sudo-user", "`user:`"),
    "ansible_inventory": ("--ansible-inventory", "hosts"),
    "force_ansible": ("--force-ansible", "hosts"),
}
"""testinfra's options for how machines are reached, by destination: an inventory says it for each host."""


def assessment_of(config: pytest.Config, hosts: str | None) -> Assessment:
    """Read inventory and catalogue; nothing connects yet. Raises `pytest.UsageError`, one line per problem."""
    try:
        whole = _inventory(hosts, manifest_paths(config))
        if hosts is not None:
            _refuse_testinfra_options(config)
        is_named = hosts is not None or bool(whole.manifests)
        if is_named:
            _find_node_ids(config)
            _name_suites(config)
        catalogue = load_catalogue(suite_folders(argument_paths(config), below=2 if is_named else 1))
        limit: list[str] = config.getoption("nestvirt_limit") or []
        shard = _shard(config)
        inventory = limited(whole, limit) if shard is None else allotted(whole, shard)
        manifests = load_manifests(inventory.manifests, _surroundings(whole))
        profiles, rounds = _profiles(config, catalogue), measuring_rounds(config)
        return Assessment(
            inventory, catalogue, profiles, manifests, measuring_rounds=rounds, reach=whole, limit=limit, shard=shard
        )
    except (InventoryError, CatalogueError, ManifestError) as error:
        raise pytest.UsageError(str(error)) from None


def _shard(config: pytest.Config) -> ShardNumber | None:
    text: str | None = config.getoption("nestvirt_shard")
    if text is None:
        return None
    if config.getoption("nestvirt_limit"):
        raise pytest.UsageError(
            "--nestvirt-shard and --nestvirt-limit exclude each other: a shard is a part of the whole inventory"
        )
    return parse_shard(text)


def _refuse_testinfra_options(config: pytest.Config) -> None:
    if not config.pluginmanager.has_plugin(TESTINFRA):
        return  # pytest-ansible has an option --ansible-inventory of its own, with a default
    for name, (option, key) in TESTINFRA_OPTIONS.items():
        if getattr(config.option, name, None):
            raise pytest.UsageError(f"{option} has no effect on the hosts of an inventory; use {key} there")


def limited(inventory: Inventory, names: Sequence[str]) -> Inventory:
    """The chains through the named hosts, the named chains and the named manifests; everything where no name is given.

    Raises `InventoryError` for a name that the inventory does not have.
    """
    if not names:
        return inventory
    wanted = [name.strip() for name in names]
    chains = {" > ".join(host.name for host in chain): chain for chain in inventory.chains()}
    chosen = [_chosen(name, chains) for name in wanted]
    manifests = tuple(path for path in inventory.manifests if {path.name, str(path)} & set(wanted))
    files = {name for path in manifests for name in (path.name, str(path))}
    unknown = [name for name, found in zip(wanted, chosen, strict=True) if not found and name not in files]
    if unknown:
        known = ", ".join([*chains, *(path.name for path in inventory.manifests)]) or "none"
        raise InventoryError([f"--nestvirt-limit: no host, chain or manifest {unknown[0]!r}; available: {known}"])
    hosts = {host.name for found in chosen for chain in found for host in chain}
    return replace(inventory, hosts=tuple(host for host in inventory if host.name in hosts), manifests=manifests)


def _chosen(name: str, chains: Mapping[str, tuple[Host, ...]]) -> list[tuple[Host, ...]]:
    spaced = " > ".join(part.strip() for part in name.split(">"))
    return [chain for text, chain in chains.items() if text == spaced or name in {host.name for host in chain}]


def _find_node_ids(config: pytest.Config) -> None:
    """Let node ids of the embedded suites be given as pytest prints them: `rhel8/test_intel.py::test_nesting_is_on[kvm01]`."""
    suites = embedded("suites")
    for place, argument in enumerate(config.args):
        name = argument.partition("::")[0]
        if name and not (config.invocation_params.dir / name).exists() and (suites / name).exists():
            config.args[place] = f"{suites}/{argument}"


def _name_suites(config: pytest.Config) -> None:
    """Lead to the embedded suites where the command line names no tests at all.

    `testpaths` names the tests of a project of its own; a run of those alone would judge nothing, and pass.
    """
    if config.args_source is pytest.Config.ArgsSource.INVOCATION_DIR:
        config.args[:] = [str(embedded("suites"))]
    elif config.args_source is pytest.Config.ArgsSource.TESTPATHS and not suite_folders(
        argument_paths(config), below=2
    ):
        config.args.append(str(embedded("suites")))


def left_aside(config: pytest.Config) -> list[str]:
    """A line of the header, where the embedded suites run in place of tests in the working directory."""
    suites, here = str(embedded("suites")), config.invocation_params.dir
    tests = (found for pattern in ("test_*.py", "*_test.py", "*/test_*.py") for found in here.glob(pattern))
    if config.args_source is not pytest.Config.ArgsSource.INVOCATION_DIR or config.args != [suites] or not any(tests):
        return []
    return [f"nestvirt: the tests of this directory are not run; to run both, add . {suites}"]


def manifest_paths(config: pytest.Config) -> tuple[Path, ...]:
    """The files that `--nestvirt-manifest` names."""
    named: list[str] = config.getoption("nestvirt_manifest") or []
    return tuple(given_path("--nestvirt-manifest", name, config.invocation_params.dir) for name in named)


def _inventory(hosts: str | None, manifests: Sequence[Path]) -> Inventory:
    """What the options name; this machine where they name nothing, and no machine where they name manifests alone."""
    if hosts is not None:
        inventory = load_inventory(inventory_files(hosts))
    else:
        inventory = Inventory(()) if manifests else local_inventory()
    return replace(inventory, manifests=(*inventory.manifests, *manifests))


def _surroundings(inventory: Inventory) -> Surroundings:
    """What manifests may refer to: providers by name, and the guest hypervisors that are made from them."""
    names = {name for host in inventory if host.level == 1 for name in (host.name, host.domain)}
    return Surroundings({host.name: host.provider.value for host in inventory}, frozenset(names))


def argument_paths(config: pytest.Config) -> Iterator[Path]:
    """The files and folders that pytest's arguments name, `--pyargs` packages included."""
    for argument in config.args:
        name = argument.partition("::")[0]
        path = config.invocation_params.dir / name
        if config.option.pyargs and not path.exists():
            yield from _package_paths(name)
        else:
            yield path


def _package_paths(name: str) -> Iterator[Path]:
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return
    if spec is not None:
        yield from map(Path, spec.submodule_search_locations or ([spec.origin] if spec.origin else []))


def measuring_rounds(config: pytest.Config) -> int:
    """How often each machine is measured; 0 without `--nestvirt-measure`. Raises `pytest.UsageError` for too few rounds."""
    rounds: int = config.getoption("nestvirt_measure_rounds")
    if rounds < LEAST_ROUNDS:
        raise pytest.UsageError(
            f"--nestvirt-measure-rounds: {rounds}: must be at least {LEAST_ROUNDS} (spread cannot be estimated from fewer)"
        )
    return rounds if config.getoption("nestvirt_measure") and not config.getoption("collectonly") else 0


def _profiles(config: pytest.Config, catalogue: Catalogue) -> frozenset[str]:
    wanted: str | None = config.getoption("nestvirt_profile")
    if wanted is None:
        return frozenset()
    profiles = frozenset(part.strip() for part in wanted.split(",") if part.strip())
    known = sorted(suite.source.id for suite in catalogue.suites)
    unknown = sorted(profiles - set(known))
    if unknown or not profiles:
        named = ", ".join(unknown) or "(empty)"
        raise pytest.UsageError(f"--nestvirt-profile: unknown source: {named}; available: {', '.join(known) or 'none'}")
    return profiles
