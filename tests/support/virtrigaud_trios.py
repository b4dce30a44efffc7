"""For each read-only statement of VirtRigaud about machines a chain that conforms, one that violates it, one that can't tell."""

from __future__ import annotations

import json
from collections.abc import Iterator

from linux_chains import definition, xeon
from recorded_machines import KVM_WORKS, NO_KVM, Recorded, Texts
from rhel8_trios import LIMIT, MUST, NO_DMI, TOLD, Trio, denied, l0, l1, unread
from virtrigaud_chains import (
    ESXI_MEMORY,
    HV_SUPPORT,
    PACKAGES,
    Q35,
    VERSIONS,
    VMX_FILE,
    arm_chain,
    free,
    installed,
    libvirt_chain,
    lscpu,
    memory,
    networks,
    processors,
    proxmox_chain,
    pve,
    services,
    validated,
    vmx,
    vsphere_chain,
)

from pytest_nestvirt.snapshot.snapshot import Status

PARAMETER = "sys/module/kvm_intel/parameters/nested"
NO_CPU = denied("proc/cpuinfo")
WITHOUT_VMX = processors(8, "fpu msr pae lm hypervisor")
NO_XML = unread("sos_commands/virsh/virsh_-r_dumpxml_L1", "sos_commands/virsh/virsh_-r_dumpxml_--inactive_L1")


def of_vsphere() -> Iterator[Trio]:
    """ESXi and the files of its guests."""
    chain = vsphere_chain()
    five = {"nestvirt/vsphere/vmware_-v": "VMware ESXi 5.5.0 build-1623387\n"}
    nobody = unread("nestvirt/vsphere/vmware_-v")
    yield Trio("VR-VSPHERE-ESXI6", MUST, chain, l0(chain, five), l0(chain, nobody))
    yield Trio("VR-MTX-VSPHERE", TOLD, chain, l0(chain, five), l0(chain, nobody))
    off = {"nestvirt/vsphere/hv_support": HV_SUPPORT.format(2)}
    yield Trio("VR-VSPHERE-BIOS", MUST, chain, l0(chain, off), l0(chain, denied("nestvirt/vsphere/hv_support")))
    small = {ESXI_MEMORY: "   Physical Memory: 4294967296 Bytes\n"}
    yield Trio("VR-VSPHERE-RESOURCES", TOLD, chain, l0(chain, small), l0(chain, unread(ESXI_MEMORY)))
    no_file = denied(VMX_FILE)
    yield Trio("VR-VSPHERE-HW9", MUST, chain, l0(chain, vmx(hardware=8)), l0(chain, no_file))
    yield Trio("VR-VSPHERE-HW14", TOLD, chain, l0(chain, vmx(hardware=13)), l0(chain, no_file))
    for requirement, key, verdicts in (
        ("VR-VSPHERE-VHV-ENABLE", "vhv.enable", MUST),
        ("VR-VSPHERE-VHV-NPT", "vhv.allowNestedPageTables", TOLD),
        ("VR-VSPHERE-VTD-CONSIDER", "vvtd.enable", TOLD),
    ):
        yield Trio(requirement, verdicts, chain, l0(chain, vmx(f'{key} = "FALSE"')), l0(chain, vmx(f'{key} = "maybe"')))
    passthrough, plain = vmx('pciPassthru0.present = "TRUE"'), vmx('vhv.enable = "FALSE"')
    yield Trio("VR-LIM-VSPHERE-ADV", LIMIT, chain, l0(chain, passthrough), l0(chain, plain))


