"""Metrics of two classes for many draws of the truth at once, from groups of rows that share a score.

Of rows with one score it makes no difference which of them are positive, only how many: a draw of the truth is one binomial
number a group. Scores that are all different are put into two thousand groups of neighbours, cut at the threshold too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Ints = npt.NDArray[np.int64]

COUNTED = frozenset({"roc_auc", "log_loss", "brier", "accuracy", "precision", "recall", "f1"})
"""The metrics that counts are enough for."""

_MOST_GROUPS = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Groups:
    """Rows by score, ascending; vectors of shape (groups,).

    Attributes:
        rows: How many there are.
        scores: Mean of their scores; `squares`: mean of the squares.
        loss_of_one: Mean log loss of a row if its truth is 1; `loss_of_none`: if it is 0.
        is_called: Whether they count as predicted to be of class 1.
    """

    rows: Ints
    scores: Floats
    squares: Floats
    loss_of_one: Floats
    loss_of_none: Floats
    is_called: npt.NDArray[np.bool_]


def group_scores(scores: Floats, *, threshold: float, most: int = _MOST_GROUPS) -> Groups:
    """The groups of at least one score, shape (n,)."""
    import numpy as np

    ordered = np.sort(scores)
    starts = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))
    if len(starts) > most:
        places = np.linspace(0, len(ordered), most, endpoint=False).astype(np.int64)
        # A run of equal scores stays together, and no group lies on both sides of the threshold.
        cut = np.append(places, np.searchsorted(ordered, threshold))
        starts = np.unique(starts[np.searchsorted(starts, cut, side="right") - 1])
        starts = starts[starts < len(ordered)]
    rows = np.diff(starts, append=len(ordered))
    smallest = np.finfo(np.float64).eps
    kept = np.clip(ordered, smallest, 1 - smallest)

    def mean(values: Floats) -> Floats:
        found: Floats = np.add.reduceat(values, starts) / rows
        return found

    return Groups(
        rows=rows,
        scores=mean(ordered),
        squares=mean(ordered**2),
        loss_of_one=mean(-np.log(kept)),
        loss_of_none=mean(-np.log(1 - kept)),
        is_called=ordered[starts] >= threshold,
    )


def metric_of_draws(name: str, groups: Groups, positives: Ints) -> Floats:
    """The metric of each draw, NaN where it is not defined.

    Args:
        name: One of `COUNTED`.
        positives: Rows of class 1 by draw and group, shape (draws, groups).
    """
    import numpy as np

    total, ones = groups.rows.sum(), positives.sum(axis=1)
    called, hits = groups.rows[groups.is_called].sum(), positives[:, groups.is_called].sum(axis=1)
    of_none = (groups.loss_of_none * groups.rows).sum()
    parts = {
        "log_loss": (((groups.loss_of_one - groups.loss_of_none) * positives).sum(axis=1) + of_none, total),
        "brier": ((groups.squares * groups.rows).sum() + ((1 - 2 * groups.scores) * positives).sum(axis=1), total),
        "accuracy": (hits + total - called - (ones - hits), total),
        "precision": (hits, called),
        "recall": (hits, ones),
        "f1": (2 * hits, ones + called),
    }
    if name == "roc_auc":
        misses = groups.rows - positives
        below = np.cumsum(misses, axis=1) - misses / 2
        parts["roc_auc"] = ((positives * below).sum(axis=1), ones * (total - ones))
    with np.errstate(divide="ignore", invalid="ignore"):
        found: Floats = np.divide(*parts[name])
    return found
