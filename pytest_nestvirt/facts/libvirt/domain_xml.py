"""A libvirt domain's XML: a pure parser of what nested virtualization depends on.

The format is libvirt's (https://libvirt.org/formatdomain.html). The text comes from hosts, so entities and DTDs are
refused, and whatever is not understood is `Unobservable`, never a crash.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from xml.etree.ElementTree import Element, ParseError  # types only: defusedxml parses

from defusedxml.ElementTree import fromstring

from pytest_nestvirt.facts.libvirt.domain_state import DomainState, parse_state
from pytest_nestvirt.observation.fact import Unobservable

ABSENT = "absent"
TOPOLOGY_ONLY = "topology-only"

_QEMU = "{http://libvirt.org/schemas/domain/qemu/1.0}"
_WRAPPERS = frozenset({"domstatus", "domainsnapshot", "domaincheckpoint"})
_DEMANDED = frozenset({"require", "force"})
_DECLINED = frozenset({"disable", "forbid"})

_UNITS = {
    "b": 1, "bytes": 1,
    "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12, "pb": 10**15, "eb": 10**18,
    "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40, "p": 2**50, "e": 2**60,
    "kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40, "pib": 2**50, "eib": 2**60,
}  # fmt: skip
"""libvirt's spellings of units (virScaleInteger), in bytes."""


@dataclass(frozen=True, slots=True)
class DomainXml:
    """One domain definition; attributes that it leaves out are empty strings unless stated otherwise."""

    source: str
    """The section it was parsed from."""
    wrapped: bool
    """Whether <domain> is inside <domstatus> or <domainsnapshot>."""
    name: str
    type: str
    """kvm, qemu (which is TCG), xen, hvf, ..."""
    uuid: str
    arch: str
    machine: str
    cpu_elements: int
    """How many <cpu> are directly below <domain>; more than one is refused by libvirt."""
    cpu_mode: str
    """custom, host-model, host-passthrough, maximum; `absent` without <cpu>; `topology-only` if it names no processor."""
    cpu_model: str
    cpu_check: str
    features: Mapping[str, str]
    """Name of a processor feature -> policy; `require` where none is written."""
    nested_hv: str
    """POWER: on, off or absent."""
    hugepages: bool
    iommu: str | None
    """Model of an emulated IOMMU; None if the domain has none."""
    memory: int | None
    """KiB at boot."""
    current_memory: int | None
    """KiB that a balloon leaves of it; the same as `memory` where nothing is written."""
    vcpu: int | None
    current_vcpu: int | None
    """Processors that are plugged in; the same as `vcpu` where nothing is written."""
    qemu_arguments: tuple[str, ...]
    """Arguments that <qemu:commandline> hands to QEMU past libvirt."""
    firmware_uuid: str
    """The UUID that its firmware shows: <hwuuid>, the <sysinfo> of SMBIOS, or else <uuid>."""
    smbios: str
    """Mode of <smbios>: emulate, host (the host's own strings), sysinfo (those of the definition)."""
    kvm_hidden: bool
    """Whether <kvm><hidden> keeps KVM's CPUID signature from it."""

    @property
    def accel(self) -> str:
        """The accelerator that libvirt asks QEMU for: `kvm`, `tcg`, or the domain type where it is another one."""
        return "tcg" if self.type == "qemu" else self.type

    @property
    def memory_kib(self) -> int:
        """Memory at boot in KiB. `Unobservable` if it is not given or not understood."""
        return self._given("memory", self.memory)

    @property
    def current_memory_kib(self) -> int:
        """What a balloon leaves of it. `Unobservable` if it is not given or not understood."""
        return min(self.memory_kib, self._given("currentMemory", self.current_memory))

    @property
    def vcpus(self) -> int:
        """Most processors it can have. `Unobservable` if it is not given or not understood."""
        return self._given("vcpu", self.vcpu)

    @property
    def current_vcpus(self) -> int:
        """Processors that are plugged in. `Unobservable` if that is not given or not understood."""
        return min(self.vcpus, self._given("vcpu", self.current_vcpu))

    def _given(self, element: str, value: int | None) -> int:
        if value is None:
            raise Unobservable(self.source, f"<{element}> is missing or not understood")
        return value

    def policy(self, feature: str) -> str:
        """The policy of a processor feature; `absent` if the definition does not name it."""
        return self.features.get(feature, ABSENT)

    def demands(self, feature: str) -> bool:
        """Whether the guest is to have the feature whatever its model has: policy require or force."""
        return self.policy(feature) in _DEMANDED

    def declines(self, feature: str) -> bool:
        """Whether the feature is kept from the guest: policy disable or forbid."""
        return self.policy(feature) in _DECLINED

    @property
    def impossible_vmx_and_svm(self) -> bool:
        """Whether it demands both vmx and svm, which no processor has: libvirt refuses to start it."""
        return self.demands("vmx") and self.demands("svm")

    @property
    def vmx_sub_features(self) -> frozenset[str]:
        """Features that tune VMX (`vmx-apicv-xapic`), which recent libvirt lists when it expands a model."""
        return frozenset(name for name in self.features if name.startswith("vmx-"))

    @property
    def power8_compat(self) -> bool:
        """Whether it asks for POWER8 compatibility: a model `power8` with host-model or custom, or QEMU's own option."""
        by_model = self.cpu_mode in {"host-model", "custom"} and self.cpu_model.lower().startswith("power8")
        return by_model or any("compat=power8" in argument.lower() for argument in self.qemu_arguments)


