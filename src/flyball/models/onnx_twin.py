"""An ONNX twin of a model: the same predictions, a multiple faster, and without the library that fitted it.

A twin counts only where it is proven to say the same: the same labels, and numbers within a tolerance, on the example and on the
rows that the model was evaluated with. Conversion happens in a process of its own, with a Python that may have other packages than
this one: converters often need an older protobuf than the rest.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import logging
import subprocess
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, Literal

from flyball.errors import FlyballError
from flyball.models import _onnx_worker
from flyball.models.flavors.base import FLAVORS, Predictor, Scores, TakesMatrix, answer_table, label_array
from flyball.models.package import LoadedModel, ModelPackage, OnnxTwin, load_model, read_example
from flyball.models.signature import Label, Task, conform
from flyball.storage.objects import Blobs

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    import pyarrow as pa

logger = logging.getLogger(__name__)

TOLERANCE = 1e-5
"""Largest difference of a probability, or of a regressor's prediction in units of its spread."""

_FILE = "model.onnx"
_SECONDS = 300
_MOST_ROWS = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class NoTwin:
    """Why a model has no twin."""

    reason: str


def find_converter() -> Path | None:
    """A Python that converts: this one, if it has skl2onnx and a protobuf that it works with; None if not."""
    if importlib.util.find_spec("skl2onnx") is None:
        return None
    try:
        major = int(importlib.metadata.version("protobuf").partition(".")[0])
    except importlib.metadata.PackageNotFoundError:
        return None
    return Path(sys.executable) if major < 7 else None


def make_twin(
    package: ModelPackage, blobs: Blobs, *, rows: pa.Table | None = None, converter: Path | None = None
) -> ModelPackage | NoTwin:
    """The package with a twin beside it, or why there is none.

    Args:
        rows: Rows that the model was evaluated with, on which the twin must say the same, too.
        converter: A Python that has skl2onnx and the same scikit-learn; this one by default, if it has them.
    """
    python = converter or find_converter()
    if package.flavor != "scikit_learn":
        return NoTwin(reason=f"Models of the flavor '{package.flavor}' are not converted.")
    if python is None:
        return NoTwin(reason="There is no Python with skl2onnx.")
    try:
        model = load_model(package, blobs)
    except FlyballError as error:
        return NoTwin(reason=f"The model cannot be loaded: {error.message}")
    if model.matrix is None:
        return NoTwin(reason="The model takes more than plain numbers.")
    tables = [table for table in (read_example(package, blobs), rows) if table is not None and table.num_rows]
    if not tables:
        return NoTwin(reason="There are no rows to compare on.")
    matrices = [matrix_of(model, table.slice(0, _MOST_ROWS)) for table in tables]
    reason = ""
    kinds: tuple[Literal["double", "float"], ...] = ("double", "float")
    for kind in kinds:  # trees that were split on doubles answer otherwise where a float rounds across a split
        found = _converted(package, blobs, python, kind)
        if isinstance(found, NoTwin):
            reason = found.reason
            continue
        twin = _compare(model, found, matrices)
        if isinstance(twin, OnnxTwin):
            return replace(package, twin=replace(twin, file=blobs.put(found)))
        reason = twin.reason
    return NoTwin(reason=reason)


def with_twin(package: ModelPackage, blobs: Blobs, rows: pa.Table) -> ModelPackage:
    """The package, with a twin where there is a converter and the twin is proven; why there is none is logged."""
    if find_converter() is None:
        return package
    found = make_twin(package, blobs, rows=rows)
    if isinstance(found, NoTwin):
        logger.info("no ONNX twin: %s", found.reason)
        return package
    return found


def load_served(package: ModelPackage, blobs: Blobs, *, threads: int | None = None) -> LoadedModel:
    """The model as a server wants it: by its twin where it has one and ONNX Runtime is there."""
    if package.twin is None or importlib.util.find_spec("onnxruntime") is None:
        return load_model(package, blobs, threads=threads)

    def native() -> LoadedModel:
        return load_model(package, blobs, threads=threads)

    graph = _graph(blobs.get(package.twin.file), threads)
    return LoadedModel(package, TwinPredictor(graph, package, native), blobs)


