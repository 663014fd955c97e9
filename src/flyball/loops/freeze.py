"""Times in which a loop starts nothing by itself: `fb.freeze("0 18 * * 5", lasts="60h")`, `fb.freeze_between(...)`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from flyball.clock import parse_duration, parse_time
from flyball.errors import InvalidInput


@dataclass(frozen=True, slots=True, kw_only=True)
class Freeze:
    """A time in which nothing is started: one that comes back (`cron` and `lasts_seconds`), or one between two moments.

    Attributes:
        reason: Why; told with every decision that waits for its end.
    """

    cron: str = ""
    lasts_seconds: float = 0.0
    start: datetime | None = None
    end: datetime | None = None
    reason: str = ""

    def until(self, now: datetime) -> datetime | None:
        """When it ends, if it is on at that moment; else None."""
        if self.start is not None and self.end is not None:
            return self.end if self.start <= now < self.end else None
        from croniter import croniter

        # croniter gives the last time strictly before the one it is asked from.
        began = croniter(self.cron, now + timedelta(microseconds=1)).get_prev(datetime)
        end: datetime = began + timedelta(seconds=self.lasts_seconds)
        return end if now < end else None


def freeze(cron: str, lasts: str, *, reason: str = "") -> Freeze:
    """From each time of a cron expression (UTC), for so long: `fb.freeze("0 18 * * 5", lasts="60h")` is every weekend.

    Raises:
        InvalidInput: the expression is none, or the length is not above zero.
    """
    from croniter import croniter

    if not croniter.is_valid(cron):
        raise InvalidInput(
            f"'{cron}' is no cron expression.", hint="Write it as '0 18 * * 5': minute hour day month weekday."
        )
    seconds = parse_duration(lasts).total_seconds()
    if seconds <= 0:
        raise InvalidInput(f"A freeze of '{lasts}' is none.", hint="Give a length such as '60h'.")
    return Freeze(cron=cron, lasts_seconds=seconds, reason=reason)


def freeze_between(start: str | datetime, end: str | datetime, *, reason: str = "") -> Freeze:
    """From one moment to before another: `fb.freeze_between("2026-12-20", "2027-01-02", reason="Christmas")`.

    Raises:
        InvalidInput: a moment is none, or the end does not come after the start.
    """
    first, last = parse_time(start), parse_time(end)
    if last <= first:
        raise InvalidInput(f"A freeze from {first:%Y-%m-%d %H:%M} ends at {last:%Y-%m-%d %H:%M}, before it begins.")
    return Freeze(start=first, end=last, reason=reason)
