"""Model servers under load: ours against the bare minimum and against MLServer, one process on one core each, ours with its log on.

`python -m benchmarks serving`; `python -m benchmarks.serving` shows what else was measured: requests a second, latency, memory.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import pickle
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from benchmarks.pairs import Pair, Timing
from benchmarks.peers import peer_or_none

COLUMNS = 10
ROUNDS = 5
SECONDS = 2.0
_RECORDS = 20_000
_JSON = {"content-type": "application/json"}
_TICKS = os.sysconf("SC_CLK_TCK")
_CONVERT = """
import pickle, sys
from skl2onnx import to_onnx
import numpy as np
model = pickle.load(open(sys.argv[1], "rb"))
graph = to_onnx(model, np.zeros((1, int(sys.argv[3])), np.float32), options={"zipmap": False})
open(sys.argv[2], "wb").write(graph.SerializeToString())
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """A server of one kind, and where its models are asked: address path by model."""

    name: str
    command: Sequence[str]
    paths: Mapping[str, str]
    ready: str
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What one go of a load came to; seconds, and of the server alone."""

    requests: int
    errors: int
    seconds: float
    cpu: float
    p50: float
    p99: float

    @property
    def each(self) -> Timing:
        """Of one request."""
        count = max(self.requests, 1)
        return Timing(cpu=self.cpu / count, wall=self.seconds / count)


@dataclass(slots=True)
class Running:
    """A server that runs."""

    side: Side
    port: int
    process: subprocess.Popen[bytes]
    start: Timing = field(default_factory=lambda: Timing(cpu=0, wall=0))
    megabytes: float = 0.0

    def load(self, model: str, body: bytes, *, connections: int = 32, rate: float = 0.0, header: str = "") -> Load:
        """Asks one model as fast as it answers, or so many times a second."""
        asked = {
            "port": self.port, "path": self.side.paths[model], "body": base64.b64encode(body).decode(),
            "headers": _JSON | ({"inference-header-content-length": header} if header else {}),
            "connections": connections, "seconds": SECONDS, "rate": rate,
        }  # fmt: skip
        before = cpu_of(self.process.pid)
        done = subprocess.run(
            _on_core(1, sys.executable, "-m", "benchmarks.serving_load"),
            input=json.dumps(asked).encode(), stdout=subprocess.PIPE, timeout=120, check=True,
        )  # fmt: skip
        found = json.loads(done.stdout)
        cpu = cpu_of(self.process.pid) - before
        if found["errors"]:
            raise RuntimeError(f"{self.side.name} failed {found['errors']} requests for {model}.")
        return Load(cpu=cpu, **{name: found[name] for name in ("requests", "errors", "seconds", "p50", "p99")})


def run() -> list[Pair]:
    """The pairs with their goals."""
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        make_models(folder)
        with contextlib.ExitStack() as stack:
            ours = stack.enter_context(serve(ours_for(folder, ("boost", "hist", "linear"))))
            bare = {model: stack.enter_context(serve(bare_for(folder, model))) for model in ("boost", "hist", "linear")}
            python = peer_or_none("mlserver")
            peer = stack.enter_context(serve(mlserver_for(folder, python))) if python else None
            pairs = list(_pairs(ours, bare, peer))
        return [*pairs, *_starts(folder), _log(folder)]


def _pairs(ours: Running, bare: Mapping[str, Running], peer: Running | None) -> Iterator[Pair]:
    one, hundred = body(1), body(100)
    name = "1 row JSON, boosting as ONNX"
    yield _versus(name, (ours, "boost", one), (bare["boost"], "boost", one), None)
    if peer:
        yield _versus(name, (ours, "boost", one), (peer, "hist", one), 1 / 8)
    for model, words in (("hist", "boosting of scikit-learn"), ("linear", "logistic regression")):
        name = f"1 row JSON, {words}"
        yield _versus(name, (ours, model, one), (bare[model], model, one), 1 / 0.7)
        if peer:
            yield _versus(name, (ours, model, one), (peer, model, one), 1 / 4)
    if peer:
        yield _versus("100 rows JSON, boosting as ONNX", (ours, "boost", hundred), (peer, "hist", hundred), 1 / 3)
    yield _versus("100 rows JSON, boosting as ONNX", (ours, "boost", hundred), (bare["boost"], "boost", hundred), None)
    for rows, goal in ((100, 1 / 2), (1, None)):
        data, header = binary(rows)
        yield _versus(
            f"{rows} rows binary, logistic regression", (ours, "linear", data), (ours, "linear", body(rows)), goal,
            against="our JSON", header=header,
        )  # fmt: skip
    if peer:
        yield _half(ours, peer)
    load = statistics.median(ours.load("boost", one).each.cpu for _ in range(ROUNDS))
    yield _absolute("1 row JSON, boosting as ONNX", load, 60e-6)


def _versus(
    name: str,
    ours: tuple[Running, str, bytes],
    theirs: tuple[Running, str, bytes],
    goal: float | None,
    *,
    against: str = "",
    header: str = "",
) -> Pair:
    def go(which: tuple[Running, str, bytes], header: str = "") -> Timing:
        server, model, data = which
        return server.load(model, data, header=header).each

    go(ours, header)
    go(theirs)
    taken = [(go(ours, header), go(theirs)) for _ in range(ROUNDS)]
    return Pair(
        name=name, ours=_middle([a for a, _ in taken]), theirs=_middle([b for _, b in taken]),
        against=against or theirs[0].side.name, ratio=statistics.median(a.cpu / b.cpu for a, b in taken), goal=goal,
    )  # fmt: skip


def _half(ours: Running, peer: Running) -> Pair:
    """Our 99th percentile at half of our saturation, against the peer's median at half of its own."""
    one = body(1)
    full = [server.load(model, one) for server, model in ((ours, "boost"), (peer, "hist"))]
    rates = [load.requests / load.seconds / 2 for load in full]
    taken = [(ours.load("boost", one, rate=rates[0]).p99, peer.load("hist", one, rate=rates[1]).p50) for _ in range(3)]
    a, b = (statistics.median(values) for values in zip(*taken, strict=True))
    return Pair(
        name=f"p99 at half of saturation ({rates[0]:,.0f}/s against {rates[1]:,.0f}/s)", ours=Timing(cpu=a, wall=a),
        theirs=Timing(cpu=b, wall=b), against="MLServer's p50", ratio=a / b, goal=1.0,
    )  # fmt: skip


