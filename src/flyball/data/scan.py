"""A table that SQL is asked about, wherever its rows lie: in memory, in one Parquet file, in many.

DuckDB streams over the rows; nothing is loaded that the question does not need. The statements may hold conditions that
users wrote, so the connection can reach the files of the table and no others.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from flyball.data import _sql
from flyball.data.arrow import require_arrow, to_arrow, unify_fields
from flyball.data.checks.base import Ends
from flyball.errors import InvalidInput, MissingExtra
from flyball.schema import Schema

if TYPE_CHECKING:
    from types import TracebackType

    import duckdb
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    Ints = npt.NDArray[np.int64]

_ROWS = "rows"
_MEMORY = "1GB"
_PIECE = 1 << 16
_MOST_SORTED = 1 << 25


class Scan:
    """The rows of a table as the view `rows` of a DuckDB connection.

    Args:
        source: Anything that holds a table, or the paths of Parquet files whose rows belong together.
        names: What each file is called, for errors.
        others: Further tables, or paths of Parquet files, that are compared with.

    Raises:
        InvalidInput: it is no table.
        MissingExtra: DuckDB is not installed.
    """

    def __init__(
        self, source: object, *, names: Sequence[str] = (), others: Mapping[str, object] | None = None
    ) -> None:
        require_arrow()
        self._table: pa.Table | None = None
        self.paths = _paths(source)
        if self.paths:
            self.arrow_schema, self._counts = _inspect(self.paths, names)
            self.num_rows = sum(self._counts)
        else:
            self._table = to_arrow(source)
            self.arrow_schema, self.num_rows = self._table.schema, self._table.num_rows
        self.schema = Schema.of(self.arrow_schema)
        self.aliases = _aliases(self.schema.names)
        more = {name: _paths(other) for name, other in (others or {}).items()}
        self._distinct: dict[str, tuple[int, int]] = {}
        self._connection = _connect([*self.paths, *(path for paths in more.values() for path in paths)])
        self._view(_ROWS, self._table, self.paths, self.arrow_schema)
        self._others = {
            name: self._add_other(f"other_{place}", other, more[name])
            for place, (name, other) in enumerate((others or {}).items())
        }

    @property
    def table(self) -> pa.Table | None:
        """The rows, where they are in memory."""
        return self._table

    def ref(self, column: str) -> str:
        """The column as SQL names it."""
        return _sql.name(self.aliases[column])

    def arrow_type(self, column: str) -> pa.DataType:
        """Arrow's type of the column."""
        return self.arrow_schema.field(column).type

    def other(self, table: str) -> tuple[str, _Other]:
        """Another table as SQL names it, and what is known of it.

        Raises:
            InvalidInput: there is none of that name.
        """
        if table not in self._others:
            raise InvalidInput(f"There is no table '{table}' to compare with.", hint="Hand it over: tables={...}.")
        return self._others[table]

    def row(self, expressions: Mapping[str, str]) -> dict[str, Any]:
        """The values of aggregates over all rows, by the names that they are given."""
        if not expressions:
            return {}
        listed = ", ".join(f"{expression} AS a{place}" for place, expression in enumerate(expressions.values()))
        values = self.query(_sql.select(listed))[0]
        # `count_if` of no rows is NULL to DuckDB.
        return {
            name: 0 if value is None and expression.startswith("count") else value
            for (name, expression), value in zip(expressions.items(), values, strict=True)
        }

    def ends(self, columns: Sequence[str], also: Mapping[str, str]) -> tuple[dict[str, Ends], dict[str, Any]]:
        """Between what columns of numbers lie, without those that hold NaN; and other aggregates."""
        asked = {
            f"{place} {what}": f"{what}({self.ref(name)})"
            for place, name in enumerate(columns)
            for what in ("count", "min", "max")
        }
        seen = self.row(asked | dict(also))
        found = {}
        for place, name in enumerate(columns):
            known, low, high = (seen[f"{place} {what}"] for what in ("count", "min", "max"))
            if high == high:  # to DuckDB, NaN is greater than all numbers
                found[name] = Ends(rows=self.num_rows, missing=self.num_rows - known, not_numbers=0, low=low, high=high)
        return found, {name: seen[name] for name in also}

    def distinct(self, column: str) -> tuple[int, int]:
        """How many values of a column are known, and how many different ones they are; NaN is missing."""
        if column not in self._distinct:
            self._distinct[column] = self._count_distinct(column)
        return self._distinct[column]

    def query(self, statement: str, given: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """The rows that a statement gives.

        Raises:
            InvalidInput: DuckDB refuses it.
        """
        import duckdb

        try:
            return self._connection.execute(statement, list(given)).fetchall()
        except duckdb.Error as error:
            raise InvalidInput(f"DuckDB cannot answer: {_reason(error)}") from error

    def arrow(self, statement: str) -> pa.Table:
        """The rows that a statement gives, as Arrow.

        Raises:
            InvalidInput: DuckDB refuses it.
        """
        import duckdb

        try:
            found = self._connection.sql(statement).to_arrow_table()
        except duckdb.Error as error:
            raise InvalidInput(f"DuckDB cannot answer: {_reason(error)}") from error
        back = {alias: name for name, alias in self.aliases.items()}
        return to_arrow(found.rename_columns([back.get(name, name) for name in found.column_names]))

    def explains(self, statement: str) -> str:
        """Why DuckDB refuses a statement; empty if it would not."""
        import duckdb

        try:
            self._connection.execute(f"EXPLAIN {statement}")
        except duckdb.Error as error:
            return _reason(error)
        return ""

    def take(self, places: Ints, columns: Sequence[str] | None = None) -> pa.Table:
        """The rows at these places, which ascend; a place may come twice."""
        import numpy as np
        import pyarrow as pa

        names = list(self.schema.names if columns is None else columns)
        if self._table is not None:
            return self._table.select(names).take(pa.array(places))
        kept, again = np.unique(places, return_inverse=True)
        parts, first = [], 0
        for path, count in zip(self.paths, self._counts, strict=True):
            own = kept[(kept >= first) & (kept < first + count)] - first
            if len(own):
                parts.append(self._take_of(path, own))
            first += count
        found = pa.concat_tables(parts, promote_options="permissive") if parts else self.arrow_schema.empty_table()
        return to_arrow(found.select(names)).take(pa.array(again))

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """All rows of some columns, in pieces; a column that a file lacks is lacking in its pieces."""
        import pyarrow.parquet as pq

        if self._table is not None:
            yield from self._table.select(list(columns)).to_batches()
            return
        for path in self.paths:
            # Not mapped into memory: what was read would count as ours until the file is closed.
            with pq.ParquetFile(path, memory_map=False) as file:
                own = [name for name in columns if name in file.schema_arrow.names]
                # Group by group: asked for all at once, the reader takes three times the processor and keeps them all.
                for group in range(file.num_row_groups if own else 0):
                    yield from file.iter_batches(_PIECE, row_groups=[group], columns=own, use_threads=False)

    def sample(self, rows: int, *, seed: int = 0) -> pa.Table:
        """So many rows drawn at random without repetition, in their order; all, where there are no more."""
        import numpy as np

        if rows >= self.num_rows:
            return self.take(np.arange(self.num_rows))
        return self.take(np.sort(np.random.default_rng(seed).choice(self.num_rows, rows, replace=False)))

    def close(self) -> None:
        """Lets the connection go."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _count_distinct(self, column: str) -> tuple[int, int]:
        import numpy as np
        import pyarrow.types as t

        if t.is_integer(self.arrow_type(column)) and self.num_rows <= _MOST_SORTED:
            # Sorting whole numbers takes a fifth of what it takes to put them into a table of hashes.
            parts = [batch.column(0).drop_null().to_numpy() for batch in self.batches([column])]
            values = np.sort(np.concatenate(parts)) if parts else np.empty(0)
            return len(values), int(np.count_nonzero(values[1:] != values[:-1])) + bool(len(values))
        ref = self.ref(column)
        condition = f"WHERE NOT isnan({ref})" if t.is_floating(self.arrow_type(column)) else ""
        # Of its own: beside other aggregates, DuckDB keeps all rows for a distinct one.
        known, different = self.query(_sql.select(f"count({ref}), count(DISTINCT {ref})", condition))[0]
        return int(known), int(different)

    def _take_of(self, path: Path, places: Ints) -> pa.Table:
        import pyarrow as pa

        self._connection.register("places", pa.table({"place": places}))
        try:
            # Only the files' own columns: what a file lacks, the others add.
            statement = _sql.select(
                "* EXCLUDE (file_row_number)",
                "WHERE file_row_number IN (SELECT place FROM places) ORDER BY file_row_number",
                of=f"read_parquet({_sql.text(str(path))}, file_row_number=true)",
            )
            return self._connection.sql(statement).to_arrow_table()
        finally:
            self._connection.unregister("places")

    def _add_other(self, view: str, source: object, paths: Sequence[Path]) -> tuple[str, _Other]:
        table = None if paths else to_arrow(source)
        schema = _inspect(paths, ())[0] if table is None else table.schema
        self._view(view, table, paths, schema)
        return view, _Other(schema)

    def _view(self, view: str, table: pa.Table | None, paths: Sequence[Path], schema: pa.Schema) -> None:
        import duckdb

        listed = ", ".join(_sql.name(alias) for alias in _aliases(schema.names).values())
        if not listed:
            raise InvalidInput("The table has no column.")
        try:
            if table is not None:
                self._connection.register(f"source_of_{view}", _readable(table))
                source = f"source_of_{view}"
            else:
                files = ", ".join(_sql.text(str(path)) for path in paths)
                source = f"read_parquet([{files}], union_by_name={len(paths) > 1})"
            columns = _sql.select("*", of=f"{source} AS source({listed})")
            self._connection.execute(f"CREATE TEMP VIEW {view} AS {columns}")
        except duckdb.Error as error:
            raise InvalidInput(f"The table cannot be asked about with SQL: {_reason(error)}") from error


class _Other:
    """What is known of another table."""

    def __init__(self, arrow: pa.Schema) -> None:
        self._arrow = arrow
        self._aliases = _aliases(arrow.names)
        self.schema = Schema.of(arrow)

    def ref(self, column: str) -> str:
        return _sql.name(self._aliases[column])

    def arrow_type(self, column: str) -> pa.DataType:
        return self._arrow.field(column).type

    def explains(self, statement: str) -> str:
        raise InvalidInput("Another table answers no statements of its own.")

    def distinct(self, column: str) -> tuple[int, int]:
        raise InvalidInput("Another table answers no statements of its own.")

    def other(self, table: str) -> tuple[str, _Other]:
        raise InvalidInput(f"There is no table '{table}' to compare with.")


def _connect(paths: Sequence[Path]) -> duckdb.DuckDBPyConnection:
    try:
        import duckdb
    except ImportError as error:
        raise MissingExtra("Asking a table with SQL needs DuckDB.", hint="pip install 'flyball[data]'") from error
    connection = duckdb.connect()
    # A large table must not push other programs out of memory: what does not fit goes to files.
    connection.execute(f"SET memory_limit='{_MEMORY}'")
    connection.execute(f"SET temp_directory={_sql.text(tempfile.gettempdir() + '/flyball-duckdb')}")
    connection.execute("SET TimeZone='UTC'")
    connection.execute("SET enable_progress_bar=false")
    # Least and greatest values in a Parquet file leave NaN out. DuckDB 2.0 takes them for the whole truth and answers that
    # no value is NaN, or greater than the greatest.
    connection.execute("SET disabled_optimizers='statistics_propagation,filter_pushdown'")
    if paths:
        allowed = ", ".join(_sql.text(str(path)) for path in paths)
        connection.execute(f"SET allowed_paths=[{allowed}]")
    connection.execute("SET enable_external_access=false")
    connection.execute("SET lock_configuration=true")
    return connection


def _paths(source: object) -> tuple[Path, ...]:
    if isinstance(source, Path):
        return (source,)
    if isinstance(source, list | tuple) and all(isinstance(path, Path) for path in source):
        return tuple(source)
    return ()


def _inspect(paths: Sequence[Path], names: Sequence[str]) -> tuple[pa.Schema, list[int]]:
    import pyarrow as pa

    from flyball.data._files import inspect_file

    called = list(names) or [f"'{path.name}'" for path in paths]
    seen = [inspect_file(path, "parquet", name) for path, name in zip(paths, called, strict=True)]
    return pa.schema(unify_fields([schema for schema, _ in seen], called)), [rows for _, rows in seen]


def _aliases(names: Sequence[str]) -> dict[str, str]:
    """A name that SQL can use for each column: its own, unless it is empty or differs from another by case alone."""
    found: dict[str, str] = {}
    taken = {name.lower() for name in names}
    seen: set[str] = set()
    for place, name in enumerate(names):
        alias = name
        if not name or "\0" in name or name.lower() in seen:
            alias = f"column_{place}"
            while alias in taken:
                alias += "_"
        seen.add(alias.lower())
        found[name] = alias
    return found


def _readable(table: pa.Table) -> pa.Table:
    # What DuckDB cannot read as it is: half precision, and decimals of more than 38 digits.
    import pyarrow as pa
    import pyarrow.types as t

    fields = [
        pa.field(field.name, pa.float32() if t.is_float16(field.type) else pa.float64())
        if t.is_float16(field.type) or t.is_decimal256(field.type)
        else field
        for field in table.schema
    ]
    wanted = pa.schema(fields)
    cast = table if wanted.equals(table.schema) else table.cast(wanted, safe=False)
    return cast.rename_columns([f"c{place}" for place in range(cast.num_columns)])


def _reason(error: Exception) -> str:
    text = str(error).partition("\n\nLINE")[0].strip().replace("\n", " ")
    return text[:300] + ("" if text.endswith((".", "?", "!")) else ".")
