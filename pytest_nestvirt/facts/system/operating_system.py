"""Facts about the operating system: which distribution or Windows, which version."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from pytest_nestvirt.facts.kernel.kernel import Kernel
from pytest_nestvirt.facts.system import os_expression
from pytest_nestvirt.facts.system.esxi import SOURCES as ESXI
from pytest_nestvirt.facts.system.esxi import parse_esxi
from pytest_nestvirt.facts.system.lsb_release import SOURCE as LSB_RELEASE
from pytest_nestvirt.facts.system.lsb_release import parse_lsb_release
from pytest_nestvirt.facts.system.os_release import (
    OsRelease,
    ProductRelease,
    is_prerelease,
    parse_os_release,
    parse_redhat_release,
    version_numbers,
)
from pytest_nestvirt.facts.system.packages import Packages
from pytest_nestvirt.facts.system.rebuild import link_in_text, others_fields, others_link, others_packages
from pytest_nestvirt.facts.system.rhel_kernel import contradiction_of_kernel, release_of_kernel
from pytest_nestvirt.facts.system.windows import SOURCE as WINDOWS
from pytest_nestvirt.facts.system.windows import Windows
from pytest_nestvirt.observation.fact import Reader, Subject, Unobservable, fact
from pytest_nestvirt.observation.partial import seen_text
from pytest_nestvirt.observation.unknown import attempt, every, if_known, known_or
from pytest_nestvirt.snapshot.snapshot import Section, Status

OS_RELEASE = ("etc/os-release", "usr/lib/os-release")
REDHAT_RELEASE = "etc/redhat-release"
REDHAT_LINK = "nestvirt/link/etc/redhat-release"
ORACLE_RELEASE = "etc/oracle-release"

_SERVER_PRODUCTS = (2, 3)
"""Win32_OperatingSystem.ProductType of a domain controller and of a server; 1 is a workstation."""

_RHEL_ALT = re.compile(r"4\.14\.0-\d+(\.\d+)*\.el7a\.(ppc64le|aarch64|s390x)")


@dataclass(frozen=True, slots=True)
class Identity:
    """What the release files agree on."""

    os_id: str
    version_id: str
    name: str
    like: tuple[str, ...]
    prerelease: bool
    source: str
    others: tuple[str, ...] = ()
    """Of ID=rhel: what names another maker than Red Hat."""


class Os(Subject):
    """The operating system by its own release files.

    An id is taken as it is written, `red_hat` has whether an id `rhel` is true: a rebuild of RHEL is not RHEL, whatever its
    ID_LIKE says. Where /etc/os-release and /etc/redhat-release contradict each other, every fact is `Unobservable`. In a
    container these files are the image's.
    """

    label = "os"

    def __init__(self, reader: Reader, *, kernel: Kernel, windows: Windows) -> None:
        super().__init__(reader)
        self._kernel = kernel
        self._windows = windows
        self._packages = Packages(reader)

    @fact
    def id(self) -> str:
        """ID of os-release (`rhel`, `ubuntu`, `rocky`), `windows`, `esxi`; `rhcos` also for a RHEL with VARIANT_ID coreos."""
        return "windows" if self._is_windows() else self._identity().os_id

    @fact
    def version(self) -> tuple[int, ...]:
        """VERSION_ID as numbers, (8, 10); of Windows (build,). CentOS Stream has one number: its minor is unknown."""
        if self._is_windows():
            return (self._windows.build,)
        identity = self._identity()
        numbers = version_numbers(identity.version_id)
        if numbers is None:
            raise Unobservable(identity.source, f"its version is not made of numbers: {identity.version_id[:40]!r}")
        return numbers

    @fact
    def version_id(self) -> str:
        """The version as it is written: `8.10`, `20.04`; of Windows its build."""
        return str(self._windows.build) if self._is_windows() else self._identity().version_id

    @fact
    def name(self) -> str:  # that of the system; the subject's own is `label`
        """For people: `Red Hat Enterprise Linux 8.10 (Ootpa)`."""
        return self._windows.caption if self._is_windows() else self._identity().name

    @fact
    def is_server(self) -> bool:
        """Whether a Windows is a server edition (Windows 10 has the same builds); True for everything else."""
        return self._windows.product_type in _SERVER_PRODUCTS if self._is_windows() else bool(self._identity())

    @fact
    def prerelease(self) -> bool:
        """Whether the release calls itself an Alpha, a Beta or a High Touch Beta (HTB), which no vendor supports."""
        return False if self._is_windows() else self._identity().prerelease

    @fact
    def red_hat(self) -> bool:
        """Whether the system is Red Hat's own RHEL; False for rebuilds, those with ID=rhel included.

        `Unobservable` where os-release names Red Hat only, and the file that /etc/redhat-release links to, or the package with
        the release files, is a rebuild's.
        """
        if self._is_windows() or self._identity().os_id != "rhel":
            return False
        if self._identity().others:
            return False
        others = self._others_beside_the_files()
        if others:
            raise Unobservable(self._identity().source, f"it has the names of Red Hat, and {others[0]}")
        return True

    @fact
    def foreign_kernel(self) -> str:
        """Why the kernel that runs cannot belong to the release (that of the host of a container), or empty."""
        release = if_known(lambda: self._kernel.release)
        return contradiction_of_kernel(self.id, self.version, release) if release else ""

    @fact
    def rhel_alt(self) -> bool:
        """Whether it is RHEL 7 on the kernel of RHEL-ALT (`4.14.0-49.el7a.ppc64le`), which is not RHEL 7's own 3.10."""
        if self.id != "rhel" or self.version[:1] != (7,):
            return False
        return _RHEL_ALT.fullmatch(self._kernel.release) is not None

    def release(self, os_id: str, at_least: tuple[int, ...] = (), below: tuple[int, ...] = ()) -> bool:
        """Whether it is that system, at a version from `at_least` on and before `below` (an empty one sets no bound).

        A rebuild is not `rhel`, whatever its ID. `Unobservable` where the version lacks the numbers that would decide it, and
        where the kernel that runs cannot belong to the release, or is of a minor release outside of these bounds.
        """
        bounds = [word for sign, bound in ((">=", at_least), ("<", below)) if bound for word in [sign + _dotted(bound)]]
        expression = " ".join([os_id, *bounds])
        genuine = (lambda: self.red_hat,) if os_id == "rhel" else ()
        return every(lambda: self.matches(expression), *genuine, lambda: self.runs_kernel_of(expression))

    def runs_kernel_of(self, expression: str) -> bool:
        """True; `Unobservable` where the kernel is not of a release that the expression names."""
        if self.foreign_kernel:
            raise Unobservable(
                "kernel.release", f"the release files are of {self.id} {self.version_id}, and {self.foreign_kernel}"
            )
        running = release_of_kernel(known_or(lambda: self._kernel.release, "")) if self.id == "rhel" else None
        if running is not None and len(running) > 1 and not os_expression.matches(expression, "rhel", running):
            why = f"the release files are of RHEL {self.version_id}, and the kernel that runs is of {_dotted(running)}"
            raise Unobservable("kernel.release", why)
        return True

    def matches(self, expression: str) -> bool:
        """Whether an expression such as `rhel >=8.2 <9` names it (`os_expression` has the grammar)."""
        wanted = os_expression.parse(expression)
        return self.id == wanted.os_id and wanted(self.id, self.version if wanted.comparisons else ())

    def is_like(self, *ids: str) -> bool:
        """Whether its ID or ID_LIKE has one of these: for where files lie, never for what is supported."""
        if self._is_windows():
            return False
        identity = self._identity()
        return not {identity.os_id, *identity.like}.isdisjoint(ids)

    def _is_windows(self) -> bool:
        """Only the probe for Windows writes these sections; a host that did not get that far is none."""
        return any(section.status is not Status.MISSING for section in self.reader.under(WINDOWS))

    def _identity(self) -> Identity:
        esxi = next(filter(None, (parse_esxi(seen_text(self.reader, name)) for name in ESXI)), "")
        if esxi:
            return Identity("esxi", esxi, f"VMware ESXi {esxi}", (), prerelease=False, source=ESXI[0])
        product = self._product()
        section = self._os_release_section(product)
        if section is None or section.status is Status.MISSING:
            return self._of_product(product)
        release = parse_os_release(self.read(section.name))
        identity = _identity(release, section.name)
        _refuse_contradiction(identity, product)
        if product is not None and product.prerelease:
            return replace(identity, prerelease=True)
        return identity

    def _os_release_section(self, product: ProductRelease | None) -> Section | None:
        """None where os-release was not collected but another file of that purpose was: old systems had no other."""
        section = attempt(lambda: self.reader.section(*OS_RELEASE))
        if not isinstance(section, Unobservable):
            return section
        if product is None and parse_lsb_release(seen_text(self.reader, LSB_RELEASE)) is None:
            raise section
        return None

    def _product(self) -> ProductRelease | None:
        """The line of /etc/redhat-release; None where there is none or it was not collected."""
        section = if_known(lambda: self.reader.section(REDHAT_RELEASE))
        if section is None or section.status is Status.MISSING:
            return None
        return parse_redhat_release(self.read(REDHAT_RELEASE))

    def _others_beside_the_files(self) -> list[str]:
        target = seen_text(self.reader, REDHAT_LINK) or link_in_text(seen_text(self.reader, REDHAT_RELEASE))
        link = others_link(target)
        installed = if_known(lambda: self._packages.installed)
        return [*([link] if link else []), *others_packages(installed or {})]

    def _of_product(self, product: ProductRelease | None) -> Identity:
        product = product or parse_lsb_release(seen_text(self.reader, LSB_RELEASE))
        if product is None or not product.os_id:
            raise Unobservable(OS_RELEASE[0], "neither it nor a readable /etc/redhat-release is there")
        # Oracle Linux has RHEL's line in /etc/redhat-release and its own beside it.
        os_id = "ol" if self._has_oracle_release() else product.os_id
        version = _dotted(product.version)
        return Identity(os_id, version, f"{product.product} {version}", (), product.prerelease, REDHAT_RELEASE)

    def _has_oracle_release(self) -> bool:
        return any(section.status is not Status.MISSING for section in self.reader.under(ORACLE_RELEASE))


