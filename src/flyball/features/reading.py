"""Reads features online: the values of things by their keys, as a join at this moment would give them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from operator import add
from typing import TYPE_CHECKING, Any

from flyball.errors import InvalidInput, ServerUnreachable
from flyball.features.functions import compute
from flyball.features.online.base import Cell, OnlineStore, QuickStore
from flyball.features.packing import key_reader, microseconds, restores
from flyball.features.plan import FeaturePlan, PlannedView
from flyball.features.sources import run_source
from flyball.features.windows import Aggregate, aggregate, result_type
from flyball.schema import Column, Schema
from flyball.serialization import unpack

if TYPE_CHECKING:
    import pyarrow as pa

Values = Mapping[str, Any]
_SLOT_SECONDS = 2.0
_LONG_AGO = -(1 << 63)


@dataclass(slots=True)
class Found:
    """What was found for several things.

    Attributes:
        rows: The features of each, in order; None where one is missing.
        missing: For each thing, why the features of a view are missing, by the view: `unknown`, `expired`, `future` or
            `unreachable`; empty where none are.
    """

    rows: list[dict[str, Any]]
    missing: list[dict[str, str]]


@dataclass(slots=True)
class _View:
    """A planned view, ready to be read.

    Attributes:
        key: Which of the reader's keys names its things; views of one entity share it.
        columns: The names of its values in what is found.
        nothing: Its values where nothing is found.
        is_plain: Whether stored values are its values.
    """

    planned: PlannedView
    name: str
    slot: int
    key: int
    ttl: int | None
    columns: tuple[str, ...]
    nothing: tuple[None, ...]
    restores: list[tuple[int, Callable[[Any], Any]]]
    is_plain: bool
    windows: list[tuple[Aggregate, int, int]] = field(default_factory=list)


class OnlineReader:
    """Reads the features of a plan from a store.

    Args:
        store: Where they are kept.
        plan: Which features, and under which names.
        now: Gives the present moment in microseconds since 1970; this machine's by default.
    """

    def __init__(self, store: OnlineStore, plan: FeaturePlan, *, now: Callable[[], int] | None = None) -> None:
        self.plan = plan
        self._store = store
        self._quick = store if isinstance(store, QuickStore) else None
        self._now = now or _now
        self._views = []
        self._keys: list[Callable[[Values], bytes | None]] = []
        by_entity: dict[tuple[Column, ...], int] = {}
        for planned in plan.views:
            columns = tuple(replace(planned.schema.column(name), nullable=True) for name in planned.view.entity)
            if columns not in by_entity:
                by_entity[columns] = len(self._keys)
                self._keys.append(key_reader(planned.view.name, columns))
            self._views.append(_prepared(planned, by_entity[columns]))
        self._names = tuple(name for view in self._views for name in view.columns)
        self._functions = [(made, run_source(made.source, made.function)) for made in plan.functions]
        self._looked = 0.0

    def read(self, entity: Values, *, at: datetime | None = None) -> dict[str, Any]:
        """The features of one thing; None where one is missing.

        Args:
            entity: The entity's columns; and what on-demand features take.
            at: As if it were then; by default it is now. A value that came later is missing.

        Raises:
            InvalidInput: a key is of another type than the view's.
            ServerUnreachable: the store is down.
        """
        now = self._now() if at is None else microseconds(at)
        if time.monotonic() - self._looked > _SLOT_SECONDS:
            self._find_slots()
        keys = [key_of(entity) or b"" for key_of in self._keys]
        cells = self._store.read([(view.slot, keys[view.key]) for view in self._views])
        values: list[Any] = []
        for view, cell in zip(self._views, cells, strict=True):
            ttl = view.ttl
            if view.is_plain and cell is not None and cell[0] <= now and (ttl is None or now - cell[0] <= ttl):
                values += unpack(cell[2])
            else:
                values += _values(view, cell, now, keys[view.key])[0]
        found = dict(zip(self._names, values, strict=True))
        if self._functions:
            self._compute([entity], [found])
        return found

    def read_many(self, entities: Sequence[Values], *, at: datetime | None = None, strict: bool = True) -> Found:
        """The features of several things, with the reasons of what is missing. The arguments are those of `read`.

        Args:
            strict: Without it a store that is down makes all values missing instead of an error.
        """
        now = self._now() if at is None else microseconds(at)
        each = [[key_of(entity) or b"" for entity in entities] for key_of in self._keys]
        keys = [each[view.key] for view in self._views]
        try:
            if time.monotonic() - self._looked > _SLOT_SECONDS:
                self._find_slots()
            found = self._found(keys, len(entities), now)
        except ServerUnreachable:
            if strict:
                raise
            nothing = dict.fromkeys(self._names)
            why = {view.name: "unreachable" for view in self._views}
            found = Found([dict(nothing) for _ in entities], [dict(why) for _ in entities])
        if self._functions:
            self._compute(entities, found.rows)
        return found

    def _found(self, keys: list[list[bytes]], count: int, now: int) -> Found:
        missing: list[dict[str, str]] = [{} for _ in range(count)]
        rows: list[list[Any]] = [[] for _ in range(count)]
        cells = None if self._quick else self._cells(keys)
        # View by view: a loop over the cells of one is a third cheaper than one over the views of each thing.
        for number, (view, own) in enumerate(zip(self._views, keys, strict=True)):
            values = self._fresh(view, own, now) if cells is None else _fresh(view, cells[number], now)
            if None in values:
                odd = [place for place, value in enumerate(values) if value is None]
                held = (
                    self._store.read([(view.slot, own[place]) for place in odd])
                    if cells is None
                    else [cells[number][place] for place in odd]
                )
                for place, cell in zip(odd, held, strict=True):
                    found, reason = _values(view, cell, now, own[place])
                    values[place] = list(found)
                    if reason:
                        missing[place][view.name] = reason
            rows = list(map(add, rows, values)) if number else values
        names = self._names
        return Found([dict(zip(names, values)) for values in rows], missing)  # noqa: B905  # as long as the names: a check takes a fifth

    def _fresh(self, view: _View, keys: Sequence[bytes], now: int) -> list[Any]:
        assert self._quick is not None
        if not view.is_plain:
            return [None] * len(keys)
        return self._quick.fresh(view.slot, keys, _oldest(view, now), now, unpack)

    def fill(self, table: pa.Table, wanted: Sequence[str], at: datetime) -> tuple[pa.Table, int]:
        """A table with the wanted features beside its columns; a value that the table has stays.

        Args:
            wanted: Names of columns; those that the plan does not give are left alone.
            at: The moment of the request.

        Returns:
            The table, and how many rows lack a value that was looked up. A store that is down leaves all of them missing.
        """
        names = [name for name in wanted if name in self.plan.outputs]
        if table.num_rows == 0 or all(_is_whole(table, name) for name in names):
            return table, 0
        entities = self._given(table)
        found = self.read_many(entities, at=at, strict=False)
        types = self.types
        for name in names:
            values = [row.get(name) for row in found.rows]
            table = _merged_column(table, name, values, types.get(name))
        return table, sum(bool(why) for why in found.missing)

    @property
    def types(self) -> dict[str, Column]:
        """The type of each feature that is looked up."""
        found = {}
        for view in self._views:
            for column in feature_columns(view.planned).columns:
                name = view.planned.names.get(column.name)
                if name is not None:
                    found[name] = column
        return found

    def _given(self, table: pa.Table) -> list[dict[str, Any]]:
        names = {*self.plan.entities, *(name for made in self.plan.functions for name in made.inputs)}
        there = [name for name in table.column_names if name in names or name in self.plan.outputs]
        return table.select(there).to_pylist() if there else [{} for _ in range(table.num_rows)]

    def _cells(self, keys: Sequence[Sequence[bytes]]) -> list[list[Cell | None]]:
        # No thing has an empty key: what lacks one is asked for and not found.
        wanted = [(view.slot, key) for view, own in zip(self._views, keys, strict=True) for key in own]
        cells = self._store.read(wanted)
        count = len(keys[0]) if keys else 0
        return [cells[n * count : (n + 1) * count] for n in range(len(keys))]

    def _compute(self, entities: Sequence[Values], rows: list[dict[str, Any]]) -> None:
        import pyarrow as pa

        types = self.types
        for made, function in self._functions:
            columns = {}
            for name in made.inputs:
                # What the request gives wins over what is kept.
                values = [_first(entity.get(name), row.get(name)) for entity, row in zip(entities, rows, strict=True)]
                kind = Schema(columns=(types[name],)).to_arrow().field(0).type if name in types else None
                columns[name] = pa.array(values, kind)
            given = compute(function, made.name, made.inputs, pa.table(columns))
            for name in made.outputs:
                for row, value in zip(rows, given[name].to_pylist(), strict=True):
                    row[name] = value

    def _find_slots(self) -> None:
        # A version that is materialised later gets its slot then; asking for it each time would cost as much as reading.
        for view in self._views:
            view.slot = self._store.find(view.planned.view.label) or 0
        self._looked = time.monotonic()


def feature_columns(planned: PlannedView) -> Schema:
    """The features of a view and their types."""
    view = planned.view
    if not view.windows:
        return Schema(columns=tuple(column for column in planned.schema.columns if column.name not in view.roles))
    stored = planned.schema.to_arrow()
    import pyarrow as pa

    return Schema.of(
        pa.schema([(made.name, result_type(made.how, stored.field(made.column).type)) for made in view.windows])
    )


def _prepared(planned: PlannedView, key: int) -> _View:
    view = planned.view
    stored = [column for column in planned.schema.columns if column.name not in view.roles]
    features = [made.name for made in view.windows] or [column.name for column in stored]
    given = restores(stored)
    made = _View(
        planned=planned,
        name=view.name,
        slot=0,
        key=key,
        ttl=None if view.ttl_seconds is None else round(view.ttl_seconds * 1_000_000),
        columns=tuple(planned.names[name] for name in features),
        nothing=(None,) * len(features),
        restores=given,
        is_plain=not given and not view.windows,
    )
    places = {column.name: place for place, column in enumerate(stored)}
    for window in view.windows:
        length = round(window.over_seconds * 1_000_000)
        made.windows.append((window.how, length, places[window.column]))
    return made


def _fresh(view: _View, held: Sequence[Cell | None], now: int) -> list[Any]:
    """The values of a view's cells that are neither too old nor yet to come; None where more is to be said."""
    if not view.is_plain:
        return [None] * len(held)
    oldest = _oldest(view, now)
    return [None if cell is None or not oldest <= cell[0] <= now else unpack(cell[2]) for cell in held]


