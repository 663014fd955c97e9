"""Whether a model treats groups alike: each measure of fairness with its uncertainty, group by group.

The groups of a column, or of several together ("sex*age": intersections), are compared by every measure's rates. The two
groups that lie farthest apart are shown; that they do beyond chance is tested for each pair of the worst rate and corrected
for the number of pairs, since among many groups two always lie apart.

Source of the interval of a difference: Newcombe, Stat. Med. 17, 1998 (his method 10, from the variances of both rates).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import NormalDist
from typing import TYPE_CHECKING

from flyball.errors import InvalidInput, NotFound, did_you_mean
from flyball.evaluation.fairness.base import FAIRNESS, FairnessMeasure, GroupCounts, Rate
from flyball.evaluation.intervals import quantile
from flyball.evaluation.slices import MISSING, OTHER, group_rows

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

ALPHA = 0.05
LEAST_GROUP = 50
TOGETHER = "*"
"""Joins the names of columns whose combinations are the groups."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FairnessScore:
    """How far the groups of a column lie apart by one measure.

    Attributes:
        column: The column; several joined by `*` where their combinations are the groups.
        rate: The rate that lies farthest apart.
        value: The difference of the highest and the lowest rate, or their ratio; None where fewer than two groups are
            large enough.
        low: Lower end of its interval; `high`: upper end.
        lowest: Group of the lowest rate; `highest`: of the highest.
        p_value: The chance of such a pair if all groups were alike, corrected for the number of pairs.
        is_unfair: Whether the value is beyond the threshold, and beyond chance.
        rates: The worst rate of each group; small groups are left out.
    """

    measure: str
    column: str
    rate: str = ""
    value: float | None = None
    low: float | None = None
    high: float | None = None
    threshold: float = 0.0
    lowest: str = ""
    highest: str = ""
    p_value: float = 1.0
    is_unfair: bool = False
    rates: dict[str, float] = field(default_factory=dict)

    @property
    def sentence(self) -> str:
        """The same in words."""
        if self.value is None:
            return f"{self.column}: too few rows to compare groups by {self.measure.replace('_', ' ')}"
        words = self.rate.replace("_", " ")
        pair = f"{self.lowest} {self.rates[self.lowest]:.3f}, {self.highest} {self.rates[self.highest]:.3f}"
        return f"{self.column}: {self.measure.replace('_', ' ')} {self.value:.2f} ({words} of {pair})"


def assess(
    truth: npt.ArrayLike | None,
    prediction: npt.ArrayLike,
    columns: Mapping[str, Sequence[object]],
    *,
    groups: Sequence[str] = (),
    measures: Sequence[str] = (),
    threshold: float = 0.5,
    least_group: int = LEAST_GROUP,
    alpha: float = ALPHA,
) -> tuple[FairnessScore, ...]:
    """How fair predictions of two classes are, by column and measure.

    Args:
        truth: 0 or 1, NaN where it is not known; None where it is not known at all.
        prediction: Probabilities of class 1.
        columns: Values by column.
        groups: Columns, or several joined by `*`; each of `columns` by itself by default.
        measures: Names of measures of fairness; all by default.
        threshold: The probability from which a row counts as predicted to be of class 1.
        least_group: Groups of fewer rows are put together, and rates of fewer rows are not judged.
        alpha: How often groups that are treated alike may be called unfair.

    Raises:
        InvalidInput: there is no such column or measure, or lengths differ.
    """
    import numpy as np

    said = np.asarray(prediction, dtype=np.float64)
    if said.ndim != 1:
        raise InvalidInput("Fairness is measured of two classes, and here are more.", hint="Score one class at a time.")
    known = np.full(len(said), np.nan) if truth is None else np.asarray(truth, dtype=np.float64)
    if len(known) != len(said):
        raise InvalidInput(f"There are {len(said):,} predictions and {len(known):,} rows of truth.")
    chosen = check_measures(measures)
    found = []
    for name in groups or columns:
        counts = count_groups(known, said, combined(columns, name), threshold=threshold, least_group=least_group)
        found += [score_groups(name, measure, counts, least_group=least_group, alpha=alpha) for measure in chosen]
    return tuple(found)


def check_measures(names: Sequence[str]) -> tuple[str, ...]:
    """The names of measures of fairness, all of them where none is given.

    Raises:
        InvalidInput: there is no such measure; the hint names near ones.
    """
    for name in names:
        try:
            FAIRNESS.get(name)
        except NotFound as error:
            raise InvalidInput(f"There is no measure of fairness '{name}'.", hint=error.hint) from error
    return tuple(dict.fromkeys(names)) or tuple(FAIRNESS.names())


def combined(columns: Mapping[str, Sequence[object]], name: str) -> list[object]:
    """The values of a column, or the combinations of those of several joined by `*`.

    Raises:
        InvalidInput: there is no such column.
    """
    parts = [part.strip() for part in name.split(TOGETHER)] if name not in columns else [name]
    for part in parts:
        if part not in columns:
            raise InvalidInput(f"There is no column '{part}' to compare groups of.", hint=did_you_mean(part, columns))
    if len(parts) == 1:
        return list(columns[parts[0]])
    texts = []
    for part in parts:
        labels: list[object] = [None] * len(columns[part])
        for group in group_rows(columns[part], min_size=1):
            for row in group.rows.tolist():
                labels[row] = None if group.value == MISSING else group.value
        texts.append(labels)
    return [None if None in row else " and ".join(map(str, row)) for row in zip(*texts, strict=True)]


