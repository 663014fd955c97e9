"""Performance estimated before the truth is known, from what the model's own scores are worth.

A calibration says how often each score came true on held-out rows. As long as a score still means what it meant then, the
truth of new rows can be drawn from it, and any metric computed as if the truth were known; many draws give its expectation
and its spread. What an estimate sees is a change of the *inputs* that brings easier or harder rows. A change of the
*relation* between inputs and truth (concept drift) it cannot see: only labels show that.

Source: Guillory et al., Predicting with Confidence on Unseen Distributions, ICCV 2021; Kuberski, Confidence-based
Performance Estimation, 2023 (arXiv 2407.08649); pool-adjacent-violators: Ayer et al., Ann. Math. Statist. 26, 1955.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flyball.errors import InvalidInput
from flyball.evaluation.intervals import quantile
from flyball.evaluation.sample import Sample
from flyball.evaluation.scores import MetricValue, find_metric
from flyball.monitoring.counted import COUNTED, group_scores, metric_of_draws

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from flyball.evaluation.metrics.base import Metric

    Floats = npt.NDArray[np.float64]

USUAL = ("roc_auc", "log_loss", "brier", "accuracy")
"""The metrics that are estimated where none are named."""

OF_CLASSES = ("log_loss", "accuracy", "f1")
"""The same for more than two classes."""

LEAST_ROWS = 100
"""Labelled rows that a calibration needs at least."""

_BINS = 100
_LEAST_OF_BIN = 50
_MOST_ROWS = 20_000
_LEAST_FOR_TAILS = 100
_DRAW = 0.1
_STRENGTHS = tuple(float(2**power) for power in range(15))


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """How often each score of a model came true, on rows that it had not learned from.

    Attributes:
        edges: Ends of the bins of scores, ascending, without the outermost two.
        rows: Labelled rows by bin.
        positives: Those of them that were truly of class 1.
        scores: Mean score of the rows in the bin.
    """

    edges: tuple[float, ...]
    rows: tuple[int, ...]
    positives: tuple[int, ...]
    scores: tuple[float, ...]


def fit_calibration(scores: npt.ArrayLike, truth: npt.ArrayLike, *, bins: int = _BINS) -> Calibration:
    """How often each score came true.

    Args:
        scores: Probabilities of class 1, shape (n,).
        truth: 0 or 1 for each.
        bins: Most bins to cut the scores into, at their quantiles.

    Raises:
        InvalidInput: there are fewer than 100 rows, scores are no probabilities, or truth is other than 0 and 1.
    """
    import numpy as np

    said, known = np.asarray(scores, dtype=np.float64), np.asarray(truth, dtype=np.float64)
    if said.ndim != 1 or said.shape != known.shape or len(said) < LEAST_ROWS:
        raise InvalidInput(
            f"A calibration needs scores and truth of at least {LEAST_ROWS} rows, and was given {said.shape} and {known.shape}."
        )
    if not (np.isin(known, (0, 1)).all() and ((said >= 0) & (said <= 1)).all()):
        raise InvalidInput("A calibration needs probabilities between 0 and 1, and truth of 0 and 1.")
    edges = np.unique(np.quantile(said, _cuts(min(bins, len(said) // _LEAST_OF_BIN), len(said))))
    places = np.searchsorted(edges, said, side="right")
    rows = np.bincount(places, minlength=len(edges) + 1)
    filled = rows > 0
    sums = np.bincount(places, weights=said, minlength=len(edges) + 1)
    positives = np.bincount(places, weights=known, minlength=len(edges) + 1)
    return Calibration(
        # Of two bins of which one is empty, the border is of no use.
        edges=tuple(edges[filled[:-1] & (np.cumsum(filled[::-1])[::-1][1:] > 0)].tolist()),
        rows=tuple(rows[filled].tolist()),
        positives=tuple(positives[filled].astype(int).tolist()),
        scores=tuple((sums[filled] / rows[filled]).tolist()),
    )


def calibrated(calibration: Calibration, scores: npt.ArrayLike) -> Floats:
    """The probability of class 1 that each score stood for.

    Isotonic over the bins, linear in log odds between their means, and beyond the outermost ones along the line that fits all.
    """
    import numpy as np

    known = _believed(calibration)
    ones, zeros = known.beta(known.weights)
    shares = _isotonic(ones / (ones + zeros), known.rows)
    return _between(calibration, shares, np.asarray(scores, dtype=np.float64))


def estimate(
    calibration: Calibration,
    scores: npt.ArrayLike,
    *,
    metrics: Sequence[str] = USUAL,
    threshold: float = 0.5,
    level: float = 0.95,
    draws: int = 200,
    seed: int = 0,
) -> tuple[MetricValue, ...]:
    """What the metrics will be once the truth of these rows is known, if scores still mean what they meant.

    The interval is that of the metric to be realised: it holds the chance in the truth of these rows and the uncertainty
    of the calibration.

    Args:
        scores: Probabilities of class 1, shape (n,).
        metrics: Names of metrics of two classes.
        threshold: The probability from which a row counts as predicted to be of class 1.
        level: Level of the intervals.
        draws: How often the truth is drawn.

    Raises:
        InvalidInput: there is no such metric, or it is not for classification.
    """
    import numpy as np

    wanted = {name: find_metric(name) for name in metrics}
    for name, metric in wanted.items():
        if metric.kind != "classification":
            raise InvalidInput(f"The metric '{name}' cannot be estimated: it is for {metric.kind}.")
    said = np.asarray(scores, dtype=np.float64)
    said = said[np.isfinite(said)]
    n = len(said)
    if not n:
        return ()
    found = _counted(calibration, said, [name for name in wanted if name in COUNTED], threshold, draws, seed)
    found |= _drawn(
        calibration, said, {name: each for name, each in wanted.items() if name not in COUNTED}, threshold, draws, seed
    )
    return tuple(_summed_up(name, found[name], n, level) for name in wanted)


def _counted(
    calibration: Calibration, said: Floats, names: Sequence[str], threshold: float, draws: int, seed: int
) -> dict[str, Floats]:
    """The metrics of each draw, from counts."""
    import numpy as np

    if not names:
        return {}
    random, groups = np.random.default_rng(seed), group_scores(said, threshold=threshold)
    chances = np.stack([_between(calibration, shares, groups.scores) for shares in _shares(calibration, random, draws)])
    positives = random.binomial(groups.rows, chances)
    return {name: metric_of_draws(name, groups, positives) for name in names}


def _drawn(
    calibration: Calibration, said: Floats, wanted: dict[str, Metric], threshold: float, draws: int, seed: int
) -> dict[str, Floats]:
    """The metrics of each draw, row by row."""
    import numpy as np

    if not wanted:
        return {}
    random = np.random.default_rng(seed)
    if len(said) > _MOST_ROWS:
        said = said[random.choice(len(said), _MOST_ROWS, replace=False)]
    values: dict[str, list[float]] = {name: [] for name in wanted}
    for shares in _shares(calibration, random, draws):
        truth = (random.random(len(said)) < _between(calibration, shares, said)).astype(np.float64)
        sample = Sample(task="classification", truth=truth, prediction=said)
        for name, metric in wanted.items():
            values[name].append(metric.compute(truth, sample.predicted_for(metric, threshold=threshold)))
    return {name: np.array(found) for name, found in values.items()}


def _shares(calibration: Calibration, random: np.random.Generator, draws: int) -> Iterator[Floats]:
    """How often the scores of each bin may truly come true, draw by draw: what so many rows of it leave open."""
    import numpy as np

    known = _believed(calibration)
    for weights in random.multivariate_normal(known.weights, known.covariance, size=draws, method="eigh"):
        ones, zeros = known.beta(np.array(weights))
        yield _isotonic(random.beta(ones, zeros), known.rows)


def fit_classes(scores: npt.ArrayLike, truth: npt.ArrayLike) -> tuple[Calibration, ...]:
    """How often the probability of each class came true, one calibration for each (one against the rest).

    Args:
        scores: Probabilities, shape (n, classes).
        truth: The number of the class of each row.

    Raises:
        InvalidInput: there are too few rows, or scores are no probabilities.
    """
    import numpy as np

    said, known = np.asarray(scores, dtype=np.float64), np.asarray(truth)
    if said.ndim != 2 or len(said) != len(known):
        raise InvalidInput(f"Classes need a matrix of probabilities and a truth for each row, not {said.shape}.")
    return tuple(fit_calibration(said[:, place], (known == place).astype(float)) for place in range(said.shape[1]))


def estimate_classes(
    calibrations: Sequence[Calibration],
    scores: npt.ArrayLike,
    *,
    metrics: Sequence[str] = OF_CLASSES,
    level: float = 0.95,
    draws: int = 100,
    seed: int = 0,
) -> tuple[MetricValue, ...]:
    """What the metrics of several classes will be once the truth is known, if scores still mean what they meant.

    Args:
        calibrations: As `fit_classes` gives them.
        scores: Probabilities, shape (n, classes).
        metrics: Names of metrics for several classes.

    Raises:
        InvalidInput: there is no such metric, or it is not for several classes.
    """
    import numpy as np

    wanted = {name: find_metric(name) for name in metrics}
    for name, metric in wanted.items():
        if metric.kind != "classification" or not metric.multiclass:
            raise InvalidInput(f"The metric '{name}' cannot be estimated for several classes.")
    said = np.asarray(scores, dtype=np.float64)
    said = said[np.isfinite(said).all(axis=1)]
    n, random = len(said), np.random.default_rng(seed)
    if not n:
        return ()
    if n > _MOST_ROWS:
        said = said[random.choice(n, _MOST_ROWS, replace=False)]
    values: dict[str, list[float]] = {name: [] for name in wanted}
    for drawn in zip(*(_shares(each, random, draws) for each in calibrations), strict=True):
        columns = [
            _between(each, shares, said[:, place])
            for place, (each, shares) in enumerate(zip(calibrations, drawn, strict=True))
        ]
        chances = np.stack(columns, axis=1)
        ends = np.cumsum(chances / chances.sum(axis=1, keepdims=True), axis=1)
        truth = (random.random(len(said))[:, None] > ends[:, :-1]).sum(axis=1).astype(np.float64)
        sample = Sample(task="classification", truth=truth, prediction=said)
        for name, metric in wanted.items():
            values[name].append(metric.compute(truth, sample.predicted_for(metric, threshold=0.5)))
    return tuple(_summed_up(name, np.array(found), n, level) for name, found in values.items())


def _summed_up(name: str, values: Floats, n: int, level: float) -> MetricValue:
    import numpy as np

    known = values[np.isfinite(values)]
    if len(known) < len(values) / 2:  # undefined more often than not
        return MetricValue(name=name, value=None, low=None, high=None, n=n)
    tail = (1 - level) / 2
    if len(known) >= _LEAST_FOR_TAILS:
        low, high = np.quantile(known, [tail, 1 - tail]).tolist()
    else:  # too few for their tails, enough for their spread
        reach = quantile(level) * float(known.std(ddof=1))
        low, high = float(known.mean()) - reach, float(known.mean()) + reach
    return MetricValue(name=name, value=float(known.mean()), low=low, high=high, n=n)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Belief:
    """What is thought of the bins of a calibration before their own rows are counted.

    Attributes:
        rows: Rows of each bin; `ones`: those of class 1.
        odds: Log odds of its mean score.
        weights: Slope and offset of the line in log odds that fits all bins best; `covariance`: how uncertain they are.
        strength: As how many rows of each bin the line counts.
    """

    rows: Floats
    ones: Floats
    odds: Floats
    weights: Floats
    covariance: Floats
    strength: float

    def beta(self, weights: Floats) -> tuple[Floats, Floats]:
        """The beta distribution of each bin's share, if that is the line."""
        import numpy as np

        said = _on_line(self.odds, weights)
        # At least Jeffreys' half a row of each class.
        ones = self.ones + np.maximum(self.strength * said, 0.5)
        return ones, self.rows - self.ones + np.maximum(self.strength * (1 - said), 0.5)


