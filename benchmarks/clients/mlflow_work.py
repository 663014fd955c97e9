"""The work of one measurement, done by MLflow's unmodified client in an environment of its own; prints seconds as JSON."""

from __future__ import annotations

import json
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import mlflow
from mlflow import MlflowClient
from mlflow.entities import Metric
from mlflow.store.artifact.http_artifact_repo import HttpArtifactRepository

client = MlflowClient()
PLACE = "/api/2.0/mlflow-artifacts/artifacts"
size = int(sys.argv[2])
files = Path(sys.argv[3]) if len(sys.argv) > 3 else Path()


def experiment() -> str:
    """A new run's experiment."""
    return mlflow.set_experiment("benchmark").experiment_id


def single() -> Callable[[], object]:
    """So many metrics, one by one."""
    run = client.create_run(experiment()).info.run_id
    client.log_metric(run, "warm", 1.0)
    return lambda: [client.log_metric(run, "loss", 0.5 * step, step=step) for step in range(size)]


def unsynchronised() -> Callable[[], object]:
    """So many metrics, one by one, without waiting for each."""
    run = client.create_run(experiment()).info.run_id
    client.log_metric(run, "warm", 1.0)

    def work() -> None:
        done = [client.log_metric(run, "loss", 0.5, step=step, synchronous=False) for step in range(size)]
        for one in done:
            one.wait()

    return work


def batches() -> Callable[[], object]:
    """So many points in batches of 1,000; then named for `history`."""
    run = client.create_run(experiment(), run_name="batches").info.run_id
    generator = random.Random(0)
    parts = [
        [
            Metric("loss", generator.random(), 1_700_000_000_000 + step * 1000, step)
            for step in range(start, start + 1000)
        ]
        for start in range(0, size, 1000)
    ]
    client.log_metric(run, "warm", 1.0)
    return lambda: [client.log_batch(run, part) for part in parts]


def wide() -> Callable[[], object]:
    """So many points, 1,000 metrics at each step."""
    run = client.create_run(experiment(), run_name="wide").info.run_id
    parts = [
        [Metric(f"m{key}", key / (step + 1), 1_700_000_000_000 + step * 1000, step) for key in range(1000)]
        for step in range(size // 1000)
    ]
    client.log_metric(run, "warm", 1.0)
    return lambda: [client.log_batch(run, part) for part in parts]


def history() -> Callable[[], object]:
    """All points of that metric."""
    (run,) = client.search_runs([experiment()], "attributes.run_name = 'batches'", max_results=1)

    def work() -> None:
        assert len(client.get_metric_history(run.info.run_id, "loss")) == size

    return work


def search() -> Callable[[], object]:
    """A page of 100 runs out of many, by a param and a metric, ordered by another."""
    many = client.get_experiment_by_name("many").experiment_id
    text = "metrics.m3 > 0.25 AND params.p2 = 'v3'"

    def work() -> None:
        for _ in range(size):
            assert client.search_runs([many], text, order_by=["metrics.m1 DESC"], max_results=100)

    work()
    return work


def newest() -> Callable[[], object]:
    """The newest 1,000 runs, whole."""
    many = client.get_experiment_by_name("many").experiment_id

    def work() -> None:
        for _ in range(size):
            assert client.search_runs([many], max_results=1000)

    return work


def upload() -> Callable[[], object]:
    """A folder of files."""
    run = client.create_run(experiment(), run_name=f"files {files.name}").info.run_id
    client.log_text(run, "warm", "warm.txt")
    return lambda: client.log_artifacts(run, str(files), "files")


def download() -> Callable[[], object]:
    """The same folder, back."""
    (run,) = client.search_runs([experiment()], f"attributes.run_name = 'files {files.name}'", max_results=1)
    target = tempfile.mkdtemp(dir=files.parent)

    def work() -> None:
        client.download_artifacts(run.info.run_id, "files", target)
        shutil.rmtree(target)

    return work


def plain_single() -> Callable[[], object]:
    """So many metrics, one by one, of a run that nobody has to know."""
    client.log_metric("0" * 32, "warm", 1.0)
    return lambda: [client.log_metric("0" * 32, "loss", 0.5 * step, step=step) for step in range(size)]


def repository() -> HttpArtifactRepository:
    """What moves the files in `upload` and `download`, without a run around it."""
    return HttpArtifactRepository(f"{mlflow.get_tracking_uri()}/api/2.0/mlflow-artifacts/artifacts/plain-{files.name}")


def plain_upload() -> Callable[[], object]:
    """A folder of files."""
    return lambda: repository().log_artifacts(str(files), "files")


def plain_download() -> Callable[[], object]:
    """The same folder, back."""
    target = tempfile.mkdtemp(dir=files.parent)

    def work() -> None:
        repository().download_artifacts("files", target)
        shutil.rmtree(target)

    return work


def bare_upload() -> Callable[[], object]:
    """A folder of files, by Python's own HTTP client over one connection: the least that a client can do."""
    host = urlsplit(mlflow.get_tracking_uri()).netloc

    def work() -> None:
        connection = HTTPConnection(host, blocksize=1 << 20)
        for path in files.iterdir():
            with path.open("rb") as file:
                connection.request(
                    "PUT", f"{PLACE}/bare-{files.name}/{path.name}", file, {"content-length": str(path.stat().st_size)}
                )
            connection.getresponse().read()

    return work


def bare_download() -> Callable[[], object]:
    """The same folder, back."""
    host, target = urlsplit(mlflow.get_tracking_uri()).netloc, Path(tempfile.mkdtemp(dir=files.parent))

    def work() -> None:
        connection = HTTPConnection(host, blocksize=1 << 20)
        for path in files.iterdir():
            connection.request("GET", f"{PLACE}/bare-{files.name}/{path.name}")
            answer = connection.getresponse()
            with (target / path.name).open("wb") as file:
                shutil.copyfileobj(answer, file, 1 << 20)
        shutil.rmtree(target)

    return work


prepared = globals()[sys.argv[1]]()
print("ready", flush=True)
sys.stdin.readline()
began = time.perf_counter()
prepared()
print(json.dumps(time.perf_counter() - began), flush=True)
