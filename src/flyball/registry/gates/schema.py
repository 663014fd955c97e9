"""Schema: whoever asks the champion can ask the candidate the same way and read its answers.

Holds back: an input that is new and must not be missing; an input of another type (whole and other numbers stand for each
other); an output that is gone or of another type; another task; other classes, or the same in another order. Inputs that are
no longer needed and new outputs do no harm.
"""

from __future__ import annotations

from flyball.models.signature import Signature
from flyball.registry.gates.base import Case, Decision, Gate, Hold, Pass
from flyball.schema import Schema, SchemaChange

_NUMBERS = {"int", "float", "decimal"}


class SchemaGate:
    """Lets a version pass that is asked and answers as the champion."""

    def decide(self, case: Case) -> Decision:
        """Compares the signatures."""
        if case.champion is None:
            return Pass(detail="there is no champion yet")
        before, after = case.champion.signature, case.candidate.signature
        broken = [*_inputs(before.inputs, after.inputs), *_outputs(before, after)]
        if broken:
            return Hold(reason="; ".join(broken[:5]), facts={"broken": broken})
        changes = [str(change) for change in before.inputs.changes_to(after.inputs)]
        return Pass(detail="it is asked and answers as the champion", facts={"changes": changes})


def _inputs(before: Schema, after: Schema) -> list[str]:
    required = {column.name for column in after.columns if not column.nullable}
    return [
        f"input {change}"
        for change in before.changes_to(after)
        if (change.change == "added" and change.column in required) or _is_other_type(change)
    ]


def _outputs(before: Signature, after: Signature) -> list[str]:
    changes = before.outputs.changes_to(after.outputs)
    broken = [f"output {change}" for change in changes if change.change in ("removed", "type")]
    if before.task != after.task:
        broken.append(f"the task was {before.task} and is {after.task}")
    if before.classes != after.classes:
        broken.append(f"the classes were {list(before.classes)[:10]} and are {list(after.classes)[:10]}")
    return broken


def _is_other_type(change: SchemaChange) -> bool:
    return change.change == "type" and not {change.before, change.after} <= _NUMBERS


plugin: Gate = SchemaGate()
