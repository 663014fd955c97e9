"""Studies and their trials, kept in the database, so that a search that was killed goes on."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import datetime

import sqlalchemy as sa

from flyball.clock import Clock
from flyball.errors import Conflict, InvalidInput, NotFound, did_you_mean
from flyball.refs import check_name
from flyball.serialization import JsonValue
from flyball.storage.database import Database
from flyball.storage.event_log import EventLog
from flyball.storage.objects import Blobs
from flyball.tuning import _store
from flyball.tuning.study import Report, Study, Trial, TrialState, best_of
from flyball.verbs import change, read

_MOST_REPORTS = 10_000


class Studies:
    """Keeps studies and trials."""

    def __init__(self, database: Database, blobs: Blobs, events: EventLog, clock: Clock) -> None:
        self._database = database
        self._events = events
        self._clock = clock

    @change
    def declare(self, study: Study) -> Study:
        """Begins a study, or gives the one of that name back to be gone on with.

        Raises:
            Conflict: there is one of that name that searches something else.
        """
        check_name(study.name, "study")
        if not study.space or not study.objectives:
            raise InvalidInput(f"Study '{study.name}' has nothing to search, or nothing to search for.")
        with self._database.transaction() as connection:
            found = connection.execute(
                sa.select(_store.studies.c.study).where(_store.studies.c.name == study.name)
            ).scalar_one_or_none()
            if found is None:
                begun = replace(study, created=self._clock.now())
                connection.execute(
                    sa.insert(_store.studies).values(name=study.name, created=begun.created, study=begun)
                )
                return begun
        known: Study = found
        for what in ("target", "objectives", "space", "fixed"):
            if getattr(known, what) != getattr(study, what):
                raise Conflict(
                    f"Study '{study.name}' is there already and has another {what.rstrip('s')}: {getattr(known, what)}.",
                    hint="Give this one another name, or delete the other: flyball studies delete.",
                )
        return known

    @read
    def get(self, name: str) -> Study:
        """The study of that name.

        Raises:
            NotFound: there is none.
        """
        row = self._database.row(sa.select(_store.studies.c.study).where(_store.studies.c.name == name))
        if row is None:
            names = [study.name for study in self.list(limit=1000)]
            raise NotFound(f"There is no study '{name}'.", hint=did_you_mean(name, names))
        study: Study = row.study
        return study

    @change(role="maintainer")
    def delete(self, name: str) -> None:
        """Removes a study with its trials; the runs stay."""
        self.get(name)
        with self._database.transaction() as connection:
            connection.execute(sa.delete(_store.trials).where(_store.trials.c.study == name))
            connection.execute(sa.delete(_store.studies).where(_store.studies.c.name == name))

    @change
    def begin_trial(self, study: str, params: dict[str, JsonValue], run: str = "") -> Trial:
        """Begins a trial of these params; its number follows that of the last one.

        Raises:
            NotFound: there is no such study.
            InvalidInput: a param is missing or outside of the study's space.
        """
        space = self.get(study).space
        if params.keys() != space.keys():
            raise InvalidInput(f"A trial of '{study}' has the params {', '.join(space)}, and no others.")
        for name, value in params.items():
            if not space[name].has(value):
                raise InvalidInput(f"'{name}' of a trial cannot be {value!r}.", hint=f"It is: {space[name]}.")
        table = _store.trials
        now = self._clock.now()
        with self._database.transaction() as connection:
            # The study's row is what writers wait for each other at.
            connection.execute(sa.update(_store.studies).where(_store.studies.c.name == study).values(name=study))
            last = connection.execute(sa.select(sa.func.max(table.c.number)).where(table.c.study == study)).scalar_one()
            number = 0 if last is None else last + 1
            row = {"study": study, "number": number, "state": "running", "run": run, "started": now, "ended": None}
            connection.execute(sa.insert(table).values(**row, params=params, values=[], reports=[], error=""))
        return Trial(study=study, number=number, state="running", params=params, started=now, run=run)

    @change
    def report(self, study: str, number: int, reports: list[Report]) -> None:
        """Writes down how a running trial stands; a step that was told before is not told again."""
        if any(not math.isfinite(report.value) for report in reports):
            raise InvalidInput("A trial cannot stand at a value that is no finite number.")
        with self._database.transaction() as connection:
            known = self._trial(connection, study, number)
            steps = {report.step for report in known.reports}
            new = [report for report in reports if report.step not in steps]
            kept = [*known.reports, *new][:_MOST_REPORTS]
            connection.execute(sa.update(_store.trials).where(*_is(study, number)).values(reports=kept))

    @change
    def end_trial(
        self, study: str, number: int, state: TrialState, values: list[float] | None = None, error: str = ""
    ) -> Trial:
        """Ends a trial. One that has ended stays as it is.

        Raises:
            InvalidInput: it has finished, and its values are not one finite number for each objective.
        """
        if state == "running":
            raise InvalidInput("A trial ends as finished, pruned or failed.")
        wanted = len(self.get(study).objectives)
        given = values or []
        if state == "finished" and (len(given) != wanted or not all(map(math.isfinite, given))):
            raise InvalidInput(f"A finished trial of '{study}' has {wanted} values, finite numbers; these are {given}.")
        with self._database.transaction() as connection:
            known = self._trial(connection, study, number)
            if known.state == "running":
                change = {"state": state, "values": given, "error": error[:4000], "ended": self._clock.now()}
                connection.execute(sa.update(_store.trials).where(*_is(study, number)).values(**change))
            return self._trial(connection, study, number)

    @read
    def trials(self, study: str, limit: int = 1000, after: int = -1) -> list[Trial]:
        """The trials of a study by number, a page behind `after`.

        Raises:
            NotFound: there is no such study.
        """
        self.get(study)
        table = _store.trials
        query = sa.select(table).where(table.c.study == study, table.c.number > after)
        with self._database.reading() as connection:
            return [_of(row) for row in connection.execute(query.order_by(table.c.number).limit(limit))]

    @read
    def best(self, study: str) -> list[Trial]:
        """The best trial; with several objectives all that no other beats in all of them. Empty before one has finished."""
        found, page = [], self.trials(study)
        while page:
            found += page
            page = self.trials(study, after=page[-1].number)
        return best_of(found, self.get(study).objectives)

    @read
    def list(self, limit: int = 100, after: str = "") -> list[Study]:
        """The studies by name, a page behind `after`."""
        table = _store.studies
        query = sa.select(table.c.study).where(table.c.name > after).order_by(table.c.name).limit(limit)
        with self._database.reading() as connection:
            return [*connection.execute(query).scalars()]

    def _trial(self, connection: sa.Connection, study: str, number: int) -> Trial:
        row = connection.execute(sa.select(_store.trials).where(*_is(study, number))).one_or_none()
        if row is None:
            raise NotFound(f"There is no trial {number} of study '{study}'.")
        return _of(row)


def _is(study: str, number: int) -> tuple[sa.ColumnElement[bool], ...]:
    return (_store.trials.c.study == study, _store.trials.c.number == number)


def _of(row: sa.Row[tuple[object, ...]]) -> Trial:
    ended: datetime | None = row.ended
    return Trial(
        study=row.study,
        number=row.number,
        state=row.state,
        params=row.params,
        started=row.started,
        ended=ended,
        values=tuple(row._mapping["values"]),
        run=row.run,
        reports=tuple(row.reports),
        error=row.error,
    )
