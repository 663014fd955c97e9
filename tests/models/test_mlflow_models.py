"""Model folders of MLflow: what an MLmodel says, and models read back without the mlflow package."""

from __future__ import annotations

import importlib.util
import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression

from flyball.errors import Corrupt, InvalidInput, MissingExtra, NotFound
from flyball.models.mlmodel import MLMODEL, parse, signature_of, written
from flyball.models.model_folders import package_of
from flyball.models.package import LoadedModel, ModelPackage, load_model, no_package, save_model
from flyball.storage.object_store import ObjectStore
from flyball.storage.objects import Blobs

ROWS = pa.table({"age": [20.0, 30.0, 60.0, 70.0], "visits": [1, 2, 3, 4]})
LEFT = [0, 0, 1, 1]
INPUTS = [{"type": "double", "name": "age", "required": True}, {"type": "long", "name": "visits", "required": True}]
OUTPUTS = [{"type": "tensor", "tensor-spec": {"dtype": "int64", "shape": [-1]}}]


@pytest.fixture
def blobs(store: ObjectStore) -> Blobs:
    return Blobs(store)


def yaml_of(flavors: dict[str, Any], inputs: Any = INPUTS, outputs: Any = OUTPUTS) -> str:
    """An MLmodel as MLflow writes it."""
    lines = ["flavors:"]
    for flavor, settings in flavors.items():
        lines += [f"  {flavor}:", *(f"    {key}: {json.dumps(value)}" for key, value in settings.items())]
    lines += ["mlflow_version: 3.18.0", "model_uuid: 669c4b104d7a4ae18f0facd3d8fc94b3", "prompts: null"]
    if inputs is not None:
        lines += [
            "signature:",
            f"  inputs: '{json.dumps(inputs)}'",
            f"  outputs: '{json.dumps(outputs)}'",
            "  params: null",
        ]
    return "\n".join([*lines, "utc_time_created: '2026-11-21 13:19:01.106959'", ""])


def folder_of(path: Path, files: dict[str, bytes], **said: Any) -> Path:
    for name, data in {**files, MLMODEL: yaml_of(**said).encode()}.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
    return path


def kept(folder: Path, blobs: Blobs) -> ModelPackage:
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return package_of(
        {path.relative_to(folder).as_posix(): (blobs.put_file(path), path.stat().st_size) for path in paths}, blobs
    )


def sklearn(model: object, **more: Any) -> dict[str, Any]:
    settings = {"pickled_model": "model.pkl", "serialization_format": "cloudpickle", "code": None}
    function = {
        "loader_module": "mlflow.sklearn",
        "model_path": "model.pkl",
        "predict_fn": "predict",
        "python_version": "3.11.7",
    }
    flavors = {"python_function": function, "sklearn": settings}
    files = {
        "model.pkl": pickle.dumps(model),
        "requirements.txt": b"mlflow==3.18.0\nscikit_learn==1.9.1\n# a note\nfoo>=1\n",
    }
    return {"files": files, "flavors": flavors, **more}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    model = LogisticRegression().fit(ROWS.to_pandas(), LEFT)
    return folder_of(tmp_path / "model", **sklearn(model))


def test_a_folder_becomes_a_package_without_loading_the_model(folder: Path, blobs: Blobs) -> None:
    (folder / "model.pkl").write_bytes(b"no pickle at all")
    package = kept(folder, blobs)
    assert (package.flavor, package.flavor_settings["trusted_only"]) == ("mlflow", "true")
    assert sorted(package.files) == ["MLmodel", "model.pkl", "requirements.txt"]
    assert [(column.name, column.type) for column in package.signature.inputs.columns] == [
        ("age", "float"),
        ("visits", "int"),
    ]
    assert (package.environment.python, package.environment.packages) == (
        "3.11.7", {"mlflow": "3.18.0", "scikit-learn": "1.9.1"},
    )  # fmt: skip
    assert package.id == kept(folder, blobs).id
    with pytest.raises(Corrupt):
        load_model(package, blobs)


def test_a_model_of_scikit_learn_is_read_without_mlflow(folder: Path, blobs: Blobs) -> None:
    assert importlib.util.find_spec("mlflow") is None
    model = load_model(kept(folder, blobs), blobs)
    assert model.predict(ROWS)["prediction"].to_pylist() == LEFT
    assert (model.signature.task, model.signature.classes) == ("classification", (0, 1))
    assert model.predict(ROWS.slice(0, 0)).num_rows == 0


def test_a_model_without_a_signature_is_asked_for_the_columns_that_it_knows(tmp_path: Path, blobs: Blobs) -> None:
    fitted = LinearRegression().fit(ROWS.to_pandas(), [1.0, 2.0, 3.0, 4.0])
    model = load_model(kept(folder_of(tmp_path / "m", **sklearn(fitted, inputs=None)), blobs), blobs)
    assert model.signature.inputs.names == ("age", "visits")
    assert model.predict(ROWS.append_column("other", pa.array(["x"] * 4)))["prediction"].to_pylist()[
        0
    ] == pytest.approx(1)


