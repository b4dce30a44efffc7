"""What three documents demand of an L1's definition, told from the definition alone."""

from __future__ import annotations

from enum import StrEnum

from pytest_nestvirt.facts.kernel.architecture import Family, family_of
from pytest_nestvirt.facts.libvirt.domain_xml import DomainXml


class Outcome(StrEnum):
    """How a definition stands to a rule."""

    PASS = "pass"  # noqa: S105 - a verdict, no password
    FAIL = "fail"
    NOT_APPLICABLE = "n/a"


def rhel_rule(domain: DomainXml) -> Outcome:
    """RHEL 8, 18.2 to 18.4: host-passthrough that keeps vmx and svm; on POWER nested-hv switched on."""
    if family_of(domain.arch) is Family.PPC:
        return _outcome(holds=domain.nested_hv == "on")
    return _outcome(holds=_mode_in(domain, "host-passthrough") and not _declines_extension(domain))


def ubuntu_rule(domain: DomainXml) -> Outcome:
    """Ubuntu: host-model or host-passthrough (or maximum, which is newer than the text), keeping vmx and svm."""
    modes = ("host-model", "host-passthrough", "maximum")
    return _outcome(holds=_mode_in(domain, *modes) and not _declines_extension(domain))


def kvm_wiki_rule(domain: DomainXml) -> Outcome:
    """KVM wiki, x86 only: the host's processor passed through, or a named model with vmx or svm switched on."""
    if family_of(domain.arch) is not Family.X86:
        return Outcome.NOT_APPLICABLE
    if _mode_in(domain, "host-passthrough"):
        return _outcome(holds=not _declines_extension(domain))
    named = _mode_in(domain, "custom", "host-model")
    return _outcome(holds=named and (domain.demands("vmx") or domain.demands("svm")))


def _mode_in(domain: DomainXml, *modes: str) -> bool:
    return domain.cpu_elements == 1 and domain.cpu_mode in modes


def _declines_extension(domain: DomainXml) -> bool:
    return domain.declines("vmx") or domain.declines("svm")


def _outcome(*, holds: bool) -> Outcome:
    return Outcome.PASS if holds else Outcome.FAIL
