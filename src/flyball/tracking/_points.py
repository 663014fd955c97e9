"""How what runs log is written: many batches in one transaction, each checked by itself.

A batch that cannot be kept fails alone, so nothing is written before all of it is known to be good. The statements are
compiled once: to build one by SQLAlchemy costs more than to run it.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import sqlalchemy as sa

from flyball.errors import Conflict, FlyballError, InvalidInput, NotFound
from flyball.serialization import from_json, to_json
from flyball.storage.database import Database
from flyball.tracking import _store, limits
from flyball.tracking._chunks import FEWEST, Chunk, make_chunks, sort_points
from flyball.tracking.limits import ParamValue
from flyball.tracking.nouns import MetricPoint, Series

BEAT_EVERY = 1.0
"""A run that was heard of less than so many seconds ago is not noted again."""

RIPE = 2_048
"""So many points of one metric in rows of their own are worth making chunks of."""

Rows = list[tuple[Any, ...]]
Points = list[tuple[str, float | None, int, int]]
Tell = Callable[[sa.Connection, str], None]
_MOST_KEYS = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What is written for one run, all or none.

    Attributes:
        points: Key, value (None where undefined), step, and time in microseconds since 1970 UTC.
    """

    run: str
    points: Points = field(default_factory=list)
    params: dict[str, ParamValue] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    series: list[Series] = field(default_factory=list)


@dataclass(slots=True)
class _Group:
    """What several batches come to."""

    points: Rows = field(default_factory=list)
    chunks: Rows = field(default_factory=list)
    latest: dict[tuple[int, int], tuple[int, int, bool, float]] = field(default_factory=dict)
    loose: dict[tuple[int, int], int] = field(default_factory=dict)
    params: Rows = field(default_factory=list)
    tags: dict[tuple[int, str], str] = field(default_factory=dict)


