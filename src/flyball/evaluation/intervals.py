"""Confidence intervals: closed forms for proportions and means, the bootstrap for everything else.

    Wilson      (p + z²/2n ± z sqrt(p (1 - p) / n + z²/4n²)) / (1 + z²/n)
    mean        m ± z s / sqrt(n)
    logit       expit(logit(v) ± z se / (v (1 - v)))
    bootstrap   v + sqrt(m/n) (v*_m - mean v*_m), its percentiles

Source: Wilson, J. Am. Stat. Assoc. 22, 1927; Efron, Ann. Stat. 7, 1979; for fewer draws than rows Bickel, Götze and
van Zwet, Stat. Sinica 7, 1997.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import NormalDist
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from flyball.evaluation.metrics.base import Values

# Rows of a replicate, and of all replicates together: 250 replicates show the spread within 5 %, and a metric that
# sorts its rows stays below 0.3 s.
_MOST_ROWS = 8_000
_ROWS_DRAWN = 2_000_000
_MOST_REPLICATES = 500


def quantile(level: float) -> float:
    """How many standard errors a two-sided interval of that level reaches to either side.

    >>> round(quantile(0.95), 3)
    1.96
    """
    return NormalDist().inv_cdf((1 + level) / 2)


def wilson(hits: float, n: float, level: float) -> tuple[float, float]:
    """The interval of a proportion: `hits` out of `n`.

    >>> [round(limit, 3) for limit in wilson(0, 10, 0.95)]
    [0.0, 0.278]
    """
    z = quantile(level)
    share = hits / n
    middle = share + z * z / (2 * n)
    reach = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    low, high = (middle - reach) / scale, (middle + reach) / scale
    return (0.0 if hits <= 0 else low, 1.0 if hits >= n else high)


def of_mean(values: Values, level: float) -> tuple[float, float] | None:
    """The interval of the mean of losses, none of which is negative; `None` for a single one."""
    if len(values) < 2:
        return None
    mean = float(values.mean())
    reach = quantile(level) * float(values.std(ddof=1)) / math.sqrt(len(values))
    return max(0.0, mean - reach), mean + reach


def of_share(value: float, error: float, level: float, *, rows: int) -> tuple[float, float]:
    """The interval of a number between 0 and 1 from its standard error, on the logit scale so that it stays there.

    Args:
        rows: How many rows stand behind a value at 0 or 1, which has no standard error: it is taken as a proportion.
    """
    if error <= 0 or not 0 < value < 1:
        return wilson(min(max(value, 0.0), 1.0) * rows, rows, level)
    middle = math.log(value / (1 - value))
    reach = quantile(level) * error / (value * (1 - value))
    return _expit(middle - reach), _expit(middle + reach)


def deviations(
    statistic: Callable[[npt.NDArray[np.intp]], float], n: int, *, seed: int, most: int = _MOST_REPLICATES
) -> Values | None:
    """How far a statistic of `n` rows lies from its mean when the rows are drawn again, many times.

    Args:
        statistic: Gives the number for the rows at these places; NaN where it is not defined.
        most: How often rows are drawn at most.

    Returns:
        The deviations, scaled to `n` rows; `None` if half of the draws or more gave no number.
    """
    import numpy as np

    drawn = min(n, _MOST_ROWS)
    replicates = min(most, _ROWS_DRAWN // drawn)
    random = np.random.default_rng(seed)
    found = np.array([statistic(random.integers(0, n, drawn)) for _ in range(replicates)])
    found = found[np.isfinite(found)]
    if n < 2 or len(found) * 2 <= replicates:
        return None
    scaled: Values = (found - found.mean()) * math.sqrt(drawn / n)
    return scaled


def bootstrapped(
    statistic: Callable[[npt.NDArray[np.intp]], float],
    value: float,
    n: int,
    *,
    level: float,
    seed: int,
    most: int = _MOST_REPLICATES,
) -> tuple[float, float] | None:
    """The percentile interval of a statistic of `n` rows around its value, from rows drawn again.

    It is centred on the value: replicates of a biased statistic would put the bias into the interval a second time.
    """
    import numpy as np

    spread = deviations(statistic, n, seed=seed, most=most)
    if spread is None:
        return None
    low, high = np.quantile(spread, [(1 - level) / 2, (1 + level) / 2])
    return value + float(low), value + float(high)


def _expit(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))