def _starts(folder: Path) -> Iterator[Pair]:
    for model, words, seconds, megabytes in (("boost", "ONNX", 0.6, 60), ("linear", "scikit-learn", 1.5, 150)):
        found = []
        for _ in range(3):
            with serve(ours_for(folder, (model,))) as server:
                found.append((server.start, server.megabytes))
        cpu = _middle([start for start, _ in found])
        yield replace(_absolute(f"start to first prediction, {words}", cpu.cpu, seconds), ours=cpu)
        size = statistics.median(size for _, size in found)
        yield _absolute(f"memory at first prediction, {words} (MB as ms)", size / 1000, megabytes / 1000)


def _log(folder: Path) -> Pair:
    """CPU of a record of one row in the prediction log, from the answer to the store, on the disk meanwhile."""
    import numpy as np

    from flyball.models.flavors.base import Scores
    from flyball.schema import Column, Schema
    from flyball.serving.batches import Batch
    from flyball.serving.prediction_log import PredictionLog
    from flyball.storage.objects import open_objects

    schema = Schema(columns=tuple(Column(name=f"c{n}", type="float", storage="double") for n in range(COLUMNS)))
    drawn = np.random.default_rng(0).random((_RECORDS, COLUMNS))
    batches = [
        Batch(
            ids=[f"record-{place}"], counts=[1], times=[1_362_096_000_000_000 + place], request_ids=[""], trace_ids=[""],
            revision="m-1", model_version=1, role="champion", answered=True, schema=schema, inputs=drawn[place : place + 1],
            scores=Scores(prediction=np.ones(1, np.int64), chances=drawn[place : place + 1, :2]),
        )
        for place in range(_RECORDS)
    ]  # fmt: skip
    taken = []
    for turn in range(ROUNDS + 1):
        log = PredictionLog(open_objects(str(folder / "log")), "shop", f"r{turn}", spool=folder / "log-spool")
        before = time.process_time()
        for batch in batches:
            log.append(batch)
        log.close()
        taken.append((time.process_time() - before) / _RECORDS)
    return _absolute("prediction log, a record of one row", statistics.median(taken[1:]), 7e-6)


def _absolute(name: str, found: float, limit: float) -> Pair:
    goal = Timing(cpu=limit, wall=limit)
    found_as = Timing(cpu=found, wall=found)
    return Pair(name=name, ours=found_as, theirs=goal, against="the goal", ratio=found / limit, goal=1.0)


