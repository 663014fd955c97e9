"""One trial: a candidate is learned and judged fold by fold, in a process of its own that can be stopped."""

from __future__ import annotations

import io
import pickle
import time
import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from flyball.data.table import Table
from flyball.errors import WorkFailed
from flyball.evaluation.importance import Importance
from flyball.model_search.ensembles import Member, whole_of
from flyball.model_search.folds import Plan, folds, sample
from flyball.model_search.judging import Judge
from flyball.model_search.parts import Part, build
from flyball.model_search.portfolio import Problem
from flyball.models.explaining import measure_importance
from flyball.models.package import ModelPackage, load_model, save_model
from flyball.models.scored import truth_for
from flyball.serialization import JsonValue
from flyball.storage.objects import Blobs

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd

MARK = "flyball-trial:"
"""Begins the line that says what came of a trial."""
_ONE_ROW_TIMES = 15
_EXAMPLE_ROWS = 20
_MOST_IMPORTANCE_ROWS = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialTask:
    """What a trial does.

    Attributes:
        rows: Digest of the rows that may be learned from, as an Arrow file. `held`: of those that judge at the end.
        members: Of a blend or a stack; one with an empty list is of the `family`.
        most: How many rows are looked at.
        folds: How many folds are judged, the last ones where there is a time; 0 learns from all rows and is judged on those
            held out: the end.
        measures: Whether latency and size are measured, and the predictions kept.
        explains: Whether it is said what each column is worth.
    """

    rows: str
    held: str
    label: str
    metric: str
    problem: Problem
    plan: Plan
    family: str
    settings: dict[str, JsonValue] = field(default_factory=dict)
    members: tuple[Member, ...] = ()
    most: int
    folds: int
    measures: bool = False
    explains: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialSaid:
    """What came of a trial.

    Attributes:
        scores: Of the folds, or the one of the rows held out.
        predictions: Digest of an array file: what was said of each row that was judged on, NaN elsewhere.
        error: What went wrong; the rest is empty then.
    """

    scores: tuple[float, ...] = ()
    rows: int = 0
    seconds: float = 0.0
    fit_seconds: float = 0.0
    predict_ms: float | None = None
    size: int | None = None
    predictions: str = ""
    package: ModelPackage | None = None
    importance: Importance | None = None
    error: str = ""


def run_trial(task: TrialTask, blobs: Blobs) -> TrialSaid:
    """Does a trial; what its libraries raise is part of what it says."""
    started = time.perf_counter()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # hundreds of candidates say hundreds of times what one of them does
            rows = read_rows(task.rows, blobs, task.label)
            said = _judge_folds(task, rows, blobs) if task.folds else _finish(task, rows, blobs)
    except Exception as error:  # noqa: BLE001  # whatever a candidate's library raises ends that candidate alone
        return TrialSaid(error=f"{type(error).__name__}: {error}"[:2000], seconds=time.perf_counter() - started)
    import dataclasses

    return dataclasses.replace(said, seconds=time.perf_counter() - started)


def write_rows(rows: Table, blobs: Blobs) -> str:
    """Keeps rows as an Arrow file, which is read without a copy; gives its digest."""
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, rows.arrow.schema) as writer:
        writer.write_table(rows.arrow)
    return blobs.put(sink.getvalue().to_pybytes())


def read_rows(digest: str, blobs: Blobs, label: str) -> Table:
    """The rows of that digest, all columns of which but the label may be looked at."""
    import pyarrow as pa

    return Table(pa.ipc.open_file(pa.memory_map(str(blobs.path(digest)))).read_all(), label=label)


def frame_of(rows: Table, problem: Problem, label: str) -> pd.DataFrame:
    """The rows as the candidates of a problem take them."""
    return rows.x(label)[input_names(problem)]


def input_names(problem: Problem) -> list[str]:
    """The columns that a model is given."""
    first = [problem.time, *problem.groups] if problem.task == "forecasting" else []
    return list(dict.fromkeys([*first, *problem.columns.names]))


def truth_of(rows: Table, label: str) -> npt.NDArray[Any]:
    """The labels of rows, as a project file takes them."""
    return rows.xy(label)[1]


def classes_of(problem: Problem, truth: npt.NDArray[Any]) -> tuple[Any, ...]:
    """The classes in order; empty for values."""
    import numpy as np

    return tuple(np.unique(truth)) if problem.classes else ()


