"""What configuration of modprobe a machine has, as sections: for tests of how it is read."""

from __future__ import annotations

from cpuinfo_texts import reader
from machine_sections import Sections

from pytest_nestvirt.facts.kernel.kernel import Kernel
from pytest_nestvirt.facts.kvm.kvm import Kvm
from pytest_nestvirt.facts.kvm.modprobe import Modprobe
from pytest_nestvirt.facts.kvm.modprobe_files import DIRECTORIES
from pytest_nestvirt.facts.processor.cpu import Cpu
from pytest_nestvirt.facts.system.operating_system import Os
from pytest_nestvirt.facts.system.windows import Windows
from pytest_nestvirt.snapshot.snapshot import Status

UNLOADED: Sections = {
    **{f"sys/module/{name}": Status.MISSING for name in ("kvm", "kvm_intel", "kvm_amd", "kvm_hv")},
    "proc/modules": "loop 40960 0 - Live 0x0\n",
}
NOTHING: Sections = {
    **dict.fromkeys(DIRECTORIES, ""),
    **UNLOADED,
    "proc/cmdline": "BOOT_IMAGE=/vmlinuz root=/dev/sda1 ro\n",
}


def modprobe(*sections: Sections) -> Modprobe:
    """The configuration of a machine that has these sections, the later ones winning."""
    read = reader({name: value for given in sections for name, value in given.items()})
    kernel = Kernel(read)
    kvm = Kvm(read, kernel=kernel, cpu=Cpu(read, kernel=kernel))
    return Modprobe(read, os=Os(read, kernel=kernel, windows=Windows(read)), kvm=kvm)


def files(**texts: str) -> Sections:
    """Files of /etc/modprobe.d with their listing: `files(kvm="options ...")` is kvm.conf."""
    listing = {"etc/modprobe.d/": "".join(f"{name}.conf\n" for name in sorted(texts))}
    return listing | {f"etc/modprobe.d/{name}.conf": text for name, text in texts.items()}


LOADED: Sections = {
    "sys/module/kvm": "",
    "sys/module/kvm_intel": "",
    "sys/module/kvm_intel/refcnt": "0\n",
    "proc/modules": "kvm_intel 1 0 - Live 0x0\nkvm 1 1 kvm_intel, Live 0x0\nirqbypass 1 1 kvm, Live 0x0\n",
}

BUILT_IN: Sections = {"sys/module/kvm": "", "sys/module/kvm_intel": "", "proc/modules": "loop 1 0 - Live 0x0\n"}