def count_groups(
    truth: Floats,
    prediction: Floats,
    values: Sequence[object],
    *,
    threshold: float = 0.5,
    least_group: int = LEAST_GROUP,
) -> tuple[GroupCounts, ...]:
    """The counts of each group; rows without a value and small groups are counted as `(missing)` and `(other)`."""
    import numpy as np

    called, known = prediction >= threshold, np.isfinite(truth)
    positive = known & (truth == 1)
    found = []
    for group in group_rows(values, min_size=least_group):
        rows = group.rows
        labelled = rows[known[rows]]
        found.append(
            GroupCounts(
                group=group.value,
                n=len(rows),
                called=int(called[rows].sum()),
                labelled=len(labelled),
                labelled_called=int(called[labelled].sum()),
                actual=int(positive[labelled].sum()),
                hits=int((called & positive)[labelled].sum()),
                score_sum=float(prediction[labelled].sum()),
                score_variance=float((prediction[labelled] * (1 - prediction[labelled])).sum()),
            )
        )
    return tuple(found)


def score_groups(
    column: str,
    measure: str,
    counts: Sequence[GroupCounts],
    *,
    least_group: int = LEAST_GROUP,
    threshold: float | None = None,
    alpha: float = ALPHA,
) -> FairnessScore:
    """How far the groups lie apart by a measure.

    Args:
        threshold: The largest difference, or the least ratio, that is taken for fair; the measure's own by default.
    """
    plugin = FAIRNESS.get(measure)
    limit = plugin.threshold if threshold is None else threshold
    by_rate: dict[str, dict[str, Rate]] = {}
    for each in counts:
        # What is missing, or put together of small groups, is no group of its own to compare with.
        if each.group not in (MISSING, OTHER):
            for name, rate in plugin.rates(each).items():
                if rate.n >= least_group:
                    by_rate.setdefault(name, {})[each.group] = rate
    scored = [
        _score(column, measure, plugin, name, rates, limit, alpha, len(by_rate))
        for name, rates in by_rate.items()
        if len(rates) > 1
    ]
    if not scored:
        return FairnessScore(measure=measure, column=column, threshold=limit, rates={})
    worst = max if plugin.relation == "difference" else min
    return worst(scored, key=lambda score: score.value if score.value is not None else 0.0)


def _score(
    column: str,
    measure: str,
    plugin: FairnessMeasure,
    name: str,
    rates: Mapping[str, Rate],
    limit: float,
    alpha: float,
    tried: int,
) -> FairnessScore:
    ordered = sorted(rates, key=lambda group: (rates[group].value, group))
    low, high = rates[ordered[0]], rates[ordered[-1]]
    gap, error = high.value - low.value, math.sqrt(low.variance + high.variance)
    # As many pairs as there are groups could have been the farthest, for each rate that was tried.
    pairs = tried * len(rates) * (len(rates) - 1) // 2
    p_value = min(1.0, pairs * 2 * NormalDist().cdf(-gap / max(error, _alike_error(rates, low, high))))
    reach = quantile(1 - alpha) * error
    if plugin.relation == "difference":
        value, ends = gap, (max(0.0, gap - reach), gap + reach)
        beyond = value > limit
    else:
        value = low.value / high.value if high.value else 1.0
        ends = _ratio_interval(low, high, alpha)
        beyond = value < limit
    return FairnessScore(
        measure=measure, column=column, rate=name, value=value, low=ends[0], high=ends[1], threshold=limit,
        lowest=ordered[0], highest=ordered[-1], p_value=p_value, is_unfair=beyond and p_value <= alpha,
        rates={group: rates[group].value for group in ordered},
    )  # fmt: skip


def _alike_error(rates: Mapping[str, Rate], low: Rate, high: Rate) -> float:
    """The standard error of the gap if all groups were alike: from the variance of a row over all of them."""
    rows = sum(rate.n for rate in rates.values())
    middle = sum(rate.n * rate.value for rate in rates.values()) / rows
    variance = sum(rate.n * (rate.n * rate.variance + (rate.value - middle) ** 2) for rate in rates.values()) / rows
    return math.sqrt(max(variance, 1e-12) * (1 / low.n + 1 / high.n))


def _ratio_interval(low: Rate, high: Rate, alpha: float) -> tuple[float, float]:
    """On the logarithm's scale (Katz et al., Biometrics 34, 1978)."""
    if not high.value:
        return 0.0, 1.0
    if not low.value:
        return 0.0, min(1.0, math.sqrt(low.variance) * quantile(1 - alpha) / high.value)
    middle = math.log(low.value / high.value)
    error = math.sqrt(low.variance / low.value**2 + high.variance / high.value**2)
    reach = quantile(1 - alpha) * error
    return math.exp(middle - reach), math.exp(middle + reach)
