"""At least: a metric of the candidate reaches a value.

Where less is better, such as for `rmse` or `log_loss`, the metric may be at most that value. The metric is taken from the
version's evaluation if that holds it, and computed on the held-out rows if not.
"""

from __future__ import annotations

from flyball.evaluation.scores import MetricValue, evaluate, find_metric
from flyball.registry.gates.base import Case, Decision, Gate, Hold, Pass


class AtLeast:
    """Lets a version pass that is good enough by itself."""

    def decide(self, case: Case, *, metric: str, value: float) -> Decision:
        """Holds the candidate's metric against the value."""
        greater = find_metric(metric).greater_is_better
        found = _metric(case, metric)
        facts = {"metric": metric, "value": found.value, "low": found.low, "high": found.high, "n": found.n}
        if found.value is None:
            return Hold(reason=f"{metric} is not defined on the {found.n:,} held-out rows", facts=facts)
        passes = found.value >= value if greater else found.value <= value
        said = f"{metric} is {found.value:.4f}, {'at least' if greater else 'at most'} {value:g} is asked for"
        return Pass(detail=said, facts=facts) if passes else Hold(reason=said, facts=facts)


def _metric(case: Case, name: str) -> MetricValue:
    known = case.evaluation.metrics if case.evaluation is not None else ()
    for metric in known:
        if metric.name == name:
            return metric
    return evaluate(case.candidate.truth, case.candidate.score, metrics=[name]).metrics[0]


plugin: Gate = AtLeast()
