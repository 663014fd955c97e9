"""What a search stands on: its rows, divided and described, before anything is tried."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flyball.data.dataset import Dataset
from flyball.data.snapshot import load_snapshot, take_snapshot
from flyball.data.table import Table, as_moments
from flyball.errors import InvalidInput, NotFound
from flyball.model_search.columns import Columns, read_columns, task_of
from flyball.model_search.folds import Plan, hold_out
from flyball.model_search.judging import Judge, judge_for
from flyball.model_search.portfolio import Problem
from flyball.model_search.search import Search, Task, Wanted
from flyball.model_search.trial import truth_of, write_rows
from flyball.refs import Ref

if TYPE_CHECKING:
    import numpy.typing as npt

_UNEVEN = 0.2
_HORIZON_SHARE = 0.1
_MOST_HORIZON = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What a search stands on.

    Attributes:
        rows: Digest of the rows that are searched on. `held`: of those held out.
        count: How many rows there are in all. `held_count`: of these, held out.
        truth: The labels of the rows searched on, as the judge takes them.
        dataset: As it is declared, or would be.
        notes: What was found and done, in sentences.
    """

    dataset: Dataset
    snapshot: str
    rows: str
    held: str
    count: int
    held_count: int
    problem: Problem
    plan: Plan
    judge: Judge
    truth: npt.NDArray[Any]
    notes: tuple[str, ...]


def set_up(search: Search, services: Any) -> Setting:
    """Reads the rows, makes out the task, divides them and says what the columns are.

    Raises:
        NotFound: there is no such dataset.
        InvalidInput: a column is missing, or the label cannot be learned; the message says why.
    """
    wanted = search.wanted
    dataset = _dataset(wanted, services)
    table, snapshot = _read(search, dataset, services)
    rows, notes = _usable(table, dataset, wanted, services)
    task = task_of(rows, wanted.label, wanted.task)
    plan = _plan(rows, wanted, task)
    learned, held = hold_out(rows, plan)
    # Columns that name rows or series are no inputs of a table's model; a forecaster is given its own.
    without = (wanted.time, *wanted.groups) if task == "forecasting" or wanted.groups else (wanted.time,)
    columns = _columns(learned, wanted.label, without, may_be_none=task == "forecasting")
    if task == "forecasting" and columns.names:
        shown = ", ".join(columns.names[:8])
        notes.append(f"A forecast is made from {shown} too: they must be known for the moments that are forecast.")
    problem = _problem(learned, wanted, task, columns)
    truth = truth_of(learned, wanted.label)
    import numpy as np

    judge = judge_for(wanted.metric, task, tuple(np.unique(truth)) if problem.classes else ())
    plain = Table(learned.arrow, label=wanted.label)
    return Setting(
        dataset=dataset,
        snapshot=snapshot,
        rows=write_rows(plain, services.blobs),
        held=write_rows(held, services.blobs),
        count=len(rows),
        held_count=len(held),
        problem=problem,
        plan=plan,
        judge=judge,
        truth=judge.truth(truth),
        notes=(*notes, *columns.notes),
    )


def _dataset(wanted: Wanted, services: Any) -> Dataset:
    try:
        declared: Dataset = services.data.get(wanted.dataset)
    except NotFound:
        # A snapshot may be there of what nobody has declared.
        services.data.get_snapshot(wanted.dataset)
        declared = Dataset(name=wanted.dataset)
    from dataclasses import replace

    return replace(declared, label=wanted.label, time=wanted.time or declared.time)


def _read(search: Search, dataset: Dataset, services: Any) -> tuple[Table, str]:
    data = services.data
    if search.snapshot:  # taken up again: on the same rows
        taken = data.find_snapshot(search.snapshot)
    elif dataset.source and "://" not in dataset.source:
        taken = take_snapshot(data, services.blobs, dataset.name, root=services.source_root, cache=services.cache)
    else:
        taken = data.get_snapshot(dataset.name)
    ref = str(Ref(kind="snapshots", name=taken.dataset, version=taken.id))
    return Table(load_snapshot(services.blobs, taken)), ref


def _usable(table: Table, dataset: Dataset, wanted: Wanted, services: Any) -> tuple[Table, list[str]]:
    """The rows whose label is known by now, with their roles."""
    import pyarrow.compute as pc

    table.column(wanted.label)  # named with near names where it is not there
    for name in (wanted.time, *wanted.groups):
        if name:
            table.column(name)
    roles = {role: name for role, name in dataset.roles.items() if name in table.column_names}
    rows = Table(table.arrow, **{**roles, "label": wanted.label})
    found = rows.labelled()
    if not len(found):
        raise InvalidInput(f"The label '{wanted.label}' is missing in all rows.", hint="Is it the right column?")
    notes = []
    if len(found) < len(rows):
        notes.append(f"{len(rows) - len(found):,} of {len(rows):,} rows have no label and are left out.")
    now = services.clock.now()
    for name in (dataset.label_time, dataset.time):
        if name in found.column_names and not str(found.column(name).type).startswith(("int", "uint")):
            known = found.filter(pc.less_equal(as_moments(found.column(name)), now))
            if len(known) < len(found):
                notes.append(f"{len(found) - len(known):,} rows are left out: by '{name}' they are yet to come.")
            found = known
    if not len(found):
        raise InvalidInput(
            f"No row of '{dataset.name}' has the label '{wanted.label}'.", hint="Is it the right column?"
        )
    return found, notes


def _plan(rows: Table, wanted: Wanted, task: Task) -> Plan:
    count = 5 if len(rows) < 20_000 else 3
    horizon = wanted.horizon
    if task == "forecasting" and not horizon:
        moments = len(rows.column(wanted.time).unique())
        horizon = max(1, min(_MOST_HORIZON, round(_HORIZON_SHARE * moments)))
    time = wanted.time or (rows.time if not wanted.groups else "")
    return Plan(task=task, time=time, groups=wanted.groups, count=count, horizon=max(1, horizon), seed=wanted.seed)


def _columns(rows: Table, label: str, without: tuple[str, ...], *, may_be_none: bool) -> Columns:
    try:
        return read_columns(rows, label, without=without)
    except InvalidInput:
        if may_be_none:
            return Columns()
        raise


def _problem(rows: Table, wanted: Wanted, task: Task, columns: Columns) -> Problem:
    if task != "classification":
        season = 1
        if task == "forecasting":
            from flyball.model_search.forecasting import season_of, unit_of

            times = rows.select([wanted.time]).to_pandas()[wanted.time]
            season = season_of(unit_of(times), times.dtype.kind in "iu")
        return Problem(
            task=task, columns=columns, time=wanted.time, groups=wanted.groups, season=season, seed=wanted.seed
        )
    import numpy as np

    values, counts = np.unique(truth_of(rows, wanted.label), return_counts=True)
    plain = values.dtype.kind in "iu" and values.tolist() == list(range(len(values)))
    return Problem(
        task=task,
        columns=columns,
        classes=len(values),
        is_plain=plain,
        is_uneven=bool(counts.min() / counts.sum() < _UNEVEN / (len(values) - 1)),
        seed=wanted.seed,
    )
