"""What goes wrong on the way through a hop, and whose fault it is."""

from __future__ import annotations

import paramiko

from pytest_nestvirt.inventory.host import Host
from pytest_nestvirt.transport.base import Stage, TransportError


class DeadHopError(TransportError):
    """A host could not be reached because a hop on the way to it could not be used."""


class SilentError(TransportError):
    """The connection is alive, and opening a channel took too long all the same."""


def tunnel_refused(hop: Host, target: Host, address: str, error: paramiko.ChannelException) -> TransportError:
    """Why a hop that works opens no connection to a host behind it."""
    if error.code == paramiko.common.OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED:
        what, remedy = (
            f"its hop {hop.name} forbids forwarding to {address}",
            "see AllowTcpForwarding and PermitOpen in its sshd_config",
        )
    else:
        what = f"its hop {hop.name} cannot reach {address} ({error.text})"
        remedy = "check that the machine is up and that the hop knows this address"
    return TransportError(target.name, Stage.CONNECT, what, remedy)