def _middle(timings: Sequence[Timing]) -> Timing:
    return Timing(cpu=statistics.median(t.cpu for t in timings), wall=statistics.median(t.wall for t in timings))


def make_models(folder: Path) -> None:
    """Two classifiers of scikit-learn as files, and the first of them as ONNX where a converter can be had."""
    from sklearn.datasets import make_classification
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.linear_model import LogisticRegression

    rows, labels = make_classification(5_000, COLUMNS, n_informative=6, random_state=0)
    fitted = {"hist": HistGradientBoostingClassifier(), "linear": LogisticRegression()}
    for name, model in fitted.items():
        (folder / f"{name}.pickle").write_bytes(pickle.dumps(model.fit(rows, labels)))
    python = peer_or_none("skl2onnx")
    if python is None:
        raise RuntimeError("Without skl2onnx there is no graph to serve.")
    command = [str(python), "-c", _CONVERT, str(folder / "hist.pickle"), str(folder / "boost.onnx"), str(COLUMNS)]
    subprocess.run(command, check=True, timeout=300)


def ours_for(folder: Path, models: Sequence[str]) -> Side:
    """Our server with some of the models, its prediction log on."""
    import pyarrow as pa

    from flyball.models.package import save_model
    from flyball.serialization import to_json
    from flyball.serving.manifest import Arm, Manifest, manifest_key
    from flyball.storage.objects import Blobs, open_objects

    objects = folder / "-".join(("objects", *models))
    store = open_objects(str(objects))
    example = pa.table({f"c{place}": [0.1, 0.2 + place] for place in range(COLUMNS)})
    for name in models:
        kept: object = folder / "boost.onnx"
        if name != "boost":
            kept = pickle.loads((folder / f"{name}.pickle").read_bytes())  # made above
        package = save_model(kept, Blobs(store), example=example)
        arm = Arm(revision=f"{name}-1", model=name, version=1, package=package, role="champion", weight=1.0)
        store.put(manifest_key(name), to_json(Manifest(deployment=name, generation=1, arms=(arm,))))
    return Side(
        name="Flyball",
        command=(sys.executable, "-m", "flyball.serving.model_server", "--objects", str(objects), "--log-level", "error",
                 "--spool", str(folder / "spool")),
        paths={name: f"/v2/models/{name}/infer" for name in models},
        ready="/v2/health/ready",
    )  # fmt: skip


def bare_for(folder: Path, model: str) -> Side:
    """The bare server of a model."""
    kind, file = ("onnx", "boost.onnx") if model == "boost" else ("sklearn", f"{model}.pickle")
    command = (sys.executable, "-m", "benchmarks.serving_bare", kind, str(folder / file))
    return Side(name=f"bare ASGI, {kind}", command=command, paths={model: "/"}, ready="/")


def mlserver_for(folder: Path, python: Path) -> Side:
    """MLServer with both models of scikit-learn in its own process, as it is quickest."""
    home = folder / "mlserver"
    for name in ("hist", "linear"):
        (home / name).mkdir(parents=True)
        settings = {
            "name": name,
            "implementation": "mlserver_sklearn.SKLearnModel",
            "parameters": {"uri": str(folder / f"{name}.pickle")},
        }
        (home / name / "model-settings.json").write_text(json.dumps(settings), encoding="utf-8")
    (home / "settings.json").write_text(json.dumps({"parallel_workers": 0, "debug": False}), encoding="utf-8")
    return Side(
        name="MLServer",
        command=(str(python.parent / "mlserver"), "start", str(home)),
        paths={name: f"/v2/models/{name}/infer" for name in ("hist", "linear")},
        ready="/v2/models/linear/ready",
    )


@contextlib.contextmanager
def serve(side: Side) -> Iterator[Running]:
    """The server, once it has answered a first prediction; what it took until then stands in `start`."""
    port, spare = _free_port(), (_free_port(), _free_port())
    command, environment = list(side.command), {**os.environ, "OMP_NUM_THREADS": "1", **side.environment}
    if side.name == "Flyball":
        command += ["--port", str(port)]
    elif side.name == "MLServer":
        environment |= {
            "MLSERVER_HTTP_PORT": str(port), "MLSERVER_GRPC_PORT": str(spare[0]), "MLSERVER_METRICS_PORT": str(spare[1]),
        }  # fmt: skip
    else:
        command += [str(port)]
    begun = time.perf_counter()
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(_on_core(0, *command), env=environment, stdout=said, stderr=said)
        running = Running(side=side, port=port, process=process)
        try:
            _wait(running)
            _first(running)
            running.start = Timing(cpu=cpu_of(process.pid), wall=time.perf_counter() - begun)
            running.megabytes = megabytes_of(process.pid)
            yield running
        except Exception:
            said.seek(0)
            sys.stderr.write(said.read().decode(errors="replace")[-3000:])
            raise
        finally:
            process.terminate()
            process.wait(30)


