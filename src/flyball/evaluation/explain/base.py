"""The seam of the explainers: rows and a model in, one contribution for each row and column out.

The contributions of a row and the base add up to what the model said of the row, on the scale that the answer names.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from flyball.plugins import PluginGroup

if TYPE_CHECKING:
    import pyarrow as pa

    from flyball.evaluation.metrics.base import Values

Scale = Literal["value", "log", "probability", "log-odds", "margin"]
"""What contributions add up to: the predicted value or its logarithm, a probability, its log-odds, or a margin."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What an explainer is asked.

    Attributes:
        rows: The rows to explain; their columns are those that contributions are wanted of.
        background: Rows as they usually are, which a row is compared with.
        score: The model's answer for such a table, as one number a row.
        scale: That of `score`.
        model: The fitted model itself; None where only `score` can be asked.
        frame: A table as the fitted model takes it.
        target: The place of the explained class; None for a value.
        classes: How many classes there are; 0 for a value.
        samples: How many orders of the columns are drawn for a row, where they are drawn.
        seed: Of the draws.
    """

    rows: pa.Table
    background: pa.Table
    score: Callable[[pa.Table], Values]
    scale: Scale
    model: object | None = None
    frame: Callable[[pa.Table], object] | None = None
    target: int | None = None
    classes: int = 0
    samples: int = 64
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What an explainer found.

    Attributes:
        contributions: One row for each row, one column for each column.
        errors: Their standard errors; None where nothing was drawn.
        base: What is said of a row of which nothing is known.
        predictions: What the model said of each row, on this scale.
        exact: Whether these are the Shapley values themselves, but for rounding.
        how: A sentence on what was computed.
        background: How many background rows it rests on; 0 where it rests on the rows that trees were grown on.
    """

    contributions: Values
    errors: Values | None = None
    base: float
    predictions: Values
    scale: Scale
    exact: bool
    how: str
    background: int


class Explainer(Protocol):
    """A way to explain predictions.

    Attributes:
        order: Explainers are tried from the smallest order to the largest.
    """

    @property
    def order(self) -> int: ...

    def explain(self, question: Question) -> Answer | None:
        """The contributions; None if it cannot explain this model."""
        ...


EXPLAINERS: PluginGroup[Explainer] = PluginGroup("explainer", "flyball.evaluation.explain")
