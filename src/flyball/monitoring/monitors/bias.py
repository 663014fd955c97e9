"""Bias: whether the groups of a column are treated alike."""

from __future__ import annotations

from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

from flyball.errors import InvalidInput
from flyball.evaluation.fair import TOGETHER, combined, count_groups, score_groups
from flyball.evaluation.fairness.base import FAIRNESS, GroupCounts, merge_counts
from flyball.evaluation.slices import MISSING, OTHER, group_rows
from flyball.monitoring.monitors.base import Contribution, Finding, Material, Monitor
from flyball.monitoring.outcomes import Outcomes, read_outcomes
from flyball.monitoring.windows import GroupMetric, GroupRates, GroupWindow

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Rows = npt.NDArray[np.intp]

_ALPHA = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class _Share:
    hits: int
    n: int

    @property
    def value(self) -> float | None:
        return self.hits / self.n if self.n else None


class Bias:
    """Compares the rates of the groups with the best group's."""

    def examine(self, material: Material, params: dict[str, Any]) -> Contribution:
        """Rates by group; nothing without predictions."""
        column, metric = params["column"], params.get("metric", "positive_rate")
        outcomes = read_outcomes(material.rows)
        if outcomes is None:
            return Contribution()
        if metric in FAIRNESS.names():
            return _fairness(material, outcomes, params)
        if column not in material.inputs.column_names:
            return Contribution(notes=(f"bias: no input '{column}' was logged",))
        least = params.get("min_group", 50)
        groups = {g.value: g.rows for g in group_rows(material.inputs[column].to_pylist(), min_size=least)}
        shares = {group: _shares(outcomes, rows) for group, rows in groups.items()}
        rates = [_rates(column, group, len(groups[group]), shares[group], metric) for group in groups]
        judged = _judged(rates, shares, metric, params.get("threshold", 0.8), least)
        return Contribution(bias=judged, findings=_findings(judged, column, metric))


def _fairness(material: Material, outcomes: Outcomes, params: dict[str, Any]) -> Contribution:
    """How far groups lie apart by a measure of fairness, over this window and those just before it together."""
    import numpy as np

    column, measure, least = params["column"], params["metric"], params.get("min_group", 50)
    known = {name: material.inputs[name].to_pylist() for name in material.inputs.column_names if name in _parts(column)}
    if outcomes.predicted_positive is None or outcomes.scores.ndim != 1:
        return Contribution(notes=("bias: fairness is measured of two classes",))
    try:
        values = combined(known, column)
    except InvalidInput:
        return Contribution(notes=(f"bias: no input '{column}' was logged",))
    scored = np.flatnonzero(outcomes.is_scored)
    counts = count_groups(
        outcomes.truth[scored], outcomes.scores[scored], [values[row] for row in scored.tolist()], least_group=1
    )
    window = GroupWindow(column=column, measure=measure, counts=counts)
    before = _before(material, window, params.get("windows", 1))
    found = score_groups(
        column,
        measure,
        merge_counts([counts, *before]),
        least_group=least,
        threshold=params.get("threshold"),
        alpha=_ALPHA,
    )
    finding = Finding(
        kind="bias",
        cause=f"bias:{column}:{measure}",
        title=f"Groups of '{column}' are not treated alike: {measure.replace('_', ' ')}",
        sentences=(found.sentence,) if found.is_unfair else (),
        facts={
            "column": column,
            "metric": measure,
            "value": found.value,
            "rates": found.rates,
            "p_value": found.p_value,
        },
        needs_truth=FAIRNESS.get(measure).needs_truth,
    )
    if finding.needs_truth and not material.complete:
        return Contribution(fairness=(found,), groups=(window,))
    return Contribution(fairness=(found,), groups=(window,), findings=(finding,))


def _before(material: Material, window: GroupWindow, windows: int) -> list[tuple[GroupCounts, ...]]:
    if windows < 2:
        return []
    return [
        each.counts
        for earlier in list(material.earlier())[: windows - 1]
        for each in earlier.groups
        if (each.column, each.measure) == (window.column, window.measure)
    ]


def _parts(column: str) -> set[str]:
    return {column, *(part.strip() for part in column.split(TOGETHER))}


