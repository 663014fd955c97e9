"""What differs between two snapshots: files, columns, rows by key, and how the values of each column are spread.

Rows are compared by a 64-bit hash of their values, joined by key in DuckDB; only rows whose hashes differ are compared value by
value. So two rows that differ pass as equal once in 2^64 pairs. Null equals null and NaN equals NaN.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from flyball.data.layout import KeptBytes
from flyball.data.manifest import Snapshot, SnapshotFile, describe_change, snapshot_files
from flyball.data.snapshot import load_snapshot
from flyball.errors import InvalidInput, MissingExtra, did_you_mean
from flyball.schema import Column, SchemaChange

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from flyball.storage.objects import Blobs

_NUMBERS = ("int", "float", "decimal")
_MOST_FILES = 1000
_TOO_LONG = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class FileChange:
    """One file that is not the same in both."""

    path: str
    change: Literal["added", "removed", "changed"]
    size_before: int = 0
    size_after: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RowExample:
    """One row that is not the same in both.

    Attributes:
        key: The values of the key; of rows without a key, all values.
        before: Values that changed, as they were.
        after: Values that changed, as they are.
    """

    change: Literal["added", "removed", "changed"]
    key: dict[str, Any]
    before: dict[str, Any]
    after: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class RowDiff:
    """How the rows differ.

    Attributes:
        key: The columns that name a row; without any, rows are counted as a whole, and none is `changed`.
        columns: In how many rows each column changed, the most frequent first.
        examples: A few of each kind.
    """

    key: tuple[str, ...]
    before: int
    after: int
    added: int
    removed: int
    changed: int
    columns: dict[str, int]
    examples: tuple[RowExample, ...]

    @property
    def same(self) -> int:
        """How many rows are in both as they are."""
        return self.after - self.added - self.changed


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """How the values of a column are spread.

    Attributes:
        missing: Share of missing values, 0 to 1.
        mean: Of numbers; of booleans the share that is true.
        deviation: Standard deviation, of numbers.
        low: The least value, as text.
        high: The greatest.
        distinct: About how many different values there are.
    """

    missing: float
    mean: float | None
    deviation: float | None
    low: str
    high: str
    distinct: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnDiff:
    """One column's values, before and after."""

    column: str
    before: Spread
    after: Spread


@dataclass(frozen=True, slots=True, kw_only=True)
class DataDiff:
    """What differs between two snapshots.

    Attributes:
        before: `name/id` of the first.
        after: `name/id` of the second.
        summary: In words.
        schema: Columns that came, went or changed their type.
        files: Files that are not the same, at most 1,000.
        files_left_out: How many more.
        rows: None where one is no table.
        columns: How the values are spread, of columns whose values differ.
    """

    before: str
    after: str
    summary: str
    schema: tuple[SchemaChange, ...] = ()
    files: tuple[FileChange, ...] = ()
    files_left_out: int = 0
    rows: RowDiff | None = None
    columns: tuple[ColumnDiff, ...] = ()

    @property
    def is_same(self) -> bool:
        """Whether both hold the same."""
        return not (self.schema or self.files)


def diff_snapshots(
    blobs: Blobs,
    before: Snapshot,
    after: Snapshot,
    *,
    key: str | Sequence[str] = (),
    examples: int = 5,
    spread: bool = True,
) -> DataDiff:
    """What differs between two snapshots.

    Args:
        key: The columns that name a row; without any, rows count as a whole.
        examples: How many rows of each kind to show.
        spread: Whether to tell how the values of each column are spread.

    Raises:
        InvalidInput: a column of the key is not in both, or several rows have one key.
        MissingExtra: DuckDB is not installed.
    """
    old, new = snapshot_files(blobs, before), snapshot_files(blobs, after)
    names = tuple(f"{one.dataset}/{one.id}" for one in (before, after))
    if before.id == after.id:
        return DataDiff(before=names[0], after=names[1], summary="same files")
    changes = list(_file_changes(old, new))
    schema = before.schema.changes_to(after.schema) if before.schema and after.schema else ()
    rows: RowDiff | None = None
    columns: tuple[ColumnDiff, ...] = ()
    if before.schema is not None and after.schema is not None:
        wanted = (key,) if isinstance(key, str) and key else tuple(key)
        with _opened(blobs, before, after) as connection:
            compared = _Compared(connection, before, after, wanted)
            rows = compared.rows(examples)
            if spread:
                columns = compared.columns(rows)
    return DataDiff(
        before=names[0],
        after=names[1],
        summary=describe_change(before, after, old, new),
        schema=schema,
        files=tuple(changes[:_MOST_FILES]),
        files_left_out=max(0, len(changes) - _MOST_FILES),
        rows=rows,
        columns=columns,
    )


