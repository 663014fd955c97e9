"""Whether one model is better than another on the same rows, beyond chance.

Both models are scored on the same rows, so what is hard for both cancels out, and a paired test sees far smaller
differences than two intervals side by side. The question is one-sided: is the candidate better? With d the difference
and se its standard error,

    p = 1 - F(d / se)                               F: the standard normal distribution
    interval = d ± F^-1(1 - alpha) se               of level 1 - 2 alpha: above zero where p < alpha
    smallest detectable difference = (F^-1(1 - alpha) + F^-1(0.8)) se

| metric | method | se |
|---|---|---|
| roc_auc | DeLong | from the influence of each row on either area |
| accuracy | McNemar, mid-p | b rows only the candidate has right, c only the champion: p = P(X > b) + P(X = b)/2, X binomial (b + c, 1/2); interval by Bonett and Price |
| others | paired bootstrap | standard deviation of the difference, rows drawn again |

Source: DeLong, DeLong and Clarke-Pearson, Biometrics 44, 1988; Sun and Xu, IEEE Signal Process. Lett. 21, 2014;
McNemar, Psychometrika 12, 1947; Fagerland, Lydersen and Laake, BMC Med. Res. Methodol. 13, 2013 (mid-p); Bonett and
Price, J. Educ. Behav. Stat. 37, 2012; Efron, Ann. Stat. 7, 1979.
"""  # noqa: E501 - a table's row is one line

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, Literal

from flyball.errors import InvalidInput
from flyball.evaluation import intervals
from flyball.evaluation.metrics.base import Metric
from flyball.evaluation.ranking import ranked_area
from flyball.evaluation.sample import read_sample
from flyball.evaluation.scores import ensure_fits, find_metric

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from flyball.evaluation.metrics.base import Values

Verdict = Literal["better", "worse", "undecided"]
Method = Literal["DeLong", "McNemar", "paired bootstrap"]

_POWER = 0.8


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A candidate beside the champion, on the same rows.

    Attributes:
        candidate: The candidate's metric. `champion`: the champion's.
        difference: How much better the candidate is, whichever way the metric points: below zero it is worse.
        low: Lower end of the difference's interval of level 1 - 2 alpha. `high`: its upper end.
        p_value: How likely chance shows such a difference or a larger one, if the candidate is no better.
        smallest_detectable_difference: What these rows would find better in 80 of 100 cases.
        verdict: `better` if p < alpha, `worse` if p > 1 - alpha.
    """

    metric: str
    candidate: float
    champion: float
    difference: float
    low: float
    high: float
    p_value: float
    method: Method
    n: int
    smallest_detectable_difference: float
    verdict: Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class _Gap:
    """A difference as a test sees it: where it lies, its error and the chance of it."""

    middle: float
    error: float
    p_value: float


def compare(
    truth: npt.ArrayLike,
    candidate: npt.ArrayLike,
    champion: npt.ArrayLike,
    *,
    metric: str,
    alpha: float = 0.05,
    threshold: float = 0.5,
    seed: int = 0,
) -> Comparison:
    """Asks whether the candidate's predictions are better than the champion's.

    Args:
        truth: As in `evaluate`.
        candidate: The candidate's predictions of these rows. `champion`: the champion's.
        metric: Name of the metric that decides.
        alpha: How often an equally good candidate may be called better.
        threshold: The probability from which a row counts as predicted to be of class 1.
        seed: Of the draws of the bootstrap.

    Raises:
        InvalidInput: the rows cannot be compared, or the metric is not known or not defined on them.
    """
    if not 0 < alpha < 0.5:
        raise InvalidInput(f"alpha is {alpha:g}.", hint="Give an alpha between 0 and 0.5.")
    pair = _read_pair(truth, candidate, champion, metric=metric, threshold=threshold)
    method, gap = _test(metric, pair, seed=seed)
    reach = NormalDist().inv_cdf(1 - alpha) * gap.error
    return Comparison(
        metric=metric,
        candidate=pair.score_of(pair.candidate),
        champion=pair.score_of(pair.champion),
        difference=pair.difference,
        low=gap.middle - reach,
        high=gap.middle + reach,
        p_value=gap.p_value,
        method=method,
        n=len(pair.truth),
        smallest_detectable_difference=reach + NormalDist().inv_cdf(_POWER) * gap.error,
        verdict=_verdict(gap.p_value, alpha),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pair:
    """Both models' predictions of the same rows, as the metric needs them."""

    measure: Metric
    truth: Values
    candidate: Values
    champion: Values

    def score_of(self, prediction: Values) -> float:
        return self.measure.compute(self.truth, prediction)

    @property
    def difference(self) -> float:
        return self.difference_of(slice(None))

    def difference_of(self, rows: npt.NDArray[np.intp] | slice) -> float:
        """How much better the candidate is on these rows."""
        new, old = (self.measure.compute(self.truth[rows], side[rows]) for side in (self.candidate, self.champion))
        return new - old if self.measure.greater_is_better else old - new


