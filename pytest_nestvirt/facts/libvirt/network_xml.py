"""A libvirt network's XML: a pure parser of what decides about addresses (https://libvirt.org/formatnetwork.html)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Network, ip_address, ip_network
from xml.etree.ElementTree import Element, ParseError  # types only: defusedxml parses

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from pytest_nestvirt.observation.fact import Unobservable

Subnet = IPv4Network | IPv6Network

ISOLATED = "isolated"


@dataclass(frozen=True, slots=True)
class Network:
    """One virtual network."""

    name: str
    forward: str
    """Mode of <forward>: nat, route, open, bridge, ...; `isolated` for a network without that element."""
    bridge: str
    """Name of the bridge device; empty where the definition names none."""
    subnets: tuple[Subnet, ...]
    """Those of its <ip> elements. A network that is a bridge of the host's has none: its addresses are others' matter."""


def parse_network(text: str, source: str) -> Network:
    """What `virsh net-dumpxml` prints. Raises `Unobservable` where it is not the definition of a network.

    >>> parse_network("<network><name>a</name><ip address='192.0.2.1' netmask='255.255.255.0'/></network>", "here").subnets
    (IPv4Network('192.0.2.0/24'),)
    """
    try:
        root: Element = fromstring(text.strip())
    except (ParseError, DefusedXmlException, ValueError) as error:
        raise Unobservable(source, f"not XML: {str(error)[:80]}") from None
    name = (root.findtext("name") or "").strip()
    if root.tag != "network" or not name:
        raise Unobservable(source, "not the definition of a network")
    forward, bridge = root.find("forward"), root.find("bridge")
    return Network(
        name,
        # libvirt takes a <forward> without a mode for nat.
        ISOLATED if forward is None else forward.get("mode") or "nat",
        "" if bridge is None else bridge.get("name") or "",
        tuple(_subnets(root, source)),
    )


def _subnets(root: Element, source: str) -> Iterator[Subnet]:
    for element in root.findall("ip"):
        address = element.get("address") or ""
        try:
            length = element.get("prefix") or element.get("netmask") or _length(address)
            yield ip_network(f"{address}/{length}", strict=False)
        except ValueError as error:
            raise Unobservable(source, f"an <ip> is not a subnet: {str(error)[:80]}") from None


def _length(address: str) -> int:
    """The prefix of an address without one, as libvirt takes it (virSocketAddrGetIPPrefix): by its old class."""
    known = ip_address(address)
    if not isinstance(known, IPv4Address):
        return 64
    first = known.packed[0]
    return 8 if first < 128 else 16 if first < 192 else 24  # noqa: PLR2004 - classes A, B and C of RFC 791
