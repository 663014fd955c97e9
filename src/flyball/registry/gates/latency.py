"""Latency: single predictions are fast enough, measured where the gate is asked.

`p50`, `p95` and `p99` are the longest times that this share of the predictions may take, such as `10ms`. Only those that are
given are asked. The time is that of the model itself: no network, no queue.
"""

from __future__ import annotations

from flyball.clock import parse_duration
from flyball.errors import InvalidInput
from flyball.registry.gates.base import Case, Decision, Gate, Hold, Pass


class Latency:
    """Lets a version pass that answers fast enough."""

    def decide(self, case: Case, *, p99: str = "", p95: str = "", p50: str = "") -> Decision:
        """Measures the candidate's single predictions."""
        limits = read_limits(p99=p99, p95=p95, p50=p50)
        spent = case.candidate.measure_latency()
        if not len(spent):
            return Hold(reason="its latency could not be measured")
        import numpy as np

        found = {name: float(np.percentile(spent, int(name[1:]))) for name in limits}
        said = ", ".join(f"{name} is {found[name]:.3g} ms, at most {limits[name]:g} ms is asked for" for name in limits)
        facts = {"predictions": len(spent), **found}
        passes = all(found[name] <= limits[name] for name in limits)
        return Pass(detail=said, facts=facts) if passes else Hold(reason=said, facts=facts)


def read_limits(**given: str) -> dict[str, float]:
    """The limits that are given, in milliseconds.

    Raises:
        InvalidInput: none is given, or one is no duration.
    """
    limits = {name: _milliseconds(text) for name, text in given.items() if text}
    if not limits:
        raise InvalidInput("No limit is given.", hint="Give one such as p99='10ms'.")
    return limits


def _milliseconds(text: str) -> float:
    try:
        found = float(text.removesuffix("ms")) if text.endswith("ms") else parse_duration(text).total_seconds() * 1000
    except ValueError:
        found = float("nan")
    if not 0 < found < float("inf"):
        raise InvalidInput(f"'{text}' is no latency.", hint="Write it as 10ms or 1s.")
    return found


plugin: Gate = Latency()
