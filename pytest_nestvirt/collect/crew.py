"""Threads that look at hosts, with others in their place while some of them only wait for a host that does not answer."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from queue import Empty, SimpleQueue

from pytest_nestvirt.collect.look import Collected
from pytest_nestvirt.inventory.host import Host

STALLED_SECONDS = 10.0
"""A host that takes longer than this no longer counts among those that are looked at side by side."""
TICK_SECONDS = 0.5
MOST = 3
"""Times the size that was asked for: so many threads there are at most, and so many connections are open."""


@dataclass(frozen=True, slots=True)
class _Done:
    collected: Collected | None
    crash: BaseException | None = None


class Crew:
    """`size` threads, in addition to those that are stalled."""

    def __init__(self, size: int, look: Callable[[Host], Collected]) -> None:
        self._size = size
        self._look = look
        self._tasks: SimpleQueue[Host | None] = SimpleQueue()
        self._done: SimpleQueue[_Done] = SimpleQueue()
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._members = 0
        self._wanted = size
        self._since: dict[str, float] = {}
        self._relieved = time.monotonic()
        self._grow()

    def assign(self, host: Host) -> None:
        """Have a host looked at when there is a thread for it."""
        self._tasks.put(host)

    def is_looking_at(self, name: str) -> bool:
        """Whether one of the threads is at a host."""
        return name in self._since

    def next_result(self, until: float | None) -> Collected | None:
        """What came of the next host; None where the moment `until` (on the monotonic clock) comes first."""
        while True:
            left = TICK_SECONDS if until is None else min(TICK_SECONDS, until - time.monotonic())
            try:
                done = self._done.get(timeout=max(left, 0))
            except Empty:
                if until is not None and time.monotonic() >= until:
                    return None
                continue
            finally:
                self._relieve()
            if done.crash is not None:
                raise done.crash
            return done.collected

    def stop(self) -> None:
        """Begin nothing new. What is being waited for is left alone."""
        self._stopped.set()
        with self._lock:
            for _ in range(self._members):
                self._tasks.put(None)

    def _relieve(self) -> None:
        """Let other threads go on with the rest while hosts do not answer."""
        now = time.monotonic()
        if now - self._relieved < TICK_SECONDS:
            return
        self._relieved = now
        stalled = sum(now - since > STALLED_SECONDS for since in list(self._since.values()))
        self._wanted = min(self._size + stalled, MOST * self._size)
        self._grow()

    def _grow(self) -> None:
        # Own daemon threads: those of an executor are waited for when the interpreter ends, so that Ctrl-C would have
        # to sit out the longest deadline.
        with self._lock:
            while self._members < self._wanted:
                self._members += 1
                threading.Thread(target=self._work, name="nestvirt-collect", daemon=True).start()

    def _work(self) -> None:
        while (host := self._tasks.get()) is not None and not self._stopped.is_set():
            self._since[host.name] = time.monotonic()
            try:
                done = _Done(self._look(host))
            except BaseException as crash:  # noqa: BLE001 - handed to the thread that waits, which raises it
                done = _Done(None, crash)
            self._since.pop(host.name, None)
            self._done.put(done)
            if self._is_superfluous():
                return

    def _is_superfluous(self) -> bool:
        """Whether one thread may end, since those that were stalled are back."""
        with self._lock:
            if self._members <= self._wanted:
                return False
            self._members -= 1
            return True
