"""A model as a package: its files by digest, and what is needed to read it back and to ask it."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flyball.errors import InvalidInput, NotFound, WorkFailed
from flyball.models.environment import Environment, capture
from flyball.models.flavors.base import FLAVORS, HasEstimator, Predictor, Scores, StreamsText, TakesMatrix
from flyball.models.signature import Label, Signature, Task, arrow_type, conform, input_schema, output_schema
from flyball.schema import Column, Schema
from flyball.serialization import canonical_json, digest
from flyball.storage.object_store import check_key
from flyball.storage.objects import Blobs

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

_EXAMPLE_ROWS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class OnnxTwin:
    """The same model as an ONNX graph, proven to say the same.

    Attributes:
        file: Digest of the graph.
        rows: On how many rows both were compared.
        difference: Largest difference of a probability, or of a prediction in units of their spread.
        speedup: How many times faster it answers a single row.
    """

    file: str
    rows: int
    difference: float
    speedup: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelPackage:
    """A fitted model, ready to be read back anywhere.

    Attributes:
        id: BLAKE3 of what the model is: flavor, files, signature, example, settings. The environment is where it was
            made, so it does not count.
        files: Digest of each file, by its path in the package.
        size: Bytes of all files.
        input_example: Digest of an Arrow IPC stream with a few input rows; empty if there is none.
        flavor_settings: What the flavor wants back when it reads the model; `trusted_only` says that this runs code.
        twin: The model as an ONNX graph, by which it is served; it is no part of what the model is.
    """

    id: str
    flavor: str
    files: dict[str, str]
    size: int
    signature: Signature
    input_example: str = ""
    environment: Environment
    flavor_settings: dict[str, str] = field(default_factory=dict)
    twin: OnnxTwin | None = None


def no_package() -> ModelPackage:
    """The package of a model whose files are kept elsewhere: no flavor, no files."""
    nothing = Schema(columns=())
    signature = Signature(task="other", inputs=nothing, outputs=nothing)
    environment = Environment(python="", platform="")
    return ModelPackage(id="", flavor="", files={}, size=0, signature=signature, environment=environment)


class LoadedModel:
    """A model that can be asked."""

    def __init__(self, package: ModelPackage, predictor: Predictor, blobs: Blobs | None = None) -> None:
        self.package = package
        self.signature = _completed(package.signature, predictor)
        self._predictor = predictor
        self._blobs = blobs

    @cached_property
    def example(self) -> pa.Table | None:
        """The package's example rows, read when they are first asked for; None if it has none."""
        return None if self._blobs is None else read_example(self.package, self._blobs)

    @cached_property
    def matrix(self) -> TakesMatrix | None:
        """What can be asked on a matrix of numbers; None if the model takes anything else, or can only be asked on tables."""
        columns = self.signature.inputs.columns
        numbers = columns and all(column.type in ("float", "int", "bool") for column in columns)
        found = self._predictor
        return found if numbers and isinstance(found, TakesMatrix) and found.takes_matrix else None

    @property
    def inside(self) -> HasEstimator | None:
        """The fitted model itself, where its flavor lets one look into it."""
        return self._predictor if isinstance(self._predictor, HasEstimator) else None

    @property
    def streams(self) -> StreamsText | None:
        """What says its answer piece by piece; None if the model cannot."""
        found = self._predictor
        return found if isinstance(found, StreamsText) and found.streams else None

    def predict(self, table: pa.Table) -> pa.Table:
        """The model's answers, one row for each row of the table; columns that it does not take are ignored.

        Raises:
            InvalidInput: a column is missing or cannot be cast; the message names it.
            WorkFailed: the model gave no answer for each row.
        """
        # A model of which nobody has said what it takes is given what there is.
        rows = conform(table, self.signature.inputs) if self.signature.inputs.columns else table
        if rows.num_rows == 0:
            return _empty(self.signature.outputs)
        answer = self._predictor.predict(rows)
        _check_answer(answer, rows.num_rows)
        return answer

    def score(self, rows: np.ndarray[Any, Any]) -> Scores:
        """The model's answers to a matrix, shape (rows, inputs); only of a model that has `matrix`.

        Raises:
            WorkFailed: the model gave no answer for each row.
        """
        assert self.matrix is not None
        scores = self.matrix.predict_matrix(rows)
        if len(scores.prediction) != len(rows):
            raise _not_one_each(len(scores.prediction), len(rows))
        return scores


