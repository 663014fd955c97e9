"""What goes with experiments and logged models when they are removed for good."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from flyball.tracking import _logged_models_store, _store, _trace_store

_experiments, _runs, _models = _store.experiments, _store.runs, _logged_models_store.models
_OF_MODEL = (_logged_models_store.params, _logged_models_store.tags, _logged_models_store.metrics)
_OF_TRACE = (_trace_store.spans, _trace_store.tags, _trace_store.facts, _trace_store.assessments)
# These have what hangs on them, or go with their own kind.
_APART = frozenset({_runs.name, _models.name, _trace_store.traces.name, _trace_store.assessments.name})


def trashed(moment: datetime) -> sa.Select[tuple[int]]:
    """Numbers of experiments that lie in the trash since before a moment, with no run that must stay."""
    stays = sa.or_(_runs.c.deleted.is_(None), _runs.c.deleted >= moment)
    held = sa.select(_runs.c.number).where(_runs.c.experiment == _experiments.c.number, stays).exists()
    return sa.select(_experiments.c.number).where(_experiments.c.deleted < moment, ~held)


def set_aside(moment: datetime) -> sa.Select[tuple[int]]:
    """Numbers of logged models that were deleted before a moment, and of those in the experiments that go."""
    goes = _models.c.experiment.in_(trashed(moment))
    return sa.select(_models.c.number).where(sa.or_(_models.c.deleted < moment, goes))


def count(connection: sa.Connection, moment: datetime) -> tuple[list[Any], int, int]:
    """The experiments that go, number and name, and how many logged models and traces do."""
    rows = connection.execute(
        sa.select(_experiments.c.number, _experiments.c.name)
        .where(_experiments.c.number.in_(trashed(moment)))
        .order_by(_experiments.c.number)
    ).all()
    models = sa.select(sa.func.count()).select_from(set_aside(moment).subquery())
    traces = sa.select(sa.func.count()).where(_trace_store.traces.c.experiment.in_(trashed(moment)))
    return list(rows), int(connection.execute(models).scalar_one()), int(connection.execute(traces).scalar_one())


def rows_that_go(connection: sa.Connection, moment: datetime) -> dict[str, sa.ColumnElement[bool]]:
    """Which rows go, by table, as conditions on bare columns."""
    experiment, model, trace, folder = (
        sa.column(name, kind)
        for name, kind in (("experiment", sa.BigInteger), ("model", sa.BigInteger), ("trace", sa.BigInteger), ("folder", sa.String))
    )  # fmt: skip
    going, models = trashed(moment), set_aside(moment)
    traces = sa.select(_trace_store.traces.c.number).where(_trace_store.traces.c.experiment.in_(going))
    found: dict[str, sa.ColumnElement[bool]] = {name: experiment.in_(going) for name in _of_experiments(connection)}
    found |= {table.name: model.in_(models) for table in _OF_MODEL}
    found |= {table.name: trace.in_(traces) for table in _OF_TRACE}
    places = sa.select(_folder_of_model()).where(_models.c.number.in_(models))
    below = sa.select(_experiments.c.number).where(
        _experiments.c.number.in_(going), folder.like(sa.cast(_experiments.c.number, sa.String) + "/%")
    )
    number = sa.column("number", sa.BigInteger)
    found |= {_models.name: number.in_(models), _trace_store.traces.name: experiment.in_(going)}
    return found | {_store.files.name: sa.or_(folder.in_(places), below.exists())}


def remove_models(connection: sa.Connection, moment: datetime, most: int) -> int:
    """Removes some of the logged models that go, with their files; gives how many."""
    rows = connection.execute(
        sa.select(_models.c.number, _folder_of_model().label("folder"))
        .where(_models.c.number.in_(set_aside(moment)))
        .order_by(_models.c.number)
        .limit(most)
        .with_for_update()
    ).all()
    numbers = [row.number for row in rows]
    for table in _OF_MODEL:
        connection.execute(sa.delete(table).where(table.c.model.in_(numbers)))
    connection.execute(sa.delete(_store.files).where(_store.files.c.folder.in_([row.folder for row in rows])))
    connection.execute(sa.delete(_models).where(_models.c.number.in_(numbers)))
    return len(rows)


def remove_traces(connection: sa.Connection, moment: datetime, most: int) -> int:
    """Removes some of the traces of the experiments that go; gives how many."""
    traces = _trace_store.traces
    query = sa.select(traces.c.number, traces.c.id, traces.c.experiment).where(traces.c.experiment.in_(trashed(moment)))
    rows: Sequence[Any] = connection.execute(query.order_by(traces.c.number).limit(most)).all()
    _trace_store.delete_traces(connection, rows)
    return len(rows)


def remove(connection: sa.Connection, numbers: Sequence[int], moment: datetime) -> list[int]:
    """Removes experiments, empty by now, with their tags and files; gives those that were still in the trash."""
    locked = sa.select(_experiments.c.number).where(_experiments.c.number.in_(numbers), _experiments.c.deleted < moment)
    held = (
        sa.select(table.c.number).where(table.c.experiment == _experiments.c.number).exists()
        for table in (_runs, _models, _trace_store.traces)
    )
    gone = list(connection.execute(locked.where(*(~one for one in held)).with_for_update()).scalars())
    for name in _of_experiments(connection):
        table = sa.table(name, sa.column("experiment", sa.BigInteger))
        connection.execute(sa.delete(table).where(table.c.experiment.in_(gone)))
    for number in gone:
        connection.execute(sa.delete(_store.files).where(_store.files.c.folder.like(f"{number}/%")))
    connection.execute(sa.delete(_experiments).where(_experiments.c.number.in_(gone)))
    return gone


def _of_experiments(connection: sa.Connection) -> list[str]:
    """The tables whose rows belong to an experiment by its row number, whichever room they are of."""
    return [name for name in _store.tables_with(connection, "experiment") if name not in _APART]


def _folder_of_model() -> sa.ColumnElement[str]:
    return sa.cast(_models.c.experiment, sa.String) + "/models/" + _models.c.id
