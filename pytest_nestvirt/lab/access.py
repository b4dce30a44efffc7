"""How a lab's machines are reached: an inventory, keys and known hosts made for this lab and no other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import yaml

from pytest_nestvirt.lab.cases.lab_case import LabCase
from pytest_nestvirt.lab.directory import LabDirectory
from pytest_nestvirt.lab.image import domain_guest
from pytest_nestvirt.lab.image.qemu_command import inner_port
from pytest_nestvirt.lab.keys import Keys

_IDENTITY, _KNOWN_HOSTS = "identity", "known_hosts"
_SSH = 22
_TIMEOUTS = {"connect": 60, "authenticate": 120, "command": 300}
"""Seconds. An emulated machine is slow, and slower where others want the processor, too."""


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a machine answers to SSH, as seen from the one around it."""

    address: str
    port: int

    @property
    def known_as(self) -> str:
        """Its name in known_hosts (sshd(8)): without the port where that is the usual one."""
        return self.address if self.port == _SSH else f"[{self.address}]:{self.port}"


def write_access(lab: LabDirectory, case: LabCase, keys: Keys, port: int) -> None:
    """Write inventory, identity, known_hosts and an OpenSSH configuration into the lab's directory."""
    places = {level: _place(case, number, port) for number, level in enumerate(case.levels)}
    identity = lab.path / _IDENTITY
    identity.touch(mode=0o600)
    identity.write_bytes(keys.client.openssh)
    lines = (f"{places[level].known_as} {keys.hosts[level].public}\n" for level in case.levels)
    (lab.path / _KNOWN_HOSTS).write_text("".join(lines), "utf-8")
    lab.inventory.write_text(_inventory(case, places), "utf-8")
    lab.ssh_config.write_text(_ssh_config(lab, case, places), "utf-8")


def _place(case: LabCase, number: int, port: int) -> _Place:
    if case.machines[number].domain:
        return _Place(domain_guest.NETWORK.address, _SSH)
    return _Place("127.0.0.1", inner_port(number) if number else port)


def _inventory(case: LabCase, places: dict[str, _Place]) -> str:
    hosts: dict[str, Any] = {}
    for level in reversed(case.levels):
        host: dict[str, Any] = {"address": places[level].address, "port": places[level].port}
        if hosts:
            host["guests"] = hosts
        hosts = {level.lower(): host}
    defaults = {
        "user": "root",
        "identity": _IDENTITY,
        "known_hosts": _KNOWN_HOSTS,
        "agent": False,
        "ssh_config": "/dev/null",
        "environment": "test",
        "expendable": True,
        "timeouts": _TIMEOUTS,
        **({"treat_as": case.treat_as} if case.treat_as else {}),
    }
    heading = f"# The lab {case.name}: {case.title}\n"
    return heading + yaml.safe_dump({"defaults": defaults, "hosts": hosts}, sort_keys=False)


def _ssh_config(lab: LabDirectory, case: LabCase, places: dict[str, _Place]) -> str:
    common = {
        "User": "root",
        "IdentityFile": f'"{lab.path / _IDENTITY}"',
        "IdentitiesOnly": "yes",
        "UserKnownHostsFile": f'"{lab.path / _KNOWN_HOSTS}"',
        "StrictHostKeyChecking": "yes",
        "ConnectTimeout": str(_TIMEOUTS["connect"]),
    }
    stanzas = []
    for number, level in enumerate(case.levels):
        jump = {"ProxyJump": case.levels[number - 1].lower()} if number else {}
        words = {"HostName": places[level].address, "Port": str(places[level].port), **common, **jump}
        stanzas.append(f"Host {level.lower()}\n" + "".join(f"  {key} {value}\n" for key, value in words.items()))
    return "\n".join(stanzas)
