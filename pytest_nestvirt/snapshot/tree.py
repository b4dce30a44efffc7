"""A tree of files, from a directory or an archive, and the sections that it holds.

Nothing is ever unpacked to disk. Links are followed inside the tree only; where a section should be, one that leads out
of it is refused, except that in sosreports an absolute link means the report's own top.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

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
    MANIFEST,
    MODULES,
    ROOTS,
    is_section,
)
from pytest_nestvirt.snapshot.snapshot import Section, SnapshotError, Status

_MOST_LINKS = 40


@dataclass(frozen=True, slots=True)
class Content:
    """The contents of one file of the tree, or why there are none."""

    data: bytes = b""
    status: Status = Status.OK
    error: str = ""


@dataclass(slots=True)
class Tree:
    """What lies where. Paths are relative, without `.`, `..` or empty parts; links keep their targets as written."""

    files: dict[str, Content] = field(default_factory=dict)
    """The useful ones."""
    links: dict[str, str] = field(default_factory=dict)
    directories: set[str] = field(default_factory=set)
    names: set[str] = field(default_factory=set)
    """Of everything there is, whether or not its contents were kept."""

    def add_name(self, path: str) -> None:
        """Note that there is something at a path, and so its directories."""
        self.names.add(path)
        parent = path.rpartition("/")[0]
        while parent and parent not in self.directories:
            self.directories.add(parent)
            self.names.add(parent)
            parent = parent.rpartition("/")[0]

    def add_directory(self, path: str) -> None:
        """Note that there is a directory, which may be empty."""
        self.add_name(path)
        self.directories.add(path)

    def without_folder(self) -> Tree:
        """The same tree without the one folder that everything lies in, if there is such a folder."""
        tops = {name.partition("/")[0] for name in self.names}
        if len(tops) != 1 or tops & ROOTS or not tops <= self.directories:
            return self
        skip = len(tops.pop()) + 1
        return Tree(
            files={path[skip:]: content for path, content in self.files.items() if path[skip:]},
            links={path[skip:]: target for path, target in self.links.items() if path[skip:]},
            directories={path[skip:] for path in self.directories if path[skip:]},
            names={path[skip:] for path in self.names if path[skip:]},
        )

    @property
    def is_sosreport(self) -> bool:
        """Whether sos made it; a tree with a manifest of ours only looks like that."""
        signs = {"sos_commands", "sos_logs", "sos_reports"} & self.directories
        return MANIFEST not in self.files and (bool(signs) or "version.txt" in self.names)

    def resolve(self, path: str) -> str | None:
        """The path that is meant once links are followed; None where they lead nowhere.

        Raises `SnapshotError` where they lead out of the tree.
        """
        done: list[str] = []
        todo = path.split("/")[::-1]
        hops = 0
        while todo:
            part = todo.pop()
            if part in {"", "."}:
                continue
            if part == "..":
                if not done:
                    raise SnapshotError(f"{path} is a link that leads out of the snapshot")
                done.pop()
                continue
            target = self.links.get("/".join((*done, part)))
            if target is None:
                done.append(part)
                continue
            hops += 1
            if hops > _MOST_LINKS:
                return None
            if target.startswith("/"):
                self._allow_absolute(path, target)
                done.clear()
            todo.extend(target.split("/")[::-1])
        return "/".join(done)

    def _allow_absolute(self, path: str, target: str) -> None:
        if not self.is_sosreport:
            raise SnapshotError(f"{path} is a link that leads out of the snapshot, to {excerpt(target.encode())}")

    def content(self, path: str) -> Content | None:
        """The contents of the file at a path, through links; None if there is no such file."""
        resolved = self.resolve(path)
        return None if resolved is None else self.files.get(resolved)

    def entries(self, directory: str) -> list[str] | None:
        """The sorted names in a directory, through links; None if there is no such directory."""
        resolved = self.resolve(directory.rstrip("/"))
        if resolved not in self.directories:
            return None
        within = f"{resolved}/"
        return sorted(
            name[len(within) :]
            for name in self.names
            if name.startswith(within) and "/" not in name[len(within) :] and not name.endswith(f"/{LISTING_FILE}")
        )


def printable_path(path: str) -> str:
    """A path from a file system or archive, with backslashes for the bytes that are no UTF-8."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def sections_of(tree: Tree) -> dict[str, Section]:
    """Every section that can be made from a tree, by name; what the tree does not tell has none."""
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


def _section_names(tree: Tree) -> Iterator[str]:
    yield from (name for name in FIXED if not name.endswith("/"))
    yield from ELSEWHERE
    for directory in BELOW:
        within = f"{tree.resolve(directory.rstrip('/')) or directory}/"
        for path in sorted((*tree.files, *tree.links)):
            name = directory + path.removeprefix(within)
            if path.startswith(within) and is_section(name) and not name.endswith(f"/{LISTING_FILE}"):
                yield name


def _first(tree: Tree, names: tuple[str, ...]) -> Content | None:
    found = (tree.content(name) for name in names)
    return next((content for content in found if content is not None), None)


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
    if names is None:
        return None
    return Section(name, data="".join(f"{entry}\n" for entry in names).encode("utf-8", "backslashreplace"))


def _modules(tree: Tree, sections: dict[str, Section]) -> Iterator[Section]:
    """Whether each module of KVM is loaded, as far as a tree tells.

    sos copies `parameters`, `initstate` and `refcnt` of all modules, so a module has its folder if it is loaded or has
    parameters. One that has none is absent only if other modules have theirs, else nobody copied them, and only if
    /proc/modules, where it was copied, does not name it. A tree of unknown origin may be anybody's choice of files:
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
