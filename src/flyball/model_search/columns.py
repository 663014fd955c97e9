"""What the columns of a table are to a model: numbers, categories, moments, texts; and whether the label can be learned."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from flyball.errors import InvalidInput
from flyball.model_search.search import Task

if TYPE_CHECKING:
    import pyarrow as pa

    from flyball.data.table import Table

MOST_CATEGORIES = 40
"""Columns of more values are encoded by what the label is worth for each."""
_MOST_LOOKED_AT = 20_000
_FEWEST_OF_A_CLASS = 5
_MOST_CLASSES = 100
_FEW_VALUES = 20
_WORDS_OF_A_TEXT = 3.0
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}.*)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """The columns that a model may look at, by what is done with them.

    Attributes:
        categories: Texts and truths of few values. `many`: of many values.
        moments: Times and dates, also those written as text.
        texts: What people wrote.
        gaps: Numbers that are missing somewhere.
        notes: What was left out and why, in sentences.
    """

    numbers: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    many: tuple[str, ...] = ()
    moments: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    gaps: tuple[str, ...] = ()
    notes: tuple[str, ...] = field(default=(), compare=False)

    @property
    def names(self) -> tuple[str, ...]:
        """All of them, in the order in which they are prepared."""
        return (*self.categories, *self.many, *self.moments, *self.texts, *self.numbers)


def read_columns(rows: Table, label: str, *, without: tuple[str, ...] = ()) -> Columns:
    """What the columns of a table are.

    Args:
        rows: The rows to learn from; columns with a role are left out.
        without: More columns that a model may not look at.

    Raises:
        InvalidInput: no column is left.
    """
    inputs = rows.inputs(label)
    kinds: dict[str, list[str]] = {kind: [] for kind in ("numbers", "categories", "many", "moments", "texts")}
    notes, gaps = [], []
    for name in inputs.column_names:
        if name in without:
            continue
        column = inputs[name]
        why = _why_not(name, column)
        if why:
            notes.append(f"'{name}' is left out: {why}.")
            continue
        kind = _kind(column)
        if kind == "numbers" and column.null_count:
            gaps.append(name)
        if kind == "":
            notes.append(f"'{name}' is left out: nothing here learns from columns of type {column.type}.")
            continue
        kinds[kind].append(name)
        if _tells_all(column, rows.column(label)):
            notes.append(f"'{name}' alone tells the label. Make sure that it is known before the label is.")
    if not any(kinds.values()):
        raise InvalidInput("No column is left to learn from.", hint=" ".join(notes))
    return Columns(**{kind: tuple(names) for kind, names in kinds.items()}, gaps=tuple(gaps), notes=tuple(notes))


def task_of(rows: Table, label: str, asked: Task | str) -> Task:
    """The task that the label stands for, or the one that was asked for.

    Raises:
        InvalidInput: the label cannot be learned so.
    """
    import pyarrow.types as t

    column = rows.column(label)
    kind = column.type
    if t.is_dictionary(kind):
        kind = kind.value_type
    known = column.drop_null()
    if not len(known):
        raise InvalidInput(f"The label '{label}' is missing in all rows.", hint="Is it the right column?")
    is_number = t.is_integer(kind) or t.is_floating(kind) or t.is_decimal(kind)
    is_name = t.is_string(kind) or t.is_large_string(kind) or t.is_boolean(kind)
    if not is_number and not is_name:
        raise InvalidInput(
            f"The label '{label}' is of type {kind}.",
            hint="A label is a number, a text or a truth. Cast it, or take another.",
        )
    distinct = len(known.unique())
    if distinct < 2:
        raise InvalidInput(
            f"The label '{label}' is {known[0].as_py()!r} in every row: there is nothing to learn.",
            hint="Is it the right column, and are these all rows?",
        )
    if asked:
        if asked != "classification" and not is_number:
            raise InvalidInput(
                f"The label '{label}' is of type {kind}: no numbers.", hint="Ask for task='classification'."
            )
        found: Task = asked  # type: ignore[assignment]  # one of the three, as the noun was checked at the door
    else:
        few = distinct <= _FEW_VALUES and distinct < 0.05 * len(known)
        whole = t.is_integer(kind) or (distinct == 2 and is_number)
        found = "classification" if is_name or (whole and (few or distinct == 2)) else "regression"
    if found == "classification":
        _check_classes(known, label, distinct)
    else:
        _check_numbers(known, label)
    return found


def _check_classes(known: pa.ChunkedArray, label: str, distinct: int) -> None:
    if distinct > _MOST_CLASSES:
        raise InvalidInput(
            f"The label '{label}' has {distinct:,} classes in {len(known):,} rows.",
            hint="Put them together into at most 100, or is it a number, for task='regression'?",
        )
    counts = {item["values"]: item["counts"] for item in known.value_counts().to_pylist()}
    rare = {value: count for value, count in counts.items() if count < _FEWEST_OF_A_CLASS}
    if rare:
        value, count = min(rare.items(), key=lambda item: item[1])
        raise InvalidInput(
            f"The class {value!r} of '{label}' has {count} row{'s' if count > 1 else ''} only: too few to learn and to judge.",
            hint=f"Each class needs {_FEWEST_OF_A_CLASS}. Leave such rows out, or put classes together.",
        )


def _check_numbers(known: pa.ChunkedArray, label: str) -> None:
    import pyarrow.compute as pc

    finite = pc.sum(pc.is_finite(known.cast("float64"))).as_py()
    if finite != len(known):
        raise InvalidInput(
            f"The label '{label}' is infinite or no number in {len(known) - finite:,} rows.",
            hint="Leave them out, or make them null.",
        )


def _why_not(name: str, column: pa.ChunkedArray) -> str:
    import pyarrow.compute as pc
    import pyarrow.types as t

    if column.null_count == len(column):
        return "it is always missing"
    kind = column.type
    if t.is_nested(kind) or t.is_binary(kind) or t.is_large_binary(kind) or t.is_time(kind) or t.is_duration(kind):
        return f"nothing here learns from columns of type {kind}"
    distinct = pc.count_distinct(_values(column), mode="all").as_py()
    if distinct == 1:
        return "it is the same in every row"
    if distinct == len(column) > _FEW_VALUES:
        if t.is_integer(kind) and re.search(r"(^|_)(id|key|number|nr|index)$|Id$", name):
            return "it names rows: each has a value of its own"
        if _is_text(kind) and not _looks_written(column) and not _looks_like_dates(column):
            return "it names rows: each has a value of its own"
    return ""


def _kind(column: pa.ChunkedArray) -> str:
    import pyarrow.types as t

    kind = column.type
    if t.is_integer(kind) or t.is_floating(kind) or t.is_decimal(kind):
        return "numbers"
    if t.is_boolean(kind):
        return "categories" if column.null_count else "numbers"
    if t.is_timestamp(kind) or t.is_date(kind):
        return "moments"
    if not _is_text(kind):
        return ""
    if _looks_like_dates(column):
        return "moments"
    distinct = len(_values(column).slice(0, _MOST_LOOKED_AT).unique())
    if distinct > MOST_CATEGORIES and _looks_written(column):
        return "texts"
    return "categories" if distinct <= MOST_CATEGORIES else "many"


def _is_text(kind: Any) -> bool:
    import pyarrow.types as t

    if t.is_dictionary(kind):
        kind = kind.value_type
    return bool(t.is_string(kind) or t.is_large_string(kind))


def _values(column: pa.ChunkedArray) -> pa.ChunkedArray:
    import pyarrow.types as t

    return column.cast(column.type.value_type) if t.is_dictionary(column.type) else column


def _some(column: pa.ChunkedArray) -> list[str]:
    return [value for value in _values(column).slice(0, 500).to_pylist() if value is not None]


def _looks_like_dates(column: pa.ChunkedArray) -> bool:
    some = _some(column)
    return bool(some) and all(_DATE.fullmatch(value.strip()) for value in some)


def _looks_written(column: pa.ChunkedArray) -> bool:
    some = _some(column)
    return bool(some) and sum(len(value.split()) for value in some) / len(some) >= _WORDS_OF_A_TEXT


def _tells_all(column: pa.ChunkedArray, label: pa.ChunkedArray) -> bool:
    """Whether each of few values of a column goes with one label, and the other way round."""
    import pyarrow as pa

    pairs = pa.table({"x": _values(column).slice(0, _MOST_LOOKED_AT), "y": _values(label).slice(0, _MOST_LOOKED_AT)})
    values, labels = len(pairs["x"].unique()), len(pairs["y"].unique())
    if values != labels or labels > _FEW_VALUES:
        return False
    return bool(pairs.group_by(["x", "y"]).aggregate([]).num_rows == values)