def _read_pair(
    truth: npt.ArrayLike, candidate: npt.ArrayLike, champion: npt.ArrayLike, *, metric: str, threshold: float
) -> _Pair:
    measure = find_metric(metric)
    new, old = (read_sample(truth, side, task=measure.kind) for side in (candidate, champion))
    if new.prediction.shape != old.prediction.shape:
        raise InvalidInput(
            "Candidate and champion do not predict the same classes.", hint="Compare models of the same classes."
        )
    ensure_fits(metric, new)
    pair = _Pair(
        measure=measure,
        truth=new.truth,
        candidate=new.predicted_for(measure, threshold=threshold),
        champion=old.predicted_for(measure, threshold=threshold),
    )
    if not math.isfinite(pair.difference):
        raise InvalidInput(
            f"The metric '{metric}' is not defined on these {new.n:,} rows for both models.",
            hint="Take more rows, so that both classes occur in truth and prediction, or another metric.",
        )
    return pair


def _test(metric: str, pair: _Pair, *, seed: int) -> tuple[Method, _Gap]:
    if metric == "roc_auc" and pair.candidate.ndim == 1:
        return "DeLong", _delong(pair)
    if metric == "accuracy":
        return "McNemar", _mcnemar(pair)
    return "paired bootstrap", _bootstrap(pair, seed)


def _delong(pair: _Pair) -> _Gap:
    new, old = ranked_area(pair.truth, pair.candidate), ranked_area(pair.truth, pair.champion)
    influence = new.influence - old.influence
    return _normal(new.area - old.area, math.sqrt(float((influence**2).sum())), rows=new.rows)


def _mcnemar(pair: _Pair) -> _Gap:
    new, old = (_right(pair.truth, side) for side in (pair.candidate, pair.champion))
    ours, theirs, n = int((new & ~old).sum()), int((old & ~new).sum()), len(new)
    # Two rows are added, one to either side, so that the error is above zero where the models never differ.
    more, less = (ours + 1) / (n + 2), (theirs + 1) / (n + 2)
    error = math.sqrt((more + less - (more - less) ** 2) / (n + 2))
    return _Gap(middle=more - less, error=error, p_value=_mid_p(ours, ours + theirs))


def _right(truth: Values, prediction: Values) -> npt.NDArray[np.bool_]:
    right: npt.NDArray[np.bool_] = (prediction if prediction.ndim == 1 else prediction.argmax(axis=1)) == truth
    return right


def _mid_p(wins: int, games: int) -> float:
    """The chance of more wins than that, and half that of as many, when either side wins with the same chance."""
    import numpy as np

    factorials = np.concatenate(([0.0], np.cumsum(np.log(np.arange(1, games + 1)))))
    chances = np.exp(factorials[games] - factorials - factorials[::-1] - games * math.log(2))
    return min(1.0, float(chances[wins + 1 :].sum() + chances[wins] / 2))


def _bootstrap(pair: _Pair, seed: int) -> _Gap:
    rows = len(pair.truth)
    spread = intervals.deviations(pair.difference_of, rows, seed=seed)
    if spread is None:
        raise InvalidInput(f"{rows:,} rows are too few to tell the models apart.", hint="Score both on more rows.")
    return _normal(pair.difference, float(spread.std(ddof=1)), rows=rows)


def _normal(difference: float, error: float, *, rows: int) -> _Gap:
    # Rounding leaves an error of about 1e-17 where every row says the same.
    if error > 1e-12:
        p_value = math.erfc(difference / error / math.sqrt(2)) / 2  # keeps its digits far out, where 1 - F has none
    elif abs(difference) <= 1e-12:
        p_value = 0.5
    else:
        # Without any variation there is no standard error: every row sides with one model, which a sign test can weigh.
        p_value = 0.5**rows if difference > 0 else 1 - 0.5**rows
    return _Gap(middle=difference, error=error, p_value=p_value)


def _verdict(p_value: float, alpha: float) -> Verdict:
    if p_value < alpha:
        return "better"
    return "worse" if p_value > 1 - alpha else "undecided"
