"""Writes runs that have ended already, many in one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from flyball.clock import parse_time
from flyball.errors import InvalidInput
from flyball.refs import Ref, check_name
from flyball.storage.database import Database
from flyball.tracking import _store, limits
from flyball.tracking._points import no_run
from flyball.tracking._run_rows import artifact_row, kept_error, new_row
from flyball.tracking.nouns import RunRecord

MOST_RECORDS = 1_000


def check(records: Sequence[RunRecord]) -> None:
    """Makes sure that there are not too many, and no two of one id.

    Raises:
        InvalidInput: there are.
    """
    limits.check_count(len(records), "runs", MOST_RECORDS)
    if len({record.id for record in records}) < len(records):
        raise InvalidInput("Two of the runs have the same id.")
    for record in records:
        check_name(record.id, "run")


def record(
    database: Database, connection: sa.Connection, records: Sequence[RunRecord], now: datetime
) -> list[RunRecord]:
    """Writes the rows of runs and of their artifacts; gives the records of those that were not there yet."""
    if not records:
        return []
    table = _store.runs
    named = sa.select(table.c.id, table.c.number)
    parents = {one.parent for one in records if one.parent} - {one.id for one in records}
    held = {one.id for one in records}
    found = dict(_pairs(connection, named.where(table.c.id.in_(sorted(parents | held)))))
    for parent in sorted(parents - found.keys()):
        raise no_run(parent)
    new = [one for one in records if one.id not in found]
    if not new:
        return []
    experiments = {
        name: _store.experiment_number(database, connection, name, now) for name in sorted({r.experiment for r in new})
    }
    beat = connection.execute(sa.select(database.dialect.now)).scalar_one()
    rows = [{**_row(one), "experiment": experiments[one.experiment], "heartbeat": beat} for one in new]
    connection.execute(database.insert(table).on_conflict_do_nothing(), rows)
    numbers = dict(_pairs(connection, named.where(table.c.id.in_([one.id for one in new]))))
    artifacts = [
        {"run": numbers[one.id], "created": now, **artifact_row(artifact)} for one in new for artifact in one.artifacts
    ]
    if artifacts:
        _store.write_artifacts(database, connection, artifacts)
    return new


def told(records: Iterable[RunRecord]) -> list[tuple[str, object, dict[str, Any]]]:
    """The events of runs that began and ended: kind, subject and facts of each."""
    found: list[tuple[str, object, dict[str, Any]]] = []
    for one in records:
        ref = Ref(kind="runs", name=one.id)
        found.append(("tracking.run_started", ref, {"experiment": one.experiment, "kind": one.kind, "attempt": 1}))
        found.append(("tracking.run_ended", ref, {"state": one.state, "error": kept_error(one.error)[:1000]}))
    return found


def _row(one: RunRecord) -> dict[str, Any]:
    row = new_row(
        id=one.id,
        experiment=one.experiment,
        name=one.name,
        kind=one.kind,
        parent=one.parent,
        code=one.code,
        environment=one.environment,
        user=one.user,
        started=parse_time(one.started),
    )
    return row | {"state": one.state, "ended": parse_time(one.ended), "error": kept_error(one.error)}


def _pairs(connection: sa.Connection, query: sa.Select[Any]) -> Iterable[tuple[str, int]]:
    return [(row[0], row[1]) for row in connection.execute(query)]
