"""docs/snapshot.md lists the sections that the probe reads: those of its tables, and no others.

Run as a program, this file writes the table of the sections of every machine anew.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from probe_transports import ShellTransport, host
from small_host import SmallHost

from pytest_nestvirt.collect import windows_probe
from pytest_nestvirt.collect.probe import collect
from pytest_nestvirt.snapshot.sections import FIXED, GROUPS, is_section

PAGE = Path(__file__).parents[1] / "docs/snapshot.md"
BEGIN, END = re.compile(r"<!-- sections: .*-->\n"), "<!-- end of sections -->"
PLACES = re.compile(r"[A-Z]{2,}")
"""A word in capitals in a name of the page: any name."""


def table() -> str:
    """The table of the sections of every machine, one row a group."""
    rows = (f"| {about} | {', '.join(f'`{name}`' for name in names)} |\n" for about, names in GROUPS.items())
    return "| about | sections |\n|---|---|\n" + "".join(rows)


def split_page() -> tuple[str, str, str]:
    """The page before, within and after the table."""
    text = PAGE.read_text(encoding="utf-8")
    begin = BEGIN.search(text)
    assert begin is not None
    end = text.index(END)
    return text[: begin.end()], text[begin.end() : end], text[end:]


def names_in(text: str) -> set[str]:
    """Names of sections in the first column of its tables."""
    cells = re.findall(r"^\| (`.*?) \|", text, re.MULTILINE)
    return {name for cell in cells for name in re.findall(r"`([^`]+)`", cell) if "/" in name}


def matches(name: str, documented: set[str]) -> bool:
    """Whether the page has the name, be it with a word in capitals for a part that hosts choose."""
    patterns = (PLACES.sub(".+", re.escape(each).replace(r"\-", "-")) for each in documented)
    return name in FIXED or any(re.fullmatch(pattern, name) for pattern in patterns)


def test_the_table_is_that_of_the_code() -> None:
    """The sections of every machine stand on the page as in the code. If not: run this file as a program."""
    assert split_page()[1] == table()


def test_what_only_the_probe_asks_is_described() -> None:
    """Each section that is not a file or the output of a command has a row that says what it holds."""
    documented = names_in(split_page()[2])
    assert {name for name in FIXED if name.startswith("nestvirt/")} - documented == set()


def test_every_name_of_the_page_is_a_section() -> None:
    """The page names nothing that a snapshot does not keep."""
    assert [name for name in names_in(split_page()[2]) if not is_section(name) and "/module/MODULE" not in name] == []


def test_what_is_read_here_is_on_the_page() -> None:
    """Nothing is read of this machine that the page does not name."""
    documented = names_in(split_page()[2])
    found = {re.sub(r"^(run|usr/local/lib|usr/lib|lib)(?=/modprobe)", "etc", name) for name in _here()}
    assert sorted(name for name in found if not matches(name, documented)) == []


def _here() -> set[str]:
    return {name for name in collect(ShellTransport(["sh"]), host()).sections if name not in FIXED}


def test_what_is_read_of_hypervisors_is_on_the_page(small: SmallHost) -> None:
    """Nor of a host with modules, machines of QEMU, ESXi's tools and those of Proxmox VE."""
    for name in ("vmware", "esxcli", "esxcfg-info", "pveversion", "qm"):
        small.tool(name, "echo '  HV Support...3'\n")
    small.tool("vim-cmd", "echo '1 a [d] a/a.vmx x vmx-17'\n")
    for path in (
        "vmfs/volumes/d/a/a.vmx",
        "etc/pve/qemu-server/100.conf",
        "etc/modprobe.d/kvm.conf",
        "sys/module/kvm/parameters/halt_poll_ns",
        "sys/module/kvm/refcnt",
        "sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages",
    ):
        small.write(path, "kvm\n")
    small.write("proc/4711/comm", "kvm\n")
    small.write("proc/4711/cmdline", "kvm\0")
    documented = names_in(split_page()[2])
    found = set(small.probe()) - set(FIXED)
    assert {"nestvirt/vsphere/d/a/a.vmx", "nestvirt/proxmox/qm_config_100", "nestvirt/qemu/4711"} <= found
    assert sorted(name for name in found if not matches(name, documented)) == []


@pytest.mark.parametrize("name", re.findall(r"^[QT] '([a-z_.]+)'", windows_probe._SCRIPT, re.MULTILINE))
def test_what_is_read_of_windows_is_on_the_page(name: str) -> None:
    """Each section of the PowerShell probe is named, the CIM classes by their file's name."""
    assert f"`{name.removesuffix('.json')}`" in split_page()[2] or f"`nestvirt/windows/{name}`" in split_page()[2]


if __name__ == "__main__":
    before, _, after = split_page()
    PAGE.write_text(before + table() + after, encoding="utf-8")