def _shares(outcomes: Outcomes, rows: Rows) -> dict[str, _Share]:
    labelled = rows[outcomes.is_labelled[rows]]
    right = _Share(hits=int(outcomes.is_right[labelled].sum()), n=len(labelled))
    positive = outcomes.predicted_positive
    if positive is None:
        return {"accuracy": right} if outcomes.task == "classification" else {}
    scored = rows[outcomes.is_scored[rows]]
    is_true = outcomes.truth[labelled] == 1
    called = positive[labelled]
    return {
        "positive_rate": _Share(hits=int(positive[scored].sum()), n=len(scored)),
        "accuracy": right,
        "true_positive_rate": _Share(hits=int((called & is_true).sum()), n=int(is_true.sum())),
        "false_positive_rate": _Share(hits=int((called & ~is_true).sum()), n=int((~is_true).sum())),
    }


def _rates(column: str, group: str, n: int, shares: dict[str, _Share], metric: GroupMetric) -> GroupRates:
    values = {name: share.value for name, share in shares.items()}
    return GroupRates(
        column=column,
        group=group,
        n=n,
        labelled=shares["accuracy"].n if "accuracy" in shares else 0,
        positive_rate=values.get("positive_rate"),
        accuracy=values.get("accuracy"),
        true_positive_rate=values.get("true_positive_rate"),
        false_positive_rate=values.get("false_positive_rate"),
        metric=metric,
    )


def _judged(
    rates: list[GroupRates], shares: dict[str, dict[str, _Share]], metric: GroupMetric, threshold: float, least: int
) -> tuple[GroupRates, ...]:
    # What is missing, or put together of small groups, is no group of its own to compare with.
    fit = {
        each.group: share
        for each in rates
        if each.group not in (MISSING, OTHER) and (share := shares[each.group].get(metric)) and share.n >= least
    }
    if len(fit) < 2:
        return tuple(rates)
    less_is_better = metric == "false_positive_rate"
    ordered = sorted(fit, key=lambda group: (fit[group].value or 0.0, group))
    best = fit[ordered[0] if less_is_better else ordered[-1]]
    # Each group is tested against the best one, so chance has as many tries as there are others.
    z = NormalDist().inv_cdf(1 - _ALPHA / (len(fit) - 1))
    judged = []
    for each in rates:
        share = fit.get(each.group)
        if share is not None:
            low, high = (best, share) if less_is_better else (share, best)
            ratio = low.hits * high.n / (high.hits * low.n) if high.hits else 1.0
            judged.append(replace(each, ratio=ratio, is_apart=ratio < threshold and _differ(low, high) > z))
        else:
            judged.append(each)
    return tuple(judged)


def _differ(low: _Share, high: _Share) -> float:
    """How many standard errors two shares lie apart, if they were one."""
    pooled = (low.hits + high.hits) / (low.n + high.n)
    error = (pooled * (1 - pooled) * (1 / low.n + 1 / high.n)) ** 0.5
    return (high.hits / high.n - low.hits / low.n) / error if error else 0.0


def _findings(rates: tuple[GroupRates, ...], column: str, metric: GroupMetric) -> tuple[Finding, ...]:
    compared = [each for each in rates if each.ratio is not None]
    if not compared:
        return ()
    apart = sorted((each for each in compared if each.is_apart), key=lambda each: (each.ratio or 0.0, each.group))
    words = metric.replace("_", " ")
    sentences = []
    for each in apart:
        assert each.ratio is not None
        relation = f"the best group's is {each.ratio:.2f} of it" if metric == "false_positive_rate" else (
            f"{each.ratio:.2f} of the best group's"
        )  # fmt: skip
        sentences.append(f"{column} {each.group}: {words} {getattr(each, metric):.3f}, {relation}")
    return (
        Finding(
            kind="bias",
            cause=f"bias:{column}",
            title=f"{len(apart)} of {len(compared)} groups of '{column}' differ in {words}",
            sentences=tuple(sentences),
            facts={"column": column, "metric": metric, "ratios": {e.group: e.ratio for e in apart}},
            needs_truth=metric != "positive_rate",
        ),
    )


plugin: Monitor = Bias()
