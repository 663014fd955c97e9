"""How runs are searched: conditions, orders and pages as SQL.

Where one orders by a metric, param or tag, the runs that have it come first, by its index; then those whose value is undefined,
then those without it. Each part is a query of its own, so that the first page does not sort all runs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa

from flyball.errors import InvalidInput
from flyball.storage.tables import Instant
from flyball.tracking import _inputs_store, _store
from flyball.tracking.filter_sql import compare, compare_choice, compare_time, json_text, keyed, number_of
from flyball.tracking.filters import AllOf, Comparison, Node, Order, Value, comparisons, to_sql

FEW = 5_000
"""Fewer than these are sorted as a whole; more are taken in the order of an index."""

STATES = {
    "scheduled": "SCHEDULED",
    "running": "RUNNING",
    "finished": "FINISHED",
    "failed": "FAILED",
    "cancelled": "KILLED",
    "lost": "FAILED",
}
"""What MLflow calls a run's states."""

_runs, _experiments = _store.runs, _store.experiments
_PAIRS = {"metric": _store.latest, "parameter": _store.params, "tag": _store.tags}
_NULLABLE = ("ended", "seconds")
_MOST_PROBES = 20
_MANY_TIMES = 4
# What `param_text` makes of any text that is too long for it.
_LONG_TEXT = len(_store.param_text("x" * 10_000))


@dataclass(frozen=True, slots=True)
class Sorted:
    """One column of the order; where it may be undefined, another stands before it that says so."""

    value: sa.ColumnElement[Any]
    descending: bool = False


def attribute(key: str) -> sa.ColumnElement[Any]:
    """The column, or the expression, of a run's attribute."""
    if key == "artifact_uri":
        experiment = sa.cast(_runs.c.experiment, sa.String)
        return sa.literal("mlflow-artifacts:/") + experiment + "/" + _runs.c.id + "/artifacts"
    if key == "experiment":
        return sa.select(_experiments.c.name).where(_experiments.c.number == _runs.c.experiment).scalar_subquery()
    if key == "experiment_id":
        return sa.cast(_runs.c.experiment, sa.String)
    if key == "seconds":
        started, ended = (sa.type_coerce(column, sa.BigInteger) for column in (_runs.c.started, _runs.c.ended))
        return sa.cast(ended - started, sa.Float(53)) / sa.literal(1e6)
    return _runs.c["state" if key == "status" else key]


def pair_text(table: Any, group: str) -> sa.ColumnElement[Any]:
    """The column that pairs of a key and a value are compared by."""
    column: sa.ColumnElement[Any] = table.c.text if group == "parameter" else table.c.value
    return column


