"""What every flavor promises: kept, read back in another process, and the same answers as the library itself gives."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import onnx
import onnx.helper as oh
import pandas as pd
import pyarrow as pa
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf
import xgboost

import flyball as fb
from flyball.errors import Corrupt, InvalidInput
from flyball.evaluation.explanation import Explanation
from flyball.models.flavors.base import FLAVORS
from flyball.models.package import ModelPackage, load_model, save_model
from flyball.serialization import to_json
from flyball.storage.local_objects import LocalObjects
from flyball.storage.objects import Blobs

rng = np.random.default_rng(11)
X = rng.random(300)
Z = rng.normal(size=300)
CITY = np.array(["Bonn", "Kiel", "Ulm"])[rng.integers(0, 3, 300)]
ROWS = pa.table({"x": X, "z": Z, "city": CITY, "gap": [None if i % 5 == 0 else float(i) for i in range(300)]})
FRAME = pd.DataFrame({"x": X, "z": Z, "city": pd.Categorical(CITY), "gap": ROWS["gap"].to_numpy()})
YES = (X + Z / 4 > 0.5).astype(int)
KIND = np.digitize(X, [0.3, 0.7])
OFTEN = (X + Z / 4 + rng.normal(0, 0.4, 300) > 0.5).astype(int)
VALUE = 3 * X - Z + rng.normal(0, 0.1, 300)
TREES: dict[str, Any] = {"n_estimators": 8, "max_depth": 3, "random_state": 0}


def linear_graph() -> onnx.ModelProto:
    """2 x - z + 0.5 of one input of both columns."""
    weights = oh.make_tensor("w", onnx.TensorProto.FLOAT, [2, 1], [2.0, -1.0])
    shift = oh.make_tensor("b", onnx.TensorProto.FLOAT, [1], [0.5])
    nodes = [oh.make_node("MatMul", ["rows", "w"], ["m"]), oh.make_node("Add", ["m", "b"], ["y"])]
    rows = oh.make_tensor_value_info("rows", onnx.TensorProto.FLOAT, [None, 2])
    out = oh.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [None, 1])
    graph = oh.make_graph(nodes, "linear", [rows], [out], [weights, shift])
    return oh.make_model(graph, opset_imports=[oh.make_opsetid("", 17)], ir_version=8)


def named_graph() -> onnx.ModelProto:
    """A classifier of two columns, each an input of its own: label and probabilities."""

    def column(name: str) -> Any:
        return oh.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [None, 1])

    nodes = [
        oh.make_node("Sub", ["x", "z"], ["d"]),
        oh.make_node("Sigmoid", ["d"], ["p"]),
        oh.make_node("Neg", ["d"], ["n"]),
        oh.make_node("Sigmoid", ["n"], ["q"]),
        oh.make_node("Concat", ["q", "p"], ["probabilities"], axis=1),
        oh.make_node("ArgMax", ["probabilities"], ["label"], axis=1, keepdims=0),
    ]
    outputs = [
        oh.make_tensor_value_info("label", onnx.TensorProto.INT64, [None]),
        oh.make_tensor_value_info("probabilities", onnx.TensorProto.FLOAT, [None, 2]),
    ]
    graph = oh.make_graph(nodes, "named", [column("x"), column("z")], outputs)
    return oh.make_model(graph, opset_imports=[oh.make_opsetid("", 17)], ir_version=8)


@dataclass(frozen=True)
class Case:
    """A fitted model, rows to ask it, and what its own library says."""

    flavor: str
    model: Any
    rows: pa.Table
    prediction: list[Any]
    probability: list[float] | None = None
    is_safe: bool = True


def xgb_case(kind: type[Any], label: Any, **settings: Any) -> Case:
    model = kind(enable_categorical=True, **TREES, **settings).fit(FRAME, label)
    chances = model.predict_proba(FRAME)[:, -1].tolist() if hasattr(model, "predict_proba") else None
    return Case("xgboost", model, ROWS, model.predict(FRAME).tolist(), chances)


def xgb_booster() -> Case:
    data = xgboost.DMatrix(FRAME, YES, enable_categorical=True)
    booster = xgboost.train({"objective": "binary:logistic", "max_depth": 2, "seed": 0}, data, 6)
    chances = booster.predict(data)
    return Case("xgboost", booster, ROWS, (chances > 0.5).astype(int).tolist(), chances.tolist())


def xgb_early() -> Case:
    model = xgboost.XGBRegressor(
        enable_categorical=True, early_stopping_rounds=2, learning_rate=0.9, n_estimators=200, max_depth=6
    )
    model.fit(FRAME[:200], VALUE[:200], eval_set=[(FRAME[200:], VALUE[200:])], verbose=False)
    assert model.best_iteration < 199
    return Case("xgboost", model, ROWS, model.predict(FRAME).tolist())


def lgb_case(kind: type[Any], label: Any) -> Case:
    model = kind(verbose=-1, **TREES).fit(FRAME, label)
    chances = model.predict_proba(FRAME)[:, -1].tolist() if hasattr(model, "predict_proba") else None
    return Case("lightgbm", model, ROWS, model.predict(FRAME).tolist(), chances)


def lgb_booster() -> Case:
    booster = lightgbm.train({"objective": "regression", "verbose": -1, "seed": 0}, lightgbm.Dataset(FRAME, VALUE), 6)
    return Case("lightgbm", booster, ROWS, np.asarray(booster.predict(FRAME)).tolist())


def ols_case() -> Case:
    results = sm.OLS(VALUE, sm.add_constant(FRAME[["x", "z"]])).fit()
    said = results.predict(sm.add_constant(FRAME[["x", "z"]])).tolist()
    return Case("statsmodels", results, ROWS, said, is_safe=False)


def logit_case() -> Case:
    frame = FRAME.assign(yes=OFTEN)
    results = smf.logit("yes ~ x + z + C(city)", frame).fit(disp=0)
    return Case("statsmodels", results, ROWS.drop_columns(["gap"]), results.predict(frame).tolist(), is_safe=False)


def rules_case() -> Case:
    model = fb.rules({"gap IS NULL": False, "x > 0.5 AND city IN ('Bonn', 'Kiel')": True}, otherwise=False)
    said = [bool(i % 5 and X[i] > 0.5 and CITY[i] != "Ulm") for i in range(300)]
    return Case("rules", model, ROWS, said, [float(each) for each in said])


CASES: dict[str, Callable[[], Case]] = {
    "xgboost-two-classes": lambda: xgb_case(xgboost.XGBClassifier, YES),
    "xgboost-three-classes": lambda: xgb_case(xgboost.XGBClassifier, KIND),
    "xgboost-regressor": lambda: xgb_case(xgboost.XGBRegressor, VALUE),
    "xgboost-forest": lambda: xgb_case(xgboost.XGBRFRegressor, VALUE),
    "xgboost-booster": xgb_booster,
    "xgboost-early-stopping": xgb_early,
    "lightgbm-two-classes": lambda: lgb_case(lightgbm.LGBMClassifier, YES),
    "lightgbm-texts": lambda: lgb_case(lightgbm.LGBMClassifier, np.array(["low", "mid", "top"])[KIND]),
    "lightgbm-regressor": lambda: lgb_case(lightgbm.LGBMRegressor, VALUE),
    "lightgbm-booster": lgb_booster,
    "onnx-together": lambda: Case(
        "onnx", linear_graph(), ROWS.select(["x", "z"]), (2 * X - Z + 0.5).astype("float32").tolist()
    ),
    "onnx-named": lambda: Case(
        "onnx", named_graph(), ROWS, (X > Z).astype(int).tolist(), (1 / (1 + np.exp(Z - X))).tolist()
    ),
    "statsmodels-ols": ols_case,
    "statsmodels-formula": logit_case,
    "rules": rules_case,
    "rules-values": lambda: Case(
        "rules", fb.rules({"z > 1": 2.5}, otherwise=1), ROWS, [2.5 if z > 1 else 1.0 for z in Z]
    ),
}

ASK = """
import json, sys
from pathlib import Path
import pyarrow as pa
from flyball.models.package import ModelPackage, load_model
from flyball.serialization import from_json
from flyball.storage.local_objects import LocalObjects
from flyball.storage.objects import Blobs

