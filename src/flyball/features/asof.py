"""Which feature row counts at each request: by sorting, in numpy.

Both sides are sorted by thing and time once and met by bisection, O(n log n). The running maximum over the order in which rows
became known answers "as known then" too: ranks are ordered by thing first, so those of one thing never reach into the next.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    Numbers = npt.NDArray[np.int64]

_WIDEST = 1 << 62


def last_known(requests: pa.Table, features: pa.Table) -> pa.Table:
    """For each request, in order: `place` and `found_time` of the feature row that counts, and the thing's `first_time`.

    Args:
        requests: `key`, a whole number from 0 on for each thing, and `time`, a number; either may be null.
        features: `key`, `time` and `created` likewise, and `place`, their order where the rest is equal.
    """
    import numpy as np
    import pyarrow as pa

    asked = _valid(requests, ("key", "time"))
    held = _valid(features, ("key", "time", "created"))
    key, time, created, place = (_of(features, name, held) for name in ("key", "time", "created", "place"))
    wanted_key, wanted_time = (_of(requests, name, asked) for name in ("key", "time"))
    counts = np.full(requests.num_rows, -1)
    first = np.full(requests.num_rows, -1)
    if len(key) and len(wanted_key):
        known = np.maximum(time, created)
        is_plain = bool(np.array_equal(time, created))
        moments = (wanted_time, known) if is_plain else (wanted_time, known, time)
        wanted, stamps, *rest = _combined((wanted_key, key, key), moments)
        order = _sorted(stamps)
        best = order  # of equal ones the last stands last, as the sort is stable
        if not is_plain:
            ranked = np.lexsort((created, rest[0]))
            rank = np.empty_like(ranked)
            rank[ranked] = np.arange(len(ranked))
            best = ranked[np.maximum.accumulate(rank[order])]
        found = _bisect(stamps[order], wanted)
        chosen = best[np.maximum(found, 0)]
        is_mine = (found >= 0) & (key[chosen] == wanted_key)
        counts[asked] = np.where(is_mine, chosen, -1)
        first[asked] = _first_rows(key, time, wanted_key)
    return pa.table(
        {
            "place": _taken(place, counts),
            "found_time": _taken(time, counts),
            "first_time": _taken(time, first),
        }
    )


def _combined(keys: tuple[Numbers, ...], times: tuple[Numbers, ...]) -> list[Numbers]:
    """Thing and time of each side as one number, in the order of (thing, time)."""
    import numpy as np

    low, high = min(int(t.min()) for t in times), max(int(t.max()) for t in times)
    span, things = high - low + 1, max(int(k.max()) for k in keys[: len(times)]) + 1
    if span * things < _WIDEST:
        return [key * span + (time - low) for key, time in zip(keys, times, strict=False)]
    # Too wide for one number: the moments that there are get numbers of their own.
    moments, numbers = np.unique(np.concatenate(times), return_inverse=True)
    cuts = np.cumsum([len(time) for time in times])[:-1]
    return [key * len(moments) + n for key, n in zip(keys, np.split(numbers, cuts), strict=False)]


def _sorted(numbers: Numbers) -> Numbers:
    import numpy as np

    return np.argsort(numbers, kind="stable")


def _bisect(stamps: Numbers, wanted: Numbers) -> Numbers:
    """The place of the last stamp at or before each; asked in order, bisection stays within the processor's cache."""
    import numpy as np

    order = np.argsort(wanted)
    found = np.empty(len(wanted), np.int64)
    found[order] = np.searchsorted(stamps, wanted[order], side="right") - 1
    return found


def _first_rows(key: Numbers, time: Numbers, wanted: Numbers) -> Numbers:
    """The earliest row of each wanted thing; -1 where there is none."""
    import numpy as np

    things = int(max(key.max(), wanted.max())) + 1
    earliest = np.full(things, np.iinfo(np.int64).max)
    np.minimum.at(earliest, key, time)
    rows = np.full(things, -1)
    is_first = time == earliest[key]
    rows[key[is_first]] = np.flatnonzero(is_first)
    found: Numbers = rows[wanted]
    return found


def _valid(table: pa.Table, names: tuple[str, ...]) -> Any:
    import numpy as np

    mask = np.ones(table.num_rows, dtype=bool)
    for name in names:
        if table[name].null_count:
            mask &= table[name].is_valid().to_numpy()
    return slice(None) if mask.all() else mask


def _of(table: pa.Table, name: str, mask: Any) -> Numbers:
    column = table[name]
    numbers: Numbers = (column.fill_null(0) if column.null_count else column).to_numpy()[mask]
    return numbers


def _taken(values: Numbers, rows: Numbers) -> pa.Array:
    """The values of rows, null where a row is -1."""
    import numpy as np
    import pyarrow as pa

    if not len(values):
        return pa.nulls(len(rows), pa.int64())
    is_none = rows < 0
    return pa.array(values[np.where(is_none, 0, rows)], mask=is_none if is_none.any() else None)
