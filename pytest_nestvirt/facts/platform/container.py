"""Whether a machine is a container, and whose."""

from __future__ import annotations

from pytest_nestvirt.observation.fact import Reader, Unobservable
from pytest_nestvirt.observation.partial import seen_text
from pytest_nestvirt.snapshot.snapshot import Status

NONE = "none"
DETECTED = "nestvirt/systemd-detect-virt_--container"
_NEGATIVE_WITHOUT_SYSTEMD = ("run/systemd/container", "proc/1/environ-container", ".dockerenv", "run/.containerenv")
_WORDS = frozenset(
    {
        "container-other",
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


def container(reader: Reader, kernel_release: str) -> str:
    """Its name (`docker`, `lxc`, `podman`, `openvz`, ...) or `none`.

    `none` needs systemd's word for it, or that every place where container engines leave their mark was looked at and
    is empty; `Unobservable` otherwise. The order is that of systemd's `detect-virt --container`.
    """
    found = _openvz(reader) or _wsl(kernel_release) or _declared(reader) or _left_files(reader)
    if found:
        return found
    detected = seen_text(reader, DETECTED)
    if detected in _WORDS:
        return detected
    if detected == NONE:
        return NONE
    for name in _NEGATIVE_WITHOUT_SYSTEMD:
        _must_be_absent(reader, name)
    return NONE


def _openvz(reader: Reader) -> str | None:
    """/proc/vz without /proc/bc: the inside of an OpenVZ container; its host has both."""
    return "openvz" if _there(reader, "proc/vz/") and not _there(reader, "proc/bc/") else None


def _wsl(kernel_release: str) -> str | None:
    """WSL 1 has no Linux kernel below it; `-Microsoft` with a capital is its release, WSL 2 writes it small."""
    return "wsl" if kernel_release.endswith("-Microsoft") else None


def _declared(reader: Reader) -> str | None:
    """What the engine told PID 1, and what systemd kept of it."""
    for name in ("run/systemd/container", "proc/1/environ-container"):
        text = seen_text(reader, name).removeprefix("container=")
        if text:
            return "podman" if text == "oci" and _there(reader, "run/.containerenv") else text
    return None


def _left_files(reader: Reader) -> str | None:
    if _there(reader, "run/.containerenv"):
        return "podman"
    return "docker" if _there(reader, ".dockerenv") else None


def _there(reader: Reader, name: str) -> bool:
    try:
        return reader.section(name).status in {Status.OK, Status.DENIED, Status.TRUNCATED}
    except Unobservable:
        return False


def _must_be_absent(reader: Reader, name: str) -> None:
    section = reader.section(name)
    empty = section.status is Status.OK and not section.text.strip()
    if section.status is not Status.MISSING and not empty:
        raise Unobservable(name, f"{section.status}: it would tell whether this is a container")
