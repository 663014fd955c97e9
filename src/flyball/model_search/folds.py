"""Which rows are learned from and which are judged on, so that nothing of the latter is known to the former.

With a time, candidates are judged on what came later than all they learned from. With groups, on groups that they have not
seen. Else by chance, classes in equal shares.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flyball.data.table import Table, as_moments
from flyball.errors import InvalidInput
from flyball.model_search.search import Task

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Places = npt.NDArray[np.int64]

HELD = 0.2
"""Share of the rows that the search never sees."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How rows are divided.

    Attributes:
        count: Of folds.
        horizon: In forecasting, how many moments are judged on.
    """

    task: Task
    time: str = ""
    groups: tuple[str, ...] = ()
    count: int = 5
    horizon: int = 1
    seed: int = 0


def hold_out(rows: Table, plan: Plan) -> tuple[Table, Table]:
    """The rows to search on, and those that judge what was found; a project file divides them the same way.

    Raises:
        InvalidInput: there are too few rows.
    """
    import numpy as np

    if len(rows) < 20:
        raise InvalidInput(f"{len(rows)} rows are too few to search on.", hint="Give 20 or more.")
    if plan.task == "forecasting":
        held = latest(rows, plan.time, plan.horizon)
    elif plan.time:
        held = newest(rows, plan.time, HELD)
    elif plan.groups:
        held = of_groups(rows, plan.groups, HELD, plan.seed)
    else:
        held = np.random.default_rng(plan.seed).random(len(rows)) < HELD
    if not held.any() or held.all():
        raise InvalidInput(
            "The rows cannot be divided: one side would be empty.", hint="Give more moments, or more groups."
        )
    return rows.filter(~held), rows.filter(held)


def newest(rows: Table, time: str, share: float) -> npt.NDArray[np.bool_]:
    """The newest share of the rows; rows of one moment stay together."""
    import numpy as np

    moments = _moments(rows, time)
    edge = np.sort(moments)[len(moments) - max(1, round(len(moments) * share))]
    found: npt.NDArray[np.bool_] = moments >= edge
    return found


def latest(rows: Table, time: str, horizon: int) -> npt.NDArray[np.bool_]:
    """The rows of the last so many moments."""
    import numpy as np

    moments = _moments(rows, time)
    distinct = np.unique(moments)
    if len(distinct) < 3 * horizon + 4:
        raise InvalidInput(
            f"{len(distinct)} moments are too few to forecast {horizon} ahead.",
            hint=f"Give {3 * horizon + 4} or more, or a smaller horizon.",
        )
    found: npt.NDArray[np.bool_] = moments >= distinct[-horizon]
    return found


def of_groups(rows: Table, groups: tuple[str, ...], share: float, seed: int) -> npt.NDArray[np.bool_]:
    """The rows of groups drawn by chance."""
    import numpy as np

    numbers = group_numbers(rows, groups)
    drawn = np.random.default_rng(seed).random(int(numbers.max()) + 1) < share
    found: npt.NDArray[np.bool_] = drawn[numbers]
    return found


def folds(rows: Table, truth: npt.NDArray[Any], plan: Plan) -> list[tuple[Places, Places]]:
    """Pairs of places: to learn from, and to judge on. The last one is the one that tells most where there is a time."""
    if plan.task == "forecasting":
        return _windows(rows, plan)
    if plan.time:
        return _later_and_later(rows, plan)
    import numpy as np
    from sklearn import model_selection as ways

    named: dict[str, Any] = {"n_splits": plan.count, "shuffle": True, "random_state": plan.seed}
    is_classes = plan.task == "classification"
    places = np.zeros(len(truth))
    if plan.groups:
        numbers = group_numbers(rows, plan.groups)
        if numbers.max() + 1 < plan.count:
            raise InvalidInput(
                f"There are {numbers.max() + 1} groups to learn from and judge on.", hint=f"There must be {plan.count}."
            )
        way = ways.StratifiedGroupKFold if is_classes else ways.GroupKFold
        return list(way(**named).split(places, truth, groups=numbers))
    way = ways.StratifiedKFold if is_classes else ways.KFold
    return list(way(**named).split(places, truth))


def sample(rows: Table, most: int, plan: Plan) -> Places:
    """The places of at most so many rows, in order: the latest ones where there is a time, whole groups, or any."""
    import numpy as np

    if len(rows) <= most:
        return np.arange(len(rows))
    if plan.time:
        return np.sort(np.argsort(_moments(rows, plan.time), kind="stable")[-most:])
    random = np.random.default_rng(plan.seed + 1)
    if plan.groups:
        numbers = group_numbers(rows, plan.groups)
        drawn = random.random(int(numbers.max()) + 1) < most / len(rows)
        found = np.flatnonzero(drawn[numbers])
        if len(found) > most // 2:
            return found
    return np.sort(random.choice(len(rows), most, replace=False))


def group_numbers(rows: Table, groups: tuple[str, ...]) -> Places:
    """A number for each row, equal where all the groups' columns are."""
    import numpy as np
    import pyarrow.compute as pc

    columns = [rows.column(name).cast("string").fill_null("").combine_chunks() for name in groups]
    joined = columns[0] if len(columns) == 1 else pc.binary_join_element_wise(*columns, " ")
    return pc.rank(joined, tiebreaker="dense").to_numpy().astype(np.int64) - 1  # type: ignore[no-any-return]  # Arrow has no types


def _later_and_later(rows: Table, plan: Plan) -> list[tuple[Places, Places]]:
    """Blocks of about as many rows, in order of time: each is judged by what learned from all before it."""
    import numpy as np

    moments = _moments(rows, plan.time)
    ordered = np.sort(moments)
    # The first half is only ever learned from: with less, candidates would be judged on what they never had a chance to learn.
    edges = [ordered[int(len(ordered) * (0.5 + 0.5 * place / plan.count))] for place in range(plan.count)]
    edges = [*np.unique(edges), None]
    found = []
    for low, high in itertools.pairwise(edges):
        judged = moments >= low if high is None else (moments >= low) & (moments < high)
        learned = moments < low
        if learned.any() and judged.any():
            found.append((np.flatnonzero(learned), np.flatnonzero(judged)))
    if not found:
        raise InvalidInput(f"The time '{plan.time}' is the same in nearly all rows.", hint="Give rows of more moments.")
    return found


def _windows(rows: Table, plan: Plan) -> list[tuple[Places, Places]]:
    """The last windows of as many moments as are forecast, each judged by what learned from all before it."""
    import numpy as np

    moments = _moments(rows, plan.time)
    distinct = np.unique(moments)
    count = max(1, min(plan.count, (len(distinct) - plan.horizon - 4) // plan.horizon))
    found = []
    for place in range(count, 0, -1):
        low = distinct[-place * plan.horizon]
        high = None if place == 1 else distinct[-(place - 1) * plan.horizon]
        judged = moments >= low if high is None else (moments >= low) & (moments < high)
        found.append((np.flatnonzero(moments < low), np.flatnonzero(judged)))
    return found


def _moments(rows: Table, time: str) -> npt.NDArray[np.int64]:
    import numpy as np

    column = rows.column(time)
    if column.null_count:
        raise InvalidInput(f"The time '{time}' is missing in {column.null_count:,} rows.", hint="Leave these rows out.")
    if str(column.type).startswith(("int", "uint")):
        found: npt.NDArray[np.int64] = column.to_numpy().astype(np.int64)
        return found
    return as_moments(column).cast("int64").to_numpy()  # type: ignore[no-any-return]  # Arrow has no types
