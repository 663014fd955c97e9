from __future__ import annotations

import importlib.util
import subprocess
import sys
import warnings
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import FixedThresholdClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from sklearn.svm import LinearSVC

from flyball.errors import Corrupt, InvalidInput, NotFound, WorkFailed
from flyball.models.flavors.base import FLAVORS
from flyball.models.frames import to_pandas
from flyball.models.package import ModelPackage, load_model, save_model
from flyball.serialization import from_json, to_json
from flyball.storage.local_objects import LocalObjects
from flyball.storage.objects import Blobs

rng = np.random.default_rng(7)
X = rng.random(200)
TABLE = pa.table(
    {
        "x": X,
        "n": rng.integers(0, 9, 200),
        "city": pa.array([None if i % 11 == 0 else "abc"[i % 3] for i in range(200)]),
        "gap": pa.array([None if i % 7 == 0 else i for i in range(200)]),
    }
)
LABEL = X + rng.normal(0, 0.2, 200) > 0.5


def functions() -> ModuleType:
    path = Path(__file__).with_name("functions.py")
    spec = importlib.util.spec_from_file_location("functions_under_test", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def mixed_pipeline() -> Any:
    cities = (OneHotEncoder(handle_unknown="ignore", sparse_output=False), ["city"])
    encoder = make_column_transformer(cities, remainder="passthrough")
    return make_pipeline(encoder, HistGradientBoostingClassifier(max_iter=5, random_state=0))


def models() -> dict[str, Any]:
    frame = to_pandas(TABLE)
    three = np.digitize(X, [0.3, 0.6])
    scaled = make_pipeline(StandardScaler(), LogisticRegression())
    return {
        "pipeline": mixed_pipeline().fit(frame, LABEL),
        "text labels": scaled.fit(frame[["x", "n"]], np.where(LABEL, "late", "on time")),
        "three classes": RandomForestClassifier(5, random_state=0).fit(frame[["x", "n"]], three),
        "no probabilities": LinearSVC().fit(frame[["x", "n"]], LABEL),
        "regressor": LinearRegression().fit(frame[["x", "n"]], X * 3),
        "function": functions().doubled,
        "function with chances": functions().chances,
        "static method": functions().Rules.by_rule,
    }


@pytest.fixture(scope="module")
def fitted() -> dict[str, Any]:
    return models()


IN_ANOTHER_PROCESS = """
import sys
from pathlib import Path
import pyarrow.parquet as pq
from flyball.models.package import ModelPackage, load_model
from flyball.serialization import from_json
from flyball.storage.objects import Blobs, open_objects
store, package, rows, out = sys.argv[1:]
model = load_model(from_json(Path(package).read_bytes(), ModelPackage), Blobs(open_objects(store)))
pq.write_table(model.predict(pq.read_table(rows)), out)
"""


@pytest.mark.parametrize("name", sorted(models()))
def test_another_process_predicts_the_same(name: str, fitted: dict[str, Any], blobs: Blobs, tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    package = save_model(fitted[name], blobs, example=TABLE)
    here = load_model(package, blobs).predict(TABLE)
    (tmp_path / "package.json").write_bytes(to_json(package))
    pq.write_table(TABLE, tmp_path / "rows.parquet")
    arguments = [str(tmp_path / each) for each in ("objects", "package.json", "rows.parquet", "out.parquet")]
    subprocess.run([sys.executable, "-W", "error", "-c", IN_ANOTHER_PROCESS, *arguments], check=True, cwd=tmp_path)
    assert pq.read_table(tmp_path / "out.parquet").equals(here)


def test_every_flavor_has_a_model_in_these_tests(fitted: dict[str, Any]) -> None:
    covered = {name for model in fitted.values() for name, flavor in FLAVORS.all().items() if flavor.matches(model)}
    # These have tests of their own.
    elsewhere = {
        "catboost", "command", "jax", "keras", "lightgbm", "mlflow", "onnx", "python_object", "pytorch", "rules", "statsmodels",
        "transformers", "xgboost",
    }  # fmt: skip
    assert covered | elsewhere == set(FLAVORS.names())


def test_predictions_are_those_of_the_estimator(fitted: dict[str, Any], blobs: Blobs) -> None:
    answer = load_model(save_model(fitted["pipeline"], blobs, example=TABLE), blobs).predict(TABLE)
    chances = fitted["pipeline"].predict_proba(to_pandas(TABLE))
    assert answer["prediction"].to_pylist() == fitted["pipeline"].predict(to_pandas(TABLE)).tolist()
    assert answer["probability"].to_pylist() == chances[:, 1].tolist()


def test_three_classes_give_all_probabilities(fitted: dict[str, Any], blobs: Blobs) -> None:
    model = load_model(save_model(fitted["three classes"], blobs, example=TABLE), blobs)
    chances = fitted["three classes"].predict_proba(to_pandas(TABLE)[["x", "n"]])
    answer = model.predict(TABLE)
    assert model.signature.classes == (0, 1, 2)
    assert np.allclose(answer["probabilities"].to_pylist(), chances)
    assert answer["probability"].to_pylist() == chances[:, 2].tolist()


def test_a_classifier_with_its_own_threshold_keeps_it(blobs: Blobs) -> None:
    frame = to_pandas(TABLE)[["x"]]
    model = FixedThresholdClassifier(LogisticRegression(), threshold=0.9).fit(frame, LABEL)
    answer = load_model(save_model(model, blobs, example=TABLE), blobs).predict(TABLE)
    assert answer["prediction"].to_pylist() == model.predict(frame).tolist()
    assert 0 < sum(answer["prediction"].to_pylist()) < sum(p > 0.5 for p in answer["probability"].to_pylist())


def test_the_signature_tells_task_classes_and_columns(fitted: dict[str, Any], blobs: Blobs) -> None:
    signature = save_model(fitted["text labels"], blobs, example=TABLE).signature
    assert (signature.task, signature.classes, signature.inputs.names) == (
        "classification",
        ("late", "on time"),
        ("x", "n"),
    )
    assert signature.outputs.names == ("prediction", "probability")
    assert save_model(fitted["regressor"], blobs, example=TABLE).signature.task == "regression"
    assert save_model(fitted["function with chances"], blobs, example=TABLE).signature.task == "classification"


def test_a_model_fitted_on_an_array_predicts_without_a_warning(blobs: Blobs) -> None:
    model = LinearRegression().fit(to_pandas(TABLE)[["x", "n"]].to_numpy(), X)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loaded = load_model(save_model(model, blobs, example=TABLE.select(["x", "n"])), blobs)
        assert loaded.predict(TABLE).num_rows == 200


def test_the_same_model_has_the_same_id(blobs: Blobs) -> None:
    frame = to_pandas(TABLE)
    one, other = (save_model(mixed_pipeline().fit(frame, LABEL), blobs, example=TABLE) for _ in range(2))
    assert one == other
    assert save_model(mixed_pipeline().fit(frame, ~LABEL), blobs, example=TABLE).id != one.id


def test_a_package_goes_through_json(fitted: dict[str, Any], blobs: Blobs) -> None:
    package = save_model(fitted["pipeline"], blobs, example=TABLE)
    assert from_json(to_json(package), ModelPackage) == package


def test_the_environment_names_what_the_flavor_needs(fitted: dict[str, Any], blobs: Blobs) -> None:
    packages = save_model(fitted["pipeline"], blobs, example=TABLE).environment.packages
    assert {"scikit-learn", "numpy", "pandas", "pyarrow"} <= set(packages)


def test_a_pickle_is_marked_as_running_code(fitted: dict[str, Any], blobs: Blobs) -> None:
    assert save_model(fitted["pipeline"], blobs, example=TABLE).flavor_settings["trusted_only"] == "true"


def test_no_rows_give_no_answers_of_the_right_types(fitted: dict[str, Any], blobs: Blobs) -> None:
    model = load_model(save_model(fitted["three classes"], blobs, example=TABLE), blobs)
    assert model.predict(TABLE.slice(0, 0)).schema.types == model.predict(TABLE).schema.types


def test_a_damaged_file_is_noticed(fitted: dict[str, Any], tmp_path: Path) -> None:
    store = LocalObjects(tmp_path / "objects", durable=False)
    package = save_model(fitted["regressor"], Blobs(store), example=TABLE)
    name = package.files["model.pickle"]
    store.put(f"blobs/{name[:2]}/{name}", b"something else")
    with pytest.raises(Corrupt):
        load_model(package, Blobs(store))


def test_a_file_may_not_climb_out_of_the_package(fitted: dict[str, Any], blobs: Blobs) -> None:
    package = save_model(fitted["regressor"], blobs, example=TABLE)
    with pytest.raises(InvalidInput):
        load_model(replace(package, files={"../outside": package.files["model.pickle"]}), blobs)


def test_an_unknown_flavor_is_named(fitted: dict[str, Any], blobs: Blobs) -> None:
    package = save_model(fitted["regressor"], blobs, example=TABLE)
    with pytest.raises(NotFound, match="scikit_lern"):
        load_model(replace(package, flavor="scikit_lern"), blobs)


def test_lambdas_and_inner_functions_are_refused(blobs: Blobs) -> None:
    def inner(table: pa.Table) -> pa.ChunkedArray:
        return table["x"]

    for function in (inner, lambda table: table["x"]):
        with pytest.raises(InvalidInput, match=r"cannot be saved.*top level"):
            save_model(function, blobs, example=TABLE)


def test_a_class_of_the_running_script_is_refused(tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text(
        "import pyarrow as pa\nfrom pathlib import Path\n"
        "from sklearn.linear_model import LinearRegression\n"
        "from flyball.models.package import save_model\n"
        "from flyball.storage.objects import Blobs, open_objects\n"
        "class Mine(LinearRegression):\n    pass\n"
        "model = Mine().fit([[1.0], [2.0]], [1.0, 2.0])\n"
        "save_model(model, Blobs(open_objects('objects')), example=pa.table({'x': [1.0]}))\n"
    )
    done = subprocess.run([sys.executable, str(script)], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "no other process could find it" in done.stderr


def test_a_lambda_inside_a_pipeline_is_refused(blobs: Blobs) -> None:
    model = make_pipeline(FunctionTransformer(lambda frame: frame), LinearRegression())
    model.fit(pd.DataFrame({"x": [1.0, 2.0]}), [1.0, 2.0])
    with pytest.raises(InvalidInput, match="cannot be pickled"):
        save_model(model, blobs, example=TABLE)


@pytest.mark.parametrize("name", ["too_few", "wrong_column"])
def test_a_function_that_answers_wrongly_is_refused(name: str, blobs: Blobs) -> None:
    with pytest.raises(WorkFailed):
        save_model(getattr(functions(), name), blobs, example=TABLE)


def test_what_no_flavor_keeps_is_refused(blobs: Blobs) -> None:
    with pytest.raises(InvalidInput, match=r"No flavor keeps a builtins\.dict"):
        save_model({}, blobs, example=TABLE)


def test_an_example_without_rows_or_columns_is_refused(fitted: dict[str, Any], blobs: Blobs) -> None:
    with pytest.raises(InvalidInput, match="no rows"):
        save_model(fitted["regressor"], blobs, example=TABLE.slice(0, 0))
    with pytest.raises(InvalidInput, match="no column 'n'"):
        save_model(fitted["regressor"], blobs, example=TABLE.select(["x"]))


def test_a_scaler_is_no_model(blobs: Blobs) -> None:
    with pytest.raises(InvalidInput, match="has no `predict`"):
        save_model(StandardScaler().fit([[1.0], [2.0]]), blobs, example=TABLE.select(["x"]))


def test_classes_that_are_not_the_models_are_refused(fitted: dict[str, Any], blobs: Blobs) -> None:
    with pytest.raises(InvalidInput, match="classes are"):
        save_model(fitted["text labels"], blobs, example=TABLE, classes=["on time", "late"])
