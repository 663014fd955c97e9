"""The point-in-time join: each row gets the feature values that were known at its own time, and none from its future.

The rules, the same wherever features are read:

- The last feature row at or before a row's time counts. Of several at one time the one created last counts; without
  a created column, the one that stands last.
- With a created column, a feature row counts only from the moment it was created: what was known then, not what
  was put right later.
- A value older than the view's ttl is missing; exactly as old as the ttl is still there.
- A row is never dropped, doubled or moved, and its own columns stay as they are.
- Times without a zone are UTC. A missing key or time matches nothing. Whole numbers are exact.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flyball.errors import InvalidInput, did_you_mean
from flyball.features.asof import last_known
from flyball.features.definition import FeatureView
from flyball.features.windows import result_type, window_columns
from flyball.schema import Schema

if TYPE_CHECKING:
    import pyarrow as pa

_PER_SECOND = {"us": 1_000_000, "ns": 1_000_000_000}
_KEY_TYPES = {"bool", "int", "string", "date", "binary"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewReport:
    """How many rows found values in one view, and why the others did not.

    Attributes:
        unknown: The view has no row for the key, or the row's key or time is missing.
        future: The view knows the key only later.
        late: It has rows of an earlier time, which were not created yet.
        expired: The last values were older than the ttl.
    """

    view: str
    rows: int
    found: int
    unknown: int = 0
    future: int = 0
    late: int = 0
    expired: int = 0

    def __str__(self) -> str:
        reasons = ("unknown", "future", "late", "expired")
        missed = [f"{getattr(self, reason):,} {reason}" for reason in reasons if getattr(self, reason)]
        return f"{self.view}: {self.found:,} of {self.rows:,} rows found{''.join(f', {text}' for text in missed)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinReport:
    """What a point-in-time join found, view by view."""

    rows: int
    views: tuple[ViewReport, ...]

    def __str__(self) -> str:
        return "\n".join(str(view) for view in self.views)


@dataclass(frozen=True, slots=True)
class Matches:
    """For each row, the place of its feature row, or null; and the counts of why not."""

    places: pa.Array
    report: ViewReport


def join_features(rows: pa.Table, views: Sequence[tuple[FeatureView, pa.Table]], *, time: str) -> pa.Table:
    """The rows with the features of each view beside them, as known at each row's time.

    A feature keeps its name. Where a name would appear twice, every feature of that name is called
    `<view>__<feature>`; a column of the rows is never renamed.

    Args:
        rows: What features are wanted for; they have the entity's columns of every view.
        views: Feature views, each with its rows.
        time: Column of the rows: the moment at which the features must have been known.

    Raises:
        InvalidInput: a column is missing or of a type that does not fit; the message names it.
    """
    names = feature_names(rows, views)
    joined = rows
    for (view, source), renamed in zip(views, names, strict=True):
        if view.windows:
            for field, column in _windows(rows, view, source, time):
                joined = joined.append_column(field.with_name(renamed[field.name]), column)
            continue
        matches = match_rows(rows, view, source, time)
        picked = source.select(list(renamed)).combine_chunks().take(matches.places)
        for feature, name in renamed.items():
            joined = joined.append_column(
                picked.schema.field(feature).with_name(name).with_nullable(True), picked[feature]
            )
    return joined


def join_report(rows: pa.Table, views: Sequence[tuple[FeatureView, pa.Table]], *, time: str) -> JoinReport:
    """How many rows find values in each view, and why the others do not. The arguments are those of `join_features`."""
    # A window has an answer at every moment; what its rows miss is that of a plain view of the same source.
    reports = tuple(match_rows(rows, view, source, time).report for view, source in views)
    return JoinReport(rows=rows.num_rows, views=reports)


def match_rows(rows: pa.Table, view: FeatureView, source: pa.Table, time: str) -> Matches:
    """For each row, which row of a view counts at its time."""
    import pyarrow as pa
    import pyarrow.compute as pc

    _check_columns(rows, (*view.entity, time), "The rows have")
    _check_columns(source, view.roles, f"Feature view '{view.name}' has")
    keys = _key_types(rows, source, view)
    unit = _unit(rows, source, view, time)
    requests = _side(rows, view, unit, {"time": time}, keys)
    features = _side(source, view, unit, {"time": view.time, "created": view.created or view.time}, keys)
    requests, features = _numbered_keys(requests, features, len(keys))
    found = last_known(requests, features)
    times, places, is_found = requests["time"], found["place"], found["place"].is_valid()
    first = found["first_time"]
    expired = pa.chunked_array([pa.repeat(False, rows.num_rows)])
    if view.ttl_seconds is not None:
        limit = round(view.ttl_seconds * _PER_SECOND[unit])
        age = pc.subtract_checked(times, found["found_time"])
        expired = pc.and_(is_found, pc.fill_null(pc.greater(age, limit), False))
        places = pc.if_else(expired, None, places)
    is_known = pc.and_(first.is_valid(), times.is_valid())
    is_missed = pc.and_(is_known, pc.invert(is_found))
    is_later = pc.fill_null(pc.greater(first, times), False)
    report = ViewReport(
        view=view.name,
        rows=rows.num_rows,
        found=len(places) - places.null_count,
        unknown=_count(pc.invert(is_known)),
        future=_count(pc.and_(is_missed, is_later)),
        late=_count(pc.and_(is_missed, pc.invert(is_later))),
        expired=_count(expired),
    )
    return Matches(places.combine_chunks(), report)


def _windows(rows: pa.Table, view: FeatureView, source: pa.Table, time: str) -> list[tuple[pa.Field, pa.ChunkedArray]]:
    """The windows of a view for each row."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.types as t

    _check_columns(rows, (*view.entity, time), "The rows have")
    columns = [made.column for made in view.windows]
    _check_columns(source, (*view.roles, *columns), f"Feature view '{view.name}' has")
    kinds = [result_type(made.how, source.schema.field(made.column).type) for made in view.windows]
    keys, unit = _key_types(rows, source, view), _unit(rows, source, view, time)
    requests = _side(rows, view, unit, {"time": time}, keys)
    events = _side(source, view, unit, {"since": view.time, "created": view.created or view.time}, keys)
    requests, events = _numbered_keys(requests, events, len(keys))
    for n, name in enumerate(columns):
        values = source[name]
        if t.is_floating(values.type):
            values = pc.if_else(pc.is_nan(values), None, values)
        events = events.append_column(f"v{n}", values)
    events = events.filter(
        pc.and_(pc.and_(events["key"].is_valid(), events["since"].is_valid()), events["created"].is_valid())
    )
    found = window_columns(requests, events, view.windows, _PER_SECOND[unit], has_created=bool(view.created))
    return [
        (pa.field(made.name, kind), found[f"w{n}"].cast(kind))
        for n, (made, kind) in enumerate(zip(view.windows, kinds, strict=True))
    ]


