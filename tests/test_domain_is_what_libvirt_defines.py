"""Claim: a domain is what its XML says; what is hostile, broken or was not read is unknown."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from cpuinfo_texts import reader
from hypothesis import example, given, settings
from hypothesis import strategies as st
from real_files import CORPUS, needs, rows
from recorded_machines import intel_chain, machines

from pytest_nestvirt.facts.libvirt.domain_state import DomainState
from pytest_nestvirt.facts.libvirt.domain_xml import DomainXml, parse_domain
from pytest_nestvirt.facts.libvirt.libvirt import DUMP, DUMP_INACTIVE, LIST, VERSION, Libvirt
from pytest_nestvirt.facts.libvirt.qemu import Qemu
from pytest_nestvirt.facts.libvirt.qemu_argv import QemuProcess, parse_argv, split_options
from pytest_nestvirt.facts.libvirt.virsh import parse_list, parse_versions
from pytest_nestvirt.observation.fact import Reader, Unobservable
from pytest_nestvirt.snapshot.snapshot import Section, Snapshot, Status

Sections = Mapping[str, str | bytes | Status]
VIRSH = shutil.which("virsh")

NEW_TABLE = """ Id   Name             State
----------------------------------
 1    rhel8-l1         running
 12   two  words       paused
 -    win 10 shut off  shut off
 -    off              shut off

"""
OLD_TABLE = """ Id    Name                           State
----------------------------------------------------
 1     rhel8-l1                       running
 -     a-name-that-is-longer-than-its-column shut off
 4     dying                          in shutdown

"""


def xml(inner: str = "", *, kind: str = "kvm", arch: str = "x86_64", name: str = "l1") -> str:
    """A domain with these elements in it."""
    return (
        f"<domain type='{kind}' id='1'><name>{name}</name><uuid>C7A5FDBD-edaf-9455-926a-d65c16db1809</uuid>"
        f"<memory unit='MiB'>2</memory><vcpu placement='static' current='1'>4</vcpu>"
        f"<os><type arch='{arch}' machine='pc-q35-8.0'>hvm</type></os>{inner}</domain>"
    )


def domain(inner: str = "", **given: str) -> DomainXml:
    """The same, parsed."""
    return parse_domain(xml(inner, **given), "here")


COLUMNS: dict[str, Callable[[DomainXml], object]] = {
    "wrapped": lambda d: "yes" if d.wrapped else "no",
    "accel": lambda d: "kvm" if d.accel == "kvm" else f"not-kvm({d.type})",
    "arch": lambda d: d.arch,
    "machine": lambda d: d.machine,
    "cpu_mode": lambda d: d.cpu_mode,
    "vmx": lambda d: d.policy("vmx"),
    "svm": lambda d: d.policy("svm"),
    "nested_hv": lambda d: d.nested_hv,
    "hugepages": lambda d: "yes" if d.hugepages else "no",
    "impossible_vmx_and_svm": lambda d: "yes" if d.impossible_vmx_and_svm else "no",
    "vmx_sub_features": lambda d: len(d.vmx_sub_features),
}


@needs("expected_domains.csv")
def test_domains_of_real_systems() -> None:
    """Every field of every row of the table of domains from libvirt's own tests holds."""
    for row in rows("expected_domains.csv"):
        found = parse_domain((CORPUS / row["file"]).read_text(encoding="utf-8"), row["file"])
        assert {name: str(read(found)) for name, read in COLUMNS.items()} == {name: row[name] for name in COLUMNS}, row


def test_a_domain_is_parsed() -> None:
    """The fields that are always there, in the units that are promised."""
    found = domain("<memoryBacking><hugepages/></memoryBacking><devices><iommu model='intel'/></devices>")
    assert (found.name, found.type, found.accel, found.arch, found.machine) == (
        "l1",
        "kvm",
        "kvm",
        "x86_64",
        "pc-q35-8.0",
    )
    assert (found.uuid, found.memory_kib, found.vcpus) == ("c7a5fdbd-edaf-9455-926a-d65c16db1809", 2048, 4)
    assert (found.hugepages, found.iommu, found.nested_hv, found.cpu_elements) == (True, "intel", "absent", 0)
    assert domain().iommu is None
    assert domain(kind="qemu").accel == "tcg"