def of_libvirt() -> Iterator[Trio]:
    """Hosts and domains of libvirt."""
    chain, arm = libvirt_chain(), arm_chain()
    old = {"sos_commands/virsh/virsh_-r_version": VERSIONS.replace("8.0.0", "1.2.12")}
    no_virsh = denied("sos_commands/virsh/virsh_-r_version")
    yield Trio("VR-LIBVIRT-1213", MUST, chain, l0(chain, old), l0(chain, no_virsh))
    yield Trio("VR-MTX-LIBVIRT", TOLD, chain, l0(chain, old), l0(chain, no_virsh))
    bare, off, unloaded = (
        xeon("fpu lm"),
        {PARAMETER: "N\n"},
        {PARAMETER: Status.MISSING, "sys/module/kvm_intel": Status.MISSING},
    )
    yield Trio("VR-LIBVIRT-HOSTCPU", MUST, chain, l0(chain, bare), l0(chain, NO_CPU))
    yield Trio("VR-LIBVIRT-NESTED-ON", MUST, chain, l0(chain, off), l0(chain, unloaded))
    unasked = {**KVM_WORKS, **unread("nestvirt/kvm_ioctl")}
    yield Trio("VR-LIM-LIBVIRT-KERNEL", MUST, chain, l0(chain, NO_KVM), l0(chain, unasked))
    yield Trio("VR-LIM-LIBVIRT-CPU", TOLD, chain, l0(chain, xeon("fpu lm vmx")), l0(chain, NO_CPU))
    tcg = definition("L1", Q35)
    tcg = {name: str(text).replace("'kvm'", "'qemu'") for name, text in tcg.items()}
    no_processes = unread("nestvirt/qemu/")
    still_kvm = l0(chain, {**no_processes, **NO_XML})
    silent = l1(still_kvm, {**NO_DMI, **NO_CPU, **unread("sos_commands/processor/lscpu")})
    yield Trio("VR-LIBVIRT-QEMUKVM", MUST, chain, l0(chain, {**tcg, **no_processes}), silent)
    hidden = l1(still_kvm, NO_CPU)
    model = definition("L1", "<cpu mode='custom'><model>Nehalem</model></cpu>")
    yield Trio("VR-LIBVIRT-PASS-VMXSVM", MUST, chain, l1(l0(chain, model), WITHOUT_VMX), hidden)
    pc = definition("L1", Q35.replace("pc-q35-6.2", "pc-i440fx-6.2"))
    yield Trio("VR-LIBVIRT-Q35", TOLD, chain, l0(chain, pc), l0(chain, NO_XML))
    both = "<feature policy='require' name='vmx'/><feature policy='require' name='svm'/>"
    sample = definition("L1", f"<cpu mode='host-model' check='partial'>{both}</cpu>")
    yield Trio("VR-LIBVIRT-AUTO-XML", TOLD, chain, l0(chain, sample), l0(chain, NO_XML))
    works = l1(arm, KVM_WORKS)
    yield Trio("VR-LIM-LIBVIRT-X86", LIMIT, l1(arm, NO_KVM), works, l1(arm, unasked))


def of_proxmox() -> Iterator[Trio]:
    """Proxmox VE nodes and their machines."""
    chain = proxmox_chain()
    five = {"nestvirt/proxmox/pveversion": "pve-manager/5.4-3/0a6eaa62 (running kernel: 4.15.18-12-pve)\n"}
    nobody = unread("nestvirt/proxmox/pveversion")
    yield Trio("VR-PVE-6", MUST, chain, l0(chain, five), l0(chain, nobody))
    yield Trio("VR-MTX-PROXMOX", TOLD, chain, l0(chain, five), l0(chain, nobody))
    off, unloaded = {PARAMETER: "N\n"}, {PARAMETER: Status.MISSING, "sys/module/kvm_intel": Status.MISSING}
    yield Trio("VR-PVE-HOSTCPU", MUST, chain, l0(chain, xeon("fpu lm")), l0(chain, NO_CPU))
    yield Trio("VR-PVE-NESTED-ON", MUST, chain, l0(chain, off), l0(chain, unloaded))
    default = pve("cores: 4", "kvm64,+lahf_lm")
    custom = {**pve("cpu: custom-lab", "host"), **unread("nestvirt/proxmox/qm_showcmd_101")}
    yield Trio("VR-PVE-CPUTYPE", MUST, chain, l0(chain, default), l0(chain, custom))
    no_command = {**custom, **unread("nestvirt/qemu/")}
    yield Trio("VR-PVE-VMCPU-NESTED", MUST, chain, l0(chain, default), l0(chain, no_command))


