"""The probe reads how a machine was set up, and the machines of an ESXi or Proxmox VE host, and no secrets."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from probe_transports import NONCE
from small_host import SmallHost

from pytest_nestvirt.collect.frames import parse_frames
from pytest_nestvirt.collect.probe import probe_input
from pytest_nestvirt.facts.machine import Machine, build_machines
from pytest_nestvirt.inventory.host import Become, Connection, Host, Inventory, Provider
from pytest_nestvirt.snapshot.snapshot import Section, Snapshot, Status

GETALLVMS = """Vmid       Name                              File                          Guest OS       Version   Annotation
1      odd [x] name     [datastore1] odd [x] name/odd.vmx     rhel8_64Guest     vmx-17    has [brackets] a/b.vmx
2      gone             [datastore1] gone/gone.vmx            rhel8_64Guest     vmx-17
Second line of an annotation, [datastore1] nowhere.vmx
3      win l1           [data store] w/win.vmx                windows2019srv_64Guest   vmx-19
"""
VMX = """.encoding = "UTF-8"
displayName = "{}"
virtualHW.version = "17"
vhv.enable = "TRUE"
guestinfo.userdata = "c2VjcmV0"
RemoteDisplay.vnc.password = "secret"
"""


def judged(sections: dict[str, Section], provider: Provider, domain: str) -> tuple[Machine, Machine]:
    """The host and a guest of it, as checks get them."""
    hosts = (
        Host("hv", 0, None, Connection.SSH, provider=provider),
        Host("l1", 1, "hv", Connection.NONE, domain=domain),
    )
    built = build_machines(Inventory(hosts), {"hv": Snapshot(sections)})
    return built["hv"], built["l1"]


@pytest.fixture
def esxi(small: SmallHost) -> SmallHost:
    """An ESXi host with three machines, one of whose files is gone."""
    small.tool("vmware", "echo 'VMware ESXi 7.0.3 build-19193900'\n")
    small.tool("esxcli", "printf '   Product: VMware ESXi\\n   Version: 7.0.3\\n'\n")
    small.tool(
        "esxcfg-info",
        "echo '         |----HV Support......................3'; echo '   |----World Command Line....x'\n",
    )
    small.tool("vim-cmd", f"cat <<'EOT'\n{GETALLVMS}EOT\n")
    small.write("vmfs/volumes/datastore1/odd [x] name/odd.vmx", VMX.format("odd [x] name"))
    small.write("vmfs/volumes/data store/w/win.vmx", VMX.format("win l1"))
    return small


def test_esxi_is_read_by_its_own_tools(esxi: SmallHost) -> None:
    """Version, HV Support and each file that is there, whatever its path; user data and passwords stay."""
    found = esxi.probe()
    host, guest = judged(found, Provider.VSPHERE, "odd [x] name")
    assert (host.vsphere.version, host.vsphere.hv_support) == ((7, 0, 3), 3)
    assert set(host.vsphere.vms) == {"odd [x] name", "win l1"}
    assert (guest.vmx.vhv_enable, guest.vmx.hardware_version) == (True, 17)
    assert found["nestvirt/vsphere/datastore1/odd [x] name/odd.vmx"].status is Status.OK
    assert "guestinfo" not in found["nestvirt/vsphere/data store/w/win.vmx"].text


def test_esxi_tools_that_fail_are_no_empty_host(esxi: SmallHost) -> None:
    """Where hostd is down nothing is known of the machines."""
    esxi.tool("vim-cmd", "echo 'Failed to login: Connection refused' >&2; exit 1\n")
    esxi.tool("esxcfg-info", "exit 1\n")
    found = esxi.probe()
    assert found["nestvirt/vsphere/getallvms"].status is Status.FAILED
    assert found["nestvirt/vsphere/hv_support"].status is Status.FAILED
    assert not [name for name in found if name.endswith(".vmx")]


PVE_CONF = "cipassword: secret\ncores: 4\ncpu: host\nname: l1\n\n[PENDING]\ncpu: kvm64\n[before]\nname: old\n"


def test_proxmox_is_read_by_its_files_and_qm(small: SmallHost) -> None:
    """The configuration without passwords, pending changes and snapshots; the command line from qm."""
    small.tool("pveversion", "echo 'pve-manager/8.2.2/9355359cd7afbae4 (running kernel: 6.8.4-2-pve)'\n")
    small.tool(
        "qm", 'echo warning >&2; [ "$1" = showcmd ] && echo "/usr/bin/kvm -id $2 -cpu host,+kvm_pv_eoi -m 4096"\n'
    )
    small.write("etc/pve/qemu-server/101.conf", PVE_CONF)
    small.write("etc/pve/qemu-server/notes.txt", "cpu: max\n")
    small.write("proc/cpuinfo", "vendor_id\t: GenuineIntel\nflags\t\t: vmx ept\n\n")
    found = small.probe()
    assert found["nestvirt/proxmox/qm_config_101"].text.split("\n")[:3] == ["cores: 4", "cpu: host", "name: l1"]
    host, guest = judged(found, Provider.PROXMOX, "l1")
    assert host.proxmox.version == (8, 2, 2)
    assert (guest.pve.cpu_type, guest.pve.showcmd_cpu) == ("host", "host,+kvm_pv_eoi")
    assert guest.pve.offers_virtualization


def test_other_hosts_are_not_asked(small: SmallHost) -> None:
    """Without the tools of a provider there is no section of it."""
    assert not [name for name in small.probe() if name.startswith(("nestvirt/vsphere", "nestvirt/proxmox"))]


def test_a_guest_is_read_as_it_was_set_up(small: SmallHost) -> None:
    """What tools print counts although they end with an error; the user data gives its host name and no more."""
    small.tool("virt-host-validate", "echo '  QEMU: Checking if device /dev/kvm exists : FAIL (gone)'; exit 1\n")
    small.tool("cloud-init", "echo 'status: done'; exit 2\n")
    small.tool(
        "systemctl", "printf 'Id=libvirtd.service\\nLoadState=loaded\\nActiveState=active\\nUnitFileState=enabled\\n'\n"
    )
    small.tool("getent", "echo 'libvirt:x:111:ubuntu'; exit 2\n")
    small.write(
        "var/log/cloud-init-output.log", "Nested virtualization setup complete\nyour password is secret\n", 0o640
    )
    small.write("var/lib/cloud/instance/user-data.txt", "#cloud-config\nhostname: l1\npassword: secret\n", 0o600)
    small.write("sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c", b"\x06\0\0\0\1")
    small.write("sys/block/sda/queue/rotational", "1\n")
    small.write("sys/block/loop0/queue/rotational", "1\n")
    found = small.probe()
    guest = judged(found, Provider.LIBVIRT, "l1")[0].guest
    assert guest.host_validate["/dev/kvm exists"].text == "gone"
    assert guest.cloud_init_status == "done"
    assert guest.cloud_init_log == ("Nested virtualization setup complete",)
    assert guest.cloud_init_hostname == "l1"
    assert guest.services["libvirtd"].active
    assert guest.groups["ubuntu"] == ("libvirt",)
    assert guest.secure_boot
    assert guest.disks_rotational == {"sda": True}


@pytest.mark.parametrize(
    "name", ["var/log/cloud-init-output.log", "nestvirt/cloud-init_hostname", "nestvirt/rotational"]
)
def test_what_is_not_there_is_missing(small: SmallHost, name: str) -> None:
    """A machine without cloud-init and disks says so."""
    assert small.probe()[name].status is Status.MISSING


def test_secure_boot_is_told_apart(small: SmallHost) -> None:
    """No UEFI, no variable, the variable off, and a variable that cannot be read are four answers."""
    assert small.probe()["nestvirt/secure_boot"].text == "no EFI\n"
    small.write("sys/firmware/efi/efivars/BootOrder-8be4df61", b"\x06\0\0\0\0")
    assert small.probe()["nestvirt/secure_boot"].text == "no variable\n"
    variable = "sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"
    small.write(variable, b"\x06\0\0\0\0")
    assert small.probe()["nestvirt/secure_boot"].text == "SecureBoot=0\n"
    small.write(variable, b"\x06\0\0\0")
    assert small.probe()["nestvirt/secure_boot"].status is Status.MISSING


def test_networks_come_with_the_domains(tmp_path: Path) -> None:
    """A real virsh prints each active network under its name."""
    virsh = shutil.which("virsh")
    if virsh is None:
        pytest.skip("virsh is not installed")
    tmp_path.joinpath("virsh").write_text(f'#!/bin/sh\nshift 3\nexec {virsh} -c test:///default "$@"\n')
    tmp_path.joinpath("virsh").chmod(0o755)
    done = subprocess.run(
        ["sh"],
        input=probe_input(NONCE, Become.NEVER),
        capture_output=True,
        env={"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        timeout=120,
        check=True,
    )
    sections, complete = parse_frames(done.stdout, NONCE)
    assert complete
    networks = judged(sections, Provider.LIBVIRT, "test")[0].networks.networks
    assert {name: network.forward for name, network in networks.items()} == {"default": "nat"}
    assert "test" in judged(sections, Provider.LIBVIRT, "test")[0].libvirt.domains