def _file_changes(old: Sequence[SnapshotFile], new: Sequence[SnapshotFile]) -> Iterator[FileChange]:
    before, after = ({file.path: file for file in files} for files in (old, new))
    for path in sorted(before.keys() | after.keys()):
        one, other = before.get(path), after.get(path)
        if one is None:
            assert other is not None
            yield FileChange(path=path, change="added", size_after=other.size)
        elif other is None:
            yield FileChange(path=path, change="removed", size_before=one.size)
        elif one.digest != other.digest:
            yield FileChange(path=path, change="changed", size_before=one.size, size_after=other.size)


@contextmanager
def _opened(blobs: Blobs, before: Snapshot, after: Snapshot) -> Iterator[DuckDBPyConnection]:
    """DuckDB with the rows of both as the views `before` and `after`."""
    try:
        import duckdb
    except ImportError as error:
        raise MissingExtra("Comparing rows needs DuckDB.", hint="pip install 'flyball[data]'") from error
    with duckdb.connect(config={"preserve_insertion_order": False}) as connection:
        # Statistics of a Parquet file leave NaN out, and DuckDB 2.0 takes them for the whole truth.
        connection.execute("SET disabled_optimizers='statistics_propagation,filter_pushdown'")
        for name, snapshot in (("before", before), ("after", after)):
            files = snapshot_files(blobs, snapshot)
            if snapshot.format == "parquet" and len(files) == 1:
                kept = str(KeptBytes(blobs, snapshot.layout).path(files[0].digest)).replace("'", "''")
                connection.execute(f"CREATE VIEW {name} AS SELECT * FROM read_parquet('{kept}')")  # noqa: S608  # our own blob's path, its quotes doubled
            else:
                connection.register(name, load_snapshot(blobs, snapshot))
        yield connection