def _numbered_keys(requests: pa.Table, events: pa.Table, keys: int) -> tuple[pa.Table, pa.Table]:
    """Both sides with one whole number for each thing, in place of its keys; null where a key is."""
    import pyarrow as pa
    import pyarrow.compute as pc

    numbers = None
    rows = requests.num_rows
    for n in range(keys):
        joined = pa.chunked_array([*requests[f"key_{n}"].chunks, *events[f"key_{n}"].chunks], requests[f"key_{n}"].type)
        encoded = joined.combine_chunks().dictionary_encode()
        codes = encoded.indices.cast(pa.int64())
        if numbers is not None:  # codes of codes: they stay small, however many keys there are
            codes = pc.add(pc.multiply(numbers, len(encoded.dictionary) + 1), codes)
            codes = codes.dictionary_encode().indices.cast(pa.int64())
        numbers = codes
    assert numbers is not None
    plain_keys = [f"key_{n}" for n in range(keys)]
    return (
        requests.drop_columns(plain_keys).append_column("key", numbers.slice(0, rows)),
        events.drop_columns(plain_keys).append_column("key", numbers.slice(rows)),
    )


def _side(table: pa.Table, view: FeatureView, unit: str, times: dict[str, str], keys: list[pa.DataType]) -> pa.Table:
    import numpy as np
    import pyarrow as pa

    columns = {f"key_{n}": table[key].cast(kind) for n, (key, kind) in enumerate(zip(view.entity, keys, strict=True))}
    columns |= {name: _numbers(table, column, unit) for name, column in times.items()}
    return pa.table({**columns, "place": pa.array(np.arange(table.num_rows, dtype=np.int64))})


