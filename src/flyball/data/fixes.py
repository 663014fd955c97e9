"""What mends a table, one function each: rows in, rows out, the roles of the columns kept."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from flyball.data.table import Table
from flyball.errors import InvalidInput, did_you_mean

if TYPE_CHECKING:
    import pyarrow as pa

_NUMBER = re.compile(
    r"[+-]?(?:\d+(?:[.,]\d+)?|\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d{1,3}(?:\.\d{3})+(?:,\d+)?|[.]\d+)(?:[eE][+-]?\d+)?"
)
_AROUND = re.compile(r"^[\s$€£%]+|[\s$€£%]+$")
# Of the formats that fit a text the first counts: days before months only where a month cannot be meant.
FORMATS = (
    "%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y/%m/%d", "%d.%m.%Y", "%d.%m.%Y %H:%M",
    "%m/%d/%Y", "%d/%m/%Y", "%m/%d/%Y %H:%M", "%d/%m/%Y %H:%M", "%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%Y%m%d",
)  # fmt: skip
_TRUE, _FALSE = {"true", "yes", "y", "t", "1", "ja", "oui"}, {"false", "no", "n", "f", "0", "nein", "non"}


def drop_duplicates(rows: Table, columns: Sequence[str] = ()) -> Table:
    """The rows without those that repeat an earlier one in these columns, by default in all."""
    return _without(rows, repeated_rows(rows.arrow, list(columns) or rows.column_names))


def drop_near_duplicates(rows: Table, columns: Sequence[str]) -> Table:
    """The rows without those whose texts are nearly the same as those of an earlier one."""
    from flyball.data._near_duplicates import near_pairs

    texts = [rows.column(name).to_pylist() for name in columns]
    whole = [" ".join(" ".join(part.lower().split()) for part in row if part)[:400] for row in zip(*texts, strict=True)]
    return _without(rows, [second for _, second in near_pairs(whole)])


def drop_columns(rows: Table, columns: Sequence[str]) -> Table:
    """The rows without these columns."""
    for name in columns:
        rows.column(name)
    return rows.select([name for name in rows.column_names if name not in columns])


def drop_missing(rows: Table, columns: Sequence[str]) -> Table:
    """The rows in which none of these columns is missing."""
    import pyarrow.compute as pc

    for name in columns:
        rows = rows.filter(pc.invert(pc.is_null(rows.column(name), nan_is_null=True)))
    return rows


def fill_missing(rows: Table, column: str, value: Any = None) -> Table:
    """The rows with something in place of missing values.

    Args:
        value: What to put there; by default the median of numbers, and the most frequent value of others.
    """
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.types as t

    values = rows.column(column)
    if t.is_floating(values.type):
        values = pc.if_else(pc.is_nan(values), pa.scalar(None, values.type), values)
    if value is None:
        known = values.drop_null()
        if not len(known):
            raise InvalidInput(f"'{column}' holds no value to fill with.", hint="Give one: value=0.")
        if t.is_integer(values.type) or t.is_floating(values.type):
            value = pc.quantile(known, 0.5, interpolation="lower" if t.is_integer(values.type) else "linear")[0].as_py()
        else:
            value = pc.mode(known)[0]["mode"].as_py() if t.is_boolean(values.type) else _most_frequent(known)
    try:
        filled = pc.fill_null(values, pa.scalar(value, values.type))
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise InvalidInput(f"{value!r} does not fit '{column}' of type {values.type}.") from error
    return _with(rows, column, filled)


def to_missing(rows: Table, column: str, values: Sequence[Any]) -> Table:
    """The rows with these values taken for missing."""
    import pyarrow as pa
    import pyarrow.compute as pc

    found = rows.column(column)
    is_one = pc.is_in(found, value_set=pa.array(values).cast(found.type))
    return _with(rows, column, pc.if_else(is_one, pa.scalar(None, found.type), found))


def clip(rows: Table, column: str, low: float | None = None, high: float | None = None) -> Table:
    """The rows with numbers outside the bounds set to the nearer bound."""
    import math

    import pyarrow as pa
    import pyarrow.compute as pc

    values = rows.column(column)
    is_whole = pa.types.is_integer(values.type)
    for bound, choose, inward in ((low, pc.max_element_wise, math.ceil), (high, pc.min_element_wise, math.floor)):
        if bound is not None:
            values = choose(values, pa.scalar(inward(bound) if is_whole else bound, values.type), skip_nulls=False)
    return _with(rows, column, values)


def rescale(rows: Table, column: str, factor: float, by: str = "", value: str = "") -> Table:
    """The rows with numbers multiplied by a factor, where the column `by` is `value`, by default everywhere."""
    import pyarrow as pa
    import pyarrow.compute as pc

    values = rows.column(column).cast(pa.float64(), safe=False)
    changed = pc.multiply(values, factor)
    if by:
        is_there = pc.fill_null(pc.equal(rows.column(by).cast(pa.string()), value), False)
        changed = pc.if_else(is_there, changed, values)
    return _with(rows, column, changed)


def to_numbers(rows: Table, column: str) -> Table:
    """The rows with texts read as numbers (`1,234.5`, `1.234,5`, `3 %`, `$5`); what is none is missing."""
    import pyarrow as pa

    numbers = [None if text is None else number_of(text) for text in rows.column(column).cast(pa.string()).to_pylist()]
    is_whole = all(number is None or number.is_integer() for number in numbers)
    kept = [None if number is None else int(number) for number in numbers] if is_whole else numbers
    return _with(rows, column, pa.chunked_array([pa.array(kept, pa.int64() if is_whole else pa.float64())]))


def to_times(rows: Table, column: str, formats: Sequence[str] = FORMATS) -> Table:
    """The rows with texts read as moments by the first format that fits; what fits none is missing."""
    import pyarrow as pa

    texts = rows.column(column).cast(pa.string()).to_pylist()
    moments = [None if text is None else _moment(text.strip(), formats) for text in texts]
    return _with(rows, column, pa.chunked_array([pa.array(moments, pa.timestamp("us"))]))


def to_marks(rows: Table, column: str) -> Table:
    """The rows with texts such as `yes` and `no` read as true and false; what is neither is missing."""
    import pyarrow as pa

    def mark(text: str) -> bool | None:
        plain = text.strip().lower()
        return True if plain in _TRUE else False if plain in _FALSE else None

    marks = [None if text is None else mark(text) for text in rows.column(column).cast(pa.string()).to_pylist()]
    return _with(rows, column, pa.chunked_array([pa.array(marks, pa.bool_())]))


def merge_values(rows: Table, column: str, values: Mapping[str, str]) -> Table:
    """The rows with values written in the one way that they shall be: `{"jfk ": "JFK"}`."""
    import pyarrow as pa
    import pyarrow.compute as pc

    found = rows.column(column)
    places = pc.index_in(found, value_set=pa.array(list(values), found.type))
    meant = pa.array(list(values.values()), found.type).take(places.combine_chunks())
    return _with(rows, column, pc.if_else(places.is_valid(), pa.chunked_array([meant]), found))


def drop_rows_in(rows: Table, test: Table, columns: Sequence[str] = ()) -> Table:
    """The rows without those that are among others, by some columns, by default by all that both have."""
    shared = list(columns) or [name for name in rows.column_names if name in test.column_names]
    return _without(rows, rows_in_other(rows.arrow, test.arrow, shared))


def drop_label_errors(rows: Table, label: str = "") -> Table:
    """The rows without those whose label is probably wrong; see the finding `label_errors`."""
    import numpy as np
    import pyarrow as pa

    from flyball.data._label_errors import find_label_errors

    name = label or rows.label
    if not name:
        raise InvalidInput("The table has no label.", hint="Name it: label='late'.")
    known = np.flatnonzero(rows.column(name).is_valid().to_numpy())
    inputs = rows.inputs(name)
    usable = [f.name for f in inputs.schema if _is_plain(f.type)]
    part = rows.arrow.take(pa.array(known))
    found = find_label_errors(inputs.select(usable).take(pa.array(known)), part.column(name))
    return _without(rows, known[found].tolist())


def number_of(text: str) -> float | None:
    """The number that a text is; None if it is none.

    >>> number_of("1,234.5"), number_of("1.234,5"), number_of(" 3 % "), number_of("N1")
    (1234.5, 1234.5, 3.0, None)
    """
    plain = _AROUND.sub("", text)
    if not _NUMBER.fullmatch(plain):
        return None
    comma, dot = plain.rfind(","), plain.rfind(".")
    if comma > dot:
        is_decimal = plain.count(",") == 1 and (dot >= 0 or len(plain) - comma != 4)
        plain = plain.replace(".", "").replace(",", "." if is_decimal else "")
    elif plain.count(".") > 1:
        plain = plain.replace(".", "")
    else:
        plain = plain.replace(",", "")
    try:
        return float(plain)
    except ValueError:
        return None


def time_format(text: str) -> str:
    """The format of `FORMATS` that a text has; empty if it has none.

    >>> time_format("2013-01-31"), time_format("31.01.2013"), time_format("late")
    ('%Y-%m-%d', '%d.%m.%Y', '')
    """
    plain = text.strip()
    if not 6 <= len(plain) <= 26 or not any(letter.isdigit() for letter in plain):
        return ""
    for each in FORMATS:
        moment = _moment(plain, (each,))
        if moment is not None and 1900 <= moment.year <= 2100:
            return each
    return ""


def repeated_rows(table: pa.Table, columns: Sequence[str]) -> list[int]:
    """Places of the rows that repeat an earlier one in these columns; missing equals missing, NaN equals NaN."""
    from flyball.data import _sql
    from flyball.data.scan import Scan

    _require(table, columns)
    if not table.num_rows:
        return []
    with Scan(_numbered(table.select(list(columns)))) as scan:
        refs = ", ".join(scan.ref(name) for name in columns)
        place = scan.ref(_PLACE)
        found = scan.query(_sql.select(place, f"QUALIFY row_number() OVER (PARTITION BY {refs} ORDER BY {place}) > 1"))
    return sorted(row[0] for row in found)


def rows_in_other(table: pa.Table, other: pa.Table, columns: Sequence[str]) -> list[int]:
    """Places of the rows that another table has too, by these columns."""
    from flyball.data import _sql
    from flyball.data.scan import Scan

    _require(table, columns)
    _require(other, columns)
    if not table.num_rows or not other.num_rows:
        return []
    with Scan(_numbered(table.select(list(columns))), others={"other": other.select(list(columns))}) as scan:
        view, theirs = scan.other("other")
        same = " AND ".join(f"rows.{scan.ref(name)} IS NOT DISTINCT FROM o.{theirs.ref(name)}" for name in columns)
        exists = _sql.select("1", f"WHERE {same}", of=f"{view} AS o")
        found = scan.query(_sql.select(scan.ref(_PLACE), f"WHERE EXISTS ({exists})"))
    return sorted(row[0] for row in found)


_PLACE = "__place__"


def _numbered(table: pa.Table) -> pa.Table:
    import numpy as np
    import pyarrow as pa

    return table.append_column(_PLACE, pa.array(np.arange(table.num_rows)))


def _require(table: pa.Table, columns: Iterable[str]) -> None:
    for name in columns:
        if name not in table.column_names:
            raise InvalidInput(f"There is no column '{name}'.", hint=did_you_mean(name, table.column_names))


def _without(rows: Table, places: Sequence[int]) -> Table:
    import numpy as np

    keep = np.ones(len(rows), dtype=bool)
    keep[list(places)] = False
    return rows.filter(keep)


def _with(rows: Table, column: str, values: pa.ChunkedArray) -> Table:
    return rows.with_arrow(rows.arrow.set_column(rows.column_names.index(column), column, values))


def _most_frequent(values: pa.ChunkedArray) -> Any:
    import pyarrow.compute as pc

    pairs = pc.value_counts(values).to_pylist()
    return max(pairs, key=lambda pair: (pair["counts"], str(pair["values"])))["values"]


def _moment(text: str, formats: Sequence[str]) -> datetime | None:
    for each in formats:
        try:
            return datetime.strptime(text, each)  # noqa: DTZ007 - a text without a zone is a time without one
        except ValueError:
            continue
    return None


def _is_plain(kind: pa.DataType) -> bool:
    import pyarrow.types as t

    return bool(
        t.is_integer(kind) or t.is_floating(kind) or t.is_decimal(kind) or t.is_boolean(kind) or t.is_string(kind)
    )
