"""One label out of several: the last word, the majority, or what is most likely true given how often each one is right.

The consensus is that of Dawid and Skene, "Maximum likelihood estimation of observer error-rates using the EM algorithm",
Applied Statistics 28 (1979): every annotator has a matrix of what they say for each truth; truths and matrices are estimated
in turn until they stand still.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from flyball.errors import InvalidInput
from flyball.labels.agreement import Ratings

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

_MOST_VALUES = 200
_ROUNDS = 100
_STILL = 1e-6
_SMOOTHING = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Consensus:
    """What is most likely true.

    Attributes:
        probabilities: Of each value (column) for each thing (row).
        confusions: For each annotator what they say (column) where each value (row) is true.
        shares: How frequent each value is.
        rounds: How often both were estimated.
    """

    probabilities: Floats
    confusions: Floats
    shares: Floats
    rounds: int

    @property
    def quality(self) -> Floats:
        """For each annotator the chance of a right label, each value weighed by how frequent it is."""
        import numpy as np

        right: Floats = np.einsum("akk,k->a", self.confusions, self.shares)
        return right


def dawid_skene(ratings: Ratings, *, rounds: int = _ROUNDS) -> Consensus:
    """The consensus of all ratings, started from the majority; deterministic.

    Raises:
        InvalidInput: there are more than 200 different values: it is for classes.
    """
    import numpy as np

    width, annotators = ratings.n_values, ratings.n_annotators
    if width > _MOST_VALUES:
        raise InvalidInput(
            f"The consensus needs classes; there are {width:,} different values.", hint="Use the rule 'majority'."
        )
    found = _votes(ratings)
    found /= np.maximum(found.sum(axis=1, keepdims=True), 1e-300)
    confusions, shares = np.empty((annotators, width, width)), np.empty(width)
    cell = ratings.annotators * width + ratings.values
    done, moved = 0, 1.0
    while done < rounds and moved >= _STILL:
        done += 1
        weights = found[ratings.items]
        for truth in range(width):
            counts = np.bincount(cell, weights=weights[:, truth], minlength=annotators * width)
            # A little of everything: one who never erred so far may err still.
            confusions[:, truth, :] = counts.reshape(annotators, width) + _SMOOTHING / width
        confusions /= confusions.sum(axis=2, keepdims=True)
        shares = found.mean(axis=0)
        scores = np.zeros_like(found)
        likely = np.log(confusions).transpose(0, 2, 1)[ratings.annotators, ratings.values]
        for truth in range(width):
            scores[:, truth] = np.bincount(ratings.items, weights=likely[:, truth], minlength=ratings.n_items)
        scores += np.log(np.maximum(shares, 1e-300))
        scores -= scores.max(axis=1, keepdims=True)
        new = np.exp(scores)
        new /= new.sum(axis=1, keepdims=True)
        moved = float(np.abs(new - found).max()) if found.size else 0.0
        found = new
    return Consensus(probabilities=found, confusions=confusions, shares=shares, rounds=done)


def majority(ratings: Ratings) -> tuple[npt.NDArray[np.int64], Floats]:
    """The most frequent value of each thing and its share; of equals the one that was said first."""
    import numpy as np

    # Sparse, since texts are nearly all different.
    width = max(ratings.n_values, 1)
    cells, first, counts = np.unique(ratings.items * width + ratings.values, return_index=True, return_counts=True)
    rows = cells // width
    order = np.lexsort((first, -counts, rows))
    starts = np.unique(rows[order], return_index=True)[1]
    best = order[starts]
    totals = np.bincount(ratings.items, minlength=ratings.n_items)
    return cells[best] % width, counts[best] / totals[rows[best]]


def _votes(ratings: Ratings) -> Floats:
    import numpy as np

    cells = np.bincount(ratings.items * ratings.n_values + ratings.values, minlength=ratings.n_items * ratings.n_values)
    return cells.reshape(ratings.n_items, ratings.n_values).astype(np.float64)
