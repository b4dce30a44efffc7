"""A tree of files, from a directory or an archive, as it lies in memory.

Links are followed inside the tree only. An absolute one means the tree's own top: the layout is that of a root directory.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

from pytest_nestvirt.snapshot.limits import MEBIBYTE, Limits
from pytest_nestvirt.snapshot.sections import INDEX, LISTING_FILE, ROOTS
from pytest_nestvirt.snapshot.snapshot import SnapshotError, Status

MOST_LINKS = 40
"""As many are followed on the way to one file; more are a circle, as the kernel sees it."""

_NULL = "dev/null"


@dataclass(frozen=True, slots=True)
class Content:
    """The contents of one file of the tree, or why there are none."""

    data: bytes = b""
    status: Status = Status.OK
    error: str = ""


def _unread(why: str) -> Content:
    return Content(status=Status.FAILED, error=why)


class Tree:
    """What lies where. Paths are relative, without `.`, `..` or empty parts; links keep their targets as written."""

    def __init__(self, most_names: int = Limits().names) -> None:
        """Paths of at most `most_names` bytes in all; more raise `SnapshotError`."""
        self.files: dict[str, Content] = {}
        """Those whose contents were read."""
        self.links: dict[str, str] = {}
        self.others: set[str] = set()
        """Devices, pipes and sockets."""
        self.directories: set[str] = set()
        self.unlisted: set[str] = set()
        """Directories that are there and were not looked into."""
        self.names: set[str] = set()
        """Of everything there is, whether or not its contents were read."""
        self._most_names = self._names_left = most_names

    def add_name(self, path: str) -> None:
        """Note that there is something at a path, and so its directories. It takes the place of what was there before."""
        for earlier in (self.files, self.links):
            earlier.pop(path, None)
        self.others.discard(path)
        self._note(path)
        parent = path.rpartition("/")[0]
        while parent and parent not in self.directories:
            self.directories.add(parent)
            self._note(parent)
            parent = parent.rpartition("/")[0]

    def _note(self, path: str) -> None:
        if path in self.names:
            return
        self.names.add(path)
        self._names_left -= len(path)
        if self._names_left < 0:
            raise SnapshotError(f"its file names have more than {self._most_names / MEBIBYTE:g} MiB")

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
        inner = Tree(self._most_names)
        inner.files = {path[skip:]: content for path, content in self.files.items() if path[skip:]}
        inner.links = {path[skip:]: target for path, target in self.links.items() if path[skip:]}
        inner.others = {path[skip:] for path in self.others if path[skip:]}
        inner.unlisted = {path[skip:] for path in self.unlisted if path[skip:]}
        inner.directories = {path[skip:] for path in self.directories if path[skip:]}
        inner.names = {path[skip:] for path in self.names if path[skip:]}
        return inner

    @property
    def is_sosreport(self) -> bool:
        """Whether sos made it; a tree with a index of ours only looks like that."""
        signs = {"sos_commands", "sos_logs", "sos_reports"} & self.directories
        return INDEX not in self.files and (bool(signs) or "version.txt" in self.names)

    def resolve(self, path: str) -> str:
        """The path that is meant once links are followed.

        Raises `SnapshotError` where they lead out of the tree or form a circle.
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
            if hops > MOST_LINKS:
                raise SnapshotError(f"{path} is a link that leads back to itself")
            if target.startswith("/"):
                done.clear()
            todo.extend(target.split("/")[::-1])
        return "/".join(done)

    def _is_there(self, path: str) -> bool:
        """Whether there is something at a path, be it a link that leads nowhere."""
        folder, _, name = path.rpartition("/")
        try:
            return f"{self.resolve(folder)}/{name}".lstrip("/") in self.names
        except SnapshotError:
            return True  # the directory is such a link

    def content(self, path: str) -> Content | None:
        """The contents of the file at a path, through links, or why there are none; None if there is nothing at that path."""
        if not self._is_there(path):
            return None
        try:
            resolved = self.resolve(path)
        except SnapshotError as error:
            return _unread(str(error))
        if resolved in self.files:
            return self.files[resolved]
        if resolved in self.directories:
            return _unread("it is a directory, not a file")
        if resolved in self.others:
            return _unread("it is a device, pipe or socket, not a file")
        if resolved == _NULL:
            return Content()
        if resolved in self.names:
            return _unread("its contents were not read")
        return _unread(f"it is a link to {resolved}, which is not in the snapshot")

    def entries(self, directory: str) -> list[str] | None:
        """The sorted names in a directory, through links; None if there is no such directory or it was not looked into."""
        try:
            resolved = self.resolve(directory.rstrip("/"))
        except SnapshotError:
            return None
        if resolved not in self.directories - self.unlisted:
            return None
        within = f"{resolved}/"
        return sorted(
            name[len(within) :]
            for name in self.names
            if name.startswith(within) and "/" not in name[len(within) :] and not name.endswith(f"/{LISTING_FILE}")
        )


_ODD = MappingProxyType({ord("\n"): "\\x0a"})


def printable_path(path: str) -> str:
    """A path from a file system or archive, with backslashes for newlines and for the bytes that are not UTF-8."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace").translate(_ODD)
