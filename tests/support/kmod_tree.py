"""A made-up tree of modules for the real modprobe: enough of /lib/modules for `modprobe -n -v`, made without depmod.

The indices are those of libkmod/libkmod-index.c: a trie in big-endian numbers.
"""

from __future__ import annotations

import struct
import subprocess
from collections.abc import Mapping
from pathlib import Path

RELEASE = "6.1.0"
CPU = "cpu:type:x86,ven0000fam0006mod0055:feature:,0085,"
"""The alias by which udev asks for the module of an Intel processor."""

NEEDS = {
    "kernel/virt/lib/irqbypass.ko": (),
    "kernel/arch/x86/kvm/kvm.ko": ("kernel/virt/lib/irqbypass.ko",),
    "kernel/arch/x86/kvm/kvm-intel.ko": ("kernel/arch/x86/kvm/kvm.ko", "kernel/virt/lib/irqbypass.ko"),
}
_MAGIC, _VERSION = 0xB007F457, 0x00020001
_PREFIX, _VALUES, _CHILDREN = 0x80000000, 0x40000000, 0x20000000


def make_tree(root: Path) -> Path:
    """Empty files in the place of modules, with the indices that lead to them."""
    modules = root / "lib/modules" / RELEASE
    for path in NEEDS:
        (modules / path).parent.mkdir(parents=True, exist_ok=True)
        (modules / path).touch()
    (modules / "modules.softdep").touch()
    lines = {_name(path): f"{path}:{''.join(f' {need}' for need in needs)}" for path, needs in NEEDS.items()}
    (modules / "modules.dep.bin").write_bytes(_index(lines))
    (modules / "modules.alias.bin").write_bytes(_index({"cpu:type:x86,ven*fam*mod*:feature:*0085*": "kvm_intel"}))
    (modules / "modules.symbols.bin").write_bytes(_index({}))
    (modules / "modules.builtin.bin").write_bytes(_index({"loop": ""}))
    return root


def modprobe(root: Path, *arguments: str, configuration: tuple[Path, ...]) -> str:
    """What the real modprobe prints, each byte a character."""
    directories = [word for directory in configuration for word in ("-C", str(directory))]
    command = ["modprobe", *directories, "-d", str(root), "-S", RELEASE, *arguments]
    return subprocess.run(command, capture_output=True, check=False).stdout.decode("latin-1")


def _name(path: str) -> str:
    return path.rpartition("/")[2].removesuffix(".ko").replace("-", "_")


def _index(entries: Mapping[str, str]) -> bytes:
    out = bytearray(12)
    root = _node(out, dict(entries)) if entries else 0
    out[:12] = struct.pack(">III", _MAGIC, _VERSION, root)
    return bytes(out)


def _node(out: bytearray, entries: Mapping[str, str]) -> int:
    first, last = min(entries), max(entries)
    prefix = first[: next((i for i, letter in enumerate(first) if last[i : i + 1] != letter), len(first))]
    children: dict[str, dict[str, str]] = {}
    for key, value in entries.items():
        if key != prefix:
            children.setdefault(key[len(prefix)], {})[key[len(prefix) + 1 :]] = value
    places = {letter: _node(out, below) for letter, below in children.items()}
    place, node = len(out), b""
    if prefix:
        place, node = place | _PREFIX, prefix.encode() + b"\0"
    if children:
        low, high = ord(min(children)), ord(max(children))
        below = (places.get(chr(letter), 0) for letter in range(low, high + 1))
        place, node = place | _CHILDREN, node + bytes([low, high]) + b"".join(struct.pack(">I", b) for b in below)
    if prefix in entries:
        place, node = place | _VALUES, node + struct.pack(">II", 1, 0) + entries[prefix].encode() + b"\0"
    out += node
    return place