@pytest.mark.parametrize(
    "cpu, mode",
    [
        ("", "absent"),
        ("<cpu/>", "topology-only"),
        ("<cpu><topology sockets='1' cores='2' threads='1'/></cpu>", "topology-only"),
        ("<cpu match='exact'><model>qemu64</model></cpu>", "custom"),
        ("<cpu mode='host-model' check='partial'/>", "host-model"),
        ("<cpu mode='host-passthrough' migratable='on'/>", "host-passthrough"),
        ("<cpu mode='maximum'/>", "maximum"),
        ("<other><cpu mode='host-passthrough'/></other>", "absent"),
    ],
)
def test_cpu_modes(cpu: str, mode: str) -> None:
    """Of the <cpu> directly below <domain>; one that names a model without a mode is custom."""
    assert domain(cpu).cpu_mode == mode


def test_features_and_policies() -> None:
    """`require` where no policy is written; one that is named twice with different policies is unknown."""
    found = domain(
        "<cpu mode='custom'><model>X</model><feature name='vmx'/><feature policy='disable' name='vmx-ept'/></cpu>"
    )
    assert found.features == {"vmx": "require", "vmx-ept": "disable"}
    assert found.vmx_sub_features == {"vmx-ept"}
    assert (found.policy("svm"), found.demands("vmx"), found.declines("vmx-ept")) == ("absent", True, True)
    with pytest.raises(Unobservable, match="twice"):
        domain("<cpu><feature name='vmx'/><feature name='vmx' policy='disable'/></cpu>")


def test_both_extensions_at_once_are_impossible() -> None:
    """No processor has vmx and svm."""
    both = "<cpu mode='host-model'><feature policy='{}' name='vmx'/><feature policy='{}' name='svm'/></cpu>"
    assert domain(both.format("require", "force")).impossible_vmx_and_svm
    assert not domain(both.format("require", "optional")).impossible_vmx_and_svm
    assert not domain(both.format("disable", "require")).impossible_vmx_and_svm


@pytest.mark.parametrize(
    "cpu, expected",
    [
        ("<cpu mode='host-model'><model>power8</model></cpu>", True),
        ("<cpu mode='custom'><model>POWER8</model></cpu>", True),
        ("<cpu mode='host-model'><model>power9</model></cpu>", False),
        ("<cpu mode='host-passthrough'/>", False),
        ("", False),
    ],
)
def test_power8_compatibility(cpu: str, expected: bool) -> None:
    """By the model, or by an argument handed to QEMU directly."""
    assert domain(cpu, arch="ppc64le").power8_compat is expected
    qemu = (
        "<commandline xmlns='http://libvirt.org/schemas/domain/qemu/1.0'><arg value='-machine'/>"
        "<arg value='max-cpu-compat=power8'/></commandline>"
    )
    assert domain(cpu + qemu, arch="ppc64le").power8_compat


def test_wrapped_domains() -> None:
    """The status file of a running domain and a snapshot hold one; anything else does not."""
    assert parse_domain(f"<domstatus state='running'><x/>{xml()}</domstatus>", "s").wrapped
    assert parse_domain(f"<domainsnapshot>{xml()}</domainsnapshot>", "s").name == "l1"
    commented = f"<?xml version='1.0' encoding='UTF-8'?>\n<!-- WARNING -->\n{xml()}\n"
    assert parse_domain(commented, "s").name == "l1"
    for text in ("<network/>", "<capabilities><domain/></capabilities>", f"<domstatus/>{xml()}"):
        with pytest.raises(Unobservable):
            parse_domain(text, "s")


BOMB = (
    '<?xml version="1.0"?><!DOCTYPE domain [<!ENTITY a "aaaaaaaaaa">'
    + "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 9)).replace("&a0;", "&a;")
    + "]><domain type='kvm'><name>&a8;</name></domain>"
)


