"""Categories: which of the ten most frequent ones a row has, each over its own spread."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flyball.monitoring.representations.base import Representation

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    Floats = npt.NDArray[np.float64]

_MOST_LEVELS = 10
_LEAST_SHARE = 0.02
_MOST_DISTINCT = 0.5


class Categories:
    """One component for each frequent category."""

    is_table = True

    def matches(self, column: pa.ChunkedArray) -> bool:
        """Texts that repeat."""
        import pyarrow.compute as pc

        if not is_text(column.type) or column.null_count == len(column):
            return False
        distinct = pc.count_distinct(plain(column)).as_py()
        return bool(distinct <= max(20, _MOST_DISTINCT * len(column)))

    def fit(self, column: pa.ChunkedArray) -> dict[str, Any] | None:
        """The frequent categories with their shares."""
        import pyarrow.compute as pc

        counts = pc.value_counts(plain(column)).to_pylist()
        known = [(pair["values"], pair["counts"] / len(column)) for pair in counts if pair["values"] is not None]
        frequent = sorted((pair for pair in known if _LEAST_SHARE <= pair[1] < 1), key=lambda pair: (-pair[1], pair[0]))
        kept = frequent[:_MOST_LEVELS]
        if not kept:
            return None
        return {"features": [level for level, _ in kept], "shares": [share for _, share in kept]}

    def encode(self, state: dict[str, Any], column: pa.ChunkedArray) -> Floats:
        """`(1 - share) / spread` where a row has the category, `-share / spread` elsewhere."""
        import numpy as np
        import pyarrow as pa
        import pyarrow.compute as pc

        levels = pa.array(state["features"], pa.string())
        texts = plain(column)
        places = pc.fill_null(pc.index_in(texts, value_set=levels), -1).to_numpy()
        shares = np.array(state["shares"])
        has = places[:, None] == np.arange(len(shares))[None, :]
        found: Floats = (has - shares) / np.sqrt(shares * (1 - shares))
        found[pc.is_null(texts).to_numpy()] = 0.0
        return found


def is_text(kind: pa.DataType) -> bool:
    """Whether values of the type are texts."""
    import pyarrow.types as t

    kind = kind.value_type if t.is_dictionary(kind) else kind
    return bool(t.is_string(kind) or t.is_large_string(kind) or t.is_string_view(kind))


def plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """The column as plain strings."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_dictionary(column.type):
        column = pa.chunked_array([chunk.dictionary_decode() for chunk in column.chunks], column.type.value_type)
    return pc.cast(column, pa.string())


plugin: Representation = Categories()
