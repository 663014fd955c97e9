"""Arrow tables as pandas frames, the same way in training and in serving."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


def to_pandas(table: pa.Table) -> pd.DataFrame:
    """The table as a frame whose types do not depend on the pandas version.

    Texts are objects with None where missing; booleans with missing values likewise; whole numbers with missing values
    are floats with NaN; timestamps are `datetime64[us, UTC]`; dictionaries are their plain values.
    """
    import pandas as pd

    columns = {name: _values(column) for name, column in zip(table.column_names, table.columns, strict=True)}
    return pd.DataFrame(columns, index=pd.RangeIndex(table.num_rows))


def _values(column: pa.ChunkedArray) -> object:
    import pandas as pd
    import pyarrow as pa

    kind = column.type
    if pa.types.is_dictionary(kind):
        column = column.cast(kind.value_type)
        kind = column.type
    if pa.types.is_boolean(kind) or pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return column.to_numpy()
    if pa.types.is_timestamp(kind):
        moments = column.cast(pa.timestamp("us", tz=kind.tz)).to_numpy()
        return pd.DatetimeIndex(moments).tz_localize("UTC")
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        # Without the explicit dtype pandas 3 makes them its own string type, in which None becomes NaN.
        return pd.Series(column.to_numpy(), dtype=object)
    return column.to_pandas()
