"""Claim: a record that was taken in a container is known as one by any of the traces that a container leaves."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from cpuinfo_texts import INTEL, platform_of, x86

from pytest_nestvirt.facts.platform.hostnamectl import parse_hostnamectl
from pytest_nestvirt.observation.unknown import if_known
from pytest_nestvirt.snapshot.snapshot import Status

Sections = Mapping[str, str | bytes | Status]


def hostnamectl(chassis: str, virtualization: str = "") -> Sections:
    """Output of hostnamectl as a sosreport keeps it."""
    line = f"  Virtualization: {virtualization}\n" if virtualization else ""
    text = f" Static hostname: web01\n       Icon name: computer-{chassis}\n         Chassis: {chassis}\n{line}"
    return {"sos_commands/host/hostnamectl_status": f"{text}Operating System: Linux\n          Kernel: Linux 5.15.0\n"}


OVERLAY = "overlay / overlay rw,relatime,lowerdir={0}/1/fs:{0}/2/fs,upperdir={0}/3/fs,workdir={0}/3/work 0 0\n"

CASES: dict[str, tuple[Sections, str | None]] = {
    "hostnamectl in LXC": (hostnamectl("container", "lxc"), "lxc"),
    "hostnamectl in nspawn, with its picture": (hostnamectl("container \u2610", "systemd-nspawn"), "systemd-nspawn"),
    "hostnamectl without a name": (hostnamectl("container"), "container-other"),
    "hostnamectl on hardware": (hostnamectl("server"), "none"),
    "hostnamectl in a virtual machine": (hostnamectl("vm", "kvm"), "none"),
    "hostnamectl that failed": ({"sos_commands/host/hostnamectl_status": "Failed to query system properties\n"}, None),
    "Docker's group": ({"proc/1/cgroup": "12:pids:/docker/3b0a\n1:name=systemd:/docker/3b0a\n"}, "docker"),
    "Docker's group by systemd": ({"proc/1/cgroup": "0::/system.slice/docker-3b0a.scope\n"}, "docker"),
    "LXC's group": ({"proc/1/cgroup": "4:cpu:/lxc/web01\n"}, "lxc"),
    "LXC's group of today": ({"proc/1/cgroup": "0::/lxc.payload.web01/init.scope\n"}, "lxc"),
    "podman's group": ({"proc/1/cgroup": "0::/machine.slice/libpod-77.scope/container\n"}, "podman"),
    "Kubernetes": ({"proc/1/cgroup": "3:cpu:/kubepods/burstable/pod1/77\n"}, "container-other"),
    "the group of a host": ({"proc/1/cgroup": "0::/init.scope\n"}, None),
    "Docker's root": ({"proc/mounts": OVERLAY.format("/var/lib/docker/overlay2/l")}, "docker"),
    "podman's root": ({"proc/mounts": OVERLAY.format("/var/lib/containers/storage/overlay")}, "podman"),
    "containerd's root": (
        {"proc/mounts": OVERLAY.format("/var/lib/containerd/io.containerd.snapshotter.v1.overlayfs")},
        "container-other",
    ),
    "lxcfs over /proc": ({"proc/mounts": "lxcfs /proc/cpuinfo fuse.lxcfs rw 0 0\n"}, "lxc"),
    "lxcfs of a host": ({"proc/mounts": "/dev/vda1 / xfs rw 0 0\nlxcfs /var/lib/lxcfs fuse.lxcfs rw 0 0\n"}, None),
    "a live system": ({"proc/mounts": "/cow / overlay rw,lowerdir=/filesystem.squashfs,upperdir=/cow/upper 0 0\n"}, None),
    "containers of a host": ({"proc/mounts": OVERLAY.format("/var/lib/docker/overlay2/l").replace(" / ", " /var/lib/docker/x ")}, None),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_each_trace_is_enough(case: str) -> None:
    """Where nothing else was recorded; what a host with containers has is not a trace of one."""
    sections, expected = CASES[case]
    assert if_known(lambda: platform_of(x86(INTEL), sections).container) == expected


@pytest.mark.parametrize("text", ["", "no such command", "Static hostname: x", "Kernel: Linux"])
def test_what_is_not_hostnamectl_is_unknown(text: str) -> None:
    """An error message is not an answer."""
    assert parse_hostnamectl(text) is None
