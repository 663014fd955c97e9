"""Finding runs and experiments, and seeing many of them at once: groups, pivots, leaderboards, comparisons."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa

from flyball.clock import Clock
from flyball.errors import InvalidInput, NotFound, did_you_mean
from flyball.lineage import Lineage
from flyball.serialization import canonical_json, digest, from_json
from flyball.storage.database import Database
from flyball.storage.event_log import EventLog
from flyball.storage.objects import Blobs
from flyball.tracking import _search_store, _store, limits
from flyball.tracking._points import no_run
from flyball.tracking._run_rows import experiments_of, runs_of
from flyball.tracking.compare import RunComparison, compare_runs, is_better_when_less
from flyball.tracking.filters import Order, parse_filter, parse_order
from flyball.tracking.found import (
    Cell,
    ExperimentPage,
    Leaderboard,
    Pivot,
    RunColumns,
    RunGroup,
    RunGroups,
    RunPage,
    Standing,
)
from flyball.tracking.inputs import RunInputs
from flyball.tracking.nouns import Experiment, Run
from flyball.tracking.plain_runs import PlainRun, read_runs
from flyball.tracking.run_fields import EXPERIMENT_FIELDS, RUN_FIELDS
from flyball.verbs import read

Deleted = Literal["active", "deleted", "all"]
Direction = Literal["auto", "max", "min"]

MOST_RUNS = 50_000
MOST_GROUPS = 10_000
MOST_COMPARED = 50
_AT_ONCE = 500
_LOOKED_AT = 20_000
_FUNCTIONS = {"min": sa.func.min, "max": sa.func.max, "mean": sa.func.avg, "sum": sa.func.sum, "count": sa.func.count}
_AGGREGATE = re.compile(r"(?P<function>[a-z]+)\((?P<name>.{1,600})\)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a search for runs asks for, as `RunSearch.search` says."""

    filter: str
    experiments: list[str]
    order_by: list[str]
    limit: int
    page_token: str
    deleted: Deleted
    native: bool


@dataclass(frozen=True, slots=True)
class _Found:
    """A page of row numbers."""

    query: _search_store.RunQuery
    numbers: list[int]
    token: str


