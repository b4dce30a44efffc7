"""Whether a machine is a container, and whose."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pytest_nestvirt.facts.platform.hostnamectl import SOURCE as HOSTNAMECTL
from pytest_nestvirt.facts.platform.hostnamectl import seen_hostnamectl
from pytest_nestvirt.observation.fact import Reader, Unobservable
from pytest_nestvirt.observation.partial import seen_text
from pytest_nestvirt.observation.unknown import known_or
from pytest_nestvirt.snapshot.snapshot import Status

NONE = "none"
OTHER = "container-other"
DETECTED = "nestvirt/systemd-detect-virt_--container"
CGROUP = "proc/1/cgroup"
MOUNTS = "proc/mounts"
_NEGATIVE_WITHOUT_SYSTEMD = ("run/systemd/container", "proc/1/environ-container", ".dockerenv", "run/.containerenv")
_WORDS = frozenset(
    {
        OTHER,
        "docker",
        "lxc",
        "lxc-libvirt",
        "openvz",
        "podman",
        "pouch",
        "proot",
        "rkt",
        "systemd-nspawn",
        "wsl",
    }
)

_CGROUPS = (
    (re.compile(r"/(?:docker|system\.slice/docker-)"), "docker"),
    (re.compile(r"/(?:lxc|lxc\.payload)[./]"), "lxc"),
    (re.compile(r"[/-]libpod[-_]"), "podman"),
    (re.compile(r"/kubepods|cri-containerd|/crio-|/containerd/"), OTHER),
)
"""Groups that engines put a container's first process in, where its own namespace does not hide them."""

_ENGINES = (
    (re.compile(r"/(?:var/lib/)?docker/"), "docker"),
    (re.compile(r"/containers/storage/"), "podman"),
    (re.compile(r"/io\.containerd\.|/containerd/|/crio/|/kubelet/"), OTHER),
)
"""Directories from which engines mount the root of a container as an overlay."""


def is_wsl1(kernel_release: str) -> bool:
    """WSL 1 has no Linux kernel below it; `-Microsoft` with a capital is its release, WSL 2 has it in small letters."""
    return kernel_release.endswith("-Microsoft")


def container(reader: Reader, kernel_release: str) -> str:
    """Its name (`docker`, `lxc`, `podman`, `openvz`, ...) or `none`.

    `none` needs systemd's word for it, or that every place where container engines leave their mark was looked at and
    is empty; `Unobservable` otherwise. The order is that of systemd's `detect-virt --container`; after what it looks at
    come the groups of process 1 and the mount of the root, which sosreports keep.
    """
    found = next((name for name in _marks(reader, kernel_release) if name), "")
    if found:
        return found
    if seen_text(reader, DETECTED) == NONE or seen_hostnamectl(reader) is not None:
        return NONE
    for name in _NEGATIVE_WITHOUT_SYSTEMD:
        _must_be_absent(reader, name)
    return NONE


def _marks(reader: Reader, kernel_release: str) -> Iterator[str]:
    yield _openvz(reader)
    yield "wsl" if is_wsl1(kernel_release) else ""
    yield _declared(reader)
    yield _left_files(reader)
    yield from _detected(reader)
    yield _by_pattern(seen_text(reader, CGROUP), _CGROUPS)
    yield _mounted(seen_text(reader, MOUNTS))


def _openvz(reader: Reader) -> str:
    """/proc/vz without /proc/bc: the inside of an OpenVZ container; its host has both."""
    return "openvz" if _there(reader, "proc/vz/") and not _there(reader, "proc/bc/") else ""


def _declared(reader: Reader) -> str:
    """What the engine put into the environment of PID 1, and what systemd kept of it."""
    for name in ("run/systemd/container", "proc/1/environ-container"):
        text = seen_text(reader, name).removeprefix("container=")
        if text:
            return "podman" if text == "oci" and _there(reader, "run/.containerenv") else text
    return ""


def _left_files(reader: Reader) -> str:
    if _there(reader, "run/.containerenv"):
        return "podman"
    return "docker" if _there(reader, ".dockerenv") else ""


def _detected(reader: Reader) -> Iterator[str]:
    shown = seen_hostnamectl(reader)
    reader.note(HOSTNAMECTL)
    for word in (seen_text(reader, DETECTED), shown.detected if shown else ""):
        yield word if word in _WORDS else ""


def _mounted(mounts: str) -> str:
    """By /proc/mounts: lxcfs over files of /proc, or an overlay as root that a container engine keeps."""
    lines = [line.split() for line in mounts.splitlines()]
    if any(line[0] == "lxcfs" and line[1].startswith("/proc/") for line in lines if len(line) > 1):
        return "lxc"
    roots = [" ".join(line[3:]) for line in lines if len(line) > 3 and (line[1], line[2]) == ("/", "overlay")]  # noqa: PLR2004
    return _by_pattern("\n".join(roots), _ENGINES)


def _by_pattern(text: str, patterns: tuple[tuple[re.Pattern[str], str], ...]) -> str:
    return next((name for pattern, name in patterns if pattern.search(text)), "")


def _there(reader: Reader, name: str) -> bool:
    there = {Status.OK, Status.DENIED, Status.TRUNCATED}
    return known_or(lambda: reader.section(name).status in there, otherwise=False)


def _must_be_absent(reader: Reader, name: str) -> None:
    section = reader.section(name)
    empty = section.status is Status.OK and not section.text.strip()
    if section.status is not Status.MISSING and not empty:
        raise Unobservable(name, f"{section.status}: it would show whether this is a container")
