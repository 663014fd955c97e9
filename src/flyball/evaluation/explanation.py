"""Why a model answers as it does: what each column contributed to a prediction, and how much each one counts over all.

The contributions of a row are Shapley values: of all ways to share the difference between a prediction and the usual one
over the columns, the only one that adds up, gives equal columns equal parts and columns without effect nothing. Which of
the explainers made them, on which scale, and how exactly, is said beside them.

Source: Shapley, A value for n-person games, 1953; Strumbelj and Kononenko, Knowl. Inf. Syst. 41, 2014; Lundberg and Lee,
NeurIPS 2017.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flyball.errors import InvalidInput, WorkFailed
from flyball.evaluation.explain.base import EXPLAINERS, Answer, Question, Scale

if TYPE_CHECKING:
    from flyball.evaluation.metrics.base import Values

Plain = str | int | float | bool | None

MOST_ROWS = 10_000
"""Most rows that are explained at once."""
_MOST_SAMPLES = 10_000
# What the sum of the contributions may miss the prediction by: boosters add up in single precision.
_TOLERANCE = 2e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class Contribution:
    """What one column contributed to one prediction.

    Attributes:
        value: The column's value in the row.
        contribution: How much it moved the prediction, away from the base.
        error: Standard error of the contribution; None where nothing was drawn.
    """

    column: str
    value: Plain
    contribution: float
    error: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainedRow:
    """One prediction, shared out.

    Attributes:
        prediction: What the model said, on the explanation's scale: the base and all contributions together.
        contributions: One for each column, the largest first.
    """

    prediction: float
    contributions: tuple[Contribution, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MeanContribution:
    """How much a column counts over all rows that were explained.

    Attributes:
        size: The mean of the contributions' sizes, whichever way they go.
        error: Standard error of that mean over the rows; None for a single one.
    """

    column: str
    size: float
    error: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Predictions, shared out over the columns that they were made from.

    Attributes:
        model: Reference of the model, where there is one.
        method: The explainer: `linear`, `tree`, `booster`, `sampling`, or one from outside.
        exact: Whether the contributions are the Shapley values themselves, but for rounding.
        how: A sentence on what was computed.
        scale: What the contributions add up to: `value`, its logarithm (`log`), `probability`, `log-odds`, or `margin`.
        target: The class that is explained; None for a value.
        base: The prediction for a row of which nothing is known.
        background: How many background rows that rests on; 0 where it rests on the rows that trees were grown on.
        gap: By how much, at most, base and contributions of a row miss its prediction.
        rows: One for each row, in order.
        columns: How much each column counts, the one that counts most first.
    """

    model: str = ""
    method: str
    exact: bool
    how: str
    scale: Scale
    target: str | int | bool | None
    base: float
    background: int
    gap: float
    rows: tuple[ExplainedRow, ...]
    columns: tuple[MeanContribution, ...]


def explain(
    question: Question, *, method: str | None = None, model: str = "", target: str | int | bool | None = None
) -> Explanation:
    """What each column contributed to the predictions of some rows.

    Args:
        question: The rows and whom to ask.
        method: Name of the explainer; by default the first one, from exact to drawn, that can explain the model.
        model: Reference of the model, to be told. `target`: label of the explained class, to be told.

    Raises:
        InvalidInput: there are no rows, columns or background rows, or too many rows, or the method cannot explain the model.
        NotFound: there is no such explainer.
        WorkFailed: the contributions do not add up to the prediction.
    """
    _check(question)
    name, answer = _answered(question, method)
    gap = _gap(answer)
    return Explanation(
        model=model,
        method=name,
        exact=answer.exact,
        how=answer.how,
        scale=answer.scale,
        target=target,
        base=answer.base,
        background=answer.background,
        gap=gap,
        rows=_rows(question, answer),
        columns=_means(question.rows.column_names, answer.contributions),
    )


def _check(question: Question) -> None:
    rows = question.rows
    if rows.num_rows == 0 or rows.num_columns == 0:
        raise InvalidInput("There is nothing to explain.", hint="Give at least one row with the model's columns.")
    if rows.num_rows > MOST_ROWS:
        raise InvalidInput(
            f"{rows.num_rows:,} rows are too many to explain at once.", hint=f"Give at most {MOST_ROWS:,}."
        )
    if question.background.num_rows == 0:
        raise InvalidInput("There are no rows to compare with.", hint="Give background rows.")
    if not 4 <= question.samples <= _MOST_SAMPLES:
        raise InvalidInput(f"samples is {question.samples}.", hint=f"Give a number from 4 to {_MOST_SAMPLES:,}.")
    if question.seed < 0:
        raise InvalidInput(f"seed is {question.seed}.", hint="Give a number from 0 up.")


def _answered(question: Question, method: str | None) -> tuple[str, Answer]:
    if method is not None:
        answer = EXPLAINERS.get(method).explain(question)
        if answer is None:
            raise InvalidInput(
                f"The explainer '{method}' cannot explain this model.", hint="Leave the method out, or use 'sampling'."
            )
        return method, answer
    for name, explainer in sorted(EXPLAINERS.all().items(), key=lambda each: (each[1].order, each[0])):
        answer = explainer.explain(question)
        if answer is not None:
            return name, answer
    raise InvalidInput("No explainer can explain this model.")


def _gap(answer: Answer) -> float:
    import numpy as np

    missed = np.abs(answer.contributions.sum(axis=1) + answer.base - answer.predictions)
    gap = float(missed.max())
    if not (missed <= _TOLERANCE * np.maximum(1.0, np.abs(answer.predictions))).all():
        raise WorkFailed(
            f"The contributions miss the prediction by {gap:g}.",
            hint="A model that answers the same row differently each time cannot be explained.",
        )
    return gap


def _rows(question: Question, answer: Answer) -> tuple[ExplainedRow, ...]:
    names = question.rows.column_names
    values = [column.to_pylist() for column in question.rows.columns]
    sizes = answer.contributions.tolist()
    errors = answer.errors.tolist() if answer.errors is not None else None
    made = []
    for row, prediction in enumerate(answer.predictions.tolist()):
        each = [
            Contribution(
                column=name,
                value=_plain(values[place][row]),
                contribution=sizes[row][place],
                error=errors[row][place] if errors is not None else None,
            )
            for place, name in enumerate(names)
        ]
        each.sort(key=lambda one: -abs(one.contribution))
        made.append(ExplainedRow(prediction=prediction, contributions=tuple(each)))
    return tuple(made)


def _means(names: list[str], contributions: Values) -> tuple[MeanContribution, ...]:
    import numpy as np

    sizes = np.abs(contributions)
    errors = sizes.std(axis=0, ddof=1) / math.sqrt(len(sizes)) if len(sizes) > 1 else None
    found = [
        MeanContribution(
            column=name,
            size=float(sizes[:, place].mean()),
            error=None if errors is None else float(errors[place]),
        )
        for place, name in enumerate(names)
    ]
    return tuple(sorted(found, key=lambda one: -one.size))


def _plain(value: Any) -> Plain:
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value.isoformat() if hasattr(value, "isoformat") else str(value)[:200]