class RunQuery:
    """One search for runs.

    Args:
        wanted: What holds for all of them, beside the filter.
        native: Whether params that are numbers are ordered as such, before the texts; otherwise all are ordered as texts.
    """

    def __init__(
        self,
        connection: sa.Connection,
        node: Node | None,
        orders: Sequence[Order] = (),
        wanted: Sequence[sa.ColumnElement[bool]] = (),
        *,
        native: bool = True,
    ) -> None:
        self._connection = connection
        self._wanted = list(wanted)
        self._native = native
        self._few: bool | None = None
        self._orders = list(orders)
        names = {asked.key for asked in comparisons(node) if asked.group == "metric"}
        names |= {order.key for order in orders if order.group == "metric"}
        self._keys = key_numbers(connection, names)
        # What is asked of all runs at once, and of these comparisons the metrics, params and tags.
        self._all = list(node.parts) if isinstance(node, AllOf) else [] if node is None else [node]
        self._dense = self._probed([part for part in self._all if isinstance(part, Comparison)])

    def page(self, limit: int, after: Sequence[Any] | None) -> list[tuple[int, list[Any]]]:
        """Row numbers of some runs, and the place of each.

        Args:
            after: The place of the last run of the page before.
        """
        if after is not None and self._by_parts() and after[:1] not in ([0], [1], [2]):
            raise wrong_place()
        rows: list[sa.Row[Any]] = []
        for query in self._queries(after):
            rows += self._connection.execute(query.limit(limit - len(rows))).all()
            if len(rows) >= limit:
                break
        return [(row[0], list(row[1:])) for row in rows]

    def select(self, *columns: Any, joined: Sequence[tuple[Any, sa.ColumnElement[bool]]] = ()) -> sa.Select[Any]:
        """A query of columns of the runs that are wanted, in no order.

        Args:
            joined: Further tables, and what ties a row to its run, where there is one.
        """
        return sa.select(*columns).select_from(_join(_runs, joined)).where(*self._conditions(self._all))

    def groups(self, by: Sequence[Order], aggregates: Sequence[tuple[Any, Order]], limit: int) -> list[list[Any]]:
        """Groups of runs, the largest first: what they have in common, how many they are, what the aggregates give."""
        tables: dict[tuple[str, str], tuple[Any, sa.ColumnElement[bool]]] = {}
        values = [self._value(order, tables).label(f"by_{place}") for place, order in enumerate(by)]
        numbers = [self._value(order, tables, number=True) for _, order in aggregates]
        # Named in a query of their own: PostgreSQL does not see that two expressions with bound values are the same.
        inner = self.select(
            sa.literal(1).label("one"),
            *values,
            *(number.label(f"of_{place}") for place, number in enumerate(numbers)),
            joined=list(tables.values()),
        ).subquery()
        shared = [inner.c[f"by_{place}"] for place in range(len(by))]
        count = sa.func.count().label("runs")
        results = [function(inner.c[f"of_{place}"]) for place, (function, _) in enumerate(aggregates)]
        query = sa.select(*shared, count, *results).group_by(*shared).order_by(count.desc(), *shared).limit(limit)
        return [
            [*row[: len(by) + 1], *(None if result is None else float(result) for result in row[len(by) + 1 :])]
            for row in self._connection.execute(query)
        ]

    def _value(
        self, order: Order, tables: dict[tuple[str, str], tuple[Any, sa.ColumnElement[bool]]], *, number: bool = False
    ) -> sa.ColumnElement[Any]:
        if order.group == "attribute":
            return attribute(order.key)
        place = (order.group, order.key)
        if place not in tables:
            tables[place] = self.tied(*place)
        text = pair_text(tables[place][0], order.group)
        return number_of(text) if number and order.group == "parameter" else text

    def tied(self, group: str, key: str) -> tuple[Any, sa.ColumnElement[bool]]:
        """A table of pairs under a name of its own, and what ties its row of that key to its run."""
        table = _PAIRS[group].alias()
        return table, sa.and_(table.c.run == _runs.c.number, self._of_key(table, group, key))

    def _queries(self, after: Sequence[Any] | None) -> Iterator[sa.Select[Any]]:
        if not self._by_parts():
            yield self._sorted_whole(after)
            return
        first = self._orders[0]
        table, tie = self.tied(first.group, first.key)
        here = [part for part in self._all if isinstance(part, Comparison) and _is_about(part, first)]
        others = self._conditions([part for part in self._all if part not in here])
        rest, joined = self._columns(self._orders[1:])
        value = pair_text(table, first.group)
        parts = [(0, [value.is_not(None), *(_pair_condition(table, part) for part in here)])]
        if first.group == "metric" and all(part.operator == "!=" for part in here):
            parts.append((1, [value.is_(None)]))
        for rank, conditions in parts:
            if after is not None and after[0] > rank:
                continue
            columns = [Sorted(value, first.descending), *rest] if rank == 0 else rest
            tables = _join(table.join(_runs, tie), joined)
            shown = [value, *(column.value for column in rest)]
            query = _select(tables, rank, shown).where(
                self._of_key(table, first.group, first.key), *others, *conditions
            )
            yield _ordered(query, columns, _rest_of(after, rank, len(columns)))
        if not here:
            missing = ~sa.select(table.c.run).where(tie).correlate(_runs).exists()
            query = _select(_join(_runs, joined), 2, [sa.null(), *(column.value for column in rest)])
            yield _ordered(query.where(missing, *others), rest, _rest_of(after, 2, len(rest)))

    def _sorted_whole(self, after: Sequence[Any] | None) -> sa.Select[Any]:
        columns, joined = self._columns(self._orders)
        query = sa.select(_runs.c.number, *(column.value for column in columns)).select_from(_join(_runs, joined))
        return _ordered(query.where(*self._conditions(self._all)), columns, after)

    def _columns(self, orders: Sequence[Order]) -> tuple[list[Sorted], list[tuple[Any, sa.ColumnElement[bool]]]]:
        """The columns of the order, with what makes it complete at its end, and the tables that they stand in."""
        columns: list[Sorted] = []
        joined: list[tuple[Any, sa.ColumnElement[bool]]] = []
        for order in orders:
            if order.group == "attribute":
                value = attribute(order.key)
                if order.key in _NULLABLE:
                    columns.append(Sorted(sa.case((value.is_(None), 1), else_=0)))
                columns.append(Sorted(_plain(value), order.descending))
                continue
            table, tie = self.tied(order.group, order.key)
            value = pair_text(table, order.group)
            joined.append((table, tie))
            if self._native and order.group == "parameter":
                number = number_of(value)
                columns.append(Sorted(sa.case((table.c.run.is_(None), 2), (number.is_(None), 1), else_=0)))
                columns += [Sorted(number, order.descending), Sorted(value, order.descending)]
                continue
            columns.append(Sorted(sa.case((table.c.run.is_(None), 2), (value.is_(None), 1), else_=0)))
            columns.append(Sorted(value, order.descending))
        named = {order.key for order in self._orders if order.group == "attribute"}
        if "started" not in named:
            columns.append(Sorted(_plain(_runs.c.started), descending=True))
        if "id" not in named:
            columns.append(Sorted(_runs.c.id))
        return columns, joined

    def _conditions(self, parts: Sequence[Node]) -> list[sa.ColumnElement[bool]]:
        return [*self._wanted, *(to_sql(part, self._condition) for part in parts)]

    def _condition(self, asked: Comparison) -> sa.ColumnElement[bool]:
        if asked.group == "attribute":
            return _attribute_condition(asked)
        if asked.group == "dataset":
            return _dataset_condition(asked)
        if asked.operator in ("IS NULL", "IS NOT NULL"):
            exists = self._one_of(asked).exists()
            return ~exists if asked.operator == "IS NULL" else exists
        # SQLite lists all that fits before it looks at the first run, which is dear where nearly every run fits.
        if self._dense.get(asked):
            return self._one_of(asked).exists()
        if asked.group == "parameter" and asked.operator in ("LIKE", "ILIKE"):
            rows, text = self._rows(asked), _store.params.c.text
            if self._connection.execute(rows.where(sa.func.length(text) == _LONG_TEXT).limit(1)).first() is None:
                # The index holds all that is asked for; long texts must be looked up one by one.
                return _runs.c.number.in_(rows.where(compare(text, asked)))
        return _runs.c.number.in_(self._fitting(asked))

    def _one_of(self, asked: Comparison) -> sa.Select[Any]:
        rows = self._fitting(asked)
        return rows.where(_PAIRS[asked.group].c.run == _runs.c.number).correlate(_runs)

    def _fitting(self, asked: Comparison) -> sa.Select[Any]:
        rows = self._rows(asked)
        is_there = asked.operator in ("IS NULL", "IS NOT NULL")
        return rows if is_there else rows.where(_pair_condition(_PAIRS[asked.group], asked))

    def _rows(self, asked: Comparison) -> sa.Select[Any]:
        table = _PAIRS[asked.group]
        return sa.select(table.c.run).where(self._of_key(table, asked.group, asked.key))

    def _of_key(self, table: Any, group: str, key: str) -> sa.ColumnElement[bool]:
        # No key has the number -1: a metric that was never logged is one that no run has.
        found: sa.ColumnElement[bool] = table.c.key == (self._keys.get(key, -1) if group == "metric" else key)
        return found

    def _probed(self, asked: Sequence[Comparison]) -> dict[Comparison, bool]:
        """Whether many runs fit each comparison that has an index to look it up in: many at all, or beside another one."""
        known = ("=", "!=", ">", ">=", "<", "<=", "IN", "NOT IN")
        worth = [one for one in asked if one.group in _PAIRS and one.operator in known]
        counts = {one: self._count(self._fitting(one)) for one in worth[:_MOST_PROBES]}
        many = min(FEW, _MANY_TIMES * min(counts.values(), default=FEW))
        return {one: count >= max(1, many) for one, count in counts.items()}

    def _by_parts(self) -> bool:
        """Whether the pairs of one key are ordered by, of many runs, and have an index for it."""
        first = self._orders[0] if self._orders else None
        # The index knows params as texts.
        by_number = self._native and first is not None and first.group == "parameter"
        return first is not None and first.group != "attribute" and not by_number and not self._is_few()

    def _is_few(self) -> bool:
        if self._few is None:
            self._few = self._counts_few()
        return self._few

    def _counts_few(self) -> bool:
        if not all(self._dense.values()):
            return True
        return self._count(sa.select(_runs.c.number).where(*self._wanted)) < FEW

    def _count(self, query: sa.Select[Any]) -> int:
        some = sa.select(sa.func.count()).select_from(query.limit(FEW).subquery())
        return int(self._connection.execute(some).scalar_one())