def test_a_model_of_an_array_takes_its_columns_by_their_place(tmp_path: Path, blobs: Blobs) -> None:
    fitted = LinearRegression().fit(np.array([[1.0, 2.0], [2.0, 1.0], [3.0, 5.0]]), [3.0, 3.0, 8.0])
    tensor = [{"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1, 2]}}]
    for inputs in (tensor, None):
        path = folder_of(tmp_path / str(inputs is None), **sklearn(fitted, inputs=inputs))
        model = load_model(kept(path, blobs), blobs)
        assert model.signature.inputs.names == ("x0", "x1")
        assert model.predict(pa.table({"x0": [4.0], "x1": [4.0]}))["prediction"].to_pylist() == [pytest.approx(8)]


def test_a_folder_can_be_saved_as_any_model(folder: Path, blobs: Blobs) -> None:
    package = save_model(folder, blobs, example=ROWS)
    assert (package.flavor, package.signature.task) == ("mlflow", "classification")
    assert load_model(package, blobs).predict(ROWS)["prediction"].to_pylist() == LEFT


def test_a_model_may_bring_its_own_loader(tmp_path: Path, blobs: Blobs) -> None:
    code = b"class M:\n    def predict(self, frame):\n        return frame['age'] * 2\n\ndef _load_pyfunc(path):\n    return M()\n"
    flavors = {"python_function": {"loader_module": "a_loader_of_ones_own", "code": "code", "data": "data"}}
    files = {"code/a_loader_of_ones_own.py": code, "data/x": b"1"}
    model = load_model(kept(folder_of(tmp_path / "m", files, flavors=flavors), blobs), blobs)
    assert model.predict(ROWS)["prediction"].to_pylist() == [40.0, 60.0, 120.0, 140.0]


@pytest.mark.parametrize(
    ("flavors", "said"),
    [
        ({"python_function": {"loader_module": "mlflow.pyfunc.model"}}, "only the mlflow package can read"),
        ({"sklearn": {"pickled_model": "model.pkl", "serialization_format": "skops"}}, "saved by skops"),
        ({"xgboost": {"data": "model.pkl"}}, "needs xgboost"),
        ({"lightgbm": {"data": "model.pkl"}}, "needs lightgbm"),
    ],
)
def test_what_needs_a_library_says_which(
    tmp_path: Path, blobs: Blobs, monkeypatch: pytest.MonkeyPatch, flavors: dict[str, Any], said: str
) -> None:
    for name in ("mlflow", "mlflow.pyfunc", "skops", "skops.io", "xgboost", "lightgbm"):
        monkeypatch.setitem(__import__("sys").modules, name, None)
    package = kept(folder_of(tmp_path / "m", {"model.pkl": b"x"}, flavors=flavors), blobs)
    with pytest.raises(MissingExtra, match=said):
        load_model(package, blobs)


@pytest.mark.parametrize("path", ["../model.pkl", "/etc/passwd", "none.pkl", ""])
def test_a_file_that_is_not_in_the_folder_is_not_read(tmp_path: Path, blobs: Blobs, path: str) -> None:
    (tmp_path / "model.pkl").write_bytes(b"x")
    flavors = {"sklearn": {"pickled_model": path, "serialization_format": "pickle"}}
    package = kept(folder_of(tmp_path / "m", {"other": b"x"}, flavors=flavors), blobs)
    with pytest.raises((NotFound, InvalidInput, IsADirectoryError)):
        load_model(package, blobs)


@pytest.mark.parametrize(
    "text",
    ["", "a", "[1]", "flavors: 3", "flavors: {}", "flavors: {a: {}}\nsignature: {inputs: 'x'}", "a: [",
     "a: !!python/name:os.system", "flavors: {a: !!python/object/apply:os.system ['true']}", "\x00"],
)  # fmt: skip
def test_what_is_no_mlmodel_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        parse(text.encode())


def test_a_large_mlmodel_is_refused() -> None:
    with pytest.raises(InvalidInput, match="bytes"):
        parse(b"x" * 5_000_000)


@pytest.mark.parametrize(
    ("inputs", "names"),
    [
        ([{"type": "string", "name": "a"}, {"type": "datetime", "name": "b", "required": False}], ("a", "b")),
        ([{"type": "double"}, {"type": "boolean"}], ("x0", "x1")),
        ([{"type": "tensor", "name": "a", "tensor-spec": {"dtype": "float32", "shape": [-1, 1]}}], ("a",)),
        ([{"type": "tensor", "tensor-spec": {"dtype": "float32", "shape": [-1, 28, 28]}}], ()),
        ([{"type": "array", "items": {"type": "long"}, "name": "a"}], ()),
        ([{"type": "double", "name": "a"}, {"type": "double", "name": "a"}], ()),
        ([{}], ()),
        ([{"type": "tensor", "tensor-spec": 3}], ()),
        ([{"type": ["x"], "name": "a"}], ()),
    ],
)
def test_inputs_are_columns_where_rows_are(inputs: Any, names: tuple[str, ...]) -> None:
    assert signature_of(parse(yaml_of({"a": {}}, inputs).encode())).inputs.names == names


def test_what_is_said_of_our_own_package_is_read_back(folder: Path, blobs: Blobs) -> None:
    package = kept(folder, blobs)
    said = parse(written(package.signature, {"python_function": {}}, created="2026-01-01", size=1, identity="x"))
    assert said.inputs == INPUTS
    assert signature_of(said).inputs == package.signature.inputs


def test_a_package_without_files_cannot_be_loaded(blobs: Blobs) -> None:
    with pytest.raises(NotFound, match="not kept here"):
        load_model(no_package(), blobs)


def test_a_frame_of_several_columns_keeps_them(tmp_path: Path, blobs: Blobs) -> None:
    code = (
        b"import pandas as pd\nclass M:\n    def predict(self, frame):\n"
        b"        return pd.DataFrame({'prediction': frame['age'], 'extra': frame['visits']})\n"
        b"def _load_pyfunc(path):\n    return M()\n"
    )
    flavors = {"python_function": {"loader_module": "a_loader_of_frames", "code": "code"}}
    model: LoadedModel = load_model(
        kept(folder_of(tmp_path / "m", {"code/a_loader_of_frames.py": code}, flavors=flavors), blobs), blobs
    )
    assert model.predict(ROWS).column_names == ["prediction", "extra"]
