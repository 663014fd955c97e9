"""Predictions and truth as numbers: what a metric or a rate is computed from, read off the log alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    Floats = npt.NDArray[np.float64]
    Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcomes:
    """The predictions of a window, some with their truth.

    Attributes:
        scores: What metrics take: probabilities of class 1, a column for each of more classes, or values.
        truth: 0 or 1, the number of the class, or the value, for each row with a known truth; NaN for the others.
        is_scored: Rows that have a score.
        is_right: Rows whose truth is known and was predicted.
        predicted_positive: Rows predicted to be of class 1; None unless there are two classes.
    """

    task: str
    scores: Floats
    truth: Floats
    is_scored: Flags
    is_right: Flags
    predicted_positive: Flags | None

    @property
    def is_labelled(self) -> Flags:
        """Rows with score and truth."""
        import numpy as np

        known: Flags = self.is_scored & ~np.isnan(self.truth)
        return known

    @property
    def losses(self) -> Floats:
        """How wrong each labelled row is, NaN for the others: see `losses_of`."""
        import numpy as np

        found = losses_of(self.scores, self.truth, is_classifier=self.task == "classification")
        return np.where(self.is_labelled, found, np.nan)


def losses_of(scores: Floats, truth: Floats, *, is_classifier: bool) -> Floats:
    """How wrong each row is: squared distance of a probability from 0 or 1, else the absolute error.

    Of more than two classes, half the sum of the squared distances: that of two written as two classes is the same.
    """
    import numpy as np

    if is_classifier and scores.ndim > 1:
        known = np.isfinite(truth)
        happened = np.zeros_like(scores, dtype=np.float64)
        happened[np.flatnonzero(known), truth[known].astype(np.int64)] = 1.0
        found: Floats = np.where(known, ((scores - happened) ** 2).sum(axis=1) / 2, np.nan)
        return found
    errors = np.abs(np.asarray(scores, dtype=np.float64) - np.asarray(truth, dtype=np.float64))
    return errors**2 if is_classifier else errors


def read_outcomes(rows: pa.Table) -> Outcomes | None:
    """The outcomes of rows that `labelled_predictions` gave; None where predictions cannot be scored."""
    import pyarrow.types as t

    kind = rows["prediction"].type
    if rows.num_rows == 0 or t.is_null(kind):
        return None
    probability = _probabilities(rows)
    if t.is_floating(kind) and probability is None:
        return _of_values(rows)
    if probability is None and t.is_integer(kind) and not _is_binary(rows):
        return _of_values(rows)
    if t.is_boolean(kind) or t.is_integer(kind) or t.is_floating(kind) or t.is_string(kind) or t.is_large_string(kind):
        return _of_classes(rows, probability)
    return None


def _of_values(rows: pa.Table) -> Outcomes:
    import numpy as np

    said, truth = _floats(rows["prediction"]), _floats(rows["truth"])
    known, scored = ~np.isnan(truth), np.isfinite(said)
    # A model that gives nothing but probabilities, beside truth of 0 and 1, is a classifier.
    are_shares = bool(known.any() and np.isin(truth[known], (0, 1)).all() and ((said >= 0) & (said <= 1))[scored].all())
    positive = said >= 0.5 if are_shares else None
    is_right = known & scored & ((said == truth) if positive is None else (positive == (truth == 1)))
    return Outcomes(
        task="classification" if are_shares else "regression",
        scores=said,
        truth=truth,
        is_scored=scored,
        is_right=is_right,
        predicted_positive=positive,
    )


def _of_classes(rows: pa.Table, probability: Floats | None) -> Outcomes:
    import numpy as np

    said, truth = rows["prediction"].to_pylist(), rows["truth"].to_pylist()
    classes = _classes(said, truth, probability)
    numbers = {value: place for place, value in enumerate(classes)}
    named = np.array([numbers.get(value, -1) for value in said])
    known = np.array([np.nan if value is None else numbers[value] for value in truth], dtype=np.float64)
    several = len(classes) > 2 or (probability is not None and probability.ndim > 1)
    scores = probability
    if scores is None:
        scores = np.eye(len(classes))[named] if several else (named == 1).astype(np.float64)
    is_scored = (named >= 0) & np.isfinite(scores if scores.ndim == 1 else scores.sum(axis=1))
    return Outcomes(
        task="classification",
        scores=scores,
        truth=known,
        is_scored=is_scored,
        is_right=is_scored & (named == known),
        predicted_positive=None if several else named == 1,
    )


def _classes(said: list[Any], truth: list[Any], probability: Floats | None) -> list[Any]:
    """The classes in the order of the probabilities, which the log does not name but the predictions tell."""
    import numpy as np

    present = sorted({value for value in (*said, *truth) if value is not None}, key=lambda value: (str(value), value))
    if all(value in (0, 1) for value in present):
        return [False, True]  # equal to 0 and 1, and found by them
    if probability is None:
        return present
    chances = probability if probability.ndim > 1 else np.stack([1 - probability, probability], axis=1)
    width = max(chances.shape[1], len(present))
    votes = np.zeros((len(present), width))
    places = {value: place for place, value in enumerate(present)}
    for value, column in zip(said, np.nan_to_num(chances, nan=-1).argmax(axis=1).tolist(), strict=True):
        if value is not None:
            votes[places[value], column] += 1
    order: list[Any] = [None] * width
    for place in np.argsort(-votes.max(axis=1), kind="stable").tolist():
        free = [column for column in range(width) if order[column] is None]
        order[max(free, key=lambda column: votes[place, column])] = present[place]
    # A class that no one named keeps its place, under a name that no truth has.
    return [("unnamed", place) if value is None else value for place, value in enumerate(order)]


def _probabilities(rows: pa.Table) -> Floats | None:
    import numpy as np
    import pyarrow.types as t

    if "probabilities" in rows.column_names and t.is_list(rows["probabilities"].type):
        lists = rows["probabilities"].to_pylist()
        widths = {len(row) for row in lists if row is not None}
        if len(widths) == 1 and (width := widths.pop()) > 2:
            return np.array([[np.nan] * width if row is None else row for row in lists], dtype=np.float64)
    if "probability" in rows.column_names and t.is_floating(rows["probability"].type):
        found = _floats(rows["probability"])
        # Versions without probabilities are scored by what they said; a mixture of both is no scale.
        return found if np.isfinite(found).all() else None
    return None


def _is_binary(rows: pa.Table) -> bool:
    import numpy as np

    values = np.concatenate([_floats(rows["prediction"]), _floats(rows["truth"])])
    return bool(np.isin(values[~np.isnan(values)], (0, 1)).all())


def _floats(column: pa.ChunkedArray) -> Floats:
    import numpy as np
    import pyarrow as pa

    values: Floats = column.cast(pa.float64(), safe=False).to_numpy().astype(np.float64)
    return values
