"""Free text: hashed words and runs of three letters, projected to 32 dimensions, and its length.

Source: feature hashing: Weinberger et al., ICML 2009. Give embeddings of a language model as a column of lists instead where
meaning counts more than wording.
"""

from __future__ import annotations

import math
import re
import zlib
from typing import TYPE_CHECKING, Any

from flyball.monitoring.representations.base import Representation, moments, projected, standardised
from flyball.monitoring.representations.categories import is_text, plain

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    Floats = npt.NDArray[np.float64]

_BUCKETS = 512
_KEPT = 32
_LONGEST = 2_000
_WORD = re.compile(r"\w+")


class Text:
    """What words and letters a text has, and how long it is."""

    is_table = False

    def matches(self, column: pa.ChunkedArray) -> bool:
        """Texts, whether they repeat or not: categories are asked first."""
        return is_text(column.type) and column.null_count < len(column)

    def fit(self, column: pa.ChunkedArray) -> dict[str, Any] | None:
        """Mean and spread of the components."""
        vectors = _vectors(column)
        names = [f"words {place}" for place in range(vectors.shape[1] - 1)]
        return {**moments(vectors), "features": [*names, "length"]}

    def encode(self, state: dict[str, Any], column: pa.ChunkedArray) -> Floats:
        """The vectors; 0 where there is no text."""
        return standardised(state, _vectors(column))


def _vectors(column: pa.ChunkedArray) -> Floats:
    import numpy as np

    counts = np.zeros((len(column), _BUCKETS))
    lengths = np.full((len(column), 1), np.nan)
    for row, text in enumerate(plain(column).to_pylist()):
        if text is None:
            continue
        lengths[row] = math.log1p(len(text))
        for piece in _pieces(text[:_LONGEST].casefold()):
            counts[row, piece] += 1
    norms = np.sqrt((counts**2).sum(axis=1, keepdims=True))
    scaled = counts / np.where(norms > 0, norms, 1.0)
    found: Floats = np.concatenate([projected(scaled, _KEPT), lengths], axis=1)
    found[np.isnan(lengths[:, 0])] = np.nan
    return found


def _pieces(text: str) -> list[int]:
    words = _WORD.findall(text)
    runs = [word[i : i + 3] for word in words for i in range(max(1, len(word) - 2))]
    return [zlib.crc32(piece.encode()) % _BUCKETS for piece in (*words, *runs)]


plugin: Representation = Text()
