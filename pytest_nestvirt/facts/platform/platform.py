"""Facts about what a kernel runs on: a hypervisor, a container, a cloud, or the machine itself."""

from __future__ import annotations

from pytest_nestvirt.facts.kernel import sysinfo
from pytest_nestvirt.facts.kernel.architecture import Family
from pytest_nestvirt.facts.kernel.cpuinfo import CpuInfo
from pytest_nestvirt.facts.kernel.kernel import Kernel
from pytest_nestvirt.facts.platform.container import container, is_wsl1
from pytest_nestvirt.facts.platform.dmi import FIELDS, Dmi
from pytest_nestvirt.facts.platform.layer import NONE, Layer, Signs, Strength, weigh
from pytest_nestvirt.facts.platform.lpar import SYSINFO, layer_of_power, layer_of_z
from pytest_nestvirt.facts.platform.signs import statements
from pytest_nestvirt.facts.platform.windows_dmi import seen_windows_dmi, shows_no_hypervisor
from pytest_nestvirt.facts.processor.cpu import Cpu
from pytest_nestvirt.facts.processor.xen_role import XenRole, xen_role
from pytest_nestvirt.observation.fact import Reader, Subject, Unobservable, fact, why_unread
from pytest_nestvirt.observation.partial import seen_text
from pytest_nestvirt.observation.unknown import known_or
from pytest_nestvirt.snapshot.snapshot import Status

ASSET_TAG = "sys/class/dmi/id/chassis_asset_tag"


