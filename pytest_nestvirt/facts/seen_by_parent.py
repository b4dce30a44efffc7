"""What the hypervisor of a guest shows of it: the frame of the facts that rest on the parent's evidence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from pytest_nestvirt.observation.fact import INVENTORY, Reader, Subject, Unobservable
from pytest_nestvirt.observation.unknown import attempt

P = TypeVar("P")
T = TypeVar("T")


class DefinedGuest(Subject, Generic[P]):
    """A guest as its parent defines and runs it, `P` being what is needed of the parent. It is reported as the parent's.

    Every fact is `Unobservable` where the parent could not be looked at, and for a machine that has no parent.
    """

    several = ""
    """First part of its label, where that is not `name`."""

    def __init__(self, reader: Reader, domain: str, parent: P | None) -> None:
        """`reader` is the parent's, or the machine's own if it has none; `domain` is what the parent calls the guest."""
        super().__init__(reader)
        self.domain = domain
        self._parent = parent

    @property
    def label(self) -> str:
        """Several guests of one parent are distinguished by their names."""
        return f"{self.several or self.name}.{self.domain}" if self._parent else self.name

    @property
    def parent(self) -> P:
        """What it is a guest of; `Unobservable` for a machine that has no parent in the inventory."""
        if self._parent is None:
            self.reader.note(INVENTORY)
            raise Unobservable(INVENTORY, f"{self.reader.host} is not a guest in the inventory")
        return self._parent

    def ask(self, question: Callable[[P], T]) -> T:
        """What the parent shows. Where that is unknown, the reason names the parent, since a reader takes it for the guest's."""
        parent, host = self.parent, self.reader.host
        answer = attempt(lambda: question(parent))
        if not isinstance(answer, Unobservable):
            return answer
        if answer.host not in {"", host}:
            raise answer  # worded for others already
        raise Unobservable(answer.source, f"on {host}: {answer.why}", host)
