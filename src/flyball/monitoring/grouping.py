"""One alert for each cause: what follows from another finding is told with it.

A sensor that is stuck drifts, and breaks its correlations, and shifts what the model says. The finding nearest to the cause
is the alert: faults of the data before drift of columns, that before drift of whole rows. A finding whose columns another one
nearer to the cause has all named gives it its sentences and is quiet by itself. Values out of range are the other way round:
where a column has moved as a whole, they follow from that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from flyball.monitoring.monitors.base import Finding

_NEARNESS = {"freshness": 0, "quality": 0, "drift": 1, "joint": 2}


def grouped(findings: Sequence[Finding]) -> list[Finding]:
    """The findings, each told once, in the order they were given."""
    found = {finding.cause: finding for finding in findings}
    for finding in sorted(findings, key=_nearness, reverse=True):
        cause = next((other for other in findings if _explains(found[other.cause], found[finding.cause])), None)
        if cause is not None:
            told, teller = found[finding.cause], found[cause.cause]
            followed: list[Any] = [*teller.facts.get("followed_by", ()), told.cause, *told.facts.get("followed_by", ())]
            sentences = tuple(dict.fromkeys((*teller.sentences, *told.sentences)))
            found[cause.cause] = replace(teller, sentences=sentences, facts={**teller.facts, "followed_by": followed})
            found[finding.cause] = replace(told, sentences=())
    return list(found.values())


def _explains(cause: Finding, effect: Finding) -> bool:
    if not cause.sentences or not effect.sentences or cause.cause == effect.cause:
        return False
    if effect.cause == "quality" and cause.cause == "drift":
        return bool(_outside(effect)) and set(effect.facts.get("columns", ())) <= _outside(effect) & _moved(cause)
    if not 0 <= _nearness(cause) < _nearness(effect):
        return False
    if effect.cause.startswith("joint:") and effect.cause != "joint:table":
        return False  # an embedding, a text or an image is no consequence of other columns
    named = set(cause.facts.get("columns", ()))
    if cause.cause == "quality" and effect.cause == "drift":
        named -= _outside(cause) & _moved(effect)
    columns = set(effect.facts.get("columns", ()))
    # Whole rows that drift without a name of a column follow from any column that does.
    return columns <= named if columns else bool(named) and _nearness(effect) == _NEARNESS["joint"]


def _outside(finding: Finding) -> set[str]:
    """Columns of which nothing is wrong but that values lie outside the known range."""
    return set(finding.facts.get("outside", ()))


def _moved(finding: Finding) -> set[str]:
    """Columns that have moved as a whole: that some of their values lie out of range follows from it."""
    return set(finding.facts.get("moved", ()))


def _nearness(finding: Finding) -> int:
    return _NEARNESS.get(finding.cause.split(":")[0], -1)
