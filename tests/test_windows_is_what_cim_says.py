"""Facts about Hyper-V on a Windows machine come from properties and numbers, so its language does not matter."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from machine_sections import machine
from probe_transports import PlayedTransport, frames, host, printed

from pytest_nestvirt.collect.probe import ProbeError, collect
from pytest_nestvirt.collect.windows_probe import SECONDS
from pytest_nestvirt.facts.system.windows import HyperVRequirements, Windows, parse_objects, parse_properties
from pytest_nestvirt.inventory.host import Deadlines
from pytest_nestvirt.observation.fact import Unobservable
from pytest_nestvirt.observation.unknown import if_known
from pytest_nestvirt.snapshot.snapshot import Status
from pytest_nestvirt.transport.base import Completed

PLACE = "nestvirt/windows/"
SYSTEM = {"Caption": "Microsoft Windows Server 2019 Standard", "BuildNumber": "17763", "ProductType": 3}
CAPABLE = {
    "VMMonitorModeExtensions": True,
    "VirtualizationFirmwareEnabled": True,
    "SecondLevelAddressTranslationExtensions": True,
}
DETECTED = (
    "Hyper-V Requirements:      A hypervisor has been detected. Features required for Hyper-V will not be displayed."
)
GERMAN = "Anforderungen f\xfcr Hyper-V:     Es wurde ein Hypervisor erkannt. F\xfcr Hyper-V erforderliche Features werden nicht angezeigt."
BOOT = "\r\nWindows-Startladeprogramm\r\n----\r\nBezeichner              {current}\r\ndevice                  partition=C:\r\n"


def windows(**sections: object) -> Windows:
    """A machine whose sections are the arguments: objects as JSON, texts and statuses as they are."""
    as_read = {
        f"{PLACE}{name}" + ("" if "." in name else ".json"): value
        if isinstance(value, (str, Status))
        else json.dumps(value)
        for name, value in sections.items()
    }
    return machine(as_read).windows


@pytest.mark.parametrize("present", [True, False])
def test_a_hypervisor_is_present_by_its_property(present: bool) -> None:
    """Win32_ComputerSystem tells, not the text of systeminfo."""
    assert windows(computer_system={"HypervisorPresent": present}).hypervisor_present is present


@pytest.mark.parametrize(
    "value", [{}, {"HypervisorPresent": None}, {"HypervisorPresent": "True"}, Status.FAILED, "", "[]"]
)
def test_presence_is_not_guessed(value: object) -> None:
    """What is no JSON boolean is unknown."""
    with pytest.raises(Unobservable):
        _ = windows(computer_system=value).hypervisor_present


def requirements(processors: object, dep: object = True, present: object = False) -> HyperVRequirements:
    """What Hyper-V requires, of such a machine."""
    system = {**SYSTEM, "DataExecutionPrevention_Available": dep}
    return windows(
        computer_system={"HypervisorPresent": present}, processor=processors, operating_system=system
    ).requirements


def test_without_a_hypervisor_the_four_requirements_are_told() -> None:
    """Each by its own property."""
    assert requirements(CAPABLE) == HyperVRequirements(True, True, True, True)
    assert requirements(CAPABLE).met
    for name in CAPABLE:
        assert not requirements({**CAPABLE, name: False}).met
    assert not requirements(CAPABLE, dep=False).met


def test_all_processors_must_agree() -> None:
    """Of two sockets the lesser counts."""
    assert requirements([CAPABLE, CAPABLE]).met
    assert not requirements([CAPABLE, {**CAPABLE, "SecondLevelAddressTranslationExtensions": False}]).slat


def test_below_a_hypervisor_they_are_unknown() -> None:
    """Windows does not look then, and shows False or nothing: that is no finding."""
    for processors in (CAPABLE, dict.fromkeys(CAPABLE, False), dict.fromkeys(CAPABLE)):
        with pytest.raises(Unobservable, match="hypervisor has been detected"):
            requirements(processors, present=True)


@pytest.mark.parametrize("processors", [{}, dict.fromkeys(CAPABLE), [], [1], Status.FAILED, "nonsense"])
def test_blank_requirements_are_unknown(processors: object) -> None:
    """An empty property is neither yes nor no."""
    with pytest.raises(Unobservable):
        requirements(processors)


@pytest.mark.parametrize("state, enabled", [(1, True), ("1", True), (2, False), (3, False), ("Enabled", True)])
def test_hyper_v_is_enabled_by_its_state(state: object, enabled: bool) -> None:
    """Win32_OptionalFeature: 1 enabled, 2 disabled, 3 absent."""
    features = [
        {"Name": "Microsoft-Hyper-V-All", "InstallState": 4},
        {"Name": "Microsoft-Hyper-V", "InstallState": state},
    ]
    assert windows(optional_features=features).hyperv_enabled is enabled


@pytest.mark.parametrize(
    "features",
    [
        {"Name": "Microsoft-Hyper-V", "InstallState": 4},
        {"Name": "Microsoft-Hyper-V", "InstallState": True},
        {"Name": "Microsoft-Hyper-V", "InstallState": [1]},
        {"Name": "Microsoft-Hyper-V"},
        {"Name": "Microsoft-Hyper-V-Tools-All", "InstallState": 1},
        "",
        Status.FAILED,
    ],
)
def test_an_unknown_state_is_unknown(features: object) -> None:
    """State 4 says so itself; the tools alone are not Hyper-V."""
    with pytest.raises(Unobservable):
        _ = windows(optional_features=features).hyperv_enabled


def test_the_service_runs_or_is_not_there() -> None:
    """An answer without vmms says that there is no such service."""
    assert windows(services={"Name": "vmms", "State": "Running"}).service_running
    assert not windows(services={"Name": "vmms", "State": "Stopped"}).service_running
    assert not windows(services="").service_running
    with pytest.raises(Unobservable):
        _ = windows(services=Status.FAILED).service_running


GUID = "5A1E3C7B-0F3B-4F7E-9D55-3C0C7E0B9A11"


@pytest.mark.parametrize(
    "counters, machines, runs",
    [
        ({"LogicalProcessors": 8, "Partitions": 1}, "", True),
        ([{"LogicalProcessors": 8, "Partitions": 3}], Status.FAILED, True),
        ("", [{"Name": "WIN10", "EnabledState": 2}, {"Name": GUID, "EnabledState": 2}], True),
        (Status.FAILED, {"Name": GUID.lower(), "EnabledState": 2}, True),
        ("", {"Name": "WIN10", "EnabledState": 2}, None),
        ("", [{"Name": "WIN10", "EnabledState": 2}, {"Name": GUID, "EnabledState": 3}], None),
        ({"LogicalProcessors": 0, "Partitions": 0}, "", None),
        ({"LogicalProcessors": True, "Partitions": "1"}, "", None),
        (Status.FAILED, Status.FAILED, None),
        ("", "", None),
    ],
)
def test_hyper_v_runs_only_where_it_shows_itself(counters: object, machines: object, runs: bool | None) -> None:
    """By its counters or a machine that runs; an installed feature, vmms and a boot entry are there without it."""
    told = windows(
        computer_system={"HypervisorPresent": True},
        services={"Name": "vmms", "State": "Running"},
        optional_features={"Name": "Microsoft-Hyper-V", "InstallState": 1},
        hypervisor_counters=counters,
        virtual_machines=machines,
        **{"bcdedit.txt": BOOT + "hypervisorlaunchtype    Auto\r\n"},
    )
    assert if_known(lambda: told.runs_hypervisor) is runs


def test_without_a_hypervisor_hyper_v_does_not_run() -> None:
    """Whatever was left from when it did."""
    left = {"LogicalProcessors": 8, "Partitions": 1}
    assert not windows(computer_system={"HypervisorPresent": False}, hypervisor_counters=left).runs_hypervisor


@pytest.mark.parametrize(
    "text, launch",
    [
        (BOOT + "hypervisorlaunchtype    Auto\r\n", "auto"),
        (BOOT + "hypervisorlaunchtype    Off\r\n", "off"),
        (BOOT, "absent"),
    ],
)
def test_launch_type_is_that_of_the_boot_entry(text: str, launch: str) -> None:
    """The names of elements are the same in every language."""
    assert windows(**{"bcdedit.txt": text}).hypervisor_launch == launch


@pytest.mark.parametrize(
    "text",
    [
        "Der Speicher der Startkonfigurationsdaten konnte nicht ge\xf6ffnet werden.\r\nZugriff verweigert\r\n",
        "",
        Status.FAILED,
    ],
)
def test_a_refused_bcdedit_is_no_missing_setting(text: str | Status) -> None:
    """Only an administrator sees boot entries."""
    with pytest.raises(Unobservable):
        _ = windows(**{"bcdedit.txt": text}).hypervisor_launch


@pytest.mark.parametrize("line", [DETECTED, GERMAN])
def test_system_info_decides_nothing(line: str) -> None:
    """Its lines are shown in whatever language; whether a hypervisor is there is not read from them."""
    told = windows(**{"systeminfo.txt": f"\r\nHost Name: L1\r\n{line}\r\n"})
    assert told.system_info == ("Host Name: L1", line)
    with pytest.raises(Unobservable):
        _ = told.hypervisor_present


def test_windows_gets_more_time() -> None:
    """Its answers are slow: it has three minutes, or what the inventory says if that is more."""
    for command, expected in ((60.0, SECONDS), (600.0, 600.0)):
        given: list[float | None] = []

        class Slow(PlayedTransport):
            def run(
                self, command: str, *, stdin: bytes = b"", timeout: float | None = None, become: bool = False
            ) -> Completed:
                given.append(timeout)  # noqa: B023 - used within its own round
                return super().run(command, stdin=stdin, timeout=timeout, become=become)

        def play(command: str, stdin: bytes) -> Completed:
            nonce = stdin.partition(b"\n")[0].removeprefix(b"n=").decode()
            shell = frames(nonce, ("nestvirt/windows/shell", b"a POSIX shell on Windows\n"))
            return printed(shell if command == "sh" else frames("0" * 32, ("x", b"")))

        with pytest.raises(ProbeError, match="no answer"):  # it is played by the wrong nonce
            collect(Slow(play), host(deadlines=Deadlines(command=command)))
        assert given == [None, expected]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["Name", "State", "InstallState"]), inner)
    ),
    max_leaves=8,
)


@settings(max_examples=100)
@given(st.text(max_size=60) | JSON.map(json.dumps))
def test_any_answer_is_parsed_or_unknown(text: str) -> None:
    """No answer of a host crashes a fact."""
    for parse in (lambda: parse_properties(text), lambda: parse_objects(text, "here")):
        with contextlib.suppress(Unobservable):
            parse()
    told = windows(optional_features=text, services=text, computer_system=text)
    for name in ("hyperv_enabled", "service_running", "hypervisor_present"):
        with contextlib.suppress(Unobservable):
            assert isinstance(getattr(told, name), bool)


def test_size_is_that_of_the_computer_system() -> None:
    """Processors and memory as numbers; what is none is unknown."""
    told = windows(computer_system={"NumberOfLogicalProcessors": 8, "TotalPhysicalMemory": 17179262976})
    assert (told.processors, told.memory_bytes) == (8, 17179262976)
    for value in (None, "8", True, 0, -1, 1.5):
        with pytest.raises(Unobservable):
            _ = windows(computer_system={"NumberOfLogicalProcessors": value}).processors
