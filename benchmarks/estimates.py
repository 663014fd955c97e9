"""How near performance estimated without labels comes to what the labels show, ours and NannyML's on the same rows.

Models of two classes, of three, and of values are tried on windows whose inputs move away from those they were made on, in three
directions and back. The error of an estimate is its distance from the metric as realised in the same window.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.pairs import Pair, Timing, report
from benchmarks.peers import peer_or_none
from flyball.evaluation.sample import Sample
from flyball.evaluation.scores import find_metric
from flyball.monitoring.estimation import estimate, estimate_classes, fit_calibration, fit_classes
from flyball.monitoring.loss_model import estimate_losses, fit_losses

Floats = npt.NDArray[np.float64]

_CLIENT = Path(__file__).parent / "clients" / "nannyml_estimates.py"
_COLUMNS = 5
_LEARNED, _REFERENCE, _WINDOW, _WINDOWS, _SEEDS = 10_000, 20_000, 1_000, 24, 3
METRICS = {"binary": ("roc_auc", "accuracy", "f1"), "classes": ("accuracy", "f1"), "values": ("mae", "rmse")}


def run() -> Iterator[Pair]:
    """The mean error of each metric beside NannyML's."""
    python = peer_or_none("nannyml")
    if python is None:
        return
    for task, metrics in METRICS.items():
        errors: dict[str, list[tuple[float, float]]] = {name: [] for name in metrics}
        for seed in range(_SEEDS):
            case = _case(task, seed)
            realised, mine, theirs = _realised(case), _ours(case), _theirs(case, python)
            for name in metrics:
                known = np.array(realised[name])
                errors[name].append((_error(mine[name], known), _error(theirs[name], known)))
        for name, found in errors.items():
            ours, other = (float(np.mean([pair[place] for pair in found])) for place in (0, 1))
            yield Pair(
                name=f"error of the estimated {name}, {task}, thousandths for ms", ours=Timing(cpu=ours, wall=ours),
                theirs=Timing(cpu=other, wall=other), against="NannyML", ratio=ours / other, goal=1.0,
            )  # fmt: skip


def _error(told: list[float], known: Floats) -> float:
    return float(np.abs(np.array(told) - known).mean())


class _Case:
    """A model's held-out rows and windows of one task: inputs, scores and truth."""

    def __init__(
        self, task: str, reference: tuple[Floats, Floats, Floats], windows: list[tuple[Floats, Floats, Floats]]
    ) -> None:
        self.task, self.reference, self.windows = task, reference, windows


def _case(task: str, seed: int) -> _Case:
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    random = np.random.default_rng(seed)
    x, y = _drawn(task, random, _LEARNED, np.zeros(_COLUMNS))
    kind = HistGradientBoostingRegressor if task == "values" else HistGradientBoostingClassifier
    model = kind(max_iter=60, random_state=0).fit(x, y)

    def scored(n: int, moved: Floats) -> tuple[Floats, Floats, Floats]:
        rows, truth = _drawn(task, random, n, moved)
        said = model.predict(rows) if task == "values" else model.predict_proba(rows)
        return rows, said[:, 1] if task == "binary" else said, truth

    away = np.concatenate([np.linspace(0, 1.5, _WINDOWS // 6), np.linspace(1.5, 0, _WINDOWS // 6)])
    moves = [step * np.eye(_COLUMNS)[place] for place in range(3) for step in away]
    return _Case(task, scored(_REFERENCE, np.zeros(_COLUMNS)), [scored(_WINDOW, moved) for moved in moves])


def _drawn(task: str, random: np.random.Generator, n: int, moved: Floats) -> tuple[Floats, Floats]:
    x = random.normal(size=(n, _COLUMNS)) + moved
    signal = x[:, 0] + 0.8 * np.abs(x[:, 1]) - 0.6 * x[:, 2] * x[:, 3]
    if task == "values":
        return x, signal + (0.3 + 0.5 * np.abs(x[:, 0]) + 0.4 * (x[:, 2] > 0)) * random.normal(size=n)
    if task == "binary":
        return x, (random.random(n) < 1 / (1 + np.exp(-1.5 * signal + 1))).astype(np.float64)
    odds = np.stack([signal, 0.8 * x[:, 4] + 0.5, -x[:, 0] + 0.7 * x[:, 2]], axis=1) * 1.5
    chances = np.exp(odds) / np.exp(odds).sum(axis=1, keepdims=True)
    places = (random.random(n)[:, None] > chances.cumsum(axis=1)[:, :2]).sum(axis=1)
    return x, places.astype(np.float64)


def _realised(case: _Case) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {name: [] for name in METRICS[case.task]}
    for _, said, truth in case.windows:
        sample = Sample(task="regression" if case.task == "values" else "classification", truth=truth, prediction=said)
        for name, values in found.items():
            metric = find_metric(name)
            values.append(metric.compute(truth, sample.predicted_for(metric, threshold=0.5)))
    return found


def _ours(case: _Case) -> dict[str, list[float]]:
    inputs, said, truth = case.reference
    names = METRICS[case.task]
    told = []
    if case.task == "values":
        models = fit_losses(_table(inputs), said, truth)
        told = [estimate_losses(models, _table(rows), scores, metrics=names) for rows, scores, _ in case.windows]
    elif case.task == "binary":
        calibration = fit_calibration(said, truth)
        told = [estimate(calibration, scores, metrics=names) for _, scores, _ in case.windows]
    else:
        each = fit_classes(said, truth)
        told = [estimate_classes(each, scores, metrics=names) for _, scores, _ in case.windows]
    return {name: [next(m.value or 0.0 for m in window if m.name == name) for window in told] for name in names}


def _theirs(case: _Case, python: Path) -> dict[str, list[float]]:
    with tempfile.TemporaryDirectory() as folder:
        for name, parts in (("reference", [case.reference]), ("windows", case.windows)):
            tables = [_whole(case.task, *part) for part in parts]
            pq.write_table(pa.concat_tables(tables), Path(folder) / f"{name}.parquet")
        arguments = [str(python), str(_CLIENT), folder, case.task, str(_WINDOW), *METRICS[case.task]]
        done = subprocess.run(arguments, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"nannyml failed: {done.stderr[-2000:]}")
        found: dict[str, list[float]] = json.loads(done.stdout.strip().splitlines()[-1])
        return found


def _table(rows: Floats) -> pa.Table:
    return pa.table({f"x{place}": column for place, column in enumerate(rows.T)})


def _whole(task: str, rows: Floats, said: Floats, truth: Floats) -> pa.Table:
    columns: dict[str, Any] = {"truth": truth if task == "values" else truth.astype(np.int64)}
    if task == "values":
        columns["prediction"] = said
    elif task == "binary":
        columns |= {"probability": said, "prediction": (said >= 0.5).astype(np.int64)}
    else:
        columns |= {f"p{place}": column for place, column in enumerate(said.T)}
        columns["prediction"] = said.argmax(axis=1)
    return pa.table({**{f"x{place}": column for place, column in enumerate(rows.T)}, **columns})


if __name__ == "__main__":
    sys.stdout.write(report(list(run())) + "\n")
