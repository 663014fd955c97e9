"""What predictions and truth were like on held-out rows: what the drift of both is measured from."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from flyball.monitoring.profile import Profile, Reference, profile
from flyball.monitoring.reference import fit_reference, windows_of

if TYPE_CHECKING:
    import numpy.typing as npt
    import pyarrow as pa

PREDICTED = ("prediction", "probability")
TRUTH = "truth"


def outcome_table(prediction: npt.ArrayLike, truth: npt.ArrayLike, *, is_classifier: bool) -> pa.Table:
    """Predictions and truth as a table of columns that can be counted.

    Args:
        prediction: Probabilities of class 1, a matrix of probabilities of classes, or values.
        truth: True values of the same rows.
    """
    import numpy as np
    import pyarrow as pa

    said, known = np.asarray(prediction, dtype=np.float64), np.asarray(truth)
    if not is_classifier:
        return pa.table({"prediction": said, TRUTH: known.astype(np.float64)})
    classes = said.argmax(axis=1) if said.ndim > 1 else (said >= 0.5).astype(np.int64)
    sure = said.max(axis=1) if said.ndim > 1 else said
    named: dict[str, Any] = {"prediction": _names(classes), "probability": sure, TRUTH: _names(known)}
    return pa.table(named)


def fit_outcomes(
    table: pa.Table, *, times: pa.ChunkedArray | None = None, period: timedelta | None = None
) -> Reference:
    """The reference of predictions and truth.

    Args:
        table: As `outcome_table` gives it.
        times: When each row was; with `period`, how much windows of that length differ is then no drift.
    """
    windows: list[pa.Table] = []
    if times is not None and period is not None:
        timed = table.append_column("__time__", times)
        windows = [window.drop_columns(["__time__"]) for window in windows_of(timed, time="__time__", period=period)]
    return fit_reference(table, columns=table.column_names, windows=windows if len(windows) > 2 else ())


def only(reference: Reference, columns: tuple[str, ...]) -> Reference:
    """The reference for these columns alone."""
    return replace(
        reference,
        numeric=tuple(cells for cells in reference.numeric if cells.column in columns),
        categorical=tuple(cells for cells in reference.categorical if cells.column in columns),
    )


def outcome_profile(reference: Reference, scores: Any, truth: Any, *, is_classifier: bool) -> Profile:
    """The profile of a window's predictions and truth; rows whose truth is NaN count as missing there."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    table = outcome_table(scores, np.nan_to_num(truth), is_classifier=is_classifier)
    unknown = pa.array(np.isnan(truth))
    known = pc.if_else(unknown, pa.scalar(None, table[TRUTH].type), table[TRUTH])
    return profile(table.set_column(table.column_names.index(TRUTH), TRUTH, known), reference)


def _names(classes: npt.NDArray[Any]) -> list[str]:
    # 0 and 1, false and true are the same class, however they were written.
    return [str(int(value)) for value in classes.tolist()]
