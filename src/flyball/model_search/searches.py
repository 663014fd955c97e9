"""Searches and their candidates, kept in the database, so that one that was killed goes on where it was."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import sqlalchemy as sa

from flyball.clock import Clock
from flyball.errors import Conflict, InvalidInput, NotFound, did_you_mean
from flyball.model_search import _store
from flyball.model_search.search import Candidate, Direction, Place, Result, Search, SearchState, Task, Wanted, in_order
from flyball.refs import Ref, check_name
from flyball.storage.database import Database
from flyball.storage.event_log import EventLog
from flyball.storage.objects import Blobs
from flyball.verbs import change, read

SILENT = timedelta(seconds=10)
"""After so long without a word, the process of a search is dead."""


class AutoMl:
    """Keeps searches and their candidates."""

    def __init__(self, database: Database, blobs: Blobs, events: EventLog, clock: Clock) -> None:
        self._database = database
        self._events = events
        self._clock = clock

    @change
    def start(self, name: str, wanted: Wanted, place: Place = "worker") -> Search:
        """Asks for a search, which a worker then does; gives the one of that name back where the same was asked before.

        One that was cancelled or failed is taken up again.

        Args:
            name: Name of the search.
            wanted: What is searched.
            place: `here` where the caller itself does the work.

        Raises:
            Conflict: there is one of that name that searches something else.
            InvalidInput: what is wanted cannot be.
        """
        check_name(name, "search")
        _check(wanted)
        with self._database.transaction() as connection:
            known = self._find(connection, name)
            if known is None:
                made = Search(name=name, wanted=wanted, state="queued", place=place, created=self._clock.now())
                row = {"name": name, "created": made.created, "state": "queued", "is_cancelled": False, "holder": ""}
                connection.execute(sa.insert(_store.searches).values(**row, search=made))
                self._tell(connection, "automl.search_started", made)
                return made
            if replace(known.wanted, budget=wanted.budget, jobs=wanted.jobs) != wanted:
                raise Conflict(
                    f"There is a search '{name}' already, which searches something else.",
                    hint="Give this one another name, or delete the other: flyball searches delete.",
                )
            more = wanted.budget > known.wanted.budget
            if known.state in ("cancelled", "failed") or (known.state == "finished" and more):
                again = replace(
                    known,
                    wanted=wanted,
                    state="queued",
                    place=place,
                    is_cancelled=False,
                    ended=None,
                    error="",
                    attempt=0,
                )
                self._write(connection, again, is_cancelled=False, holder="")
                self._tell(connection, "automl.search_started", again)
                return again
        return known

    @read
    def get(self, name: str) -> Search:
        """How a search stands.

        Raises:
            NotFound: there is none of that name.
        """
        with self._database.reading() as connection:
            found = self._find(connection, name)
        if found is None:
            names = [search.name for search in self.list(limit=1000)]
            raise NotFound(f"There is no search '{name}'.", hint=did_you_mean(name, names))
        return found

    @read
    def leaderboard(self, name: str, limit: int = 1000) -> list[Candidate]:
        """The candidates of a search, the best first; also while it runs.

        Raises:
            NotFound: there is no such search.
        """
        direction = self.get(name).direction
        table = _store.candidates
        query = sa.select(table.c.candidate).where(table.c.search == name).order_by(table.c.number)
        with self._database.reading() as connection:
            return in_order([*connection.execute(query).scalars()], direction)[:limit]

    @read
    def file(self, name: str) -> str:
        """The project file that makes the winner, as text.

        Raises:
            NotFound: there is no such search, or it has not finished.
        """
        found = self.get(name)
        if found.result is None or not found.result.file:
            raise NotFound(f"The search '{name}' has no winner yet: it is {found.state}.", hint=found.error)
        return found.result.file

    @change
    def cancel(self, name: str) -> Search:
        """Asks a search to stop; what its candidates have shown so far stays. Nothing happens if it has ended."""
        with self._database.transaction() as connection:
            found = self._held(connection, name)
            if found.state == "queued":
                found = replace(found, state="cancelled", is_cancelled=True, ended=self._clock.now())
                self._write(connection, found, is_cancelled=True)
            elif found.state == "running":
                found = replace(found, is_cancelled=True)
                self._write(connection, found, is_cancelled=True)
        return found

    @change
    def delete(self, name: str) -> None:
        """Removes a search with its candidates; runs and models stay.

        Raises:
            Conflict: it is running.
        """
        with self._database.transaction() as connection:
            if self._held(connection, name).state == "running":
                raise Conflict(f"The search '{name}' is running.", hint=f"flyball searches cancel {name}")
            connection.execute(sa.delete(_store.candidates).where(_store.candidates.c.search == name))
            connection.execute(sa.delete(_store.searches).where(_store.searches.c.name == name))

    @change
    def begin(self, name: str, holder: str) -> Search:
        """Takes a search over, to do its work.

        Args:
            holder: Name of the process, other than that of any other.

        Raises:
            Conflict: another process is at it, or it has ended.
        """
        with self._database.transaction() as connection:
            found = self._held(connection, name)
            now = self._clock.now()
            if found.state not in ("queued", "running"):
                raise Conflict(f"The search '{name}' has ended: it is {found.state}.")
            if found.state == "running" and now - found.beat < SILENT and self._holder(connection, name) != holder:
                raise Conflict(
                    f"The search '{name}' is under way in another process.",
                    hint="Wait for it, or cancel it: flyball searches cancel.",
                )
            begun = replace(found, state="running", attempt=found.attempt + 1, beat=now)
            self._write(connection, begun, holder=holder)
        return begun

    @change
    def describe(
        self, name: str, holder: str, task: Task, metric: str, direction: Direction, snapshot: str, rows: int, held: int,
        columns: int, notes: list[str],
    ) -> Search:  # fmt: skip
        """Writes down what is searched and on what."""
        with self._database.transaction() as connection:
            found = self._mine(connection, name, holder)
            told = replace(
                found, task=task, metric=metric, direction=direction, snapshot=snapshot, rows=rows, held=held,
                columns=columns, notes=tuple(notes),
            )  # fmt: skip
            self._write(connection, told)
        return told

    @change(audited=False)
    def beat(self, name: str, holder: str, spent: float) -> bool:
        """Says that the process is alive; gives whether it shall stop.

        Raises:
            Conflict: another process has taken over.
        """
        with self._database.transaction() as connection:
            found = self._mine(connection, name, holder)
            self._write(connection, replace(found, beat=self._clock.now(), spent=spent))
        return found.is_cancelled

    @change(audited=False)
    def put_candidate(self, candidate: Candidate, holder: str) -> Candidate:
        """Writes down how a candidate stands.

        Raises:
            Conflict: another process has taken over.
        """
        with self._database.transaction() as connection:
            found = self._mine(connection, candidate.search, holder)
            table = _store.candidates
            is_it = (table.c.search == candidate.search, table.c.number == candidate.number)
            done = connection.execute(sa.update(table).where(*is_it).values(candidate=candidate))
            count = found.candidates
            if not done.rowcount:
                connection.execute(
                    sa.insert(table).values(search=candidate.search, number=candidate.number, candidate=candidate)
                )
                count += 1
            best = found.best
            if candidate.score is not None and candidate.family != "baseline":
                choose = max if found.direction == "maximize" else min
                best = candidate.score if best is None else choose(best, candidate.score)
            self._write(connection, replace(found, candidates=count, best=best, beat=self._clock.now()))
        return candidate

    @change
    def finish(self, name: str, holder: str, spent: float, result: Result | None = None, error: str = "") -> Search:
        """Ends a search: with what came of it, or with why nothing did; without either it was cancelled."""
        with self._database.transaction() as connection:
            found = self._mine(connection, name, holder)
            state: SearchState = "failed" if error else "cancelled" if found.is_cancelled else "finished"
            ended = replace(
                found, state=state, result=result, error=error[:4000], spent=spent, ended=self._clock.now(),
                best=result.score if result is not None else found.best,
            )  # fmt: skip
            self._write(connection, ended, holder="")
            self._tell(connection, f"automl.search_{state}", ended)
        return ended

    @change
    def give_up(self, name: str, error: str) -> Search:
        """Ends a search whose process died too often."""
        with self._database.transaction() as connection:
            found = self._held(connection, name)
            if found.state in ("queued", "running"):
                found = replace(found, state="failed", error=error[:4000], ended=self._clock.now())
                self._write(connection, found, holder="")
                self._tell(connection, "automl.search_failed", found)
        return found

    @change
    def assign(self, name: str, job: str) -> Search:
        """Writes down which job of the executor does the search."""
        with self._database.transaction() as connection:
            found = replace(self._held(connection, name), job=job)
            self._write(connection, found)
        return found

    @read
    def list(self, limit: int = 100, after: str = "", state: str = "") -> list[Search]:
        """The searches by name, a page behind `after`; only those of a state, if one is given."""
        table = _store.searches
        query = sa.select(table.c.search, table.c.is_cancelled).where(table.c.name > after)
        if state:
            query = query.where(table.c.state == state)
        with self._database.reading() as connection:
            rows = connection.execute(query.order_by(table.c.name).limit(limit)).all()
        return [replace(row.search, is_cancelled=row.is_cancelled) for row in rows]

    def _find(self, connection: sa.Connection, name: str) -> Search | None:
        table = _store.searches
        query = sa.select(table.c.search, table.c.is_cancelled).where(table.c.name == name)
        row = connection.execute(query).one_or_none()
        return None if row is None else replace(row.search, is_cancelled=row.is_cancelled)

    def _held(self, connection: sa.Connection, name: str) -> Search:
        """The search; nobody else writes it until the transaction ends."""
        table = _store.searches
        connection.execute(sa.update(table).where(table.c.name == name).values(name=name))
        found = self._find(connection, name)
        if found is None:
            raise NotFound(f"There is no search '{name}'.")
        return found

    def _mine(self, connection: sa.Connection, name: str, holder: str) -> Search:
        found = self._held(connection, name)
        if self._holder(connection, name) != holder or found.state != "running":
            raise Conflict(f"The search '{name}' has ended, or another process does it now.")
        return found

    def _holder(self, connection: sa.Connection, name: str) -> str:
        table = _store.searches
        found: str = connection.execute(sa.select(table.c.holder).where(table.c.name == name)).scalar_one()
        return found

    def _write(self, connection: sa.Connection, search: Search, **columns: object) -> None:
        table = _store.searches
        values = {"state": search.state, "search": search, **columns}
        connection.execute(sa.update(table).where(table.c.name == search.name).values(**values))

    def _tell(self, connection: sa.Connection, kind: str, search: Search) -> None:
        facts = {"dataset": search.wanted.dataset, "label": search.wanted.label}
        self._events.append(connection, kind, Ref(kind="searches", name=search.name), **facts)


def _check(wanted: Wanted) -> None:
    check_name(wanted.dataset, "dataset")
    if not wanted.label:
        raise InvalidInput("It is not said which column shall be predicted.", hint="Name it: label='late'.")
    if not 1 <= wanted.budget <= 7 * 86400:
        raise InvalidInput(f"A search cannot take {wanted.budget:g} seconds.", hint="Give between 1 s and 7 days.")
    if wanted.horizon < 0 or wanted.jobs < 1:
        raise InvalidInput("A search looks 0 steps ahead or more, and tries 1 candidate at once or more.")
    if wanted.task == "forecasting" and not wanted.time:
        raise InvalidInput("A forecast needs a time.", hint="Name the column: time='day'.")
    if wanted.label in (wanted.time, *wanted.groups):
        raise InvalidInput(f"The label '{wanted.label}' cannot be the time or a group as well.")
