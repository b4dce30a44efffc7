"""Claim: configuration is read as the real modprobe reads it, whatever it looks like.

Generated files go through our parser and through `modprobe --showconfig` and `modprobe -n -v`, on a made-up tree of modules.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kmod_tree import CPU, make_tree, modprobe

from pytest_nestvirt.facts.kvm.kernel_command_line import blacklist_for_modprobe, options_for_modprobe
from pytest_nestvirt.facts.kvm.modprobe_files import DIRECTORIES, effective_files
from pytest_nestvirt.facts.kvm.modprobe_lines import Directive, parse_directives
from pytest_nestvirt.facts.kvm.module import Needed
from pytest_nestvirt.facts.kvm.module_option import options_of
from pytest_nestvirt.facts.kvm.obstacle import Obstacles

pytestmark = pytest.mark.skipif(shutil.which("modprobe") is None, reason="there is no modprobe on this machine")

OURS = ("kvm", "kvm_intel", "kvm_amd", "irqbypass")
BLANKS = (" ", "\t", "  ", " \t ", "\u00a0", " \u00a0", "\u2003", "\v", "\r", "")
MODULES = (
    *(
        "kvm_intel",
        "kvm-intel",
        "kvm",
        "irqbypass",
        "kvm_amd",
        "KVM_INTEL",
        '"kvm_intel"',
        "kvm_intel\u00a0",
        "kvm_in\\tel",
    ),
    *(
        "kvm*",
        "kvm?intel",
        "kvm[-_]intel",
        "kvm[!x]intel",
        "kvm[^x]intel",
        "kvm[",
        "kvm]",
        "*",
        "irq-*",
        "*_intel",
        "\u00e0",
    ),
)
COMMANDS = (
    "options",
    "options",
    "install",
    "install",
    "blacklist",
    "alias",
    "remove",
    "softdep",
    "include",
    "Options",
    "#",
    "option",
)
ARGUMENTS = (
    *(
        "nested=1",
        "nested=0",
        "nested=Y",
        'nested="1"',
        '"nested=1"',
        "nested",
        "ept=0 nested=1",
        "enable-apicv=1",
        "a=b#c",
        "off",
    ),
    *("/bin/false", "/bin/true", "/sbin/modprobe --ignore-install kvm_intel nested=1 $CMDLINE_OPTS", "pre: loop", ""),
)
ENDS = ("\n", "\n", "\n", "\\\n", "\r\n", " \n", "#x\n", "\\ \n", "\\\\\n", "\0x\n", "\n\n")
LINES = st.tuples(
    st.sampled_from(("", "", "", " ", "\t", "#", " #", "\u00a0", "\ufeff")),
    st.sampled_from(COMMANDS),
    st.sampled_from(BLANKS),
    st.sampled_from(MODULES),
    st.sampled_from(BLANKS),
    st.sampled_from(ARGUMENTS),
    st.sampled_from(ENDS),
).map("".join)
TEXTS = st.lists(LINES, max_size=5).map("".join)
NAMES = ("a.conf", "b.conf", "B.conf", "10-x.conf", ".h.conf", "x.conf~", "c.alias", "conf", "\u00e4.conf")
FOLDERS = st.lists(st.dictionaries(st.sampled_from(NAMES), TEXTS, max_size=4), min_size=1, max_size=3)


@pytest.fixture(scope="module")
def tree() -> Iterator[Path]:
    """The modules; one tree for all configurations."""
    with tempfile.TemporaryDirectory() as root:
        yield make_tree(Path(root))


def written(texts: dict[str, str], directory: Path) -> Path:
    """A directory with these files."""
    for name, text in texts.items():
        (directory / name).write_bytes(text.encode())
    return directory


def ours(folders: list[dict[str, str]]) -> list[Directive]:
    """The lines of these directories, the first one taking precedence."""
    place = dict(zip(DIRECTORIES, folders, strict=False))
    found = effective_files(place)
    texts = [(path, place[path[: path.rindex("/") + 1]][path.rpartition("/")[2]]) for path in found]
    return [line for path, text in texts for line in parse_directives(path, text.encode().decode("latin-1"))]


def shown(command: str, lines: str) -> list[tuple[str, str]]:
    """Modules and arguments of one command in what `--showconfig` prints, but for what the real command line adds."""
    real = [
        line.split(" ", 2) for line in lines.partition("\n# End of")[0].split("\n") if line.startswith(f"{command} ")
    ]
    found = [(words[1], " ".join(words[2:]).replace("\t", " ").strip(" ")) for words in real]
    return [pair for pair in found if pair not in from_this_machine(command)]


def from_this_machine(command: str) -> set[tuple[str, str]]:
    """What modprobe takes from the command line of the machine that runs the tests."""
    text = Path("/proc/cmdline").read_text(encoding="latin-1")
    if command == "blacklist":
        return {(line.module, "") for line in blacklist_for_modprobe(text)}
    return {(o.module, o.name if o.bare else f"{o.name}={o.value}") for o in options_for_modprobe(text)}


@given(FOLDERS)
@settings(max_examples=200, deadline=None)
def test_the_same_lines_count_in_the_same_order(tree: Path, folders: list[dict[str, str]]) -> None:
    """Of every command: files by name across directories, the lines with their modules and arguments."""
    with tempfile.TemporaryDirectory() as top:
        places = []
        for number, texts in enumerate(folders):
            places.append(Path(top) / str(number))
            places[-1].mkdir()
            written(texts, places[-1])
        theirs = modprobe(tree, "--showconfig", configuration=tuple(places))
    directives = ours(folders)
    for command in ("options", "install", "remove", "blacklist", "alias"):
        mine = [(d.module, d.argument.replace("\t", " ")) for d in directives if d.command == command]
        if command == "alias":
            mine = [(name, target.split(" ")[0].replace("-", "_")) for name, target in mine]
        assert shown(command, theirs) == [(m, "" if command == "blacklist" else a) for m, a in mine]


@given(TEXTS)
@settings(max_examples=200, deadline=None)
def test_the_module_is_loaded_or_replaced_as_modprobe_would(tree: Path, text: str) -> None:
    """With the same options, and with the same commands in the place of it and of the modules that it needs.

    A yes of ours is a yes of modprobe's: where no line is an obstacle, kvm_intel is inserted after what it needs.
    """
    directives = tuple(parse_directives("a.conf", text.encode().decode("latin-1")))
    with tempfile.TemporaryDirectory() as directory:
        place = written({"a.conf": text}, Path(directory))
        by_name = modprobe(tree, "-n", "-v", "kvm_intel", configuration=(place,))
        by_udev = modprobe(tree, "-n", "-v", "-b", CPU, configuration=(place,))
    needed = Needed(surely=frozenset({"kvm", "irqbypass"}), perhaps=frozenset())
    obstacles = Obstacles("kvm_intel", needed, directives, "")
    commands = [line for line in by_udev.split("\n") if line.startswith("install ")]
    inserted = [line for line in by_udev.split("\n") if "/kvm-intel.ko" in line]
    if obstacles.sure() is None and not obstacles.doubtful():
        assert len(inserted) == 1
        assert not commands
    elif obstacles.sure() is not None and not any(d.command == "alias" for d in directives):
        assert not inserted or commands
    if inserted and not any(line.command in {"alias", "softdep"} for line in directives):
        assert "/kvm-intel.ko" in by_name
        options = inserted[0].partition("/kvm-intel.ko ")[2]
        again = options_of([Directive("options", "kvm_intel", options, "a.conf", 1)])
        mine = [o for o in options_of(directives) if o.module == "kvm_intel"]
        assert [(o.name, o.value, o.bare) for o in again] == [(o.name, o.value, o.bare) for o in mine]


WORDS = (
    *(
        "quiet",
        "kvm-intel.nested=1",
        "kvm_intel.nested",
        "kvm_intel.nested=0",
        '"kvm_intel.nested=1"',
        'kvm_intel.nested="1"',
    ),
    *(
        "kvm.a.b=1",
        "kvm-intel.enable-apicv=1",
        "--",
        "modprobe.blacklist=kvm_intel,kvm-amd",
        "module_blacklist=kvm",
        "=.=",
        "kvm_intel=",
    ),
)


def can_replace_the_command_line() -> bool:
    """Whether a namespace of mounts can be made here, in which another file is /proc/cmdline."""
    command = ["unshare", "-m", "mount", "--bind", "/dev/null", "/proc/cmdline"]
    return (
        os.geteuid() == 0
        and shutil.which("unshare") is not None
        and subprocess.run(command, check=False).returncode == 0
    )


@given(st.lists(st.sampled_from(WORDS), max_size=6).map(" ".join))
@settings(max_examples=60, deadline=None)
def test_the_kernel_command_line_is_read_as_modprobe_does(tree: Path, line: str) -> None:
    """Options of modules, also those behind `--`, and blacklists with the names as they are written."""
    if not can_replace_the_command_line():
        pytest.skip("replacing /proc/cmdline takes root and unshare")
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "cmdline"
        file.write_text(f"{line}\n", encoding="utf-8")
        (Path(directory) / "empty").mkdir()
        script = 'mount --bind "$1" /proc/cmdline && exec modprobe -C "$2" -d "$3" -S 6.1.0 --showconfig'
        command = ["unshare", "-m", "sh", "-c", script, "sh", str(file), str(file.with_name("empty")), str(tree)]
        theirs = subprocess.run(command, capture_output=True, check=True).stdout.decode("latin-1")
    lines = [each.split(" ", 2) for each in theirs.partition("\n# End of")[0].split("\n")]
    again = options_of(
        parse_directives("x", "".join(f"{' '.join(words)}\n" for words in lines if words[0] == "options"))
    )
    mine = list(options_for_modprobe(line))
    assert [(o.module, o.name, o.value, o.bare) for o in again] == [(o.module, o.name, o.value, o.bare) for o in mine]
    blacklisted = [words[1] for words in lines if words[0] == "blacklist"]
    assert blacklisted == [found.module for found in blacklist_for_modprobe(line)]
