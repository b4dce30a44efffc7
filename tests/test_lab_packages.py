"""What labs are made of: fetched by an apt that only we tell what to do, equal whoever makes it, there for who uses it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from pytest_nestvirt.lab.image.disk import write_disk
from pytest_nestvirt.lab.image.kernel_image import BASE, DISK, USERLAND, Recipe, build, unpack
from pytest_nestvirt.lab.locking import alone
from pytest_nestvirt.lab.packages import apt, doctor, store
from pytest_nestvirt.lab.packages.apt import Apt, Mirrors, Package
from pytest_nestvirt.lab.packages.apt_settings import carried_over, of_system, settings
from pytest_nestvirt.lab.packages.store import Order, obtain
from pytest_nestvirt.lab.places import cache_directory, state_directory
from pytest_nestvirt.lab.problem import LabError

HOSTILE = """
Acquire::AllowInsecureRepositories "true";
Acquire::AllowWeakRepositories "true";
APT::Get::AllowUnauthenticated "true";
APT::Update::Pre-Invoke { "touch RAN"; };
Dir::Cache::archives "/nowhere";
Acquire::http::Proxy "http://proxy:3128";
"""
needs_debian = pytest.mark.skipif(bool(doctor._lacking_to_make()), reason="this system can't unpack Debian's packages")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user with an empty cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path


# ---- apt


@needs_debian
def test_apt_does_what_we_say_and_nothing_else(tmp_path: Path) -> None:
    """What is in force when our apt runs: signatures are checked, no command is run, nothing of the system is read."""
    (tmp_path / "apt.conf").write_text(settings(tmp_path, "arm64", of_system()))
    environment = {**os.environ, "APT_CONFIG": str(tmp_path / "apt.conf")}
    dump = subprocess.run(["apt-config", "dump"], env=environment, capture_output=True, text=True, check=True).stdout
    assert f'Dir::Cache::archives "{tmp_path}/archives";' in dump
    assert "Invoke" not in dump
    assert "Pre-Install-Pkgs" not in dump
    for name in ("AllowInsecureRepositories", "AllowWeakRepositories", "AllowDowngradeToInsecureRepositories"):
        assert f'Acquire::{name} "false";' in dump
    assert 'APT::Get::AllowUnauthenticated "false";' in dump


def test_only_the_way_into_the_network_is_carried_over() -> None:
    """Proxies, certificates and how old an index may be; nothing that decides what is trusted, run or written."""
    network = [
        'Acquire::http::Proxy "http://proxy:3128";',
        'Acquire::http::Proxy::deb.debian.org "DIRECT";',
        'Acquire::http::Proxy-Auto-Detect "/usr/bin/find-proxy";',
        'Acquire::https::CaInfo "/etc/ssl/ours.pem";',
        'Acquire::Check-Valid-Until "false";',
    ]
    other = [
        'Acquire::AllowInsecureRepositories "true";',
        'APT::Update::Post-Invoke:: "/bin/touch /tmp/x";',
        'Dir::Cache::archives "/nowhere";',
        'Acquire::gpgv::Options:: "--ignore-time-conflict";',
    ]
    assert carried_over("\n".join([*other, *network, *other])) == network


def unsigned(directory: Path) -> Mirrors:
    """Repositories whose Release files nobody has signed."""
    for suite in ("bookworm", "bookworm-security"):
        release = directory / f"dists/{suite}/Release"
        release.parent.mkdir(parents=True)
        release.write_text(
            f"Origin: Debian\nSuite: {suite}\nCodename: {suite}\nArchitectures: amd64\nComponents: main\n"
        )
    return Mirrors(f"file:{directory}", f"file:{directory}")


@needs_debian
def test_unsigned_repository_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even where the user's own configuration of apt would take it."""
    (tmp_path / "hostile.conf").write_text(HOSTILE.replace("RAN", str(tmp_path / "ran")))
    monkeypatch.setenv("APT_CONFIG", str(tmp_path / "hostile.conf"))
    with pytest.raises(LabError, match=r"(?s)not signed.*is /.*keyring.gpg up to date"):
        Apt(tmp_path / "apt", "bookworm", "amd64", unsigned(tmp_path / "mirror")).update()
    assert not (tmp_path / "ran").exists()


