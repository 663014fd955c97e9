"""A table whose columns have roles: what names a row, when it happened, what is to be predicted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from flyball.data.arrow import require_arrow, to_arrow
from flyball.errors import InvalidInput, MissingExtra, did_you_mean
from flyball.serialization import from_json, to_json

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd
    import pyarrow as pa

_ROLES = b"flyball.roles"


class Table:
    """An Arrow table with roles. It never changes; its methods give new ones.

    Args:
        arrow: Anything that holds a table: Arrow, pandas, Polars, DuckDB.
        key: Column that names a row.
        time: Column that says when the row's thing happened.
        label: Column that a model shall predict.
        label_time: Column that says when the label became known.

    Raises:
        InvalidInput: a column with a role is not there.
    """

    __slots__ = ("arrow", "key", "label", "label_time", "time")

    def __init__(self, arrow: object, key: str = "", time: str = "", label: str = "", label_time: str = "") -> None:
        self.arrow: pa.Table = to_arrow(arrow)
        self.key = key
        self.time = time
        self.label = label
        self.label_time = label_time
        for role, column in self.roles.items():
            if column and column not in self.column_names:
                raise InvalidInput(
                    f"There is no column '{column}' to be the {role.replace('_', ' ')}.",
                    hint=did_you_mean(column, self.column_names),
                )

    @property
    def roles(self) -> dict[str, str]:
        """The column of each role; empty where there is none. `Table(arrow, **roles)` makes the table again."""
        return {"key": self.key, "time": self.time, "label": self.label, "label_time": self.label_time}

    @property
    def column_names(self) -> list[str]:
        """The names of all columns."""
        return list(self.arrow.column_names)

    def __len__(self) -> int:
        """How many rows there are."""
        return int(self.arrow.num_rows)

    def __repr__(self) -> str:
        roles = "".join(f", {role}='{column}'" for role, column in self.roles.items() if column)
        return f"<Table of {len(self):,} rows, {len(self.column_names)} columns{roles}>"

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """The rows, for any library that reads Arrow."""
        return self.arrow.__arrow_c_stream__(requested_schema)

    def column(self, name: str) -> pa.ChunkedArray:
        """One column.

        Raises:
            InvalidInput: there is none of that name.
        """
        self._check(name)
        return self.arrow.column(name)

    def select(self, columns: Sequence[str]) -> Table:
        """Only these columns; a role whose column is not among them is gone.

        Raises:
            InvalidInput: there is no column of a name.
        """
        known = set(self.column_names)
        for name in columns:
            if name not in known:
                self._check(name)
        return self.with_arrow(self.arrow.select(list(columns)))

    def filter(self, mask: object) -> Table:
        """Only the rows for which the mask is true; null counts as false.

        Args:
            mask: Booleans (Arrow, numpy, pandas, a list) or an Arrow expression.

        Raises:
            InvalidInput: the mask is of another length, or not of booleans.
        """
        import pyarrow as pa
        import pyarrow.compute as pc

        if isinstance(mask, pc.Expression):
            return self.with_arrow(self.arrow.filter(mask))
        rows: Any = mask if isinstance(mask, (pa.Array, pa.ChunkedArray)) else pa.array(mask, from_pandas=True)
        if not pa.types.is_boolean(rows.type) or len(rows) != len(self):
            raise InvalidInput(
                f"A mask of {len(rows):,} values of type {rows.type} does not fit {len(self):,} rows.",
                hint="Give one boolean for each row.",
            )
        return self.with_arrow(self.arrow.filter(rows))

    def labelled(self, label: str | None = None) -> Table:
        """Only the rows whose label is known."""
        return self.filter(self.column(self._label(label)).is_valid())

    def with_arrow(self, arrow: object) -> Table:
        """Other rows or columns with the same roles; a role whose column is no longer there is gone."""
        table = to_arrow(arrow)
        names = set(table.column_names)
        return Table(table, **{role: column for role, column in self.roles.items() if column in names})

    def to_pandas(self) -> pd.DataFrame:
        """All columns as a pandas frame, in types that scikit-learn takes.

        Strings become categories in sorted order, so that estimators which know categories (such as
        HistGradientBoosting) and encoders both take them; missing ones are missing in either. Whole numbers and
        booleans with missing values become floats with NaN, decimals become floats, dates become timestamps.
        """
        return _frame(self.arrow)

    def inputs(self, label: str | None = None) -> pa.Table:
        """What a model may look at, as Arrow: all columns but those with a role, and but the label."""
        roles = {*self.roles.values(), label}
        return self.arrow.select([name for name in self.column_names if name not in roles])

    def x(self, label: str | None = None) -> pd.DataFrame:
        """What a model may look at, as a pandas frame: see `inputs`."""
        return _frame(self.inputs(label))

    def xy(self, label: str | None = None) -> tuple[pd.DataFrame, npt.NDArray[Any]]:
        """What a model may look at, and what it shall predict.

        Args:
            label: The column to predict; the table's own label by default.

        Raises:
            InvalidInput: there is no label, or rows whose label is not known.
        """
        name = self._label(label)
        values = self.column(name)
        if values.null_count:
            raise InvalidInput(
                f"The label '{name}' is missing in {values.null_count:,} of {len(self):,} rows.",
                hint="Take the others with .labelled().",
            )
        return self.x(name), _values(values)

    def _label(self, label: str | None) -> str:
        name = self.label if label is None else label
        if not name:
            raise InvalidInput("The table has no label.", hint="Name it: rows.xy('late').")
        self._check(name)
        return name

    def _check(self, name: str) -> None:
        if name not in self.column_names:
            raise InvalidInput(f"There is no column '{name}'.", hint=did_you_mean(name, self.column_names))


def write_table(table: Table) -> bytes:
    """The table with its roles, as Parquet; `read_table` reads it back."""
    return parquet(table.arrow.replace_schema_metadata({_ROLES: to_json(table.roles)}))


def parquet(table: pa.Table) -> bytes:
    """An Arrow table as Parquet that is read as a whole, such as what a step hands on."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = pa.BufferOutputStream()
    # To look for repeated numbers costs several times what the rest does, and nobody asks for a part of the rows.
    texts = [field.name for field in table.schema if pa.types.is_string(field.type) or pa.types.is_binary(field.type)]
    pq.write_table(table, sink, compression="zstd", use_dictionary=texts or False, write_statistics=False)
    written: bytes = sink.getvalue().to_pybytes()
    return written


