"""Chains as VirtRigaud's page wants them: a guest hypervisor on libvirt, on vSphere and on Proxmox VE, each to be changed."""

from __future__ import annotations

from linux_chains import definition, intel
from recorded_machines import HARDWARE, Chain, Recorded, Texts, cpuinfo, guest_of, kernel, system, without_modules

from pytest_nestvirt.inventory.host import Provider

JAMMY = ("ubuntu", "22.04", "5.15.0-91-generic")
BOOKWORM = ("debian", "12", "6.1.0-18-amd64")
LSCPU = "Architecture:        x86_64\n{}Hypervisor vendor:   KVM\nVirtualization type: full\n"
Q35 = "<os><type arch='x86_64' machine='pc-q35-6.2'>hvm</type></os><cpu mode='host-passthrough'/>"
FLAGS = "fpu msr pae lm vmx hypervisor ept vpid ept_ad"
NETWORK = (
    "<network><name>{name}</name><forward mode='{mode}'/><ip address='{address}' netmask='255.255.255.0'/></network>"
)
VALIDATE = "  QEMU: Checking {check:<70} : {level}\n"
CHECKS = (
    "for hardware virtualization",
    "if device '/dev/kvm' exists",
    "if device '/dev/kvm' is accessible",
)
SERVICE = "Id={name}\nLoadState=loaded\nActiveState={active}\nUnitFileState={enabled}\n\n"
MARKERS = "Checking nested virtualization support...\nNested virtualization setup complete\n"
PACKAGES = ("qemu-system-x86", "libvirt-daemon-system", "libvirt-clients", "bridge-utils", "virt-manager")


def networks(**subnets: tuple[str, str]) -> Texts:
    """Networks of libvirt by name: forward mode and the address of the bridge."""
    rows = "".join(f" {name}   active   yes         yes\n" for name in subnets)
    return {
        "sos_commands/virsh/virsh_-r_net-list": f" Name      State    Autostart   Persistent\n-----------\n{rows}",
        **{
            f"sos_commands/virsh/virsh_-r_net-dumpxml_{name}": NETWORK.format(name=name, mode=mode, address=address)
            for name, (mode, address) in subnets.items()
        },
    }


def lscpu(extension: str) -> Texts:
    """What lscpu prints; an empty extension leaves its line out."""
    line = f"Virtualization:      {extension}\n" if extension else ""
    return {"sos_commands/processor/lscpu": LSCPU.format(line)}


def validated(level: str) -> Texts:
    """What virt-host-validate prints when its first check ends like that."""
    lines = [VALIDATE.format(check=check, level=level if place == 0 else "PASS") for place, check in enumerate(CHECKS)]
    return {"nestvirt/virt-host-validate_qemu": "".join(lines)}


def services(active: str = "active", enabled: str = "enabled") -> Texts:
    """The unit of libvirt's daemon."""
    return {"nestvirt/services": SERVICE.format(name="libvirtd.service", active=active, enabled=enabled)}


def installed(*names: str) -> Texts:
    """What the package manager has."""
    return {"nestvirt/packages": "".join(f"{name} 1.0\n" for name in names)}


def memory(gib: float) -> Texts:
    """What the kernel shows of so much memory."""
    return {"proc/meminfo": f"MemTotal:       {int(gib * 2**20)} kB\n"}


def free(gib: int) -> Texts:
    """Free space of the file system that everything lies on."""
    return {
        "nestvirt/df": "Filesystem 1024-blocks Used Available Capacity Mounted on\n"
        f"/dev/vda1 104857600 1048576 {gib * 2**20} 2% /\n"
    }


def processors(count: int, flags: str = FLAGS) -> Texts:
    """/proc/cpuinfo of the guest."""
    return cpuinfo("GenuineIntel", "Intel(R) Xeon(R) Gold 6130 CPU", flags, cpus=count)


INSIDE: Texts = {
    **processors(8),
    **memory(15.6),
    **lscpu("VT-x"),
    **validated("PASS"),
    **services(),
    **installed(*PACKAGES),
    **free(60),
    **networks(nested=("nat", "192.168.150.1")),
    "nestvirt/groups": "libvirt:x:118:ubuntu\nkvm:x:108:ubuntu\n",
    "nestvirt/id": "uid=1000(ubuntu) gid=1000(ubuntu) groups=1000(ubuntu),118(libvirt)\n",
    "nestvirt/whoami": "uid=1000 sudo=yes\n",
    "proc/sys/kernel/hostname": "l1\n",
    "sos_commands/cloud_init/cloud-init_status_--long": "status: done\n",
    "var/log/cloud-init-output.log": MARKERS,
}
"""How a guest is set up inside."""

