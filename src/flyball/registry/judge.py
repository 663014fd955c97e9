"""Asks every gate and gives the verdict."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from datetime import datetime

from flyball.errors import FlyballError, InvalidInput
from flyball.registry.gates.base import GATES, Case, Decision, Gate, GateSpec, Hold, Pass
from flyball.registry.verdicts import GateDecision, Verdict


def judge(case: Case, gates: Sequence[GateSpec], *, now: datetime) -> Verdict:
    """What the gates say of a case: it passes if each of them lets it.

    A gate that is not there or cannot tell holds the version back: what could not be judged must not go live.

    Args:
        case: The candidate and the champion.
        gates: Declared gates, asked in this order; all of them, so that everything that is wrong is said at once.
        now: When it is judged.
    """
    decisions = tuple(_ask(case, spec) for spec in gates)
    return Verdict(passed=all(decision.passed for decision in decisions), decisions=decisions, at=now)


def _ask(case: Case, spec: GateSpec) -> GateDecision:
    try:
        gate = GATES.get(spec.gate)
        _check_params(gate, case, spec)
        said: Decision = gate.decide(case, **spec.params)
    except FlyballError as error:
        said = Hold(reason=f"it could not be judged: {error}", facts={"error": error.code})
    if isinstance(said, Pass):
        return GateDecision(gate=str(spec), passed=True, reason=said.detail, facts=said.facts)
    return GateDecision(gate=str(spec), passed=False, reason=said.reason, facts=said.facts)


def _check_params(gate: Gate, case: Case, spec: GateSpec) -> None:
    try:
        inspect.signature(gate.decide).bind(case, **spec.params)
    except TypeError as error:
        raise InvalidInput(f"The gate '{spec.gate}' was declared with other parameters: {error}.") from error