def _numbers(table: pa.Table, column: str, unit: str) -> pa.ChunkedArray:
    import pyarrow as pa
    import pyarrow.types as t

    values = table[column]
    if t.is_null(values.type):
        return values.cast(pa.int64())
    try:
        # Casting to a number drops the zone: a time with a zone is kept in UTC, and one without is taken as UTC.
        return values.cast(pa.timestamp(unit, getattr(values.type, "tz", None))).cast(pa.int64())
    except pa.ArrowInvalid as error:
        raise InvalidInput(f"A time in column '{column}' is out of range: {error}.", column=column) from error


def _unit(rows: pa.Table, source: pa.Table, view: FeatureView, time: str) -> str:
    """The unit in which both sides' times are compared."""
    times = view.roles[len(view.entity) :]
    units = {_finest(rows, [time], "the rows"), _finest(source, times, f"feature view '{view.name}'")}
    return max(units, key=lambda name: _PER_SECOND[name])


def _finest(table: pa.Table, columns: Sequence[str], what: str) -> str:
    import pyarrow.types as t

    for column in columns:
        kind = table.schema.field(column).type
        if not (t.is_timestamp(kind) or t.is_date(kind) or t.is_null(kind)):
            hint = "Cast it to a timestamp."
            raise InvalidInput(f"The time '{column}' of {what} is of type {kind}.", hint=hint, column=column)
    is_ns = any(getattr(table.schema.field(column).type, "unit", "") == "ns" for column in columns)
    return "ns" if is_ns else "us"


def _key_types(rows: pa.Table, source: pa.Table, view: FeatureView) -> list[pa.DataType]:
    """The type in which each key is compared, one that holds the values of both sides exactly."""
    import pyarrow as pa

    found = []
    for key in view.entity:
        sides = pa.schema([rows.schema.field(key).with_name("rows"), source.schema.field(key).with_name("view")])
        one, other = Schema.of(sides).columns
        types = {one.type, other.type} - {"null"}
        if len(types) > 1 or not types <= _KEY_TYPES:
            raise InvalidInput(
                f"The key '{key}' is {one.storage} in the rows and {other.storage} in feature view '{view.name}'.",
                hint="Keys are whole numbers, text, dates or booleans, of the same kind on both sides.",
                column=key,
            )
        found.append(_compared_as(next(iter(types), "null"), [field.type for field in sides]))
    return found


def _compared_as(kind: str, types: list[pa.DataType]) -> pa.DataType:
    import pyarrow as pa

    if kind == "int":
        # Beside negative numbers, the largest of the unsigned ones need a wider type.
        return pa.decimal128(20) if pa.uint64() in types else pa.int64()
    plain = {"string": pa.string(), "binary": pa.binary(), "date": pa.date32(), "bool": pa.bool_()}
    return plain.get(kind, pa.int64())


def _check_columns(table: pa.Table, wanted: Sequence[str], who: str) -> None:
    names = Schema.of(table.schema).names
    for column in wanted:
        if column not in names:
            raise InvalidInput(f"{who} no column '{column}'.", hint=did_you_mean(column, names), column=column)


def feature_names(rows: pa.Table, views: Sequence[tuple[FeatureView, pa.Table]]) -> list[dict[str, str]]:
    """For each view, the name that each feature gets beside the rows.

    Raises:
        InvalidInput: two columns would have one name, or a feature is missing.
    """
    wanted = [features_of(view, source) for view, source in views]
    counts = Counter([*rows.column_names, *(feature for features in wanted for feature in features)])
    names = [
        {feature: feature if counts[feature] == 1 else f"{view.name}__{feature}" for feature in features}
        for (view, _), features in zip(views, wanted, strict=True)
    ]
    twice = Counter([*rows.column_names, *(name for renamed in names for name in renamed.values())])
    for name, count in twice.items():
        if count > 1:
            raise InvalidInput(f"The joined table would have two columns '{name}'.", hint="Rename one of them.")
    return names


def features_of(view: FeatureView, source: pa.Table) -> list[str]:
    """The names of a view's features.

    Raises:
        InvalidInput: its rows lack one.
    """
    if view.windows:
        return [made.name for made in view.windows]
    if view.columns:
        _check_columns(source, view.columns, f"Feature view '{view.name}' has")
        return list(view.columns)
    return [name for name in source.column_names if name not in view.roles]


def _count(mask: Any) -> int:
    import pyarrow.compute as pc

    return pc.sum(mask).as_py() or 0
