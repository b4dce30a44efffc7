"""Keeps snapshots, as directories or archives whose layout is the real paths, and reads them again."""

from __future__ import annotations

import hashlib
import io
import os
import secrets
import shutil
import stat
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from pytest_nestvirt.inventory.host import Host
from pytest_nestvirt.snapshot.index import Index, Kept, absent, read_index, write_index
from pytest_nestvirt.snapshot.scan import read_directory
from pytest_nestvirt.snapshot.sections import INDEX, LISTING_FILE, LISTINGS, MODULES, is_section
from pytest_nestvirt.snapshot.snapshot import Origin, Section, Snapshot, SnapshotError, Status
from pytest_nestvirt.snapshot.tree import Tree, printable_path
from pytest_nestvirt.snapshot.tree_sections import sections_of
from pytest_nestvirt.snapshot.unpack import read_archive

_SUFFIXES = {".tar.xz": "w:xz", ".txz": "w:xz", ".tar.gz": "w:gz", ".tgz": "w:gz", ".tar.bz2": "w:bz2", ".tar": "w"}
_HAVE_DATA = frozenset({Status.OK, Status.TRUNCATED, Status.CUT})
_LONGEST_PART = 200
_ODD_SECTIONS = "nestvirt/other"
"""Where the sections go that have no path of their own: those that no probe of ours would name so."""


def load(path: Path) -> Snapshot:
    """The snapshot at a path: a saved one, a plain tree, or a sosreport, each as a directory or a tar archive.

    Raises `SnapshotError`: one line that says what is wrong with it.
    """
    is_directory = _is_directory(path)
    try:
        tree = read_directory(path) if is_directory else read_archive(path)
        snapshot = _snapshot(tree, path, Origin.DIRECTORY if is_directory else Origin.ARCHIVE)
    except SnapshotError as error:
        raise SnapshotError(f"{path}: {error}") from None
    except MemoryError:
        raise SnapshotError(f"{path}: reading it takes more memory than there is") from None
    if not snapshot.sections:
        raise SnapshotError(f"{path}: contains nothing of a snapshot; expected proc/cpuinfo, {INDEX}, or a sosreport")
    return snapshot


def _is_directory(path: Path) -> bool:
    try:
        return stat.S_ISDIR(path.stat().st_mode)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise SnapshotError(f"{path}: cannot be read: {why}") from None


def load_recorded(host: Host) -> Snapshot:
    """The snapshot of a recorded host of the inventory. Raises `SnapshotError`."""
    if host.path is None:
        raise ValueError(f"{host.name} is not recorded")
    return load(host.path)


def _snapshot(tree: Tree, path: Path, origin: Origin) -> Snapshot:
    written = tree.files.get(INDEX)
    if written is None:
        return Snapshot(sections_of(tree), Origin.SOSREPORT if tree.is_sosreport else origin, str(path))
    index = read_index(written.data)
    return Snapshot(
        sections=_indexed(tree, index),
        origin=origin,
        where=f"{path} (taken from {index.where})" if index.where else str(path),
        collected_at=index.collected_at,
        probe_version=index.probe_version,
        note=index.note,
    )


def _indexed(tree: Tree, index: Index) -> Mapping[str, Section]:
    if index.kept is not None:
        _refuse_strays(tree, index.kept)
        return {kept.section.name: _restored(tree, kept) for kept in index.kept}
    sections = sections_of(tree) | dict(index.stated)
    return sections | absent(sections) if index.complete else sections


def _refuse_strays(tree: Tree, kept: tuple[Kept, ...]) -> None:
    """Raise `SnapshotError` for a file in the place of a section that the index does not name: one of the two was changed."""
    named = {each.file for each in kept}
    stray = next((path for path in sorted(tree.names - tree.directories - named) if is_section(path)), None)
    if stray is not None:
        raise SnapshotError(f"{printable_path(stray)} is there, and {INDEX} does not name it")


def _restored(tree: Tree, kept: Kept) -> Section:
    section = kept.section
    if kept.file is None:
        return section
    if ".." in kept.file.split("/"):
        raise SnapshotError(f"{kept.file} leads out of the snapshot; {INDEX} names it as the text of {section.name}")
    content = tree.content(kept.file)
    if content is None:
        raise SnapshotError(f"{kept.file} is missing; {INDEX} names it as the text of {section.name}")
    status = section.status if content.status is Status.OK else content.status
    return Section(section.name, status, content.data, section.exit_code, section.error or content.error)


