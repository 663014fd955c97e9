"""Flavors of objects, programs and networks: kept, read back in another process, and the same answers."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from flyball.errors import InvalidInput, WorkFailed
from flyball.models.command_model import CommandModel
from flyball.models.package import load_model, save_model
from flyball.serialization import to_json
from flyball.storage.local_objects import LocalObjects
from flyball.storage.objects import Blobs
from tests.models.own_model import Seasons
from tests.servers.absent import found
from tools import environments

SCRIPTS = Path(__file__).parent / "scripts"
ROOT = Path(__file__).parents[2]
DAYS = np.arange(60)
VALUES = 10.0 + DAYS % 7


def other_process(folder: Path, blobs: Blobs, package: Any, rows: pa.Table) -> dict[str, list[Any]]:
    """What another process says with a package, which knows nothing of the project."""
    (folder / "package.json").write_bytes(to_json(package))
    with pa.OSFile(str(folder / "rows"), "wb") as file, pa.ipc.new_stream(file, rows.schema) as writer:
        writer.write_table(rows)
    objects = LocalObjects(folder / "copied", durable=False)
    for digest in (*package.files.values(), package.input_example):
        Blobs(objects).put(blobs.get(digest))
    command = [sys.executable, str(SCRIPTS / "ask.py"), str(folder), str(folder / "copied")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False)
    assert done.returncode == 0, done.stderr
    answer: dict[str, list[Any]] = json.loads(done.stdout)
    return answer


def test_a_class_of_the_project_is_kept_with_its_file(blobs: Blobs, tmp_path: Path) -> None:
    model = Seasons(7).fit(pd.DataFrame({"day": DAYS}), VALUES)
    rows = pa.table({"day": DAYS})
    package = save_model(model, blobs, example=rows.slice(0, 5))
    assert package.flavor == "python_object"
    assert package.flavor_settings["trusted_only"] == "true"
    assert "own_model.py" in package.files
    assert other_process(tmp_path, blobs, package, rows)["prediction"] == VALUES.tolist()


def test_a_class_inside_a_function_is_refused(blobs: Blobs) -> None:
    class Inside:
        def predict(self, table: pa.Table) -> list[int]:
            return [1] * len(table)

    with pytest.raises(InvalidInput, match="defined inside a function"):
        save_model(Inside(), blobs, example=pa.table({"x": [1]}))


@pytest.mark.parametrize("task", ["classes", "values"])
def test_catboost_is_kept_in_its_own_form(task: str, blobs: Blobs, tmp_path: Path) -> None:
    import catboost

    frame = pd.DataFrame({"x": DAYS / 10, "town": ["Bonn", "Kiel", "Ulm"] * 20})
    settings: dict[str, Any] = {
        "iterations": 10, "verbose": False, "allow_writing_files": False, "cat_features": ["town"], "thread_count": 1,
    }  # fmt: skip
    rows = pa.Table.from_pandas(frame, preserve_index=False)
    if task == "classes":
        model = catboost.CatBoostClassifier(**settings).fit(frame, np.where(DAYS > 30, "late", "early"))
    else:
        model = catboost.CatBoostRegressor(**settings).fit(frame, VALUES)
    package = save_model(model, blobs, example=rows.slice(0, 5))
    assert package.flavor == "catboost"
    assert "trusted_only" not in package.flavor_settings
    answer = other_process(tmp_path, blobs, package, rows)
    if task == "classes":
        assert answer["prediction"] == model.predict(frame).reshape(-1).tolist()
        assert answer["probability"] == pytest.approx(model.predict_proba(frame)[:, 1].tolist())
    else:
        assert answer["prediction"] == pytest.approx(model.predict(frame).tolist())


def test_catboost_that_has_learned_nothing_is_refused(blobs: Blobs) -> None:
    import catboost

    with pytest.raises(InvalidInput, match="not learned"):
        save_model(catboost.CatBoostRegressor(), blobs, example=pa.table({"x": [1.0]}))


def test_a_program_answers(blobs: Blobs, tmp_path: Path) -> None:
    script = tmp_path / "double.sh"
    script.write_text('echo prediction > "$2"\ntail -n +2 "$1" | awk -F, \'{ print 2 * $1 }\' >> "$2"\n')
    model = CommandModel("sh double.sh {rows} {answer}", [script])
    rows = pa.table({"x": [1.5, 2.0, 4.0]})
    package = save_model(model, blobs, example=rows)
    script.unlink()
    assert package.flavor == "command"
    assert other_process(tmp_path, blobs, package, rows)["prediction"] == [3.0, 4.0, 8.0]


def test_a_program_that_fails_says_why(blobs: Blobs) -> None:
    model = CommandModel("sh -c 'echo no such model >&2; exit 3' {rows} {answer}")
    with pytest.raises(WorkFailed, match="no such model"):
        save_model(model, blobs, example=pa.table({"x": [1.0]}))


@pytest.mark.parametrize("command", ["Rscript predict.R", "Rscript predict.R {rows}"])
def test_a_command_must_say_where_rows_and_answers_are(command: str) -> None:
    with pytest.raises(InvalidInput, match="says nowhere"):
        CommandModel(command)


@pytest.mark.skipif(shutil.which("Rscript") is None, reason="R is not installed")
def test_a_model_of_r_answers(blobs: Blobs, tmp_path: Path) -> None:
    (tmp_path / "fit.R").write_text("d <- data.frame(x = 1:20, y = 3 + 2 * (1:20)); saveRDS(lm(y ~ x, d), 'model.rds')")
    subprocess.run(["Rscript", "fit.R"], cwd=tmp_path, check=True)
    (tmp_path / "predict.R").write_text(
        "a <- commandArgs(TRUE)\n"
        "write.csv(data.frame(prediction = predict(readRDS('model.rds'), read.csv(a[1]))), a[2], row.names = FALSE)\n"
    )
    model = CommandModel("Rscript predict.R {rows} {answer}", [tmp_path / "predict.R", tmp_path / "model.rds"])
    package = save_model(model, blobs, example=pa.table({"x": [1.0, 2.0]}))
    answer = load_model(package, blobs).predict(pa.table({"x": [10.0, 30.0]}))
    assert answer["prediction"].to_pylist() == pytest.approx([23.0, 63.0])


NETWORKS = ("torch-module", "torch-program", "torch-predict", "keras", "jax", "transformers")


@pytest.fixture(scope="module")
def networks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What the process that fitted a network says, and what another one says with the package."""
    python, folder = found(environments.FRAMEWORKS), tmp_path_factory.mktemp("networks")
    said: list[dict[str, Any]] = []
    environment = {
        "PYTHONPATH": str(ROOT / "src"),
        "KERAS_BACKEND": "jax",
        "HF_HUB_OFFLINE": "1",
        "PATH": "/usr/bin:/bin",
    }
    for what in ("fit", "ask"):
        command = [str(python), str(SCRIPTS / "networks.py"), what, str(folder)]
        done = subprocess.run(
            command, capture_output=True, text=True, env={**environment, "HOME": str(folder)}, cwd=folder, check=False
        )
        assert done.returncode == 0, done.stderr[-3000:]
        said.append(json.loads(done.stdout.splitlines()[-1]))
    return {name: {"fitted": said[0][name], "read": said[1][name]} for name in NETWORKS}


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_says_the_same_in_another_process(networks: dict[str, dict[str, Any]], name: str) -> None:
    fitted, read = networks[name]["fitted"], networks[name]["read"]
    assert read["prediction"] == (
        pytest.approx(fitted["prediction"], abs=1e-5)
        if isinstance(fitted["prediction"][0], float)
        else fitted["prediction"]
    )
    if fitted["probability"]:
        assert read["probability"] == pytest.approx(fitted["probability"], abs=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "is_safe"), [
    ("torch-module", False), ("torch-program", True), ("torch-predict", False), ("keras", True), ("jax", True),
    ("transformers", True),
])  # fmt: skip
def test_only_what_runs_code_is_marked(networks: dict[str, dict[str, Any]], name: str, is_safe: bool) -> None:
    assert networks[name]["fitted"]["is_safe"] == is_safe


@pytest.mark.slow
def test_a_module_without_its_config_is_refused(networks: dict[str, dict[str, Any]]) -> None:
    assert "config" in networks["torch-module"]["fitted"]["refused"]