def _identity(release: OsRelease, source: str) -> Identity:
    os_id = release.get("ID")
    if not os_id:
        raise Unobservable(source, "it has no readable line ID=")
    if os_id == "rhel" and release.get("VARIANT_ID") == "coreos":
        os_id = "rhcos"
    texts = (release.get(name) for name in ("REDHAT_SUPPORT_PRODUCT_VERSION", "VERSION", "PRETTY_NAME", "CPE_NAME"))
    return Identity(
        os_id,
        release.get("VERSION_ID"),
        release.get("PRETTY_NAME") or release.get("NAME") or os_id,
        tuple(release.get("ID_LIKE").split()),
        any(map(is_prerelease, texts)),
        source,
        tuple(others_fields(release)) if os_id == "rhel" else (),
    )


def _refuse_contradiction(identity: Identity, product: ProductRelease | None) -> None:
    """Raise `Unobservable` where the two files are of different systems: one of them is not this system's.

    Both may be of the same rebuild with ID=rhel: then they agree.
    """
    if product is None:
        return
    agreed = bool(identity.others) and product.os_id != "rhel"
    same_id = product.os_id in {identity.os_id, ""} or (identity.os_id, product.os_id) == ("ol", "rhel") or agreed
    known = version_numbers(identity.version_id) or ()
    length = min(len(known), len(product.version))
    unknown_rhel = identity.os_id == "rhel" and not product.os_id and not agreed
    if identity.os_id == "rhcos":  # its VERSION_ID is OpenShift's
        length = 0
    if same_id and not unknown_rhel and known[:length] == product.version[:length]:
        return
    raise Unobservable(
        identity.source,
        f"it has {identity.os_id} {identity.version_id}, /etc/redhat-release {product.product} {_dotted(product.version)}",
    )


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
