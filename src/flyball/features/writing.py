"""Writes rows of views into an online store: all that are known now, or those that were pushed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from itertools import groupby
from typing import TYPE_CHECKING, Any

from flyball.clock import parse_time
from flyball.data.arrow import to_arrow
from flyball.data.table import as_moments
from flyball.errors import InvalidInput, did_you_mean
from flyball.features.definition import FeatureView
from flyball.features.join import match_rows
from flyball.features.material import stored_columns
from flyball.features.online.base import Cell, Change, KeyedCell, OnlineStore
from flyball.features.packing import microseconds, packed_keys, packed_rows
from flyball.schema import Column, Schema
from flyball.serialization import pack, unpack

if TYPE_CHECKING:
    import pyarrow as pa

_AT_ONCE = 20_000
_NOW = "__now__"


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What became of rows that were to be written.

    Attributes:
        written: Rows (or, of windows, events) that are kept now.
        older: Rows behind what is kept already.
        later: Rows whose time, or time of creation, is still to come.
        unusable: Rows without a key or a time.
    """

    rows: int
    written: int = 0
    older: int = 0
    later: int = 0
    unusable: int = 0


def write_latest(
    store: OnlineStore,
    view: FeatureView,
    table: pa.Table,
    now: datetime,
    *,
    upto_push: int = 0,
    rebuild: bool = False,
    tell: Callable[[int, int], None] = lambda _done, _all: None,
) -> Written:
    """Writes the last row of each thing, as a join at this moment would find it. Written twice it changes nothing.

    Args:
        table: The rows of the view.
        upto_push: The last push whose rows the table holds; windows keep what was pushed since.
        rebuild: What is kept of things, or times, that the table does not know any more is removed.
        tell: Told how many things of how many are written.
    """
    slot = store.slot(view.label)
    usable = _usable(view, table, now)
    if view.windows:
        cells: list[KeyedCell] = list(_event_cells(view, usable.table, now, arrived=0))
        changes = [(cell.key, _replacing(cell, upto_push)) for cell in cells]
        if rebuild:
            known = {cell.key for cell in cells}
            gone = [cell.key for cell in store.scan(slot, 1 << 40) if cell.key not in known]
            changes += [(key, _replacing(None, upto_push)) for key in gone]
        for start in range(0, len(changes), _AT_ONCE):
            store.fold(slot, changes[start : start + _AT_ONCE])
            tell(min(start + _AT_ONCE, len(changes)), len(changes))
        return usable.report(written=usable.table.num_rows)
    latest = latest_rows(view, usable.table, now)
    cells = _cells(view, latest)
    if rebuild:
        return usable.report(written=_rebuild(store, slot, cells, tell))
    written = 0
    for start in range(0, len(cells), _AT_ONCE):
        written += store.write(slot, cells[start : start + _AT_ONCE])
        tell(min(start + _AT_ONCE, len(cells)), len(cells))
    return usable.report(written=written, older=len(cells) - written)


def write_pushed(store: OnlineStore, view: FeatureView, table: pa.Table, now: datetime, *, push: int) -> Written:
    """Writes rows that were pushed: late ones and corrections count where a join would let them count.

    Args:
        push: Number of the push.
    """
    slot = store.slot(view.label)
    usable = _usable(view, table, now)
    if view.windows:
        oldest = _oldest(view, now)
        cells = _event_cells(view, usable.table, now, arrived=push)
        store.fold(slot, [(cell.key, _adding(cell, oldest)) for cell in cells])
        return usable.report(written=usable.table.num_rows)
    latest = latest_rows(view, usable.table, now)
    written = store.write(slot, _cells(view, latest))
    return usable.report(written=written, older=usable.table.num_rows - written)


def latest_rows(view: FeatureView, table: pa.Table, now: datetime) -> pa.Table:
    """The row of each thing that counts at a moment, whatever its age."""
    import pyarrow as pa

    things = table.select(list(view.entity)).group_by(list(view.entity)).aggregate([])
    moments = pa.array([now], pa.timestamp("us", "UTC"))
    things = things.append_column(_NOW, pa.repeat(moments[0], things.num_rows))
    places = match_rows(things, replace(view, ttl_seconds=None, windows=()), table, _NOW).places
    return table.combine_chunks().take(places.drop_null())