def _believed(calibration: Calibration) -> _Belief:
    """Neighbours are seldom unlike each other: a line in log odds through all bins (Platt's scaling) counts as `k` rows of each.

    The `k` is the one that makes what was counted likeliest (empirical Bayes), so that a model that a line calibrates is not
    made noisier by its bins, and one that no line does is told by them.
    """
    import numpy as np

    rows, ones = np.asarray(calibration.rows, dtype=np.float64), np.asarray(calibration.positives, dtype=np.float64)
    odds = _log_odds(np.asarray(calibration.scores))
    weights, covariance = _fit_line(odds, rows, ones)
    said = _on_line(odds, weights)
    strength = max(_STRENGTHS, key=lambda k: _likelihood(rows, ones, k * said, k * (1 - said)))
    return _Belief(rows=rows, ones=ones, odds=odds, weights=weights, covariance=covariance, strength=strength)


def _on_line(odds: Floats, weights: Floats) -> Floats:
    import numpy as np

    asked = np.clip(max(0.0, float(weights[0])) * odds + weights[1], -13.8, 13.8)
    found: Floats = 1 / (1 + np.exp(-asked))
    return found


def _fit_line(odds: Floats, rows: Floats, ones: Floats) -> tuple[Floats, Floats]:
    """Slope and offset by logistic regression (Newton's steps, drawn a little to the scores as they are), and covariance."""
    import numpy as np

    design = np.stack([odds, np.ones(len(odds))], axis=1)
    start = np.array([1.0, 0.0])
    weights, curve = start, np.eye(2)
    for _ in range(25):
        shares = 1 / (1 + np.exp(-np.clip(design @ weights, -30, 30)))
        curve = design.T @ (design * (rows * shares * (1 - shares))[:, None]) + _DRAW * np.eye(2)
        step = np.linalg.solve(curve, design.T @ (ones - rows * shares) - _DRAW * (weights - start))
        weights = weights + np.clip(step, -2, 2)
        if np.abs(step).max() < 1e-6:
            break
    return weights, np.linalg.inv(curve).astype(np.float64)


