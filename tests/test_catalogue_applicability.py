"""Whether a statement applies is decided in three values, and says which fact decided."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from recorded_machines import (
    NOT_COLLECTED,
    Chain,
    Recorded,
    Texts,
    amd_chain,
    guest_of,
    intel_chain,
    machines,
    power9_chain,
    rhel,
    system,
    z_chain,
)

from pytest_nestvirt.catalogue.applicability import Applicable, Applies, requirement_applies, suite_applies
from pytest_nestvirt.catalogue.conditions import Conditions, Generations
from pytest_nestvirt.catalogue.requirement import Requirement, Source, Stance, Suite
from pytest_nestvirt.derived.runs import names_itself, runs
from pytest_nestvirt.facts.machine import Machine, build_machines
from pytest_nestvirt.facts.system.os_expression import parse
from pytest_nestvirt.inventory.host import Connection, Environment, Host, Inventory, Provider
from pytest_nestvirt.observation.fact import Unobservable
from pytest_nestvirt.verdict import Kind, Obligation

UNREAD = {"proc/cpuinfo": NOT_COLLECTED}
UNKNOWN_OS = {"etc/os-release": NOT_COLLECTED, "etc/redhat-release": NOT_COLLECTED}


def asked(level: str, **applies: dict[str, Any]) -> Requirement:
    """A requirement with these conditions, and nothing else of interest."""
    return Requirement.model_validate(
        {
            "id": "ACME-ONE",
            "section": "1",
            "statement": "S",
            "level": level,
            "kind": Kind.CLAIM,
            "obligation": Obligation.INFO,
            "expected": "E",
            "applies": applies,
        }
    )


def changed(chain: Chain, level: int, sections: Texts | None = None, **declared: object) -> Chain:
    """The chain with one of its machines changed."""
    return tuple(one.having(sections, **declared) if depth == level else one for depth, one in enumerate(chain))


def answer(chain: Chain, **applies: dict[str, Any]) -> Applies:
    """Whether a requirement about the deepest level that is named applies there."""
    level = max(applies)
    return requirement_applies(asked(level, **applies), machines(chain)[int(level[1])])


@pytest.mark.parametrize(
    "condition, state, because",
    [
        ({}, Applicable.YES, None),
        ({"arch": "x86_64"}, Applicable.YES, None),
        ({"arch": ["s390x", "ppc64le"]}, Applicable.NO, "l0 kernel.architecture is x86_64"),
        ({"vendor": "intel"}, Applicable.YES, None),
        ({"vendor": "amd"}, Applicable.NO, "l0 cpu.vendor is intel"),
        ({"os": "rhel >=8.2 <9"}, Applicable.YES, None),
        ({"os": ["rhel 9", "ubuntu"]}, Applicable.NO, "l0 os is rhel 8.6"),
        ({"kernel": "<4.20"}, Applicable.YES, None),
        ({"kernel": ["<2.6.32", ">=4.18 <4.19"]}, Applicable.YES, None),
        ({"kernel": ">=4.20"}, Applicable.NO, "l0 kernel.version is 4.18.0"),
        ({"provider": "libvirt"}, Applicable.YES, None),
        ({"provider": ["azure", "ec2"]}, Applicable.NO, "l0 declared.provider is libvirt"),
        ({"connection": "none"}, Applicable.NO, "l0 connection is recorded"),
        ({"environment": "prod"}, Applicable.NO, "l0 declared.environment is dev"),
        ({"virtualization": "none"}, Applicable.YES, None),
        ({"virtualization": "kvm"}, Applicable.NO, "l0 platform.virtualization is none"),
        ({"substrate": "aws"}, Applicable.NO, "l0 platform.substrate is none"),
        ({"power": 9}, Applicable.UNDECIDED, "l0 proc/cpuinfo: shows no POWER processors, or several kinds of them"),
        ({"power": 9, "arch": "ppc64le"}, Applicable.NO, "l0 kernel.architecture is x86_64"),
        ({"parent_provider": "libvirt"}, Applicable.NO, "l0 is not a guest"),
        ({"treat_as": "rhel"}, Applicable.NO, "l0 declared.treat_as is not set"),
        ({"not": {"arch": "s390x", "vendor": "amd"}}, Applicable.YES, None),
        ({"not": {"arch": "s390x", "vendor": "intel"}}, Applicable.NO, "l0 cpu.vendor is intel"),
        ({"any": [{"arch": "s390x"}, {"vendor": "intel"}]}, Applicable.YES, None),
        (
            {"any": [{"arch": "s390x"}, {"vendor": "amd"}]},
            Applicable.NO,
            "l0 kernel.architecture is x86_64; l0 cpu.vendor is intel",
        ),
        ({"not": {"any": [{"arch": "s390x"}, {"vendor": "amd"}]}}, Applicable.YES, None),
        ({"not": {"any": [{"arch": "x86_64"}]}}, Applicable.NO, "l0 kernel.architecture is x86_64"),
    ],
)
def test_conditions_are_decided_by_facts(condition: dict[str, Any], state: Applicable, because: str | None) -> None:
    """Each condition holds or not by one fact of the machine, which is named where it does not."""
    decided = answer(intel_chain(), l0=condition)
    assert decided.state is state
    assert because in {None, decided.because}


def test_facts_that_held_are_named_too() -> None:
    """Why a statement applies can be read as well: all the facts that it took."""
    held = answer(intel_chain(), l0={"arch": "x86_64", "not": {"vendor": "amd"}})
    assert held == Applies(Applicable.YES, "l0 kernel.architecture is x86_64; l0 cpu.vendor is intel")


@pytest.mark.parametrize(
    "chain, level, condition, state",
    [
        (power9_chain, 0, {"power": 9}, Applicable.YES),
        (power9_chain, 0, {"power": "<=8"}, Applicable.NO),
        (power9_chain, 0, {"power": ">=9", "power8_compat": False}, Applicable.YES),
        (power9_chain, 1, {"power8_compat": True}, Applicable.NO),
        (z_chain, 0, {"substrate": "prsm-lpar"}, Applicable.YES),
        (amd_chain, 1, {"parent_provider": ["libvirt", "proxmox"]}, Applicable.YES),
        (amd_chain, 1, {"domain_known": True}, Applicable.YES),
        (amd_chain, 1, {"domain_known": False}, Applicable.NO),
    ],
)
def test_conditions_of_other_machines(
    chain: Callable[[], Chain], level: int, condition: dict[str, Any], state: Applicable
) -> None:
    """POWER generations, partitions, providers and domains are decided on the machines that have them."""
    assert answer(chain(), **{f"l{level}": condition}).state is state


def test_what_is_surely_false_wins_over_what_is_unknown() -> None:
    """One condition that does not hold decides, wherever it stands; else one that is unknown leaves it open."""
    blind = changed(intel_chain(), 0, UNREAD)
    assert answer(blind, l0={"vendor": "amd"}).state is Applicable.UNDECIDED
    assert answer(blind, l0={"vendor": "amd", "os": "ubuntu"}) == Applies(Applicable.NO, "l0 os is rhel 8.6")
    assert answer(blind, l0={"vendor": "amd"}, l1={"os": "ubuntu"}) == Applies(Applicable.NO, "l1 os is rhel 8.6")
    assert answer(blind, l0={"vendor": "intel"}, l1={"os": "rhel"}) == Applies(
        Applicable.UNDECIDED, "l0 proc/cpuinfo: not collected"
    )


def test_unknown_inside_not_and_any_stays_unknown() -> None:
    """The negation of what is unknown is unknown; an alternative that is unknown keeps the others from deciding no."""
    blind = changed(intel_chain(), 0, UNREAD)
    assert answer(blind, l0={"not": {"vendor": "amd"}}).state is Applicable.UNDECIDED
    assert answer(blind, l0={"not": {"vendor": "amd", "os": "rhel"}}).state is Applicable.NO
    assert answer(blind, l0={"any": [{"vendor": "amd"}, {"os": "ubuntu"}]}).state is Applicable.UNDECIDED
    assert answer(blind, l0={"any": [{"vendor": "amd"}, {"os": "rhel"}]}).state is Applicable.YES


def test_environment_that_nobody_declared_is_undecided() -> None:
    """An inventory that is silent about the environment says neither prod nor dev."""
    silent = changed(intel_chain(), 0, environment=None)
    assert answer(silent, l0={"environment": "prod"}) == Applies(
        Applicable.UNDECIDED, "l0 inventory: `environment:` is not set for L0"
    )


def test_version_that_is_too_short_is_undecided_and_identity_alone_is_not() -> None:
    """CentOS Stream names no minor: a comparison that needs it is undecided, one with another id is not asked."""
    stream = changed(intel_chain(), 0, system("centos", "8"))
    assert answer(stream, l0={"os": "centos >=8.2"}).state is Applicable.UNDECIDED
    assert answer(stream, l0={"os": "rhel >=8.2"}).state is Applicable.NO
    assert answer(changed(stream, 0, system("centos", "rolling")), l0={"os": "centos"}).state is Applicable.YES


def test_treat_as_counts_for_os_and_not_for_os_strict() -> None:
    """A rebuild that the inventory has treated as RHEL is RHEL of its own version, unless the strict name is asked for."""
    rocky = changed(intel_chain(), 0, system("rocky", "8.10"), treat_as="rhel")
    assert answer(rocky, l0={"os": "rhel >=8.2"}).state is Applicable.YES
    assert answer(rocky, l0={"os": "rhel >=8.11"}).state is Applicable.NO
    assert answer(rocky, l0={"os": "rocky"}).state is Applicable.YES
    assert answer(rocky, l0={"os_strict": "rhel"}) == Applies(Applicable.NO, "l0 os is rocky 8.10")
    host = machines(rocky)[0]
    assert runs(host, "rhel 8")
    assert not names_itself(host, "rhel 8", strict=True)


def test_statement_put_aside_by_treat_as_makes_the_chain_unsupported() -> None:
    """Only what `treat_as` put aside carries a stance; any other refusal says nothing about support."""
    rocky = changed(intel_chain(), 0, system("rocky", "8.10"), treat_as="rhel")
    aside = answer(rocky, l0={"not": {"treat_as": "rhel"}})
    assert aside == Applies(Applicable.NO, "l0 runs rocky, judged as rhel (treat_as)")
    assert aside.stance is Stance.UNSUPPORTED
    assert answer(rocky, l0={"vendor": "amd"}).stance is None
    assert answer(changed(rocky, 0, treat_as="ubuntu"), l0={"not": {"treat_as": "rhel"}}).state is Applicable.YES


def test_treat_as_of_the_real_thing_puts_nothing_aside() -> None:
    """A RHEL that the inventory has treated as RHEL is RHEL; where its identity is unknown, nothing is decided."""
    real = changed(intel_chain(), 0, treat_as="rhel")
    assert answer(real, l0={"not": {"treat_as": "rhel"}}).state is Applicable.YES
    unknown = answer(changed(real, 0, UNKNOWN_OS), l0={"not": {"treat_as": "rhel"}})
    assert (unknown.state, unknown.stance) == (Applicable.UNDECIDED, None)


@pytest.mark.parametrize("wanted", list(permutations(["centos >=8.2", "centos 8", "fedora"])))
def test_one_expression_that_surely_holds_decides(wanted: tuple[str, ...]) -> None:
    """Of several, in any order, an undecided one matters only where none holds: CentOS Stream 8 may or may not be 8.2."""
    stream = changed(intel_chain(), 0, system("centos", "8"))
    assert answer(stream, l0={"os": list(wanted)}).state is Applicable.YES
    others = [expression for expression in wanted if expression != "centos 8"]
    assert answer(stream, l0={"os": others}).state is Applicable.UNDECIDED


def shown_in_docstrings(condition: str) -> list[str]:
    """What the docstring of a condition shows between backticks."""
    body = ast.parse(inspect.getsource(Conditions)).body[0].body  # type: ignore[attr-defined]
    place = next(n for n, s in enumerate(body) if isinstance(s, ast.AnnAssign) and ast.unparse(s.target) == condition)
    return re.findall(r"`([^`]+)`", body[place + 1].value.value)


@pytest.mark.parametrize(
    "condition, forms",
    [
        ("os", {"rhel", "rhel >=8.2", "rhel >=8.2 <9"}),
        ("kernel", {"<4.20", ">=2.6.32 <4.20"}),
        ("power", {"9", "<=8"}),
    ],
)
def test_what_the_docstrings_of_conditions_show_is_accepted(condition: str, forms: set[str]) -> None:
    """Every form that is shown is one that the parser takes, word for word."""
    shown = [form for form in shown_in_docstrings(condition) if form not in Conditions.model_fields]
    assert set(shown) == forms
    for form in shown:
        if condition == "power":
            assert str(Generations.parse(form)) == form
        else:
            for expression in Conditions.model_validate({condition: form}).expressions():
                assert parse(expression).comparisons or form == "rhel"


def test_requirement_is_about_one_level() -> None:
    """A machine of another level is none that the requirement speaks of."""
    refused = requirement_applies(asked("l1"), machines(intel_chain())[0])
    assert refused == Applies(Applicable.NO, "it is about l1, L0 is l0")


# ---- suites


def suite(*alternatives: dict[str, Any]) -> Suite:
    """A suite without requirements that speaks of these chains."""
    source = Source(id="acme", title="T", publisher="P", version="1")
    return Suite.model_validate({"source": source, "applies": alternatives, "requirements": []})


def family(*guests: Recorded) -> dict[str, Machine]:
    """An ESXi host that nobody logs in to, with several guests beside each other."""
    above = Host("esx", 0, None, Connection.NONE, provider=Provider.VSPHERE)
    below = [Host(guest.name, 1, "esx", Connection.RECORDED) for guest in guests]
    snapshots: dict[str, Any] = {guest.name: machines((guest,))[0].reader.snapshot for guest in guests}
    snapshots["esx"] = Unobservable("inventory", "nobody logs in to esx")
    return build_machines(Inventory((above, *below)), snapshots)


VSPHERE_OR_RHEL = suite(
    {"l0": {"os": "rhel", "provider": "libvirt"}}, {"l0": {"provider": "vsphere"}, "l1": {"os": "rhel"}}
)


def test_suite_judges_a_host_through_any_of_its_guests() -> None:
    """An alternative about guests holds for an L0 if one chain through it fits; a guest answers for itself."""
    one, other = intel_chain()[1], intel_chain()[2].having(system("ubuntu", "22.04"))
    known = family(one, other)
    assert suite_applies(VSPHERE_OR_RHEL, known["esx"]).state is Applicable.YES
    assert suite_applies(VSPHERE_OR_RHEL, known["L1"]).state is Applicable.YES
    assert suite_applies(VSPHERE_OR_RHEL, known["L2"]).state is Applicable.NO


def test_suite_does_not_judge_a_host_none_of_whose_chains_fit() -> None:
    """Without a fitting guest, or without any, the alternative does not hold; an unknown guest leaves it open."""
    ubuntu = intel_chain()[1].having(system("ubuntu", "22.04"))
    assert suite_applies(VSPHERE_OR_RHEL, family(ubuntu)["esx"]).state is Applicable.NO
    assert "esx has no l1 guest" in suite_applies(VSPHERE_OR_RHEL, family()["esx"]).because
    unknown = family(ubuntu, intel_chain()[2].having(UNKNOWN_OS))
    assert suite_applies(VSPHERE_OR_RHEL, unknown["esx"]).state is Applicable.UNDECIDED


def test_suite_of_an_l0_judges_its_whole_chain() -> None:
    """What an alternative says of the L0 holds for every machine below it."""
    rhel_only = suite({"l0": {"os": "rhel"}})
    assert [suite_applies(rhel_only, machine).state for machine in machines(intel_chain())] == [Applicable.YES] * 3
    ubuntu = changed(intel_chain(), 0, system("ubuntu", "22.04"))
    assert [suite_applies(rhel_only, machine).state for machine in machines(ubuntu)] == [Applicable.NO] * 3


# ---- the grammar of generations


@given(st.sampled_from(["", "<=", ">=", "<", ">"]), st.integers(1, 99), st.integers(1, 99))
def test_generations_compare_as_numbers(operator: str, named: int, seen: int) -> None:
    """A POWER generation is compared with the number that is named, and is written back as it was."""
    wanted = Generations.parse(f"{operator}{named}")
    holds = {"": seen == named, "<=": seen <= named, ">=": seen >= named, "<": seen < named, ">": seen > named}
    assert (seen in wanted) is holds[operator]
    assert str(wanted) == f"{operator}{named}"


@given(st.text(max_size=12))
def test_conditions_refuse_what_is_no_generation(text: str) -> None:
    """Whatever stands there is a generation or a validation error, nothing else."""
    try:
        conditions = Conditions.model_validate({"power": text})
    except ValueError:
        return
    assert conditions.power is not None
    assert 1 <= conditions.power.number <= 99


def test_environments_and_guests_are_what_they_seem() -> None:
    """The machines that these tests rest on are what they claim to be."""
    l0, l1, l2 = machines(intel_chain())
    assert (l0.declared.environment, l0.platform.physical) == (Environment.DEV, True)
    assert (l1.platform.virtualization, l2.platform.virtualization) == ("kvm", "kvm")
    vmware = intel_chain()[1].having({**guest_of("vmware", "VMware, Inc.", "VMware7,1"), **rhel("8.2")})
    assert machines((vmware,))[0].platform.virtualization == "vmware"
