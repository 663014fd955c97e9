"""Flyball's server against MLflow's own, driven by the same unmodified client: `python -m benchmarks.mlflow [--small]`.

Both run on this machine at the same time and take turns, A B A B. CPU is that of the server's processes alone. It needs what
`python -m tools.provision` gets, and takes some minutes; `--small` takes a tenth of each amount. Names of parts after it (`log`,
`history`, `search`, `native`, `files`) run these alone.

The client is the same on both sides, and where an answer is quick it is the client that takes the time: so both its clock and the
servers' processors are shown, and the goal of a search or a history counts by the processors. Two floors are measured in the
same run, by the same client, on servers of `plain_server.py` that do nothing else: a web server that keeps one point in SQLite,
synced, for every call; and one that writes bodies to files. A plain copy of files is one that is as durable as ours: file and
folder are on the disk when the client is answered. One that leaves this to chance does less work; its time is shown as well.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import urllib3

from tools.environments import MLFLOW3

_ROUNDS = 3
_DAY = datetime(2026, 1, 1, tzinfo=UTC)
_CLIENT = Path(__file__).parent / "clients" / "mlflow_work.py"
_QUIET = {
    "GIT_PYTHON_REFRESH": "quiet",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "PYTHONWARNINGS": "ignore",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One line of the table; `goal` is met if `is_met` says so, and `-` is none."""

    work: str
    ours: str
    theirs: str
    ratio: str
    goal: str
    is_met: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A server under measurement."""

    url: str
    process: psutil.Process
    database: Path
    seconds_to_ready: float

    def processes(self) -> list[psutil.Process]:
        """Its processes; of several that `flyball up` starts, the server alone."""
        family = [self.process, *self.process.children(recursive=True)]
        own = [one for one in family if "flyball.server.main" in " ".join(one.cmdline())]
        return own or family

    def cpu(self) -> float:
        """CPU seconds so far."""
        times = [one.cpu_times() for one in self.processes()]
        return float(sum(t.user + t.system for t in times))

    def memory(self) -> float:
        """Resident MiB, of all its processes."""
        return float(sum(one.memory_info().rss for one in self.processes())) / (1 << 20)

    def database_size(self) -> int:
        """Bytes of the database, its log written back."""
        with sqlite3.connect(self.database) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return self.database.stat().st_size


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """Seconds of the client's clock and of the server's processors."""

    wall: float
    cpu: float


def main(arguments: list[str]) -> int:
    """Measures and prints the table; 1 if a goal is missed."""
    python = MLFLOW3.find()
    if python is None:
        sys.stderr.write("There is no MLflow to compare with. Run: python -m tools.provision\n")
        return 2
    size = 10 if "--small" in arguments else 1
    with (
        tempfile.TemporaryDirectory(prefix="flyball-benchmark-", ignore_cleanup_errors=True) as name,
        ExitStack() as stack,
    ):
        folder = Path(name)
        _fill_ours(folder / "ours", 5_000 // size)
        theirs = stack.enter_context(_theirs(folder / "theirs", python, 5_000 // size))
        ours = stack.enter_context(_ours(folder / "ours"))
        met = []
        print("| work | Flyball | MLflow | ratio | goal | |\n|---|---|---|---|---|---|")
        parts = [name for name in arguments if not name.startswith("-")]
        for one in _figures(folder, python, ours, theirs, size, parts or list(_PARTS)):
            cells = (one.work, one.ours, one.theirs, one.ratio, one.goal, "met" if one.is_met else "MISSED")
            print(f"| {' | '.join(cells)} |", flush=True)
            met.append(one.is_met)
    return 0 if all(met) else 1


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pair:
    """What is compared: both servers, under the load of one client."""

    folder: Path
    python: Path
    ours: Server
    theirs: Server
    size: int

    def both(self, work: str, amount: int, files: Path | None = None, rounds: int = _ROUNDS) -> tuple[Taken, Taken]:
        """What the work takes on our server and on MLflow's, in turn: the median of some rounds."""
        sys.stderr.write(f"{work} ...\n")
        servers = (self.ours, self.theirs)
        taken = [[_run(self.python, server, work, amount, files) for server in servers] for _ in range(rounds)]
        return _middle([one[0] for one in taken]), _middle([one[1] for one in taken])


