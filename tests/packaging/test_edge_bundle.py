from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from flyball.errors import InvalidInput
from flyball.models.package import save_model
from flyball.packaging.edge_bundle import write_edge_bundle
from flyball.workspace import Workspace

# Whatever the bundle imports beside what it may: it is refused there, as if it were not installed.
ALONE = (
    "import sys, runpy\n"
    "class Only:\n"
    "    def find_spec(self, name, path=None, target=None):\n"
    "        if name.partition('.')[0] in ('flyball', 'pyarrow', 'msgspec', 'sklearn', 'pandas'):\n"
    "            raise ImportError(name)\n"
    "sys.meta_path.insert(0, Only())\n"
    "sys.argv = sys.argv[1:]\n"
    "runpy.run_path(sys.argv[0], run_name='__main__')\n"
)


@pytest.fixture(scope="module")
def bundle(shop: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from onnx import TensorProto, helper, numpy_helper

    weights = numpy_helper.from_array(np.array([[2.0], [10.0]], np.float32), "w")
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])], "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, 1])], [weights],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    package = save_model(model, shop.blobs, example=pa.table({"a": [1.0], "b": [1.0]}))
    shop.registry.register("linear", package)
    folder = tmp_path_factory.mktemp("edge")
    write_edge_bundle(shop, "linear/1", folder / "linear.zip")
    with zipfile.ZipFile(folder / "linear.zip") as archive:
        archive.extractall(folder / "linear")
    return folder


def run(bundle: Path, rows: Any) -> Any:
    command = [sys.executable, "-c", ALONE, str(bundle / "linear/run.py"), json.dumps(rows)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return json.loads(done.stdout) if done.returncode == 0 else done.stderr


def test_it_answers_without_flyball(bundle: Path) -> None:
    assert run(bundle, [{"a": 1.0, "b": 2.0}, {"b": 1, "a": 0}]) == [{"prediction": 22.0}, {"prediction": 10.0}]


def test_what_is_missing_is_named(bundle: Path) -> None:
    assert "Column 'b' is missing" in run(bundle, [{"a": 1.0}])


def test_a_function_service_gets_its_own_form(bundle: Path) -> None:
    code = "import run, json; print(json.dumps([run.handler({'body': json.dumps({'rows': [{'a': 1, 'b': 0}]})}), run.handler({})]))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=bundle / "linear", capture_output=True, text=True, check=True
    )
    good, bad = json.loads(done.stdout)
    assert (good["statusCode"], json.loads(good["body"])["predictions"]) == (200, [{"prediction": 2.0}])
    assert bad["statusCode"] == 422


def test_the_same_version_gives_the_same_bytes(shop: Workspace, bundle: Path, tmp_path: Path) -> None:
    write_edge_bundle(shop, "linear/1", tmp_path / "again.zip")
    assert (tmp_path / "again.zip").read_bytes() == (bundle / "linear.zip").read_bytes()


def test_a_model_that_is_no_graph_is_refused(shop: Workspace, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="twin"):
        write_edge_bundle(shop, "shop", tmp_path / "shop.zip")
    assert not list(tmp_path.iterdir())