@needs_debian
def test_configuration_of_the_system_can_not_have_it_accepted(tmp_path: Path) -> None:
    """A hostile /etc/apt/apt.conf.d, laid over the real one for this test's processes alone."""
    parts = tmp_path / "apt.conf.d"
    parts.mkdir()
    (parts / "99hostile").write_text(HOSTILE.replace("RAN", str(tmp_path / "ran")))
    script = (
        "import sys; from pathlib import Path; from pytest_nestvirt.lab.packages.apt import Apt, Mirrors\n"
        "from pytest_nestvirt.lab.problem import LabError\n"
        "where = Path(sys.argv[1]); uri = f'file:{where}/mirror'\n"
        "try: Apt(where / 'apt', 'bookworm', 'amd64', Mirrors(uri, uri)).update()\n"
        "except LabError as error: print('refused', error)\n"
    )
    unsigned(tmp_path / "mirror")
    mount = f"mount --bind '{parts}' /etc/apt/apt.conf.d && exec \"$@\""
    words = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mount, "sh"]
    if shutil.which("unshare") is None or subprocess.run([*words, "true"], capture_output=True, check=False).returncode:
        pytest.skip("no mount namespaces here")
    done = subprocess.run([*words, sys.executable, "-c", script, tmp_path], capture_output=True, text=True, check=False)
    assert "refused" in done.stdout, done.stdout + done.stderr
    assert not (tmp_path / "ran").exists()
    assert 'Acquire::http::Proxy "http://proxy:3128";' in (tmp_path / "apt/apt.conf").read_text()
    assert (tmp_path / "apt/apt.conf").stat().st_mode & 0o077 == 0, "proxies may be told with a password"


@pytest.mark.parametrize(
    "complaint, remedy",
    [
        ("E: Could not get lock /x/lists/lock. It is held by process 7 (apt-get)", "`nestvirt lab down` ends"),
        ("E: Failed to fetch http://deb.debian.org/x  Temporary failure resolving 'deb.debian.org'", "http_proxy"),
        ("E: Release file for http://x/InRelease is not valid yet (invalid for another 2h)", "clock"),
        ("E: Failed to fetch http://x/y  Hash Sum mismatch", "try again later"),
    ],
)
def test_complaints_of_apt_come_with_what_may_help(complaint: str, remedy: str) -> None:
    """In the same line."""
    reason = apt._reason(f"W: first\n{complaint}\nE: Some index files failed to download.")
    assert reason.startswith(complaint.replace("  ", " "))
    assert remedy in reason
    assert "\n" not in reason


def stand_in(directory: Path, monkeypatch: pytest.MonkeyPatch, **scripts: str) -> None:
    """Shell scripts in the place of the programs that labs are made by; no other is found."""
    (directory / "bin").mkdir()
    for name, script in scripts.items():
        file = directory / "bin" / name.replace("_", "-")
        file.write_text(f"#!/bin/sh\nPATH={os.environ['PATH']}\n{script}\n")
        file.chmod(0o755)
    monkeypatch.setattr(doctor, "_PATH", str(directory / "bin"))


def test_slow_download_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long it takes, as long as something comes in."""
    monkeypatch.setattr(apt, "_STILL_SECONDS", 1.0)
    monkeypatch.setattr(apt, "_LOOK_SECONDS", 0.1)
    drip = "for _ in 1 2 3 4 5 6 7 8; do sleep 0.3; echo x >>lists/partial/index; done"
    stand_in(tmp_path, monkeypatch, apt_get=drip, apt_config=":")
    Apt(tmp_path / "apt", "bookworm", "amd64").update()


def test_download_that_stands_still_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the program is ended; one line says what may help."""
    monkeypatch.setattr(apt, "_STILL_SECONDS", 0.3)
    monkeypatch.setattr(apt, "_LOOK_SECONDS", 0.1)
    stand_in(tmp_path, monkeypatch, apt_get="echo $$ >pid; exec sleep 60 >&- 2>&-", apt_config=":")
    with pytest.raises(
        LabError, match="bookworm/amd64 has fetched nothing for 0 s; is there a network, and is the proxy"
    ):
        Apt(tmp_path / "apt", "bookworm", "amd64").update()
    assert not Path("/proc", (tmp_path / "apt/pid").read_text().strip()).exists()


# ---- places