def of_hosts() -> Iterator[Trio]:
    """What is said of any KVM host."""
    chain = libvirt_chain()
    off = {PARAMETER: "N\n"}
    no_lscpu, german = lscpu(""), {"sos_commands/processor/lscpu": "Architektur: x86_64\nVirtualisierung: VT-x\n"}
    yield Trio("VR-TS-NOT-WORKING", TOLD, chain, l0(chain, off), l0(chain, NO_CPU))
    yield Trio("VR-DBG-LSCPU-HOST", TOLD, chain, l0(chain, no_lscpu), l0(chain, german))
    odd, unread_module = {PARAMETER: "maybe\n"}, {PARAMETER: Status.DENIED}
    yield Trio("VR-DBG-NESTED-GLOB", TOLD, chain, l0(chain, odd), l0(chain, unread_module))
    everyone = {"dev/kvm": "crw-rw-rw- 1 0 36 10, 232 Nov 21 04:04 /dev/kvm\n"}
    yield Trio("VR-SEC-ACCESS", TOLD, chain, l0(chain, everyone), l0(chain, denied("dev/kvm")))


def of_linux_guests() -> Iterator[Trio]:
    """Linux guests, whatever runs them."""
    chain, vsphere = libvirt_chain(), vsphere_chain()
    for requirement in ("VR-VER-LNX-FLAGS", "VR-CI-CPUFLAG"):
        yield Trio(requirement, MUST, chain, l1(vsphere, WITHOUT_VMX), l1(chain, NO_CPU))
    for requirement in ("VR-VER-LNX-DEVKVM", "VR-CI-DEVKVM"):
        yield Trio(requirement, MUST, chain, l1(vsphere, NO_KVM), l1(chain, denied("dev/kvm")))
    odd, gone = {PARAMETER: "maybe\n"}, {PARAMETER: Status.MISSING}
    yield Trio("VR-VER-LNX-NESTED", TOLD, chain, l1(chain, odd), l1(chain, gone))
    fails, silent = validated("FAIL (Only emulated CPUs are available)"), unread("nestvirt/virt-host-validate_qemu")
    yield Trio("VR-VER-LNX-VHV", TOLD, chain, l1(chain, fails), l1(chain, silent))
    yield Trio("VR-TS-NOT-DETECTED", TOLD, chain, l1(chain, WITHOUT_VMX), l1(chain, NO_CPU))
    no_ept = processors(8, "fpu vmx hypervisor")
    yield Trio("VR-TS-SLOW", TOLD, chain, l1(chain, no_ept), l0(chain, unread("sys/module/kvm_intel/parameters/ept")))
    german = {"sos_commands/processor/lscpu": "Architektur: x86_64\n"}
    yield Trio("VR-DBG-LSCPU-GUEST", TOLD, chain, l1(chain, lscpu("")), l1(chain, german))


def of_cloud_init() -> Iterator[Trio]:
    """What the user data was to set up."""
    chain = libvirt_chain()
    name, log = "proc/sys/kernel/hostname", "var/log/cloud-init-output.log"
    yield Trio("VR-CI-HOSTNAME", TOLD, chain, l1(chain, {name: "localhost\n"}), l1(chain, unread(name)))
    asks, root = {"nestvirt/whoami": "uid=1000 sudo=no\n"}, {"nestvirt/whoami": "uid=0 sudo=none\n"}
    yield Trio("VR-CI-USER", TOLD, chain, l1(chain, asks), l1(chain, root))
    fewer = installed(*PACKAGES[:3])
    yield Trio("VR-CI-PACKAGES", TOLD, chain, l1(chain, fewer), l1(chain, unread("nestvirt/packages")))
    stopped = services("inactive", "disabled")
    yield Trio("VR-CI-LIBVIRTD", TOLD, chain, l1(chain, stopped), l1(chain, unread("nestvirt/services")))
    alone = {"nestvirt/groups": "libvirt:x:118:\n", "nestvirt/id": "uid=0(root) gid=0(root) groups=0(root)\n"}
    yield Trio("VR-CI-GROUP", TOLD, chain, l1(chain, alone), l1(chain, unread("nestvirt/groups")))
    cut_short = {log: "Checking nested virtualization support...\n"}
    yield Trio("VR-CI-MARKERS", TOLD, chain, l1(chain, cut_short), l1(chain, denied(log)))


