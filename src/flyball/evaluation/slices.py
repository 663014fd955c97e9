"""The subgroups of a column: its values, or ranges of its numbers, each with the rows that belong to it.

Every row belongs to exactly one group. Missing values are a group, and what is too small or too much becomes `(other)`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real
from typing import TYPE_CHECKING

from flyball.evaluation.sample import is_missing

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from flyball.evaluation.metrics.base import Values

MISSING = "(missing)"
OTHER = "(other)"
# Numbers with few distinct values are codes or counts, and read best one by one.
_MOST_CODES = 10
_RANGES = 5
_MOST_GROUPS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The rows of one value, or range, of a column.

    Attributes:
        value: The value as text, a range such as `[10, 25)`, `(missing)`, or `(other)`.
        rows: Places of its rows.
    """

    value: str
    rows: npt.NDArray[np.intp]


def group_rows(values: Sequence[object], *, min_size: int) -> tuple[Group, ...]:
    """The groups of a column: ranges in ascending order, categories by size, then `(other)` and `(missing)`.

    Numbers of more than ten distinct values are cut into fifths at edges rounded to three digits. Categories of fewer
    than `min_size` rows, and those after the fiftieth, are `(other)`.
    """
    import numpy as np

    plain = _as_list(values)
    missing = np.array([is_missing(value) for value in plain], dtype=bool)
    present = np.flatnonzero(~missing)
    known = [plain[row] for row in present.tolist()] if missing.any() else plain
    groups = [Group(value=group.value, rows=present[group.rows]) for group in _groups(known, min_size)]
    if missing.any():
        groups.append(Group(value=MISSING, rows=np.flatnonzero(missing)))
    return tuple(groups)


def _groups(known: list[object], min_size: int) -> list[Group]:
    import numpy as np

    codes, names = _factorised(known)
    if len(names) > _MOST_CODES and all(isinstance(name, Real) for name in names):
        return _ranges(np.array(known, dtype=np.float64))
    return _categories(codes, [_text(name) for name in names], min_size)


def _as_list(values: Sequence[object]) -> list[object]:
    convert = getattr(values, "tolist", None) or getattr(values, "to_pylist", None) or getattr(values, "to_list", None)
    plain: list[object] = list(values) if convert is None else convert()
    return plain


def _factorised(known: list[object]) -> tuple[npt.NDArray[np.intp], list[object]]:
    """The distinct values in order of appearance, and for each row which of them it has."""
    import numpy as np

    places: dict[object, int] = {}
    try:
        codes = [places.setdefault(value, len(places)) for value in known]
    except TypeError:  # lists and dicts cannot be looked up
        places.clear()
        codes = [places.setdefault(str(value), len(places)) for value in known]
    return np.array(codes, dtype=np.intp), list(places)


def _categories(codes: npt.NDArray[np.intp], names: list[str], min_size: int) -> list[Group]:
    import numpy as np

    sizes = np.bincount(codes, minlength=len(names))
    by_code = np.argsort(codes, kind="stable")
    rows = np.split(by_code, np.cumsum(sizes)[:-1]) if names else []
    largest = sorted(range(len(names)), key=lambda code: (-sizes[code], names[code]))
    kept = [code for code in largest if sizes[code] >= min_size][:_MOST_GROUPS]
    groups = [Group(value=names[code], rows=rows[code]) for code in kept]
    rest = np.flatnonzero(~np.isin(codes, kept))
    return [*groups, Group(value=OTHER, rows=rest)] if len(rest) else groups


def _ranges(numbers: Values) -> list[Group]:
    import numpy as np

    values, counts = np.unique(numbers, return_counts=True)
    # By the middle of each value's rows, so that one value that most rows share does not swallow its neighbours.
    fifth = ((np.cumsum(counts) - counts / 2) / len(numbers) * _RANGES).astype(np.intp)
    cuts = values[1:][np.diff(fifth) > 0]
    # Rounded before they cut, so that the name says exactly which rows are meant.
    edges = np.unique([float(f"{cut:.3g}") for cut in cuts.tolist()])
    place = np.searchsorted(edges, numbers, side="right")
    groups = [Group(value=_range(edges, k), rows=np.flatnonzero(place == k)) for k in range(len(edges) + 1)]
    return [group for group in groups if len(group.rows)]


def _range(edges: Values, place: int) -> str:
    # The outermost ranges are open, so that they keep their names when a new extreme appears.
    if place == 0:
        return f"< {edges[0]:g}"
    if place == len(edges):
        return f">= {edges[-1]:g}"
    return f"[{edges[place - 1]:g}, {edges[place]:g})"


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:g}" if isinstance(value, float) else str(value)
