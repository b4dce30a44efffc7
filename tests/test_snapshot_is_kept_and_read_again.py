"""A snapshot that was saved is the same when it is loaded, and appears whole or not at all."""

from __future__ import annotations

import json
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from probe_transports import ShellTransport, host

from pytest_nestvirt.collect.look import Collected
from pytest_nestvirt.collect.probe import collect
from pytest_nestvirt.collect.wire import pack, unpack
from pytest_nestvirt.inventory.host import Connection, Deadlines, SshAccess
from pytest_nestvirt.snapshot.archive import file_of, load, save
from pytest_nestvirt.snapshot.sections import FIXED
from pytest_nestvirt.snapshot.snapshot import Origin, Section, Snapshot, SnapshotError, Status

FORMS = ("host", "host.tar", "host.tar.gz", "host.tar.xz")

nasty_names = st.one_of(
    st.sampled_from(
        (
            "../../etc/passwd",
            "/etc/passwd",
            "etc/modprobe.d/../../x.conf",
            "etc/modprobe.d/.nestvirt-listing",
            "etc/modprobe.d/",
            "etc/modprobe.d/a%b.conf",
            "sys/module/kvm",
            "sys/module/kvm/parameters/nested",
            "nestvirt-snapshot.json",
            "nestvirt/other/x",
            "nestvirt/qemu",
            "nestvirt/qemu/",
            "nestvirt/qemu/1",
            "sos_commands/virsh/virsh_-r_dumpxml_" + "n" * 400,
            "proc/cpuinfo",
            "proc/cpuinfo/x",
        )
    ),
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20),
    st.text("./a\n%\0", min_size=1, max_size=12).map(lambda name: "etc/modprobe.d/" + name),
)


@st.composite
def sections(draw: st.DrawFn) -> dict[str, Section]:
    """Sections of any name, with data where their status has some."""
    found = {}
    for name in draw(st.sets(nasty_names, max_size=8)):
        status = draw(st.sampled_from(list(Status)))
        data = draw(st.binary(max_size=40)) if status in {Status.OK, Status.TRUNCATED, Status.CUT} else b""
        found[name] = Section(name, status, data, draw(st.none() | st.integers(0, 255)), draw(st.text(max_size=10)))
    return found


