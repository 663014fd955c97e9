"""Where the time comes from: UTC, always with a time zone.

Rooms never ask the system for the time; they are handed a `Clock`. So a test can stand still, and a workspace can
live in *virtual time*, in which months of history are replayed in minutes (`storage/virtual_clock.py`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol

from flyball.errors import InvalidInput

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?) *([smhdw])")
_DURATION = re.compile(rf"(?:{_PART.pattern} *)+")


class Clock(Protocol):
    """Something that knows what time it is."""

    def now(self) -> datetime:
        """The present moment, in UTC, with its time zone."""
        ...


class SystemClock:
    """The clock of this machine."""

    def now(self) -> datetime:
        """The present moment."""
        return datetime.now(UTC)


@dataclass(slots=True)
class FixedClock:
    """A clock that stands still until it is moved; for tests.

    >>> clock = FixedClock(datetime(2013, 3, 1, tzinfo=UTC))
    >>> clock.advance(timedelta(days=1)); clock.now().isoformat()
    '2013-03-02T00:00:00+00:00'
    """

    moment: datetime = field(default_factory=lambda: datetime(2026, 1, 1, tzinfo=UTC))

    def now(self) -> datetime:
        """The moment it was last set to."""
        return self.moment

    def advance(self, by: timedelta) -> None:
        """Moves the clock on."""
        self.moment += by


def parse_duration(text: str | timedelta) -> timedelta:
    """Reads a duration such as `90s`, `10m`, `3h`, `14d`, `2w`; several parts may follow each other.

    >>> parse_duration("1d12h")
    datetime.timedelta(days=1, seconds=43200)

    Raises:
        InvalidInput: the text is no duration.
    """
    if isinstance(text, timedelta):
        return text
    if not isinstance(text, str) or not _DURATION.fullmatch(text.strip()):
        raise _not_a_duration(text)
    try:
        return sum((timedelta(**{_UNITS[unit]: float(number)}) for number, unit in _PART.findall(text)), timedelta())
    except OverflowError as error:
        raise _not_a_duration(text) from error


def format_duration(duration: timedelta) -> str:
    """Writes a duration so that `parse_duration` reads it back.

    >>> format_duration(timedelta(days=1, hours=12))
    '1d12h'
    """
    if duration < timedelta():
        raise InvalidInput(f"A duration cannot be negative: {duration}.")
    days, left = divmod(duration, timedelta(days=1))
    hours, left = divmod(left, timedelta(hours=1))
    minutes, left = divmod(left, timedelta(minutes=1))
    parts = "".join(f"{number}{unit}" for number, unit in ((days, "d"), (hours, "h"), (minutes, "m")) if number)
    seconds = f"{left.seconds}.{left.microseconds:06d}".rstrip("0").rstrip(".") if left else ""
    return parts + (f"{seconds}s" if seconds else "" if parts else "0s")


def parse_time(text: str | datetime) -> datetime:
    """Reads an ISO 8601 moment or date; one without a time zone is UTC.

    >>> parse_time("2013-03-01").isoformat()
    '2013-03-01T00:00:00+00:00'

    Raises:
        InvalidInput: the text is no moment.
    """
    try:
        moment = text if isinstance(text, datetime) else datetime.fromisoformat(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, TypeError, OverflowError) as error:
        raise InvalidInput(
            f"'{text}' is not a time.", hint="Write it as 2013-03-01 or 2013-03-01T12:00:00Z."
        ) from error


def format_time(moment: datetime) -> str:
    """A moment as ISO 8601 in UTC.

    >>> format_time(parse_time("2013-03-01"))
    '2013-03-01T00:00:00Z'
    """
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _not_a_duration(text: object) -> InvalidInput:
    return InvalidInput(f"'{text}' is not a duration.", hint="Write it as 90s, 10m, 3h, 14d or 2w.")
