"""What /dev/kvm is and what it answers: pure parsers of two sections."""

from __future__ import annotations

import re
import stat
from dataclasses import dataclass

from pytest_nestvirt.observation.fact import Unobservable

DEVICE = "dev/kvm"
IOCTL = "nestvirt/kvm_ioctl"

API_VERSION = 12
"""The only KVM_GET_API_VERSION since Linux 2.6.22; applications must refuse any other (Documentation/virt/kvm/api.rst)."""

NUMBERS = (10, 232)
"""Major and minor of the device: misc, KVM_MINOR (include/linux/miscdevice.h)."""

REFUSED = frozenset({"EACCES", "EPERM"})
"""The account may not ask, which shows nothing about KVM."""

CANNOT = frozenset({"EBUSY", "ENODEV", "ENOENT", "ENXIO", "EOPNOTSUPP", "ENOTSUP", "ENOSYS", "ENOTTY", "EINVAL", "EIO"})
"""KVM does not work here: no module, no hardware support, or another hypervisor owns the processor (EBUSY)."""

_TYPES = {"c": stat.S_IFCHR, "b": stat.S_IFBLK, "-": stat.S_IFREG, "d": stat.S_IFDIR, "l": stat.S_IFLNK}
_LS = re.compile(
    r"(?P<type>[a-z-])(?P<mode>[r-][w-][xsS-][r-][w-][xsS-][r-][w-][xtT-])[.+@]?\s+\d+\s+(?P<uid>\d+)\s+(?P<gid>\d+)\s+"
    r"(?:(?P<major>\d+),\s*(?P<minor>\d+)\s)?"
)


@dataclass(frozen=True, slots=True)
class KvmDevice:
    """The node /dev/kvm: type and permission bits as in `st_mode`, owner by number, device numbers."""

    mode: int
    uid: int
    gid: int
    major: int
    minor: int

    @property
    def is_kvm(self) -> bool:
        """Whether it is the character device of KVM and not another file or device in its place."""
        return stat.S_ISCHR(self.mode) and (self.major, self.minor) == NUMBERS


@dataclass(frozen=True, slots=True)
class KvmApi:
    """What the device answered."""

    version: int
    """Of KVM_GET_API_VERSION."""
    create_vm: bool
    """Whether KVM_CREATE_VM made a virtual machine (which was closed at once)."""
    nested_state: int
    """KVM_CHECK_EXTENSION(KVM_CAP_NESTED_STATE): size of the nested state in bytes; 0: it cannot be migrated."""
    error: str
    """Name of the error that stopped it, as in errno.h; empty if nothing did."""


@dataclass(frozen=True, slots=True)
class KvmAnswers:
    """The section as it is: what was no longer asked after an error is None."""

    version: int | None = None
    create_vm: str = ""
    nested_state: int | None = None
    error: str = ""
    registered: bool = True
    """False where the kernel has no device behind the node, so that the probe did not open it."""


def parse_device(text: str) -> KvmDevice:
    """Parse `ls -ln /dev/kvm`: `crw-rw-rw- 1 0 36 10, 232 Nov 21 04:04 /dev/kvm`. Raises `Unobservable`."""
    found = _LS.match(text)
    if found is None:
        raise Unobservable(DEVICE, f"not a line of `ls -ln`: {text.strip()[:80]!r}")
    mode = _TYPES.get(found["type"], 0) | _permissions(found["mode"])
    return KvmDevice(mode, int(found["uid"]), int(found["gid"]), int(found["major"] or 0), int(found["minor"] or 0))


def _permissions(letters: str) -> int:
    bits = sum(0o400 >> place for place, letter in enumerate(letters) if letter not in "-ST")
    special = zip((2, 5, 8), (stat.S_ISUID, stat.S_ISGID, stat.S_ISVTX), strict=True)
    return bits | sum(bit for place, bit in special if letters[place] in "sStT")


def parse_answers(text: str) -> KvmAnswers:
    """Parse lines `api=12`, `create_vm=ok` (or the name of an error), `nested_state=4224`, `error=ENODEV`, `registered=no`.

    Lines of another shape (warnings of the interpreter) are ignored; what should be a number and is not counts as not answered.
    """
    answers = {
        name: value.strip() for name, equals, value in (line.partition("=") for line in text.split("\n")) if equals
    }
    return KvmAnswers(
        version=_number(answers.get("api", "")),
        create_vm=answers.get("create_vm", ""),
        nested_state=_number(answers.get("nested_state", "")),
        error=answers.get("error", ""),
        registered=answers.get("registered") != "no",
    )


def _number(text: str) -> int | None:
    return int(text) if re.fullmatch(r"-?[0-9]{1,9}", text) else None


def errno_name(text: str) -> str:
    """`EBUSY` of `EBUSY Device or resource busy`; empty if the text names no error."""
    found = re.search(r"\bE[A-Z0-9]{2,}\b", text)
    return found[0] if found else ""


def api_of(answers: KvmAnswers) -> KvmApi:
    """What the device answered; `Unobservable` if it did not get as far as answering everything."""
    if answers.version is None:
        why = answers.error or (
            "no version in the section" if answers.registered else "there is no device behind the node"
        )
        raise Unobservable(IOCTL, f"/dev/kvm did not answer: {why}")
    if not answers.create_vm:
        raise Unobservable(IOCTL, f"KVM_CREATE_VM was not tried: {answers.error or 'no such line in the section'}")
    if answers.nested_state is None:
        raise Unobservable(
            IOCTL, f"KVM_CAP_NESTED_STATE was not answered: {answers.error or 'no such line in the section'}"
        )
    created = answers.create_vm == "ok"
    error = answers.error if created else answers.create_vm
    return KvmApi(answers.version, created, answers.nested_state, error)


def answers_as_kvm(answers: KvmAnswers, *, loads_at_opening: bool) -> bool:
    """Whether KVM is there and answers, whether or not it can create machines now; `Unobservable` where it was not asked."""
    if not answers.registered:
        if loads_at_opening:
            raise Unobservable(IOCTL, "KVM is not loaded, and opening /dev/kvm, which may load it, was not tried")
        return False
    return (
        answers.version == API_VERSION if answers.version is not None else _refusal("opening /dev/kvm", answers.error)
    )


def can_create_machines(answers: KvmAnswers, *, loads_at_opening: bool = False) -> bool:
    """Whether virtual machines can be created; `Unobservable` where the answer does not decide it.

    `loads_at_opening` is whether opening the node makes the kernel load all of KVM.
    """
    if not answers_as_kvm(answers, loads_at_opening=loads_at_opening):
        return False
    if answers.create_vm == "ok":
        return True
    return _refusal("KVM_CREATE_VM", answers.create_vm or answers.error)


def failure_of(answers: KvmAnswers) -> str:
    """Why no machine can be created, for people, where that is so: the words for what `can_create_machines` decides by."""
    if not answers.registered:
        return "/dev/kvm is a node without a device behind it"
    if answers.version is None:
        name = errno_name(answers.error)
        return "there is no /dev/kvm" if name == "ENOENT" else f"opening /dev/kvm fails with {name}"
    if answers.version != API_VERSION:
        return f"KVM's interface has version {answers.version}, not {API_VERSION}"
    return f"KVM_CREATE_VM fails with {errno_name(answers.create_vm or answers.error)}"


def _refusal(step: str, error: str) -> bool:
    name = errno_name(error)
    if name in CANNOT:
        return False
    why = "permission denied" if name in REFUSED else "it ended in a way that decides nothing"
    raise Unobservable(IOCTL, f"{step}: {why} ({error or 'no answer'})")
