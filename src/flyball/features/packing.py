"""Rows and keys as bytes, and back without losing a bit: 64-bit numbers, times, decimals, texts, lists.

A row is the MessagePack array of its values (https://msgpack.org). What MessagePack does not know is kept as a number or a text
and given its type again by the view's schema.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from datetime import time as time_of_day
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from flyball.clock import parse_time
from flyball.errors import InvalidInput
from flyball.schema import Column, ColumnType
from flyball.serialization import pack

if TYPE_CHECKING:
    import pyarrow as pa

Restore = Callable[[Any], Any]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_KEYS: dict[ColumnType, tuple[type, ...]] = {
    "int": (int,), "string": (str,), "bool": (bool,), "date": (date,), "binary": (bytes,), "null": (),
}  # fmt: skip
_MICROSECONDS = {"s": 1_000_000, "ms": 1_000, "us": 1}


def packed_rows(table: pa.Table, columns: Sequence[str]) -> list[bytes]:
    """Each row's values of these columns, as bytes."""
    if not columns:
        return [pack([])] * int(table.num_rows)
    values = [_plain_values(table[name]) for name in columns]
    return [pack(row) for row in zip(*values, strict=True)]


def restores(columns: Sequence[Column]) -> list[tuple[int, Restore]]:
    """What gives unpacked values of these columns their types again; only for the columns that need it."""
    made = [(place, _restore(column)) for place, column in enumerate(columns)]
    return [(place, restore) for place, restore in made if restore is not None]


def packed_keys(table: pa.Table, entity: Sequence[str]) -> list[bytes]:
    """Each row's key as bytes; rows are not to hold null keys."""
    columns = [table[name].to_pylist() for name in entity]
    if len(columns) == 1:
        return [pack(_key(value)) for value in columns[0]]
    return [pack([_key(value) for value in row]) for row in zip(*columns, strict=True)]


def key_reader(view: str, columns: Sequence[Column]) -> Callable[[Mapping[str, Any]], bytes | None]:
    """What gives the key of a thing as bytes: from a mapping with the entity's columns; None where one is missing.

    The reader raises `InvalidInput` for a value that is no key of the view.
    """
    kinds = [(column.name, _KEYS.get(column.type, (str,)), column) for column in columns]
    if len(kinds) == 1:
        name, wanted, column = kinds[0]
        exact = wanted[0] if wanted and column.type in ("int", "string") else None

        def read_one(given: Mapping[str, Any]) -> bytes | None:
            value = given.get(name)
            if value.__class__ is exact:
                return pack(value)
            fitted = _fitted(value, wanted, column, view)
            return None if fitted is None else pack(fitted)

        return read_one

    def read_all(given: Mapping[str, Any]) -> bytes | None:
        values = [_fitted(given.get(name), wanted, column, view) for name, wanted, column in kinds]
        return None if None in values else pack(values)

    return read_all


def microseconds(moment: datetime) -> int:
    """Microseconds since 1970; a moment without a zone is UTC."""
    return (parse_time(moment) - _EPOCH) // timedelta(microseconds=1)


def moment_of(microseconds: int) -> datetime:
    """The moment so many microseconds after 1970 began."""
    return _EPOCH + timedelta(microseconds=microseconds)


def _fitted(value: Any, wanted: tuple[type, ...], column: Column, view: str) -> Any:
    if value is None or value != value:
        return None  # NaN is no key: it equals nothing, not even itself
    if type(value) in wanted:
        return _key(value)
    if hasattr(value, "item") and getattr(value, "shape", None) == ():  # a number of numpy
        return _fitted(value.item(), wanted, column, view)
    if column.type == "date" and isinstance(value, str):
        try:
            return _key(date.fromisoformat(value))
        except ValueError:
            pass
    raise InvalidInput(
        f"The key '{column.name}' of feature view '{view}' is {column.type}, and {value!r:.60} is not.",
        hint="Keys are compared exactly: give it as the view's rows have it.",
        column=column.name,
    )


def _key(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value


def _plain_values(column: pa.ChunkedArray) -> list[Any]:
    import pyarrow as pa
    import pyarrow.types as t

    kind = column.type
    if t.is_timestamp(kind) or t.is_date64(kind) or t.is_time64(kind) or t.is_duration(kind):
        column = column.cast(pa.int64())
    elif t.is_date32(kind) or t.is_time32(kind):
        column = column.cast(pa.int32())
    elif t.is_decimal(kind):
        column = column.cast(pa.string())
    elif t.is_floating(kind) and column.null_count == 0:
        return column.to_numpy().tolist()  # type: ignore[no-any-return]  # five times as fast as to_pylist
    values: list[Any] = column.to_pylist()
    return values


def _restore(column: Column) -> Restore | None:
    if column.type == "timestamp":
        unit = column.storage.removeprefix("timestamp[").partition("]")[0].partition(",")[0]
        if unit == "ns":
            return _known(lambda value: _EPOCH + timedelta(microseconds=value // 1_000))
        scale = _MICROSECONDS.get(unit, 1)
        return _known(lambda value: _EPOCH + timedelta(microseconds=value * scale))
    if column.type == "date":
        per_day = 86_400_000 if "date64" in column.storage else 1
        return _known(lambda value: _EPOCH.date() + timedelta(days=value // per_day))
    if column.type == "time":
        unit = column.storage.partition("[")[2].rstrip("]")
        scale = _MICROSECONDS.get(unit, 1)
        if column.storage.startswith("duration"):
            return _known(lambda value: timedelta(microseconds=value * scale))
        return _known(lambda value: _time_of_day(value * scale if unit != "ns" else value // 1_000))
    return _known(Decimal) if column.type == "decimal" else None


def _known(restore: Restore) -> Restore:
    return lambda value: None if value is None else restore(value)


def _time_of_day(microseconds: int) -> time_of_day:
    return (_EPOCH + timedelta(microseconds=microseconds)).time()
