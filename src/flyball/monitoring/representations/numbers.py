"""Numbers: their normal scores, by the reference's quantiles. Monotone changes of scale and outliers do not matter."""

from __future__ import annotations

from statistics import NormalDist
from typing import TYPE_CHECKING, Any

from flyball.monitoring.representations.base import Representation

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    Floats = npt.NDArray[np.float64]

_KNOTS = 65


class Numbers:
    """One component: the normal score."""

    is_table = True

    def matches(self, column: pa.ChunkedArray) -> bool:
        """Integers, floats, decimals and booleans."""
        import pyarrow.types as t

        kind = column.type
        return bool(t.is_integer(kind) or t.is_floating(kind) or t.is_decimal(kind) or t.is_boolean(kind))

    def fit(self, column: pa.ChunkedArray) -> dict[str, Any] | None:
        """Values at the quantiles, and the normal score of each."""
        import numpy as np

        values = _values(column)
        values = values[np.isfinite(values)]
        if len(values) < 2 or values.min() == values.max():
            return None
        places = (np.arange(_KNOTS) + 0.5) / _KNOTS
        cuts = np.quantile(values, places)
        scores = np.array([NormalDist().inv_cdf(place) for place in places.tolist()])
        knots, inverse, counts = np.unique(cuts, return_inverse=True, return_counts=True)
        heights = np.bincount(inverse, weights=scores) / counts
        return {"features": [""], "knots": knots.tolist(), "scores": heights.tolist()}

    def encode(self, state: dict[str, Any], column: pa.ChunkedArray) -> Floats:
        """The normal scores; 0 where a value is missing."""
        import numpy as np

        values = _values(column)
        scores = np.interp(values, state["knots"], state["scores"])
        found: Floats = np.where(np.isnan(values), 0.0, scores)[:, None]
        return found


def _values(column: pa.ChunkedArray) -> Floats:
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_boolean(column.type):
        column = pc.cast(column, pa.uint8())
    found: Floats = pc.cast(column, pa.float64(), safe=False).to_numpy().astype(np.float64)
    return found


plugin: Representation = Numbers()
