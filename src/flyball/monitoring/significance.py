"""How likely chance alone does this: tails of distributions, and the test of two vectors of counts.

Own mathematics, so that a check of a window needs no library beyond numpy.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from statistics import NormalDist
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Counts = npt.NDArray[np.float64]

# Below five expected rows in a cell the chi-square tail is no longer to be trusted (Cochran 1954).
_MIN_EXPECTED = 5.0


def chi_square_tail(statistic: float, degrees: float) -> float:
    """The chance that a chi-square variable exceeds the statistic: the regularised upper incomplete gamma function.

    >>> round(chi_square_tail(3.841459, 1), 4), round(chi_square_tail(31.410433, 20), 4)
    (0.05, 0.05)
    """
    a, x = degrees / 2, statistic / 2
    if x <= 0 or degrees <= 0:
        return 1.0
    front = math.exp(max(-745.0, a * math.log(x) - x - math.lgamma(a)))
    return max(0.0, 1 - front * _lower_series(a, x)) if x < a + 1 else min(1.0, front * _upper_fraction(a, x))


def chi_square_quantile(share: float, degrees: float) -> float:
    """The value below which that share of a chi-square variable lies (Wilson and Hilferty's cube, within 1 %)."""
    narrow = 2 / (9 * degrees)
    return float(degrees * max(0.0, 1 - narrow + NormalDist().inv_cdf(share) * math.sqrt(narrow)) ** 3)


def hypergeometric_tail(hits: int, *, sample: int, marked: int, total: int) -> float:
    """The chance of at least so many hits when `sample` of `total` rows are drawn and `marked` of the total are hits.

    >>> round(hypergeometric_tail(3, sample=3, marked=3, total=6), 4)    # 1 of 20
    0.05
    """
    if hits <= max(0, sample + marked - total):
        return 1.0
    most = min(sample, marked)
    if hits > most:
        return 0.0
    if hits * total <= sample * marked:
        # On this side of the mean the first terms may be too small for a float; the other tail's are the largest.
        return 1 - hypergeometric_tail(sample - hits + 1, sample=sample, marked=total - marked, total=total)
    whole = _log_choose(total, sample)
    term = math.exp(_log_choose(marked, hits) + _log_choose(total - marked, sample - hits) - whole)
    tail = term
    for k in range(hits, most):
        term *= (marked - k) * (sample - k) / ((k + 1) * (total - marked - sample + k + 1))
        tail += term
        if term < tail * 1e-12:
            break
    return min(1.0, tail)


def false_discovery(p_values: Sequence[float]) -> list[float]:
    """Benjamini and Hochberg's q-values: the share of false ones if all up to this one are called findings.

    >>> false_discovery([0.01, 0.5, 0.02])
    [0.03, 0.5, 0.03]
    """
    order = sorted(range(len(p_values)), key=p_values.__getitem__, reverse=True)
    q_values, lowest = [1.0] * len(p_values), 1.0
    for place, index in enumerate(order):
        lowest = min(lowest, p_values[index] * len(p_values) / (len(p_values) - place))
        q_values[index] = lowest
    return q_values


def g_statistic(reference: Counts, current: Counts) -> tuple[float, int]:
    """The log-likelihood ratio statistic that both vectors come from the same shares, and its degrees of freedom.

    Neighbouring cells are joined until each can expect five rows. What is joined depends on the sums of both samples
    only, so the statistic keeps its distribution. Williams' correction is applied (Biometrika 63, 1976).
    """
    import numpy as np

    sizes = np.array([reference.sum(), current.sum()])
    if not sizes.all():
        return 0.0, 0
    total = sizes.sum()
    pooled = reference + current
    starts = _joined(pooled * (sizes.min() / total))
    if len(starts) < 2:
        return 0.0, 0
    observed = np.stack([np.add.reduceat(reference, starts), np.add.reduceat(current, starts)])
    columns = observed.sum(axis=0)
    expected = np.outer(sizes, columns) / total
    ratio = np.divide(observed, expected, out=np.ones_like(observed), where=observed > 0)
    statistic = 2 * float(np.sum(observed * np.log(ratio)))
    degrees = len(starts) - 1
    spread = (total * (1 / sizes).sum() - 1) * (total * (1 / columns).sum() - 1)
    return float(max(0.0, statistic) / (1 + float(spread) / (6 * total * degrees))), degrees


def trend_statistic(reference: Counts, current: Counts) -> tuple[float, int]:
    """Whether cells in ascending order have moved or spread: a chi-square statistic of two degrees of freedom.

    The scores are the mid-ranks of both samples together and their squares (orthogonal to the ranks): the first two
    components of Neyman's smooth test (Skand. Aktuarietidskr. 20, 1937), free of the values' distribution.
    """
    import numpy as np

    sizes = reference.sum(), current.sum()
    if not all(sizes):
        return 0.0, 0
    total = sizes[0] + sizes[1]
    shares = (reference + current) / total
    ranks = np.cumsum(shares) - shares / 2 - 0.5
    squares = ranks**2 - np.sum(shares * ranks**2)
    varied = np.sum(shares * ranks**2)
    squares -= ranks * (np.sum(shares * squares * ranks) / varied if varied else 0.0)
    gap = current / sizes[1] - reference / sizes[0]
    noise = (1 / sizes[0] + 1 / sizes[1]) * total / max(1.0, total - 1)
    statistic, degrees = 0.0, 0
    for scores in (ranks, squares):
        variance = float(np.sum(shares * scores**2))
        if variance > 1e-9:
            statistic += float(np.sum(scores * gap)) ** 2 / (variance * float(noise))
            degrees += 1
    return statistic, degrees


def effective_rows(reference: float, current: float) -> float:
    """How many rows a sample would have whose shares are as uncertain as the difference of the two samples'."""
    return reference * current / (reference + current) if reference and current else 0.0


def excess_variance(
    windows: Sequence[Counts], statistic: Callable[[Counts, Counts], tuple[float, int]] = g_statistic
) -> float:
    """How much more a process's own windows differ from each other than chance lets them, per row.

    Each window is tested against all the others. A window of `n` rows then has a statistic of about
    `1 + n * excess` times what chance gives. The larger of two answers is taken: the mean over the windows, and what
    makes the farthest window an ordinary farthest one - a week has two far days of seven, and they are no alarm.
    """
    return excess_of(ratios_of(windows, statistic))


def ratios_of(
    windows: Sequence[Counts], statistic: Callable[[Counts, Counts], tuple[float, int]]
) -> list[tuple[float, float, float]]:
    """Each window against all the others: the statistic over its degrees of freedom, effective rows, the degrees."""
    if len(windows) < 2:
        return []
    whole: Counts = sum(windows[1:], start=windows[0])
    ratios: list[tuple[float, float, float]] = []
    for window in windows:
        others = whole - window
        value, degrees = statistic(others, window)
        if degrees:
            ratios.append((value / degrees, effective_rows(others.sum(), window.sum()), degrees))
    return ratios


def excess_of(ratios: Sequence[tuple[float, float, float]]) -> float:
    """The same from each window's statistic over its degrees of freedom, its effective rows, and the degrees."""
    if len(ratios) < 2:
        return 0.0
    mean = sum(ratio - 1 for ratio, _, _ in ratios) / sum(rows for _, rows, _ in ratios)
    farthest = 0.5 ** (1 / len(ratios))
    largest = max((ratio * df / chi_square_quantile(farthest, df) - 1) / rows for ratio, rows, df in ratios)
    # Few windows show less than the whole of the variation that there is.
    return float(max(mean, largest, 0.0) * (1 + 2 / len(ratios)))


def _joined(expected: Counts) -> list[int]:
    starts, filled = [], _MIN_EXPECTED
    for cell, rows in enumerate(expected.tolist()):
        if filled >= _MIN_EXPECTED:
            starts.append(cell)
            filled = 0.0
        filled += rows
    if filled < _MIN_EXPECTED and len(starts) > 1:
        starts.pop()
    return starts


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)


def _lower_series(a: float, x: float) -> float:
    term = total = 1 / a
    n = a
    while term > total * 1e-16:
        n += 1
        term *= x / n
        total += term
    return total


def _upper_fraction(a: float, x: float) -> float:
    # Lentz's way through the continued fraction of the upper incomplete gamma function.
    b = x + 1 - a
    c, d = 1e300, 1 / b
    value = d
    for i in range(1, 10_000):
        b += 2
        step = -i * (i - a)
        d = 1 / (step * d + b)
        c = b + step / c
        value *= d * c
        if abs(d * c - 1) < 1e-15:
            break
    return value