class RunSearch:
    """Finds runs and experiments."""

    def __init__(self, database: Database, blobs: Blobs, events: EventLog, clock: Clock) -> None:
        self._database = database
        self._blobs = blobs
        self._lineage = Lineage(database, events, clock)
        self._inputs = RunInputs(database, blobs, events, clock)

    @read
    def search(
        self,
        filter: str = "",
        experiments: list[str] | None = None,
        order_by: list[str] | None = None,
        limit: int = 1000,
        page_token: str = "",
        deleted: Deleted = "active",
        native: bool = True,
        total: bool = False,
    ) -> RunPage:
        """The runs that fit a filter, in pages.

        Args:
            filter: Such as `params.depth = '5' AND metrics.accuracy > 0.9`; empty for all.
            experiments: Names or ids; empty for all.
            order_by: Such as `metrics.accuracy DESC`; by default the newest come first.
            limit: At most this many, up to 50,000.
            page_token: What the page before gave.
            deleted: Whether those in the trash are wanted.
            native: Without it, the filter is in MLflow's language, and params are ordered as texts.
            total: Whether to count all that fit.

        Raises:
            InvalidInput: the filter, an order or the page token is not understood.
            NotFound: there is no experiment of that name.
        """
        asked = _Asked(filter, experiments or [], order_by or [], limit, page_token, deleted, native)
        with self._database.reading() as connection:
            found = self._find(connection, asked)
            count = connection.execute(found.query.select(sa.func.count())).scalar_one() if total else None
            runs = _nouns(connection, found.numbers)
        return RunPage(runs=runs, next_page_token=found.token, total=count)

    def search_plainly(
        self,
        filter: str,
        experiments: list[str],
        order_by: list[str],
        limit: int,
        page_token: str,
        deleted: Deleted = "active",
    ) -> tuple[list[PlainRun], str]:
        """The runs that fit a filter in MLflow's language, as they are kept, and the token of the next page.

        Raises:
            InvalidInput: the filter, an order or the page token is not understood.
        """
        asked = _Asked(filter, experiments, order_by, limit, page_token, deleted, native=False)
        with self._database.reading() as connection:
            found = self._find(connection, asked)
            return read_runs(connection, found.numbers), found.token

    @read
    def search_experiments(
        self,
        filter: str = "",
        order_by: list[str] | None = None,
        limit: int = 1000,
        page_token: str = "",
        deleted: Deleted = "active",
        native: bool = True,
    ) -> ExperimentPage:
        """The experiments that fit a filter, in pages.

        Args:
            filter: Such as `name LIKE 'churn%' AND tags.team = 'red'`; empty for all.
            order_by: Such as `name`, `last_update_time DESC`; by default the newest come first.
            limit: At most this many, up to 50,000.
            page_token: What the page before gave.
            deleted: Whether those in the trash are wanted.
            native: Without it, the filter is in MLflow's language.

        Raises:
            InvalidInput: the filter, an order or the page token is not understood.
        """
        node = parse_filter(filter, EXPERIMENT_FIELDS, native=native)
        orders = parse_order(order_by or [], EXPERIMENT_FIELDS)
        limit = _checked_limit(limit, MOST_RUNS)
        asked = [filter, order_by or [], deleted, native]
        after = _after(page_token, asked)
        wanted = _deleted(_store.experiments, deleted)
        with self._database.reading() as connection:
            rows = _search_store.experiment_page(connection, node, orders, wanted, limit + 1, after)
            found = _experiment_nouns(connection, [number for number, _ in rows[:limit]])
        token = _token(rows[limit - 1][1], asked) if len(rows) > limit else ""
        return ExperimentPage(experiments=found, next_page_token=token)

    def ids(self, filter: str = "", experiments: list[str] | None = None, deleted: Deleted = "active") -> list[str]:
        """The ids of all runs that fit, the newest first, at most 50,000.

        Raises:
            InvalidInput: the filter is not understood, or more runs fit.
            NotFound: there is no experiment of that name.
        """
        node = parse_filter(filter, RUN_FIELDS)
        with self._database.reading() as connection:
            wanted = [*_deleted(_store.runs, deleted), *self._in_experiments(connection, experiments or [])]
            query = _search_store.RunQuery(connection, node, (), wanted)
            rows = query.page(MOST_RUNS + 1, None)
            if len(rows) > MOST_RUNS:
                raise InvalidInput(f"More than {MOST_RUNS:,} runs fit.", hint="Ask in parts.")
            return _ids(connection, [number for number, _ in rows])

    @read
    def columns(self, experiments: list[str] | None = None, deleted: Deleted = "active") -> RunColumns:
        """The params, metrics and tags that the newest runs have.

        Args:
            experiments: Names or ids; empty for all.

        Raises:
            NotFound: there is no experiment of that name.
        """
        with self._database.reading() as connection:
            wanted = [*_deleted(_store.runs, deleted), *self._in_experiments(connection, experiments or [])]
            newest = sa.select(_store.runs.c.number).where(*wanted).order_by(_store.runs.c.started.desc())
            looked_at = newest.limit(_LOOKED_AT).subquery()
            count = connection.execute(sa.select(sa.func.count()).select_from(looked_at)).scalar_one()
            return RunColumns(runs=count, **_search_store.keys_of(connection, looked_at))

    @read
    def group(
        self,
        by: list[str],
        aggregate: list[str] | None = None,
        filter: str = "",
        experiments: list[str] | None = None,
        limit: int = 1000,
        deleted: Deleted = "active",
    ) -> RunGroups:
        """Runs in groups of equal values, the largest group first.

        Args:
            by: What is equal in a group, such as `params.model`, `state`.
            aggregate: Such as `mean(metrics.accuracy)`; with `min`, `max`, `mean`, `sum` or `count`.
            filter: Which runs count; empty for all.
            limit: At most this many groups, up to 10,000.

        Raises:
            InvalidInput: a field, function or the filter is not understood.
        """
        fields = _groupable(_checked_count(by, "fields to group by"))
        functions = [_aggregate(text) for text in _checked_count(aggregate or [], "aggregates")]
        node, limit = parse_filter(filter, RUN_FIELDS), _checked_limit(limit, MOST_GROUPS)
        orders = [*fields, *(order for _, order in functions)]
        with self._database.reading() as connection:
            wanted = [*_deleted(_store.runs, deleted), *self._in_experiments(connection, experiments or [])]
            query = _search_store.RunQuery(connection, node, orders, wanted)
            rows = query.groups(fields, [(_FUNCTIONS[name], order) for name, order in functions], limit + 1)
        found = [
            RunGroup(values=row[: len(fields)], count=row[len(fields)], results=row[len(fields) + 1 :])
            for row in rows[:limit]
        ]
        return RunGroups(by=by, aggregates=aggregate or [], groups=found, complete=len(rows) <= limit)

    @read
    def pivot(
        self,
        rows: list[str],
        columns: str,
        value: str = "count",
        filter: str = "",
        experiments: list[str] | None = None,
        deleted: Deleted = "active",
    ) -> Pivot:
        """A value of groups of runs, in a table.

        Args:
            rows: What stands at the left, such as `params.model`.
            columns: What stands at the top, such as `params.features`.
            value: `count`, or an aggregate such as `max(metrics.accuracy)`.

        Raises:
            InvalidInput: a field, function or the filter is not understood, or there are over 10,000 groups.
        """
        counts = value == "count"
        given = self.group([*rows, columns], [] if counts else [value], filter, experiments, MOST_GROUPS, deleted)
        if not given.complete:
            raise InvalidInput(
                f"There are over {MOST_GROUPS:,} groups.", hint="Filter first, or pivot by fewer fields."
            )
        at = {tuple(g.values): float(g.count) if counts else g.results[0] for g in given.groups}
        left = sorted({place[:-1] for place in at}, key=lambda place: [_sortable(cell) for cell in place])
        top = sorted({place[-1] for place in at}, key=_sortable)
        cells = [[at.get((*place, column)) for column in top] for place in left]
        return Pivot(rows=[list(place) for place in left], columns=top, cells=cells)

    @read
    def leaderboard(
        self,
        experiment: str,
        metric: str,
        direction: Direction = "auto",
        limit: int = 20,
        filter: str = "",
    ) -> Leaderboard:
        """The best runs of an experiment by one metric.

        Args:
            experiment: Name or id; empty for all.
            direction: Whether more is better; by default the metric's name tells (less of a loss, an error, a time).

        Raises:
            InvalidInput: the filter is not understood.
            NotFound: there is no experiment of that name.
        """
        least = direction == "min" or (direction == "auto" and is_better_when_less(metric))
        order = Order(group="metric", key=limits.check_key(metric, "metric"), descending=not least)
        with self._database.reading() as connection:
            wanted = [
                *_deleted(_store.runs, "active"),
                *self._in_experiments(connection, [experiment] if experiment else []),
            ]
            query = _search_store.RunQuery(connection, parse_filter(filter, RUN_FIELDS), [order], wanted)
            # A place begins with whether there is a value, and the value.
            rows = [(number, place) for number, place in query.page(_checked_limit(limit, 1000), None) if place[0] == 0]
            runs = _nouns(connection, [number for number, _ in rows])
        values, standings = [place[1] for _, place in rows], []
        for run, value in zip(runs, values, strict=True):
            standings.append(
                Standing(rank=values.index(value) + 1, run=run, value=value, behind=abs(value - values[0]))
            )
        return Leaderboard(metric=metric, direction="min" if least else "max", standings=standings)

    @read
    def compare(self, runs: list[str]) -> RunComparison:
        """What is different between runs: params, metrics, tags, code, data, environment.

        Args:
            runs: Ids, 2 to 50; each is compared with the first.

        Raises:
            NotFound: there is no such run.
        """
        if not 2 <= len(set(runs)) == len(runs) <= MOST_COMPARED:
            raise InvalidInput(f"{len(runs)} runs were given.", hint=f"Name 2 to {MOST_COMPARED} runs, each once.")
        with self._database.reading() as connection:
            found = {run.id: run for run in runs_of(connection, _store.runs.c.id.in_(runs), limit=None)}
        missing = [run for run in runs if run not in found]
        if missing:
            raise no_run(missing[0])
        return compare_runs([found[run] for run in runs], self._blobs, self._lineage, self._inputs)

    def _find(self, connection: sa.Connection, asked: _Asked) -> _Found:
        node = parse_filter(asked.filter, RUN_FIELDS, native=asked.native)
        orders = parse_order(asked.order_by, RUN_FIELDS)
        limit = _checked_limit(asked.limit, MOST_RUNS)
        mark = [asked.filter, sorted(asked.experiments), asked.order_by, asked.deleted, asked.native]
        after = _after(asked.page_token, mark)
        wanted = [
            *_deleted(_store.runs, asked.deleted),
            *self._in_experiments(connection, asked.experiments, named=asked.native),
        ]
        query = _search_store.RunQuery(connection, node, orders, wanted, native=asked.native)
        rows = query.page(limit + 1, after)
        token = _token(rows[limit - 1][1], mark) if len(rows) > limit else ""
        return _Found(query, [number for number, _ in rows[:limit]], token)

    def _in_experiments(
        self, connection: sa.Connection, experiments: list[str], *, named: bool = True
    ) -> list[sa.ColumnElement[bool]]:
        if not experiments:
            return []
        table = _store.experiments
        query = sa.select(table.c.number, table.c.name)
        found: set[int] = set()
        for start in range(0, len(experiments), _AT_ONCE):
            part = experiments[start : start + _AT_ONCE]
            numbers = [int(text) for text in part if re.fullmatch(r"[0-9]{1,18}", text)]
            # MLflow knows ids alone: a name may look like one.
            asked = sa.or_(table.c.name.in_(part if named else []), table.c.number.in_(numbers))
            rows = connection.execute(query.where(asked)).all()
            found |= {row.number for row in rows}
            missing = [text for text in part if text not in {row.name for row in rows} and not text.isdecimal()]
            if missing:
                names = connection.execute(sa.select(table.c.name).limit(1000)).scalars()
                raise NotFound(f"There is no experiment '{missing[0][:100]}'.", hint=did_you_mean(missing[0], names))
        # Written out where they are many: a statement has room for so many bound values only.
        listed: sa.BindParameter[Any] = sa.bindparam(
            None, sorted(found), expanding=True, literal_execute=len(found) > _AT_ONCE
        )
        return [_store.runs.c.experiment.in_(listed)]