@pytest.mark.parametrize(
    "text",
    [
        BOMB,
        '<!DOCTYPE d [<!ENTITY x SYSTEM "file:///etc/passwd">]><domain type="kvm"><name>&x;</name></domain>',
        '<!DOCTYPE domain SYSTEM "http://192.0.2.1/x.dtd"><domain type="kvm"/>',
        "<domain type='kvm'>",
        "<domain type='kvm'><name>a\0b</name></domain>",
        "<?xml version='1.0' encoding='no-such'?><domain><name>\u00e9</domain>",
        "",
        "error: failed to get domain 'x'",
        "\ufffd\ufffd",
        "<a>" * 20_000,
    ],
    ids=["bomb", "external", "dtd", "open", "nul", "encoding", "empty", "error", "binary", "deep"],
)
def test_hostile_and_broken_xml_is_unknown(text: str) -> None:
    """In one line, without expanding anything."""
    with pytest.raises(Unobservable) as unknown:
        parse_domain(text, "here")
    assert "\n" not in str(unknown.value)
    assert len(str(unknown.value)) < 300


def test_odd_values_are_unknown() -> None:
    """A state that is neither on nor off, memory in an unknown unit, processors that are no number."""
    with pytest.raises(Unobservable):
        domain("<features><nested-hv state='maybe'/></features>")
    odd = parse_domain("<domain type='kvm'><memory unit='acres'>1</memory><vcpu>many</vcpu></domain>", "s")
    for name in ("memory_kib", "vcpus"):
        with pytest.raises(Unobservable):
            getattr(odd, name)


@given(st.text(alphabet="<>/='\" domaincpufetrlvx-&;![]\0\n", max_size=150))
@example("<domain/>")
@settings(max_examples=200)
def test_the_parser_never_crashes(text: str) -> None:
    """Any text is a domain or unknown."""
    try:
        found = parse_domain(text, "here")
    except Unobservable:
        return
    assert text.count("<domain") >= 1
    assert found.cpu_mode in {"absent", "topology-only", "custom"} or "mode" in text


def test_tables_of_virsh() -> None:
    """Both layouts, names with blanks and with words that are states, names longer than their column."""
    new = {row.name: (row.active, row.state) for row in parse_list(NEW_TABLE, "x")}
    assert new == {
        "rhel8-l1": (True, "running"),
        "two  words": (True, "paused"),
        "win 10 shut off": (False, "shut off"),
        "off": (False, "shut off"),
    }
    old = [(row.name, row.active, row.state) for row in parse_list(OLD_TABLE, "x")]
    assert old == [
        ("rhel8-l1", True, "running"),
        ("a-name-that-is-longer-than-its-column", False, "shut off"),
        ("dying", True, "in shutdown"),
    ]
    assert parse_list(" Id   Name   State\n--------------------\n\n", "x") == ()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "error: failed to connect to the hypervisor\nerror: no socket\n",
        "Usage:\n",
        "-bash: virsh: command not found",
    ],
)
def test_what_is_no_table_is_unknown(text: str) -> None:
    """No domains and no answer are two things."""
    with pytest.raises(Unobservable):
        parse_list(text, "x")


NAMES = st.text(alphabet="ab -.off", min_size=1, max_size=12).map(str.strip).filter(bool)


@given(st.lists(st.tuples(NAMES, st.sampled_from(["running", "shut off", "paused"])), max_size=4))
@settings(max_examples=100)
def test_a_table_that_is_written_is_read_back(domains: list[tuple[str, str]]) -> None:
    """Whatever the names are, in the layout of virsh with its columns as wide as needed."""
    width = max([len(name) for name, _ in domains] + [4])
    lines = [f" Id   {'Name':<{width}}   State", "-" * (width + 20)]
    lines += [
        f" {'-' if state == 'shut off' else number:<4} {name:<{width}}   {state}"
        for number, (name, state) in enumerate(domains, 1)
    ]
    found = [(row.name, row.state) for row in parse_list("\n".join(lines) + "\n\n", "x")]
    assert found == domains


def test_versions_of_virsh() -> None:
    """Of several generations; one that is not said is not made up."""
    text = "Compiled against library: libvirt 9.0.0\nUsing library: libvirt 8.10.1\nUsing API: QEMU 8.10.1\nRunning hypervisor: QEMU 7.2.0\n"
    assert parse_versions(text, "x").library == (8, 10, 1)
    assert parse_versions(text, "x").hypervisor == (7, 2, 0)
    assert (
        parse_versions("Using library: libvir 0.10.2\nCannot extract running QEMU hypervisor version\n", "x").hypervisor
        == ()
    )
    facts = Libvirt(reader({VERSION: "Using library: libvirt 8.0.0\n"}))
    assert facts.version == (8, 0, 0)
    with pytest.raises(Unobservable):
        _ = facts.qemu_version


