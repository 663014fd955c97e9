"""How what runs log is written: many batches in one transaction, each checked by itself.

A batch that cannot be kept fails alone, so nothing is written before all of it is known to be good.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import repeat
from typing import Any

import sqlalchemy as sa

from flyball.errors import Conflict, FlyballError, InvalidInput, NotFound
from flyball.serialization import from_json, to_json
from flyball.storage.database import Database
from flyball.tracking import _store, limits
from flyball.tracking._chunks import FEWEST, Chunk, make_chunks, sort_points
from flyball.tracking._sheets import make_sheet
from flyball.tracking._statements import Rows, Statements
from flyball.tracking.limits import ParamValue
from flyball.tracking.nouns import MetricPoint, Series

BEAT_EVERY = 1.0
"""A run that was heard of less than so many seconds ago is not noted again."""

RIPE = 2_048
"""So many points of one metric in rows of their own are worth making chunks of."""

_SHEETS = 64
"""So many sheets of a run are worth making chunks of."""

Ripe = tuple[int, int | None]
"""A run and a metric of which chunks can be made; no metric stands for the sheets of the run."""

ArtifactRow = tuple[str, str, int, str, int]
Points = list[tuple[str, float | None, int, int]]
Tell = Callable[[sa.Connection, str], None]
_MOST_KEYS = 100_000
_NAN = float("nan")


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What is written for one run, all or none.

    Attributes:
        points: Key, value (None where undefined), step, and time in microseconds since 1970 UTC.
        artifacts: Name, digest, size, kind, and time in microseconds since 1970 UTC, as `artifact_row` has checked them. One
            of the same name is replaced; a name that is a folder of others is refused.
    """

    run: str
    points: Points = field(default_factory=list)
    params: dict[str, ParamValue] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    series: list[Series] = field(default_factory=list)
    artifacts: list[ArtifactRow] = field(default_factory=list)


@dataclass(slots=True)
class _Group:
    """What several batches come to."""

    points: Rows = field(default_factory=list)
    chunks: Rows = field(default_factory=list)
    sheets: Rows = field(default_factory=list)
    latest: dict[tuple[int, int], tuple[int, int, bool, float]] = field(default_factory=dict)
    latest_of_sheets: list[Rows] = field(default_factory=list)
    loose: dict[Ripe, int] = field(default_factory=dict)
    params: Rows = field(default_factory=list)
    tags: dict[tuple[int, str], str] = field(default_factory=dict)
    artifacts: dict[tuple[int, str], ArtifactRow] = field(default_factory=dict)
    folders: set[tuple[int, str]] = field(default_factory=set)


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
        self._loose: dict[Ripe, int] = {}
        self._ripe: set[Ripe] = set()

    def write(self, connection: sa.Connection, batches: Sequence[Batch]) -> list[FlyballError | None]:
        """Writes the batches; says of each why it is not written, or None."""
        found: list[FlyballError | None] = [None] * len(batches)
        checked: list[tuple[int, Batch, Points, list[Series]]] = []
        names: set[str] = set()
        for place, batch in enumerate(batches):
            try:
                points, series = _checked(batch, self._keys)
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
                if batch.artifacts:
                    self._check_ways(connection, group, number, batch.artifacts)
                _take_params(group, known, number, batch.params)
            except FlyballError as error:
                found[place] = error
                continue
            for key, value in batch.tags.items():
                group.tags[number, key] = value
            for row in batch.artifacts:
                group.artifacts[number, row[0]] = row
                group.folders.update((number, folder) for folder in _above(row[0]))
            if len(points) >= FEWEST:
                _take_sheet(group, number, keys, points)
            else:
                _take_points(group, number, keys, points)
            _take_columns(group, number, keys, series)
        self._write(connection, group)
        return found

    @property
    def has_ripe(self) -> bool:
        """Whether some metric has many points in rows of their own."""
        return bool(self._ripe)

    def take_ripe(self, at_least: int = RIPE) -> list[Ripe]:
        """The runs and metrics that have so many points in rows of their own by now; they are forgotten here."""
        if not self._ripe:
            return []
        with self._lock:
            found = [pair for pair in self._ripe if self._loose.get(pair, 0) >= at_least]
            for pair in found:
                self._ripe.discard(pair)
                del self._loose[pair]
            return found

    def put_back(self, pair: Ripe) -> None:
        """Says that the points of a metric still stand in rows of their own."""
        with self._lock:
            self._loose[pair] = self._loose.get(pair, 0) + RIPE
            self._ripe.add(pair)

    def _write(self, connection: sa.Connection, group: _Group) -> None:
        run = self._statements.run
        run(connection, "points", group.points)
        run(connection, "chunks", group.chunks)
        run(connection, "sheets", group.sheets)
        latest = [
            (number, key, step, at, value if defined else None)
            for (number, key), (step, at, defined, value) in sorted(group.latest.items())
        ]
        run(connection, "latest", latest)
        for rows in group.latest_of_sheets:  # one by one: a statement may not touch a row twice
            run(connection, "latest", rows)
        run(connection, "params", sorted(group.params, key=lambda row: row[:2]))
        run(connection, "tags", sorted((number, key, value) for (number, key), value in group.tags.items()))
        if group.artifacts:
            run(connection, "artifacts", sorted((number, *row) for (number, _), row in group.artifacts.items()))
        if group.loose:
            self._count(group.loose)

    def _count(self, loose: dict[Ripe, int]) -> None:
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

    def _check_ways(
        self, connection: sa.Connection, group: _Group, number: int, artifacts: Sequence[ArtifactRow]
    ) -> None:
        """Makes sure that no file is a folder of others as well: nobody could fetch both."""
        row, given = self._statements.row, {name for name, *_ in artifacts}
        for name, *_ in artifacts:
            for folder in _above(name):
                if (
                    folder in given
                    or (number, folder) in group.artifacts
                    or row(connection, "artifact", (number, folder))
                ):
                    raise Conflict(f"There is a file '{folder[:300]}' already.")
            inside = (number, f"{name}/", f"{name}0")  # what follows the slash in the order of bytes
            if (number, name) in group.folders or row(connection, "inside", inside):
                raise Conflict(f"There is a folder '{name[:300]}' already.")

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


