"""How the columns of a sample go together."""

from __future__ import annotations

import math
from collections.abc import Collection
from itertools import combinations
from typing import TYPE_CHECKING

from flyball.data.profile import Correlation

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    Floats = npt.NDArray[np.float64]

_ROWS = 10_000
_MOST_COLUMNS = 40
_MOST_LEVELS = 50
_LEAST_PAIRS = 10


def correlations(table: pa.Table, left_out: Collection[str] = ()) -> tuple[Correlation, ...]:
    """Correlations of all pairs of up to 40 numeric and 40 other columns, the strongest first.

    Pairs of rows where either value is missing are left out.
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.types as t

    rows = table.num_rows
    part = table if rows <= _ROWS else table.take(pa.array(np.linspace(0, rows - 1, _ROWS).astype(np.int64)))
    names = [name for name in part.column_names if name not in left_out]
    numeric = [
        n for n in names if t.is_integer(part[n].type) or t.is_floating(part[n].type) or t.is_decimal(part[n].type)
    ]
    others = [n for n in names if t.is_string(part[n].type) or t.is_boolean(part[n].type)]
    found = _of_numbers({name: _numbers(part[name]) for name in numeric[:_MOST_COLUMNS]})
    codes = {name: _codes(part[name]) for name in others[:_MOST_COLUMNS]}
    few = {name: code for name, code in codes.items() if 1 < int(code.max(initial=-1)) + 1 <= _MOST_LEVELS}
    for one, other in combinations(few, 2):
        value = cramers_v(few[one], few[other])
        if value is not None:
            found.append(Correlation(one=one, other=other, kind="cramer", value=value))
    return tuple(sorted(found, key=lambda each: (-abs(each.value), each.kind, each.one, each.other)))


def cramers_v(one: npt.NDArray[np.int64], other: npt.NDArray[np.int64]) -> float | None:
    """Cramer's V of two codings (-1 is missing), without its bias (Bergsma 2013); None where it is not defined."""
    import numpy as np

    both = (one >= 0) & (other >= 0)
    n = int(both.sum())
    if n < _LEAST_PAIRS:
        return None
    width = int(other.max()) + 1
    counts = np.bincount(one[both] * width + other[both], minlength=(int(one.max()) + 1) * width).reshape(-1, width)
    counts = counts[counts.sum(1) > 0][:, counts.sum(0) > 0]
    r, k = counts.shape
    if r < 2 or k < 2:
        return None
    expected = np.outer(counts.sum(1), counts.sum(0)) / n
    phi = float(((counts - expected) ** 2 / expected).sum()) / n
    phi = max(0.0, phi - (k - 1) * (r - 1) / (n - 1))
    r_, k_ = r - (r - 1) ** 2 / (n - 1), k - (k - 1) ** 2 / (n - 1)
    return round(min(1.0, math.sqrt(phi / max(min(r_, k_) - 1, 1e-9))), 4)


def ranks(values: Floats) -> Floats:
    """Ranks of values, ties sharing the mean of theirs."""
    import numpy as np

    order = np.argsort(values, kind="stable")
    _, inverse, counts = np.unique(values[order], return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    found = np.empty(len(values))
    found[order] = (ends - (counts - 1) / 2)[inverse]
    return found


def _of_numbers(columns: dict[str, Floats]) -> list[Correlation]:
    import numpy as np

    found: list[Correlation] = []
    whole = {name: values for name, values in columns.items() if not np.isnan(values).any()}
    ranked = {name: ranks(values) for name, values in whole.items()}
    for one, other in combinations(columns, 2):
        x, y = columns[one], columns[other]
        if one in whole and other in whole:
            pairs = {"pearson": (x, y), "spearman": (ranked[one], ranked[other])}
        else:
            both = ~(np.isnan(x) | np.isnan(y))
            pairs = {"pearson": (x[both], y[both]), "spearman": (ranks(x[both]), ranks(y[both]))}
        value = _pearson(*pairs["pearson"])
        if value is not None:
            found.append(Correlation(one=one, other=other, kind="pearson", value=value))
        value = _pearson(*pairs["spearman"])
        if value is not None:
            found.append(Correlation(one=one, other=other, kind="spearman", value=value))
    return found


def _pearson(x: Floats, y: Floats) -> float | None:
    import numpy as np

    if len(x) < _LEAST_PAIRS:
        return None
    with np.errstate(over="ignore", invalid="ignore"):
        a, b = x - x.mean(), y - y.mean()
        scale = math.sqrt(float(a @ a)) * math.sqrt(float(b @ b))
    if not scale or not math.isfinite(scale):
        return None
    return round(max(-1.0, min(1.0, float(a @ b) / scale)), 4)


def _numbers(column: pa.ChunkedArray) -> Floats:
    import numpy as np
    import pyarrow as pa

    values: Floats = column.cast(pa.float64(), safe=False).to_numpy().astype(np.float64)
    values[~np.isfinite(values)] = np.nan
    return values


def _codes(column: pa.ChunkedArray) -> npt.NDArray[np.int64]:
    import pyarrow as pa

    encoded = column.cast(pa.string()).combine_chunks().dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.unify_dictionaries().combine_chunks()
    codes: npt.NDArray[np.int64] = encoded.indices.cast(pa.int64()).fill_null(-1).to_numpy(zero_copy_only=False)
    return codes