VERSIONS = (
    "Compiled against library: libvirt 8.0.0\nUsing library: libvirt 8.0.0\n"
    "Using API: QEMU 8.0.0\nRunning hypervisor: QEMU 6.2.0\n"
)
ABOVE: Texts = {
    "sos_commands/virsh/virsh_-r_version": VERSIONS,
    "dev/kvm": "crw-rw---- 1 0 36 10, 232 Nov 21 04:04 /dev/kvm\n",
    **lscpu("VT-x"),
    **networks(default=("nat", "192.168.122.1")),
}
"""How a libvirt host is set up."""


def libvirt_chain() -> Chain:
    """Ubuntu on a Xeon, with a guest hypervisor of the recommended size."""
    first, second, *rest = intel(*JAMMY)
    sized = Q35.replace("<os>", "<vcpu>8</vcpu><os>")
    large = {name: str(text).replace("4194304", "16777216") for name, text in definition("L1", sized).items()}
    host = first.having({**ABOVE, **large})
    return (host, second.having(INSIDE), *rest)


VMX = """\
.encoding = "UTF-8"
virtualHW.version = "{hardware}"
displayName = "L1"
firmware = "efi"
memSize = "16384"
numvcpus = "8"
sched.mem.min = "8192"
vhv.enable = "TRUE"
vhv.allowNestedPageTables = "TRUE"
vvtd.enable = "TRUE"
{more}
"""
VMX_FILE = "nestvirt/vsphere/datastore1/L1/L1.vmx"
HV_SUPPORT = "   |----HV Support...................................................................{}\n"
ESXI_MEMORY = "nestvirt/vsphere/esxcli_hardware_memory_get"


def vmx(more: str = "", hardware: int = 17) -> Texts:
    """The file of the guest; lines of `more` take the place of those that have their keys."""
    keys = {line.partition(" ")[0] for line in more.split("\n")}
    kept = [line for line in VMX.split("\n") if line.partition(" ")[0] not in keys]
    return {VMX_FILE: "\n".join(kept).format(more=more, hardware=hardware)}


def vsphere_chain() -> Chain:
    """ESXi 7 with an Ubuntu guest."""
    _, second, *rest = intel(*JAMMY)
    texts: Texts = {
        "nestvirt/vsphere/vmware_-v": "VMware ESXi 7.0.3 build-19193900\n",
        "nestvirt/vsphere/hv_support": HV_SUPPORT.format(3),
        ESXI_MEMORY: "   Physical Memory: 137438953472 Bytes\n   Reliable Memory: 0 Bytes\n   NUMA Node Count: 2\n",
        **vmx(),
    }
    return (
        Recorded("L0", texts, {"provider": Provider.VSPHERE}),
        second.having({**INSIDE, **guest_of("vmware", "VMware, Inc.", "VMware7,1")}),
        *rest,
    )


SIZES = "sockets: 2\nmemory: 16384\n"
SHOWCMD = "/usr/bin/kvm -id 101 -name L1,debug-threads=on -cpu {} -m 16384\n"


def pve(cpu: str, option: str) -> Texts:
    """Configuration and command line of the guest."""
    return {
        "nestvirt/proxmox/qm_config_101": f"{cpu}\n{SIZES}name: L1\n",
        "nestvirt/proxmox/qm_showcmd_101": SHOWCMD.format(option),
    }


def proxmox_chain() -> Chain:
    """Proxmox VE 8 with an Ubuntu guest."""
    first, *_ = intel(*BOOKWORM)
    _, second, *rest = intel(*JAMMY)
    version = {"nestvirt/proxmox/pveversion": "pve-manager/8.2.2/9355359cd7afbae4 (running kernel: 6.8.4-2-pve)\n"}
    host = first.having(
        {**ABOVE, **version, **pve("cores: 4\ncpu: host", "host,+kvm_pv_eoi")}, provider=Provider.PROXMOX
    )
    return (host, second.having(INSIDE), *rest)


def arm_chain() -> Chain:
    """Arm with libvirt, with a guest in which KVM does not work."""
    arm: Texts = {"proc/cpuinfo": "processor\t: 0\nFeatures\t: fp asimd\nCPU architecture: 8\n"}
    parts = {**kernel("5.15.0-91-generic", "aarch64"), **system("ubuntu", "22.04"), **arm, **without_modules("kvm")}
    no_kvm = {"dev/kvm": "", "nestvirt/kvm_ioctl": "error=ENOENT\n"}
    return (Recorded("L0", {**parts, **HARDWARE}), Recorded("L1", {**parts, **no_kvm}))