def _likelihood(rows: Floats, ones: Floats, alpha: Floats, beta: Floats) -> float:
    """Logarithm of the beta-binomial chance of the counts, up to what does not depend on the prior."""
    return sum(
        _log_beta(one + a, n - one + b) - _log_beta(a, b)
        for n, one, a, b in zip(rows.tolist(), ones.tolist(), alpha.tolist(), beta.tolist(), strict=True)
    )


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)


def _between(calibration: Calibration, shares: Floats, scores: Floats) -> Floats:
    import numpy as np

    means, rows = _log_odds(np.asarray(calibration.scores)), np.asarray(calibration.rows, dtype=np.float64)
    odds, asked = _log_odds(shares), _log_odds(scores)
    found = np.interp(asked, means, odds)
    slope, offset = _line(means, odds, rows)
    low, high = asked < means[0], asked > means[-1]
    found[low] = np.minimum(found[low], slope * asked[low] + offset)
    found[high] = np.maximum(found[high], slope * asked[high] + offset)
    result: Floats = 1 / (1 + np.exp(-found))
    return result


def _cuts(bins: int, n: int) -> Floats:
    """Quantiles to cut at: as many bins at the ends as in the middle, where rows that drift away will come to lie."""
    import numpy as np

    end = math.log(max(n / _LEAST_OF_BIN, 2) - 1 or 1)
    cuts: Floats = 1 / (1 + np.exp(-np.linspace(-end, end, max(bins - 1, 0))))
    return cuts