def save_model(
    model: object,
    blobs: Blobs,
    *,
    example: pa.Table,
    task: Task | None = None,
    flavor: str | None = None,
    classes: Sequence[Label] | None = None,
) -> ModelPackage:
    """Keeps a fitted model as a package.

    It is written, read back and asked on the example, so what cannot be read back is refused here and not in serving.

    Args:
        example: A few input rows. Columns that the model says it does not take are left out.
        task: What the model does, where it cannot be seen from the model.
        flavor: Name of the flavor; found by the model's kind if not given.
        classes: Labels of a classifier that does not know them itself; the last one is the positive one of two.

    Raises:
        InvalidInput: no flavor fits, the example lacks a column or rows, or the model cannot be kept.
    """
    if example.num_rows == 0:
        raise InvalidInput("The example has no rows.", hint="Give a few rows that the model can predict on.")
    name = flavor or _flavor_of(model)
    kind = FLAVORS.get(name)
    with tempfile.TemporaryDirectory(prefix="flyball-model-") as temporary:
        folder = Path(temporary)
        settings = kind.save(model, folder)
        predictor = kind.load(folder, settings)
        signature, rows = _infer(predictor, example, task, classes)
        paths = sorted(path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
        files = {path.relative_to(folder).as_posix(): blobs.put_file(path) for path in paths}
        size = sum(path.stat().st_size for path in paths)
    package = ModelPackage(
        id="",
        flavor=name,
        files=files,
        size=size,
        signature=signature,
        input_example=blobs.put(_to_ipc(rows)),
        environment=capture(kind.distributions),
        flavor_settings=settings,
    )
    return replace(package, id=package_id(package))


def load_model(package: ModelPackage, blobs: Blobs, *, threads: int | None = None) -> LoadedModel:
    """Reads a model back; every file is checked against its digest. This may run code that came with the model.

    Args:
        threads: How many one prediction may use, where the flavor lets one say; as many as its library likes by default.

    Raises:
        NotFound: a file or the flavor is missing.
        Corrupt: a file is not the one that was kept.
        MissingExtra: a library is not installed.
    """
    if not package.files:
        raise NotFound(
            "The files of this model are not kept here.", hint="Register it from a source whose files are kept here."
        )
    with tempfile.TemporaryDirectory(prefix="flyball-model-") as temporary:
        folder = Path(temporary)
        for name, blob in package.files.items():
            path = folder / check_key(name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(blobs.get(blob))
        settings = package.flavor_settings if threads is None else {**package.flavor_settings, "threads": str(threads)}
        predictor = FLAVORS.get(package.flavor).load(folder, settings)
    return LoadedModel(package, predictor, blobs)


def read_example(package: ModelPackage, blobs: Blobs) -> pa.Table | None:
    """The package's example rows; None if it has none."""
    import pyarrow as pa

    if not package.input_example:
        return None
    with pa.ipc.open_stream(blobs.get(package.input_example)) as reader:
        return reader.read_all()


DATA_ONLY = frozenset({"", "lightgbm", "onnx", "rules", "xgboost"})
"""Flavors whose files are data: reading them runs no code of whoever made them. What is not named here is taken to run some."""


def runs_code(package: ModelPackage) -> bool:
    """Whether reading a model runs code that came with it; by its flavor, whatever it says of itself."""
    return package.flavor not in DATA_ONLY or bool(package.flavor_settings.get("trusted_only"))


def package_id(package: ModelPackage) -> str:
    """The id that the package's content gives."""
    parts = (package.flavor, package.files, package.signature, package.input_example, package.flavor_settings)
    return digest(canonical_json(parts))


def _flavor_of(model: object) -> str:
    for name, flavor in FLAVORS.all().items():
        if flavor.matches(model):
            return name
    raise InvalidInput(
        f"No flavor keeps a {type(model).__module__}.{type(model).__name__}.",
        hint=f"There is: {', '.join(FLAVORS.names())}. Wrap the model in a function that takes an Arrow table.",
    )


def _infer(
    predictor: Predictor, example: pa.Table, task: Task | None, classes: Sequence[Label] | None
) -> tuple[Signature, pa.Table]:
    if predictor.columns:
        for name in predictor.columns:
            Schema.of(example).column(name)
        example = example.select(list(predictor.columns))
    inputs = input_schema(example)
    rows = conform(example, inputs).slice(0, _EXAMPLE_ROWS).combine_chunks()
    answer = predictor.predict(rows)
    _check_answer(answer, rows.num_rows)
    if classes is not None and predictor.classes and tuple(classes) != predictor.classes:
        raise InvalidInput(f"The model's classes are {list(predictor.classes)}, not {list(classes)}.")
    labels = predictor.classes or tuple(classes or ())
    signature = Signature(
        task=task or _task(predictor, answer, labels), inputs=inputs, outputs=output_schema(answer), classes=labels
    )
    return signature, rows


def _task(predictor: Predictor, answer: pa.Table, classes: Sequence[Label]) -> Task:
    if predictor.task != "other":
        return predictor.task
    kind = Schema.of(answer).column("prediction").type
    if classes or "probability" in answer.column_names or kind in ("string", "bool"):
        return "classification"
    return "regression" if kind == "float" else "other"


def _check_answer(answer: pa.Table, rows: int) -> None:
    if "prediction" not in answer.column_names:
        raise WorkFailed(
            f"The model gave the columns {answer.column_names} and no 'prediction'.",
            hint="Give a table with a column 'prediction'.",
        )
    if answer.num_rows != rows:
        raise _not_one_each(answer.num_rows, rows)


def _not_one_each(answers: int, rows: int) -> WorkFailed:
    return WorkFailed(f"The model gave {answers} answers for {rows} rows.", hint="Give one answer a row.")


def _completed(signature: Signature, predictor: Predictor) -> Signature:
    """The signature, with what only the model itself knows where nobody has said it."""
    if not signature.inputs.columns and predictor.columns:
        # Of which types they are it does not know either; most models take numbers.
        named = (Column(name=name, type="float", storage="double") for name in predictor.columns)
        signature = replace(signature, inputs=Schema(columns=tuple(named)))
    if signature.task != "other" or predictor.task == "other":
        return signature
    return replace(signature, task=predictor.task, classes=signature.classes or predictor.classes)


def _empty(outputs: Schema) -> pa.Table:
    import pyarrow as pa

    return pa.schema([pa.field(column.name, arrow_type(column)) for column in outputs.columns]).empty_table()


def _to_ipc(table: pa.Table) -> bytes:
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue().to_pybytes())
