"""What runs a guest: one question, answered by every witness there is, the one that knows best first.

Who runs a guest knows better than the guest what runs it: hypervisors can hide, DMI can be copied, and emulation shows the same
processor flags. A yes needs a witness and no other that disagrees; a no needs the best witness only.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from pytest_nestvirt.derived.parent_view import arguments_of, disguise, process_of, runs_others_only
from pytest_nestvirt.facts.libvirt.qemu_argv import QemuProcess
from pytest_nestvirt.observation.fact import Unobservable
from pytest_nestvirt.observation.unknown import attempt, first_known, if_known, known_or, surely

if TYPE_CHECKING:
    from pytest_nestvirt.facts.libvirt.domain_xml import DomainXml
    from pytest_nestvirt.facts.machine import Machine
    from pytest_nestvirt.facts.providers.qm import QemuConfig
    from pytest_nestvirt.facts.providers.vmx import Vmx

KVM = "kvm"
TCG = "tcg"
NOTHING = "none"

_ALIASES = {"qemu": TCG, "xen-pv": "xen"}
"""Other names of a hypervisor: a guest, and the type of a domain, say `qemu` for emulation."""

SOURCE = "the witnesses of what runs it"


class Witness(StrEnum):
    """Who can know what runs a guest, best first."""

    PROCESS = "QEMU process"
    LIBVIRT = "libvirt"
    ESXI = "ESXi"
    """A machine of ESXi can run on nothing else, whatever its file sets."""
    CONFIGURATION = "configuration"
    GUEST = "guest"


@dataclass(frozen=True, slots=True)
class Word:
    """What one witness shows."""

    witness: Witness
    may_be: frozenset[str]
    """The hypervisors that it leaves possible; empty where it shows that the guest does not run there at all."""
    shown: str
    """For messages: `its QEMU process on kvm01: kvm`."""

    def __str__(self) -> str:
        return self.shown


@dataclass(frozen=True, slots=True)
class Runner:
    """What runs a guest, by all witnesses that show anything; one at least."""

    guest: str
    words: tuple[Word, ...]
    """The best witness first."""

    @property
    def possible(self) -> frozenset[str]:
        """What the best witness leaves possible, narrowed by those that agree with it."""
        return self._weighed()[0]

    @property
    def dissent(self) -> tuple[Word, ...]:
        """The words that cannot be true together with those of better witnesses."""
        return self._weighed()[1]

    def _weighed(self) -> tuple[frozenset[str], tuple[Word, ...]]:
        possible: frozenset[str] = frozenset()
        dissent = []
        for word in self.words:
            narrowed = possible & word.may_be if possible else word.may_be
            if narrowed:
                possible = narrowed
            else:
                dissent.append(word)
        return possible, tuple(dissent)

    @property
    def name(self) -> str:
        """The hypervisor.

        `Unobservable` where several are possible, where two witnesses disagree, and where it is only configured: that shows
        what the guest is started with next, not what it was started with.
        """
        possible = self.possible
        if self.dissent:
            raise Unobservable(SOURCE, f"the witnesses of what runs {self.guest} disagree: {self}")
        if len(possible) != 1:
            raise Unobservable(SOURCE, f"{self.guest} may run on {' or '.join(sorted(possible))}: {self}")
        if self._is_only_configured:
            raise Unobservable(SOURCE, f"nothing shows what {self.guest} runs on now: {self}")
        return next(iter(possible))

    def is_by(self, hypervisor: str) -> bool:
        """Whether that hypervisor runs it. No by the best witness alone; yes only if no witness disagrees.

        `Unobservable` where others are possible as well, where a witness disagrees with a yes, and where one disagrees with
        what is only configured.
        """
        possible, dissent = self._weighed()
        if possible and hypervisor not in possible and not (dissent and self._is_only_configured):
            return False
        return self.name == hypervisor

    @property
    def _is_only_configured(self) -> bool:
        """Whether a configuration is the best witness, and no other agrees with it."""
        agreeing = [word for word in self.words if word.may_be and word not in self.dissent]
        return all(word.witness is Witness.CONFIGURATION for word in agreeing)

    @property
    def is_kvm(self) -> bool:
        """Whether KVM runs it; `Unobservable` as in `is_by`."""
        return self.is_by(KVM)

    def __str__(self) -> str:
        return "; ".join(map(str, self.words))


def runner_of(guest: Machine) -> Runner:
    """What runs a guest. `Unobservable` where no witness shows anything."""
    words = tuple(_words(guest))
    if not any(word.may_be for word in words):
        shown = "; ".join(map(str, words)) or "neither its parent nor the guest itself shows it"
        own = attempt(lambda: guest.platform.virtualization)
        why = f"; {own.source}: {own.why}" if isinstance(own, Unobservable) and not words else ""
        raise Unobservable(SOURCE, f"what runs {guest.name} is not known: {shown}{why}")
    return Runner(guest.name, words)


def not_run_by_kvm(guest: Machine) -> str:
    """How a guest is surely not run by KVM, for messages; empty where KVM runs it.

    Empty also for a machine of which nothing is known at all, since its parent lists none and nothing was read of it.
    `Unobservable` where what is known does not decide, and where witnesses disagree.
    """
    runner = attempt(lambda: runner_of(guest))
    if isinstance(runner, Unobservable):
        if isinstance(guest.reader.snapshot, Unobservable):
            return ""
        raise runner
    return "" if runner.is_kvm else f"{guest.name} is not run by KVM: {runner}"


def emulation_of(guest: Machine) -> str:
    """How a guest is emulated, for messages; empty where a hypervisor may run it."""
    runner = if_known(lambda: runner_of(guest))
    return f"{guest.name} is emulated, without a hypervisor: {runner}" if runner and runner.possible == {TCG} else ""


def _words(guest: Machine) -> Iterator[Word]:
    for question in (_by_process, _by_libvirt, _by_configuration, _by_itself):
        word = if_known(lambda question=question: question(guest))  # type: ignore[misc]  # bound now, called now
        if word is not None:
            yield word


def _word(witness: Witness, hypervisors: tuple[str, ...], where: str) -> Word:
    return Word(
        witness,
        frozenset(_ALIASES.get(name, name) for name in hypervisors),
        f"{where}: {' or '.join(hypervisors)}",
    )


def _on_parent(guest: Machine) -> str:
    return f"on {guest.domain.reader.host}"


def _by_process(guest: Machine) -> Word:
    process = attempt(lambda: process_of(guest))
    if not isinstance(process, Unobservable):
        return _word(Witness.PROCESS, process.accelerators, f"its QEMU process {_on_parent(guest)}")
    if guest.parent is not None and runs_others_only(guest) and _is_seen_to_need_qemu(guest):
        others = "QEMU runs other machines only" if guest.parent.qemu.processes else "no QEMU runs"
        return Word(Witness.PROCESS, frozenset(), f"{others} {_on_parent(guest)}")
    raise process


def _is_seen_to_need_qemu(guest: Machine) -> bool:
    """Whether the guest itself shows KVM or QEMU: then one has to run on its parent."""
    return known_or(lambda: _ALIASES.get(guest.platform.virtualization, guest.platform.virtualization), "") in {
        KVM,
        TCG,
    }


def _by_libvirt(guest: Machine) -> Word:
    where = f"libvirt {_on_parent(guest)}"
    if _is_unknown_there(guest) and _is_seen_to_need_qemu(guest):
        return Word(Witness.LIBVIRT, frozenset(), f"{where}: no domain {guest.domain.domain}")
    if not guest.domain.has_process:
        return Word(Witness.LIBVIRT, frozenset(), f"{where}: {guest.domain.state}")
    return _word(Witness.LIBVIRT, (_accelerator_of(guest.domain.xml),), where)


def _is_unknown_there(guest: Machine) -> bool:
    """Whether libvirt has no such domain, and no QEMU process is it either: one that a person started by hand has one."""
    return attempt(lambda: guest.domain.defined) is False and if_known(lambda: process_of(guest)) is None


def _accelerator_of(xml: DomainXml) -> str:
    if QemuProcess(0, ("", *xml.qemu_arguments)).requested_accelerators:
        raise Unobservable(xml.source, "<qemu:commandline> names an accelerator of its own")
    if not xml.type:
        raise Unobservable(xml.source, "the domain has no type")
    return xml.accel


def _by_configuration(guest: Machine) -> Word:
    """Of Proxmox VE or ESXi; or a definition of which it is not known whether the domain runs."""
    return first_known(
        lambda: _by_proxmox(guest, guest.pve.config),
        lambda: _by_esxi(guest, guest.vmx.file),
        lambda: _by_definition(guest, guest.domain.xml),
    )


def _by_esxi(guest: Machine, _file: Vmx) -> Word:
    return _word(Witness.ESXI, ("vmware",), f"its .vmx file {_on_parent(guest)}")


def _by_definition(guest: Machine, xml: DomainXml) -> Word:
    if surely(lambda: guest.domain.has_process in {True, False}):
        raise Unobservable(xml.source, "libvirt is a witness of its own")
    return _word(Witness.CONFIGURATION, (_accelerator_of(xml),), f"its definition {_on_parent(guest)}")


def _by_proxmox(guest: Machine, config: QemuConfig) -> Word:
    if arguments_of(config).requested_accelerators:
        raise Unobservable(config.source, "`args:` names an accelerator of its own")
    return _word(Witness.CONFIGURATION, (config.accel,), f"its configuration {_on_parent(guest)}")


def _by_itself(guest: Machine) -> Word:
    """What the guest shows. Weak evidence of hardware shows nothing, nor does a guest that is shown something else on purpose."""
    seen = guest.platform.virtualization
    hides = disguise(guest)
    if seen == NOTHING and not surely(lambda: guest.platform.physical):
        raise Unobservable("platform.virtualization", "nothing names a hypervisor")
    if hides and seen != KVM:
        raise Unobservable("platform.virtualization", f"its parent hides what runs it ({', '.join(hides)})")
    return _word(Witness.GUEST, (seen,), f"{guest.name} itself")
