"""No worse slice: in no subgroup of a column is the candidate worse than the champion, beyond chance.

Each subgroup with at least 50 rows is compared by a paired one-sided test. With many subgroups one of them looks worse by
chance, so the p-values are corrected: ordered p(1) <= p(2) <= ... of k, the adjusted one is

    p'(i) = max over j <= i of min(1, (k - j + 1) p(j))

A subgroup counts as worse if p' < alpha and it has lost more than `tolerance`. Subgroups in which the metric is not
defined, such as those with one class only, are left out and named in the facts.

Source: Holm, Scand. J. Stat. 6, 1979.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flyball.errors import InvalidInput, did_you_mean
from flyball.evaluation.compare import compare
from flyball.evaluation.scores import find_metric
from flyball.evaluation.slices import group_rows
from flyball.registry.gates.base import Case, Decision, Gate, Hold, Judged, Pass

_FEWEST_ROWS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class _Slice:
    """A subgroup: how much it has lost, and how likely chance shows such a loss."""

    value: str
    n: int
    loss: float
    p_value: float


class NoWorseSlice:
    """Lets a version pass that is worse in no subgroup."""

    def decide(
        self, case: Case, *, column: str, metric: str = "", tolerance: float = 0.0, alpha: float = 0.05
    ) -> Decision:
        """Compares the candidate with the champion, subgroup by subgroup."""
        name = case.metric_or(metric)
        find_metric(name)
        if tolerance < 0:
            raise InvalidInput(f"tolerance is {tolerance:g}.", hint="Give the loss that is borne as zero or more.")
        if column not in case.candidate.slices:
            raise InvalidInput(
                f"The held-out rows are not sliced by '{column}'.", hint=did_you_mean(column, case.candidate.slices)
            )
        if case.champion is None:
            return Pass(detail="there is no champion yet")
        compared, left_out = _compare(case.candidate, case.champion, column, name, alpha)
        adjusted = holm([part.p_value for part in compared])
        worse = [(part, p) for part, p in zip(compared, adjusted, strict=True) if p < alpha and part.loss > tolerance]
        facts = _facts(compared, adjusted, left_out)
        if not worse:
            return Pass(detail=f"none of {len(compared)} slices of '{column}' lost {name} beyond chance", facts=facts)
        part, p = max(worse, key=lambda pair: pair[0].loss)
        more = f" and {len(worse) - 1} more" if len(worse) > 1 else ""
        reason = (
            f"{name} is worse by {part.loss:.4f} where {column} is {part.value}{more} (p = {p:.2g}, {part.n:,} rows)"
        )
        return Hold(reason=reason, facts=facts)


def holm(p_values: Sequence[float]) -> list[float]:
    """The p-values, adjusted for their number.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    adjusted, highest = [0.0] * len(p_values), 0.0
    for place, index in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - place) * p_values[index]))
        adjusted[index] = highest
    return adjusted


def _compare(
    candidate: Judged, champion: Judged, column: str, metric: str, alpha: float
) -> tuple[list[_Slice], list[str]]:
    compared, left_out = [], []
    for group in group_rows(candidate.slices[column], min_size=_FEWEST_ROWS):
        rows = group.rows
        if len(rows) < _FEWEST_ROWS:
            left_out.append(group.value)
            continue
        try:
            # The other way round: the question here is whether the champion is the better one.
            found = compare(
                candidate.truth[rows], champion.score[rows], candidate.score[rows], metric=metric, alpha=alpha
            )
        except InvalidInput:
            left_out.append(group.value)
            continue
        compared.append(_Slice(value=group.value, n=len(rows), loss=found.difference, p_value=found.p_value))
    return compared, left_out


def _facts(compared: list[_Slice], adjusted: list[float], left_out: list[str]) -> dict[str, Any]:
    slices = [
        {"value": part.value, "n": part.n, "loss": part.loss, "p_value": p}
        for part, p in zip(compared, adjusted, strict=True)
    ]
    return {"slices": slices, "left_out": left_out}


plugin: Gate = NoWorseSlice()