@pytest.mark.skipif(VIRSH is None, reason="virsh is not installed")
def test_a_real_virsh_is_understood() -> None:
    """Its list, its versions and its XML, of libvirt's own test driver, which has one running domain called `test`."""

    def ask(*words: str) -> str:
        command = [str(VIRSH), "-c", "test:///default", *words]
        environment = {**os.environ, "LC_ALL": "C"}
        return subprocess.run(command, capture_output=True, text=True, check=True, env=environment, timeout=60).stdout

    sections: Sections = {LIST: ask("list", "--all"), f"{DUMP}test": ask("dumpxml", "test"), VERSION: ask("version")}
    facts = Libvirt(reader(sections))
    assert facts.version >= (1,)
    assert facts.running == {"test"}
    assert facts.domains["test"].state == "running"
    assert (facts.domains["test"].xml.name, facts.domains["test"].xml.type) == ("test", "test")
    assert facts.domains["test"].xml.memory_kib > 0


ROW = " Id   Name   State\n----------------------\n {id}    {name}   {state}\n\n"


def test_active_and_stored_definitions() -> None:
    """A running domain has both; what holds is the active one. One that does not run has what is stored."""
    sections: Sections = {
        LIST: ROW.format(id=1, name="l1", state="running"),
        f"{DUMP}l1": xml("<cpu mode='host-model'/>"),
        f"{DUMP_INACTIVE}l1": xml("<cpu mode='host-passthrough'/>"),
    }
    running = Libvirt(reader(sections)).domains["l1"]
    assert running.active is not None
    assert running.inactive is not None
    assert (running.running, running.xml.cpu_mode, running.inactive.cpu_mode) == (
        True,
        "host-model",
        "host-passthrough",
    )
    off = Libvirt(reader({**sections, LIST: ROW.format(id="-", name="l1", state="shut off")})).domains["l1"]
    assert off.active is None
    assert (off.running, off.xml.cpu_mode) == (False, "host-passthrough")


REAL = Path(__file__).parent / "data" / "libvirt-9.0.0"


def real(defined: str) -> tuple[DomainXml, DomainXml]:
    """The active and the stored definition of a running domain, as libvirt 9.0.0 printed them on an EPYC."""
    sections: Sections = {
        LIST: ROW.format(id=1, name="l1", state="running"),
        f"{DUMP}l1": (REAL / f"{defined}.active.xml").read_text(encoding="utf-8"),
        f"{DUMP_INACTIVE}l1": (REAL / f"{defined}.inactive.xml").read_text(encoding="utf-8"),
    }
    found = Libvirt(reader(sections)).domains["l1"]
    assert found.xml is found.active
    assert found.active is not None
    assert found.inactive is not None
    return found.active, found.inactive


@pytest.mark.parametrize("defined", ["host-passthrough", "host-model", "no-cpu"])
def test_a_real_domain_is_the_same_machine_running_and_stored(defined: str) -> None:
    """What no start changes is read alike from both, and neither stands inside another element."""
    for found in real(defined):
        assert (found.name, found.type, found.arch, found.machine) == ("l1", "kvm", "x86_64", "pc-q35-7.2")
        assert (found.wrapped, found.cpu_elements, found.memory_kib, found.vcpus) == (False, 1, 768 * 1024, 1)
        assert (found.iommu, found.hugepages, found.nested_hv) == (None, False, "absent")
        assert (found.qemu_arguments, found.vmx_sub_features, found.power8_compat) == ((), frozenset(), False)
    active, stored = real(defined)
    assert active.uuid == stored.uuid


def test_a_real_host_passthrough_stays_what_it_is() -> None:
    """Added by libvirt are check and migratable; the start changes nothing."""
    for found in real("host-passthrough"):
        assert (found.cpu_mode, found.cpu_check, found.cpu_model, dict(found.features)) == (
            "host-passthrough",
            "none",
            "",
            {},
        )


