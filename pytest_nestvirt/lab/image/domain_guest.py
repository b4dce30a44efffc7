"""A machine that libvirt runs: the XML of its domain and of its network, and the commands by which it is started.

The elements are those of libvirt's formatdomain and formatnetwork.
"""

from __future__ import annotations

from html import escape

from pytest_nestvirt.lab.cases.lab_case import Domain, LabCase
from pytest_nestvirt.lab.image.kernel_image import KERNEL, ON_DISK
from pytest_nestvirt.lab.image.overlay import Network
from pytest_nestvirt.lab.image.qemu_command import GUEST_INITRD, kernel_command_line

NETWORK = Network(address="192.168.122.11", gateway="192.168.122.1")
"""The address of the machine in libvirt's default network."""
_NETWORK_FILE, _DOMAIN_FILE = "network.xml", "domain.xml"

# `open`: no firewall rules, which take seconds here. Addresses are fixed, so there is nothing for dnsmasq to do.
_NETWORK_XML = f"""\
<network>
  <name>default</name>
  <forward mode='open'/>
  <bridge name='virbr0' stp='off' delay='0'/>
  <dns enable='no'/>
  <ip address='{NETWORK.gateway}' netmask='255.255.255.0'/>
</network>
"""
_DOMAIN_XML = """\
<domain type='kvm'>
  <name>{name}</name>
  <memory unit='MiB'>{memory}</memory>
  <vcpu>1</vcpu>
  <os>
    <type arch='x86_64' machine='q35'>hvm</type>
    <kernel>/{kernel}</kernel>
    <initrd>{initrd}</initrd>
    <cmdline>{command_line}</cmdline>
  </os>
  <features><acpi/><apic/></features>
  {cpu}
  <on_reboot>destroy</on_reboot>
  <devices>
    <emulator>/usr/bin/{hypervisor}</emulator>
    <disk type='block' device='disk'>
      <driver name='qemu' type='raw'/>
      <source dev='{disk}'/>
      <target dev='vda' bus='virtio'/>
      <readonly/>
    </disk>
    <interface type='network'>
      <source network='default'/>
      <model type='virtio'/>
      <rom enabled='no'/>
    </interface>
    <serial type='file'><source path='/dev/{console}'/></serial>
    <memballoon model='none'/>
  </devices>
</domain>
"""


def files(case: LabCase, level: int, domain: Domain) -> dict[str, str]:
    """What `start` reads: the XML of the network and of the domain, by the names of their files."""
    words = {
        "name": case.levels[level].lower(),
        "memory": str(case.machines[level].memory),
        "kernel": f"{ON_DISK}/{KERNEL}",
        "initrd": GUEST_INITRD,
        "command_line": kernel_command_line(case),
        "hypervisor": case.architecture.hypervisor,
        "disk": case.machines[level - 1].disk,
        "console": case.architecture.console,
    }
    escaped = {key: escape(value) for key, value in words.items()}
    return {_NETWORK_FILE: _NETWORK_XML, _DOMAIN_FILE: _DOMAIN_XML.format(cpu=domain.cpu, **escaped)}


def start(case: LabCase, level: int) -> str:
    """Script that defines and starts the domain, and ends when something becomes of it.

    Its console is the serial line of the machine around it: libvirt opens that by itself.
    """
    name = case.levels[level].lower()
    return f"""\
set -e
virsh net-define /run/lab/{_NETWORK_FILE}
virsh net-start default
virsh define /run/lab/{_DOMAIN_FILE}
virsh start {name}
virsh -r event {name} lifecycle
"""
