"""A small booster that is plain numbers: trees whose nodes of one depth all ask the same, grown on binned values.

A monitor must carry what it learned with it, read it without any library, and never unpickle. A tree of depth D is D features
with D thresholds and 2^D values; a row's leaf is the number that its D answers make.

    F(x) = base + rate * sum_t leaf_t(x),     each tree grown on the residuals of those before (squared loss)

Source: Friedman, Greedy Function Approximation, Ann. Stat. 29, 2001; trees of this kind: Prokhorenkova et al., CatBoost,
NeurIPS 2018.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Ints = npt.NDArray[np.int64]

_BINS = 64
_REACH = 6.5  # log odds of the outermost cut: as many bins at the ends as in the middle, where rows that drift will come to lie
_SHRINK = 3.0  # rows of no residual that each leaf is thought to hold besides
_DIGITS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Booster:
    """A grown booster.

    Attributes:
        base: Mean of the target.
        features: For each tree the features asked, one for each depth; `thresholds`: a row answers yes if its value is
            greater.
        leaves: For each tree the values of its leaves, rate included; the first answer is the highest bit.
    """

    base: float
    features: tuple[tuple[int, ...], ...]
    thresholds: tuple[tuple[float, ...], ...]
    leaves: tuple[tuple[float, ...], ...]


def grow(
    matrix: Floats, target: Floats, *, trees: int = 120, depth: int = 5, rate: float = 0.15, seed: int = 0
) -> Booster:
    """A booster of the target by the columns of the matrix.

    Args:
        matrix: Shape (rows, features), finite.
        target: Shape (rows,).
        trees: How many are grown; each from half of the rows, drawn by `seed`.
        depth: Answers on the way to a leaf.
        rate: How much of each tree counts.
    """
    import numpy as np

    random = np.random.default_rng(seed)
    shares = 1 / (1 + np.exp(-np.linspace(-_REACH, _REACH, _BINS - 1)))
    cuts = [np.unique(np.quantile(column, shares)) for column in matrix.T]
    binned = np.stack([np.searchsorted(cut, column, side="left") for cut, column in zip(cuts, matrix.T, strict=True)])
    base = float(target.mean())
    left = target - base
    grown: list[tuple[list[int], list[float], Floats]] = []
    for _ in range(trees):
        rows = random.permutation(len(target))[: max(1, len(target) // 2)]
        made = _tree(binned, left, rows, cuts, depth)
        if made is None:
            break
        features, thresholds, bins, leaves = made
        places = np.zeros(len(target), dtype=np.int64)
        for feature, limit in zip(features, bins, strict=True):
            places = 2 * places + (binned[feature] > limit)
        left = left - rate * leaves[places]
        grown.append((features, thresholds, np.round(rate * leaves, _DIGITS)))
    return Booster(
        base=base,
        features=tuple(tuple(features) for features, _, _ in grown),
        thresholds=tuple(tuple(thresholds) for _, thresholds, _ in grown),
        leaves=tuple(tuple(leaves.tolist()) for _, _, leaves in grown),
    )


def tell(booster: Booster, matrix: Floats) -> Floats:
    """What the booster says of each row, shape (rows,)."""
    import numpy as np

    found: Floats = np.full(len(matrix), booster.base)
    for features, thresholds, leaves in zip(booster.features, booster.thresholds, booster.leaves, strict=True):
        places = np.zeros(len(matrix), dtype=np.int64)
        for feature, threshold in zip(features, thresholds, strict=True):
            places = 2 * places + (matrix[:, feature] > threshold)
        found += np.array(leaves)[places]
    return found


def _tree(
    binned: Ints, left: Floats, rows: Ints, cuts: list[Floats], depth: int
) -> tuple[list[int], list[float], list[int], Floats] | None:
    import numpy as np

    part, residuals = binned[:, rows], left[rows]
    places = np.zeros(len(rows), dtype=np.int64)
    features, thresholds, bins = [], [], []
    for level in range(depth):
        best = _best_split(part, residuals, places, 1 << level)
        if best is None or not len(cuts[best[0]]):
            break
        feature, limit = best
        features.append(feature)
        thresholds.append(float(cuts[feature][limit]))
        bins.append(limit)
        places = 2 * places + (part[feature] > limit)
    if not features:
        return None
    size = 1 << len(features)
    sums = np.bincount(places, weights=residuals, minlength=size)
    counts = np.bincount(places, minlength=size)
    return features, thresholds, bins, sums / (counts + _SHRINK)


def _best_split(part: Ints, residuals: Floats, places: Ints, nodes: int) -> tuple[int, int] | None:
    """The feature and the bin whose border, asked in every node, explains most."""
    import numpy as np

    best, chosen = 1e-12, None
    for feature in range(len(part)):
        keys = places * _BINS + part[feature]
        sums = np.bincount(keys, weights=residuals, minlength=nodes * _BINS).reshape(nodes, _BINS)
        counts = np.bincount(keys, minlength=nodes * _BINS).reshape(nodes, _BINS)
        low, rows = sums.cumsum(axis=1)[:, :-1], counts.cumsum(axis=1)[:, :-1]
        high, rest = sums.sum(axis=1, keepdims=True) - low, counts.sum(axis=1, keepdims=True) - rows
        gains = (low**2 / (rows + _SHRINK) + high**2 / (rest + _SHRINK)).sum(axis=0)
        gains -= (sums.sum(axis=1) ** 2 / (counts.sum(axis=1) + _SHRINK)).sum()
        used = (rows.sum(axis=0) > 0) & (rest.sum(axis=0) > 0)
        gains = np.where(used, gains, -1.0)
        place = int(gains.argmax())
        if gains[place] > best:
            best, chosen = float(gains[place]), (feature, place)
    return chosen