def test_a_real_host_model_becomes_a_model_without_svm() -> None:
    """The EPYC of libvirt has svm, so it asks QEMU for none; QEMU leaves it out, and libvirt writes that down."""
    active, stored = real("host-model")
    assert (stored.cpu_mode, stored.cpu_check, stored.cpu_model, dict(stored.features)) == (
        "host-model",
        "partial",
        "",
        {},
    )
    assert (active.cpu_mode, active.cpu_check, active.cpu_model) == ("custom", "full", "EPYC")
    assert (active.policy("svm"), active.policy("npt"), active.policy("vmx")) == ("disable", "disable", "absent")
    assert active.declines("svm")
    assert not active.demands("svm")
    assert (active.policy("x2apic"), len(active.features)) == ("require", 25)


def test_a_real_domain_without_a_cpu_is_stored_with_one() -> None:
    """QEMU's default is written into what libvirt stores: nobody finds a domain without <cpu> any more."""
    active, stored = real("no-cpu")
    assert (stored.cpu_mode, stored.cpu_check, stored.cpu_model, dict(stored.features)) == (
        "custom",
        "none",
        "qemu64",
        {},
    )
    assert (active.cpu_mode, active.cpu_check, active.cpu_model) == ("custom", "full", "qemu64")
    assert dict(active.features) == {
        "x2apic": "require",
        "hypervisor": "require",
        "lahf_lm": "require",
        "svm": "disable",
    }


@pytest.mark.parametrize("word", DomainState)
def test_only_a_domain_that_executes_runs(word: DomainState) -> None:
    """A paused domain has a process and does not run; of one without a state it is not known."""
    facts = Libvirt(reader({LIST: ROW.format(id=3, name="l1", state=word)}))
    assert facts.domains["l1"].has_process
    if word is DomainState.NO_STATE:
        with pytest.raises(Unobservable, match="no state"):
            _ = facts.running
    else:
        assert facts.running == ({"l1"} if word in {DomainState.RUNNING, DomainState.IDLE} else set())
    with pytest.raises(Unobservable, match="not collected"):
        _ = facts.domains["l1"].xml


@pytest.mark.parametrize(
    "section, why",
    [
        (Section(LIST, Status.MISSING, error="virsh is not there"), "virsh is not there"),
        (Section(LIST, Status.MISSING), "not installed"),
        (Section(LIST, Status.FAILED, b"error: failed to connect to the hypervisor\n"), "failed to connect"),
        (Section(LIST, Status.OK, b"error: failed to connect to the hypervisor\n"), "failed to connect"),
        (Section(LIST, Status.CUT, b" Id   Name   State\n"), "cut off"),
    ],
)
def test_libvirt_that_does_not_answer(section: Section, why: str) -> None:
    """The reason is its own message, whether or not the exit code was kept."""
    facts = Libvirt(Reader("here", 0, Snapshot({LIST: section})))
    for name in ("domains", "running"):
        with pytest.raises(Unobservable, match=why):
            getattr(facts, name)


def test_what_is_unknown_of_a_guest_names_the_host_that_did_not_tell() -> None:
    """A person reads it under the guest's name, and would look for virsh there."""
    chain = intel_chain()
    l1 = machines((chain[0].having({LIST: Status.MISSING}), *chain[1:]))[1]
    with pytest.raises(Unobservable, match="on L0: "):
        _ = l1.domain.running


def test_definitions_of_a_sosreport() -> None:
    """/etc/libvirt/qemu has stored ones, networks are none; without a list, nobody knows what runs."""
    facts = Libvirt(reader({"etc/libvirt/qemu/l1.xml": xml(), "etc/libvirt/qemu/networks/default.xml": "<network/>"}))
    assert list(facts.domains) == ["l1"]
    known = facts.domains["l1"]
    assert known.inactive is not None
    for name in ("running", "active", "xml", "state"):
        with pytest.raises(Unobservable):
            getattr(known, name)


def test_names_that_sosreport_mangled() -> None:
    """The name inside the XML finds the domain; where that cannot be read, the mangled file name says why."""
    table = ROW.format(id=1, name="my vm (a)", state="running")
    found = Libvirt(reader({LIST: table, f"{DUMP}my_vm_a": xml(name="my vm (a)")})).domains["my vm (a)"]
    assert found.xml.name == "my vm (a)"
    broken = Libvirt(reader({LIST: table, f"{DUMP}my_vm_a": "<domain>"})).domains["my vm (a)"]
    with pytest.raises(Unobservable, match="not well-formed"):
        _ = broken.xml


