"""Explains the predictions of a loaded model, and measures what each of its columns is worth."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from flyball.errors import InvalidInput, did_you_mean
from flyball.evaluation.explain.base import Question, Scale
from flyball.evaluation.explanation import Explanation
from flyball.evaluation.explanation import explain as explain_question
from flyball.evaluation.importance import Importance, permutation_importance
from flyball.models.package import LoadedModel
from flyball.models.signature import Label, conform

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    from flyball.evaluation.metrics.base import Values

_MOST_BACKGROUND = 200


def explain_model(
    model: LoadedModel,
    rows: pa.Table,
    *,
    background: pa.Table | None = None,
    target: Label | None = None,
    method: str | None = None,
    samples: int = 64,
    seed: int = 0,
    name: str = "",
) -> Explanation:
    """What each input column contributed to the model's predictions of some rows.

    Args:
        rows: A table with the columns of the model's signature; others are ignored.
        background: Rows as they usually are, at most 200 of which are used; by default the model's own example.
        target: The class to explain; by default the last one, which is the positive one of two.
        method: `linear`, `tree`, `booster` or `sampling`; by default the first of them that can explain the model.
        samples: How many orders of the columns are drawn for each row, where no explainer is exact.
        seed: Of the draws.
        name: Reference of the model, to be told.

    Raises:
        InvalidInput: the rows do not fit the model, there are none to compare with, or the model answers no numbers.
        NotFound: there is no such method.
    """
    columns = model.signature.inputs
    usual = background if background is not None else model.example
    if usual is None or usual.num_rows == 0:
        raise InvalidInput("The model has no example rows to compare with.", hint="Give background rows.")
    asked = conform(rows, columns) if columns.columns else rows
    usual = spread(conform(usual, columns) if columns.columns else usual, _MOST_BACKGROUND)
    label, place = _target(model, target)
    score, scale = _score(model, asked.slice(0, 1), label, place)
    inside = model.inside
    question = Question(
        rows=asked,
        background=usual,
        score=score,
        scale=scale,
        model=None if inside is None else inside.estimator,
        frame=None if inside is None else inside.frame,
        target=place,
        classes=len(model.signature.classes),
        samples=samples,
        seed=seed,
    )
    return explain_question(question, method=method, model=name, target=label)


def measure_importance(
    model: LoadedModel, rows: pa.Table, truth: npt.ArrayLike, *, most_rows: int = 5_000, seed: int = 0
) -> Importance:
    """What each input column is worth to a model, on held-out rows.

    Args:
        rows: A table with the columns of the model's signature; others are ignored.
        truth: What was true of each row, as in `evaluate`.
        most_rows: Of more rows, so many are taken, evenly from the first to the last.
        seed: Of the draws.

    Raises:
        InvalidInput: the rows do not fit the model, or truth and predictions cannot be compared.
    """
    import numpy as np

    columns = model.signature.inputs
    asked = conform(rows, columns) if columns.columns else rows
    chosen = _evenly(asked.num_rows, most_rows)

    def score(table: pa.Table) -> npt.ArrayLike:
        answer = model.predict(table)
        if "probabilities" in answer.column_names:
            return np.array(answer["probabilities"].to_pylist(), dtype=np.float64)
        column = "probability" if "probability" in answer.column_names else "prediction"
        return np.asarray(answer[column].to_numpy(zero_copy_only=False))

    return permutation_importance(score, asked.take(chosen), np.asarray(truth)[chosen], seed=seed)


def spread(table: pa.Table, most: int) -> pa.Table:
    """At most so many rows of a table, evenly from its first to its last."""
    return table if table.num_rows <= most else table.take(_evenly(table.num_rows, most))


def _evenly(rows: int, most: int) -> npt.NDArray[np.int64]:
    import numpy as np

    found: npt.NDArray[np.int64] = np.linspace(0, rows - 1, min(rows, most)).round().astype(np.int64)
    return found


def _target(model: LoadedModel, wanted: Label | None) -> tuple[Label | None, int | None]:
    """Label and place of the class to explain; None for a model of values."""
    classes = model.signature.classes
    if model.signature.task != "classification" or not classes:
        if wanted is not None:
            raise InvalidInput(f"The model has no class {wanted!r}: it knows no classes.", hint="Leave the target out.")
        return None, None
    if wanted is None:
        return classes[-1], len(classes) - 1
    texts = [str(label) for label in classes]
    if str(wanted) not in texts:  # a terminal and a query have texts only
        raise InvalidInput(f"The model has no class {wanted!r}.", hint=did_you_mean(str(wanted), texts))
    place = texts.index(str(wanted))
    return classes[place], place


def _score(
    model: LoadedModel, row: pa.Table, label: Label | None, place: int | None
) -> tuple[Callable[[pa.Table], Values], Scale]:
    """What is explained where the model can only be asked: a probability, or the value."""
    import numpy as np
    import pyarrow as pa

    names = model.predict(row).column_names if row.num_rows else model.signature.outputs.names
    classes = len(model.signature.classes)

    def probability(table: pa.Table) -> Values:
        found: Values = model.predict(table)["probability"].to_numpy().astype(np.float64)
        return found if place is None or place == classes - 1 else 1 - found

    def probabilities(table: pa.Table) -> Values:
        found: Values = np.array(model.predict(table)["probabilities"].to_pylist(), dtype=np.float64)
        return found[:, place if place is not None else -1]

    def hit(table: pa.Table) -> Values:
        said = model.predict(table)["prediction"].to_pylist()
        return np.array([float(each == label) for each in said])

    def value(table: pa.Table) -> Values:
        answer = model.predict(table)["prediction"]
        try:
            found: Values = answer.cast(pa.float64(), safe=False).to_numpy().astype(np.float64)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise InvalidInput(
                f"The model answers with {answer.type}, which cannot be shared out.", hint="Explain a model of numbers."
            ) from error
        if not np.isfinite(found).all():
            raise InvalidInput("The model gave no number for some of the rows.")
        return found

    if "probabilities" in names and place is not None:
        return probabilities, "probability"
    if "probability" in names and (place is None or classes == 2):
        return probability, "probability"
    if label is not None:
        return hit, "value"
    return value, "value"