def key_numbers(connection: sa.Connection, names: set[str]) -> dict[str, int]:
    """The row numbers of metric keys that are there."""
    if not names:
        return {}
    query = sa.select(_store.keys.c.name, _store.keys.c.number).where(_store.keys.c.name.in_(sorted(names)))
    return {row.name: row.number for row in connection.execute(query)}


def experiment_page(
    connection: sa.Connection,
    node: Node | None,
    orders: Sequence[Order],
    wanted: Sequence[sa.ColumnElement[bool]],
    limit: int,
    after: Sequence[Any] | None,
) -> list[tuple[int, list[Any]]]:
    """Row numbers of some experiments, and the place of each."""
    named = {order.key for order in orders}
    columns = [Sorted(_plain(_experiment_attribute(order.key)), order.descending) for order in orders]
    columns += [] if orders else [Sorted(_plain(_experiments.c.created), descending=True)]
    # As MLflow breaks ties: the older first where nothing else is asked for, the newer first otherwise.
    columns += [] if "experiment_id" in named else [Sorted(_experiments.c.number, descending=bool(orders))]
    query = sa.select(_experiments.c.number, *(column.value for column in columns)).where(*wanted)
    query = query if node is None else query.where(to_sql(node, _experiment_condition))
    rows = connection.execute(_ordered(query, columns, after).limit(limit)).all()
    return [(row[0], list(row[1:])) for row in rows]


