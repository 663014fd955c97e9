"""A fleet of model servers that follow one deployment: how long a roll-out takes to reach all, and what the store bears.

The followers are the real ones, each with its own models and reports, on a real folder; only their waiting is simulated, so that
minutes of thousands of servers pass in a minute of this machine. `python -m benchmarks.fleet [servers]` prints the table.
"""

from __future__ import annotations

import heapq
import random
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.pairs import Pair, Timing
from flyball.deployment.manifest_keys import ManifestKey
from flyball.models.package import ModelPackage, save_model
from flyball.serving.follower import Follower
from flyball.serving.manifest import Arm, Manifest, manifest_key
from flyball.serving.signed_manifest import read_keys, write_manifest
from flyball.storage.local_objects import LocalObjects
from flyball.storage.object_store import ObjectStat
from flyball.storage.objects import Blobs

SERVERS = 2_000
INTERVAL, HEARTBEAT = 30.0, 300.0
_SPREAD = 0.2
_SOURCE = "def predict(table):\n    return [{value}.0] * table.num_rows\n"


class CountingStore:
    """A store that counts what it is asked."""

    def __init__(self, store: LocalObjects) -> None:
        self._store = store
        self.asked: Counter[str] = Counter()
        self.bytes = 0

    def put(self, key: str, data: bytes | Path, *, if_absent: bool = False) -> bool:
        """Writes an object."""
        self.asked["put"] += 1
        return self._store.put(key, data, if_absent=if_absent)

    def get(self, key: str) -> bytes:
        """All bytes of an object."""
        self.asked["get"] += 1
        data = self._store.get(key)
        self.bytes += len(data)
        return data

    def fetch(self, key: str, to: Path) -> None:
        """Copies an object."""
        self.asked["get"] += 1
        self._store.fetch(key, to)

    def stat(self, key: str) -> ObjectStat | None:
        """What is known of an object."""
        self.asked["stat"] += 1
        return self._store.stat(key)

    def list(self, prefix: str) -> Iterator[ObjectStat]:
        """The objects of a prefix."""
        self.asked["list"] += 1
        return self._store.list(prefix)

    def delete(self, key: str) -> None:
        """Removes an object."""
        self._store.delete(key)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """What came of one roll-out.

    Attributes:
        seconds: Until each server answered with it, sorted.
        quiet: Requests a second to the store while nothing changed.
        busy: The same in the busiest second of the roll-out.
        each: Requests of one server for one roll-out.
        megabytes: That all servers fetched for it.
        cpu: CPU seconds of one look that finds nothing new.
    """

    servers: int
    seconds: list[float]
    quiet: float
    busy: int
    each: float
    megabytes: float
    cpu: float


def simulate(servers: int, folder: Path) -> Reached:
    """Rolls a second version out to so many servers."""
    kept = LocalObjects(folder / "objects", durable=False)
    store, key, clock = CountingStore(kept), ManifestKey(folder / "keys"), [0.0]
    packages = [_package(folder, kept, value) for value in (1, 2)]

    def publish(generation: int) -> None:
        package = packages[generation - 1]
        arm = Arm(
            revision=f"m-{generation}", model="m", version=generation, package=package, role="champion", weight=1.0
        )
        manifest = Manifest(deployment="fleet", generation=generation, arms=(arm,))
        kept.put(manifest_key("fleet"), write_manifest(manifest, key))

    publish(1)
    trusted = read_keys([key.public_file])
    fleet = [
        Follower(
            store, replica=f"server-{number}", deployments=["fleet"], interval=INTERVAL, heartbeat=HEARTBEAT,
            trusted=trusted, ticks=lambda: clock[0],
        )
        for number in range(servers)
    ]  # fmt: skip
    drawn = random.Random(0)
    due = [(drawn.uniform(0, INTERVAL), number) for number in range(servers)]
    heapq.heapify(due)
    by_second: Counter[int] = Counter()
    reached: dict[int, float] = {}
    spent, looks, begun_quiet, published = 0.0, 0, 2 * INTERVAL, 2 * INTERVAL + HEARTBEAT
    before: Counter[str] = Counter()
    size = 0
    is_out = False
    try:
        while len(reached) < servers:
            clock[0], number = heapq.heappop(due)
            if not before and clock[0] >= begun_quiet:
                before = Counter(store.asked)
            if not is_out and clock[0] >= published:
                quiet = (store.asked.total() - before.total()) / (published - begun_quiet)
                publish(2)
                is_out, size, at_start = True, store.bytes, store.asked.total()
            asked, started = store.asked.total(), time.process_time()
            fleet[number].look()
            if begun_quiet <= clock[0] < published:
                spent, looks = spent + time.process_time() - started, looks + 1
            by_second[int(clock[0])] += store.asked.total() - asked
            runtime = fleet[number].endpoints["fleet"].runtime
            if runtime is not None and runtime.manifest.generation == 2:
                reached.setdefault(number, clock[0] - published)
            heapq.heappush(due, (clock[0] + INTERVAL * drawn.uniform(1 - _SPREAD, 1 + _SPREAD), number))
    finally:
        for each in fleet:
            each.stop()
    return Reached(
        servers=servers, seconds=sorted(reached.values()), quiet=quiet,
        busy=max(count for second, count in by_second.items() if second >= published),
        each=(store.asked.total() - at_start) / servers, megabytes=(store.bytes - size) / 1e6, cpu=spent / max(looks, 1),
    )  # fmt: skip


def run() -> list[Pair]:
    """The pairs with their goals: all are reached within an interval and its jitter, at about a request a server and interval."""
    with tempfile.TemporaryDirectory() as text:
        found = simulate(SERVERS, Path(text))
    last, limit = found.seconds[-1], INTERVAL * (1 + _SPREAD)
    asked = found.quiet / (found.servers / INTERVAL + found.servers / HEARTBEAT)
    return [
        _absolute(f"roll-out reaches {found.servers:,} servers that look each {INTERVAL:g} s", last, limit),
        _absolute("requests to the store in quiet, of a look and a report each (ratio alone counts)", asked, 1.1),
    ]


def _absolute(name: str, found: float, limit: float) -> Pair:
    ours, theirs = Timing(cpu=found, wall=found), Timing(cpu=limit, wall=limit)
    return Pair(name=name, ours=ours, theirs=theirs, against="the goal", ratio=found / limit, goal=1.0)


def _package(folder: Path, store: LocalObjects, value: int) -> ModelPackage:
    import pyarrow as pa

    path = folder / f"fleet_model_{value}.py"
    path.write_text(_SOURCE.format(value=value), encoding="utf-8")
    space: dict[str, object] = {}
    exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), space)  # made above
    return save_model(space["predict"], Blobs(store), example=pa.table({"x": [1.0]}))


def main() -> None:
    """Prints what came of roll-outs to fleets of several sizes."""
    sizes = [int(text) for text in sys.argv[1:]] or [100, SERVERS]
    print(f"looks each {INTERVAL:g} s, reports each {HEARTBEAT:g} s")
    for servers in sizes:
        with tempfile.TemporaryDirectory() as text:
            found = simulate(servers, Path(text))
        print(
            f"{servers:>6,} servers: half after {statistics.median(found.seconds):.1f} s, all after {found.seconds[-1]:.1f} s; "
            f"store: {found.quiet:.1f} requests/s in quiet, {found.busy:,} in the busiest second, {found.each:.1f} a server, "
            f"{found.megabytes:.1f} MB; a look: {found.cpu * 1e6:.0f} us CPU"
        )


if __name__ == "__main__":
    main()
