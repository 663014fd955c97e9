"""Scorers: what judges the answers of an application, kept version by version so that all judge alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from flyball.clock import Clock
from flyball.errors import NotFound
from flyball.refs import new_id
from flyball.storage.database import Database
from flyball.storage.event_log import EventLog
from flyball.storage.objects import Blobs
from flyball.tracking import _scorer_store, limits
from flyball.tracking._store import find_experiment
from flyball.verbs import change, read

LONGEST = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Scorer:
    """One version of a scorer.

    Attributes:
        id: That of the scorer, the same for all its versions.
        experiment: Id of the experiment that it belongs to.
        definition: How it judges, as JSON of whoever made it; it is kept and never run here.
    """

    id: str
    experiment: str
    name: str
    version: int
    definition: str
    created: datetime


class Scorers:
    """Keeps scorers."""

    def __init__(self, database: Database, blobs: Blobs, events: EventLog, clock: Clock) -> None:
        self._database = database
        self._blobs = blobs
        self._events = events
        self._clock = clock

    @change
    def register(self, experiment: str, name: str, definition: str) -> Scorer:
        """Keeps the next version of a scorer.

        Args:
            experiment: Its id or name.

        Raises:
            NotFound: there is no such experiment.
            InvalidInput: the name or definition cannot be kept.
        """
        table = _scorer_store.scorers
        row: dict[str, Any] = {
            "name": limits.check_key(name, "scorer"),
            "definition": limits.check_text(definition, "definition", LONGEST),
            "created": self._clock.now(),
        }
        with self._database.transaction() as connection:
            # The lock on the experiment lets one version follow the other.
            number = find_experiment(connection, experiment, locked=True).number
            query = sa.select(table).where(table.c.experiment == number, table.c.name == name)
            last = connection.execute(query.order_by(table.c.version.desc()).limit(1)).first()
            row |= {
                "experiment": number,
                "version": last.version + 1 if last else 1,
                "id": last.id if last else new_id(),
            }
            connection.execute(sa.insert(table).values(**row))
        return Scorer(**{**row, "experiment": str(number)})

    @change
    def delete(self, experiment: str, name: str, version: int | None = None) -> None:
        """Removes a version of a scorer, or all of them.

        Raises:
            NotFound: there is none such.
        """
        table = _scorer_store.scorers
        with self._database.transaction() as connection:
            number = find_experiment(connection, experiment).number
            mine = sa.and_(table.c.experiment == number, table.c.name == name)
            mine = mine if version is None else sa.and_(mine, table.c.version == version)
            if not connection.execute(sa.delete(table).where(mine)).rowcount:
                raise _no_scorer(experiment, name, version)

    @read
    def get(self, experiment: str, name: str, version: int | None = None) -> Scorer:
        """One version of a scorer; the latest by default.

        Raises:
            NotFound: there is none such.
        """
        found = [one for one in self.versions(experiment, name) if version in (None, one.version)]
        if not found:
            raise _no_scorer(experiment, name, version)
        return found[-1]

    @read
    def versions(self, experiment: str, name: str) -> list[Scorer]:
        """Every version of a scorer, the latest last.

        Raises:
            NotFound: there is none such.
        """
        table = _scorer_store.scorers
        found = _read(self._database, [experiment], table.c.name == name)
        if not found:
            raise _no_scorer(experiment, name, None)
        return found

    @read
    def list(self, experiments: list[str]) -> list[Scorer]:
        """The latest version of each scorer of some experiments, by name.

        Args:
            experiments: Their ids or names.

        Raises:
            NotFound: there is no such experiment.
        """
        latest = {(one.experiment, one.name): one for one in _read(self._database, experiments, sa.true())}
        return sorted(latest.values(), key=lambda one: (one.name, one.experiment))


def _read(database: Database, experiments: Sequence[str], wanted: sa.ColumnElement[bool]) -> list[Scorer]:
    table = _scorer_store.scorers
    with database.reading() as connection:
        numbers = [find_experiment(connection, experiment).number for experiment in experiments]
        query = sa.select(table).where(table.c.experiment.in_(numbers), wanted)
        rows = connection.execute(query.order_by(table.c.experiment, table.c.name, table.c.version)).all()
    return [
        Scorer(
            id=row.id,
            experiment=str(row.experiment),
            name=row.name,
            version=row.version,
            definition=row.definition,
            created=row.created,
        )
        for row in rows
    ]


def _no_scorer(experiment: str, name: str, version: int | None) -> NotFound:
    which = "" if version is None else f" and version {version}"
    return NotFound(f"Scorer with name '{name[:250]}'{which} not found for experiment {experiment[:250]}.")
