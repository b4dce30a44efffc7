"""Which files modprobe reads, and in what order (libkmod/libkmod-config.c: conf_files_list)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

DIRECTORIES = (
    "etc/modprobe.d/",
    "run/modprobe.d/",
    "usr/local/lib/modprobe.d/",
    "usr/lib/modprobe.d/",
    "lib/modprobe.d/",
)
"""In order of precedence: a file of one directory hides files of the same name in those behind it."""

ADMINISTRATOR_DIRECTORIES = DIRECTORIES[:3]

_READ = (".conf", ".alias")
"""Suffixes of the files that are read (kmod 30)."""


def effective_files(listings: Mapping[str, Iterable[str]]) -> tuple[str, ...]:
    """Paths of the files that count, in the order they are read: by name, whatever the directory.

    `listings` has the names in each of `DIRECTORIES`. A file masks those of its name in directories of lower precedence,
    whatever is in it (an empty one, or a link to /dev/null, is the documented way to switch one off).
    """
    place: dict[str, str] = {}
    for directory in DIRECTORIES:
        for name in listings.get(directory, ()):
            if is_read(name):
                place.setdefault(name, directory)
    return tuple(place[name] + name for name in sorted(place, key=lambda name: name.encode("utf-8", "surrogateescape")))


def is_read(name: str) -> bool:
    """Whether modprobe reads a file of that name: not a hidden one, and only those with its suffixes."""
    return name.endswith(_READ) and not name.startswith(".")