@pytest.mark.parametrize("character", [":", ";", "$", '"', "\\", "=", "\n", "\udcff"])
def test_cache_where_an_emulator_would_not_find_its_libraries_is_refused(
    character: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The dynamic linker splits its path there, and would silently take the system's libraries."""
    monkeypatch.setenv("XDG_CACHE_HOME", f"/tmp/a{character}b")
    with pytest.raises(LabError, match="set XDG_CACHE_HOME to another directory") as refused:
        cache_directory()
    assert "\n" not in str(refused.value)
    str(refused.value).encode()


@pytest.mark.parametrize("character", [",", "%", "$", '"', "\\", "\n"])
def test_state_that_pytest_or_ssh_would_not_find_is_refused(character: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """--hosts is split at commas, and ssh_config has characters of its own."""
    monkeypatch.setenv("XDG_STATE_HOME", f"/tmp/a{character}b")
    with pytest.raises(LabError, match="set XDG_STATE_HOME to another directory"):
        state_directory()


def test_other_names_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spaces, umlauts, commas in the cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", "/tmp/a b,ü%")
    monkeypatch.setenv("XDG_STATE_HOME", "/tmp/a b:ü;")
    assert cache_directory() == Path("/tmp/a b,ü%/pytest-nestvirt/lab")
    assert state_directory() == Path("/tmp/a b:ü;/pytest-nestvirt/labs")


def test_user_without_a_home_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody whom the system has never heard of, as containers have them."""
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr("os.getuid", lambda: 3_000_000_000)
    with pytest.raises(LabError, match="no home directory; set XDG_CACHE_HOME"):
        cache_directory()


# ---- images and toolboxes


def package(directory: Path, name: str, files: dict[str, tuple[str, int]]) -> Path:
    """A package file with these files: path -> contents, mode."""
    tree = directory / name
    for path, (contents, mode) in {"DEBIAN/control": (CONTROL.format(name), 0o644), **files}.items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_text(contents)
        (tree / path).chmod(mode)
    for made_path in tree.rglob("*"):
        if made_path.is_dir():
            made_path.chmod(0o755)
    made = directory / f"{name}_1_all.deb"
    subprocess.run(["dpkg-deb", "--root-owner-group", "-b", tree, made], check=True, capture_output=True)
    return made


CONTROL = "Package: {}\nVersion: 1\nArchitecture: all\nMaintainer: x <x@example.org>\nDescription: x\n"
RECIPE = Recipe(("kvm",), ("busybox-static",), "#!/bin/sh\n")


@contextmanager
def umask(mask: int) -> Iterator[None]:
    """Another umask for a while."""
    before = os.umask(mask)
    yield
    os.umask(before)


def owners_and_modes(disk: Path) -> set[tuple[str, ...]]:
    """Path, mode, user and group of all files of a file system; as debugfs lists them (`ls -p`)."""
    found: set[tuple[str, ...]] = set()
    waiting = [""]
    while waiting:
        above = waiting.pop()
        words = [doctor.program("debugfs"), "-R", f"ls -p {above or '/'}", str(disk)]
        for line in subprocess.run(words, capture_output=True, text=True, check=True).stdout.splitlines():
            if line.count("/") > 5:
                _, _, mode, user, group, name, *_ = line.split("/")
                if name not in {"", ".", ".."}:
                    found.add((f"{above}/{name}", mode, user, group))
                    waiting += [f"{above}/{name}"] if mode.startswith("04") else []
    return found


@needs_debian
def test_image_is_the_same_whoever_makes_it(tmp_path: Path) -> None:
    """Modes are those of the packages, files are root's: neither umask nor user is seen in it."""
    programs = package(
        *(tmp_path, "busybox-static"),
        {"usr/bin/busybox": ("program", 0o755), "etc/settings": ("x", 0o640), "usr/bin/passwd": ("x", 0o4755)},
    )
    kernel = package(
        *(tmp_path, "kernel"),
        {
            "boot/vmlinuz-6": ("kernel", 0o644),
            "usr/lib/modules/6/kvm.ko": ("\0depends=\0", 0o644),
            "usr/lib/modules/6/modules.order": ("", 0o644),
        },
    )
    for mask in (0o022, 0o077):
        (tmp_path / f"work{mask}").mkdir()
        with umask(mask):
            build([programs], kernel, RECIPE, tmp_path / f"work{mask}", tmp_path / f"image{mask}")
    wide, narrow = tmp_path / f"image{0o022}", tmp_path / f"image{0o077}"
    files = owners_and_modes(wide / DISK)
    assert owners_and_modes(narrow / DISK) == files
    assert {(user, group) for _, _, user, group in files} == {("0", "0")}
    modes = {path: mode for path, mode, *_ in files}
    assert (modes["/usr"], modes["/usr/lib64"], modes["/boot/lab"]) == ("040755",) * 3
    assert (modes["/etc/settings"], modes["/usr/bin/passwd"]) == ("100640", "104755")
    assert modes["/usr/lib/modules/6/modules.dep"] == "100644"
    for name in (BASE, USERLAND):
        assert (wide / name).read_bytes() == (narrow / name).read_bytes()


@needs_debian
def test_disk_belongs_to_root_throughout(tmp_path: Path) -> None:
    """Whoever owns the tree, with many files and directories, and links too."""
    for number in range(300):
        (tmp_path / f"tree/{number % 7}/{number}").mkdir(parents=True)
        (tmp_path / f"tree/{number % 7}/{number}/file").write_text("x" * number)
    (tmp_path / "tree/link").symlink_to("0")
    if os.geteuid() == 0:
        for path in (tmp_path / "tree").rglob("*"):
            os.chown(path, 70_000, 70_001, follow_symlinks=False)
    write_disk(tmp_path / "tree", tmp_path / "disk")
    files = owners_and_modes(tmp_path / "disk")
    assert len(files) == 609
    assert {(user, group) for _, _, user, group in files} == {("0", "0")}
    subprocess.run([doctor.program("e2fsck"), "-fn", tmp_path / "disk"], check=True, capture_output=True)


@needs_debian
def test_toolbox_has_no_programs_that_run_as_their_owner(tmp_path: Path) -> None:
    """It lies where others can get at it, and gets no security updates."""
    made = package(tmp_path, "tool", {"usr/bin/passwd": ("x", 0o4755), "usr/bin/write": ("x", 0o2755)})
    unpack([made], tmp_path / "toolbox")
    for name in ("passwd", "write"):
        assert (tmp_path / "toolbox/usr/bin" / name).stat().st_mode & 0o7777 == 0o755


def test_complaints_of_several_lines_are_told_in_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of dpkg-deb and of tar, which says in the end that it has said something."""
    stand_in(
        *(tmp_path, monkeypatch),
        dpkg_deb="echo 'not a package' >&2; exit 2",
        tar="cat >&2; echo 'tar: no archive' >&2; echo 'tar: exiting' >&2; exit 2",
    )
    with pytest.raises(LabError) as told:
        unpack([tmp_path / "x.deb"], tmp_path / "tree")
    assert str(told.value) == "lab: x.deb can't be unpacked: not a package tar: no archive tar: exiting"


# ---- what is kept


class Archive:
    """Stands in for apt: a suite with one package, whose version can be set."""

    version = 1
    note = ""

    def __init__(self, directory: Path, *_: str) -> None:
        self.directory = directory

    def update(self) -> None: ...

    def closure(self, names: Sequence[str]) -> tuple[Package, ...]:
        return (Package(f"tool_{self.version}_all.deb", 1),)

    def fetch(self, names: Sequence[str], alone: Sequence[str]) -> Path:
        return self.directory

    def forget(self) -> None: ...


@pytest.fixture
def archive(monkeypatch: pytest.MonkeyPatch) -> type[Archive]:
    """In the place of Debian's."""
    monkeypatch.setattr(store, "Apt", Archive)
    monkeypatch.setattr(store, "require_tools", str)
    monkeypatch.setattr(Archive, "version", 1)
    return Archive


def order(recipe: bytes = b"") -> Order:
    """A tool made by copying nothing."""
    return Order("tools", "tool", "bookworm", "amd64", ("tool",), "", recipe, lambda *told: told[3].mkdir())


def quietly(line: str) -> None:
    """Takes a line for people, and drops it."""


def released(result: Path) -> Path:
    """A result that the process that used it no longer does: it has ended."""
    from pytest_nestvirt.lab import locking

    os.close(locking._HELD.pop(result))
    return result


def test_what_newer_packages_replace_is_forgotten(archive: type[Archive]) -> None:
    """The old one goes when nobody uses it."""
    old = released(obtain(order(), quietly))
    archive.version = 2
    new = obtain(order(), quietly, refresh=True)
    assert new.is_dir()
    assert not old.exists()
    assert not list((cache_directory() / "apt").glob("*/building-*"))


def test_what_somebody_uses_stays(archive: type[Archive]) -> None:
    """A lab that is about to start its emulator keeps it, whatever another one refreshes."""
    old = obtain(order(), quietly)
    archive.version = 2
    new = obtain(order(), quietly, refresh=True)
    assert old.is_dir()
    assert new.is_dir()


def test_other_process_that_uses_it_counts_as_well(archive: type[Archive]) -> None:
    """The lock is the kernel's: it holds between processes, and goes with them."""
    old = released(obtain(order(), quietly))
    script = (
        "import sys; from pathlib import Path; from pytest_nestvirt.lab.locking import use\n"
        "print(use(Path(sys.argv[1])), flush=True); sys.stdin.read()"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", script, old], **pipes) as user:  # type: ignore[call-overload]
        assert user.stdout.readline() == b"True\n"
        archive.version = 2
        obtain(order(), quietly, refresh=True)
        assert old.is_dir()
        user.kill()
    archive.version = 1
    obtain(order(), quietly, refresh=True)
    archive.version = 3
    released(old)
    obtain(order(), quietly, refresh=True)
    assert not old.exists()


def test_two_versions_of_this_program_share_a_cache(archive: type[Archive]) -> None:
    """Neither forgets what the other uses, but for what has been of no use for two weeks."""
    one, other = released(obtain(order(b"1"), quietly)), released(obtain(order(b"2"), quietly))
    assert one.is_dir()
    assert other.is_dir()
    long_ago = time.time() - 15 * 86400
    os.utime(one, (long_ago, long_ago))
    obtain(order(b"3"), quietly)
    assert not one.exists()
    assert other.is_dir()


def test_use_is_noted(archive: type[Archive]) -> None:
    """Files in it are as old as Debian says; the directory itself is as old as its last use."""
    made = released(obtain(order(), quietly))
    os.utime(made, (0, 0))
    assert obtain(order(), quietly) == made
    assert time.time() - made.stat().st_mtime < 60


def test_wait_for_another_command_is_told(archive: type[Archive]) -> None:
    """And ends with what that one has made."""
    directory = cache_directory() / "apt/bookworm-amd64"
    directory.mkdir(parents=True)
    lines: list[str] = []
    waiter = threading.Thread(target=obtain, args=(order(), lines.append))
    with alone(directory):
        waiter.start()
        until = time.monotonic() + 10
        while not lines and time.monotonic() < until:
            time.sleep(0.02)
        assert lines == ["tool: waiting for another lab that fetches packages"]
    waiter.join(10)
    assert len(list((cache_directory() / "tools").iterdir())) == 1


def test_what_is_there_is_had_without_tools_and_without_waiting(
    archive: type[Archive], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Neither apt nor the end of another download is needed to use what has been made."""
    made = obtain(order(), quietly)
    monkeypatch.setattr(store, "require_tools", doctor.require_tools)
    monkeypatch.setattr(doctor, "_PATH", str(tmp_path))
    refused: Callable[..., None] = pytest.fail
    with alone(cache_directory() / "apt/bookworm-amd64"):
        assert obtain(order(), refused) == made
    with pytest.raises(LabError, match=r"tool can't be made here, apt-get, .* is missing: labs are built from"):
        obtain(order(b"another"), quietly)


def test_cache_that_can_not_be_written_is_told_in_one_line(tmp_path: Path, archive: type[Archive]) -> None:
    """A file where the directory should be; a full disk is told alike."""
    (tmp_path / "cache").write_text("")
    with pytest.raises(LabError, match=r"lab: tool can't be kept: .*Not a directory"):
        obtain(order(), quietly)


def test_plan_that_is_damaged_is_made_anew(archive: type[Archive]) -> None:
    """Half-written by a machine that lost its power."""
    made = obtain(order(), quietly)
    plan = next((cache_directory() / "apt/bookworm-amd64").glob("plan-tool-*.json"))
    plan.write_text('{"resu')
    assert obtain(order(), quietly) == made
    assert json.loads(plan.read_text())["result"] == made.name


# ---- programs


def test_programs_of_the_administrator_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """mke2fs is in /usr/sbin, where an ordinary user's PATH does not lead."""
    assert doctor._PATH.endswith("/usr/sbin:/sbin")
    stand_in(tmp_path, monkeypatch, mke2fs=":")
    assert doctor.program("mke2fs") == str(tmp_path / "bin/mke2fs")
    with pytest.raises(LabError, match="tar is missing; `nestvirt lab doctor` names the package"):
        doctor.program("tar")