def _figures(folder: Path, python: Path, ours: Server, theirs: Server, size: int, parts: list[str]) -> Iterator[Figure]:
    pair = _Pair(folder=folder, python=python, ours=ours, theirs=theirs, size=size)
    a, b = ours.seconds_to_ready, theirs.seconds_to_ready
    yield Figure(
        work="server ready",
        ours=f"{a:.2f} s",
        theirs=f"{b:.1f} s",
        ratio=f"{b / a:.0f} x",
        goal="<= 1 s",
        is_met=a <= 1,
    )
    for part in parts:
        yield from _PARTS[part](pair)
    a, b = ours.memory(), theirs.memory()
    yield Figure(
        work="resident memory after all this", ours=f"{a:.0f} MiB", theirs=f"{b:,.0f} MiB, {len(theirs.processes())} processes",
        ratio=f"{b / a:.0f} x", goal="<= 150 MiB", is_met=a <= 150,
    )  # fmt: skip


def _log(pair: _Pair) -> Iterator[Figure]:
    calls, points = 1_000 // pair.size, 100_000 // pair.size
    with _plain("metrics", pair.folder) as plain:
        a, b = pair.both("single", calls)
        floor = _middle([_run(pair.python, plain, "plain_single", calls, None) for _ in range(_ROUNDS)])
    yield _per("server CPU per `log_metric`", a.cpu, b.cpu, calls, "ms", 1e3, 0.3)
    yield Figure(
        work="the same, against a bare server that keeps a point durably", ours=f"{a.cpu / calls * 1e3:.3g} ms",
        theirs=f"bare: {floor.cpu / calls * 1e3:.3g} ms", ratio=f"{a.cpu / floor.cpu:.1f} x its CPU", goal="-", is_met=True,
    )  # fmt: skip
    before = pair.ours.database_size(), pair.theirs.database_size()
    a, b = pair.both("batches", points, rounds=1)
    yield _per("server CPU per point in batches of 1,000", a.cpu, b.cpu, points, "ms", 1e3, 0.004)
    time.sleep(3)
    after = pair.ours.database_size(), pair.theirs.database_size()
    yield _per("database bytes per point", after[0] - before[0], after[1] - before[1], points, "B", 1, 30)
    a, b = pair.both("wide", points // 10)
    yield _per("server CPU per point in batches of 1,000 metrics", a.cpu, b.cpu, points // 10, "ms", 1e3, 0.004)


def _history(pair: _Pair) -> Iterator[Figure]:
    points = 100_000 // pair.size
    pair.both("batches", points, rounds=1)
    a, b = pair.both("history", points)
    yield _faster(f"history of {points:,} points, server CPU", a.cpu, b.cpu, 10)
    yield _faster("the same, client's clock", a.wall, b.wall, None)


def _search(pair: _Pair) -> Iterator[Figure]:
    for work, what in (("search", "search of 5,000 runs, filter and order"), ("newest", "newest 1,000 runs")):
        a, b = pair.both(work, 3)
        yield _faster(f"{what}, server CPU", a.cpu / 3, b.cpu / 3, 10)
        yield _faster("the same, client's clock", a.wall / 3, b.wall / 3, None)


def _natively(pair: _Pair) -> Iterator[Figure]:
    calls = 10_000 // pair.size
    native = _native(pair.folder, pair.ours, calls)
    for work, goal, amount in (("single", 50, calls // 10), ("unsynchronised", 10, calls // 10)):
        sys.stderr.write(f"native against {work} ...\n")
        wall = _run(pair.python, pair.theirs, work, amount, None).wall * calls / amount
        yield _faster(f"{calls:,} metrics until durable: native, against mlflow's {work}", native, wall, goal)


def _artifacts(pair: _Pair) -> Iterator[Figure]:
    large, small = pair.folder / "large", pair.folder / "small"
    large.mkdir()
    with (large / "file").open("wb") as file:
        for _ in range(1024 // pair.size):
            file.write(os.urandom(1 << 20))
    small.mkdir()
    for number in range(5_000 // pair.size):
        (small / f"{number:05}").write_bytes(os.urandom(1000))
    with _plain("files", pair.folder) as durable, _plain("volatile-files", pair.folder) as volatile:
        for files, what in ((large, "1 GiB"), (small, "5,000 small files")):
            for work in ("upload", "download"):
                a, b = pair.both(work, 1, files, rounds=1)
                plain, loose = (_run(pair.python, one, f"plain_{work}", 1, files) for one in (durable, volatile))
                yield _faster(f"{what} {work} by mlflow's client, its clock", a.wall, b.wall, None)
                yield _faster("the same, server CPU", a.cpu, b.cpu, 10)
                yield Figure(
                    work=f"{what} {work} against a plain copy by the same client", ours=f"{a.wall:.2f} s",
                    theirs=f"plain: {plain.wall:.2f} s; not durable: {loose.wall:.2f} s", ratio=f"{plain.wall / a.wall:.2f}",
                    goal=">= 0.8", is_met=plain.wall / a.wall >= 0.8,
                )  # fmt: skip
            sys.stderr.write(f"{what} native ...\n")
            seconds = _native_files(pair.folder, pair.ours, files)
            for work, native in zip(("upload", "download"), seconds, strict=True):
                plain = _run(pair.python, durable, f"bare_{work}", 1, files)
                yield Figure(
                    work=f"{what} {work} by our own client, against a bare HTTP client", ours=f"{native:.2f} s",
                    theirs=f"plain: {plain.wall:.2f} s", ratio=f"{plain.wall / native:.2f}",
                    goal=">= 0.8", is_met=plain.wall / native >= 0.8,
                )  # fmt: skip


_PARTS: dict[str, Callable[[_Pair], Iterator[Figure]]] = {
    "log": _log,
    "history": _history,
    "search": _search,
    "native": _natively,
    "files": _artifacts,
}


def _per(work: str, ours: float, theirs: float, count: int, unit: str, scale: float, goal: float) -> Figure:
    a, b = ours / count * scale, theirs / count * scale
    ratio = f"{b / a:.0f} x" if a else "-"
    return Figure(
        work=work,
        ours=f"{a:.4g} {unit}",
        theirs=f"{b:.4g} {unit}",
        ratio=ratio,
        goal=f"<= {goal:g} {unit}",
        is_met=a <= goal,
    )


def _faster(work: str, ours: float, theirs: float, goal: float | None) -> Figure:
    return Figure(
        work=work, ours=f"{ours:.3f} s", theirs=f"{theirs:.3f} s", ratio=f"{theirs / max(ours, 1e-9):.1f} x",
        goal="-" if goal is None else f">= {goal:g} x", is_met=goal is None or theirs >= ours * goal,
    )  # fmt: skip


def _run(python: Path, server: Server, work: str, amount: int, files: Path | None) -> Taken:
    command = [str(python), str(_CLIENT), work, str(amount), *([str(files)] if files else [])]
    environment = {**os.environ, **_QUIET, "MLFLOW_TRACKING_URI": server.url}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=environment, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        said: list[str] = []
        reader = threading.Thread(target=lambda: said.append(process.stderr.read() if process.stderr else ""))
        reader.start()
        for line in process.stdout:
            if line.strip() == "ready":
                break
        else:
            reader.join()
            raise RuntimeError(f"{work} failed: {said[0][-2000:]}")
        before = server.cpu()
        process.stdin.write("\n")
        process.stdin.flush()
        last = process.stdout.readline()
        after = server.cpu()
        if not last.strip():
            reader.join()
            raise RuntimeError(f"{work} failed: {said[0][-2000:]}")
    return Taken(wall=json.loads(last), cpu=after - before)


def _middle(taken: list[Taken]) -> Taken:
    return Taken(wall=statistics.median(t.wall for t in taken), cpu=statistics.median(t.cpu for t in taken))


def _native_files(folder: Path, ours: Server, files: Path) -> tuple[float, float]:
    """Seconds of Flyball's own client until all files of a folder are kept on the server, and until they are back."""
    script = f"""
import shutil, tempfile, time
from pathlib import Path
import flyball as fb
from flyball.client import open_workspace
from flyball.settings import load_settings
from flyball.tracking.downloads import download_artifacts
with fb.run("warm") as run:
    fb.log(loss=1.0)
began = time.perf_counter()
with fb.run("files") as run:
    fb.log_artifacts({str(files)!r}, "files")
print(time.perf_counter() - began)
with open_workspace(load_settings()) as there:
    began = time.perf_counter()
    download_artifacts(there, run.id, Path("back"))
    print(time.perf_counter() - began)
"""
    environment = {**os.environ, "FLYBALL_URL": ours.url, "FLYBALL_WORKSPACE": str(folder / "native files")}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, cwd=folder, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"native files failed: {done.stderr[-2000:]}")
    up, down = done.stdout.split()
    shutil.rmtree(folder / "back")
    return float(up), float(down)


def _native(folder: Path, ours: Server, calls: int) -> float:
    """Seconds of Flyball's own client until all metrics are kept on the server, the start of the process apart."""
    script = f"""
import time, flyball as fb
with fb.run("warm"):
    fb.log(loss=1.0)
began = time.perf_counter()
with fb.run("native"):
    for step in range({calls}):
        fb.log(step=step, loss=0.5)
print(time.perf_counter() - began)
"""
    environment = {**os.environ, "FLYBALL_URL": ours.url, "FLYBALL_WORKSPACE": str(folder / "native")}
    taken = []
    for _ in range(_ROUNDS):
        done = subprocess.run(
            [sys.executable, "-c", script], env=environment, cwd=folder, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError(f"native failed: {done.stderr[-2000:]}")
        taken.append(float(done.stdout.splitlines()[-1]))
    return statistics.median(taken)


@contextmanager
def _plain(kind: str, folder: Path) -> Iterator[Server]:
    port, below = _free_port(), folder / f"plain-{kind}"
    below.mkdir()
    command = [sys.executable, "-m", "benchmarks.plain_server", kind, str(below / "kept"), str(port)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
    with _serving(command, environment, below, port, below / "kept" / "plain.db") as server:
        yield server


@contextmanager
def _ours(folder: Path) -> Iterator[Server]:
    port = _free_port()
    environment = {**os.environ, "FLYBALL_PORT": str(port), "FLYBALL_WORKSPACE": str(folder / ".flyball")}
    command = [sys.executable, "-m", "flyball.cli", "up"]
    with _serving(command, environment, folder, port, folder / ".flyball" / "flyball.db") as server:
        yield server


@contextmanager
def _theirs(folder: Path, python: Path, runs: int) -> Iterator[Server]:
    folder.mkdir()
    port = _free_port()
    database = folder / "mlflow.db"
    stores = ["--backend-store-uri", f"sqlite:///{database}", "--artifacts-destination", str(folder / "artifacts")]
    command = [str(python), "-m", "mlflow", "server", "--port", str(port), *stores]
    # Once for its tables; started again, its time to be ready is that with tables.
    with _serving(command, {**os.environ, **_QUIET}, folder, port, database):
        pass
    _fill_theirs(database, runs)
    with _serving(command, {**os.environ, **_QUIET}, folder, port, database) as server:
        yield server


@contextmanager
def _serving(
    command: list[str], environment: dict[str, str], folder: Path, port: int, database: Path
) -> Iterator[Server]:
    url = f"http://127.0.0.1:{port}"
    began = time.perf_counter()
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(command, env=environment, cwd=folder, stdout=log, stderr=log, start_new_session=True)
    try:
        _wait(lambda: _answers(url), process, folder / "log")
        ready = time.perf_counter() - began
        time.sleep(3)  # what a server does after it has begun to answer is not to be counted elsewhere
        yield Server(url=url, process=psutil.Process(process.pid), database=database, seconds_to_ready=ready)
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _answers(url: str) -> bool:
    try:
        return urllib3.request("GET", f"{url}/version", retries=False, timeout=2).status == 200
    except urllib3.exceptions.HTTPError:
        return False


def _wait(ready: Callable[[], bool], process: subprocess.Popen[bytes], log: Path) -> None:
    # MLflow starts several processes, which takes minutes on a machine with other work.
    deadline = time.monotonic() + 600
    while not ready():
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"{process.args!r} is not ready: {log.read_text(errors='replace')[-2000:]}")
        time.sleep(0.01)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _content(number: int) -> tuple[dict[str, str], dict[str, float]]:
    params = {f"p{key}": f"v{(number * 7 + key) % 10}" for key in range(20)}
    return params, {f"m{key}": ((number * 31 + key * 17) % 1000) / 1000 for key in range(20)}


def _fill_ours(folder: Path, runs: int) -> None:
    from flyball.settings import load_settings
    from flyball.tracking.nouns import MetricPoint, RunRecord
    from flyball.workspace import Workspace

    folder.mkdir()
    with Workspace(load_settings({"workspace": str(folder / ".flyball")}, environment={})) as here:
        for first in range(0, runs, 200):
            records = []
            for number in range(first, min(first + 200, runs)):
                params, metrics = _content(number)
                at = _DAY + timedelta(seconds=number)
                points = [MetricPoint(key=key, value=value, at=at) for key, value in metrics.items()]
                records.append(
                    RunRecord(
                        id=f"{number:032x}",
                        experiment="many",
                        state="finished",
                        started=at,
                        ended=at,
                        name=f"run {number}",
                        params=dict(params),
                        metrics=points,
                    )
                )
            here.tracking.record_runs(records)


def _fill_theirs(database: Path, runs: int) -> None:
    """Writes the same runs straight into MLflow's tables, as its own store would leave them."""
    with sqlite3.connect(database) as connection:
        columns = {row[1] for row in connection.execute("PRAGMA table_info(experiments)")}
        extra = ("workspace",) if "workspace" in columns else ()
        names = (
            "experiment_id",
            "name",
            "artifact_location",
            "lifecycle_stage",
            "creation_time",
            "last_update_time",
            *extra,
        )
        marks = ", ".join("?" * len(names))
        row = (7, "many", "mlflow-artifacts:/7", "active", 1, 1, *(["default"] * len(extra)))
        connection.execute(f"INSERT INTO experiments ({', '.join(names)}) VALUES ({marks})", row)
        for number in range(runs):
            params, metrics = _content(number)
            run, at = f"{number:032x}", int((_DAY + timedelta(seconds=number)).timestamp() * 1000)
            connection.execute(
                "INSERT INTO runs (run_uuid, name, source_type, user_id, status, start_time, end_time, lifecycle_stage,"
                " artifact_uri, experiment_id) VALUES (?, ?, 'LOCAL', 'u', 'FINISHED', ?, ?, 'active', ?, 7)",
                (run, f"run {number}", at, at, f"mlflow-artifacts:/7/{run}/artifacts"),
            )
            connection.execute("INSERT INTO tags VALUES ('mlflow.runName', ?, ?)", (f"run {number}", run))
            connection.executemany(
                "INSERT INTO params (key, value, run_uuid) VALUES (?, ?, ?)",
                [(key, value, run) for key, value in params.items()],
            )
            for table in ("metrics", "latest_metrics"):
                connection.executemany(
                    f"INSERT INTO {table} (key, value, timestamp, step, is_nan, run_uuid) VALUES (?, ?, ?, 0, 0, ?)",
                    [(key, value, at, run) for key, value in metrics.items()],
                )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