@dataclass(frozen=True, slots=True)
class _Layout:
    files: Mapping[str, bytes]
    directories: tuple[str, ...]


def save(snapshot: Snapshot, target: Path, *, overwrite: bool = False) -> None:
    """Keep a snapshot: as an archive where the name ends in .tar.xz, .tar.gz, .tar.bz2 or .tar, else as a directory.

    It appears whole or not at all. What is there already is replaced only if `overwrite` says so, and only by its own
    kind: a directory must be a snapshot. Raises `SnapshotError`.
    """
    layout = _layout(snapshot)
    part = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    mode = next((mode for suffix, mode in _SUFFIXES.items() if target.name.endswith(suffix)), None)
    try:
        _make_way(target, overwrite=overwrite, directory=mode is None)
        if mode is None:
            _write_directory(layout, part)
            _replace_directory(part, target)
        else:
            _write_archive(layout, part, mode)
            part.replace(target)
    except OSError as error:
        raise SnapshotError(f"{target}: cannot be written: {error.strerror or error}") from None
    finally:
        _remove(part)


def _make_way(target: Path, *, overwrite: bool, directory: bool) -> None:
    if not os.path.lexists(target):
        return
    if not overwrite:
        raise SnapshotError(f"{target}: already exists; choose another place, or allow it to be overwritten")
    ours = (target / INDEX).exists() or not any(target.iterdir()) if target.is_dir() else not directory
    if not ours or (target.is_dir() and not directory):
        raise SnapshotError(f"{target}: exists and is not a snapshot of that kind, so it is not overwritten")


def _write_directory(layout: _Layout, part: Path) -> None:
    part.mkdir()
    for directory in layout.directories:
        (part / directory).mkdir(parents=True, exist_ok=True)
    for name, data in layout.files.items():
        file = part / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)


def _replace_directory(part: Path, target: Path) -> None:
    if not target.exists():
        part.rename(target)
        return
    old = part.with_suffix(".old")
    target.rename(old)
    part.rename(target)
    _remove(old)


def _write_archive(layout: _Layout, part: Path, mode: str) -> None:
    with tarfile.open(part, mode) as archive:  # type: ignore[call-overload]
        for directory in layout.directories:
            member = tarfile.TarInfo(directory)
            member.type, member.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(member)
        for name, data in layout.files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(data), 0o644
            archive.addfile(member, io.BytesIO(data))


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _layout(snapshot: Snapshot) -> _Layout:
    """Where each section's data go. A section that others lie below is a directory, unless it has data."""
    wanted = {name: file_of(name) for name, section in snapshot.sections.items() if section.status in _HAVE_DATA}
    above = {parent for path in wanted.values() for parent in _parents(path)}
    above.update(f"sys/module/{module}" for module in MODULES)
    directories, places = [], {}
    for name, path in wanted.items():
        if path not in above:
            places[name] = path
        elif snapshot.sections[name].data:
            places[name] = _odd(name)
        else:
            directories.append(path)
    files = {path: snapshot.sections[name].data for name, path in places.items()}
    return _Layout({INDEX: write_index(snapshot, places)} | files, tuple(sorted(directories)))


def _parents(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[:depth]) for depth in range(1, len(parts))]


def file_of(name: str) -> str:
    """Path of the file that keeps a section's data: the section's own wherever it is one that facts know.

    Names come from hosts. Whatever they contain, the path stays inside, and two names never share one.
    """
    if name in LISTINGS:
        return name + LISTING_FILE
    if not is_section(name) or name.endswith("/") or name.startswith(_ODD_SECTIONS):
        return _odd(name)
    return "/".join(_encoded(part) for part in name.split("/"))


def _odd(name: str) -> str:
    return f"{_ODD_SECTIONS}/{_encoded(name)}"


def _encoded(part: str) -> str:
    """A file name for any text: what is not plain is written as %XX, long ones end in a digest."""
    plain = quote(part.encode("utf-8", "surrogatepass"), safe=" ,+=@:")
    if plain in {"", ".", ".."} or part.startswith(".nestvirt"):
        plain = "%2E" + plain[1:] if plain else "%"
    if len(plain) <= _LONGEST_PART:
        return plain
    digest = hashlib.sha256(part.encode("utf-8", "surrogatepass")).hexdigest()[:32]
    return f"{plain[: _LONGEST_PART - 40]}%-{digest}"
