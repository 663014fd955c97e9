"""Where the time comes from: UTC, always with a time zone.

Rooms never ask the system for the time; they are handed a `Clock`. So a test can stand still, and a workspace can
live in *virtual time*, in which months of history are replayed in minutes (`storage/virtual_clock.py`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol

from flyball.errors import InvalidInput

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


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
    seconds, number = 0.0, ""
    for character in text.strip():
        if character.isdigit() or character == ".":
            number += character
        elif character in _UNITS and number not in ("", "."):
            seconds += float(number) * _UNITS[character]
            number = ""
        elif character == " " and not number:
            continue
        else:
            raise _not_a_duration(text)
    if number or not text.strip():
        raise _not_a_duration(text)
    return timedelta(seconds=seconds)


def format_duration(duration: timedelta) -> str:
    """Writes a duration so that `parse_duration` reads it back.

    >>> format_duration(timedelta(days=1, hours=12))
    '1d12h'
    """
    left, parts = duration.total_seconds(), ""
    for unit in ("d", "h", "m"):
        whole, left = divmod(left, _UNITS[unit])
        parts += f"{int(whole)}{unit}" if whole else ""
    return parts + (f"{left:g}s" if left or not parts else "")


def parse_time(text: str | datetime) -> datetime:
    """Reads an ISO 8601 moment or date; one without a time zone is UTC.

    >>> parse_time("2013-03-01").isoformat()
    '2013-03-01T00:00:00+00:00'

    Raises:
        InvalidInput: the text is no moment.
    """
    try:
        moment = text if isinstance(text, datetime) else datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidInput(
            f"'{text}' is not a time.", hint="Write it as 2013-03-01 or 2013-03-01T12:00:00Z."
        ) from error
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _not_a_duration(text: str) -> InvalidInput:
    return InvalidInput(f"'{text}' is not a duration.", hint="Write it as 90s, 10m, 3h, 14d or 2w.")