@pytest.mark.parametrize("form", FORMS)
def test_a_real_machine_survives_the_round_trip(tmp_path: Path, form: str) -> None:
    """What was collected here is loaded as it was, section by section."""
    snapshot = collect(ShellTransport(["sh"]), host())
    save(snapshot, tmp_path / form)
    loaded = load(tmp_path / form)
    assert dict(loaded.sections) == dict(snapshot.sections)
    assert (loaded.collected_at, loaded.probe_version, loaded.note) == (
        snapshot.collected_at,
        snapshot.probe_version,
        snapshot.note,
    )
    assert loaded.origin is (Origin.DIRECTORY if form == "host" else Origin.ARCHIVE)
    assert loaded.where == f"{tmp_path / form} (taken from this machine)"


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(sections(), st.sampled_from(FORMS[:2]))
def test_names_from_hostile_hosts_neither_escape_nor_collide(
    tmp_path: Path, found: dict[str, Section], form: str
) -> None:
    """Whatever sections are called, each comes back as it was and nothing is written outside the target."""
    inside = tmp_path / "inside"
    inside.mkdir(exist_ok=True)
    save(Snapshot(found), inside / form, overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["inside"]
    assert {path.name for path in inside.iterdir()} <= set(FORMS)
    if found:
        assert dict(load(inside / form).sections) == found


@given(st.lists(nasty_names, min_size=2, max_size=2, unique=True))
def test_two_sections_never_share_a_file(names: list[str]) -> None:
    """Different names have different files, all of them plain relative paths."""
    first, second = map(file_of, names)
    assert first != second
    for path in (first, second):
        assert not path.startswith("/")
        assert not {"", ".", ".."} & set(path.split("/"))
        assert all(len(part) <= 255 for part in path.split("/"))


def test_the_layout_is_the_real_paths(tmp_path: Path) -> None:
    """A saved snapshot looks like the machine's own file system."""
    names = ("proc/cpuinfo", "sys/module/kvm_intel/parameters/nested", "sos_commands/virsh/virsh_-r_dumpxml_my vm")
    found = {name: Section(name, data=b"x\n") for name in names}
    found["sys/module/kvm_amd"] = Section("sys/module/kvm_amd")
    found["etc/modprobe.d/"] = Section("etc/modprobe.d/", data=b"kvm.conf\n")
    save(Snapshot(found), tmp_path / "host")
    assert all((tmp_path / "host" / name).read_bytes() == b"x\n" for name in names)
    assert (tmp_path / "host/sys/module/kvm_amd").is_dir()
    assert (tmp_path / "host/etc/modprobe.d/.nestvirt-listing").read_bytes() == b"kvm.conf\n"


@pytest.mark.parametrize("form", FORMS)
def test_nothing_is_overwritten_unless_allowed(tmp_path: Path, form: str) -> None:
    """A snapshot that is there already stays, or is replaced whole where that is wanted."""
    old = Snapshot({"proc/uptime": Section("proc/uptime", data=b"old")})
    new = Snapshot({"proc/version": Section("proc/version", data=b"new")})
    save(old, tmp_path / form)
    with pytest.raises(SnapshotError, match="already exists"):
        save(new, tmp_path / form)
    assert list(load(tmp_path / form).sections) == ["proc/uptime"]
    save(new, tmp_path / form, overwrite=True)
    assert list(load(tmp_path / form).sections) == ["proc/version"]
    assert [path.name for path in tmp_path.iterdir()] == [form]


@pytest.mark.parametrize("form", FORMS[:2])
def test_what_is_no_snapshot_is_never_replaced(tmp_path: Path, form: str) -> None:
    """`overwrite` does not delete a directory of other things."""
    (tmp_path / form / "thesis").mkdir(parents=True)
    with pytest.raises(SnapshotError, match="is not a snapshot of that kind"):
        save(Snapshot({"proc/uptime": Section("proc/uptime")}), tmp_path / form, overwrite=True)
    assert (tmp_path / form / "thesis").is_dir()


@pytest.mark.parametrize("form", FORMS)
def test_an_interrupted_save_leaves_nothing(tmp_path: Path, form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where saving fails half-way there is neither a snapshot nor a part of one."""

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tarfile.TarFile, "addfile", full)
    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(SnapshotError, match="No space left on device"):
        save(Snapshot({"proc/uptime": Section("proc/uptime", data=b"1")}), tmp_path / form)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_parent_is_one_line(tmp_path: Path) -> None:
    """Saving into a directory that is not there says so."""
    with pytest.raises(SnapshotError, match="cannot be written: No such file or directory"):
        save(Snapshot({"proc/uptime": Section("proc/uptime")}), tmp_path / "gone" / "host")


def write(root: Path, **files: str) -> Path:
    """A tree by hand; `__` in a name stands for a slash."""
    for name, text in files.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def index(root: Path, **document: object) -> None:
    """An index by hand."""
    (root / "nestvirt-snapshot.json").write_text(json.dumps({"format": 1, **document}))


def test_a_plain_tree_tells_only_what_is_in_it(tmp_path: Path) -> None:
    """A tree with one file is a snapshot of one section; nothing else is called missing."""
    write(tmp_path, proc__cpuinfo="processor : 0\n")
    snapshot = load(tmp_path)
    assert dict(snapshot.sections) == {"proc/cpuinfo": Section("proc/cpuinfo", data=b"processor : 0\n")}
    assert (snapshot.origin, snapshot.where) == (Origin.DIRECTORY, str(tmp_path))


def test_directories_of_a_plain_tree_are_listings(tmp_path: Path) -> None:
    """Directories that were copied are listed from what they hold; loaded modules are those with a folder."""
    write(tmp_path, sys__firmware__acpi__tables__DMAR="x", sys__module__kvm_intel__parameters__nested="Y\n")
    (tmp_path / "sys/kernel/iommu_groups").mkdir(parents=True)
    found = load(tmp_path).sections
    assert found["sys/firmware/acpi/tables/"].data == b"DMAR\n"
    assert found["sys/kernel/iommu_groups/"].data == b""
    assert found["sys/module/kvm_intel"].status is Status.OK
    assert "sys/module/kvm_amd" not in found
    assert "sys/firmware/efi/" not in found


def test_a_complete_tree_says_what_is_missing(tmp_path: Path) -> None:
    """By `complete`, what the probe would have asked for and the tree lacks is missing, not unasked."""
    write(tmp_path, proc__cpuinfo="x", sys__module__kvm__parameters__halt_poll_ns="1")
    index(tmp_path, complete=True, denied={"sys/class/dmi/id/product_uuid": "Permission denied"})
    found = load(tmp_path).sections
    assert set(FIXED) <= set(found)
    assert found["sys/module/kvm"].status is Status.OK
    assert found["sys/module/kvm_intel"].status is Status.MISSING
    assert found["dev/kvm"].status is Status.MISSING
    assert found["nestvirt/qemu/"] == Section("nestvirt/qemu/")
    uuid = found["sys/class/dmi/id/product_uuid"]
    assert (uuid.status, uuid.error) == (Status.DENIED, "Permission denied")


def test_a_windows_tree_lacks_nothing_that_windows_has_not(tmp_path: Path) -> None:
    """A complete Windows machine was never asked for /proc, so nothing follows from its absence."""
    write(tmp_path, nestvirt__windows__operating_system_json="{}")
    (tmp_path / "nestvirt/windows/operating_system_json").rename(tmp_path / "nestvirt/windows/operating_system.json")
    index(tmp_path, complete=True)
    assert list(load(tmp_path).sections) == ["nestvirt/windows/operating_system.json"]


def test_stated_absences_need_no_complete_tree(tmp_path: Path) -> None:
    """An index may say of single sections how they were found."""
    write(tmp_path, proc__cpuinfo="x")
    index(tmp_path, missing=["dev/kvm"], failed={"sos_commands/virsh/virsh_-r_version": "error: no"})
    found = load(tmp_path).sections
    assert {name: section.status for name, section in found.items()} == {
        "proc/cpuinfo": Status.OK,
        "dev/kvm": Status.MISSING,
        "sos_commands/virsh/virsh_-r_version": Status.FAILED,
    }


@pytest.mark.parametrize(
    "text, complaint",
    [
        ("{", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("[]", "the document is not an object"),
        ('{"format": 2}', "has format 2; this version reads format 1"),
        ("{}", "has format 0"),
        ('{"format": true}', "format is True; expected a whole number"),
        ('{"format": 1, "missing": "dev/kvm"}', "missing is 'dev/kvm'; expected a list of strings"),
        ('{"format": 1, "missing": [1]}', "missing is not a list of strings"),
        ('{"format": 1, "complete": "yes"}', "complete is 'yes'; expected true or false"),
        ('{"format": 1, "sections": {"a": {"status": "fine"}}}', "sections.a.status is 'fine'; expected one of ok"),
        ('{"format": 1, "sections": {"a": {"status": "ok", "file": "x"}}}', "x is missing"),
        ('{"format": 1, "sections": {"a": {"status": "ok", "file": "../../etc/passwd"}}}', "leads out"),
        ('{"format": 1, "denied": {"a": 1}}', "denied.a is 1; expected a string"),
    ],
)
def test_a_wrong_index_is_one_clear_line(tmp_path: Path, text: str, complaint: str) -> None:
    """A mistake in an index is named with the key and what was expected."""
    (tmp_path / "nestvirt-snapshot.json").write_text(text)
    with pytest.raises(SnapshotError) as raised:
        load(tmp_path)
    assert complaint in str(raised.value)
    assert str(raised.value).startswith(str(tmp_path))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("what", ["gone", "empty"])
def test_nothing_is_no_snapshot(tmp_path: Path, what: str) -> None:
    """A path that does not exist, or holds nothing of use, is refused with a hint."""
    (tmp_path / "empty").mkdir()
    with pytest.raises(SnapshotError, match=r"No such file|contains nothing of a snapshot; expected proc/cpuinfo"):
        load(tmp_path / what)


def test_links_out_of_a_directory_are_not_followed(tmp_path: Path) -> None:
    """A link that leads out of the tree is a section that failed."""
    (tmp_path / "secret").write_text("secret")
    tree = write(tmp_path / "tree", proc__version="x")
    for target in ("../../secret", str(tmp_path / "secret")):
        (tree / "proc/cpuinfo").unlink(missing_ok=True)
        (tree / "proc/cpuinfo").symlink_to(target)
        section = load(tree).sections["proc/cpuinfo"]
        assert (section.status, section.data) == (Status.FAILED, b"")


def test_links_inside_a_directory_are_followed(tmp_path: Path) -> None:
    """Merged directories and links between files read as on the machine; a circle cannot be read."""
    tree = write(tmp_path, usr__lib__os_release="ID=rhel\n")
    (tree / "usr/lib/os_release").rename(tree / "usr/lib/os-release")
    (tree / "usr/lib/modprobe.d").mkdir()
    (tree / "usr/lib/modprobe.d/kvm.conf").write_text("options kvm nested=1\n")
    (tree / "lib").symlink_to("usr/lib")
    (tree / "etc").mkdir()
    (tree / "etc/os-release").symlink_to("../usr/lib/os-release")
    (tree / "etc/redhat-release").symlink_to("redhat-release")
    found = load(tree).sections
    assert found["etc/os-release"].text == "ID=rhel\n"
    assert found["lib/modprobe.d/"].text == "kvm.conf\n"
    assert found["lib/modprobe.d/kvm.conf"].text == "options kvm nested=1\n"
    assert found["etc/redhat-release"].error == "etc/redhat-release is a link that leads back to itself"


def test_workers_get_what_the_controller_collected() -> None:
    """Everything about every host survives the way to another process, bytes and odd names included."""
    data = bytes(range(256))
    snapshot = Snapshot(
        {"proc/cpuinfo": Section("proc/cpuinfo", Status.TRUNCATED, data, 3, "é\u2028")}, Origin.SSH, "w", "t", "1", "n"
    )
    access = SshAccess(address="192.0.2.1", known_hosts=(Path("/k"),), identity=Path("/i"))
    one = host("a", ssh=access, deadlines=Deadlines(command=1.5), expendable=True)
    fleet = {
        "a": Collected(one, snapshot, "", 0.25, "root@192.0.2.1"),
        "b": Collected(replace(one, name="b", connection=Connection.NONE), None, "b: gone", 0.0, "", unreachable=True),
    }
    assert unpack(pack(fleet)) == fleet


def test_an_archive_without_index_is_a_plain_tree(tmp_path: Path) -> None:
    """A tar of a few files is what the same files in a directory are."""
    tree = write(tmp_path / "tree", proc__cpuinfo="x\n")
    with tarfile.open(tmp_path / "t.tar.gz", "w:gz") as packed:
        packed.add(tree, arcname=".")
    assert dict(load(tmp_path / "t.tar.gz").sections) == dict(load(tree).sections)


@pytest.mark.parametrize(
    "name, refused",
    [
        ("etc/modprobe.d/zz.conf", True),
        ("sos_commands/virsh/virsh_-r_dumpxml_L2", True),
        ("proc/cmdline", True),
        ("notes.txt", False),
        ("home/me/zz.conf", False),
    ],
)
def test_a_file_that_was_added_to_a_saved_snapshot_is_not_left_out_silently(
    tmp_path: Path, name: str, refused: bool
) -> None:
    """In the place of a section it would count if its index named it; anywhere else it is no part of the record."""
    save(Snapshot({"etc/modprobe.d/": Section("etc/modprobe.d/", data=b"kvm.conf\n")}), tmp_path / "kept")
    file = tmp_path / "kept" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("options kvm_intel nested=0\n")
    if refused:
        with pytest.raises(SnapshotError, match=f"{name} is there, and nestvirt-snapshot.json does not name it"):
            load(tmp_path / "kept")
    else:
        assert set(load(tmp_path / "kept").sections) == {"etc/modprobe.d/"}