class Platform(Subject):
    """What the machine runs on. Evidence of a container is kept apart: a container is asked what its host runs on."""

    name = "platform"

    def __init__(self, reader: Reader, *, kernel: Kernel, cpu: Cpu) -> None:
        super().__init__(reader)
        self.kernel = kernel
        self.cpu = cpu

    @fact
    def virtualization(self) -> str:
        """The hypervisor directly below this kernel, or `none`.

        kvm, qemu (TCG), vmware, hyperv, xen, xen-pv, virtualbox, bhyve, parallels, zvm, powervm, ... A Xen control
        domain gives `xen`: it is not a guest, but it has Xen below it, and KVM cannot work there. `strength` has what the
        name rests on; `none` may rest on nothing but absence, `physical` never does. `Unobservable` where some hypervisor
        is there and nothing names it, and where only DMI strings name one that the processors do not show.
        """
        layer = self._layer()
        if not layer.name:
            raise Unobservable("platform", layer.why)
        return layer.name

    @fact
    def physical(self) -> bool:
        """Whether no hypervisor lies below this kernel, on positive evidence only.

        True for a machine whose DMI names a maker and whose processors all lack the flag `hypervisor`, for PowerNV,
        and for an LPAR of IBM Z without a VM00 block; False wherever a hypervisor is evident, even if it cannot be
        named, a Xen control domain included. `Unobservable` otherwise.
        """
        layer = self._layer()
        if layer.physical is None:
            raise Unobservable("platform", layer.why or "nothing positive shows that this is the machine itself")
        return layer.physical

    @fact
    def strength(self) -> Strength:
        """What the name of the layer below rests on, or that there is one where it has no name."""
        return self._layer().strength

    @fact
    def evidence(self) -> tuple[str, ...]:
        """What the answer follows from, one piece of evidence each; empty where nothing was seen."""
        return self._layer().evidence

    @fact
    def container(self) -> str:
        """The kind of container this is (`docker`, `lxc`, ...), or `none`; `Unobservable` where nothing shows it."""
        return container(self.reader, known_or(lambda: self.kernel.release, ""))

    @fact
    def substrate(self) -> str:
        """What is known of the offer below: azure, aws, gce, openstack, ..., powervm-lpar, prsm-lpar, or `none`.

        `prsm-lpar` is an IBM Z kernel directly in its LPAR: PR/SM partitions the machine, and counts as the
        machine. `none` needs readable DMI (or an architecture without it); `Unobservable` where nothing was read, and for a
        machine of Hyper-V without its asset tag, which is all that shows Azure.
        """
        match self._family():
            case Family.S390X:
                return "prsm-lpar" if self.virtualization == NONE else NONE
            case Family.PPC:
                return "powervm-lpar" if self.virtualization == "powervm" else NONE
        dmi = self._dmi()
        if self._is_ec2():
            return "aws"
        if not dmi.strings:
            raise Unobservable("sys/class/dmi/id/sys_vendor", "no DMI was read")
        if dmi.substrate == NONE and dmi.hypervisor == "hyperv":
            self._must_have_been_looked_at(ASSET_TAG)
        return dmi.substrate

    def _must_have_been_looked_at(self, name: str) -> None:
        """Raise `Unobservable` where it is not known what a section holds; a machine without the file is known."""
        section = self.reader.section(name)
        if section.status not in {Status.OK, Status.MISSING}:
            raise Unobservable(name, why_unread(section))

    @fact
    def control_programs(self) -> tuple[str, ...]:
        """IBM Z: the hypervisors below this kernel and above the LPAR, innermost first (`KVM/Linux`, `z/VM 6.4.0`).

        Their number is the depth of nesting; empty in an LPAR.
        """
        return sysinfo.parse(self.read(SYSINFO)).control_programs

    def _family(self) -> str:
        """As the kernel has it; a machine of unknown architecture is looked at as most are."""
        return known_or(lambda: self.kernel.family, str(Family.UNKNOWN))

    def _info(self) -> CpuInfo:
        return known_or(lambda: self.cpu.info, CpuInfo(Family.UNKNOWN))

    def _layer(self) -> Layer:
        match self._family():
            case Family.S390X:
                return layer_of_z(self.reader, self._info())
            case Family.PPC:
                return layer_of_power(self.reader, self._info())
        if strings := seen_windows_dmi(self.reader):
            return self._layer_of_windows(Dmi(strings))
        if is_wsl1(known_or(lambda: self.kernel.release, "")):
            return Layer(
                "",
                "WSL 1 runs no Linux kernel, so nothing that it shows is that of a machine",
                strength=Strength.ABSENCE,
            )
        role = xen_role(self.reader)
        if role is XenRole.NONE:
            return weigh(self._signs())
        return Layer("xen-pv" if role is XenRole.PV else "xen", physical=False, evidence=(f"Xen: {role} domain",))

    def _layer_of_windows(self, dmi: Dmi) -> Layer:
        """By strings alone, and by the flag `hypervisor` as far as Windows shows that it is not there."""
        flags = frozenset[str]() if shows_no_hypervisor(self.reader) else None
        return weigh(Signs(dmi=dmi, flags=flags, flag_expected=True))

    def _signs(self) -> Signs:
        info, dmi = self._info(), self._dmi()
        each = [cpu.flags for cpu in info.processors if cpu.flags is not None] if info.family is Family.X86 else []
        flags = frozenset().union(*each) if each else None
        return Signs(
            dmi=dmi,
            every=statements(
                self.reader,
                dmi,
                flag=None if flags is None else "hypervisor" in flags,
                kernel=known_or(lambda: self.kernel.version, ()),
            ),
            flags=flags,
            flag_expected=self._family() == Family.X86,
            model_name=(info.processors[0].model_name or "") if info.processors else "",
        )

    def _dmi(self) -> Dmi:
        strings = {field: seen_text(self.reader, f"sys/class/dmi/id/{field}") for field in FIELDS}
        return Dmi({field: text for field, text in strings.items() if text} or seen_windows_dmi(self.reader))

    def _is_ec2(self) -> bool:
        """Xen instances of EC2 have a UUID that begins so."""
        return xen_role(self.reader) is not XenRole.NONE and any(
            seen_text(self.reader, name).lower().startswith("ec2")
            for name in ("sys/hypervisor/uuid", "sys/class/dmi/id/product_uuid")
        )