class Writer:
    """Writes batches.

    Args:
        tell_found: Says in the transaction that a run which was lost has been heard of.
    """

    def __init__(self, database: Database, tell_found: Tell) -> None:
        self._database = database
        self._tell_found = tell_found
        self._statements = Statements(database)
        self._keys: dict[str, int] = {}
        self._lock = threading.Lock()
        self._loose: dict[tuple[int, int], int] = {}
        self._ripe: set[tuple[int, int]] = set()

    def write(self, connection: sa.Connection, batches: Sequence[Batch]) -> list[FlyballError | None]:
        """Writes the batches; says of each why it is not written, or None."""
        found: list[FlyballError | None] = [None] * len(batches)
        checked: list[tuple[int, Batch, Points, list[Series]]] = []
        names: set[str] = set()
        for place, batch in enumerate(batches):
            try:
                points, series = _checked(batch)
            except FlyballError as error:
                found[place] = error
                continue
            checked.append((place, batch, points, series))
            names.update([point[0] for point in points], [one.key for one in series])
        runs = self._runs(connection, {batch.run for _, batch, _, _ in checked})
        keys = self._key_numbers(connection, names)
        known = self._known_params(connection, runs, [batch for _, batch, _, _ in checked if batch.params])
        group = _Group()
        for place, batch, points, series in checked:
            number = runs[batch.run]
            if isinstance(number, FlyballError):
                found[place] = number
                continue
            try:
                _take_params(group, known, number, batch.params)
            except FlyballError as error:
                found[place] = error
                continue
            for key, value in batch.tags.items():
                group.tags[number, key] = value
            if points:
                _take_points(group, number, keys, points)
            for one in series:
                _take_series(group, number, keys[one.key], one)
        self._write(connection, group)
        return found

    @property
    def has_ripe(self) -> bool:
        """Whether some metric has many points in rows of their own."""
        return bool(self._ripe)

    def take_ripe(self, at_least: int = RIPE) -> list[tuple[int, int]]:
        """The runs and metrics that have so many points in rows of their own by now; they are forgotten here."""
        if not self._ripe:
            return []
        with self._lock:
            found = [pair for pair in self._ripe if self._loose.get(pair, 0) >= at_least]
            for pair in found:
                self._ripe.discard(pair)
                del self._loose[pair]
            return found

    def put_back(self, pair: tuple[int, int]) -> None:
        """Says that the points of a metric still stand in rows of their own."""
        with self._lock:
            self._loose[pair] = self._loose.get(pair, 0) + RIPE
            self._ripe.add(pair)

    def _write(self, connection: sa.Connection, group: _Group) -> None:
        run = self._statements.run
        run(connection, "points", group.points)
        run(connection, "chunks", group.chunks)
        latest = [
            (number, key, step, at, value if defined else None)
            for (number, key), (step, at, defined, value) in sorted(group.latest.items())
        ]
        run(connection, "latest", latest)
        run(connection, "params", sorted(group.params, key=lambda row: row[:2]))
        run(connection, "tags", sorted((number, key, value) for (number, key), value in group.tags.items()))
        if group.loose:
            self._count(group.loose)

    def _count(self, loose: dict[tuple[int, int], int]) -> None:
        with self._lock:
            if len(self._loose) > _MOST_KEYS:
                self._loose = {pair: self._loose[pair] for pair in self._ripe}
            for pair, count in loose.items():
                count += self._loose.get(pair, 0)
                self._loose[pair] = count
                if count >= RIPE:
                    self._ripe.add(pair)

    def _runs(self, connection: sa.Connection, ids: set[str]) -> dict[str, int | FlyballError]:
        """The row numbers of runs, locked and noted as heard of; or what is wrong with them."""
        found: dict[str, int | FlyballError] = {}
        # Sorted, so that two writers lock the same runs in the same order.
        for run in sorted(ids):
            row = self._statements.row(connection, "run", (run,)) if "\0" not in run else None
            if row is None:
                found[run] = no_run(run)
                continue
            number, state, deleted, silent = row
            if deleted is not None:
                found[run] = in_trash(run)
                continue
            found[run] = number
            if state == "lost":
                self._statements.run(connection, "found", [(number,)])
                self._tell_found(connection, run)
            elif silent >= BEAT_EVERY:
                self._statements.run(connection, "beat", [(number,)])
        return found

    def _key_numbers(self, connection: sa.Connection, names: set[str]) -> dict[str, int]:
        missing = names - self._keys.keys()
        if missing:
            kept, made = _store.key_numbers(self._database, connection, missing)
            if len(self._keys) > _MOST_KEYS:
                self._keys = {}
            # Only what was there before: what this transaction makes is gone again if it comes to nothing.
            self._keys |= kept
            if made:
                return {**{name: self._keys[name] for name in names - made.keys()}, **made}
        return self._keys

    def _known_params(
        self, connection: sa.Connection, runs: dict[str, int | FlyballError], batches: list[Batch]
    ) -> dict[tuple[int, str], str | None]:
        wanted: dict[int, set[str]] = {}
        for batch in batches:
            number = runs[batch.run]
            if not isinstance(number, FlyballError):
                wanted.setdefault(number, set()).update(batch.params)
        found: dict[tuple[int, str], str | None] = {}
        table = _store.params
        for number, names in wanted.items():
            if len(names) == 1:
                row = self._statements.row(connection, "param", (number, next(iter(names))))
                if row is not None:
                    found[number, row[0]] = row[1]
                continue
            value = sa.type_coerce(table.c.value, sa.Text).label("value")
            query = sa.select(table.c.key, value).where(table.c.run == number, table.c.key.in_(sorted(names)))
            found |= {(number, key): value for key, value in connection.execute(query)}
        return found


class Statements:
    """SQL that is compiled once for a database, and run on tuples."""

    def __init__(self, database: Database) -> None:
        self._texts = _texts(database.dialect.name)
        self._in_columns = database.dialect.name == "postgresql"
        self._error: type[Exception] = database.engine.dialect.loaded_dbapi.Error

    def run(self, connection: sa.Connection, name: str, rows: Rows) -> None:
        """Runs a statement for every row."""
        if not rows:
            return
        # By the driver's own connection: what SQLAlchemy does around a statement costs ten times the statement.
        driver: Any = connection.connection.driver_connection
        try:
            if self._in_columns and name in _INSERTED:
                # One statement for all rows: a round trip for each would cost more than all else.
                driver.execute(self._texts[name], [list(column) for column in zip(*rows, strict=True)])
            elif len(rows) == 1:
                driver.execute(self._texts[name], rows[0])
            else:
                driver.cursor().executemany(self._texts[name], rows)
        except self._error as error:
            raise self._wrapped(connection, name, error) from error

    def row(self, connection: sa.Connection, name: str, values: tuple[Any, ...]) -> Any:
        """The first row of a statement that selects."""
        driver: Any = connection.connection.driver_connection
        try:
            return driver.execute(self._texts[name], values).fetchone()
        except self._error as error:
            raise self._wrapped(connection, name, error) from error

    def _wrapped(self, connection: sa.Connection, name: str, error: Exception) -> BaseException:
        return sa.exc.DBAPIError.instance(self._texts[name], (), error, self._error, dialect=connection.dialect)