def rows_as_table(
    view: FeatureView, rows: Sequence[Mapping[str, Any]], schema: Schema | None, now: datetime
) -> pa.Table:
    """The table of rows that were pushed as plain values; times may be ISO 8601.

    Args:
        schema: Types of the view's columns, where they are known.

    Raises:
        InvalidInput: a column is missing or unknown, or values are of another type than the view's.
    """
    import pyarrow as pa

    names = list(dict.fromkeys(name for row in rows for name in row))
    known = () if schema is None else schema.names
    for name in names:
        if known and name not in known:
            raise InvalidInput(
                f"Feature view '{view.name}' has no column '{name[:80]}'.", hint=did_you_mean(name, known), column=name
            )
    for place, row in enumerate(rows):
        for name in (*view.entity, view.time):
            if name not in row:
                hint = did_you_mean(name, row)
                raise InvalidInput(
                    f"Row {place} for feature view '{view.name}' has no '{name}'.", hint=hint, column=name
                )
    types = {} if schema is None else dict(zip(known, schema.to_arrow(), strict=True))
    columns = {}
    for name in known or names:
        values = [row.get(name) for row in rows]
        if name == view.created and name not in names:
            values = [now] * len(rows)
        kind = types[name].type if name in types else None
        is_time = name in (view.time, view.created) or pa.types.is_timestamp(kind or pa.null())
        columns[name] = _array(view, name, [_moment(v) for v in values] if is_time else values, kind)
    return pa.table(columns)


def fitted(view: FeatureView, table: object, schema: Schema | None) -> pa.Table:
    """A table with the view's columns in its types.

    Raises:
        InvalidInput: a column is missing, or cannot be cast without loss.
    """
    import pyarrow as pa

    found = to_arrow(table)
    if schema is None:
        return found.select(list(dict.fromkeys((*view.roles, *stored_columns(view, found)))))
    columns = {}
    for column, field in zip(schema.columns, schema.to_arrow(), strict=True):
        if column.name not in found.column_names:
            hint = did_you_mean(column.name, found.column_names)
            raise InvalidInput(f"The rows for feature view '{view.name}' have no '{column.name}'.", hint=hint)
        try:
            columns[column.name] = found[column.name].cast(field.type)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise _not_of_type(view, column.name, str(field.type), error) from error
    return pa.table(columns)


def table_of_cells(schema: Schema, view: FeatureView, cells: Iterable[KeyedCell]) -> pa.Table:
    """The values of cells as a table of the view's stored columns, for a profile of what is served now."""
    import pyarrow as pa

    names = [column for column in schema.columns if column.name not in view.roles]
    rows = []
    for cell in cells:
        held = unpack(cell.value)
        rows += [event[3] for event in held] if view.windows else [held]
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(names)
    return pa.table({column.name: _stored_array(values, column) for column, values in zip(names, columns, strict=True)})


def keyed_table_of_cells(schema: Schema, view: FeatureView, cells: Sequence[KeyedCell]) -> pa.Table:
    """The same, with the entity's columns before them as texts; each event of a window is a row of its own."""
    import pyarrow as pa

    table = table_of_cells(schema, view, cells)
    keys = []
    for cell in cells:
        key = unpack(cell.key)
        parts = [str(part) for part in (key if len(view.entity) > 1 else [key])]
        keys += [parts] * (len(unpack(cell.value)) if view.windows else 1)
    columns = [pa.array([key[place] for key in keys], pa.string()) for place in range(len(view.entity))]
    return pa.table([*columns, *table.columns], names=[*view.entity, *table.column_names])


def keys_of_cells(
    schema: Schema, view: FeatureView, cells: Iterable[KeyedCell], column: str, value: str
) -> list[bytes]:
    """The keys of cells that have a value, given as text, in a column of the view's entity or of its stored columns."""
    stored = [name for name in schema.names if name not in view.roles]
    if column in view.entity:
        place = view.entity.index(column)

        def holds(cell: KeyedCell) -> bool:
            key = unpack(cell.key)
            return str(key[place] if len(view.entity) > 1 else key) == value

    elif column in stored:
        place = stored.index(column)

        def holds(cell: KeyedCell) -> bool:
            held = unpack(cell.value)
            return any(str(row[place]) == value for row in ([event[3] for event in held] if view.windows else [held]))

    else:
        return []
    return [cell.key for cell in cells if holds(cell)]


@dataclass(slots=True)
class _Usable:
    """The rows that count now, and how many do not."""

    table: pa.Table
    rows: int
    later: int
    unusable: int

    def report(self, *, written: int, older: int = 0) -> Written:
        return Written(rows=self.rows, written=written, older=older, later=self.later, unusable=self.unusable)


def _usable(view: FeatureView, table: pa.Table, now: datetime) -> _Usable:
    import pyarrow.compute as pc

    there = None
    for name in view.roles:
        is_there = table[name].is_valid()
        there = is_there if there is None else pc.and_(there, is_there)
    whole = table.filter(there)
    come = pc.less_equal(as_moments(whole[view.time]), now)
    if view.created:
        come = pc.and_(come, pc.less_equal(as_moments(whole[view.created]), now))
    known = whole.filter(come)
    return _Usable(known, table.num_rows, whole.num_rows - known.num_rows, table.num_rows - whole.num_rows)