folder = Path(sys.argv[1])
blobs = Blobs(LocalObjects(folder / "objects", durable=False))
for place in sorted(folder.glob("*.package")):
    model = load_model(from_json(place.read_bytes(), ModelPackage), blobs)
    with pa.ipc.open_stream(place.with_suffix(".rows").read_bytes()) as reader:
        answer = model.predict(reader.read_all())
    print(json.dumps([place.stem, answer.to_pydict()]))
"""


@dataclass(frozen=True)
class Kept:
    """All cases as packages, and what another process says with them."""

    cases: dict[str, Case]
    packages: dict[str, ModelPackage]
    answers: dict[str, dict[str, list[Any]]]
    blobs: Blobs


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    folder = tmp_path_factory.mktemp("flavors")
    blobs = Blobs(LocalObjects(folder / "objects", durable=False))
    cases = {name: make() for name, make in CASES.items()}
    packages = {}
    for name, case in cases.items():
        package = packages[name] = save_model(case.model, blobs, example=case.rows.slice(0, 20))
        (folder / f"{name}.package").write_bytes(to_json(package))
        with pa.OSFile(str(folder / f"{name}.rows"), "wb") as file, pa.ipc.new_stream(file, case.rows.schema) as writer:
            writer.write_table(case.rows)
    done = subprocess.run(
        [sys.executable, "-c", ASK, str(folder)], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    answers = dict(json.loads(line) for line in done.stdout.splitlines())
    return Kept(cases, packages, answers, blobs)


@pytest.mark.parametrize("name", CASES)
def test_another_process_says_what_the_library_says(kept: Kept, name: str) -> None:
    case, answer = kept.cases[name], kept.answers[name]
    if isinstance(case.prediction[0], float):
        assert answer["prediction"] == pytest.approx(case.prediction, abs=1e-5)
    else:
        assert answer["prediction"] == case.prediction
    if case.probability is not None:
        assert answer["probability"] == pytest.approx(case.probability, abs=1e-6)


@pytest.mark.parametrize("name", CASES)
def test_the_flavor_is_found_and_says_whether_it_runs_code(kept: Kept, name: str) -> None:
    package = kept.packages[name]
    assert package.flavor == kept.cases[name].flavor
    assert ("trusted_only" not in package.flavor_settings) == kept.cases[name].is_safe


@pytest.mark.parametrize("name", [name for name in CASES if not name.startswith("onnx")])
def test_equal_models_are_equal_packages(kept: Kept, name: str) -> None:
    case = CASES[name]()
    assert save_model(case.model, kept.blobs, example=case.rows.slice(0, 20)).id == kept.packages[name].id


def test_a_model_is_asked_about_rows_with_fewer_categories(kept: Kept) -> None:
    for name in ("xgboost-two-classes", "lightgbm-two-classes"):
        case = kept.cases[name]
        only = [place for place in range(300) if CITY[place] == "Ulm"]
        answer = load_model(kept.packages[name], kept.blobs).predict(case.rows.take(only))
        assert case.probability is not None
        assert answer["probability"].to_pylist() == pytest.approx([case.probability[place] for place in only])


@pytest.mark.parametrize("name", ["xgboost-booster", "xgboost-early-stopping", "lightgbm-regressor"])
def test_boosters_can_be_explained_exactly(kept: Kept, name: str) -> None:
    from flyball.models.explaining import explain_model

    model = load_model(kept.packages[name], kept.blobs)
    found = explain_model(model, kept.cases[name].rows.slice(0, 3), background=None)
    assert isinstance(found, Explanation)
    assert "Exact Shapley values of the trees" in found.how


@pytest.mark.parametrize("flavor", ["xgboost", "lightgbm", "onnx", "statsmodels"])
def test_a_damaged_file_is_told(kept: Kept, flavor: str, tmp_path: Path) -> None:
    name = next(name for name, case in kept.cases.items() if case.flavor == flavor)
    package = kept.packages[name]
    for file in package.files:
        (tmp_path / file).write_bytes(b"nothing of the kind")
    with pytest.raises((Corrupt, InvalidInput)):
        FLAVORS.get(flavor).load(tmp_path, package.flavor_settings)


def test_an_onnx_file_is_a_model(blobs: Blobs, tmp_path: Path) -> None:
    (tmp_path / "linear.onnx").write_bytes(linear_graph().SerializeToString())
    package = save_model(tmp_path / "linear.onnx", blobs, example=ROWS.select(["x", "z"]).slice(0, 5))
    assert package.flavor == "onnx"


def test_an_onnx_graph_that_wants_other_columns_is_refused(blobs: Blobs) -> None:
    with pytest.raises(InvalidInput, match="takes 2 columns, and the example has 1"):
        save_model(linear_graph(), blobs, example=ROWS.select(["x"]))


def test_a_text_column_for_numbers_is_named(blobs: Blobs) -> None:
    with pytest.raises(InvalidInput, match="Column 'city' is string"):
        save_model(linear_graph(), blobs, example=ROWS.select(["x", "city"]))


@pytest.mark.parametrize(
    ("conditions", "found"),
    [
        ({"nowhere > 1": True}, "nowhere"),
        ({"x >": True}, "cannot be asked"),
        ({"(SELECT count(*) FROM read_csv('/etc/passwd')) > 0": True}, "cannot be asked"),
        ({"x > 1": "late"}, "predict text and truth values"),
        ({" ": True}, "empty condition"),
    ],
    ids=["column", "syntax", "outside", "kinds", "empty"],
)
def test_rules_that_cannot_be_asked_are_refused(blobs: Blobs, conditions: dict[str, Any], found: str) -> None:
    with pytest.raises(InvalidInput, match=found):
        save_model(fb.rules(conditions, otherwise=False), blobs, example=ROWS)
