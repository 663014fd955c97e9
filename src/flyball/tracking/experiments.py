"""Experiments: named groups of runs."""

from __future__ import annotations

from typing import Any, Literal

import sqlalchemy as sa

from flyball.clock import Clock
from flyball.errors import AlreadyExists, Conflict, NotFound
from flyball.refs import Ref
from flyball.storage.database import Database
from flyball.storage.event_log import EventLog
from flyball.storage.objects import Blobs
from flyball.tracking import _store, limits
from flyball.tracking._run_rows import check_experiment, experiments_of
from flyball.tracking.nouns import Experiment
from flyball.verbs import change, read

__all__ = ["Experiment", "Experiments"]

Deleted = Literal["active", "deleted", "all"]

_table = _store.experiments


class Experiments:
    """Keeps experiments. One of them, `Default`, is always there and has the id `0`."""

    def __init__(self, database: Database, blobs: Blobs, events: EventLog, clock: Clock) -> None:
        self._database = database
        self._events = events
        self._clock = clock

    @change
    def create(self, name: str, tags: dict[str, str] | None = None, location: str = "") -> Experiment:
        """Makes an experiment.

        Args:
            location: Where its artifacts are said to be; kept as it is and never opened.

        Raises:
            InvalidInput: the name, a tag or the location cannot be used.
            AlreadyExists: there is one of that name, maybe in the trash.
        """
        given = limits.check_tags(tags or {}, limits.EXPERIMENT_TAG_LENGTH)
        limits.check_text(location, "location", 2_000)
        row = {"name": check_experiment(name), "created": self._clock.now(), "location": location}
        row["updated"] = row["created"]
        if name == _store.DEFAULT:
            row["number"] = 0
        with self._database.transaction() as connection:
            insert = self._database.insert(_table).values(row).on_conflict_do_nothing().returning(_table.c.number)
            number = connection.execute(insert).scalar()
            if number is None:
                raise _taken(name)
            self._write_tags(connection, number, given)
            self._tell(connection, "experiment_created", number, name=name)
            return experiments_of(connection, _table.c.number == number)[0]

    @read
    def get(self, experiment: str) -> Experiment:
        """One experiment by its id, or by its name where there is none of that id; also one in the trash.

        Raises:
            NotFound: there is none.
        """
        if experiment in ("0", _store.DEFAULT):
            self._ensure_default()
        with self._database.reading() as connection:
            number = _store.find_experiment(connection, experiment).number
            return experiments_of(connection, _table.c.number == number)[0]

    @read
    def find(self, name: str) -> Experiment:
        """One experiment by its name alone, whatever it looks like; also one in the trash.

        Raises:
            NotFound: there is none.
        """
        if name == _store.DEFAULT:
            self._ensure_default()
        with self._database.reading() as connection:
            found = experiments_of(connection, _table.c.name == name)
        if not found:
            raise NotFound(f"There is no experiment '{name[:250]}'.", experiment=name[:250])
        return found[0]

    @read
    def list(self, limit: int = 100, after: str = "", deleted: Deleted = "active") -> list[Experiment]:
        """Experiments by name.

        Args:
            limit: At most this many, up to 1,000.
            after: Only names after this one.
            deleted: Whether those that lie in the trash are meant, the others, or all.
        """
        self._ensure_default()
        wanted = [_table.c.name > after]
        if deleted != "all":
            wanted.append(_table.c.deleted.is_(None) if deleted == "active" else _table.c.deleted.is_not(None))
        with self._database.reading() as connection:
            return experiments_of(connection, *wanted, limit=max(1, min(limit, 1000)))

    @change
    def rename(self, experiment: str, name: str) -> Experiment:
        """Gives an experiment another name; its id and its runs stay.

        Raises:
            NotFound: there is no such experiment.
            AlreadyExists: that name is taken.
            Conflict: the experiment lies in the trash, or is `Default`.
        """
        check_experiment(name)
        with self._database.transaction() as connection:
            row = self._active(connection, experiment)
            if row.name == name:
                return experiments_of(connection, _table.c.number == row.number)[0]
            if row.number == 0 or name == _store.DEFAULT:
                raise Conflict(f"The experiment '{_store.DEFAULT}' keeps its name, and no other takes it.")
            if connection.execute(sa.select(_table.c.number).where(_table.c.name == name)).first() is not None:
                raise _taken(name)
            self._update(connection, row.number, name=name)
            self._tell(connection, "experiment_renamed", row.number, name=name, former=row.name)
            return experiments_of(connection, _table.c.number == row.number)[0]

    @change
    def set_tags(self, experiment: str, tags: dict[str, str]) -> None:
        """Puts tags on an experiment; the last value of a key stays.

        Raises:
            NotFound: there is no such experiment.
            InvalidInput: a key or value cannot be used.
            Conflict: the experiment lies in the trash.
        """
        given = limits.check_tags(tags, limits.EXPERIMENT_TAG_LENGTH)
        with self._database.transaction() as connection:
            number = self._active(connection, experiment).number
            self._write_tags(connection, number, given)
            self._update(connection, number)

    @change
    def delete_tag(self, experiment: str, key: str) -> bool:
        """Takes a tag off an experiment; whether it had it.

        Raises:
            NotFound: there is no such experiment.
            Conflict: the experiment lies in the trash.
        """
        tags = _store.experiment_tags
        with self._database.transaction() as connection:
            number = self._active(connection, experiment).number
            gone = sa.delete(tags).where(tags.c.experiment == number, tags.c.key == key)
            self._update(connection, number)
            return bool(connection.execute(gone).rowcount)

    @change
    def delete(self, experiment: str) -> None:
        """Puts an experiment and all its runs into the trash.

        Raises:
            NotFound: there is no such experiment.
            Conflict: it lies there already.
        """
        with self._database.transaction() as connection:
            self._move(connection, self._active(connection, experiment), into_trash=True)

    @change
    def restore(self, experiment: str) -> Experiment:
        """Takes an experiment and all its runs out of the trash.

        Raises:
            NotFound: there is no such experiment.
            Conflict: it does not lie there.
        """
        with self._database.transaction() as connection:
            row = _store.find_experiment(connection, experiment, locked=True)
            if row.deleted is None:
                raise Conflict(f"The experiment '{row.name}' does not lie in the trash.", experiment=row.name)
            self._move(connection, row, into_trash=False)
            return experiments_of(connection, _table.c.number == row.number)[0]

    def _ensure_default(self) -> None:
        if self._database.row(sa.select(_table.c.number).where(_table.c.name == _store.DEFAULT)) is not None:
            return
        now = self._clock.now()
        row = {"number": 0, "name": _store.DEFAULT, "created": now, "updated": now}
        self._database.execute(self._database.insert(_table).values(row).on_conflict_do_nothing())

    def _active(self, connection: sa.Connection, experiment: str) -> sa.Row[Any]:
        row = _store.find_experiment(connection, experiment, locked=True)
        if row.deleted is not None:
            raise _store.in_trash(row.number)
        return row

    def _move(self, connection: sa.Connection, row: sa.Row[Any], *, into_trash: bool) -> None:
        runs, now = _store.runs, self._clock.now()
        self._update(connection, row.number, deleted=now if into_trash else None)
        mine = sa.update(runs).where(runs.c.experiment == row.number)
        if into_trash:
            connection.execute(mine.where(runs.c.deleted.is_(None)).values(deleted=now))
        else:
            connection.execute(mine.values(deleted=None))
        self._tell(connection, "experiment_deleted" if into_trash else "experiment_restored", row.number, name=row.name)

    def _update(self, connection: sa.Connection, number: int, **values: Any) -> None:
        changed = sa.update(_table).where(_table.c.number == number).values(updated=self._clock.now(), **values)
        connection.execute(changed)

    def _write_tags(self, connection: sa.Connection, number: int, tags: dict[str, str]) -> None:
        if not tags:
            return
        insert = self._database.insert(_store.experiment_tags)
        insert = insert.on_conflict_do_update(
            index_elements=["experiment", "key"], set_={"value": insert.excluded.value}
        )
        rows = [{"experiment": number, "key": key, "value": value} for key, value in sorted(tags.items())]
        connection.execute(insert, rows)

    def _tell(self, connection: sa.Connection, what: str, number: int, **facts: Any) -> None:
        self._events.append(connection, f"tracking.{what}", Ref(kind="experiments", name=str(number)), **facts)


def _taken(name: str) -> AlreadyExists:
    return AlreadyExists(f"Experiment '{name[:250]}' already exists.", experiment=name[:250])
