"""Fair: the groups of a column are treated alike by the candidate, on the held-out rows.

A measure of fairness (`evaluation/fairness/`) compares the groups. The candidate is held back if they lie farther apart than
the threshold, beyond chance: p < alpha, corrected for the number of pairs. With too few rows to tell, it passes and says so,
unless `strict` asks for proof: then the whole interval must lie on the fair side.
"""

from __future__ import annotations

import math
from typing import Any

from flyball.errors import InvalidInput
from flyball.evaluation.fair import LEAST_GROUP, combined, count_groups, score_groups
from flyball.evaluation.fairness.base import FAIRNESS
from flyball.registry.gates.base import Case, Decision, Gate, Hold, Pass


class Fair:
    """Lets a version pass that treats groups alike."""

    def decide(
        self,
        case: Case,
        *,
        column: str,
        measure: str = "disparate_impact",
        threshold: float | None = None,
        alpha: float = 0.05,
        strict: bool = False,
        cut: float = 0.5,
    ) -> Decision:
        """Compares the groups on the held-out rows."""
        import numpy as np

        judged = case.candidate
        score = np.asarray(judged.score, dtype=np.float64)
        if score.ndim != 1:
            raise InvalidInput("Fairness is measured of two classes, and here are more.")
        values = combined(judged.slices, column)
        counts = count_groups(np.asarray(judged.truth, dtype=np.float64), score, values, threshold=cut)
        found = score_groups(column, measure, counts, threshold=threshold, alpha=alpha)
        facts: dict[str, Any] = {
            "measure": measure, "rate": found.rate, "value": found.value, "low": found.low, "high": found.high,
            "threshold": found.threshold, "p_value": found.p_value, "rates": found.rates,
        }  # fmt: skip
        if found.value is None or not math.isfinite(found.value):
            said = f"fewer than two groups of {column} have {LEAST_GROUP} rows to compare"
            return Hold(reason=said, facts=facts) if strict else Pass(detail=said, facts=facts)
        if found.is_unfair:
            return Hold(
                reason=f"{found.sentence}, {_asked(measure, found.threshold)} (p = {found.p_value:.2g})", facts=facts
            )
        if strict and not _is_proven(measure, found.low, found.high, found.threshold):
            return Hold(
                reason=f"{found.sentence}: too few rows to prove it, {_asked(measure, found.threshold)}", facts=facts
            )
        return Pass(detail=found.sentence, facts=facts)


def _asked(measure: str, threshold: float) -> str:
    words = "at most" if FAIRNESS.get(measure).relation == "difference" else "at least"
    return f"{words} {threshold:g} is asked for"


def _is_proven(measure: str, low: float | None, high: float | None, threshold: float) -> bool:
    if low is None or high is None:
        return False
    return high <= threshold if FAIRNESS.get(measure).relation == "difference" else low >= threshold


plugin: Gate = Fair()
