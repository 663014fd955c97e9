"""Names and values as DuckDB reads them in a statement."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from flyball.errors import InvalidInput

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def name(text: str) -> str:
    """A name, in quotes.

    >>> print(name('5" pipe'))
    "5"" pipe"
    """
    return '"' + text.replace('"', '""') + '"'


def text(value: str) -> str:
    """A text, in quotes; characters that end a statement for some readers are written by their number.

    >>> text("it's")
    "'it''s'"
    """
    quoted = "'" + value.replace("'", "''") + "'"
    return "(" + quoted.replace("\0", "' || chr(0) || '") + ")" if "\0" in value else quoted


def select(what: str, rest: str = "", *, of: str = "rows") -> str:
    """A statement.

    >>> select("count(*)", "WHERE x > 1")
    'SELECT count(*) FROM rows WHERE x > 1'
    """
    return " ".join(("SELECT", what, "FROM", of, rest)).rstrip()


def value(given: object) -> str:
    """A plain value: boolean, number, text, moment.

    Raises:
        InvalidInput: it is of another type.
    """
    if given is None:
        return "NULL"
    if isinstance(given, bool):
        return "TRUE" if given else "FALSE"
    if isinstance(given, int):
        # A bare literal beyond 128 bits would be read as a double, and compared as one.
        return f"({given})" if abs(given) < 1 << 127 else number(float(given))
    if isinstance(given, float | Decimal):
        return number(float(given))
    if isinstance(given, str):
        return text(given)
    if isinstance(given, datetime):
        return str(microseconds(given))
    raise InvalidInput(f"A value of type {type(given).__name__} cannot be compared with.")


def number(given: float) -> str:
    """A double, to the last bit."""
    shown = (
        "nan" if math.isnan(given) else "inf" if given == math.inf else "-inf" if given == -math.inf else repr(given)
    )
    return f"CAST('{shown}' AS DOUBLE)"


def microseconds(moment: datetime) -> int:
    """Microseconds since 1970 in UTC; a moment without a zone is in UTC."""
    known = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (known - _EPOCH) // timedelta(microseconds=1)
