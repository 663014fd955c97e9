"""The seam of the metrics: truth and prediction in, one number out.

All arrays are float64. Truth is 0 or 1 for two classes, the number of the class for more, any value for regression.
What the prediction is, a metric says in `needs`; with more than two classes it is a matrix with a column per class.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias, runtime_checkable

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    Values: TypeAlias = npt.NDArray[np.float64]

Task = Literal["classification", "regression"]
Need = Literal["score", "label", "value"]


class Metric(Protocol):
    """A measure of how well predictions agree with the truth.

    Attributes:
        kind: The task whose predictions it measures.
        greater_is_better: Whether more is better.
        needs: What it is given: the probability of class 1 (`score`), the predicted class as 0 or 1 (`label`), or the
            predicted value (`value`).
        multiclass: Whether it also takes an (n, k) matrix: probabilities for `score`, one 1 in each row for `label`.
    """

    @property
    def kind(self) -> Task: ...

    @property
    def greater_is_better(self) -> bool: ...

    @property
    def needs(self) -> Need: ...

    @property
    def multiclass(self) -> bool: ...

    def compute(self, truth: Values, prediction: Values) -> float:
        """The metric of these rows; NaN where it is not defined, never a warning."""
        ...


@runtime_checkable
class HasInterval(Protocol):
    """A metric whose uncertainty has a closed form; the others' is bootstrapped."""

    def interval(self, truth: Values, prediction: Values, level: float) -> tuple[float, float] | None:
        """The confidence interval of that level; `None` where the closed form does not reach."""
        ...


@runtime_checkable
class OfRows(Protocol):
    """A metric of one's own, which is made of whole rows."""

    def of_rows(self, rows: pa.Table) -> float:
        """The metric of rows with `truth`, `prediction`, `probability` and the inputs; NaN where it is not defined."""
        ...