def of_sizes_and_networks() -> Iterator[Trio]:
    """How large a guest is, and what it is connected to."""
    chain, vsphere = libvirt_chain(), vsphere_chain()
    untold = l0(vsphere, denied(VMX_FILE))
    unknown = l1(untold, NO_CPU)
    yield Trio("VR-SIZE-CPU-MIN", MUST, l1(untold, processors(4)), l1(untold, processors(3)), unknown)
    yield Trio("VR-SIZE-CPU-REC", TOLD, chain, l1(untold, processors(7)), unknown)
    small = l1(untold, memory(6.5))
    yield Trio("VR-SIZE-MEM-MIN", MUST, l1(untold, memory(7.6)), small, l1(untold, memory(7.0)))
    yield Trio("VR-SIZE-MEM-REC", TOLD, chain, l1(untold, memory(12)), l1(untold, unread("proc/meminfo")))
    yield Trio("VR-SIZE-DISK", TOLD, chain, l1(chain, free(19)), l1(chain, unread("nestvirt/df")))
    same, unlisted = networks(default=("nat", "192.168.122.1")), denied("sos_commands/virsh/virsh_-r_net-list")
    yield Trio("VR-NET-TOPOLOGY", TOLD, chain, l1(chain, same), l1(chain, unlisted))
    twice = networks(a=("nat", "192.168.150.1"), b=("nat", "192.168.150.129"))
    yield Trio("VR-NET-IPPLAN", TOLD, chain, l1(chain, twice), l1(chain, unlisted))
    routed = networks(nested=("route", "192.168.150.1"))
    yield Trio("VR-SEC-NETISO", TOLD, chain, l1(chain, routed), l1(chain, unlisted))


def _windows(present: bool, **sections: object) -> Recorded:
    system = {"Caption": "Microsoft Windows Server 2019", "BuildNumber": "17763", "ProductType": 3}
    objects = {
        "operating_system": {**system, "DataExecutionPrevention_Available": True},
        "computer_system": {"HypervisorPresent": present},
        "processor": {
            "VMMonitorModeExtensions": True,
            "VirtualizationFirmwareEnabled": True,
            "SecondLevelAddressTranslationExtensions": True,
        },
        **sections,
    }
    return Recorded("L1", {f"nestvirt/windows/{name}.json": json.dumps(value) for name, value in objects.items()})


ROOT: dict[str, object] = {"hypervisor_counters": {"LogicalProcessors": 8, "Partitions": 1}}
"""Of a Windows that is the root partition of its own Hyper-V."""


def _running(state: str = "Running") -> dict[str, object]:
    return {
        "optional_features": [{"Name": "Microsoft-Hyper-V", "InstallState": 1}],
        "services": [{"Name": "vmms", "State": state}],
    }


def of_windows() -> Iterator[Trio]:
    """Windows guests."""
    host = vsphere_chain()[0]
    lacking = {"VMMonitorModeExtensions": False, "VirtualizationFirmwareEnabled": False}
    bare = _windows(False, processor={**lacking, "SecondLevelAddressTranslationExtensions": False})
    detected = (host, _windows(True, **_running()))
    yield Trio("VR-VER-WIN-SYSTEMINFO", MUST, (host, _windows(True, **ROOT)), (host, bare), detected)
    boot: Texts = {"nestvirt/windows/bcdedit.txt": "identifier  {current}\npath x\nhypervisorlaunchtype    Auto\n"}
    works = _windows(True, **ROOT).having(boot)
    off = works.having({"nestvirt/windows/bcdedit.txt": "identifier  {current}\nhypervisorlaunchtype    Off\n"})
    unproven = (host, _windows(True, **_running()).having(boot))
    yield Trio("VR-VER-WIN-COMPUTERINFO", MUST, (host, works), (host, off), unproven)


def virtrigaud_trios() -> Iterator[Trio]:
    """All of them."""
    yield from of_vsphere()
    yield from of_libvirt()
    yield from of_proxmox()
    yield from of_hosts()
    yield from of_linux_guests()
    yield from of_cloud_init()
    yield from of_sizes_and_networks()
    yield from of_windows()
