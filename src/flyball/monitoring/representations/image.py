"""Images: brightness, contrast, colours, saturation, sharpness and shape of encoded pictures. It needs Pillow.

Sharpness is the logarithm of the variance of the Laplacian (Pech-Pacheco et al., ICPR 2000). Give embeddings as a column of
lists instead where what is seen counts more than how.
"""

from __future__ import annotations

import io
import math
from typing import TYPE_CHECKING, Any

from flyball.errors import MissingExtra
from flyball.monitoring.representations.base import Representation, moments, standardised

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    Floats = npt.NDArray[np.float64]

_FEATURES = (
    "brightness", "contrast", "red", "green", "blue", "spread of red", "spread of green", "spread of blue", "saturation",
    "sharpness", "aspect", "size",
)  # fmt: skip
_SIDE = 64
_MOST_PIXELS = 50_000_000


class Image:
    """Twelve numbers of a picture."""

    is_table = False

    def matches(self, column: pa.ChunkedArray) -> bool:
        """Bytes, or structs with a field `bytes`."""
        import pyarrow.types as t

        kind = column.type
        if t.is_struct(kind):
            return any(kind.field(i).name == "bytes" for i in range(kind.num_fields))
        return bool(t.is_binary(kind) or t.is_large_binary(kind))

    def fit(self, column: pa.ChunkedArray) -> dict[str, Any] | None:
        """Mean and spread of the numbers; None where no picture can be read."""
        import numpy as np

        vectors = _vectors(column)
        if not np.isfinite(vectors).all(axis=1).any():
            return None
        return {**moments(vectors), "features": list(_FEATURES)}

    def encode(self, state: dict[str, Any], column: pa.ChunkedArray) -> Floats:
        """The numbers; 0 where there is no picture, or none that can be read."""
        return standardised(state, _vectors(column))


def _vectors(column: pa.ChunkedArray) -> Floats:
    import numpy as np

    values = column.to_pylist()
    found: Floats = np.full((len(values), len(_FEATURES)), np.nan)
    for row, value in enumerate(values):
        data = value.get("bytes") if isinstance(value, dict) else value
        if data:
            found[row] = _numbers(data)
    return found


def _numbers(data: bytes) -> Floats:
    import numpy as np

    try:
        from PIL import Image as Pictures
        from PIL import UnidentifiedImageError
    except ImportError as error:
        raise MissingExtra("Comparing images needs Pillow.", hint="pip install pillow") from error
    nothing: Floats = np.full(len(_FEATURES), np.nan)
    try:
        with Pictures.open(io.BytesIO(data)) as opened:
            width, height = opened.size
            if not 0 < width * height <= _MOST_PIXELS:
                return nothing
            small = opened.convert("RGB").resize((_SIDE, _SIDE))
    except (
        UnidentifiedImageError,
        OSError,
        ValueError,
        SyntaxError,
    ):  # what Pillow raises at bytes that are no picture
        return nothing
    pixels = np.asarray(small, dtype=np.float64) / 255
    grey = pixels @ np.array([0.299, 0.587, 0.114])
    saturation = pixels.max(axis=2) - pixels.min(axis=2)
    edges = 4 * grey[1:-1, 1:-1] - grey[:-2, 1:-1] - grey[2:, 1:-1] - grey[1:-1, :-2] - grey[1:-1, 2:]
    found: Floats = np.array([
        grey.mean(), grey.std(), *pixels.mean(axis=(0, 1)), *pixels.std(axis=(0, 1)), saturation.mean(),
        math.log(float(edges.var()) + 1e-6), math.log(width / height), math.log(width * height),
    ])  # fmt: skip
    return found


plugin: Representation = Image()
