"""Features: the point-in-time join, reading by key in this process, and over HTTP, against Feast.

Both sides read the same Parquet files: three views of five features. Feast joins with its DuckDB store and serves from SQLite, as
ours does; ours also from LMDB. Feast runs in an environment of its own (`peers.py`).
"""

from __future__ import annotations

import os
import random
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import urllib3

from benchmarks.pairs import Pair, Timing
from benchmarks.peers import PeerUnavailable, peer

LABELS = 1_000_000
ROWS = 1_000_000
KEYS = 100_000
SERVED = 10_000
ROUNDS = 3
_SCRIPT = Path(__file__).parent / "clients" / "feast_features.py"
_QUIET = {"FEAST_USAGE": "False", "PYTHONWARNINGS": "ignore", "OMP_NUM_THREADS": "2"}


def run() -> list[Pair]:
    """Measures all of it; without Feast nothing, said loudly."""
    try:
        python = peer("feast")
    except PeerUnavailable as problem:
        sys.stderr.write(f"*** Feast is not to be had, its pairs are left out: {problem}\n")
        return []
    with tempfile.TemporaryDirectory(prefix="flyball-features-") as name:
        large, small = Path(name) / "large", Path(name) / "small"
        _data(large, ROWS, KEYS, LABELS)
        _data(small, 20_000, SERVED, 10)
        return [_join(large, python), *_online(small, python), _http(small, python)]


def _data(folder: Path, rows: int, keys: int, labels: int) -> None:
    folder.mkdir()
    now = datetime.now(UTC).replace(tzinfo=None)
    for name in ("v0", "v1", "v2", "rows"):
        order = np.random.default_rng(len(name) + ord(name[-1]))
        count = labels if name == "rows" else rows
        ages = order.integers(0, 30 * 86_400 * 10**6, count).astype("timedelta64[us]")
        moments = pa.array((np.datetime64(now) - ages).astype("datetime64[us]")).cast(pa.timestamp("us", "UTC"))
        things = order.permutation(np.arange(count) % keys)  # every thing has rows
        values = {} if name == "rows" else {f"{name}_{n}": order.random(count) for n in range(5)}
        pq.write_table(pa.table({"user": things, "at": moments, **values}), folder / f"{name}.parquet")


def _views() -> list[Any]:
    from flyball.features.definition import feature_view

    made = [feature_view(f"v{n}", f"v{n}.parquet", entity="user", time="at", ttl="60d") for n in range(3)]
    return [replace(view, version=1) for view in made]


def _join(folder: Path, python: Path) -> Pair:
    from flyball.features.join import join_features

    def ours() -> Timing:
        start = time.process_time(), time.perf_counter()
        rows = pq.read_table(folder / "rows.parquet")
        views = [(view, pq.read_table(folder / view.source)) for view in _views()]
        joined = join_features(rows, views, time="at")
        taken = Timing(cpu=time.process_time() - start[0], wall=time.perf_counter() - start[1])
        assert joined.num_rows == LABELS
        return taken

    def theirs() -> Timing:
        cpu, wall, rows = _feast(python, folder, "join").split()
        assert int(rows) <= LABELS
        return Timing(cpu=float(cpu), wall=float(wall))

    return _pair(f"join of {LABELS:,} labels with 3 views", ours, theirs, against="Feast on DuckDB", goal=2.5 / 10.7)


def _online(folder: Path, python: Path) -> list[Pair]:
    one, hundred = (float(text) for text in _feast(python, folder, "online").split())
    pairs = []
    for kind in ("sqlite", "lmdb"):
        reader = _reader(folder, kind)
        for size, theirs, goal in ((1, one, 10 / 419), (100, hundred, 0.4 / 17.6)):
            name = f"{kind}: {size} key{'s' if size > 1 else ''}, 15 features of 3 views"
            ours = _reading(reader, size)
            timings = [ours() for _ in range(ROUNDS)]
            best = statistics.median(timing.cpu for timing in timings)
            pairs.append(
                Pair(
                    name=name,
                    ours=Timing(cpu=best, wall=best),
                    theirs=Timing(cpu=theirs, wall=theirs),
                    against="Feast on SQLite",
                    ratio=best / theirs,
                    goal=goal,
                )
            )
    return pairs


def _reader(folder: Path, kind: str) -> Any:
    from flyball.features.material import stored_schema
    from flyball.features.online.base import open_online
    from flyball.features.plan import FeaturePlan, merged
    from flyball.features.reading import OnlineReader
    from flyball.features.views import planned
    from flyball.features.writing import write_latest

    store = open_online(f"{kind}:///{folder / f'online-{kind}'}")
    plans = []
    for view in _views():
        table = pq.read_table(folder / view.source)
        write_latest(store, view, table, datetime.now(UTC))
        plans.append(FeaturePlan(views=(planned(view, stored_schema(view, table)),)))
    return OnlineReader(store, merged(plans))


