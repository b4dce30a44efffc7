"""What a statement applies to: the conditions that `applies:` may name, and their grammar.

Every key is one condition on one machine; all keys of a mapping must hold. A list means "one of these"; a single word
may be given without a list. What a condition looks at, and when it cannot be decided, is in `applicability`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

from pytest_nestvirt.inventory.host import Connection, Environment, Provider


@dataclass(frozen=True, slots=True)
class Generations:
    """Which POWER generations are meant: `9`, `<=8`, `>=9`, `<9`, `>8`."""

    operator: str
    number: int

    @classmethod
    def parse(cls, written: object) -> Generations:
        """From what the file says. Raises ValueError, with the form that was expected."""
        if isinstance(written, cls):
            return written
        match = re.fullmatch(r"\s*(<=|>=|<|>|)\s*([1-9][0-9]?)\s*", str(written))
        if match is None or isinstance(written, bool):
            raise ValueError("expected a POWER generation such as 9, '<=8' or '>=9'")
        return cls(match[1] or "==", int(match[2]))

    def __contains__(self, generation: int) -> bool:
        match self.operator:
            case "<=":
                return generation <= self.number
            case ">=":
                return generation >= self.number
            case "<":
                return generation < self.number
            case ">":
                return generation > self.number
            case _:
                return generation == self.number

    def __str__(self) -> str:
        return f"{self.operator.replace('==', '')}{self.number}"


def _as_list(written: object) -> object:
    if isinstance(written, (list, tuple)):
        if not written:
            raise ValueError("an empty list would hold for no machine; leave the condition out")
        return written
    return (written,)


def kernel_expression(comparisons: str) -> str:
    """`<4.20` as an operating system expression: both have one grammar."""
    return f"linux {comparisons}"


Word = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]
OneOf = BeforeValidator(_as_list)
Words = Annotated[tuple[Word, ...], OneOf]


OF_OBJECTS = frozenset({"kind", "has", "nested", "provider", "not_", "any_"})
"""Conditions that can be asked of an object of a manifest."""

ONLY_OF_OBJECTS = frozenset({"kind", "has", "nested"})


class Conditions(BaseModel):
    """What must be true of one machine, or of one object of a manifest. An absent key asks nothing."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, populate_by_name=True, arbitrary_types_allowed=True, use_attribute_docstrings=True
    )

    provider: Annotated[tuple[Provider, ...], OneOf] = ()
    """Who offers machines on this host, by the inventory."""
    parent_provider: Annotated[tuple[Provider, ...], OneOf] = ()
    """The same of the machine directly above; an L0 has none, so it never holds there."""
    connection: Annotated[tuple[Connection, ...], OneOf] = ()
    """How the inventory says it is looked at."""
    environment: Annotated[tuple[Environment, ...], OneOf] = ()
    """What the inventory says it is used for; undecided where it does not say."""
    treat_as: Words = ()
    """The machine is judged by the rules for one of these operating systems without being it."""
    arch: Words = ()
    """`kernel.architecture`: x86_64, ppc64le, s390x, aarch64, ..."""
    vendor: Words = ()
    """`cpu.vendor`: intel, amd, ibm-power, ibm-z, ..."""
    power: Annotated[Generations | None, BeforeValidator(Generations.parse)] = None
    """Generation of the POWER processor: `9`, `<=8`."""
    power8_compat: bool | None = None
    """Whether a newer POWER processor runs in POWER8 compatibility mode."""
    os: Words = ()
    """Operating system expressions (`rhel`, `rhel >=8.2`, `rhel >=8.2 <9`); `treat_as` of the inventory counts."""
    os_strict: Words = ()
    """The same for what the system really is: `treat_as` does not count."""
    kernel: Words = ()
    """Versions of the kernel as upstream counts them (`<4.20`, `>=2.6.32 <4.20`), for claims that a release superseded."""
    virtualization: Words = ()
    """`platform.virtualization`: what the machine runs on; `none` for hardware."""
    substrate: Words = ()
    """`platform.substrate`: what lies below, such as a cloud or a partition manager."""
    second_level_paging: bool | None = None
    """Whether KVM of this machine uses EPT or NPT for its guests."""
    domain_known: bool | None = None
    """Whether the parent's libvirt defines this machine as a domain."""
    manifested: bool | None = None
    """Whether a VirtualMachine of the run's manifests is called like this machine, or like one of its guests."""
    has: Words = ()
    """Of an object: fields that it has, `spec.source.libvirt`; all of them."""
    kind: Words = ()
    """Of an object: VMClass, VMImage, VirtualMachine."""
    nested: bool | None = None
    """Of an object: whether it is about nested virtualization (`for_nesting`)."""
    not_: Annotated[Conditions | None, Field(alias="not")] = None
    """None of the keys inside may hold."""
    any_: Annotated[tuple[Conditions, ...], Field(alias="any")] = ()
    """At least one of these mappings must hold."""

    @model_validator(mode="before")
    @classmethod
    def _alternatives_are_a_list(cls, written: Any) -> Any:  # noqa: ANN401 - whatever the file says
        if isinstance(written, dict) and written.get("any", [{}]) == []:
            raise ValueError("`any` lists no alternative, so it would hold for no machine")
        return written

    def asked(self) -> Iterator[tuple[str, Any]]:
        """Name and value of every condition that is set, the cheap and the declared ones first."""
        for name in type(self).model_fields:
            value = getattr(self, name)
            if value is not None and value != ():
                yield name, value

    def reject_misplaced_keys(self, *, of_object: bool) -> None:
        """Raises ValueError for a condition that can't be asked of an object of a manifest, or of a machine."""
        for name, _ in self.asked():
            if (name not in OF_OBJECTS) if of_object else (name in ONLY_OF_OBJECTS):
                asked_of = "an object of a manifest" if of_object else "a machine"
                raise ValueError(f"`{name}` can't be asked of {asked_of}")
        for inner in (*self.any_, *((self.not_,) if self.not_ else ())):
            inner.reject_misplaced_keys(of_object=of_object)

    def expressions(self) -> Iterator[str]:
        """Every operating system expression inside, versions of the kernel among them, for validation."""
        yield from (*self.os, *self.os_strict, *map(kernel_expression, self.kernel))
        for inner in (*self.any_, *((self.not_,) if self.not_ else ())):
            yield from inner.expressions()