def _oldest(view: _View, now: int) -> int:
    return _LONG_AGO if view.ttl is None else now - view.ttl


def _values(view: _View, cell: Cell | None, now: int, key: bytes) -> tuple[Sequence[Any], str]:
    """The values of a view's columns, and why they are missing; empty if they are not."""
    if view.windows:
        # Windows have an answer for every thing that has a name.
        return (_windows(view, cell, now) if key else view.nothing), "" if cell is not None else "unknown"
    if cell is None:
        return view.nothing, "unknown"
    if cell[0] > now:
        return view.nothing, "future"
    if view.ttl is not None and now - cell[0] > view.ttl:
        return view.nothing, "expired"
    held = unpack(cell[2])
    for place, restore in view.restores:
        held[place] = restore(held[place])
    return held, ""


def _windows(view: _View, cell: Cell | None, now: int) -> list[Any]:
    """The windows at a moment, of a cell that holds events `[time, created, arrived, values]` in their order."""
    known = [] if cell is None else [event for event in unpack(cell[2]) if event[0] <= now and event[1] <= now]
    given = dict(view.restores)
    found = []
    for how, length, place in view.windows:
        value = aggregate(how, [event[3][place] for event in known if event[0] > now - length])
        restore = given.get(place) if how in ("min", "max", "last") else None
        found.append(value if restore is None or value is None else restore(value))
    return found


