"""Any model at all: Shapley values by drawing orders of the columns, with their standard errors.

    one draw: a background row z and an order of the columns; column by column z takes the values of the explained row,
              and each step of the answer is a contribution of the column that was taken over
    contribution = mean over draws          standard error = deviation of the draws / sqrt(their number)
    base = mean answer for the background rows that were drawn

Each order is also walked backwards with the same background row, and the two are one draw: what one overestimates the other
underestimates. The steps of a draw add up to the answer for the row less that for z, so contributions and base always add up
to the prediction; only how they are shared out is uncertain, and the error says how much. The same seed gives the same draws.

Source: Strumbelj and Kononenko, Explaining prediction models and individual predictions with feature contributions, Knowl.
Inf. Syst. 41, 2014; backwards orders: Mitchell et al., J. Mach. Learn. Res. 23, 2022.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flyball.evaluation.explain.base import Answer, Explainer, Question

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    from flyball.evaluation.metrics.base import Values

    Places = npt.NDArray[np.intp]

# Rows of one call of the model: a few megabytes, and the cost of the call itself no longer counts.
_ASKED_AT_ONCE = 20_000


class Sampling:
    """Whatever answers rows."""

    order = 1000

    def explain(self, question: Question) -> Answer | None:
        """Contributions by drawn orders."""
        import numpy as np

        rows, columns = question.rows.num_rows, question.rows.num_columns
        drawn = max(2, question.samples // 2)
        usual = _drawn_rows(question.background.num_rows, drawn, question.seed)
        table = _joined(question.rows, question.background)
        said = question.score(question.rows)
        base = question.score(question.background.take(usual))
        contributions, errors = np.zeros((rows, columns)), np.zeros((rows, columns))
        size = drawn * 2 * max(columns - 1, 1)
        together = max(1, _ASKED_AT_ONCE // size)
        for start in range(0, rows, together):
            chosen = range(start, min(start + together, rows))
            orders = [_orders(question.seed, row, drawn, columns) for row in chosen]
            asked = [_places(order, row, rows + usual) for order, row in zip(orders, chosen, strict=True)]
            answers = question.score(_mixed(table, np.concatenate(asked))) if columns > 1 else np.zeros(0)
            for at, row in enumerate(chosen):
                middle = answers[at * size : (at + 1) * size] if columns > 1 else answers
                steps = _steps(orders[at], middle, said[row], base)
                contributions[row], errors[row] = _mean(steps)
        return Answer(
            contributions=contributions,
            errors=errors,
            base=float(base.mean()),
            predictions=said,
            scale=question.scale,
            exact=False,
            how=f"Estimated from {2 * drawn} drawn orders of the columns against the background rows.",
            background=len(set(usual.tolist())),
        )


def _drawn_rows(count: int, drawn: int, seed: int) -> Places:
    """Background rows, each as often as any other as far as that goes."""
    import numpy as np

    random = np.random.default_rng([seed, 0])
    found: Places = np.concatenate([random.permutation(count) for _ in range(-(-drawn // count))])[:drawn]
    return found


def _orders(seed: int, row: int, drawn: int, columns: int) -> Places:
    """Orders of the columns, each followed by itself backwards."""
    import numpy as np

    random = np.random.default_rng([seed, 1, row])
    forth = random.permuted(np.tile(np.arange(columns), (drawn, 1)), axis=1)
    return np.stack([forth, forth[:, ::-1]], axis=1)


def _joined(rows: pa.Table, background: pa.Table) -> pa.Table:
    import pyarrow as pa

    return pa.concat_tables([rows, background], promote_options="permissive").combine_chunks()


def _places(orders: Places, row: int, usual: Places) -> Places:
    """For each draw and each step between its ends, where the value of each column is taken from."""
    import numpy as np

    columns = orders.shape[2]
    rank = np.argsort(orders, axis=2)
    steps = np.arange(1, max(columns, 2))[None, None, :, None]
    taken_over = rank[:, :, None, :] < steps
    found: Places = np.where(taken_over, row, usual[:, None, None, None]).reshape(-1, columns)
    return found


def _mixed(table: pa.Table, places: Places) -> pa.Table:
    import pyarrow as pa

    taken = [column.take(pa.array(places[:, at])) for at, column in enumerate(table.columns)]
    return pa.Table.from_arrays(taken, schema=table.schema)


def _steps(orders: Places, middle: Values, said: float, base: Values) -> Values:
    """What each column changed, draw by draw."""
    import numpy as np

    drawn, _, columns = orders.shape
    answers = np.empty((drawn, 2, columns + 1))
    answers[:, :, 0] = base[:, None]
    answers[:, :, -1] = said
    if columns > 1:
        answers[:, :, 1:-1] = middle.reshape(drawn, 2, columns - 1)
    steps = np.empty((drawn, 2, columns))
    np.put_along_axis(steps, orders, np.diff(answers, axis=2), axis=2)
    found: Values = steps.mean(axis=1)
    return found


def _mean(steps: Values) -> tuple[Values, Values]:
    import numpy as np

    return steps.mean(axis=0), steps.std(axis=0, ddof=1) / np.sqrt(len(steps))


plugin: Explainer = Sampling()
