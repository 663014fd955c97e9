"""Arrow tables as pandas frames, in serving as in training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


def to_pandas(table: pa.Table) -> pd.DataFrame:
    """The table as the frame that `Table.to_pandas` gives to training, in types that scikit-learn takes.

    Strings become categories in sorted order, missing ones are missing; whole numbers and booleans with missing values
    become floats with NaN, decimals become floats, dates become timestamps.
    """
    import pandas as pd

    # An encoder that learned NaN for "missing" takes None for a value it never saw, and says nothing. So this must give
    # what training saw, to the letter; a test holds both equal.
    columns = {name: _series(column) for name, column in zip(table.column_names, table.columns, strict=True)}
    return pd.DataFrame(columns, index=pd.RangeIndex(table.num_rows))


def _series(column: pa.ChunkedArray) -> Any:
    import pyarrow as pa
    import pyarrow.types as t

    kind = column.type
    if t.is_string(kind) or t.is_large_string(kind) or t.is_dictionary(kind):
        return _categories(column.cast(kind.value_type) if t.is_dictionary(kind) else column)
    if t.is_date(kind):
        return column.cast(pa.timestamp("ms")).to_pandas()
    if t.is_null(kind) or t.is_decimal(kind):
        return column.cast(pa.float64(), safe=False).to_numpy()
    if t.is_boolean(kind) and column.null_count:
        column = column.cast(pa.int8())
    if t.is_boolean(kind) or t.is_integer(kind) or t.is_floating(kind):
        return column.to_numpy()  # far cheaper than a series, and whole numbers with gaps become floats all the same
    return column.to_pandas()


def _categories(column: pa.ChunkedArray) -> Any:
    import numpy as np
    import pandas as pd

    encoded = column.combine_chunks().dictionary_encode()
    if hasattr(encoded, "unify_dictionaries"):  # more text than one array holds
        encoded = encoded.unify_dictionaries().combine_chunks()
    found = encoded.dictionary.to_numpy(zero_copy_only=False)
    order = np.argsort(found)
    ranks = np.empty(len(order) + 1, np.int64)
    ranks[order], ranks[-1] = np.arange(len(order)), -1
    codes = ranks[encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)]
    return pd.Categorical.from_codes(codes, categories=found[order], validate=False)