def _log_odds(shares: Floats) -> Floats:
    import numpy as np

    kept = np.clip(shares, 1e-9, 1 - 1e-9)
    odds: Floats = np.log(kept / (1 - kept))
    return odds


def _line(means: Floats, odds: Floats, rows: Floats) -> tuple[float, float]:
    """Slope and offset by weighted least squares, as in Platt's scaling; never falling."""
    import numpy as np

    center, middle = np.average(means, weights=rows), np.average(odds, weights=rows)
    spread = np.average((means - center) ** 2, weights=rows)
    slope = max(0.0, float(np.average((means - center) * odds, weights=rows) / spread)) if spread > 1e-9 else 0.0
    return slope, float(middle - slope * center)


def _isotonic(shares: Floats, rows: Floats) -> Floats:
    """The nearest shares that never fall, weighted by rows: neighbours that do are pooled."""
    import numpy as np

    pools: list[tuple[float, float, int]] = []
    for share, weight in zip(shares.tolist(), rows.tolist(), strict=True):
        mean, total, count = share, weight, 1
        while pools and pools[-1][0] >= mean:
            before, heavy, many = pools.pop()
            mean = (before * heavy + mean * total) / (heavy + total)
            total, count = heavy + total, many + count
        pools.append((mean, total, count))
    return np.concatenate([np.full(count, mean if math.isfinite(mean) else 0.0) for mean, _, count in pools])