class TwinPredictor:
    """A graph that answers for a model, which is itself loaded only to be looked into."""

    takes_matrix = True

    def __init__(self, graph: TakesMatrix, package: ModelPackage, native: Callable[[], LoadedModel]) -> None:
        self.task: Task = package.signature.task
        self.classes: tuple[Label, ...] = package.signature.classes
        self.columns = package.signature.inputs.names
        self._signature = package.signature.inputs
        self._graph = graph
        self._names = label_array(self.classes)
        self._native = native
        self._loaded: LoadedModel | None = None

    def predict_matrix(self, rows: np.ndarray[Any, Any]) -> Scores:
        """What the graph says, in the labels of the model."""
        said = self._graph.predict_matrix(rows)
        if self.task != "classification" or said.chances is None:
            return Scores(prediction=said.prediction.astype(float))
        return Scores(prediction=self._names[said.chances.argmax(axis=1)], chances=said.chances)

    def predict(self, table: pa.Table) -> pa.Table:
        """The same of a table."""
        return answer_table(self.predict_matrix(_matrix(conform(table, self._signature))))

    @property
    def estimator(self) -> object:
        """The fitted model itself."""
        inside = self._itself().inside
        return None if inside is None else inside.estimator

    def frame(self, table: pa.Table) -> object:
        """The table as the fitted model takes it."""
        inside = self._itself().inside
        return table if inside is None else inside.frame(table)

    def _itself(self) -> LoadedModel:
        if self._loaded is None:
            self._loaded = self._native()
        return self._loaded


def matrix_of(model: LoadedModel, table: pa.Table) -> np.ndarray[Any, Any]:
    """A table as the matrix that a model takes, shape (rows, inputs); NaN where a value is missing."""
    return _matrix(conform(table, model.signature.inputs))


def _matrix(table: pa.Table) -> np.ndarray[Any, Any]:
    import numpy as np
    import pyarrow as pa

    columns = [column.cast(pa.float64(), safe=False).to_numpy() for column in table.columns]
    return np.column_stack(columns) if columns else np.empty((table.num_rows, 0))


def _graph(data: bytes, threads: int | None) -> TakesMatrix:
    with tempfile.TemporaryDirectory(prefix="flyball-twin-") as folder:
        (Path(folder) / _FILE).write_bytes(data)
        loaded: Predictor = FLAVORS.get("onnx").load(Path(folder), {} if threads is None else {"threads": str(threads)})
    assert isinstance(loaded, TakesMatrix)
    return loaded


def _converted(package: ModelPackage, blobs: Blobs, python: Path, kind: str) -> bytes | NoTwin:
    with tempfile.TemporaryDirectory(prefix="flyball-twin-") as text:
        folder = Path(text)
        (name,) = package.files
        (folder / "model.pickle").write_bytes(blobs.get(package.files[name]))
        arguments = [folder / "model.pickle", folder / _FILE, len(package.signature.inputs.columns), kind]
        try:
            done = subprocess.run(
                [str(python), "-I", _onnx_worker.__file__, *map(str, arguments)],
                capture_output=True, text=True, timeout=_SECONDS, check=False, cwd=folder,
            )  # fmt: skip
        except (OSError, subprocess.TimeoutExpired) as error:
            return NoTwin(reason=f"The converter did not end well: {error}"[:500])
        if done.returncode:
            last = (done.stderr.strip() or "no message").splitlines()[-1]
            return NoTwin(reason=f"The converter cannot: {last}"[:500])
        return (folder / _FILE).read_bytes()


def _compare(model: LoadedModel, data: bytes, matrices: list[np.ndarray[Any, Any]]) -> OnnxTwin | NoTwin:
    import numpy as np

    try:
        twin = TwinPredictor(_graph(data, 1), model.package, lambda: model)
        largest, rows = 0.0, 0
        for matrix in matrices:
            theirs, ours = model.score(matrix), twin.predict_matrix(matrix)
            if model.signature.task == "classification":
                different = int((theirs.prediction != ours.prediction).sum())
                if different:
                    return NoTwin(reason=f"{different:,} of {len(matrix):,} labels differ.")
            largest = max(largest, _difference(theirs, ours))
            rows += len(matrix)
    except Exception as error:  # noqa: BLE001  # a runtime refuses a graph in many ways, each with an error of its own
        return NoTwin(reason=f"The graph cannot be asked: {type(error).__name__}: {error}"[:500])
    if not np.isfinite(largest) or largest > TOLERANCE:
        return NoTwin(reason=f"Predictions differ by {largest:.2g} of their scale; {TOLERANCE:g} is tolerated.")
    one = matrices[0][:1]
    speedup = _seconds(lambda: model.score(one)) / _seconds(lambda: twin.predict_matrix(one))
    return OnnxTwin(file="", rows=rows, difference=largest, speedup=round(speedup, 1))


def _difference(theirs: Scores, ours: Scores) -> float:
    import numpy as np

    if theirs.chances is not None and ours.chances is not None:
        return float(np.abs(theirs.chances - ours.chances).max())
    if theirs.chances is not None or theirs.prediction.dtype.kind not in "fiu":
        return float("inf") if theirs.chances is not None else 0.0
    scale = float(np.std(theirs.prediction)) or 1.0
    return float(np.abs(theirs.prediction - ours.prediction).max()) / scale


def _seconds(work: Callable[[], object]) -> float:
    """The quickest of some goes: the others were disturbed."""
    work()
    best = float("inf")
    for _ in range(20):
        start = perf_counter()
        work()
        best = min(best, perf_counter() - start)
    return max(best, 1e-9)