def _checked(batch: Batch, known: Collection[str]) -> tuple[Points, list[Series]]:
    """The points of a batch as they are kept: those of which nothing is to be changed, and the others in columns.

    Args:
        known: Names of metrics that are known to be right.

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
    if _are_right(points, known):
        return points, _checked_columns(batch.series)
    columns: dict[str, tuple[list[int], list[int], list[float | None]]] = {}
    for key, value, step, micros in points:
        steps, times, values = columns.setdefault(key, ([], [], []))
        steps.append(step)
        times.append(micros)
        values.append(value)
    given = [Series(key=key, steps=s, times=t, values=v) for key, (s, t, v) in columns.items()]
    return [], _checked_columns([*batch.series, *given])


def _are_right(points: Points, known: Collection[str]) -> bool:
    """Whether the points can be kept as they are: nothing is odd about any, and of no metric there are many."""
    keys, values, steps, times = zip(*points, strict=True)
    if not limits.are_plain(steps, times, values):
        return False
    names = set(keys)
    if len(points) - len(names) >= FEWEST - 1 and max(Counter(keys).values()) >= FEWEST:
        return False
    for key in names:
        if key not in known:
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


def _above(name: str) -> list[str]:
    """The folders that a name stands in."""
    return [name[:place] for place, letter in enumerate(name) if letter == "/"]


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


def _take_sheet(group: _Group, number: int, keys: dict[str, int], points: Points) -> None:
    names, values, steps, times = zip(*points, strict=True)
    numbers = [keys[name] for name in names]
    group.sheets.append(make_sheet(number, numbers, steps, times, values))
    group.loose[number, None] = group.loose.get((number, None), 0) + RIPE // _SHEETS
    rows = list(zip(repeat(number), numbers, steps, times, values, strict=False))
    if len(set(numbers)) < len(numbers):
        # One row a metric, the last of its points: later ones replace earlier ones.
        rows = list({row[1]: row for row in sorted(rows)}.values())
    group.latest_of_sheets.append(rows)


def _take_columns(group: _Group, number: int, keys: dict[str, int], given: Sequence[Series]) -> None:
    few: list[Series] = []
    for series in given:
        key = keys[series.key]
        newest = _newest(series)
        group.latest[number, key] = max(newest, group.latest.get((number, key), newest))
        if len(series.steps) < FEWEST:
            few.append(series)
        else:
            chunks = make_chunks(sort_points(series.steps, series.times, series.values))
            group.chunks += [chunk_row(number, key, chunk) for chunk in chunks]
    if sum(len(series.steps) for series in few) >= FEWEST:
        points = [(keys[one.key], *point) for one in few for point in _points_of(one)]
        numbers, steps, times, values = zip(*points, strict=True)
        known = [_NAN if value is None else value for value in values]
        group.sheets.append(make_sheet(number, numbers, steps, times, known))
        group.loose[number, None] = group.loose.get((number, None), 0) + RIPE // _SHEETS
        return
    for one in few:
        key = keys[one.key]
        group.loose[number, key] = group.loose.get((number, key), 0) + len(one.steps)
        group.points += [
            (number, key, step, at, value or 0.0, 0 if value is not None else 1) for step, at, value in _points_of(one)
        ]


def _points_of(series: Series) -> Iterator[tuple[int, int, float | None]]:
    return zip(series.steps, series.times, series.values, strict=True)


def _newest(series: Series) -> tuple[int, int, bool, float]:
    steps, times, values = series.steps, series.times, series.values
    last = max(steps)
    if steps.count(last) == 1:
        at = steps.index(last)
        value = values[at]
        return last, times[at], value is not None, value or 0.0
    return max((step, at, value is not None, value or 0.0) for step, at, value in _points_of(series) if step == last)


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
