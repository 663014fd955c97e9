"""Embeddings: lists of numbers of one length, projected to at most 64 dimensions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flyball.monitoring.representations.base import Representation, moments, projected, standardised

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    Floats = npt.NDArray[np.float64]

_MOST = 64


class Embedding:
    """The components of the vector, or of its projection."""

    is_table = False

    def matches(self, column: pa.ChunkedArray) -> bool:
        """Lists of numbers."""
        import pyarrow.types as t

        kind = column.type
        is_list = t.is_list(kind) or t.is_large_list(kind) or t.is_fixed_size_list(kind)
        return bool(is_list and (t.is_floating(kind.value_type) or t.is_integer(kind.value_type)))

    def fit(self, column: pa.ChunkedArray) -> dict[str, Any] | None:
        """The length, and mean and spread of the components."""
        import pyarrow.compute as pc

        lengths = pc.mode(pc.list_value_length(column), n=1).to_pylist()
        if not lengths or not lengths[0]["mode"]:
            return None
        state: dict[str, Any] = {"length": int(lengths[0]["mode"])}
        vectors = projected(_vectors(column, state["length"]), _MOST)
        return {**state, **moments(vectors), "features": [str(place) for place in range(vectors.shape[1])]}

    def encode(self, state: dict[str, Any], column: pa.ChunkedArray) -> Floats:
        """The vectors; one of another length is 0."""
        return standardised(state, projected(_vectors(column, state["length"]), _MOST))


def _vectors(column: pa.ChunkedArray, length: int) -> Floats:
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    found: Floats = np.full((len(column), length), np.nan)
    fits = pc.fill_null(pc.equal(pc.list_value_length(column), length), False)
    values = pc.list_flatten(column.filter(fits))
    whole = pc.cast(values, pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    found[fits.to_numpy(zero_copy_only=False)] = whole.reshape(-1, length)
    return found


plugin: Representation = Embedding()