def argv(*arguments: str, binary: str = "/usr/bin/qemu-system-x86_64") -> QemuProcess:
    """A QEMU that was started with these arguments."""
    return parse_argv(7, "\n".join((binary, *arguments)) + "\n")


@pytest.mark.parametrize(
    "arguments, expected",
    [
        (("-accel", "kvm"), "kvm"),
        (("--accel", "tcg,thread=multi"), "tcg"),
        (("-machine", "pc-q35-6.2,accel=kvm,usb=off"), "kvm"),
        (("-M", "pc,accel=tcg"), "tcg"),
        (("-enable-kvm",), "kvm"),
        (("-enable-kvm", "-machine", "pc,accel=kvm"), "kvm"),
        (("-machine", "accel=tcg", "-machine", "accel=kvm"), "kvm"),
        ((), "tcg"),
        (("-name", "-enable-kvm"), "tcg"),
        (("-machine", "pc,accel=kvm:tcg"), None),
        (("-accel", "kvm", "-accel", "tcg"), None),
        (("-enable-kvm", "-machine", "accel=tcg"), "tcg"),
        (("-readconfig", "x.cfg"), None),
    ],
)
def test_accelerators_of_qemu(arguments: tuple[str, ...], expected: str | None) -> None:
    """One that is named, TCG where none is; a choice left to QEMU is unknown."""
    if expected:
        assert argv(*arguments).accel == expected
    else:
        with pytest.raises(Unobservable):
            _ = argv(*arguments).accel


@pytest.mark.parametrize("binary", ["/usr/libexec/qemu-kvm", "/usr/bin/kvm", "", "qemu"])
def test_the_default_of_other_binaries_is_unknown(binary: str) -> None:
    """It depends on how the distribution built them; what is written decides all the same."""
    with pytest.raises(Unobservable):
        _ = argv("-m", "1G", binary=binary).accel
    assert argv("-accel", "kvm", binary="/usr/libexec/qemu-kvm").accel == "kvm"


def test_machine_options_and_names() -> None:
    """-machine is merged, -name has the guest with and without a key, `,,` is a comma."""
    process = argv(
        "-name", "guest=a,,b,debug-threads=on", "-machine", "pseries,accel=kvm", "-machine", "cap-nested-hv=on"
    )
    assert process.name == "a,b"
    assert process.machine_options == {"type": "pseries", "accel": "kvm", "cap-nested-hv": "on"}
    assert argv("-name", "plain,process=x").name == "plain"
    assert argv().name == ""
    assert process.values("cpu") == ()
    assert split_options("host,migratable=on,+vmx", "model") == {"model": "host", "migratable": "on", "+vmx": ""}
    assert argv("-machine", "pseries,max-cpu-compat=power8").power8_compat
    assert argv("-cpu", "host,compat=power8").power8_compat
    assert not argv("-machine", "pseries,max-cpu-compat=power9", "-cpu", "host").power8_compat


@given(st.lists(st.text(alphabet="-acelmhinkvtg=,:. ", max_size=14), max_size=6))
@settings(max_examples=150)
def test_command_lines_never_crash(arguments: list[str]) -> None:
    """Any command line has an accelerator that it names, TCG, or an unknown one."""
    process = argv(*arguments)
    try:
        found = process.accel
    except Unobservable:
        return
    assert found in {"tcg", "kvm"} or any(found in argument for argument in arguments)


def test_processes() -> None:
    """By process id; one that ended in between is none, one that may not be looked at makes the list unknown."""
    listed: Sections = {"nestvirt/qemu/": "20\n3\n", "nestvirt/qemu/3": "qemu-system-x86_64\n-accel\nkvm\n"}
    assert [p.pid for p in Qemu(reader({**listed, "nestvirt/qemu/20": Status.MISSING})).processes] == [3]
    assert Qemu(reader({"nestvirt/qemu/": ""})).processes == ()
    for sections in ({**listed, "nestvirt/qemu/20": Status.DENIED}, {"nestvirt/qemu/": Status.DENIED}, {}):
        with pytest.raises(Unobservable):
            _ = Qemu(reader(sections)).processes