class _Compared:
    """The comparison of the views `before` and `after`."""

    def __init__(self, connection: DuckDBPyConnection, before: Snapshot, after: Snapshot, key: tuple[str, ...]) -> None:
        assert before.schema is not None
        assert after.schema is not None
        self._connection = connection
        self._key = key
        old, new = ({column.name: column for column in s.columns} for s in (before.schema, after.schema))
        for column in key:
            if column not in old or column not in new:
                both = [name for name in old if name in new]
                raise InvalidInput(f"There is no column '{column}' in both.", hint=did_you_mean(column, both))
        self._common = [(old[name], new[name]) for name in old if name in new]
        self._values = [pair for pair in self._common if pair[0].name not in key]
        self._counts = tuple(self._one(f"SELECT count(*) FROM {name}")[0] for name in ("before", "after"))  # noqa: S608  # two fixed names

    def rows(self, examples: int) -> RowDiff:
        """How the rows differ."""
        return self._by_key(examples) if self._key else self._as_a_whole(examples)

    def columns(self, rows: RowDiff) -> tuple[ColumnDiff, ...]:
        """How the values are spread, of those columns whose values may differ."""
        may = [old.name for old, new in self._common if rows.added or rows.removed or old.name in rows.columns]
        if not may:
            return ()
        kinds = {old.name: (old, new) for old, new in self._common}
        before, after = (
            self._spreads(name, [kinds[c][side] for c in may]) for side, name in enumerate(("before", "after"))
        )
        found = [ColumnDiff(column=name, before=b, after=a) for name, b, a in zip(may, before, after, strict=True)]
        return tuple(one for one in found if one.before != one.after)

    def _by_key(self, examples: int) -> RowDiff:
        keys = ", ".join(_quoted(name) for name in self._key)
        sides = [
            f"(SELECT {keys}, {self._hash(self._values, side)} AS h FROM {name})"  # noqa: S608  # names through _quoted
            for side, name in enumerate(("before", "after"))
        ]
        on = " AND ".join(f"b.{_quoted(name)} IS NOT DISTINCT FROM a.{_quoted(name)}" for name in self._key)
        either = ", ".join(f"coalesce(b.{_quoted(name)}, a.{_quoted(name)}) AS {_quoted(name)}" for name in self._key)
        self._connection.execute(
            f"CREATE TEMP TABLE compared AS SELECT {either}, CASE WHEN b.h IS NULL THEN 1 "  # noqa: S608  # names through _quoted
            "WHEN a.h IS NULL THEN 2 WHEN b.h = a.h THEN 0 ELSE 3 END::TINYINT AS change "
            f"FROM {sides[0]} b FULL JOIN {sides[1]} a ON {on}"
        )
        counts = dict(self._all("SELECT change, count(*) FROM compared GROUP BY change"))
        added, removed, changed, same = (int(counts.get(kind, 0)) for kind in (1, 2, 3, 0))
        if (same + changed + removed, same + changed + added) != self._counts:
            raise self._not_unique(keys)  # rows of one key are joined each with each
        self._connection.execute("CREATE TEMP TABLE differing AS SELECT * FROM compared WHERE change <> 0")
        columns = self._changed_columns() if changed else {}
        return RowDiff(
            key=self._key, before=self._counts[0], after=self._counts[1], added=added, removed=removed, changed=changed,
            columns=columns, examples=tuple(self._examples(examples, list(columns))),
        )  # fmt: skip

    def _not_unique(self, keys: str) -> InvalidInput:
        query = "SELECT {}, count(*) FROM {} GROUP BY ALL HAVING count(*) > 1 LIMIT 1"
        found = [row for name in ("before", "after") for row in self._all(query.format(keys, name))]
        values = ", ".join(f"{k}={v}" for k, v in zip(self._key, found[0], strict=False))
        return InvalidInput(
            f"{found[0][-1]:,} rows have the key {values}.",
            hint="Name the columns that tell rows apart with --key, or none: then rows count as a whole.",
        )

    def _changed_columns(self) -> dict[str, int]:
        # Once, since reading both tables costs more than all else: counts and examples come from what is picked out here.
        keys = ", ".join(_quoted(name) for name in self._key)
        for name, picked in (("before", "was"), ("after", "is_now")):
            on = " AND ".join(f"t.{_quoted(key)} IS NOT DISTINCT FROM d.{_quoted(key)}" for key in self._key)
            self._connection.execute(
                f"CREATE TEMP TABLE {picked} AS SELECT t.* FROM {name} t "  # noqa: S608  # names through _quoted
                f"SEMI JOIN (SELECT {keys} FROM differing WHERE change = 3) d ON {on}"
            )
        sums = ", ".join(
            f"count(*) FILTER ({self._value(old, new, 0, 'b')} IS DISTINCT FROM {self._value(old, new, 1, 'a')})"
            for old, new in self._values
        )
        counts = self._one(f"SELECT {sums} {self._pairs()}")
        found = {old.name: int(n) for (old, _), n in zip(self._values, counts, strict=True) if n}
        return dict(sorted(found.items(), key=lambda item: -item[1]))

    def _pairs(self) -> str:
        on = " AND ".join(f"b.{_quoted(name)} IS NOT DISTINCT FROM a.{_quoted(name)}" for name in self._key)
        return f"FROM was b JOIN is_now a ON {on}"

    def _examples(self, count: int, columns: list[str]) -> Iterator[RowExample]:
        keys = ", ".join(_quoted(name) for name in self._key)
        kinds: tuple[Literal["added", "removed"], ...] = ("added", "removed")
        for number, change in enumerate(kinds, 1):
            query = f"SELECT {keys} FROM differing WHERE change = ? ORDER BY ALL LIMIT ?"  # noqa: S608  # names through _quoted
            for row in self._all(query, [number, count]):
                named = {name: _shown(value) for name, value in zip(self._key, row, strict=True)}
                yield RowExample(change=change, key=named, before={}, after={})
        if not columns:
            return
        shown = [f"a.{_quoted(name)}" for name in self._key]
        shown += [f"{side}.{_quoted(name)}" for side in "ba" for name in columns]
        order = ", ".join(shown[: len(self._key)])
        for row in self._all(f"SELECT {', '.join(shown)} {self._pairs()} ORDER BY {order} LIMIT ?", [count]):
            size = len(self._key)
            old, new = row[size : size + len(columns)], row[size + len(columns) :]
            moved = [place for place in range(len(columns)) if _differs(old[place], new[place])]
            yield RowExample(
                change="changed",
                key={name: _shown(value) for name, value in zip(self._key, row, strict=False)},
                before={columns[place]: _shown(old[place]) for place in moved},
                after={columns[place]: _shown(new[place]) for place in moved},
            )

    def _as_a_whole(self, examples: int) -> RowDiff:
        parts = [
            f"SELECT {self._hash(self._values, side)} AS h, {sign} AS n FROM {name}"  # noqa: S608  # names through _quoted
            for side, (name, sign) in enumerate((("before", -1), ("after", 1)))
        ]
        self._connection.execute(
            f"CREATE TEMP TABLE differing AS SELECT h, sum(n) AS n FROM ({parts[0]} UNION ALL {parts[1]}) "  # noqa: S608  # names through _quoted
            "GROUP BY h HAVING sum(n) <> 0"
        )
        added, removed = self._one(
            "SELECT coalesce(sum(n) FILTER (n > 0), 0), coalesce(-sum(n) FILTER (n < 0), 0) FROM differing"
        )
        shown: list[RowExample] = []
        sides: list[tuple[str, Literal["added", "removed"], str]] = [
            ("before", "removed", "<"),
            ("after", "added", ">"),
        ]
        for side, (name, change, sign) in enumerate(sides):
            names = [pair[side].name for pair in self._values]
            query = (
                f"SELECT {', '.join(map(_quoted, names))} FROM {name} WHERE {self._hash(self._values, side)} IN "  # noqa: S608  # names through _quoted
                f"(SELECT h FROM differing WHERE n {sign} 0) LIMIT ?"
            )
            for row in self._all(query, [examples]):
                values = {n: _shown(v) for n, v in zip(names, row, strict=True)}
                shown.append(RowExample(change=change, key=values, before={}, after={}))
        return RowDiff(
            key=(), before=self._counts[0], after=self._counts[1], added=int(added), removed=int(removed), changed=0,
            columns={}, examples=tuple(shown),
        )  # fmt: skip

    def _hash(self, pairs: Sequence[tuple[Column, Column]], side: int) -> str:
        values = ", ".join(self._value(old, new, side) for old, new in pairs)
        return f"hash({values})" if values else "0"

    def _value(self, old: Column, new: Column, side: int, table: str = "") -> str:
        """A value in a form in which both sides can be compared."""
        name = _quoted((old, new)[side].name)
        name = f"{table}.{name}" if table else name
        if old.storage == new.storage and old.type == new.type:
            return name
        is_number = old.type in _NUMBERS and new.type in _NUMBERS
        return f"CAST({name} AS {'DOUBLE' if is_number else 'VARCHAR'})"

    def _spreads(self, table: str, columns: Sequence[Column]) -> list[Spread]:
        parts = []
        for column in columns:
            name = _quoted(column.name)
            number = f"CAST({name} AS DOUBLE)" if column.type in (*_NUMBERS, "bool") else "NULL"
            ordered = name if column.type not in ("list", "struct", "binary", "null") else "NULL"
            if column.type == "float":  # NaN and infinities have no mean; the standard deviation even fails on them
                number = ordered = f"CASE WHEN isfinite({name}) THEN CAST({name} AS DOUBLE) END"
            parts += [
                f"count({name})", f"avg({number})", f"stddev_pop({number})", f"CAST(min({ordered}) AS VARCHAR)",
                f"CAST(max({ordered}) AS VARCHAR)", f"approx_count_distinct({name})",
            ]  # fmt: skip
        row = self._one(f"SELECT count(*), {', '.join(parts)} FROM {table}")  # noqa: S608  # names through _quoted
        found = []
        for place in range(len(columns)):
            known, mean, deviation, low, high, distinct = row[1 + 6 * place : 7 + 6 * place]
            found.append(
                Spread(
                    missing=1 - known / row[0] if row[0] else 0.0,
                    mean=mean,
                    deviation=deviation,
                    low=(low or "")[:_TOO_LONG],
                    high=(high or "")[:_TOO_LONG],
                    distinct=distinct,
                )
            )
        return found

    def _one(self, query: str) -> tuple[Any, ...]:
        row: tuple[Any, ...] | None = self._connection.execute(query).fetchone()
        assert row is not None
        return row

    def _all(self, query: str, values: Sequence[object] = ()) -> list[Any]:
        found: list[Any] = self._connection.execute(query, list(values)).fetchall()
        return found


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _differs(old: object, new: object) -> bool:
    return old != new and not (old != old and new != new)  # NaN equals NaN here


def _shown(value: object) -> Any:
    """A value as JSON can say it."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if value == value and abs(value) != float("inf") else str(value)
    return str(value)[:_TOO_LONG]
