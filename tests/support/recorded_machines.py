"""Small machines made of texts: hosts and guests of RHEL 8 that conform to its document, to be changed by tests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from machine_sections import snapshot

from pytest_nestvirt.facts.machine import Machine, build_machines
from pytest_nestvirt.inventory.host import Connection, Environment, Host, Inventory
from pytest_nestvirt.observation.fact import Unobservable
from pytest_nestvirt.snapshot.snapshot import Snapshot, Status

Texts: TypeAlias = Mapping[str, str | Status]
"""Section name -> its text, or the status of one that has none."""

NOT_COLLECTED = Status.CUT
"""Stands for a section that is taken out of the snapshot."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """One machine: what was read from it, and what the inventory says. `sections` None: nobody logs in."""

    name: str
    sections: Texts | None
    declared: Mapping[str, object] = field(default_factory=dict)

    def having(self, sections: Texts | None = None, **declared: object) -> Recorded:
        """The same machine with some sections replaced, and some of what the inventory says."""
        merged = {**(self.sections or {}), **(sections or {})}
        kept = {name: text for name, text in merged.items() if text is not NOT_COLLECTED}
        return replace(self, sections=kept, declared={**self.declared, **declared})


Chain: TypeAlias = tuple[Recorded, ...]
"""From the L0 downwards; every machine is the guest of the one before it."""


def machines(chain: Chain) -> tuple[Machine, ...]:
    """The machines of a chain, as checks get them."""
    hosts, parent = [], None
    for level, recorded in enumerate(chain):
        plain = Host(recorded.name, level, parent, Connection.RECORDED, domain=recorded.name)
        hosts.append(replace(plain, **recorded.declared))  # type: ignore[arg-type]  # names and types are those of Host
        parent = recorded.name
    built = build_machines(Inventory(tuple(hosts)), {recorded.name: _snapshot(recorded) for recorded in chain})
    return tuple(built[recorded.name] for recorded in chain)


def _snapshot(recorded: Recorded) -> Snapshot | Unobservable:
    if recorded.sections is None:
        return Unobservable("inventory", f"nobody logs in to {recorded.name}")
    return snapshot(recorded.sections)


# ---- what the machines have in common


KERNELS_OF_RHEL = {
    "7.6": "3.10.0-957.el7",
    "7.7": "3.10.0-1062.el7",
    "7.8": "3.10.0-1127.el7",
    "7.9": "3.10.0-1160.el7",
    "8.1": "4.18.0-147.el8",
    "8.2": "4.18.0-193.el8",
    "8.6": "4.18.0-372.9.1.el8",
    "8.8": "4.18.0-477.10.1.el8_8",
    "8.10": "4.18.0-553.el8_10",
    "9.2": "5.14.0-284.11.1.el9_2",
    "9.4": "5.14.0-427.13.1.el9_4",
    "10.0": "6.12.0-55.9.1.el10_0",
}


def rhel(version: str, name: str = "Red Hat Enterprise Linux") -> Texts:
    """Release files of RHEL, and the name of the kernel that comes with it."""
    server = " Server" if version.startswith("7") else ""
    return {
        "etc/os-release": f'NAME="{name}"\nID="rhel"\nID_LIKE="fedora"\nVERSION_ID="{version}"\n'
        f'PRETTY_NAME="{name} {version}"\nREDHAT_SUPPORT_PRODUCT_VERSION="{version}"\n',
        "etc/redhat-release": f"Red Hat Enterprise Linux{server} release {version} (Codename)\n",
        "proc/sys/kernel/osrelease": f"{KERNELS_OF_RHEL[version]}\n",
    }


def system(os_id: str, version: str) -> Texts:
    """Release files of another Linux."""
    return {
        "etc/os-release": f'ID="{os_id}"\nVERSION_ID="{version}"\nPRETTY_NAME="{os_id} {version}"\nID_LIKE="rhel fedora"\n',
        "etc/redhat-release": Status.MISSING,
    }


def kernel(release: str, architecture: str) -> Texts:
    """What names the kernel."""
    return {
        "sos_commands/kernel/uname_-a": f"Linux host {release} #1 SMP Tue {architecture} {architecture} {architecture} GNU/Linux\n",
        "proc/sys/kernel/osrelease": f"{release}\n",
        "proc/cmdline": "BOOT_IMAGE=/vmlinuz root=/dev/vda1 ro\n",
        "sos_commands/kernel/dmesg": "[    0.1] kvm: initialized\n",
    }


def modprobe(**files: str) -> Texts:
    """The directories of modprobe: nothing but these files, by name without `.conf`, in /etc."""
    listed = "".join(f"{name}.conf\n" for name in sorted(files))
    return {
        "etc/modprobe.d/": listed,
        "run/modprobe.d/": "",
        "usr/local/lib/modprobe.d/": Status.MISSING,
        "usr/lib/modprobe.d/": "",
        "lib/modprobe.d/": "",
        **{f"etc/modprobe.d/{name}.conf": text for name, text in files.items()},
    }


def module(name: str, **parameters: str) -> Texts:
    """A loaded module with its parameters."""
    texts: dict[str, str | Status] = {f"sys/module/{name}": "", f"sys/module/{name}/refcnt": "1\n"}
    return texts | {f"sys/module/{name}/parameters/{key}": f"{value}\n" for key, value in parameters.items()}


def without_modules(*names: str) -> Texts:
    """Modules that are not loaded."""
    return {f"sys/module/{name}": Status.MISSING for name in names}


KVM_WORKS: Texts = {
    "dev/kvm": "crw-rw-rw- 1 0 36 10, 232 Nov 21 04:04 /dev/kvm\n",
    "nestvirt/kvm_ioctl": "api=12\ncreate_vm=ok\nnested_state=4224\n",
}
NO_KVM: Texts = {"dev/kvm": Status.MISSING, "nestvirt/kvm_ioctl": "error=ENOENT\n"}

HARDWARE: Texts = {
    "sys/class/dmi/id/sys_vendor": "Dell Inc.\n",
    "sys/class/dmi/id/product_name": "PowerEdge R640\n",
    "sys/class/dmi/id/board_vendor": "Dell Inc.\n",
    "nestvirt/systemd-detect-virt_--vm": "none\n",
    "nestvirt/systemd-detect-virt_--container": "none\n",
}
KVM_GUEST: Texts = {
    "sys/class/dmi/id/sys_vendor": "Red Hat\n",
    "sys/class/dmi/id/product_name": "KVM\n",
    "nestvirt/systemd-detect-virt_--vm": "kvm\n",
    "nestvirt/systemd-detect-virt_--container": "none\n",
}


def guest_of(hypervisor: str, sys_vendor: str, product_name: str, **more: str) -> Texts:
    """What a guest of another x86 hypervisor sees; `more` are further DMI strings."""
    strings = {"sys_vendor": sys_vendor, "product_name": product_name, **more}
    return {
        **{f"sys/class/dmi/id/{name}": f"{text}\n" for name, text in strings.items()},
        "nestvirt/systemd-detect-virt_--vm": f"{hypervisor}\n",
    }


FIRMWARE: Texts = {"sys/firmware/acpi/tables/": "APIC\nDSDT\nFACP\n", "sys/kernel/iommu_groups/": Status.MISSING}


def cpuinfo(vendor: str, model_name: str, flags: str, *, family: int = 6, model: int = 85, cpus: int = 2) -> Texts:
    """/proc/cpuinfo of x86."""
    block = (
        "processor\t: {n}\nvendor_id\t: " + vendor + f"\ncpu family\t: {family}\nmodel\t\t: {model}\n"
        f"model name\t: {model_name}\nflags\t\t: {flags}\n\n"
    )
    return {"proc/cpuinfo": "".join(block.replace("{n}", str(n)) for n in range(cpus))}


def power(name: str, pvr: str = "004e 1202", *, native: bool, mmu: str = "Radix") -> Texts:
    """/proc/cpuinfo of POWER, bare metal or KVM guest."""
    footer = (
        "platform\t: PowerNV\nmodel\t\t: 9006-12P\nmachine\t\t: PowerNV 9006-12P\nfirmware\t: OPAL\n"
        if native
        else "platform\t: pSeries\nmodel\t\t: IBM pSeries (emulated by qemu)\nmachine\t\t: CHRP IBM pSeries (emulated by qemu)\n"
    )
    text = (
        f"processor\t: 0\ncpu\t\t: {name}\nclock\t\t: 2166MHz\nrevision\t: 2.2 (pvr {pvr})\n\n{footer}MMU\t\t: {mmu}\n"
    )
    node = Status.MISSING if native else "linux,kvm\n"
    return {"proc/cpuinfo": text, "proc/device-tree/hypervisor/compatible": node}


def zcpu(features: str, version: str = "00", control_program: str = "") -> Texts:
    """/proc/cpuinfo and /proc/sysinfo of IBM Z; a control program makes it a guest."""
    sysinfo = "Manufacturer: IBM\nType: 2964\nLPAR Number: 41\nLPAR Name: LP41\n"
    sysinfo += f"VM00 Name: guest\nVM00 Control Program: {control_program}\n" if control_program else ""
    text = f"vendor_id       : IBM/S390\n# processors    : 1\nfeatures\t: {features} \n"
    text += f"processor 0: version = {version},  identification = 398BE8,  machine = 2964\n"
    return {"proc/cpuinfo": text, "proc/sysinfo": sysinfo}


def domain(name: str, inside: str, *, running: bool = True, type_: str = "kvm") -> Texts:
    """The view that libvirt has of the only guest of a machine."""
    row = f" 1    {name}   running\n" if running else f" -    {name}   shut off\n"
    xml = f"<domain type='{type_}'>\n  <name>{name}</name>\n  <memory unit='KiB'>4194304</memory>\n  {inside}\n</domain>\n"
    return {
        "sos_commands/virsh/virsh_-r_list_--all": f" Id   Name   State\n--------------------\n{row}",
        f"sos_commands/virsh/virsh_-r_dumpxml_{name}": xml,
        f"sos_commands/virsh/virsh_-r_dumpxml_--inactive_{name}": xml,
    }


NO_DOMAINS: Texts = {"sos_commands/virsh/virsh_-r_list_--all": " Id   Name   State\n--------------------\n"}


def qemu(*command_lines: str) -> Texts:
    """Running QEMU processes, words separated by blanks."""
    pids = range(4711, 4711 + len(command_lines))
    return {
        "nestvirt/qemu/": "".join(f"{pid}\n" for pid in pids),
        **{
            f"nestvirt/qemu/{pid}": line.replace(" ", "\n") + "\n"
            for pid, line in zip(pids, command_lines, strict=True)
        },
    }


# ---- conforming chains

EL8 = "4.18.0-372.9.1.el8"
DEV = {"environment": Environment.DEV}
INTEL_FLAGS = "fpu msr pae lm vmx est tpr_shadow vnmi ept vpid ept_ad avx512f"
AMD_FLAGS = "fpu msr pae lm svm npt nrip_save avic avx2"
XEON = "Intel(R) Xeon(R) Gold 6130 CPU @ 2.10GHz"
EPYC = "AMD EPYC 7451 24-Core Processor"
PASSTHROUGH = "<cpu mode='host-passthrough' check='none' migratable='on'/>"
NESTED_HV = "<features><nested-hv state='on'/></features>"


def nested_guest(architecture: str, *texts: Texts) -> Recorded:
    """An L2 of RHEL 8.6 without KVM and without guests."""
    parts: list[Texts] = [kernel(f"{EL8}.{architecture}", architecture), rhel("8.6"), NO_KVM, NO_DOMAINS, qemu()]
    modules = without_modules("kvm", "kvm_intel", "kvm_amd", "kvm_hv", "kvm_pr")
    return Recorded("L2", _merged([*parts, modules, modprobe(), *texts]))


def host(name: str, architecture: str, *texts: Texts, **declared: object) -> Recorded:
    """A machine of RHEL 8.6 with working KVM."""
    parts: list[Texts] = [kernel(f"{EL8}.{architecture}", architecture), rhel("8.6"), KVM_WORKS, modprobe()]
    modules = without_modules("kvm", "kvm_intel", "kvm_amd", "kvm_hv", "kvm_pr")
    return Recorded(name, _merged([*parts, modules, *texts]), declared)


def _merged(texts: list[Texts]) -> Texts:
    return {name: text for part in texts for name, text in part.items()}


def intel_chain() -> Chain:
    """A fully supported chain: Xeon, RHEL 8.6 on all levels."""
    line = "options kvm_intel nested=1\n"
    argv = "/usr/libexec/qemu-kvm -name guest=L1 -machine pc-q35-rhel8.6.0,accel=kvm -cpu host"
    l0 = [HARDWARE, cpuinfo("GenuineIntel", XEON, INTEL_FLAGS), module("kvm"), module("kvm_intel", nested="1")]
    l1 = [KVM_GUEST, cpuinfo("GenuineIntel", XEON, "fpu msr pae lm vmx hypervisor tpr_shadow ept vpid ept_ad")]
    l1 += [module("kvm"), module("kvm_intel", nested="N", enable_apicv="N"), FIRMWARE, qemu(argv.replace("L1", "L2"))]
    return (
        host("L0", "x86_64", *l0, modprobe(kvm=line), domain("L1", PASSTHROUGH), qemu(argv), **DEV),
        host("L1", "x86_64", *l1, domain("L2", PASSTHROUGH)),
        nested_guest("x86_64", KVM_GUEST, cpuinfo("GenuineIntel", XEON, "fpu msr pae lm hypervisor"), FIRMWARE),
    )


def amd_chain() -> Chain:
    """A previewed chain: EPYC."""
    argv = "/usr/libexec/qemu-kvm -name guest=L1 -machine pc-q35-rhel8.6.0,accel=kvm -cpu host"
    l0 = [
        HARDWARE,
        cpuinfo("AuthenticAMD", EPYC, AMD_FLAGS, family=23, model=1),
        module("kvm"),
        module("kvm_amd", nested="1"),
    ]
    l1 = [KVM_GUEST, cpuinfo("AuthenticAMD", EPYC, "fpu msr pae lm svm hypervisor npt", family=23, model=1)]
    l1 += [module("kvm"), module("kvm_amd", nested="1"), FIRMWARE, qemu(argv.replace("L1", "L2"))]
    return (
        host(
            "L0",
            "x86_64",
            *l0,
            modprobe(kvm="options kvm_amd nested=1\n"),
            domain("L1", PASSTHROUGH),
            qemu(argv),
            **DEV,
        ),
        host("L1", "x86_64", *l1, domain("L2", PASSTHROUGH)),
        nested_guest(
            "x86_64", KVM_GUEST, cpuinfo("AuthenticAMD", EPYC, "fpu msr pae lm hypervisor", family=23), FIRMWARE
        ),
    )


def z_chain() -> Chain:
    """A previewed chain: z13 in a logical partition."""
    argv = "/usr/libexec/qemu-kvm -name guest=L1 -machine s390-ccw-virtio-rhel8.6.0,accel=kvm"
    none = {"nestvirt/systemd-detect-virt_--container": "none\n"}
    return (
        host(
            "L0", "s390x", none, zcpu("esan3 zarch stfle vx te sie"), module("kvm", nested="1", hpage="0"),
            modprobe(kvm="options kvm nested=1\n"), domain("L1", ""), qemu(argv), **DEV,
        ),
        host(
            "L1", "s390x", none, zcpu("esan3 zarch stfle vx sie", "FF", "KVM/Linux"), module("kvm", nested="0", hpage="0"),
            domain("L2", ""), qemu(argv.replace("L1", "L2")),
        ),
        nested_guest("s390x", none, zcpu("esan3 zarch stfle vx", "FF", "KVM/Linux")),
    )  # fmt: skip


def power9_chain() -> Chain:
    """A previewed chain: POWER9 under OPAL."""
    argv = "/usr/libexec/qemu-kvm -name guest=L1 -machine pseries-rhel8.6.0,accel=kvm,cap-nested-hv=on -cpu host"
    none = {"nestvirt/systemd-detect-virt_--container": "none\n"}
    guest = power("POWER9 (architected), altivec supported", native=False)
    return (
        host(
            "L0", "ppc64le", none, power("POWER9, altivec supported", native=True), module("kvm"),
            module("kvm_hv", nested="Y"), modprobe(kvm="options kvm_hv nested=1\n"), domain("L1", NESTED_HV), qemu(argv), **DEV,
        ),
        host(
            "L1", "ppc64le", none, guest, module("kvm"), module("kvm_hv", nested="Y"), domain("L2", NESTED_HV),
            qemu(argv.replace("L1", "L2")),
        ),
        nested_guest("ppc64le", none, guest),
    )  # fmt: skip
