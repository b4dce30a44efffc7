"""The probe reads every domain of a libvirt, whatever it is called, by few processes."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from probe_transports import NONCE

from pytest_nestvirt.collect.frames import parse_frames
from pytest_nestvirt.collect.probe import probe_input
from pytest_nestvirt.facts.libvirt.domcapabilities import DomainCapabilities
from pytest_nestvirt.inventory.host import Become
from pytest_nestvirt.observation.fact import Reader, Unobservable
from pytest_nestvirt.snapshot.snapshot import Section, Snapshot, Status

VIRSH = shutil.which("virsh")
DOMAIN = """<domain type="test"><name>{name}</name><uuid>{uuid}</uuid><memory>1024</memory>
<os><type>hvm</type></os></domain>"""
NAMES = ("rhel8 l1", 'quo"ted', "back\\slash", "per%cent", "semi; colon", "-dash", "it's", "1234")


def run_probe(tools: Path, *shell: str) -> dict[str, Section]:
    """The probe's sections with `tools` before all others."""
    done = subprocess.run(
        shell or ("sh",),
        input=probe_input(NONCE, Become.NEVER),
        capture_output=True,
        env={"PATH": f"{tools}:{os.environ['PATH']}", "HOME": str(tools)},
        check=True,
        timeout=120,
    )
    sections, complete = parse_frames(done.stdout, NONCE)
    assert complete
    return sections


def tool(directory: Path, script: str) -> Path:
    """A `virsh` that is a shell script."""
    directory.mkdir(exist_ok=True)
    file = directory / "virsh"
    file.write_text("#!/bin/sh\n" + script)
    file.chmod(0o755)
    return directory


@pytest.mark.skipif(VIRSH is None, reason="virsh is not installed")
@pytest.mark.parametrize("shell", ["dash", "bash"])
def test_domains_of_any_name_are_read(tmp_path: Path, shell: str) -> None:
    """A real virsh gives the active and the inactive XML of each domain under its own name."""
    domains = "".join(
        DOMAIN.format(name=name.replace('"', "&quot;"), uuid=f"00000000-0000-4000-8000-{number:012}")
        for number, name in enumerate(NAMES)
    )
    (tmp_path / "node.xml").write_text(f"<node>{domains}</node>")
    count = tmp_path / "count"
    tools = tool(
        tmp_path / "bin",
        f'echo >>{count}\n[ "$1 $2 $3" = "-r -c qemu:///system" ] || exit 9\nshift 3\n'
        f'exec {VIRSH} -c "test://{tmp_path}/node.xml" "$@"\n',
    )
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    found = run_probe(tools, shell)
    for name in NAMES[:-1]:
        escaped = name.replace('"', "&quot;")
        for kind in ("", "--inactive_"):
            section = found[f"sos_commands/virsh/virsh_-r_dumpxml_{kind}{name}"]
            assert section.status is Status.OK
            assert f"<name>{escaped}</name>" in section.text.replace("&apos;", "'")
            assert section.text.endswith("</domain>\n\n\n") or section.text.rstrip().endswith("</domain>")
    assert "rhel8 l1" in found["sos_commands/virsh/virsh_-r_list_--all"].text
    assert "<capabilities>" in found["sos_commands/virsh/virsh_-r_capabilities"].text
    # The driver for tests cannot tell: the reason is virsh's own.
    assert "virConnectGetDomainCapabilities" in found["sos_commands/virsh/virsh_-r_domcapabilities"].error
    assert len(count.read_text()) <= 4


@pytest.mark.skipif(VIRSH is None, reason="virsh is not installed")
def test_a_name_of_digits_is_not_taken_for_an_id(tmp_path: Path) -> None:
    """`virsh dumpxml 1` is the domain with the id 1: what is called 1 is not read at all."""
    domains = DOMAIN.format(name="first", uuid="0" * 8 + "-0000-4000-8000-" + "1" * 12) + DOMAIN.format(
        name="1", uuid="0" * 8 + "-0000-4000-8000-" + "2" * 12
    )
    (tmp_path / "node.xml").write_text(f"<node>{domains}</node>")
    tools = tool(tmp_path / "bin", f'shift 3\nexec {VIRSH} -c "test://{tmp_path}/node.xml" "$@"\n')
    found = run_probe(tools)
    assert found["sos_commands/virsh/virsh_-r_dumpxml_1"].status is Status.FAILED
    assert "<name>first</name>" in found["sos_commands/virsh/virsh_-r_dumpxml_first"].text