def read_table(data: bytes) -> Table:
    """The table that `write_table` wrote.

    Raises:
        InvalidInput: the bytes are no Parquet.
    """
    require_arrow()
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        found = pq.read_table(pa.BufferReader(data))
    except pa.ArrowException as error:
        raise InvalidInput(f"These bytes hold no table: {error}.") from error
    roles = (found.schema.metadata or {}).get(_ROLES, b"{}")
    return Table(found, **from_json(roles, dict[str, str]))


def as_moments(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Times in microseconds, in UTC; times without a zone are UTC, dates are midnight.

    Raises:
        InvalidInput: the column holds no times.
    """
    import pyarrow as pa
    import pyarrow.types as t

    if not (t.is_timestamp(column.type) or t.is_date(column.type) or t.is_null(column.type)):
        raise InvalidInput(f"A column of type {column.type} holds no times.", hint="Cast it to a timestamp.")
    return column.cast(pa.timestamp("us"), safe=False).cast(pa.timestamp("us", "UTC"))


def _frame(table: pa.Table) -> pd.DataFrame:
    try:
        import pandas as pd
    except ImportError as error:
        raise MissingExtra(
            "Handing rows to an estimator needs pandas.", hint="pip install 'flyball[sklearn]'"
        ) from error
    return pd.DataFrame(
        {name: _series(column) for name, column in zip(table.column_names, table.columns, strict=True)},
        index=pd.RangeIndex(table.num_rows),
    )


def _series(column: pa.ChunkedArray) -> Any:
    import pandas as pd
    import pyarrow as pa
    import pyarrow.types as t

    kind = column.type
    if t.is_string(kind):
        encoded = column.combine_chunks().dictionary_encode()
        if isinstance(encoded, pa.ChunkedArray):  # more text than one array holds
            encoded = encoded.unify_dictionaries().combine_chunks()
        codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
        found = pd.Categorical.from_codes(codes, categories=encoded.dictionary.to_numpy(zero_copy_only=False))
        return found.reorder_categories(sorted(found.categories))
    if t.is_date(kind):
        column = column.cast(pa.timestamp("ms"))
    elif t.is_null(kind):
        column = column.cast(pa.float64())
    elif t.is_decimal(kind) or (column.null_count and (t.is_boolean(kind) or t.is_integer(kind))):
        # A null in a column of booleans would make objects of it, which no estimator takes.
        column = (column.cast(pa.int8()) if t.is_boolean(kind) else column).cast(pa.float64(), safe=False)
    return column.to_pandas()


def _values(column: pa.ChunkedArray) -> npt.NDArray[Any]:
    import pyarrow.types as t

    if t.is_decimal(column.type):
        column = column.cast("float64")
    found: npt.NDArray[np.generic] = column.to_numpy()
    return found
