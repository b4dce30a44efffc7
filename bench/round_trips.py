"""How many round trips one host costs, counted by a relay on loopback that delays every byte, at one leg of the way after the other.

The relay stands before the sshd of one hop. A flight is what the client sends after it has heard something: so many round trips
there are, and TCP's own handshake, which the relay answers itself, is one more.

    python bench/round_trips.py --milliseconds 0,50,200 --hops 0,1,2
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests" / "support"))

from sshd import Sshd  # noqa: E402 - the real sshd of the tests

from pytest_nestvirt.collect.probe import collect  # noqa: E402
from pytest_nestvirt.inventory.host import Deadlines, Host, Inventory  # noqa: E402
from pytest_nestvirt.transport.pool import Transports  # noqa: E402


@dataclass
class Relay:
    """Passes bytes on after half a round trip each way, and counts the client's flights on each connection."""

    target: int
    delay: float
    port: int = 0
    flights: list[list[int]] = field(default_factory=list)
    """Bytes of each flight, by connection."""
    stop: Callable[[], object] = print

    async def serve(self, started: threading.Event) -> None:
        """Listen on a port of its own until the loop is stopped."""
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        task, loop = asyncio.current_task(), asyncio.get_running_loop()
        assert task is not None
        self.stop = partial(loop.call_soon_threadsafe, task.cancel)
        started.set()
        async with server:
            await server.serve_forever()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self.target)
        flights: list[int] = []
        heard = [True]
        self.flights.append(flights)

        def sent(size: int) -> None:
            if heard[0]:
                flights.append(0)
                heard[0] = False
            flights[-1] += size

        def answered() -> None:
            heard[0] = True

        with suppress(asyncio.CancelledError, OSError):
            await asyncio.gather(self._pass(reader, back, sent, None), self._pass(there, writer, None, answered))

    async def _pass(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, sent, answered) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
        loop = asyncio.get_running_loop()
        while data := await source.read(1 << 20):
            if sent is not None:
                sent(len(data))
            loop.call_later(self.delay, self._deliver, sink, data, answered)
        loop.call_later(self.delay, sink.close)

    @staticmethod
    def _deliver(sink: asyncio.StreamWriter, data: bytes, answered) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
        sink.write(data)
        if answered is not None:
            answered()


@contextmanager
def relayed(target: int, seconds: float) -> Iterator[Relay]:
    """A relay with so long a round trip, in a thread of its own."""
    relay, started = Relay(target, seconds / 2), threading.Event()

    def run() -> None:
        with suppress(asyncio.CancelledError):
            asyncio.run(relay.serve(started))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    started.wait(10)
    try:
        yield relay
    finally:
        relay.stop()
        thread.join(10)


def way(sshd: Sshd, hops: int) -> list[Host]:
    """A machine behind so many hops."""
    deadlines = Deadlines(30, 60, 120)
    found: list[Host] = []
    for place in range(hops + 1):
        above = found[-1].name if found else None
        found.append(replace(sshd.host(f"h{place}"), level=place, parent=above, via=above, deadlines=deadlines))
    return found


def seconds_to_collect(hosts: list[Host]) -> float:
    """From nothing to the snapshot of the last machine, every hop connected to on the way."""

    def no_recorded(host: Host) -> None:
        raise AssertionError(host)

    before = time.perf_counter()
    with Transports(Inventory(tuple(hosts)), no_recorded) as transports:  # type: ignore[arg-type]
        collect(transports.of(hosts[-1]), hosts[-1])
        return time.perf_counter() - before


def main() -> None:
    """Print a line for each way, leg and round-trip time, and one of JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--milliseconds", default="0,50,200")
    parser.add_argument("--hops", default="0,1,2")
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as temporary, Sshd(Path(temporary)) as sshd:
        sshd.known_hosts.write_text(f"* {sshd.known_hosts_text().partition(' ')[2]}")
        for hops in map(int, options.hops.split(",")):
            for leg in range(hops + 1):
                for milliseconds in map(float, options.milliseconds.split(",")):
                    with relayed(sshd.port, milliseconds / 1000) as relay:
                        hosts = way(sshd, hops)
                        hosts[leg] = replace(hosts[leg], ssh=replace(hosts[leg].ssh, port=relay.port))
                        seconds = seconds_to_collect(hosts)
                    flights = relay.flights[0]
                    rows.append(
                        {"hops": hops, "leg": leg, "ms": milliseconds, "s": round(seconds, 2), "flights": len(flights)}
                    )
                    print(
                        f"{hops} hops, {milliseconds:g} ms before h{leg}: {len(flights)} flights in {seconds:.2f} s "
                        f"(bytes: {' '.join(map(str, flights))})",
                        flush=True,
                    )
    print(json.dumps(rows))


if __name__ == "__main__":
    main()
