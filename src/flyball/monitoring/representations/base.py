"""The seam of the representations: a column in, one vector for each row out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from flyball.plugins import PluginGroup

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    Floats = npt.NDArray[np.float64]


class Representation(Protocol):
    """Makes vectors of the values of a column, each component with a mean near 0 and a spread near 1.

    Attributes:
        is_table: Whether such columns are compared together, as one table; others are compared one by one.
    """

    @property
    def is_table(self) -> bool: ...

    def matches(self, column: pa.ChunkedArray) -> bool:
        """Whether it is for such a column."""
        ...

    def fit(self, column: pa.ChunkedArray) -> dict[str, Any] | None:
        """What is learned from the reference, in plain values, with `features`, the names of the components."""
        ...

    def encode(self, state: dict[str, Any], column: pa.ChunkedArray) -> Floats:
        """The vectors, shape (rows, components), all finite: a value that is missing or cannot be read is 0, the mean."""
        ...


REPRESENTATIONS: PluginGroup[Representation] = PluginGroup("representation", "flyball.monitoring.representations")


def standardised(state: dict[str, Any], vectors: Floats) -> Floats:
    """The vectors less the mean and over the spread that the state holds, at most eight spreads away; NaN becomes 0."""
    import numpy as np

    spread = np.array(state["spread"])
    scaled = (vectors - np.array(state["mean"])) / np.where(spread > 1e-12, spread, 1.0)
    kept: Floats = np.clip(np.nan_to_num(scaled, nan=0.0, posinf=8.0, neginf=-8.0), -8, 8)
    return kept


def moments(vectors: Floats) -> dict[str, Any]:
    """Mean and spread of each component, of the rows that are known."""
    import numpy as np

    known = vectors[np.isfinite(vectors).all(axis=1)]
    if not len(known):
        return {"mean": [0.0] * vectors.shape[1], "spread": [1.0] * vectors.shape[1]}
    return {"mean": known.mean(axis=0).tolist(), "spread": known.std(axis=0).tolist()}


def projected(vectors: Floats, size: int) -> Floats:
    """The vectors in fewer dimensions: a random projection, the same for every sample (Johnson and Lindenstrauss 1984)."""
    import numpy as np

    if vectors.shape[1] <= size:
        return vectors
    directions = np.random.default_rng(0).standard_normal((vectors.shape[1], size)) / size**0.5
    found: Floats = vectors @ directions
    return found