def _experiment_attribute(key: str) -> sa.ColumnElement[Any]:
    if key == "updated":
        return sa.func.coalesce(_experiments.c.updated, _experiments.c.created, type_=_experiments.c.created.type)
    return _experiments.c["number" if key == "experiment_id" else key]


def _experiment_condition(asked: Comparison) -> sa.ColumnElement[bool]:
    if asked.group == "tag":
        marks = _store.experiment_tags
        return keyed(asked, marks, marks.c.experiment == _experiments.c.number)
    if asked.key in ("created", "updated"):
        return compare_time(_experiment_attribute(asked.key), asked)
    if asked.key == "experiment_id":
        return compare(sa.cast(_experiments.c.number, sa.String), asked)
    return compare(_experiments.c.name, asked)


def keys_of(connection: sa.Connection, some: sa.Subquery) -> dict[str, list[str]]:
    """The names of params, metrics and tags of some runs, sorted."""
    found = {}
    for name, table in (("params", _store.params), ("tags", _store.tags)):
        rows = sa.select(table.c.key).distinct().where(table.c.run.in_(sa.select(some.c.number)))
        found[name] = sorted(connection.execute(rows).scalars())
    numbers = sa.select(_store.latest.c.key).distinct().where(_store.latest.c.run.in_(sa.select(some.c.number)))
    names = sa.select(_store.keys.c.name).where(_store.keys.c.number.in_(numbers))
    return {**found, "metrics": sorted(connection.execute(names).scalars())}


def _attribute_condition(asked: Comparison) -> sa.ColumnElement[bool]:
    if asked.key == "experiment":
        return _runs.c.experiment.in_(sa.select(_experiments.c.number).where(compare(_experiments.c.name, asked)))
    column = attribute(asked.key)
    if asked.key == "status":
        return compare_choice(column, asked, STATES)
    if asked.key in ("started", "ended"):
        return compare_time(column, asked, nullable=asked.key == "ended")
    return compare(column, asked, nullable=asked.key in _NULLABLE)


