"""What libvirt would make of host-model: `virsh domcapabilities` (https://libvirt.org/formatdomaincaps.html)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from xml.etree.ElementTree import Element, ParseError  # types only: defusedxml parses

from defusedxml.ElementTree import fromstring

from pytest_nestvirt.facts.libvirt.virsh import refuse_error
from pytest_nestvirt.observation.fact import Subject, Unobservable, fact

SOURCE = "sos_commands/virsh/virsh_-r_domcapabilities"


@dataclass(frozen=True, slots=True)
class HostModel:
    """The processor that a domain with host-model would get."""

    model: str
    features: Mapping[str, str]
    """Name of a feature beyond the model -> policy."""

    def offers(self, feature: str) -> bool:
        """Whether it names that feature as one that the guest is to have."""
        return self.features.get(feature) in {"require", "force"}


class DomainCapabilities(Subject):
    """What libvirt says that domains of the default type (KVM, where it works) can have on this machine.

    libvirt keeps these answers and asks QEMU again when `nested` of a kvm module has changed.
    """

    name = "domain_capabilities"

    @fact
    def host_model(self) -> HostModel:
        """`Unobservable` where libvirt does not offer host-model, or was not asked."""
        text = self.read(SOURCE)
        refuse_error(text, SOURCE)
        return parse_host_model(text)


def parse_host_model(text: str) -> HostModel:
    """Parse <mode name='host-model' supported='yes'> of <domainCapabilities>. Raises `Unobservable`."""
    mode = _root(text).find("cpu/mode[@name='host-model']")
    if mode is None or mode.get("supported") != "yes":
        raise Unobservable(SOURCE, "libvirt offers no host-model here")
    policies = {feature.get("name", ""): feature.get("policy", "require") for feature in mode.findall("feature")}
    return HostModel((mode.findtext("model") or "").strip(), MappingProxyType(policies))


def _root(text: str) -> Element:
    try:
        root: Element = fromstring(text.strip(), forbid_dtd=True)
    except (ParseError, ValueError, LookupError) as error:
        raise Unobservable(SOURCE, f"not readable XML: {' '.join(str(error).split())[:160]}") from None
    if root.tag != "domainCapabilities":
        raise Unobservable(SOURCE, f"<{root.tag[:40]}> is not what virsh domcapabilities prints")
    return root
