"""Questions about fitted models, as the explainers are asked them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from flyball.evaluation.explain.base import Question

Floats = npt.NDArray[np.float64]
SEED = 7


def numbers(rows: int = 300, columns: int = 4, seed: int = SEED) -> Floats:
    return np.random.default_rng(seed).normal(size=(rows, columns))


def as_table(values: Floats, names: Sequence[str] | None = None) -> pa.Table:
    names = names or [f"x{place}" for place in range(values.shape[1])]
    return pa.table({name: values[:, place] for place, name in enumerate(names)})


def as_frame(table: pa.Table) -> Any:
    frame = table.to_pandas()
    for name in frame.columns:
        if not np.issubdtype(np.asarray(frame[name]).dtype, np.number):
            frame[name] = frame[name].astype(object)
    return frame


def ask(
    model: Any, rows: pa.Table, background: pa.Table, *, target: int | None = None, samples: int = 64, by: str = "frame"
) -> Question:
    """The question about a fitted estimator that takes a frame, or a matrix."""

    def frame(table: pa.Table) -> Any:
        found = as_frame(table)
        return found if by == "frame" else found.to_numpy()

    def score(table: pa.Table) -> Floats:
        if target is None:
            return np.asarray(model.predict(frame(table)), dtype=np.float64)
        return np.asarray(model.predict_proba(frame(table)), dtype=np.float64)[:, target]

    return Question(
        rows=rows,
        background=background,
        score=score,
        scale="value" if target is None else "probability",
        model=model,
        frame=frame,
        target=target,
        classes=0 if target is None else len(model.classes_),
        samples=samples,
        seed=SEED,
    )
