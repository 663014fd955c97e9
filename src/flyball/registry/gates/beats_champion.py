"""Beats the champion: the candidate is better on the same held-out rows, beyond chance.

A paired one-sided test (`evaluation.compare`: DeLong for ROC AUC, McNemar for accuracy, the paired bootstrap for other
metrics) must find the candidate better at level `alpha`, and with `by` above zero better by more than that much. What the
test leaves undecided holds the version back and says how large a difference these rows would have shown. The first
version has no champion to beat and passes.
"""

from __future__ import annotations

from dataclasses import asdict

from flyball.errors import InvalidInput
from flyball.evaluation.compare import Comparison, compare
from flyball.registry.gates.base import Case, Decision, Gate, Hold, Pass


class BeatsChampion:
    """Lets a version pass that is better than the champion."""

    def decide(self, case: Case, *, metric: str = "", alpha: float = 0.05, by: float = 0.0) -> Decision:
        """Compares the candidate with the champion."""
        name = case.metric_or(metric)
        if by < 0:
            raise InvalidInput(f"by is {by:g}.", hint="Give the gain that counts as zero or more.")
        if case.champion is None:
            return Pass(detail="there is no champion yet")
        found = compare(case.candidate.truth, case.candidate.score, case.champion.score, metric=name, alpha=alpha)
        # The interval's lower end, of level 1 - alpha by itself, is the test against a difference other than zero.
        passes = found.verdict == "better" and (by == 0 or found.low > by)
        facts = {**asdict(found), "alpha": alpha, "by": by}
        return Pass(detail=_scores(found), facts=facts) if passes else Hold(reason=_why(found, by), facts=facts)


def _scores(found: Comparison) -> str:
    return (
        f"{found.metric} {found.candidate:.4f} against the champion's {found.champion:.4f}: "
        f"better by {found.difference:+.4f} (p = {found.p_value:.2g})"
    )


def _why(found: Comparison, by: float) -> str:
    start = f"{found.metric} {found.candidate:.4f} against the champion's {found.champion:.4f}"
    if found.verdict == "worse":
        return f"{start}: worse by {-found.difference:.4f} (p = {1 - found.p_value:.2g})"
    if found.verdict == "better":
        return f"{start}: better, but perhaps by no more than {found.low:.4f}, and {by:g} is asked for"
    smallest = found.smallest_detectable_difference
    return (
        f"{start}: a difference of {found.difference:+.4f} may be chance (p = {found.p_value:.2g}); "
        f"these {found.n:,} rows would show one of {smallest:.4f}"
    )


plugin: Gate = BeatsChampion()
