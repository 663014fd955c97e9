"""Comparisons of a filter as SQL: every value bound, and the same meaning on SQLite and PostgreSQL.

Each function gives an expression that is true or false, never NULL, so that NOT can be put before it.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from flyball.errors import InvalidInput
from flyball.tracking.filters import Comparison, Value

_COMPARED: dict[str, Callable[[Any, Any], Any]] = {
    "=": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}
_INT64 = 1 << 63
_LONGEST_EXPRESSION = 200
_MANY = 5


def compare(column: sa.ColumnElement[Any], asked: Comparison, *, nullable: bool = False) -> sa.ColumnElement[bool]:
    """A column of texts or numbers, compared with the value.

    Args:
        nullable: Whether the column may be NULL, which stands for a field that is not there.
    """
    if asked.operator in ("IS NULL", "IS NOT NULL"):
        return column.is_(None) if asked.operator == "IS NULL" else column.is_not(None)
    found = _compared(column, asked.operator, asked.value)
    return sa.and_(column.is_not(None), found) if nullable else found


def compare_time(column: sa.ColumnElement[Any], asked: Comparison, *, nullable: bool = False) -> sa.ColumnElement[bool]:
    """A column of moments (`Instant`), compared with a moment or with milliseconds since 1970.

    Milliseconds are compared with the whole milliseconds of the column, which is finer.
    """
    if asked.operator in ("IS NULL", "IS NOT NULL"):
        return column.is_(None) if asked.operator == "IS NULL" else column.is_not(None)
    stored = sa.type_coerce(column, sa.BigInteger)
    found = column if isinstance(asked.value, datetime) else stored
    condition = (
        _COMPARED[asked.operator](found, asked.value)
        if isinstance(asked.value, datetime)
        else _of_milliseconds(stored, asked.operator, asked.value)
    )
    return sa.and_(column.is_not(None), condition) if nullable else condition


def compare_choice(
    column: sa.ColumnElement[Any], asked: Comparison, choices: Mapping[str, str]
) -> sa.ColumnElement[bool]:
    """A column of few known texts, compared by the names that they have for the asker.

    Args:
        choices: What is stored, and how the asker calls it.
    """
    return column.in_([stored for stored, name in choices.items() if text_matches(name, asked.operator, asked.value)])


def keyed(
    asked: Comparison,
    table: sa.FromClause,
    owner: sa.ColumnElement[bool],
    *,
    key: str = "key",
    value: str = "value",
    nullable: bool = False,
) -> sa.ColumnElement[bool]:
    """Rows of key and value (tags, params) that belong to one thing, compared with the value.

    Args:
        owner: What ties such a row to its thing, such as `tags.c.model == models.c.number`.
        nullable: Whether values may be NULL.
    """
    rows = sa.select(sa.literal(1)).select_from(table).where(owner, table.c[key] == asked.key)
    if asked.operator not in ("IS NULL", "IS NOT NULL"):
        rows = rows.where(compare(table.c[value], asked, nullable=nullable))
    # Only the table of pairs is the subquery's own; the thing itself is that of the query around it.
    exists = rows.correlate_except(table).exists()
    return ~exists if asked.operator == "IS NULL" else exists


def text_matches(text: str, comparator: str, value: Value) -> bool:
    """Whether a text fits, by the same rules as in SQL.

    >>> text_matches("RUNNING", "ILIKE", "run%"), text_matches("RUNNING", "LIKE", "run%")
    (True, False)
    """
    if comparator in ("IN", "NOT IN"):
        return (text in value) == (comparator == "IN") if isinstance(value, tuple) else False
    if comparator in ("LIKE", "ILIKE"):
        pattern = "".join(
            re.escape(part) if not wild else ".*" if part == "%" else "." for part, wild in _pattern(str(value))
        )
        return re.fullmatch(pattern, text, re.DOTALL | (re.IGNORECASE if comparator == "ILIKE" else 0)) is not None
    return bool(_COMPARED[comparator](text, value))


def number_of(column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """The number that a text is; NULL where it is none."""
    return _NumberOf(column)


def json_text(column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """The text that a JSON document is."""
    return _JsonText(column)


class _JsonText(FunctionElement[str]):
    """The text that a JSON document is, without its quotation marks and escapes."""

    inherit_cache = True
    type = sa.Text()
    name = "flyball_json_text"


@compiles(_JsonText)
def _json_text(element: _JsonText, compiler: Any, **options: Any) -> str:
    (column,) = element.clauses
    return f"(CAST({compiler.process(column, **options)} AS JSONB) #>> '{{}}')"


@compiles(_JsonText, "sqlite")
def _json_text_sqlite(element: _JsonText, compiler: Any, **options: Any) -> str:
    (column,) = element.clauses
    return f"json_extract({compiler.process(column, **options)}, '$')"


class _NumberOf(FunctionElement[float]):
    """The number that a text is, without an error where it is none."""

    inherit_cache = True
    type = sa.Float(53)
    name = "flyball_number_of"


@compiles(_NumberOf)
def _number_of(element: _NumberOf, compiler: Any, **options: Any) -> str:
    (column,) = element.clauses
    text = compiler.process(column, **options)
    # What is longer would not fit the type, and PostgreSQL would stop there.
    number = r"^-?(0|[1-9][0-9]{0,99})([.][0-9]{1,100})?([eE][+-]?[0-9]{1,2})?$"
    return f"(CASE WHEN {text} ~ '{number}' THEN CAST({text} AS DOUBLE PRECISION) END)"


@compiles(_NumberOf, "sqlite")
def _number_of_sqlite(element: _NumberOf, compiler: Any, **options: Any) -> str:
    (column,) = element.clauses
    text = compiler.process(column, **options)
    kind = f"CASE WHEN json_valid({text}) THEN json_type({text}) END"
    return f"(CASE WHEN {kind} IN ('integer', 'real') THEN CAST({text} AS REAL) END)"


class _Like(FunctionElement[bool]):
    """LIKE that heeds the case of letters on every database."""

    inherit_cache = True
    type = sa.Boolean()
    name = "flyball_like"


@compiles(_Like)
def _like(element: _Like, compiler: Any, **options: Any) -> str:
    column, pattern, _glob = element.clauses
    return f"({compiler.process(column, **options)} LIKE {compiler.process(pattern, **options)} ESCAPE '\\')"


@compiles(_Like, "sqlite")
def _like_sqlite(element: _Like, compiler: Any, **options: Any) -> str:
    # SQLite's LIKE does not heed the case; GLOB does.
    column, _pattern, glob = element.clauses
    return f"({compiler.process(column, **options)} GLOB {compiler.process(glob, **options)})"


def _compared(column: sa.ColumnElement[Any], comparator: str, value: Value) -> sa.ColumnElement[bool]:
    if comparator == "IN":
        return column.in_(cast("tuple[str, ...]", value))
    if comparator == "NOT IN":
        return column.not_in(cast("tuple[str, ...]", value))
    if comparator == "LIKE":
        return _Like(column, sa.literal(_for_like(str(value))), sa.literal(_for_glob(str(value))))
    if comparator == "ILIKE":
        return column.ilike(_for_like(str(value)), escape="\\")
    if comparator == "RLIKE":
        return column.regexp_match(_checked_expression(str(value)))
    found: sa.ColumnElement[bool] = _COMPARED[comparator](column, value)
    return found


def _of_milliseconds(column: sa.ColumnElement[int], comparator: str, value: Value) -> sa.ColumnElement[bool]:
    if not isinstance(value, int | float):
        raise InvalidInput(f"{str(value)[:40]!r} is no number of milliseconds.")
    whole = int(value // 1)
    if whole != value and comparator in ("=", "!="):
        return sa.true() if comparator == "!=" else sa.false()
    first = sa.literal(_stored(whole * 1000), sa.BigInteger)
    after = sa.literal(_stored((whole + 1) * 1000), sa.BigInteger)
    if comparator == "=":
        return sa.and_(column >= first, column < after)
    if comparator == "!=":
        return sa.or_(column < first, column >= after)
    if comparator == ">":
        return column >= after
    if comparator == "<=":
        return column < after
    # Those from the next whole millisecond on: 1.5 is passed by 2, not by 1.
    start = first if whole == value else after
    return column >= start if comparator == ">=" else column < start


def _stored(microseconds: int) -> int:
    return max(-_INT64, min(microseconds, _INT64 - 1))


def _pattern(text: str) -> list[tuple[str, bool]]:
    """The characters of a pattern, and whether each is a wildcard; a backslash takes its meaning from %, _ and itself."""
    found, place = [], 0
    while place < len(text):
        escaped = text[place] == "\\" and text[place + 1 : place + 2] in ("%", "_", "\\")
        place += escaped
        found.append((text[place], not escaped and text[place] in "%_"))
        place += 1
    return found


def _for_like(text: str) -> str:
    return "".join(part if wild or part not in "%_\\" else "\\" + part for part, wild in _pattern(text))


def _for_glob(text: str) -> str:
    wildcards = {"%": "*", "_": "?"}
    return "".join(wildcards[part] if wild else f"[{part}]" if part in "*?[" else part for part, wild in _pattern(text))


def _checked_expression(text: str) -> str:
    r"""A regular expression that does not keep the database busy for long, whatever it is matched with.

    SQLite's is Python's own, which tries every way in which repeats could share a text between them: two that follow each
    other, from any place on, take minutes for a few thousand letters.

    Raises:
        InvalidInput: it repeats groups, or repeats too much, or is no regular expression.
    """
    # What may stand before and after is not asked for, since it is searched for anywhere.
    text = re.sub(r"(?<!\\)\.\*$", "", re.sub(r"^\.\*(?![?+])", "", text))
    plain = re.sub(r"\\[^0-9]|\[\^?\]?[^\]]*\]", "x", text[:_LONGEST_EXPRESSION])
    ranges = [int(most or _MANY + 1) for most in re.findall(r"\{\d*,(\d{0,6})\}", plain)]
    endless = len(re.findall(r"[*+]", plain)) + sum(most > _MANY for most in ranges)
    short = plain.count("?") + sum(most <= _MANY for most in ranges)
    allowed = 2 if plain.startswith("^") and "|" not in plain else 1
    risky = re.search(r"\)[*+?{]|\\[0-9]|\(\?", plain)
    if len(text) > _LONGEST_EXPRESSION or endless > allowed or short > _MANY or risky:
        raise InvalidInput(
            f"The expression {text[:60]!r} could take for ever.",
            hint="Use one * or +, two after ^, and none after a group; or LIKE.",
        )
    try:
        re.compile(text)
    except (re.error, OverflowError, RecursionError) as error:
        raise InvalidInput(f"{text[:60]!r} is no regular expression: {error}.") from error
    return text
