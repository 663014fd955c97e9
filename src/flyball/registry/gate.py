"""What a new version must pass, as a user writes it: `fb.gate.beats_champion("roc_auc")`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flyball.errors import InvalidInput
from flyball.evaluation.fair import check_measures
from flyball.evaluation.scores import find_metric
from flyball.registry.gates.base import GATES, GateSpec
from flyball.registry.gates.latency import read_limits


def beats_champion(metric: str = "", *, alpha: float = 0.05, by: float = 0.0) -> GateSpec:
    """The version is better than the champion on the same rows, beyond chance; the first one passes.

    Args:
        metric: Name of the metric that decides; the evaluation's primary one by default.
        alpha: How often an equally good version may pass.
        by: How much better it must be, in the metric's own units.
    """
    return GateSpec(
        gate="beats_champion",
        params={"metric": _metric(metric), "alpha": _share("alpha", alpha), "by": _not_negative("by", by)},
    )


def no_worse_slice(column: str, metric: str = "", *, tolerance: float = 0.0, alpha: float = 0.05) -> GateSpec:
    """In no subgroup of a column is the version worse than the champion, beyond chance.

    Args:
        column: A column that the evaluation is sliced by.
        metric: Name of the metric that decides; the evaluation's primary one by default.
        tolerance: How much a subgroup may lose, in the metric's own units.
        alpha: How often a version that is worse nowhere may be held back.
    """
    params = {"column": column, "metric": _metric(metric), "tolerance": _not_negative("tolerance", tolerance)}
    return GateSpec(gate="no_worse_slice", params={**params, "alpha": _share("alpha", alpha)})


def at_least(metric: str, value: float) -> GateSpec:
    """A metric of the version reaches a value; where less is better, it is at most that value."""
    find_metric(metric)
    return GateSpec(gate="at_least", params={"metric": metric, "value": float(value)})


def fair(
    column: str,
    measure: str = "disparate_impact",
    *,
    threshold: float | None = None,
    alpha: float = 0.05,
    strict: bool = False,
    cut: float = 0.5,
) -> GateSpec:
    """The groups of a column are treated alike on the held-out rows.

    Args:
        column: A column that `fb.evaluate` was given in `fairness` or `slices`; several joined by `*` for intersections.
        measure: `demographic_parity`, `disparate_impact`, `equal_opportunity`, `equalised_odds`, `predictive_parity` or
            `calibration`.
        threshold: The largest difference, or the least ratio, that is taken for fair; the measure's own by default.
        alpha: How often a version that treats groups alike may be held back.
        strict: Whether it must be proven, so that a version passes only with enough rows to tell.
        cut: The probability from which a row counts as predicted to be of class 1.
    """
    check_measures([measure])
    if not isinstance(column, str) or not column:
        raise InvalidInput(f"{column!r} is no column.", hint="Give the name of a column.")
    if not 0 < cut < 1:
        raise InvalidInput(f"cut is {cut:g}.", hint="Give a probability between 0 and 1.")
    params: dict[str, Any] = {"column": column, "measure": measure, "alpha": _share("alpha", alpha), "cut": float(cut)}
    if threshold is not None:
        params["threshold"] = _not_negative("threshold", threshold)
    return GateSpec(gate="fair", params={**params, "strict": True} if strict else params)


def schema() -> GateSpec:
    """Whoever asks the champion can ask the version the same way and read its answers."""
    return GateSpec(gate="schema")


def latency(*, p99: str = "", p95: str = "", p50: str = "") -> GateSpec:
    """Single predictions are fast enough: `p99="10ms"`."""
    read_limits(p99=p99, p95=p95, p50=p50)
    given = {"p99": p99, "p95": p95, "p50": p50}
    return GateSpec(gate="latency", params={name: text for name, text in given.items() if text})


def approved(count: int = 1, *, by: Sequence[str] = (), four_eyes: bool = False) -> GateSpec:
    """People have said yes to the version; it is held back until they have.

    Args:
        count: How many different people must have approved.
        by: Only their word counts; everybody's by default.
        four_eyes: The word of the one who asked for the approval does not count.
    """
    if isinstance(by, str):
        raise InvalidInput(f"by is the text '{by[:60]}'.", hint="Give a list of names.")
    if count < 1 or (by and len(set(by)) < count):
        raise InvalidInput(
            f"{count} of {len(set(by)) or 'all'} must approve.", hint="Ask for 1 or more, and name as many."
        )
    params = {"count": int(count), "by": list(dict.fromkeys(by)), "four_eyes": four_eyes}
    return GateSpec(gate="approved", params={name: value for name, value in params.items() if value})


def by_name(gate: str, **params: Any) -> GateSpec:
    """A gate of someone else: a plug-in of that name, with its parameters.

    Raises:
        NotFound: there is no such gate; the hint names near ones.
    """
    GATES.get(gate)
    return GateSpec(gate=gate, params=params)


def _metric(name: str) -> str:
    if name:
        find_metric(name)
    return name


def _share(name: str, value: float) -> float:
    if not 0 < value < 0.5:
        raise InvalidInput(f"{name} is {value:g}.", hint=f"Give an {name} between 0 and 0.5.")
    return float(value)


def _not_negative(name: str, value: float) -> float:
    if not value >= 0:
        raise InvalidInput(f"{name} is {value:g}.", hint="Give zero or more.")
    return float(value)