def no_run(run: str) -> NotFound:
    """Says that there is no such run."""
    return NotFound(f"There is no run '{run[:128]}'.", run=run[:128])


def in_trash(run: str) -> NotFound:
    """Says that a run lies in the trash."""
    return NotFound(f"Run '{run}' lies in the trash.", hint="Restore it first.", run=run)


def series_of(points: Sequence[MetricPoint]) -> list[Series]:
    """Points in columns, one series a metric."""
    found: dict[str, tuple[list[int], list[int], list[float | None]]] = {}
    for point in points:
        steps, times, values = found.setdefault(point.key, ([], [], []))
        steps.append(point.step)
        times.append(limits.to_micros(point.key, point.at))
        values.append(point.value)
    return [Series(key=key, steps=steps, times=times, values=values) for key, (steps, times, values) in found.items()]


def _checked(batch: Batch) -> tuple[Points, list[Series]]:
    """The points of a batch as they are kept: those that become rows as they are, and the others in columns.

    Raises:
        InvalidInput: something in it cannot be kept.
    """
    count = len(batch.points) + sum(len(series.steps) for series in batch.series)
    limits.check_count(count, "metric points", limits.MOST_POINTS)
    if batch.params:
        limits.check_params(batch.params)
    if batch.tags:
        limits.check_tags(batch.tags)
    points = batch.points
    if not points:
        return points, _checked_columns(batch.series)
    if _stay_rows(points):
        return points, _checked_columns(batch.series)
    columns: dict[str, tuple[list[int], list[int], list[float | None]]] = {}
    for key, value, step, micros in points:
        steps, times, values = columns.setdefault(key, ([], [], []))
        steps.append(step)
        times.append(micros)
        values.append(value)
    given = [Series(key=key, steps=s, times=t, values=v) for key, (s, t, v) in columns.items()]
    return [], _checked_columns([*batch.series, *given])


def _stay_rows(points: Points) -> bool:
    """Whether the points can be kept as they are, each in a row: nothing is odd about any, and of no metric there are many."""
    keys, values, steps, times = zip(*points, strict=True)
    if not limits.are_plain(steps, times, values):
        return False
    if len(points) >= FEWEST and max(Counter(keys).values()) >= FEWEST:
        return False
    for key in keys if len(keys) == 1 else set(keys):
        limits.check_key(key, "metric")
    return True


def _checked_columns(given: Sequence[Series]) -> list[Series]:
    return [_checked_series(series) for series in given if series.steps or series.times or series.values]


def _checked_series(series: Series) -> Series:
    key = limits.check_key(series.key, "metric")
    if not len(series.steps) == len(series.times) == len(series.values):
        sizes = f"{len(series.steps)} steps, {len(series.times)} times and {len(series.values)} values"
        raise InvalidInput(f"Metric '{key}' has {sizes}.", hint="Give equally many.")
    return Series(
        key=key,
        steps=limits.check_steps(key, series.steps),
        times=limits.check_times(key, series.times),
        values=limits.check_values(key, series.values),
    )


def _take_params(
    group: _Group, known: dict[tuple[int, str], str | None], number: int, given: dict[str, ParamValue]
) -> None:
    if not given:
        return
    params = limits.check_params(given)
    texts = {key: None if value is None else to_json(value).decode() for key, value in params.items()}
    for key, text in texts.items():
        # Compared as it is kept: there 1, 1.0, true and "1" are different.
        if (number, key) in known and known[number, key] != text:
            old = known[number, key]
            was: Any = None if old is None else from_json(old, Any)
            raise Conflict(
                f"Param '{key}' is {was!r} already and cannot become {params[key]!r}.",
                hint="Log a changing value as a metric, or start another run.",
                key=key,
            )
    for key, text in texts.items():
        if (number, key) not in known:
            known[number, key] = text
            group.params.append((number, key, text, _store.param_text(params[key])))


def _take_points(group: _Group, number: int, keys: dict[str, int], points: Points) -> None:
    rows, latest, loose = group.points, group.latest, group.loose
    for name, value, step, at in points:
        key = keys[name]
        pair = number, key
        newest = (step, at, True, value)
        if pair not in latest or newest > latest[pair]:
            latest[pair] = newest  # type: ignore[assignment]  # a value that is not defined is none of these
        loose[pair] = loose.get(pair, 0) + 1
        rows.append((number, key, step, at, value, 0))