def _reading(reader: Any, size: int) -> Callable[[], Timing]:
    order = random.Random(7)

    def read() -> Timing:
        asked = [[{"user": order.randrange(SERVED)} for _ in range(size)] for _ in range(2_000 // size)]
        start = time.process_time()
        for entities in asked:
            if size == 1:
                assert None not in reader.read(entities[0]).values()
            else:
                reader.read_many(entities)
        return Timing(cpu=(time.process_time() - start) / len(asked), wall=0.0)

    read()
    return read


def _http(folder: Path, python: Path) -> Pair:
    features = [f"v{view}:v{view}_{n}" for view in range(3) for n in range(5)]
    _feast(python, folder, "apply")
    feast = [str(python.with_name("feast")), "-c", str(folder), "serve", "--no-access-log"]
    theirs = _served(
        [*feast, "-w", "1", "-p"], folder, "/get-online-features", {"features": features, "entities": {"user": [7]}}
    )
    _project(folder)
    ours = _served(
        [sys.executable, "-m", "flyball.cli", "features", "serve", "--port"],
        folder,
        "/features",
        {"features": ["v0", "v1", "v2"], "entities": [{"user": 7}]},
    )
    return Pair(
        name="one key over HTTP, 15 features of 3 views",
        ours=ours,
        theirs=theirs,
        against="feast serve",
        ratio=ours.cpu / theirs.cpu,
        goal=0.1,
    )


def _project(folder: Path) -> None:
    lines = [f'fb.feature_view("v{n}", "v{n}.parquet", entity="user", time="at", ttl="60d")' for n in range(3)]
    (folder / "project.py").write_text("\n".join(["import flyball as fb", *lines]) + "\n", encoding="utf-8")
    (folder / "flyball.toml").write_text('name = "bench"\n', encoding="utf-8")
    command = [sys.executable, "-m", "flyball.cli", "features", "materialize", "--json"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)


def _served(command: list[str], folder: Path, path: str, body: object, count: int = 3_000) -> Timing:
    """CPU and wall seconds of a request at a server, its own and its children's."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = (folder / "server.log").open("wb")
    process = subprocess.Popen(
        [*command, str(port)], cwd=folder, env={**os.environ, **_QUIET}, stdout=log, stderr=log, start_new_session=True
    )
    try:
        pool = urllib3.HTTPConnectionPool("127.0.0.1", port, maxsize=1, retries=False)

        def ask() -> int:
            return pool.request("POST", path, json=body).status

        deadline = time.monotonic() + 120
        while True:
            try:
                if ask() == 200:
                    break
            except urllib3.exceptions.HTTPError:
                pass
            if time.monotonic() > deadline or process.poll() is not None:
                raise RuntimeError((folder / "server.log").read_text(errors="replace")[-2000:])
            time.sleep(0.2)
        for _ in range(100):
            ask()
        before, start = _cpu(process.pid), time.perf_counter()
        for _ in range(count):
            assert ask() == 200
        return Timing(cpu=(_cpu(process.pid) - before) / count, wall=(time.perf_counter() - start) / count)
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        log.close()


def _cpu(pid: int) -> float:
    """CPU seconds of a process and its children; also of those that ended, as Feast's server begins a new one after each 1,000."""
    found = psutil.Process(pid)
    return float(sum(sum(process.cpu_times()[:4]) for process in (found, *found.children(recursive=True))))


def _feast(python: Path, folder: Path, what: str) -> str:
    done = subprocess.run(
        [python, _SCRIPT, what], cwd=folder, env={**os.environ, **_QUIET}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"Feast failed: {done.stderr[-2000:]}")
    return "\n".join(line for line in done.stdout.splitlines() if line and line[0].isdigit())


def _pair(
    name: str, ours: Callable[[], Timing], theirs: Callable[[], Timing], *, against: str, goal: float | None
) -> Pair:
    taken = [(ours(), theirs()) for _ in range(ROUNDS)]

    def middle(timings: list[Timing]) -> Timing:
        return Timing(cpu=statistics.median(t.cpu for t in timings), wall=statistics.median(t.wall for t in timings))

    return Pair(
        name=name,
        ours=middle([a for a, _ in taken]),
        theirs=middle([b for _, b in taken]),
        against=against,
        ratio=statistics.median(a.cpu / b.cpu for a, b in taken),
        goal=goal,
    )
