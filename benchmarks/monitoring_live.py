"""What monitoring costs a model server: the processor time of its requests, beside that of examining what they left in the log.

A model server in a process of its own answers requests of one row, with its log on, as it always is. Then the windows of that log
are examined as the controller does it: predictions with their truth, inputs, outcomes, estimates. Monitoring takes place after the
request and in another process, so what it takes of the machine's throughput is its processor time over the server's.
"""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa

from benchmarks.pairs import Timing, cpu_seconds
from flyball.models.package import save_model
from flyball.monitoring import monitor
from flyball.monitoring.estimation import fit_calibration
from flyball.monitoring.examine import examine_window
from flyball.monitoring.learned import with_outcomes
from flyball.monitoring.outcome_reference import outcome_table
from flyball.monitoring.profile import Reference
from flyball.monitoring.reference import fit_reference
from flyball.serialization import to_json
from flyball.serving.manifest import Arm, Manifest, manifest_key
from flyball.testing import workspace
from flyball.workspace import Workspace

_NAME = "shop"
_COLUMNS = 10
_MONITORS = (
    monitor.drift(), monitor.quality(), monitor.prediction_drift(), monitor.target_drift(), monitor.performance(),
    monitor.estimate(),
)  # fmt: skip


def serve_and_examine(requests: int = 30_000) -> tuple[Timing, Timing]:
    """Processor and wall seconds of examining the requests' window, and of the server that answered them."""
    with tempfile.TemporaryDirectory() as folder, workspace(Path(folder)) as here:
        reference = _publish(here)
        begun = datetime.now(UTC)
        with _server(here) as (address, pid):
            _ask(address, 200, seed=1)
            before, start = _processor(pid), time.perf_counter()
            _ask(address, requests, seed=2)
            time.sleep(1.5)  # the log's last segment
            server = Timing(cpu=_processor(pid) - before, wall=time.perf_counter() - start - 1.5)
        _tell_truth(here, begun)
        before, start = cpu_seconds(), time.perf_counter()
        window = examine_window(
            here.store, here.monitoring, deployment=_NAME, start=begun, end=begun + timedelta(days=1),
            reference=reference, monitors=_MONITORS, complete=True, alerts=here.alerts, champion=1,
        )  # fmt: skip
        here.monitoring.record_window(window)
        mine = Timing(cpu=cpu_seconds() - before, wall=time.perf_counter() - start)
        assert window.predictions == window.labelled == requests + 200, (window.predictions, window.labelled)
        assert window.estimated
        assert window.performance
        assert window.drift is not None
    return mine, server


def _rows(n: int, seed: int) -> pa.Table:
    random = np.random.default_rng(seed)
    return pa.table({f"x{place}": random.normal(size=n).round(6) for place in range(_COLUMNS)})


def _truth(rows: pa.Table, seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(size=rows.num_rows)
    found: np.ndarray = rows["x0"].to_numpy() + rows["x1"].to_numpy() + noise > 0
    return found


def _publish(here: Workspace) -> Reference:
    from sklearn.linear_model import LogisticRegression

    past, held = _rows(20_000, 10), _rows(20_000, 11)
    model = LogisticRegression().fit(past.to_pandas(), _truth(past, 12))
    package = save_model(model, here.blobs, example=past.slice(0, 20))
    arm = Arm(revision=f"{_NAME}-1", model=_NAME, version=1, package=package, role="champion", weight=1.0)
    here.store.put(manifest_key(_NAME), to_json(Manifest(deployment=_NAME, generation=1, arms=(arm,))))
    scores, truth = model.predict_proba(held.to_pandas())[:, 1], _truth(held, 13)
    outcomes = outcome_table(scores, truth, is_classifier=True)
    from dataclasses import replace

    fitted = replace(fit_reference(past, windows=20), calibration=fit_calibration(scores, truth))
    return with_outcomes(fitted, held, outcomes, is_classifier=True)


@contextmanager
def _server(here: Workspace) -> Iterator[tuple[str, int]]:
    objects = str(here.store.root) if hasattr(here.store, "root") else str(here.settings.objects)
    command = [
        sys.executable,
        "-m",
        "flyball.serving.model_server",
        "--objects",
        objects,
        "--port",
        "0",
        "--replica",
        "r1",
    ]
    with subprocess.Popen([*command, "--with-parent"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        address = json.loads(process.stdout.readline())["address"]
        try:
            _wait(address)
            yield address, process.pid
        finally:
            process.terminate()


def _wait(address: str) -> None:
    for _ in range(600):
        connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=5)
        connection.request("GET", "/health")
        found = json.loads(connection.getresponse().read())
        connection.close()
        if found["deployments"].get(_NAME, {}).get("generation") == 1:
            return
        time.sleep(0.05)
    raise RuntimeError("the model server does not answer")


def _ask(address: str, requests: int, *, seed: int) -> None:
    connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=30)
    columns = _rows(requests, seed).to_pydict()
    names = list(columns)
    for values in zip(*columns.values(), strict=True):
        body = json.dumps({"rows": [dict(zip(names, values, strict=True))]})
        connection.request("POST", f"/predict/{_NAME}", body, {"content-type": "application/json"})
        answer = connection.getresponse()
        if answer.status != 200:
            raise RuntimeError(answer.read().decode())
        answer.read()
    connection.close()


def _tell_truth(here: Workspace, begun: datetime) -> None:
    from flyball.serving.prediction_log import read_predictions

    rows, _ = read_predictions(here.store, _NAME, start=begun)
    inputs = rows.select([f"input.x{n}" for n in range(_COLUMNS)]).rename_columns([f"x{n}" for n in range(_COLUMNS)])
    here.monitoring.add_ground_truth(_NAME, rows["prediction_id"].to_pylist(), _truth(inputs, 14).tolist())


def _processor(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(int(field) for field in fields[11:13]) / os.sysconf("SC_CLK_TCK")