def _is_whole(table: pa.Table, name: str) -> bool:
    return name in table.column_names and table[name].null_count == 0


def _merged_column(table: pa.Table, name: str, values: list[Any], column: Column | None) -> pa.Table:
    import pyarrow as pa

    made = _arrow(values, column)
    place = table.schema.get_field_index(name)
    if place < 0:
        return table.append_column(name, made)
    given = table.column(place)
    if pa.types.is_null(given.type):
        return table.set_column(place, name, made)
    if given.null_count == 0:
        return table
    try:
        filled = _coalesced(given, made)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError) as error:
        raise InvalidInput(
            f"The values given for '{name}' do not go with those that are kept: {error}.", column=name
        ) from error
    return table.set_column(place, name, filled)


def _coalesced(given: pa.ChunkedArray, made: pa.Array) -> pa.ChunkedArray:
    import pyarrow as pa
    import pyarrow.compute as pc

    if not given.type.equals(made.type):
        wide = (
            pa.unify_schemas(
                [pa.schema([("x", given.type)]), pa.schema([("x", made.type)])], promote_options="permissive"
            )
            .field(0)
            .type
        )
        given, made = given.cast(wide), made.cast(wide)
    return pc.coalesce(given, made)


def _arrow(values: list[Any], column: Column | None) -> pa.Array:
    import pyarrow as pa

    if column is None or column.type in ("list", "struct"):
        return pa.array(values)
    return pa.array(values, Schema(columns=(column,)).to_arrow().field(0).type)


def _first(given: Any, kept: Any) -> Any:
    return kept if given is None else given


def _now() -> int:
    return time.time_ns() // 1_000
