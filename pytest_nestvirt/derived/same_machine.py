"""Whether two machines, neither of which runs in the other, are one, by digests that can be kept in a report."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from pytest_nestvirt.derived.parent_view import given_uuid
from pytest_nestvirt.facts.platform.machine_uuid import same_uuid
from pytest_nestvirt.inventory.host import Connection
from pytest_nestvirt.observation.fact import observing
from pytest_nestvirt.observation.unknown import if_known

if TYPE_CHECKING:
    from pytest_nestvirt.facts.machine import Machine


@dataclass(frozen=True, slots=True)
class Credentials:
    """By what a machine is told from another one that does not run in it."""

    name: str
    parent: Credentials | None
    is_recorded: bool
    record: str
    """Digest of the path that it was recorded in; empty where it was not recorded."""
    domain: str
    boot_id: str
    """Digest of it; empty where it is unknown."""
    uuid: str
    """Digest of it, the same for both orders of bytes; empty where it is unknown."""
    is_recognised: bool
    """Whether it shows the UUID that its parent gives it."""

    @property
    def level(self) -> int:
        """Depth below its L0."""
        return 0 if self.parent is None else 1 + self.parent.level


def credentials(machine: Machine) -> Credentials:
    """Those of a machine and of all machines that it runs in. What is read for them is not the evidence of one check."""
    host = machine.host
    with observing():
        boot_id = if_known(lambda: machine.kernel.boot_id)
        uuid = if_known(lambda: min(machine.identity.uuid.bytes, machine.identity.uuid.bytes_le))
        return Credentials(
            name=machine.name,
            parent=None if machine.parent is None else credentials(machine.parent),
            is_recorded=host.connection is Connection.RECORDED,
            record=_digest(str(host.path)) if host.connection is Connection.RECORDED else "",
            domain=host.domain or machine.name,
            boot_id="" if boot_id is None else _digest(str(boot_id)),
            uuid="" if uuid is None else _digest(uuid.hex()),
            is_recognised=is_recognised(machine),
        )


def _digest(text: str) -> str:
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def one_machine(one: Credentials, other: Credentials) -> str:
    """What shows that two machines, neither of which runs in the other, are one, for messages; empty where nothing does."""
    if _is_recorded_twice(one, other):
        return ""
    if one.boot_id and one.boot_id == other.boot_id:
        return f"{one.name} and {other.name} are one and the same system: they have the same boot_id"
    if one.uuid and one.uuid == other.uuid and not _may_share_a_uuid(one, other):
        return f"{one.name} and {other.name} are one and the same machine: they have the same UUID"
    return ""


def _is_recorded_twice(one: Credentials, other: Credentials) -> bool:
    """Whether the inventory lists one machine twice on purpose: one record, records of one L0, or guests of such an L0.

    Records may be of one machine before and after a change. Two names under which one machine is connected to are a mistake.
    """
    if not (one.is_recorded and other.is_recorded) or one.level != other.level:
        return False
    if one.parent is None or other.parent is None or one.record == other.record:
        return True
    apart = one.parent != other.parent and bool(one.parent.boot_id) and one.parent.boot_id == other.parent.boot_id
    return one.domain == other.domain and apart and _is_recorded_twice(one.parent, other.parent)


def _may_share_a_uuid(one: Credentials, other: Credentials) -> bool:
    """Whether two machines of one UUID can be two: physical ones by careless firmware, clones in different hypervisors.

    A boot id tells the two apart, if both were looked at in this run; a record may be of an earlier boot.
    """
    differ = bool(one.boot_id and other.boot_id) and one.boot_id != other.boot_id
    if one.parent is None and other.parent is None:
        return differ
    live = not (one.is_recorded or other.is_recorded)
    return (differ and live) or (one.parent != other.parent and one.is_recognised and other.is_recognised)


def is_recognised(guest: Machine) -> bool:
    """Whether it shows the UUID that its parent gives it."""
    shown, given = if_known(lambda: guest.identity.uuid), if_known(lambda: given_uuid(guest))
    return shown is not None and given is not None and same_uuid(shown, given.uuid)
