"""Generations on plain numbers are swapped under full load: no request fails, none is answered by two of them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from sklearn.linear_model import LinearRegression

from flyball.models.package import save_model
from flyball.serving.manifest import Arm, Manifest
from flyball.serving.prediction_log import read_predictions
from flyball.storage.local_objects import LocalObjects
from flyball.storage.objects import Blobs
from tests.serving.test_model_server import Server

TABLE = pa.table({"x": np.linspace(0, 1, 9), "n": range(9)})
BODY = {"inputs": [{"name": "input", "shape": [5, 2], "datatype": "FP64", "data": [0.5, 1] * 5}]}


@pytest.fixture
def arms(store: LocalObjects) -> list[Arm]:
    """Versions of a model that each answer with their number."""
    made = []
    for version in (1, 2, 3):
        model = LinearRegression().fit(TABLE.to_pandas(), np.full(9, float(version)))
        package = save_model(model, Blobs(store), example=TABLE)
        made.append(
            Arm(revision=f"m-{version}", model="m", version=version, package=package, role="champion", weight=1.0)
        )
    return made


@pytest.fixture
def server(tmp_path: Path, arms: list[Arm], publish: Callable[..., Manifest]) -> Iterator[Server]:
    publish(arms[0])
    server = Server(tmp_path / "objects", "--spool", str(tmp_path / "spool"))
    server.wait_for(1)
    yield server
    server.stop()


@pytest.mark.parametrize("swaps", [4, pytest.param(100, marks=pytest.mark.soak)])
def test_no_request_fails_or_is_mixed(
    server: Server, arms: list[Arm], publish: Callable[..., Manifest], store: LocalObjects, swaps: int
) -> None:
    done, wrong, answered = threading.Event(), list[bytes](), list[str]()

    def ask() -> None:
        while not done.is_set():
            answer = server.post("/v2/models/shop/infer", BODY)
            if answer.status != 200:
                wrong.append(answer.data)
                continue
            found = {each["name"]: each["data"] for each in answer.json()["outputs"]}
            answered.extend(found["prediction_id"])
            versions = set(found["version"])
            if len(versions) != 1 or any(abs(value - min(versions)) > 1e-9 for value in found["prediction"]):
                wrong.append(answer.data)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for generation in range(2, swaps + 2):
        publish(arms[generation % 3], generation=generation)
        server.wait_for(generation)
    done.set()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert server.stop() == 0
    log = read_predictions(store, "shop")[0]
    assert sorted(log["prediction_id"].to_pylist()) == sorted(answered)
    assert np.allclose(log["prediction"].to_numpy(), log["model_version"].to_numpy())
