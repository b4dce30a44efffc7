"""`nestvirt collect` and `nestvirt facts`: from live hosts to snapshots, from snapshots to typed facts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import click

from pytest_nestvirt.cli.facts_json import dump
from pytest_nestvirt.collect.fleet import collect_fleet
from pytest_nestvirt.collect.look import Collected
from pytest_nestvirt.facts.machine import Machine, build_machines
from pytest_nestvirt.inventory.host import Connection, Host, Inventory, SshAccess
from pytest_nestvirt.inventory.load_inventory import InventoryError, inventory_files, load_inventory, local_inventory
from pytest_nestvirt.observation.fact import Unobservable
from pytest_nestvirt.report.sanitize import plain
from pytest_nestvirt.snapshot.archive import load, load_recorded, save
from pytest_nestvirt.snapshot.snapshot import Snapshot, SnapshotError
from pytest_nestvirt.transport.pool import Transports


@click.command()
@click.argument("hosts", nargs=-1, required=True, metavar="HOST...")
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="Directory for the snapshots.")
@click.option("--hosts", "inventory", help="Inventory that has the HOSTs; without it they are SSH names.")
@click.option("--archive", is_flag=True, help="Write HOST.tar.xz instead of a directory.")
@click.option("--overwrite", is_flag=True, help="Replace snapshots that are there already.")
def collect(hosts: tuple[str, ...], output: Path, inventory: str | None, *, archive: bool, overwrite: bool) -> None:
    """Look at each HOST once and keep what was read.

    HOST is a name of the inventory given by --hosts, an SSH destination (user@address:port, or a name of
    ~/.ssh/config), or `local`.
    """
    chosen = _destinations(hosts) if inventory is None else _chosen(_inventory(inventory), hosts)
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise click.ClickException(f"{output}: can't be created: {error.strerror}") from None
    seen = _look(chosen)
    kept = [_keep(name, seen[name], output, archive=archive, overwrite=overwrite) for name in hosts]
    if not all(kept):
        raise SystemExit(1)


def _keep(name: str, collected: Collected, output: Path, *, archive: bool, overwrite: bool) -> bool:
    if collected.snapshot is None:
        click.echo(f"{name}: {plain(collected.trouble or 'not accessible (connection: none)', 400)}", err=True)
        return False
    target = output / (f"{name}.tar.xz" if archive else name)
    try:
        save(collected.snapshot, target, overwrite=overwrite)
    except SnapshotError as error:
        click.echo(str(error), err=True)
        return False
    note = f" ({collected.snapshot.note})" if collected.snapshot.note else ""
    click.echo(f"{name}: {len(collected.snapshot.sections)} sections in {target}{note}")
    return True


@click.command()
@click.option("--hosts", help="Inventory of the machines to look at.")
@click.option("--root", type=click.Path(path_type=Path), help="A snapshot, sosreport or plain tree to read instead.")
@click.option(
    "--json", "as_json", is_flag=True, help="Typed facts as JSON; `unknown` lists what could not be observed."
)
def facts(hosts: str | None, root: Path | None, *, as_json: bool) -> None:
    """Show what is known of machines, each fact with where it was read.

    With --root, one object; with --hosts, one object per host; with neither, this machine.
    """
    if hosts is not None and root is not None:
        raise click.UsageError("--hosts and --root exclude each other")
    machines: Mapping[str, Machine] = (
        {"": _machine_of_tree(root)}
        if root is not None
        else _machines_of(_inventory(hosts) if hosts is not None else local_inventory())
    )
    dumped = {name: dump(machine) for name, machine in machines.items()}
    if as_json:
        shown: object = dumped[""] if root is not None else dumped
        click.echo(json.dumps(shown, indent=2, sort_keys=True, ensure_ascii=True))
        return
    for name, facts_of_machine in dumped.items():
        click.echo(_as_text(name, facts_of_machine))


def _machine_of_tree(root: Path) -> Machine:
    try:
        snapshot = load(root)
    except SnapshotError as error:
        raise click.ClickException(str(error)) from None
    return Machine(Host(root.name or "root", 0, None, Connection.RECORDED, path=root), snapshot, None)


def _machines_of(inventory: Inventory) -> Mapping[str, Machine]:
    return build_machines(inventory, {name: _seen(collected) for name, collected in _look(inventory).items()})


def _seen(collected: Collected) -> Snapshot | Unobservable:
    if collected.snapshot is not None:
        return collected.snapshot
    return Unobservable("connection", collected.trouble or "not accessible (connection: none)")


def _as_text(name: str, facts_of_machine: Mapping[str, object]) -> str:
    lines = [f"{name}:"] if name else []
    lines += [f"  {key} = {plain(value, 160)}" for key, value in _leaves("", facts_of_machine)]
    return "\n".join(lines)


def _leaves(prefix: str, value: object) -> list[tuple[str, str]]:
    if isinstance(value, Mapping):
        skipped = {"provenance"} if not prefix else set()
        return [leaf for key, item in value.items() if key not in skipped for leaf in _leaves(f"{prefix}{key}.", item)]
    if isinstance(value, (list, tuple)):
        return [(prefix.rstrip("."), " ".join(map(str, value)))]
    return [(prefix.rstrip("."), "unknown" if value is None else str(value))]


def _inventory(value: str) -> Inventory:
    try:
        return load_inventory(inventory_files(value))
    except InventoryError as error:
        raise click.UsageError(str(error)) from None


def _chosen(inventory: Inventory, names: Sequence[str]) -> Inventory:
    known = {host.name for host in inventory}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise click.UsageError(f"no host {', '.join(unknown)} in the inventory; there is: {', '.join(sorted(known))}")
    needed = {ancestor.name for name in names for ancestor in inventory.ancestry(inventory.host(name))}
    hops = {host.via for host in inventory if host.name in needed and host.via}
    kept = tuple(host for host in inventory if host.name in needed | hops)
    return Inventory(kept, inventory.files, inventory.digest)


def _destinations(names: Sequence[str]) -> Inventory:
    return Inventory(tuple(_destination(name) for name in names))


def _destination(name: str) -> Host:
    if name == "local":
        return Host(name, 0, None, Connection.LOCAL)
    user, at, rest = name.rpartition("@")
    address, colon, port = rest.rpartition(":")
    if not colon or not port.isdigit() or address.endswith(":"):
        address, port = rest, ""
    access = SshAccess(address=address.strip("[]"), port=int(port) if port else None, user=user if at else None)
    return Host(name, 0, None, Connection.SSH, ssh=access)


def _look(inventory: Inventory) -> Mapping[str, Collected]:
    transports = Transports(inventory, load_recorded)
    try:
        return collect_fleet(inventory, transports.of, load_recorded, release=transports.release)
    finally:
        transports.close()
