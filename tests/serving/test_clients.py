"""Clients of the Open Inference Protocol that nobody here wrote: Triton's and KServe's, over HTTP and gRPC."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import urllib3
from sklearn.linear_model import LogisticRegression

from flyball.models.package import save_model
from flyball.serialization import to_json
from flyball.serving.manifest import Arm, Manifest, manifest_key
from flyball.serving.prediction_log import read_predictions
from flyball.storage.local_objects import LocalObjects
from flyball.storage.objects import Blobs
from tests.servers.absent import found
from tools.environments import INFERENCE

_SCRIPTS = Path(__file__).parent / "scripts"
_DRAWN = np.random.default_rng(0)
TABLE = pa.table({"x": _DRAWN.normal(size=40), "n": _DRAWN.integers(0, 9, 40)})
MODEL = LogisticRegression().fit(TABLE.to_pandas(), np.where(TABLE["x"].to_numpy() > 0, "late", "on time"))
EXPECTED = MODEL.predict_proba(pa.table({"x": [1.5, -1.5], "n": [3, 4]}).to_pandas())[:, 1].tolist()


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> LocalObjects:
    store = LocalObjects(tmp_path_factory.mktemp("serving") / "objects", durable=False)
    package = save_model(MODEL, Blobs(store), example=TABLE)
    arm = Arm(revision="m-1", model="m", version=1, package=package, role="champion", weight=1.0)
    store.put(manifest_key("shop"), to_json(Manifest(deployment="shop", generation=1, arms=(arm,))))
    return store


@pytest.fixture(scope="module")
def addresses(store: LocalObjects, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """Where a server speaks HTTP and gRPC."""
    folder = tmp_path_factory.mktemp("server")
    command = [sys.executable, "-m", "flyball.serving.model_server", "--objects", str(store.folder), "--port", "0"]
    command += ["--grpc-port", "0", "--replica", "r1"]
    path = _with_grpc(folder)
    with (folder / "errors").open("wb") as errors:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=errors, env={**os.environ, "PYTHONPATH": path}
        )
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, (folder / "errors").read_text()
    facts = json.loads(line)
    deadline = time.monotonic() + 60
    while urllib3.request("GET", f"{facts['address']}/health", retries=False).status != 200:
        assert time.monotonic() < deadline, (folder / "errors").read_text()
        time.sleep(0.05)
    yield facts["address"].removeprefix("http://"), facts["grpc"]
    process.terminate()
    assert process.wait(60) == 0
    process.stdout.close()


@pytest.fixture(scope="module")
def ask(addresses: tuple[str, str]) -> Callable[[str], Any]:
    def run(script: str) -> Any:
        done = subprocess.run(
            [found(INFERENCE), _SCRIPTS / script, *addresses], capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return json.loads(done.stdout.strip().splitlines()[-1])

    return run


def test_tritons_client_is_answered_over_both_protocols(ask: Callable[[str], Any], store: LocalObjects) -> None:
    said = ask("triton.py")
    for kind in ("http", "grpc"):
        got = said[kind]
        assert got["ready"] == [True, True, True, True, False, False]
        assert (got["server"], got["inputs"], got["index"]) == ("flyball", ["x", "n"], ["READY"])
        for labels, chances, ids in got["answers"]:
            assert (labels, ids) == (["late", "on time"], 2)
            assert chances == pytest.approx(EXPECTED)
    assert said["http"]["refusals"] == ["400", "404", "404", "400"]
    words = ["INVALID_ARGUMENT", "NOT_FOUND", "NOT_FOUND", "INVALID_ARGUMENT"]
    assert said["grpc"]["refusals"] == [f"StatusCode.{word}" for word in words]
    first, second, third = said["stream"]
    assert (first, third) == (2, 2)
    assert "There is no deployment 'nothing'" in second


def test_kserves_client_is_answered_over_both_protocols(ask: Callable[[str], Any]) -> None:
    said = ask("kserve_client.py")
    assert said["ready"] == [True] * 6
    for chances in said["answers"]:
        assert chances == pytest.approx(EXPECTED)


def test_what_they_asked_stands_in_the_log(addresses: tuple[str, str], store: LocalObjects) -> None:
    body = {"inputs": [{"name": "input", "shape": [1, 2], "datatype": "FP64", "data": [1.5, 3]}], "id": "last"}
    assert urllib3.request("POST", f"http://{addresses[0]}/v2/models/shop/infer", json=body).status == 200
    urllib3.request("POST", f"http://{addresses[0]}/flush")
    assert "last" in read_predictions(store, "shop")[0]["request_id"].to_pylist()


def _with_grpc(folder: Path) -> str:
    """Where a server finds gRPC: with the rest, or in the environment of the clients."""
    if importlib.util.find_spec("grpc") is None:
        libraries = found(INFERENCE).parents[1]
        (folder / "grpc").symlink_to(next(libraries.glob("[lL]ib/**/site-packages/grpc")))
    return str(folder)
