"""Inventory files, read and validated as a whole before anything connects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from pytest_nestvirt.document import Document, DocumentError, load_document
from pytest_nestvirt.one_line import one_line

from .digest import inventory_digest
from .host import Connection, Deadlines, Host, Inventory, SshAccess
from .host_tree import Entry, Walk
from .local_machine import local_inventory
from .option import inventory_files
from .problems import InventoryError
from .reach import effective_address, first_of_each_name, problems_between, resolve_via
from .schema import HostKeys, Timeouts

__all__ = ["InventoryError", "inventory_files", "load_inventory", "local_inventory"]


def load_inventory(paths: Sequence[Path]) -> Inventory:
    """The hosts of all files together.

    The defaults of a file hold for that file. Raises `InventoryError` with every problem of every file, in their
    order, each as `FILE:LINE: key.path: what is wrong; what was expected`.
    """
    if not paths:
        raise InventoryError(["no inventory file given; expected --hosts=FILE.yml"])
    documents, problems = _documents(paths)
    complete = not problems
    walks = [Walk(document) for document in documents]
    for walk in walks:
        walk.run()
        problems += walk.problems
    entries = [entry for walk in walks for entry in walk.entries]
    problems += problems_between(entries, complete=complete)
    if problems:
        order = {path: index for index, path in reversed([*enumerate(paths)])}
        problems.sort(key=lambda problem: (order[problem.path], problem.line))
        raise InventoryError(map(str, problems))
    by_name = first_of_each_name(entries)
    hosts = tuple(_host(entry, by_name) for entry in entries)
    manifests = tuple(dict.fromkeys(path for walk in walks for path in walk.manifests))
    return Inventory(hosts, tuple(paths), inventory_digest(hosts), manifests)


def _documents(paths: Sequence[Path]) -> tuple[list[Document], list[DocumentError]]:
    documents: list[Document] = []
    problems: list[DocumentError] = []
    read: dict[Path, Path] = {}
    for path in paths:
        real = _real(path)
        if real in read:
            problems.append(DocumentError(path, 0, (), f"listed twice (same file as {one_line(str(read[real]))})"))
            continue
        read[real] = path
        try:
            documents.append(load_document(path))
        except DocumentError as error:
            problems.append(error)
    return documents, problems


def _real(path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, RuntimeError, ValueError):  # a loop of links, a NUL: load_document says it
        return path


def _host(entry: Entry, by_name: Mapping[str, Entry]) -> Host:
    keys = entry.settings
    return Host(
        name=entry.name,
        level=entry.level,
        parent=entry.parent.name if entry.parent else None,
        connection=keys.connection,
        ssh=_ssh(entry, keys),
        deadlines=_deadlines(keys.timeouts),
        via=resolve_via(entry, by_name),
        path=keys.path,
        domain=(keys.domain or entry.name) if entry.parent else "",
        provider=keys.provider,
        environment=keys.environment,
        treat_as=keys.treat_as,
        become=keys.become,
        become_password_env=keys.become_password_env,
        expendable=keys.expendable,
        file=str(entry.document.path),
        line=entry.line,
    )


def _ssh(entry: Entry, keys: HostKeys) -> SshAccess:
    written = keys.address.host if keys.address else None
    return SshAccess(
        address=effective_address(entry) if keys.connection is Connection.SSH else written,
        port=keys.port,
        user=keys.user,
        identity=keys.identity,
        certificate=keys.certificate,
        password_env=keys.password_env,
        known_hosts=keys.known_hosts,
        host_key=keys.host_key,
        config=keys.ssh_config,
        agent=keys.agent,
    )


def _deadlines(timeouts: Timeouts) -> Deadlines:
    usual = Deadlines()
    return Deadlines(
        connect=timeouts.connect or usual.connect,
        authenticate=timeouts.authenticate or usual.authenticate,
        command=timeouts.command or usual.command,
    )