def _nouns(connection: sa.Connection, numbers: Sequence[int]) -> list[Run]:
    """Runs by their row numbers, in that order."""
    found: dict[str, Run] = {}
    for start in range(0, len(numbers), _AT_ONCE):
        some = _store.runs.c.number.in_(numbers[start : start + _AT_ONCE])
        found.update((run.id, run) for run in runs_of(connection, some, limit=None))
    return [found[run] for run in _ids(connection, numbers)]


def _experiment_nouns(connection: sa.Connection, numbers: Sequence[int]) -> list[Experiment]:
    found: dict[str, Experiment] = {}
    for start in range(0, len(numbers), _AT_ONCE):
        some = _store.experiments.c.number.in_(numbers[start : start + _AT_ONCE])
        found.update((one.id, one) for one in experiments_of(connection, some, limit=_AT_ONCE))
    return [found[str(number)] for number in numbers]


def _ids(connection: sa.Connection, numbers: Sequence[int]) -> list[str]:
    found: dict[int, str] = {}
    table = _store.runs
    for start in range(0, len(numbers), _AT_ONCE):
        some = table.c.number.in_(numbers[start : start + _AT_ONCE])
        found.update(
            (row.number, row.id) for row in connection.execute(sa.select(table.c.number, table.c.id).where(some))
        )
    return [found[number] for number in numbers]