def parse_domain(text: str, source: str) -> DomainXml:
    """Parse `virsh dumpxml` or a file of /etc/libvirt/qemu. Raises `Unobservable` where it is not one domain."""
    root = _root(text, source)
    domain = root if root.tag == "domain" else root.find("domain") if root.tag in _WRAPPERS else None
    if domain is None:
        raise Unobservable(source, f"<{root.tag[:40]}> is not a libvirt domain")
    cpus = domain.findall("cpu")
    cpu = cpus[0] if cpus else None
    return DomainXml(
        source=source,
        wrapped=domain is not root,
        name=_text(domain, "name"),
        type=domain.get("type", ""),
        uuid=_text(domain, "uuid").lower(),
        arch=_attribute(domain, "os/type", "arch"),
        machine=_attribute(domain, "os/type", "machine"),
        cpu_elements=len(cpus),
        cpu_mode=_cpu_mode(cpu),
        cpu_model="" if cpu is None else _text(cpu, "model"),
        cpu_check="" if cpu is None else cpu.get("check", ""),
        features=MappingProxyType({} if cpu is None else _features(cpu, source)),
        nested_hv=_nested_hv(domain, source),
        hugepages=domain.find("memoryBacking/hugepages") is not None,
        iommu=_iommu(domain),
        memory=_kib(domain.find("memory")),
        current_memory=_kib(_first(domain, "currentMemory", "memory")),
        vcpu=_count(_text(domain, "vcpu")),
        current_vcpu=_count(_attribute(domain, "vcpu", "current") or _text(domain, "vcpu")),
        firmware_uuid=_firmware_uuid(domain),
        smbios=_attribute(domain, "os/smbios", "mode"),
        kvm_hidden=_attribute(domain, "features/kvm/hidden", "state") == "on",
        qemu_arguments=tuple(arg.get("value", "") for arg in domain.iterfind(f"{_QEMU}commandline/{_QEMU}arg")),
    )


def parse_status(text: str, source: str) -> DomainState:
    """The state in libvirt's own file of a running domain: `<domstatus state='running' ...>`. Raises `Unobservable`."""
    root = _root(text, source)
    if root.tag != "domstatus":
        raise Unobservable(source, f"<{root.tag[:40]}> does not have a state")
    return parse_state(root.get("state", ""), source)


def _root(text: str, source: str) -> Element:
    written = text.strip()
    if not written or written.startswith("error:"):
        raise Unobservable(source, written.partition("\n")[0][:200] or "the section is empty")
    try:
        root: Element = fromstring(written, forbid_dtd=True)
    except (ParseError, ValueError, LookupError) as error:
        kind = "not well-formed" if isinstance(error, ParseError) else "refused"
        raise Unobservable(source, f"the XML is {kind}: {' '.join(str(error).split())[:160]}") from None
    return root


def _text(parent: Element, path: str) -> str:
    return (parent.findtext(path) or "").strip()


def _firmware_uuid(domain: Element) -> str:
    """A <hwuuid> is shown in place of <uuid>; libvirt refuses a <sysinfo> whose entry differs from <uuid>."""
    by_sysinfo = _text(domain, "sysinfo[@type='smbios']/system/entry[@name='uuid']")
    return (_text(domain, "hwuuid") or by_sysinfo or _text(domain, "uuid")).lower()


def _attribute(parent: Element, path: str, name: str) -> str:
    found = parent.find(path)
    return "" if found is None else found.get(name, "")


def _cpu_mode(cpu: Element | None) -> str:
    """Without `mode`, libvirt takes a <cpu> that names a model for custom."""
    if cpu is None:
        return ABSENT
    return cpu.get("mode") or ("custom" if cpu.find("model") is not None else TOPOLOGY_ONLY)


def _features(cpu: Element, source: str) -> dict[str, str]:
    policies: dict[str, str] = {}
    for feature in cpu.findall("feature"):
        name, policy = feature.get("name", ""), feature.get("policy", "require")
        if policies.setdefault(name, policy) != policy:
            raise Unobservable(source, f"processor feature {name!r} is listed twice, with different policies")
    return policies


def _nested_hv(domain: Element, source: str) -> str:
    found = domain.find("features/nested-hv")
    if found is None:
        return ABSENT
    state = found.get("state", "")
    if state not in {"on", "off"}:
        raise Unobservable(source, f"<nested-hv> has the state {state[:20]!r}, neither on nor off")
    return state


def _iommu(domain: Element) -> str | None:
    found = domain.find("devices/iommu")
    return None if found is None else found.get("model", "")


def _count(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None  # noqa: PLR2004 - 64 bits


def _first(parent: Element, *paths: str) -> Element | None:
    return next((found for found in map(parent.find, paths) if found is not None), None)


def _kib(memory: Element | None) -> int | None:
    if memory is None:
        return None
    number = _count((memory.text or "").strip())
    unit = _UNITS.get(memory.get("unit", "KiB").lower())
    return None if number is None or unit is None else number * unit // 1024