def _cells(view: FeatureView, table: pa.Table) -> list[KeyedCell]:
    keys, values = packed_keys(table, view.entity), packed_rows(table, stored_columns(view, table))
    times = _stamps(table, view.time)
    created = _stamps(table, view.created) if view.created else times
    return [KeyedCell(*cell) for cell in zip(keys, times, created, values, strict=True)]


def _event_cells(view: FeatureView, table: pa.Table, now: datetime, *, arrived: int) -> Iterator[KeyedCell]:
    """For each thing a cell with its rows, those apart that are too old for every window."""
    oldest = _oldest(view, now)
    events = sorted(
        (
            (cell.key, cell.time, cell.created, place, unpack(cell.value))
            for place, cell in enumerate(_cells(view, table))
            if cell.time > oldest
        ),
        key=lambda event: event[:4],
    )
    for key, own in groupby(events, key=lambda event: event[0]):
        held = [[time, created, arrived, values] for _, time, created, _, values in own]
        yield KeyedCell(key, held[-1][0], 0, pack(held))


def _replacing(cell: KeyedCell | None, upto_push: int) -> Change:
    """Puts new events in the place of all that were pushed so far, and keeps what was pushed since."""

    def change(found: Cell | None) -> Cell | None:
        since = [] if found is None else [event for event in unpack(found.value) if event[2] > upto_push]
        return _events_cell([*(unpack(cell.value) if cell else []), *since])

    return change


def _adding(cell: KeyedCell, oldest: int) -> Change:
    def change(found: Cell | None) -> Cell | None:
        held = [] if found is None else unpack(found.value)
        added = unpack(cell.value)
        # Pushed again under the same number it is the same push; and what no window reaches any more need not be kept.
        return _events_cell([*(event for event in held if event[2] != added[0][2] and event[0] > oldest), *added])

    return change


def _oldest(view: FeatureView, now: datetime) -> int:
    """The moment that the longest window does not reach."""
    return microseconds(now) - round(max(made.over_seconds for made in view.windows) * 1_000_000)


def _events_cell(events: list[Any]) -> Cell | None:
    if not events:
        return None
    events.sort(key=lambda event: (event[0], event[1]))
    return Cell(events[-1][0], 0, pack(events))


def _rebuild(store: OnlineStore, slot: int, cells: list[KeyedCell], tell: Callable[[int, int], None]) -> int:
    wanted = {cell.key: Cell(*cell[1:]) for cell in cells}
    before = {cell.key: Cell(*cell[1:]) for cell in store.scan(slot, 1 << 40)}

    def replacing(key: bytes) -> Change:
        def change(found: Cell | None) -> Cell | None:
            mine = wanted.get(key)
            if found is None or found == before.get(key):
                return mine
            # It was pushed meanwhile.
            return found if mine is None or found[:2] > mine[:2] else mine

        return change

    keys = [*wanted, *(key for key in before if key not in wanted)]
    for start in range(0, len(keys), _AT_ONCE):
        store.fold(slot, [(key, replacing(key)) for key in keys[start : start + _AT_ONCE]])
        tell(min(start + _AT_ONCE, len(keys)), len(keys))
    return len(wanted)


def _stamps(table: pa.Table, column: str) -> list[int]:
    import pyarrow as pa

    stamps: list[int] = as_moments(table[column]).cast(pa.int64()).to_numpy().tolist()
    return stamps


def _moment(value: Any) -> Any:
    if isinstance(value, str):
        return parse_time(value)
    if isinstance(value, datetime) and value.tzinfo is None:
        return value.replace(tzinfo=UTC)
    return value


def _array(view: FeatureView, name: str, values: list[Any], kind: pa.DataType | None) -> pa.Array:
    import pyarrow as pa

    try:
        if kind is not None and pa.types.is_timestamp(kind):
            return (
                pa.array(values, pa.timestamp("us", "UTC")).cast(pa.timestamp(kind.unit, "UTC"), safe=False).cast(kind)
            )
        return pa.array(values, kind)
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        raise _not_of_type(view, name, str(kind or "one type"), error) from error


def _not_of_type(view: FeatureView, name: str, kind: str, error: Exception) -> InvalidInput:
    told = str(error).partition("\n")[0]
    return InvalidInput(
        f"'{name}' of feature view '{view.name}' is {kind}, and not all values are: {told}.", column=name
    )


def _stored_array(values: Sequence[Any], column: Column) -> pa.Array:
    import pyarrow as pa

    if column.type in ("timestamp", "date", "time"):
        kind = Schema(columns=(column,)).to_arrow().field(0).type
        width = pa.int32() if kind.bit_width == 32 else pa.int64()
        return pa.array(values, width).cast(kind)
    if column.type == "decimal":
        return pa.array([None if value is None else Decimal(value) for value in values])
    if column.type in ("list", "struct"):
        return pa.array(values)
    return pa.array(values, Schema(columns=(column,)).to_arrow().field(0).type)
