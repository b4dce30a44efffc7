"""Facts about the operating system: which distribution or Windows, which version."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pytest_nestvirt.facts.kernel.kernel import UNAME, Kernel
from pytest_nestvirt.facts.system import os_expression
from pytest_nestvirt.facts.system.os_release import (
    OsRelease,
    ProductRelease,
    parse_os_release,
    parse_redhat_release,
    version_numbers,
)
from pytest_nestvirt.facts.system.windows import SOURCE as WINDOWS
from pytest_nestvirt.facts.system.windows import Windows
from pytest_nestvirt.observation.fact import Reader, Subject, Unobservable, fact
from pytest_nestvirt.snapshot.snapshot import Section, Status

OS_RELEASE = ("etc/os-release", "usr/lib/os-release")
REDHAT_RELEASE = "etc/redhat-release"
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
    beta: bool
    source: str


class Os(Subject):
    """The operating system by its own release files.

    An id is taken as it is written: a rebuild of RHEL is not RHEL, whatever its ID_LIKE says. Where /etc/os-release and
    /etc/redhat-release contradict each other, every fact is `Unobservable`. In a container these files are the image's.
    """

    label = "os"

    def __init__(self, reader: Reader, *, kernel: Kernel, windows: Windows) -> None:
        super().__init__(reader)
        self._kernel = kernel
        self._windows = windows

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
    def beta(self) -> bool:
        """Whether the release calls itself a Beta, which no vendor supports."""
        return False if self._is_windows() else self._identity().beta

    @fact
    def rhel_alt(self) -> bool:
        """Whether it is RHEL 7 on the kernel of RHEL-ALT (`4.14.0-49.el7a.ppc64le`), which is not RHEL 7's own 3.10."""
        if self.id != "rhel" or self.version[:1] != (7,):
            return False
        return _RHEL_ALT.fullmatch(self._kernel.release) is not None

    def release(self, os_id: str, at_least: tuple[int, ...] = (), below: tuple[int, ...] = ()) -> bool:
        """Whether it is that system, at a version from `at_least` on and before `below` (an empty one sets no bound).

        `Unobservable` where the version lacks the numbers that would decide it.
        """
        bounds = [word for sign, bound in ((">=", at_least), ("<", below)) if bound for word in [sign + _dotted(bound)]]
        return self.matches(" ".join([os_id, *bounds]))

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
        esxi = self._kernel.vmkernel  # it has no file os-release
        if esxi:
            return Identity("esxi", esxi, f"VMware ESXi {esxi}", (), beta=False, source=UNAME)
        product = self._product()
        section = self._os_release_section(product)
        if section is None or section.status is Status.MISSING:
            return self._of_product(product)
        release = parse_os_release(self.read(section.name))
        identity = _identity(release, section.name)
        _refuse_contradiction(identity, product)
        beta = identity.beta or bool(product and product.beta)
        return Identity(identity.os_id, identity.version_id, identity.name, identity.like, beta, identity.source)

    def _os_release_section(self, product: ProductRelease | None) -> Section | None:
        """None where nobody looked for os-release but redhat-release is there: systems of its time had no other."""
        try:
            return self.reader.section(*OS_RELEASE)
        except Unobservable:
            if product is None:
                raise
            return None

    def _product(self) -> ProductRelease | None:
        """The line of /etc/redhat-release; None where there is none or nobody looked."""
        try:
            section = self.reader.section(REDHAT_RELEASE)
        except Unobservable:
            return None
        if section.status is Status.MISSING:
            return None
        return parse_redhat_release(self.read(REDHAT_RELEASE))

    def _of_product(self, product: ProductRelease | None) -> Identity:
        if product is None or not product.os_id:
            raise Unobservable(OS_RELEASE[0], "neither it nor a readable /etc/redhat-release is there")
        # Oracle Linux ships RHEL's line in /etc/redhat-release and its own beside it.
        os_id = "ol" if self._has_oracle_release() else product.os_id
        version = _dotted(product.version)
        return Identity(os_id, version, f"{product.product} {version}", (), product.beta, REDHAT_RELEASE)

    def _has_oracle_release(self) -> bool:
        return any(section.status is not Status.MISSING for section in self.reader.under(ORACLE_RELEASE))


def _identity(release: OsRelease, source: str) -> Identity:
    os_id = release.get("ID")
    if not os_id:
        raise Unobservable(source, "it has no readable line ID=")
    if os_id == "rhel" and release.get("VARIANT_ID") == "coreos":
        os_id = "rhcos"
    texts = (release.get(name) for name in ("REDHAT_SUPPORT_PRODUCT_VERSION", "VERSION", "PRETTY_NAME"))
    beta = any(re.search(r"\bbeta\b", text, re.IGNORECASE) for text in texts)
    name = release.get("PRETTY_NAME") or release.get("NAME") or os_id
    return Identity(os_id, release.get("VERSION_ID"), name, tuple(release.get("ID_LIKE").split()), beta, source)


def _refuse_contradiction(identity: Identity, product: ProductRelease | None) -> None:
    """Raise `Unobservable` where the two files speak of different systems: one of them is not this system's."""
    if product is None:
        return
    same_id = product.os_id in {identity.os_id, ""} or (identity.os_id, product.os_id) == ("ol", "rhel")
    known = version_numbers(identity.version_id) or ()
    length = min(len(known), len(product.version))
    unknown_rhel = identity.os_id == "rhel" and not product.os_id
    if identity.os_id == "rhcos":  # its VERSION_ID is OpenShift's
        length = 0
    if same_id and not unknown_rhel and known[:length] == product.version[:length]:
        return
    raise Unobservable(
        identity.source,
        f"it says {identity.os_id} {identity.version_id}, /etc/redhat-release says {product.product} {_dotted(product.version)}",
    )


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
