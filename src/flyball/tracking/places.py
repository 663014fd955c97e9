"""Where runs belong and where their artifacts go: what stays the same for ever, and is cheap to ask for again and again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import sqlalchemy as sa

from flyball.storage.database import Database
from flyball.tracking import _store
from flyball.tracking._run_rows import inside
from flyball.tracking._statements import statement_text

_table = _store.experiments


@dataclass(frozen=True, slots=True, kw_only=True)
class ExperimentPlace:
    """An experiment's id, and where it says that its artifacts are; empty for the usual place."""

    id: str
    location: str


def place_of_run(database: Database, run: str) -> ExperimentPlace | None:
    """The place of a run's experiment; None if there is no such run."""
    query = sa.select(_table.c.number, _table.c.location).join(_store.runs, _store.runs.c.experiment == _table.c.number)
    row = database.row(query.where(_store.runs.c.id == run))
    return None if row is None else ExperimentPlace(id=str(row.number), location=row.location)


def file_of_run(database: Database, run: str, name: str) -> tuple[str, int] | None:
    """Digest and size of a run's artifact; None if there is none of that name."""
    row = database.driver_row(statement_text(database, "file"), (run, name))
    return None if row is None else (row[0], row[1])


def in_the_way(database: Database, name: str, *, run: str = "", folder: str = "") -> str:
    """A file or folder of the run, or of the folder of `Files`, because of which `name` cannot be a file; empty if none is."""
    above = [name[:place] for place, letter in enumerate(name) if letter == "/"]
    table, mine = _files_of(run, folder)
    within = inside(table.c.name, name, database.dialect.name)
    row = database.row(sa.select(table.c.name).where(mine, sa.or_(table.c.name.in_(above), within)).limit(1))
    return "" if row is None else str(row.name)


def names_with_escapes(database: Database, *, run: str = "", folder: str = "", limit: int = 1000) -> list[str]:
    """Names of files of the run, or of the folder of `Files`, that hold a percent sign."""
    table, mine = _files_of(run, folder)
    query = sa.select(table.c.name).where(mine, table.c.name.contains("%", autoescape=True))
    return [row.name for row in database.rows(query.order_by(table.c.name).limit(limit))]


def _files_of(run: str, folder: str) -> tuple[sa.Table, sa.ColumnElement[bool]]:
    """The table of artifacts or of other files, and which of its rows are meant."""
    if not run:
        return _store.files, _store.files.c.folder == folder
    number = sa.select(_store.runs.c.number).where(_store.runs.c.id == run).scalar_subquery()
    return _store.artifacts, _store.artifacts.c.run == number


def places_of(database: Database, experiments: Iterable[str]) -> dict[str, ExperimentPlace]:
    """The places of experiments by their ids; ids that are none are left out."""
    numbers = sorted({int(experiment) for experiment in experiments})
    rows = database.rows(sa.select(_table.c.number, _table.c.location).where(_table.c.number.in_(numbers)))
    return {str(row.number): ExperimentPlace(id=str(row.number), location=row.location) for row in rows}