def test_a_libvirt_that_does_not_answer_is_no_empty_one(tmp_path: Path) -> None:
    """Where the daemon is down each question about it failed, with what virsh said."""
    tools = tool(tmp_path / "bin", "echo 'error: failed to connect to the hypervisor' >&2\nexit 1\n")
    found = run_probe(tools)
    for name in ("version", "list_--all", "capabilities", "domcapabilities"):
        section = found[f"sos_commands/virsh/virsh_-r_{name}"]
        assert section.status is Status.FAILED
        assert section.error == "error: failed to connect to the hypervisor"


REFUSED = "error: operation forbidden: read only access prevents virConnectGetDomainCapabilities"


@pytest.mark.parametrize("shell", ["dash", "bash --posix", "busybox sh"])
def test_what_virsh_refuses_keeps_its_reason(tmp_path: Path, shell: str) -> None:
    """A question that libvirt 9.0.0 refuses fails with that, and what a tool says before virsh begins spoils nothing."""
    if shutil.which(shell.split(maxsplit=1)[0]) is None:
        pytest.skip(f"{shell} is not installed")
    frame = "printf '\\n@%s ok - - sos_commands/virsh/virsh_-r_%s\\n' $n $1; shift; \"$@\"; printf '\\n@%s .\\n' $n"
    tools = tool(
        tmp_path / "bin",
        f"""n={NONCE}
shift 3
frame() {{ {frame}; }}
refuse() {{ echo 'error: failed to get emulator capabilities' >&2; echo '{REFUSED}' >&2; }}
case $1 in
  version) echo 9 ;;
  'list --name'*) ;;
  *)
    echo 'virsh: libvirt.so.0: no version information available' >&2
    case $1 in
      *capabilities*) frame capabilities echo '<capabilities/>'; frame domcapabilities refuse ;;
      *) frame list_--all echo ' Id   Name   State'; frame net-list echo ' Name   State' ;;
    esac
    ;;
esac
""",
    )
    found = run_probe(tools, *shell.split())
    virsh = {name.removeprefix("sos_commands/virsh/virsh_-r_"): s for name, s in found.items() if "/virsh_-r_" in name}
    refused = virsh.pop("domcapabilities")
    assert (refused.status, refused.data) == (Status.FAILED, b"")
    assert refused.error == f"error: failed to get emulator capabilities; {REFUSED}"
    assert {name: section.status for name, section in virsh.items()} == dict.fromkeys(
        ("version", "list_--all", "capabilities", "net-list"), Status.OK
    )
    assert "no version information" not in "".join(section.text for section in found.values())
    with pytest.raises(Unobservable, match="read only access prevents"):
        _ = DomainCapabilities(Reader("here", 0, Snapshot(found))).host_model


def test_a_virsh_that_dies_half_way_leaves_no_whole_section(tmp_path: Path) -> None:
    """What a virsh was printing when it died is cut, and what it was still to print is not there."""
    tools = tool(
        tmp_path / "bin",
        'shift 3\ncase $1 in version) echo 9 ;; "list --name"*) echo a ;;\n'
        f"*) printf '\\n@{NONCE} ok - - sos_commands/virsh/virsh_-r_list_--all\\n Id  Name\\n'; exit 1 ;; esac\n",
    )
    done = subprocess.run(
        ["sh"],
        input=probe_input(NONCE, Become.NEVER),
        capture_output=True,
        env={"PATH": f"{tools}:{os.environ['PATH']}"},
        check=True,
        timeout=120,
    )
    found, complete = parse_frames(done.stdout, NONCE)
    assert not complete
    assert found["sos_commands/virsh/virsh_-r_list_--all"].status is Status.CUT
    assert "sos_commands/virsh/virsh_-r_dumpxml_a" not in found