def _dataset_condition(asked: Comparison) -> sa.ColumnElement[bool]:
    used, sets = _inputs_store.run_datasets, _inputs_store.datasets
    rows = sa.select(used.c.run).select_from(used.join(sets, used.c.dataset == sets.c.number))
    if asked.key == "context":
        return _runs.c.number.in_(rows.where(compare(used.c.context, asked, nullable=True)))
    return _runs.c.number.in_(rows.where(compare(sets.c[asked.key], asked)))


def _pair_condition(table: Any, asked: Comparison) -> sa.ColumnElement[bool]:
    column = pair_text(table, asked.group)
    if asked.group == "metric":
        # An undefined value is not any number.
        return (
            sa.or_(column.is_(None), compare(column, asked))
            if asked.operator == "!="
            else compare(column, asked, nullable=True)
        )
    if asked.group != "parameter":
        return compare(column, asked)
    if isinstance(asked.value, int | float):
        return compare(number_of(column), asked, nullable=True)
    if asked.operator in ("LIKE", "ILIKE"):
        # Of a long text the column holds the beginning and a digest; the whole stands in the document.
        whole, is_long = json_text(sa.type_coerce(table.c.value, sa.Text)), sa.func.length(column) == _LONG_TEXT
        return sa.or_(sa.and_(~is_long, compare(column, asked)), sa.and_(is_long, compare(whole, asked)))
    return compare(column, replace(asked, value=_kept(asked.value)))


def _kept(value: Value) -> Value:
    """Texts as the column of params holds them."""
    return tuple(map(_store.param_text, value)) if isinstance(value, tuple) else _store.param_text(value)


def _is_about(asked: Comparison, order: Order) -> bool:
    same = (asked.group, asked.key) == (order.group, order.key)
    return same and asked.operator not in ("IS NULL", "IS NOT NULL")


def _plain(value: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """A column whose values a page token can hold: moments as microseconds."""
    return sa.type_coerce(value, sa.BigInteger) if isinstance(value.type, Instant) else value


def _join(table: sa.FromClause, joined: Sequence[tuple[Any, sa.ColumnElement[bool]]]) -> sa.FromClause:
    for other, tie in joined:
        table = table.outerjoin(other, tie)
    return table


def _select(tables: sa.FromClause, rank: int, shown: Sequence[sa.ColumnElement[Any]]) -> sa.Select[Any]:
    return sa.select(_runs.c.number, sa.literal(rank, sa.Integer), *shown).select_from(tables)


def _rest_of(after: Sequence[Any] | None, rank: int, count: int) -> Sequence[Any] | None:
    return after[-count:] if after is not None and after[0] == rank else None


def _ordered(query: sa.Select[Any], columns: Sequence[Sorted], after: Sequence[Any] | None) -> sa.Select[Any]:
    if after is not None:
        query = query.where(_later(columns, after))
    return query.order_by(*(column.value.desc() if column.descending else column.value.asc() for column in columns))


def _can_be_of(value: object, column: Sorted) -> bool:
    kind = column.value.type
    if value is None or isinstance(value, bool):
        return value is None
    if isinstance(kind, sa.String):
        return isinstance(value, str)
    if isinstance(kind, sa.Float):
        return isinstance(value, int | float)
    return isinstance(value, int) and -(1 << 63) <= value < 1 << 63


def wrong_place() -> InvalidInput:
    """The error of a page token that was made up."""
    return InvalidInput("Invalid page token.", hint="Give the one that the page before gave.")


def _later(columns: Sequence[Sorted], after: Sequence[Any]) -> sa.ColumnElement[bool]:
    """What comes after a place: the first column that differs is beyond it."""
    if len(columns) != len(after) or not all(map(_can_be_of, after, columns)):
        raise wrong_place()
    found: list[sa.ColumnElement[bool]] = []
    same: list[sa.ColumnElement[bool]] = []
    for column, value in zip(columns, after, strict=True):
        if value is not None:
            beyond = column.value < value if column.descending else column.value > value
            found.append(sa.and_(*same, beyond))
        same.append(column.value.is_(None) if value is None else column.value == value)
    later = sa.or_(*found) if found else sa.false()
    if after[0] is None:
        return later
    # Said once more by the first column alone, so that its index is entered at the right place.
    start = columns[0].value <= after[0] if columns[0].descending else columns[0].value >= after[0]
    return sa.and_(start, later)
