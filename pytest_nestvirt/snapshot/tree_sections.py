"""The sections that a tree of files holds."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_nestvirt.one_line import excerpt
from pytest_nestvirt.snapshot.sections import (
    BELOW,
    DEVICE_TREE,
    ELSEWHERE,
    FIXED,
    LINK,
    LINKS,
    LISTING_FILE,
    LISTINGS,
    MODPROBE,
    MODULES,
    is_section,
)
from pytest_nestvirt.snapshot.snapshot import Section, SnapshotError, Status
from pytest_nestvirt.snapshot.tree import Content, Tree


def sections_of(tree: Tree) -> dict[str, Section]:
    """Every section that can be made from a tree, by name; what the tree does not show has none.

    What is there and could not be read is a section that failed: a pipe, or a link to something that is not in the tree.
    """
    sections: dict[str, Section] = {}
    for name in _section_names(tree):
        content = _first(tree, (name, *ELSEWHERE.get(name, ())))
        if content is not None:
            sections[name] = _section(name, content)
    for name in LISTINGS:
        listing = _listing(tree, name)
        if listing is not None:
            sections[name] = listing
    for name in LINKS:
        if name in tree.links:
            sections.setdefault(LINK + name, Section(LINK + name, data=f"{tree.links[name]}\n".encode()))
    sections.update({section.name: section for section in _modules(tree, sections)})
    return sections


def linked_files(tree: Tree) -> set[str]:
    """Paths to which links in the places of sections lead, and whose contents were not read or never looked for."""
    names = (*_section_names(tree), *LISTINGS, *(name for names in ELSEWHERE.values() for name in names))
    meant = {path for name in names if (path := _meant(tree, name.rstrip("/")))}
    return meant - tree.files.keys() - (tree.directories - tree.unlisted) - tree.others


def _meant(tree: Tree, name: str) -> str | None:
    """Where a section lies if links lead there; None if none do."""
    try:
        path = tree.resolve(name)
    except SnapshotError:
        return None
    return path if path != name else None


def _section_names(tree: Tree) -> Iterator[str]:
    yield from (name for name in FIXED if not name.endswith("/"))
    yield from ELSEWHERE
    for directory in BELOW:
        yield from _names_below(tree, directory)


def _names_below(tree: Tree, directory: str) -> Iterator[str]:
    try:
        within = f"{tree.resolve(directory.rstrip('/'))}/"
    except SnapshotError:
        return
    for path in sorted(path for path in tree.names if path.startswith(within)):
        name = directory + path.removeprefix(within)
        if is_section(name) and not name.endswith(f"/{LISTING_FILE}") and _may_be_file(tree, path, directory):
            yield name


def _may_be_file(tree: Tree, path: str, directory: str) -> bool:
    """A directory among files is one of them only where modprobe would look for a file."""
    return path not in tree.directories or (directory in MODPROBE and path.endswith((".conf", ".alias")))


def _first(tree: Tree, names: tuple[str, ...]) -> Content | None:
    """The first that could be read, else the first that is there."""
    found = [content for name in names if (content := tree.content(name)) is not None]
    return next((content for content in found if content.status is not Status.FAILED), found[0] if found else None)


def _section(name: str, content: Content) -> Section:
    if name in DEVICE_TREE:
        return Section(name, content.status, content.data.replace(b"\0", b"\n"), error=content.error)
    if name.startswith("sos_commands/") and content.data.startswith((b"error: ", b"dmesg: ")):
        # sos keeps what a command printed, be it a complaint.
        return Section(name, Status.FAILED, error=excerpt(content.data))
    return Section(name, content.status, content.data, error=content.error)


def _listing(tree: Tree, name: str) -> Section | None:
    written = tree.content(name + LISTING_FILE)
    if written is not None:
        return Section(name, written.status, written.data, error=written.error)
    names = tree.entries(name)
    if names is not None:
        return Section(name, data="".join(f"{entry}\n" for entry in names).encode("utf-8", "backslashreplace"))
    unread = tree.content(name.rstrip("/"))
    if unread is None:
        return None
    return Section(name, Status.FAILED, error=unread.error or "it is a file, not a directory")


def _modules(tree: Tree, sections: dict[str, Section]) -> Iterator[Section]:
    """Whether each module of KVM is loaded, as far as a tree shows.

    sos copies `parameters`, `initstate` and `refcnt` of all modules, so a module has its folder if it is loaded or has
    parameters. One that has none is absent only if other modules have theirs, else they were not copied, and only if
    /proc/modules, where it was copied, does not name it. A tree of unknown origin may be any choice of files:
    there a folder is evidence and its absence is not.
    """
    loaded = {line.split(" ")[0] for line in sections.get("proc/modules", Section("")).text.splitlines()}
    folders = set(tree.entries("sys/module") or ())
    for module in MODULES:
        name = f"sys/module/{module}"
        if module in folders or module in loaded:
            yield Section(name)
        elif tree.is_sosreport and folders - set(MODULES):
            yield Section(name, Status.MISSING)