def _deleted(table: sa.Table, wanted: Deleted) -> list[sa.ColumnElement[bool]]:
    if wanted == "all":
        return []
    return [table.c.deleted.is_(None) if wanted == "active" else table.c.deleted.is_not(None)]


def _checked_limit(limit: int, most: int) -> int:
    if not 1 <= limit <= most:
        raise InvalidInput(f"{limit} were asked for.", hint=f"Ask for 1 to {most:,} at once.")
    return limit


def _checked_count(names: list[str], what: str) -> list[str]:
    if len(names) > 10:
        raise InvalidInput(f"There are {len(names)} {what}, at most 10 are taken.")
    return names


def _groupable(names: list[str]) -> list[Order]:
    orders = parse_order(names, RUN_FIELDS)
    for name, order in zip(names, orders, strict=True):
        if order.descending or (order.group, order.key) in (("attribute", "started"), ("attribute", "ended")):
            raise InvalidInput(
                f"One cannot group by '{name[:60]}'.", hint="Group by a param, a tag, the state, the kind."
            )
    return orders


def _aggregate(text: str) -> tuple[str, Order]:
    parts = _AGGREGATE.fullmatch(text)
    if parts is None or parts["function"] not in _FUNCTIONS:
        hint = f"Write it as mean(metrics.accuracy), with {', '.join(_FUNCTIONS)}."
        raise InvalidInput(f"'{text[:60]}' is no aggregate.", hint=hint)
    (order,) = parse_order([parts["name"]], RUN_FIELDS)
    if order.group not in ("metric", "parameter") and order.key not in ("seconds", "attempt"):
        raise InvalidInput(f"'{text[:60]}' is not of numbers.", hint="Aggregate metrics, params, or seconds.")
    return parts["function"], order


def _sortable(cell: Cell) -> tuple[int, float, str]:
    if cell is None:
        return (2, 0.0, "")
    try:
        return (0, float(cell), "")
    except ValueError:
        return (1, 0.0, str(cell))


def _token(place: Sequence[Any], asked: object) -> str:
    text = canonical_json([digest(canonical_json(asked))[:16], list(place)])
    return base64.urlsafe_b64encode(text).decode().rstrip("=")


def _after(token: str, asked: object) -> list[Any] | None:
    """The place that a page token stands for.

    Raises:
        InvalidInput: it is none, or belongs to another search.
    """
    if not token:
        return None
    try:
        data = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        mark, place = from_json(data, tuple[str, list[str | int | float | None]])
    except (binascii.Error, ValueError, InvalidInput) as error:
        raise InvalidInput("Invalid page token.", hint="Give the one that the page before gave.") from error
    if mark != digest(canonical_json(asked))[:16]:
        raise InvalidInput("Invalid page token: it belongs to another search.", hint="Begin again without it.")
    return place
