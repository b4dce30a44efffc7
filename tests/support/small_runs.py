"""Small recorded machines and inventories for tests of the plugin, and runs of pytest over them."""

from __future__ import annotations

import gc
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from functools import partial
from io import BytesIO, TextIOWrapper
from pathlib import Path
from warnings import catch_warnings, resetwarnings, simplefilter

import pytest
import yaml

from pytest_nestvirt.embedded import embedded

CPUINFO = "processor\t: 0\nvendor_id\t: GenuineIntel\nmodel name\t: Test CPU\nflags\t\t: fpu lm vmx ept\n"
MACHINE: Mapping[str, str] = {
    "proc/cpuinfo": CPUINFO,
    "sos_commands/kernel/uname_-a": "Linux l0 4.18.0-372.el8.x86_64 #1 SMP x86_64 x86_64 x86_64 GNU/Linux\n",
    "etc/os-release": 'ID="rhel"\nVERSION_ID="8.6"\n',
    "sys/module/kvm_intel/parameters/nested": "Y\n",
}

REQUIREMENTS = """\
source: {id: house, title: House rules, publisher: us, version: "1"}
applies: [{l0: {provider: [libvirt]}}]
requirements:
  - {id: HOUSE-VMX, section: "1", statement: vmx is there, level: l0, kind: requirement, obligation: must, expected: vmx,
     remedy: switch it on}
  - {id: HOUSE-NESTED, section: "2", statement: nesting is on, level: l0, kind: recommendation, obligation: should,
     expected: "on"}
  - {id: HOUSE-LIMIT, section: "3", statement: no svm, level: l0, kind: limitation, obligation: info, expected: no svm}
  - {id: HOUSE-AMD, section: "4", statement: svm is there, level: l0, kind: requirement, obligation: must,
     expected: svm, applies: {l0: {vendor: [amd]}}}
  - {id: HOUSE-GUEST, section: "5", statement: the guest has vmx, level: l1, kind: requirement, obligation: must,
     expected: vmx}
  - {id: HOUSE-RELOAD, section: "6", statement: reload works, level: l0, kind: procedure, obligation: must,
     expected: it works, needs: reload}
"""

CHECKS = """\
from pytest_nestvirt import Machine, requirement

@requirement("HOUSE-VMX")
def test_vmx(l0: Machine) -> None:
    assert "vmx" in l0.cpu.flags

@requirement("HOUSE-NESTED")
def test_nested(l0: Machine) -> None:
    assert l0.kvm.nested, "nesting is off"

@requirement("HOUSE-LIMIT")
def test_limit(l0: Machine) -> None:
    assert "svm" not in l0.cpu.flags

@requirement("HOUSE-AMD")
def test_amd(l0: Machine) -> None:
    assert "svm" in l0.cpu.flags

@requirement("HOUSE-GUEST")
def test_guest(l0: Machine, l1: Machine) -> None:
    assert "vmx" in l0.cpu.flags
    assert "vmx" in l1.cpu.flags
"""


def record(folder: Path, sections: Mapping[str, str] = MACHINE, **changes: str | None) -> Path:
    """A recorded machine: the sections, changed by name (`proc_cpuinfo` would be ambiguous, so paths are keys)."""
    for name, text in {**sections, **changes}.items():
        if text is not None:
            file = folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "nestvirt-snapshot.json").write_text(json.dumps({"format": 1, "complete": True}))
    return folder


def suite(folder: Path, requirements: str = REQUIREMENTS, checks: str = CHECKS) -> Path:
    """The small suite in a folder of that name."""
    house = folder / "house"
    house.mkdir()
    (house / "requirements.yml").write_text(requirements)
    (house / "test_house.py").write_text(checks)
    return house


def inventory(folder: Path, hosts: Mapping[str, object], **rest: object) -> Path:
    """An inventory file with these hosts."""
    file = folder / "inventory.yml"
    file.write_text(yaml.safe_dump({"hosts": hosts, **rest}, sort_keys=False))
    return file


@dataclass(frozen=True, slots=True)
class Done:
    """How a run of pytest ended and what it printed."""

    returncode: int
    stdout: str
    stderr: str


def run_pytest(folder: Path, *arguments: str, **environment: str) -> Done:
    """Run pytest in that folder, inside this process unless it has an environment or workers of its own.

    The product's own pyproject.toml is out of sight.
    """
    if environment or any(argument.startswith("-n") for argument in arguments):
        return run_process(folder, *arguments, **environment)
    (folder / "pytest.ini").touch()
    before = set(sys.modules)
    out, err = (TextIOWrapper(BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
    options = ("-p", "pytest_nestvirt.plugin", "-p", "no:cacheprovider", "-p", "no:faulthandler", "--capture=sys")
    rewriting = ("-W", "ignore::pytest.PytestAssertRewriteWarning")  # the plugin is imported already
    with pytest.MonkeyPatch.context() as patch, catch_warnings(), redirect_stdout(out), redirect_stderr(err):
        resetwarnings()
        patch.chdir(folder)
        patch.syspath_prepend(folder)
        for name in [name for name in os.environ if name.startswith(("PYTEST_", "COV_"))]:
            patch.delenv(name)
        patch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # not all plugins can be in one process twice
        patch.setenv("COLUMNS", "120")
        code = int(pytest.main([*options, *arguments, *rewriting]))
        if "--nagios" in arguments:  # testinfra leaves its file open
            simplefilter("ignore", ResourceWarning)
            gc.collect()
    for name in set(sys.modules) - before:
        if _is_test_module(sys.modules[name], folder):
            del sys.modules[name]
    printed, complained = (stream.buffer.getvalue().decode() for stream in (out, err))
    return Done(code, printed, complained)


def _is_test_module(module: object, folder: Path) -> bool:
    """Whether another run would take it for one of its own, of the same name."""
    file = getattr(module, "__file__", None) or ""
    return any(Path(file).is_relative_to(root) for root in (folder.resolve(), folder, embedded("suites")))


def run_process(folder: Path, *arguments: str, **environment: str) -> Done:
    """Run pytest in that folder in a process of its own: where signals, workers or the environment matter."""
    (folder / "pytest.ini").touch()
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments]
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COV_"))}
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, timeout=180,
        env={**clean, "COLUMNS": "120", **environment},
    )  # fmt: skip
    return Done(done.returncode, done.stdout, done.stderr)


@contextmanager
def running_pytest(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Pytest in a process of its own that can be interrupted, also where this one was started deaf to Ctrl-C."""
    (folder / "pytest.ini").touch()
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments]
    process = subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - nothing else runs yet
    )  # fmt: skip
    with process:
        try:
            yield process
        finally:
            process.kill()


def verdicts(report: Path) -> dict[tuple[str, str], str]:
    """Requirement and host -> verdict, from a result.json; what does not apply is listed under its host."""
    result = json.loads((report / "result.json").read_text())
    aside = {
        (name, host["name"]): "not-applicable"
        for host in result["hosts"]
        for group in host["not_applicable"]
        for name in group["requirements"]
    }
    return aside | {(case["requirement"], case["host"]): case["verdict"] for case in result["cases"]}
