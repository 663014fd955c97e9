"""Rules as a model: the first condition that holds decides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from flyball.errors import InvalidInput

Answer = bool | int | float | str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """If the condition holds, this is the prediction.

    Attributes:
        when: A condition on the columns in SQL, as DuckDB reads it: `distance > 2000 AND carrier IN ('HA', 'AS')`.
    """

    when: str
    then: Answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Rules in the order in which they are asked.

    Attributes:
        otherwise: The prediction where no condition holds.
    """

    rules: tuple[Rule, ...]
    otherwise: Answer


def rules(conditions: Mapping[str, Answer], *, otherwise: Answer) -> Rules:
    """A model made of rules: `fb.rules({"distance > 2000": True, "carrier = 'HA'": False}, otherwise=False)`.

    It is registered, gated, served, watched and replaced like any other model, and is a fair champion for the first learned one to
    beat. A condition on a missing value does not hold.

    Args:
        conditions: What is predicted, by condition in SQL; the first that holds decides.
        otherwise: The prediction where none holds.

    Raises:
        InvalidInput: the predictions are not all of one kind.
    """
    answers = [*conditions.values(), otherwise]
    kinds = {
        "truth value" if isinstance(each, bool) else "number" if isinstance(each, int | float) else "text"
        for each in answers
    }
    if len(kinds) > 1:
        raise InvalidInput(
            f"The rules predict {' and '.join(sorted(kinds))}s.", hint="Let all predict one kind of value."
        )
    if not all(condition.strip() for condition in conditions):
        raise InvalidInput("A rule has an empty condition.")
    return Rules(rules=tuple(Rule(when=when, then=then) for when, then in conditions.items()), otherwise=otherwise)
