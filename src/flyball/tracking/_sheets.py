"""Points of many metrics that came at once, in one row: a sheet.

As rows of their own, each would go to another place of the table, so that a thousand metrics logged together touch a thousand
pages. A sheet is appended, and made into chunks when enough of them have come. It is not compressed: it does not stay for long.

Its bytes: how many points, whether all have one step, whether all have one time; then the columns of keys (4 bytes each), steps
and times (8 bytes each, or once), and values (8 bytes each, NaN where undefined). All of it little-endian.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterator, Sequence
from itertools import repeat
from typing import Any

from blake3 import blake3

from flyball.tracking._chunks import Place, to_native

_HEAD = struct.Struct("<I??")
_KEY, _WIDE = 4, 8


def make_sheet(
    run: int, keys: Sequence[int], steps: Sequence[int], times: Sequence[int], values: Sequence[float]
) -> tuple[Any, ...]:
    """Points as a row of the table; times are microseconds since 1970 UTC, NaN is undefined."""
    one_step, one_time = min(steps) == max(steps), min(times) == max(times)
    columns = (
        array("I", keys),
        array("q", steps[:1] if one_step else steps),
        array("q", times[:1] if one_time else times),
        array("d", values),
    )
    parts = [_HEAD.pack(len(keys), one_step, one_time)]
    for column in columns:
        to_native(column)
        parts.append(column.tobytes())
    data = b"".join(parts)
    return run, times[0], blake3(data).digest(16), len(keys), data


def points_in(data: bytes, key: int) -> list[Place]:
    """The points of one metric in a sheet."""
    keys, steps, times, values = _columns(data)
    found = []
    for at in _places(keys, key):
        value = values[at]
        found.append((steps[at % len(steps)], times[at % len(times)], _number(value), value != value))
    return found


def open_sheet(data: bytes) -> Iterator[tuple[int, Place]]:
    """All points of a sheet, each with its key."""
    keys, steps, times, values = _columns(data)
    all_steps = steps if len(steps) == len(keys) else repeat(steps[0])
    all_times = times if len(times) == len(keys) else repeat(times[0])
    for key, step, at, value in zip(keys, all_steps, all_times, values, strict=False):
        yield key, (step, at, _number(value), value != value)


def _number(value: float) -> float:
    return value if value == value else 0.0  # NaN alone differs from itself


def _places(keys: array[int], key: int) -> Iterator[int]:
    at = -1
    try:
        while True:
            at = keys.index(key, at + 1)
            yield at
    except ValueError:
        return


def _columns(data: bytes) -> tuple[array[int], array[int], array[int], array[float]]:
    count, one_step, one_time = _HEAD.unpack_from(data)
    columns: tuple[array[Any], ...] = (array("I"), array("q"), array("q"), array("d"))
    sizes = (_KEY * count, _WIDE * (1 if one_step else count), _WIDE * (1 if one_time else count), _WIDE * count)
    at, view = _HEAD.size, memoryview(data)
    for column, size in zip(columns, sizes, strict=True):
        column.frombytes(view[at : at + size])
        to_native(column)
        at += size
    return columns  # type: ignore[return-value]  # four of them
