"""Whatever is sent, the answer is one in the protocol's own form: what does not fit is a 4xx, and nothing is a crash."""

from __future__ import annotations

import contextlib
import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LinearRegression
from starlette.testclient import TestClient

from flyball.errors import InvalidInput
from flyball.models.package import save_model
from flyball.serialization import to_json
from flyball.serving.follower import Follower
from flyball.serving.grpc_messages import infer_message, read_infer, read_name
from flyball.serving.inference_api import create_app
from flyball.serving.manifest import Arm, Manifest, manifest_key
from flyball.storage.local_objects import LocalObjects
from flyball.storage.objects import Blobs

TABLE = pa.table({"x": np.linspace(0, 1, 9), "n": range(9)})
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
_SHAPE = st.lists(st.integers(-2, 5) | st.just(2**70), max_size=3)
_TYPES = st.sampled_from(["FP64", "INT64", "BOOL", "BYTES", "?"])
_VALUE = st.floats() | st.integers() | st.none() | st.text(max_size=3) | st.lists(st.floats(), max_size=3)
_WANTED = st.lists(st.fixed_dictionaries({"name": st.text(max_size=12)}), max_size=2)
_TENSOR = st.fixed_dictionaries(
    {"name": st.sampled_from(["x", "n", "input", ""]), "shape": _SHAPE, "datatype": _TYPES},
    optional={
        "data": st.lists(_VALUE, max_size=5),
        "parameters": st.dictionaries(st.sampled_from(["binary_data_size", "binary_data", "a"]), _JSON, max_size=2),
    },
)  # fmt: skip
_INFER = st.fixed_dictionaries(
    {"inputs": st.lists(_TENSOR, max_size=3) | _JSON},
    optional={"id": _JSON, "parameters": _JSON, "outputs": _WANTED | _JSON},
)  # fmt: skip
_ROW = st.dictionaries(st.sampled_from(["x", "n", "m"]), _JSON, max_size=3)
_PREDICT = st.fixed_dictionaries(
    {},
    optional={
        "rows": st.lists(_ROW, max_size=3) | _JSON,
        "columns": _JSON,
        "ids": _JSON,
        "time": _JSON,
        "request_id": _JSON,
    },
)
_MLFLOW = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(("dataframe_split", "dataframe_records", "instances", "inputs"), _JSON)
)
_BODY = st.one_of(_INFER, _PREDICT, _MLFLOW, _JSON).map(lambda value: json.dumps(value).encode()) | st.binary(
    max_size=60
)
_FORMS = {"/predict/shop": "code", "/v2/models/shop/infer": "error", "/invocations": "error_code"}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    folder: Path = tmp_path_factory.mktemp("malformed")
    store = LocalObjects(folder, durable=False)
    package = save_model(LinearRegression().fit(TABLE.to_pandas(), TABLE["x"]), Blobs(store), example=TABLE)
    arm = Arm(revision="m-1", model="m", version=1, package=package, role="champion", weight=1.0)
    store.put(manifest_key("shop"), to_json(Manifest(deployment="shop", generation=1, arms=(arm,))))
    follower = Follower(store, replica="r1")
    follower.look()
    with TestClient(create_app(follower), raise_server_exceptions=False) as client:
        yield client
    follower.stop()


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(path=st.sampled_from(sorted(_FORMS)), body=_BODY, length=st.none() | st.integers(-1, 80))
def test_malformed_bodies_are_refused_in_their_form(
    client: TestClient, path: str, body: bytes, length: int | None
) -> None:
    headers = {} if length is None else {"inference-header-content-length": str(length)}
    answer = client.post(path, content=body, headers=headers)
    if answer.status_code != 200:
        # A model may be at fault for a value that is missing; that is told as such, too.
        told = answer.json()
        assert _FORMS[path] in told, told
        assert 400 <= answer.status_code < 500 or "The model failed: ValueError: Input X contains" in str(told), told


@given(st.binary(max_size=200))
def test_malformed_messages_of_grpc_are_refused(data: bytes) -> None:
    for read in (read_infer, read_name):
        with contextlib.suppress(InvalidInput):
            read(data)


_FIELD = st.binary(max_size=6).map(lambda text: bytes([0x0A, len(text)]) + text)


@given(st.lists(_FIELD | st.just(b"\x2a\x04\x2a\x02\x3a\x00") | st.just(struct.pack("<Bq", 0x09, 1)), max_size=5))
def test_messages_with_fields_of_other_kinds_are_refused_or_read(parts: list[bytes]) -> None:
    with contextlib.suppress(InvalidInput):
        assert isinstance(read_infer(b"".join(parts)).name, str)


@given(st.lists(st.integers(-(2**63), 2**63 - 1)), st.lists(st.text(max_size=5)))
def test_what_is_written_for_grpc_is_read_back(numbers: list[int], texts: list[str]) -> None:
    tensors: dict[str, dict[str, Any]] = {
        "n": {"name": "n", "datatype": "INT64", "shape": [len(numbers)], "data": numbers},
        "t": {"name": "t", "datatype": "BYTES", "shape": [len(texts)], "data": texts},
    }
    # A request has the inputs where an answer has the outputs: in field 5, and made alike.
    found = read_infer(infer_message("shop", "1", "q", tensors, in_raw=False))
    assert (found.name, found.version, found.request.id) == ("shop", "1", "q")
    assert [each.data or [] for each in found.request.inputs] == [numbers, texts]
    assert [each.shape for each in found.request.inputs] == [[len(numbers)], [len(texts)]]
