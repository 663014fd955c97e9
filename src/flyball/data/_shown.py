"""Values as JSON holds them and people read them, cut where they are long."""

from __future__ import annotations

import math
from datetime import date, datetime, time, timedelta
from decimal import Decimal

from flyball.serialization import JsonValue

_LONGEST = 80


def shown(value: object) -> JsonValue:
    """A value of a table as JSON can hold it."""
    if isinstance(value, str):
        return value if len(value) <= _LONGEST else value[: _LONGEST - 1] + "…"
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, bytes):
        return f"<{len(value)} bytes>"
    if isinstance(value, timedelta | Decimal):
        return str(value)
    if isinstance(value, dict):
        return {str(key): shown(part) for key, part in list(value.items())[:5]}
    if isinstance(value, list | tuple):
        return [shown(part) for part in value[:5]]
    return str(value)[:_LONGEST]