def _wait(running: Running) -> None:
    deadline = time.monotonic() + 90
    while running.process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError, urllib.error.HTTPError):
            urllib.request.urlopen(f"http://127.0.0.1:{running.port}{running.side.ready}", timeout=5).close()
            return
        time.sleep(0.02)
    raise RuntimeError(f"{running.side.name} did not start.")


def _first(running: Running) -> None:
    for path in running.side.paths.values():
        address = f"http://127.0.0.1:{running.port}{path}"
        request = urllib.request.Request(address, body(1), headers=_JSON)  # our own loopback address
        with urllib.request.urlopen(request, timeout=30) as answer:
            answer.read()


def body(rows: int) -> bytes:
    """So many rows as one tensor in JSON."""
    data = _values(rows)
    tensor = {"name": "input", "shape": [rows, COLUMNS], "datatype": "FP64", "data": data}
    return json.dumps({"inputs": [tensor]}, separators=(",", ":")).encode()


def binary(rows: int) -> tuple[bytes, str]:
    """The same by the extension for binary tensors, and the length of its JSON part."""
    data = _values(rows)
    packed = struct.pack(f"<{len(data)}f", *data)
    tensor: dict[str, Any] = {"name": "input", "shape": [rows, COLUMNS], "datatype": "FP32"}
    tensor["parameters"] = {"binary_data_size": len(packed)}
    asked = {"inputs": [tensor], "parameters": {"binary_data_output": True}}
    head = json.dumps(asked, separators=(",", ":")).encode()
    return head + packed, str(len(head))


def _values(rows: int) -> list[float]:
    return [round((place * 37 % 101) / 13.7 - 3.5, 6) for place in range(rows * COLUMNS)]


def cpu_of(pid: int) -> float:
    """CPU seconds of a process and of its children that live."""
    total = 0.0
    for each in (pid, *_children(pid)):
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{each}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
            total += sum(map(int, fields[11:15])) / _TICKS
    return total


def megabytes_of(pid: int) -> float:
    """Memory of a process that is its own, and its part of what it shares."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def _children(pid: int) -> list[int]:
    try:
        found = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    except OSError:
        return []
    return [each for child in map(int, found) for each in (child, *_children(child))]


def _on_core(core: int, *command: str) -> list[str]:
    # One core each: what a server does in other threads counts, and does not make it faster than another with one.
    return ["taskset", "-c", str(core % (os.cpu_count() or 1)), *command]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def main() -> None:
    """Shows requests a second and latency of each server under full load."""
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        make_models(folder)
        python = peer_or_none("mlserver")
        sides = [ours_for(folder, ("boost", "hist", "linear"))]
        sides += [bare_for(folder, model) for model in ("boost", "hist", "linear")]
        sides += [mlserver_for(folder, python)] if python else []
        for side in sides:
            with serve(side) as server:
                head = (
                    f"{side.name}: {server.start.cpu:.2f} CPU s and {server.megabytes:.0f} MB to the first prediction"
                )
                sys.stdout.write(head + "\n")
                for model in side.paths:
                    for rows in (1, 100):
                        sys.stdout.write(f"  {model}, {rows} rows: {_show(server, model, rows)}\n")
                sys.stdout.write(f"  {megabytes_of(server.process.pid):.0f} MB after the load\n")
                sys.stdout.flush()


def _show(server: Running, model: str, rows: int) -> str:
    server.load(model, body(rows))
    found = [server.load(model, body(rows)) for _ in range(3)]
    cpu = statistics.median(load.each.cpu for load in found) * 1e6
    rate = statistics.median(load.requests / load.seconds for load in found)
    p99 = statistics.median(load.p99 for load in found) * 1e3
    return f"{cpu:,.0f} us CPU a request, {rate:,.0f} requests/s, p99 {p99:.1f} ms"


if __name__ == "__main__":
    main()
