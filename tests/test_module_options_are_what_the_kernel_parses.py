"""Claim: parameters are parsed and typed as the kernel does it, and a value that it refuses keeps the module from loading."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from modprobe_sections import NOTHING, files, modprobe

from pytest_nestvirt.facts.kvm.kernel_command_line import (
    blacklist_for_modprobe,
    blacklist_for_the_kernel,
    options_for_modprobe,
    options_for_the_kernel,
    skipped_initcalls,
)
from pytest_nestvirt.facts.kvm.modprobe_lines import parse_directives
from pytest_nestvirt.facts.kvm.module_option import (
    ModuleOption,
    ParameterType,
    first_rejected,
    options_of,
    rejected_by_kernel,
    split_parameters,
)
from pytest_nestvirt.observation.fact import Unobservable


def option(text: str) -> list[tuple[str, str, str]]:
    """What one `options` line sets."""
    return [(o.module, o.name, o.value) for o in options_of(parse_directives("f", f"options {text}\n"))]


def test_options_are_parsed() -> None:
    """Several parameters, blanks and tabs, quotes around a word or a value, `-` and `_` as one letter."""
    assert option("kvm_intel nested=1 ept=0") == [("kvm_intel", "nested", "1"), ("kvm_intel", "ept", "0")]
    assert option("\tkvm-intel\t enable-apicv=Y  ") == [("kvm_intel", "enable_apicv", "Y")]
    assert option('m a="two words" "b=3 4" c="1"') == [("m", "a", "two words"), ("m", "b", "3 4"), ("m", "c", "1")]
    assert option("m nested") == [("m", "nested", "")]
    assert option("m") == []


@pytest.mark.parametrize(
    "line, module, refused",
    [
        ("options kvm-amd nested=Y", "kvm_amd", True),
        ("options kvm_amd nested=1", "kvm_amd", False),
        ("options kvm nested=y", "kvm", True),
        ("options kvm nested", "kvm", True),
        ("options kvm nested=0x1", "kvm", False),
        ("options kvm_intel nested=Y", "kvm_intel", False),
        ("options kvm_intel nested", "kvm_intel", False),
        ("options kvm_intel nested=", "kvm_intel", True),
        ("options kvm_intel nested=2", "kvm_intel", True),
        ("options kvm_hv nested=on", "kvm_hv", False),
        ("options kvm_intel ept=whatever", "kvm_intel", True),
        ("options kvm_intel of_another_kernel=whatever", "kvm_intel", False),
        ("options kvm nested=4294967296", "kvm", True),
        ("options kvm nested=08", "kvm", True),
    ],
)
def test_values_that_keep_a_module_from_loading(line: str, module: str, refused: bool) -> None:
    """A word for a number, or a number that is no truth value; parameters of unknown type are left alone."""
    (found,) = options_of(parse_directives("etc/modprobe.d/kvm.conf", line))
    assert found.module == module
    assert bool(rejected_by_kernel(found)) is refused


@pytest.mark.parametrize(
    "module, printed, line, accepted",
    [
        ("kvm_intel", "1", "nested=Y", False),  # a kernel whose parameter is a number
        ("kvm_intel", "1", "nested=1", True),
        ("kvm_intel", "Y", "nested=Y", True),
        ("kvm_intel", "Y", "nested=2", False),
        ("kvm_amd", "1", "nested=Y", False),
        ("kvm_amd", "Y", "nested=Y", True),  # a kernel whose parameter is a boolean
        ("kvm_amd", "N", "nested", True),
        ("kvm_amd", "0", "nested", False),
        ("kvm_intel", "never", "vmentry_l1d_flush=Y", True),  # prints as it pleases
    ],
)
def test_the_type_of_a_parameter_is_what_the_kernel_prints(
    module: str, printed: str, line: str, accepted: bool
) -> None:
    """Y and N are printed by booleans and by nothing else, digits by numbers, which take no letter (kernel/params.c)."""
    name = line.partition("=")[0]
    loaded = {
        f"sys/module/{module}": "",
        f"sys/module/{module}/refcnt": "1\n",
        f"sys/module/{module}/parameters/{name}": f"{printed}\n",
    }
    facts = modprobe(NOTHING, loaded, files(a=f"options {module} {line}\n"))
    found = facts.setting(module, name)
    assert found is not None
    assert (rejected_by_kernel(found) == "") is accepted


def test_one_value_that_is_refused_is_enough() -> None:
    """The kernel parses every option, also one that a later one overrides, and refuses the module for a single bad one."""
    facts = modprobe(NOTHING, files(a="options kvm_amd nested=Y\n", b="options kvm_amd nested=1\n"))
    assert "nested=Y" in first_rejected(facts.settings_of("kvm_amd"), ibm_z=False)
    good = modprobe(NOTHING, files(a="options kvm_amd nested=0\n", b="options kvm_amd nested=1 x=Y\n"))
    assert first_rejected(good.settings_of("kvm-amd"), ibm_z=False) == ""
    doubtful = modprobe(NOTHING, files(a="options kvm_intel nested=true\noptions kvm_intel nested=1\n"))
    with pytest.raises(Unobservable):
        first_rejected(doubtful.settings_of("kvm_intel"), ibm_z=False)
    on_x86 = modprobe(NOTHING, files(a="options kvm nested=Y\n")).settings_of("kvm")
    assert first_rejected(on_x86, ibm_z=False) == ""  # kvm has no such parameter there
    assert first_rejected(on_x86, ibm_z=True)


@pytest.mark.parametrize(
    "line, value",
    [
        ("options kvm_intel nested=1", "1"),
        ("options kvm_intel\tnested=1\r", "1"),  # the kernel takes the carriage return for a blank
        ("options kvm_intel \u00a0nested=1", "1"),  # and so the second byte of a no-break space
        ("options kvm_intel nested=1\u00a0", "1\xc2"),
        ("options kvm_intel\u00a0nested=1", None),
        ("options\u00a0kvm_intel nested=1", None),
        ("\ufeffoptions kvm_intel nested=1", None),
        ("options kvm_intel\u2003nested=1", None),
        ("options kvm_intel -- nested=1", None),
        ("options kvm_intel kvm_intel.nested=1", None),
        ("options kvm.nested nested=1", None),
        ("options kvm_hv nested=1", None),
        ("option kvm_intel nested=1", None),
        ("options kvm_intel nested =1", ""),
        ("options kvm_in\\tel nested=1", "1"),
    ],
)
def test_blanks_are_what_modprobe_and_the_kernel_take_for_blanks(line: str, value: str | None) -> None:
    """A line that was pasted from a web page looks right and sets nothing."""
    found = modprobe(NOTHING, files(a=f"{line}\n")).setting("kvm_intel", "nested")
    assert (found.value if found else None) == value


def test_words_that_only_newer_kernels_take_are_unknown() -> None:
    """`nested=true` loads on some kernels only."""
    for value in ("true", "enable", "Disabled"):
        with pytest.raises(Unobservable):
            rejected_by_kernel(ModuleOption("kvm_intel", "nested", value, "f", 1))


@pytest.mark.parametrize(
    "value, expected",
    [
        ("1", True),
        ("Y", True),
        ("yes", True),
        ("on", True),
        ("2", True),
        ("0x0", False),
        ("0", False),
        ("N", False),
        ("off", False),
    ],
)
def test_enabled(value: str, expected: bool) -> None:
    """What the parameter is going to be, as the kernel's parsers for truth values and numbers read it."""
    assert ModuleOption("kvm_amd", "nested", value, "f", 1).enabled is expected
    assert ModuleOption("kvm_amd", "nested", "", "f", 1, bare=True).enabled is True
    with pytest.raises(Unobservable):
        _ = ModuleOption("kvm_amd", "nested", "maybe", "f", 1).enabled


TEXT = st.text(alphabet='options kvm_intel-amd nested=1"#\\\n\tY.,', max_size=120)


@given(TEXT)
@settings(max_examples=150)
def test_parsers_neither_crash_nor_invent(text: str) -> None:
    """Every option is one that stands in the text, at the line that is named."""
    for found in options_of(parse_directives("f", text)):
        assert 1 <= found.line <= text.count("\n") + 1
        assert "options" in text
        assert found.value in text.replace("\\\n", "")
    for name, value in split_parameters(text):
        assert name.replace("_", "-") in text.replace("_", "-")
        assert value is None or "=" in text
    for read in (options_for_modprobe, options_for_the_kernel, blacklist_for_modprobe, blacklist_for_the_kernel):
        list(read(text))
    list(skipped_initcalls(text))
    ModuleOption("kvm_amd", "nested", text, "f", 1).valid_for(ParameterType.INT)