def _judge_folds(task: TrialTask, rows: Table, blobs: Blobs) -> TrialSaid:
    import numpy as np

    places = sample(rows, task.most, task.plan)
    if len(places) < len(rows):
        import pyarrow as pa

        rows = rows.with_arrow(rows.arrow.take(pa.array(places)))
    truth = truth_of(rows, task.label)
    frame = frame_of(rows, task.problem, task.label)
    judge = Judge(task.metric, classes_of(task.problem, truth))
    numbers = judge.truth(truth)
    part = whole_of(task.problem, task.family, task.settings, task.members)
    divided = folds(rows, truth, task.plan)[-task.folds :]
    kept = np.full((len(rows), max(1, len(judge.classes))), np.nan)
    scores, fit_seconds, fitted = [], 0.0, None
    for learned, judged in divided:
        started = time.perf_counter()
        fitted = build(part).fit(frame.iloc[learned], truth[learned])
        fit_seconds = time.perf_counter() - started
        said = judge.said(fitted, frame.iloc[judged])
        scores.append(judge.score(numbers[judged], said))
        kept[judged] = said.reshape(len(judged), -1)
    if not task.measures:
        return TrialSaid(scores=tuple(scores), rows=len(rows), fit_seconds=fit_seconds)
    return TrialSaid(
        scores=tuple(scores),
        rows=len(rows),
        fit_seconds=fit_seconds,
        predict_ms=_one_row_ms(fitted, frame, judge),
        size=len(pickle.dumps(fitted, protocol=5)),
        predictions=blobs.put(_array_file(kept)),
    )


def _finish(task: TrialTask, rows: Table, blobs: Blobs) -> TrialSaid:
    """Learns from all rows but those held out, and is judged on these."""
    held = read_rows(task.held, blobs, task.label)
    truth = truth_of(rows, task.label)
    frame = frame_of(rows, task.problem, task.label)
    judge = Judge(task.metric, classes_of(task.problem, truth))
    started = time.perf_counter()
    fitted = build(whole_of(task.problem, task.family, task.settings, task.members)).fit(frame, truth)
    fit_seconds = time.perf_counter() - started
    held_truth = truth_of(held, task.label)
    if judge.classes and not set(held_truth.tolist()) <= set(judge.classes):
        raise WorkFailed("A class is there among the rows held out only.")
    score = judge.score(judge.truth(held_truth), judge.said(fitted, frame_of(held, task.problem, task.label)))
    package = importance = None
    if task.explains:
        inputs = rows.arrow.select(input_names(task.problem))
        package = save_model(fitted, blobs, example=inputs.slice(0, _EXAMPLE_ROWS))
        importance = _importance(package, held, task, blobs)
    return TrialSaid(
        scores=(score,),
        rows=len(rows),
        fit_seconds=fit_seconds,
        predict_ms=_one_row_ms(fitted, frame, judge),
        size=len(pickle.dumps(fitted, protocol=5)),
        package=package,
        importance=importance,
    )


def _importance(package: ModelPackage, held: Table, task: TrialTask, blobs: Blobs) -> Importance | None:
    if len(held) < 2:
        return None
    model = load_model(package, blobs)
    truth = truth_for(model, held.column(task.label))
    return measure_importance(model, held.arrow, truth, most_rows=_MOST_IMPORTANCE_ROWS)


def _one_row_ms(fitted: Any, frame: pd.DataFrame, judge: Judge) -> float:
    import statistics

    one = frame.iloc[-1:]
    taken = []
    for _ in range(_ONE_ROW_TIMES):
        started = time.perf_counter()
        judge.said(fitted, one)
        taken.append(time.perf_counter() - started)
    return 1000 * statistics.median(taken)


def _array_file(array: np.ndarray[Any, Any]) -> bytes:
    import numpy as np

    file = io.BytesIO()
    np.save(file, array, allow_pickle=False)
    return file.getvalue()


def read_array(digest: str, blobs: Blobs) -> npt.NDArray[np.float64]:
    """The array of that digest."""
    import numpy as np

    found: npt.NDArray[np.float64] = np.load(io.BytesIO(blobs.get(digest)), allow_pickle=False)
    return found


def code_part(task: TrialTask) -> Part:
    """What the trial builds."""
    return whole_of(task.problem, task.family, task.settings, task.members)