def _take_series(group: _Group, number: int, key: int, series: Series) -> None:
    steps, times, values = series.steps, series.times, series.values
    last = max(steps)
    if steps.count(last) == 1:
        at = steps.index(last)
        value = values[at]
        newest = (last, times[at], value is not None, value or 0.0)
    else:
        points = zip(steps, times, values, strict=True)
        newest = max((step, at, value is not None, value or 0.0) for step, at, value in points if step == last)
    pair = number, key
    group.latest[pair] = max(newest, group.latest.get(pair, newest))
    if len(steps) < FEWEST:
        group.loose[pair] = group.loose.get(pair, 0) + len(steps)
        points = zip(steps, times, values, strict=True)
        group.points += [
            (number, key, step, at, value or 0.0, 0 if value is not None else 1) for step, at, value in points
        ]
    else:
        group.chunks += [chunk_row(number, key, chunk) for chunk in make_chunks(sort_points(steps, times, values))]


def chunk_row(run: int, key: int, chunk: Chunk) -> tuple[Any, ...]:
    """A chunk as a row of its table."""
    return (
        run,
        key,
        chunk.first_step,
        chunk.digest,
        chunk.last_step,
        chunk.first_at,
        chunk.last_at,
        chunk.count,
        chunk.undefined,
        chunk.low,
        chunk.high,
        chunk.ends,
        chunk.data,
    )


_INSERTED = ("points", "chunks", "latest", "params", "tags")


@lru_cache(maxsize=4)
def _texts(name: str) -> dict[str, str]:
    """The statements of one kind of database, with places for values where its driver wants them."""
    dialect: sa.Dialect
    if name == "postgresql":
        from sqlalchemy.dialects import postgresql

        dialect = postgresql.dialect(paramstyle="format")  # type: ignore[no-untyped-call]  # SQLAlchemy gives no types here
        from flyball.storage.postgres import Postgres as Kind
    else:
        from sqlalchemy.dialects import sqlite

        dialect = sqlite.dialect(paramstyle="qmark")
        from flyball.storage.sqlite import Sqlite as Kind  # type: ignore[assignment]  # one of the two
    kind = Kind()
    now: sa.ColumnElement[float] = sa.literal_column(_text(kind.now, dialect))
    runs, params = _store.runs, _store.params
    mine = runs.c.number == sa.bindparam("run")
    wanted = sa.select(runs.c.number, runs.c.state, runs.c.deleted, now - runs.c.heartbeat)
    statements: dict[str, Any] = {
        "run": wanted.where(runs.c.id == sa.bindparam("id")).with_for_update(),
        "beat": sa.update(runs).where(mine).values(heartbeat=now),
        "found": sa.update(runs)
        .where(mine)
        .values(heartbeat=now, state=sa.literal_column("'running'"), ended=sa.null()),
        "param": sa.select(params.c.key, params.c.value).where(
            params.c.run == sa.bindparam("number"), params.c.key == sa.bindparam("name")
        ),
    }
    texts = {key: _text(statement, dialect) for key, statement in statements.items()}
    return texts | {key: _text(_insert(kind, key, in_columns=name == "postgresql"), dialect) for key in _INSERTED}


def _text(statement: Any, dialect: sa.Dialect) -> str:
    literally = not isinstance(statement, sa.Select | sa.UpdateBase)
    return str(statement.compile(dialect=dialect, compile_kwargs={"literal_binds": literally}))


def _insert(kind: Any, name: str, *, in_columns: bool) -> Any:
    table: sa.Table = getattr(_store, name)
    columns = list(table.columns)
    insert = kind.insert(table)
    if in_columns:
        from sqlalchemy.dialects.postgresql import ARRAY

        places = [sa.func.unnest(sa.cast(sa.bindparam(one.name), ARRAY(one.type))) for one in columns]
        insert = insert.from_select([column.name for column in columns], sa.select(*places))
    if name == "tags":
        return insert.on_conflict_do_update(index_elements=["run", "key"], set_={"value": insert.excluded.value})
    if name != "latest":
        return insert.on_conflict_do_nothing()
    new, old = insert.excluded, table.c
    later = sa.or_(
        new.step > old.step,
        sa.and_(new.step == old.step, new.at > old.at),
        # The greater value of one moment, so that the order in which batches arrive does not count.
        sa.and_(new.step == old.step, new.at == old.at, sa.or_(old.value.is_(None), new.value > old.value)),
    )
    changed = {"step": new.step, "at": new.at, "value": new.value}
    return insert.on_conflict_do_update(index_elements=["run", "key"], set_=changed, where=later)
