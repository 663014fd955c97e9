"""Many points of one run and metric as one compressed row.

A chunk holds its points in their order (by step, time and value), each once: the differences of the steps, those of the times,
and the values. Each column of eight bytes a number is turned on its side (first bytes first), so that what is alike lies side
by side, and all of it is compressed. An undefined value is NaN. Beside it stand the first, last, least and greatest point,
from which a chart is drawn without looking inside.
"""

from __future__ import annotations

import math
import struct
import sys
import zlib
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from operator import lt, sub
from typing import Any

from blake3 import blake3

FEWEST = 64
"""Fewer points than these stay rows."""

MOST = 1_024
"""More points than these are cut into several chunks: a chart opens those that lie across two of its buckets."""

ENDS = struct.Struct("<qqd")
"""Step, time and value of a point in `ends`: the first, the last, the least and the greatest."""

Columns = tuple[list[int], list[int], list[float | None]]
"""Points in columns: steps, times in microseconds since 1970 UTC, values."""

Place = tuple[int, int, float, bool]
"""A point as what it is ordered by: step, time, value (0 where undefined), whether it is undefined."""

_LEVEL = 3
_NAN = math.nan
_BITS = (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class Chunk:
    """One row of the table of chunks, without its run and key; times are microseconds."""

    first_step: int
    digest: bytes
    last_step: int
    first_at: int
    last_at: int
    count: int
    undefined: int
    low: float | None
    high: float | None
    ends: bytes
    data: bytes


def sort_points(steps: Sequence[int], times: Sequence[int], values: Sequence[float | None]) -> Columns:
    """The points in their order, each once."""
    if all(map(lt, steps, steps[1:])):
        return list(steps), list(times), list(values)
    return from_places({(s, t, v or 0.0, v is None) for s, t, v in zip(steps, times, values, strict=True)})


def from_places(points: Iterable[Place]) -> Columns:
    """Points in columns, in their order."""
    ordered = sorted(points)
    return (
        [point[0] for point in ordered],
        [point[1] for point in ordered],
        [None if point[3] else point[2] for point in ordered],
    )


def to_places(columns: Columns) -> list[Place]:
    """Points one by one, comparable."""
    return [(s, t, v or 0.0, v is None) for s, t, v in zip(*columns, strict=True)]


def make_chunks(columns: Columns) -> list[Chunk]:
    """Sorted points as chunks of nearly equal size."""
    steps, times, values = columns
    parts = max(1, -(-len(steps) // MOST))
    size = max(1, -(-len(steps) // parts))
    return [
        _make_chunk(steps[at : at + size], times[at : at + size], values[at : at + size])
        for at in range(0, len(steps), size)
    ]


def open_chunk(data: bytes) -> Columns:
    """The points of a chunk."""
    steps, times, floats = (_turned_back(column) for column in _columns(data))
    deltas, moments, numbers = array("Q", steps), array("q", times), array("d", floats)
    for column in (deltas, moments, numbers):
        to_native(column)
    first = deltas[0] if deltas[0] < 1 << 63 else deltas[0] - (1 << 64)
    found = list(accumulate(deltas[1:], initial=first))
    # NaN is the only number that differs from itself.
    values: list[float | None] = [None if number != number else number for number in numbers]
    return found, list(accumulate(moments)), values


def open_arrays(data: bytes) -> Any:
    """The points of a chunk as three numpy arrays; an undefined value is NaN."""
    import numpy as np

    raw = np.frombuffer(zlib.decompress(data), dtype=np.uint8).reshape(3, 8, -1).transpose(0, 2, 1)
    turned = np.ascontiguousarray(raw)
    steps = np.cumsum(turned[0].view("<i8").ravel())  # wraps round as the differences did
    return steps, np.cumsum(turned[1].view("<i8").ravel()), turned[2].view("<f8").ravel()


def _make_chunk(steps: list[int], times: list[int], values: list[float | None]) -> Chunk:
    undefined = values.count(None)
    floats = [_NAN if value is None else value for value in values]
    deltas = [steps[0] & _BITS, *map(sub, steps[1:], steps)]
    moments = [times[0], *map(sub, times[1:], times)]
    raw = b"".join(map(_turned, (array("Q", deltas), array("q", moments), array("d", floats))))
    known = [value for value in values if value is not None]
    low, high = (min(known), max(known)) if known else (None, None)
    places = [0, len(values) - 1, *((values.index(low), values.index(high)) if known else (0, 0))]
    ends = b"".join(ENDS.pack(steps[at], times[at], _NAN if values[at] is None else values[at]) for at in places)
    return Chunk(
        first_step=steps[0],
        digest=blake3(raw).digest(16),
        last_step=steps[-1],
        first_at=min(times),
        last_at=max(times),
        count=len(steps),
        undefined=undefined,
        low=low,
        high=high,
        ends=ends,
        data=zlib.compress(raw, _LEVEL),
    )


def _columns(data: bytes) -> list[bytes]:
    raw = zlib.decompress(data)
    size = len(raw) // 3
    return [raw[at : at + size] for at in range(0, len(raw), size)]


def _turned(column: array[Any]) -> bytes:
    to_native(column)
    data = column.tobytes()
    return b"".join(data[place::8] for place in range(8))


def _turned_back(data: bytes) -> bytes:
    size = len(data) // 8
    found = bytearray(len(data))
    for place in range(8):
        found[place::8] = data[place * size : (place + 1) * size]
    return bytes(found)


def to_native(column: array[Any]) -> None:
    """Between this machine's order of bytes and the little-endian one of the rows."""
    if sys.byteorder == "big":
        column.byteswap()
