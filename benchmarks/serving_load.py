"""A load on a model server, from a process of its own: `python -m benchmarks.serving_load`, told on standard input what to do.

Raw sockets and no HTTP library, so that it takes a third of the processor that the quickest server takes, and is the same for all.
"""

from __future__ import annotations

import asyncio
import base64
import json
import sys
import time
from dataclasses import dataclass, field
from typing import cast


@dataclass(slots=True)
class _Tally:
    """What was asked and answered until now."""

    until: float
    latencies: list[float] = field(default_factory=list)
    errors: int = 0
    late: int = 0


class _Connection(asyncio.Protocol):
    """One connection with at most one request under way."""

    def __init__(self, request: bytes, tally: _Tally, *, closed: bool) -> None:
        self._request = request
        self._tally = tally
        self._closed = closed
        self._buffer = b""
        self._started = 0.0
        self.is_free = True
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # that of uvloop is none by class

    def ask(self, started: float) -> None:
        """Sends the request; its latency counts from `started`."""
        self.is_free = False
        self._started = started
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._buffer = self._buffer + data if self._buffer else data
        head = self._buffer.find(b"\r\n\r\n")
        if head < 0:
            return
        place = self._buffer.lower().find(b"content-length:", 0, head)
        length = int(self._buffer[place + 15 : self._buffer.find(b"\r\n", place)])
        if len(self._buffer) < head + 4 + length:
            return
        tally, now = self._tally, time.perf_counter()
        if self._buffer[9:12] == b"200":
            tally.latencies.append(now - self._started)
        else:
            tally.errors += 1
        self._buffer = b""
        self.is_free = True
        if self._closed:
            if now < tally.until:
                self.ask(now)
            elif not self.done.done():
                self.done.set_result(None)

    def connection_lost(self, error: Exception | None) -> None:
        if not self.done.done():
            self._tally.errors += 1
            self.done.set_result(None)

    def close(self) -> None:
        """Ends it."""
        self._transport.close()


async def _load(port: int, request: bytes, connections: int, seconds: float, rate: float) -> dict[str, float]:
    loop = asyncio.get_running_loop()
    tally = _Tally(until=time.perf_counter() + seconds)
    made = [
        (await loop.create_connection(lambda: _Connection(request, tally, closed=not rate), "127.0.0.1", port))[1]
        for _ in range(connections)
    ]
    begun = time.perf_counter()
    tally.until = begun + seconds
    if rate:
        await _at_rate(made, tally, begun, rate)
    else:
        for connection in made:
            connection.ask(time.perf_counter())
        await asyncio.gather(*(connection.done for connection in made))
    taken = time.perf_counter() - begun
    for connection in made:
        connection.close()
    found = sorted(tally.latencies) or [float("nan")]
    return {
        "requests": len(tally.latencies),
        "errors": tally.errors,
        "late": tally.late,
        "seconds": taken,
        "p50": found[len(found) // 2],
        "p99": found[min(len(found) - 1, int(len(found) * 0.99))],
    }


async def _at_rate(made: list[_Connection], tally: _Tally, begun: float, rate: float) -> None:
    # Each request has its moment, and its latency counts from there: a server that stalls is not spared what it delays.
    sent, total = 0, int((tally.until - begun) * rate)
    while sent < total:
        due = begun + sent / rate
        now = time.perf_counter()
        if due > now:
            await asyncio.sleep(due - now)
            continue
        free = next((connection for connection in made if connection.is_free), None)
        if free is None:
            tally.late += 1
            await asyncio.sleep(0)
            continue
        free.ask(due)
        sent += 1
    for _ in range(500):
        if all(connection.is_free for connection in made):
            return
        await asyncio.sleep(0.01)


def main() -> None:
    """Runs what standard input asks for and prints what came of it."""
    import uvloop

    asked = json.loads(sys.stdin.read())
    body = base64.b64decode(asked["body"])
    headers = "".join(f"{name}: {value}\r\n" for name, value in asked["headers"].items())
    head = f"POST {asked['path']} HTTP/1.1\r\nhost: 127.0.0.1\r\n{headers}content-length: {len(body)}\r\n\r\n"
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        found = runner.run(
            _load(asked["port"], head.encode() + body, asked["connections"], asked["seconds"], asked["rate"])
        )
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
