"""Metrics of one's own: what predictions are worth to a business, from the rows themselves.

As an expression of SQL a metric travels in its name, `profit = avg(...)`, so that a monitor far from the project's code can
compute it. It may use the columns `truth`, `prediction` and `probability` (prediction: the class, or the value) and, where
they are at hand, the inputs. As a decorated function it lives in the process that has loaded the project.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

from flyball.errors import InvalidInput, MissingExtra
from flyball.evaluation.metrics.base import Need, Task

if TYPE_CHECKING:
    import pyarrow as pa

    from flyball.evaluation.metrics.base import Values


class RowMetric:
    """A number made of rows.

    Attributes:
        kind: Of the task that its truth is taken for where nothing else tells; rows of either are scored.
    """

    needs: Need = "score"
    multiclass = True

    def __init__(
        self, of_rows: Callable[[pa.Table], Any], *, greater_is_better: bool = True, kind: Task = "classification"
    ) -> None:
        self._of_rows = of_rows
        self.greater_is_better = greater_is_better
        self.kind: Task = kind

    def of_rows(self, rows: pa.Table) -> float:
        """The number; NaN where it is not defined."""
        if not rows.num_rows:
            return math.nan
        found = self._of_rows(rows)
        try:
            return math.nan if found is None else float(found)
        except (TypeError, ValueError) as error:
            raise InvalidInput(f"A metric gave {str(found)[:60]!r}.", hint="Give one number.") from error

    def compute(self, truth: Values, prediction: Values) -> float:
        """The number of rows of which truth and prediction alone are known."""
        return self.of_rows(outcome_rows(truth, prediction))


def outcome_rows(
    truth: Values, prediction: Values, rows: pa.Table | None = None, *, threshold: float = 0.5
) -> pa.Table:
    """The rows with `truth`, `prediction` and `probability` as a metric of one's own takes them.

    Args:
        rows: The inputs, where they are at hand.
    """
    import numpy as np
    import pyarrow as pa

    columns: dict[str, Any] = {}
    if rows is not None:
        columns = {name: rows[name] for name in rows.column_names}
    if prediction.ndim > 1:
        return pa.table(
            {**columns, "truth": truth, "prediction": prediction.argmax(axis=1), "probability": prediction.max(axis=1)}
        )
    is_binary = bool(np.isin(truth, (0, 1)).all() and ((prediction >= 0) & (prediction <= 1)).all())
    if is_binary:
        said = {"truth": truth == 1, "prediction": prediction >= threshold, "probability": prediction}
    else:
        said = {"truth": truth, "prediction": prediction}
    return pa.table({**columns, **said})


def of_expression(text: str) -> RowMetric:
    """The metric that a text such as `profit = avg(...)` stands for; `cost < avg(...)` if less is better.

    Raises:
        InvalidInput: it is none.
    """
    name, sign, expression = parts_of(text)
    if not name or not expression:
        raise InvalidInput(f"'{text[:60]}' is no metric.", hint="Write it as fb.metric(name, expression) gives it.")
    return RowMetric(lambda rows: _computed(expression, rows), greater_is_better=sign == "=")


def parts_of(text: str) -> tuple[str, str, str]:
    """Name, sign and expression of a metric's text; a plain name has no expression.

    >>> parts_of("cost < avg(x)"), parts_of("roc_auc")
    (('cost', '<', 'avg(x)'), ('roc_auc', '', ''))
    """
    for sign in (" = ", " < "):
        name, found, expression = text.partition(sign)
        if found and name.replace("_", "").isalnum():
            return name, sign.strip(), expression.strip()
    return text, "", ""


def _computed(expression: str, rows: pa.Table) -> Any:
    connection = _connection()
    import duckdb

    # A cursor of one connection costs a hundredth of a connection of its own, and sees no tables but its own.
    cursor = connection.cursor()
    try:
        cursor.register("rows", rows)
        found = cursor.execute(f"SELECT ({expression}) FROM rows").fetchall()  # noqa: S608  # it is the user's expression
    except duckdb.Error as error:
        first = str(error).splitlines()[0]
        raise InvalidInput(f"The metric '{expression[:60]}' cannot be computed: {first}.", hint=_hint(rows)) from error
    finally:
        cursor.close()
    if len(found) != 1 or len(found[0]) != 1:
        raise InvalidInput(
            f"The metric '{expression[:60]}' gives {len(found)} rows.", hint="Use an aggregate, such as avg."
        )
    return found[0][0]


@cache
def _connection() -> Any:
    try:
        import duckdb
    except ImportError as error:
        raise MissingExtra("A metric of SQL needs DuckDB.", hint="pip install 'flyball[data]'") from error
    # No file, no network, no setting can be reached from it: the text may come from whoever declares a loop.
    return duckdb.connect(config={"enable_external_access": "false", "threads": "1", "lock_configuration": "true"})


def _hint(rows: pa.Table) -> str:
    return f"There are the columns {', '.join(rows.column_names[:20])}."
