"""The outbox: what is to be told of alerts, and what was told where.

A notice is written in the transaction of the change that it tells, so none is lost; each channel's delivery of it is
claimed before it is sent and noted after. A sender that is killed in between sends again: at least once.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import sqlalchemy as sa

from flyball.alerts import _store
from flyball.clock import Clock
from flyball.storage.database import Database
from flyball.storage.event_log import EventLog

What = Literal["opened", "escalated", "acknowledged", "resolved"]

MOST_ATTEMPTS = 20
_OLDEST_SECONDS = 86_400.0
_FIRST_PAUSE_SECONDS = 30
_LONGEST_PAUSE_SECONDS = 3_600


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What became of telling a channel about a change of an alert.

    Attributes:
        what: What happened to the alert.
        channel: Kind of the channel, and a fingerprint of its settings.
        attempt: How often it was tried.
        state: `failed` when it will not be tried again.
        error: Why the last try did not succeed.
        at: When it was last tried, by the workspace's clock.
    """

    alert: str
    what: What
    channel: str
    attempt: int
    state: Literal["pending", "sent", "failed"]
    error: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Something that is to be told.

    Attributes:
        age: Seconds since it happened, by the database's clock.
    """

    id: int
    alert: str
    owner: str
    what: What
    age: float


class Outbox:
    """Keeps notices and deliveries."""

    def __init__(self, database: Database, events: EventLog, clock: Clock) -> None:
        self._database = database
        self._events = events
        self._clock = clock

    def note(self, connection: sa.Connection, alert: str, owner: str, what: What) -> None:
        """Writes a notice in the transaction of the change."""
        row = {"alert": alert, "owner": owner, "what": what, "made": self._database.dialect.now, "pending": True}
        connection.execute(sa.insert(_store.notices).values(row))

    def pending(self, owners: Collection[str], limit: int = 100) -> list[Notice]:
        """Notices that are still to be told, oldest first. What is older than a day is no news and left out."""
        table = _store.notices
        fresh = table.c.made > self._database.dialect.now - _OLDEST_SECONDS
        age = (self._database.dialect.now - table.c.made).label("age")
        query = sa.select(table.c.id, table.c.alert, table.c.owner, table.c.what, age)
        query = query.where(table.c.pending.is_(True), table.c.owner.in_(sorted(owners)), fresh)
        rows = self._database.rows(query.order_by(table.c.id).limit(limit))
        return [Notice(**row._mapping) for row in rows]

    def claim(self, notice: Notice, channel: str) -> int:
        """Takes a delivery on; gives the number of the attempt, or 0 where there is nothing to do now.

        Nobody else gets it until its pause is over, so a sender that was killed is followed by another one.
        """
        table, now = _store.deliveries, self._database.dialect.now
        tries = table.c.attempt + 1
        pause = sa.case(
            (tries > 10, _LONGEST_PAUSE_SECONDS), else_=sa.cast(tries * tries * _FIRST_PAUSE_SECONDS, sa.Float)
        )
        first = {"attempt": 1, "state": "pending", "error": "", "at": self._clock.now()}
        insert = self._database.insert(table).values(
            notice=notice.id, channel=channel, next_try=now + _FIRST_PAUSE_SECONDS, **first
        )
        insert = insert.on_conflict_do_update(
            index_elements=["notice", "channel"],
            set_={"attempt": tries, "next_try": now + pause, "at": first["at"]},
            where=sa.and_(table.c.state == "pending", table.c.next_try <= now),
        )
        with self._database.transaction() as connection:
            return connection.execute(insert.returning(table.c.attempt)).scalar() or 0

    def is_done(self, notice: Notice, channel: str) -> bool:
        """Whether the delivery was sent or given up."""
        table = _store.deliveries
        query = sa.select(table.c.state).where(table.c.notice == notice.id, table.c.channel == channel)
        row = self._database.row(query)
        return row is not None and row.state != "pending"

    def sent(self, notice: Notice, channel: str) -> None:
        """Notes that a delivery succeeded."""
        with self._database.transaction() as connection:
            self._set(connection, notice, channel, state="sent", error="")

    def failed(self, notice: Notice, channel: str, attempt: int, error: str) -> None:
        """Notes that an attempt failed; the last one is told as an event."""
        gives_up = attempt >= MOST_ATTEMPTS
        with self._database.transaction() as connection:
            self._set(connection, notice, channel, state="failed" if gives_up else "pending", error=error[:1000])
            if gives_up:
                subject = sa.select(_store.alerts.c.subject).where(_store.alerts.c.id == notice.alert)
                told = {"alert": notice.alert, "channel": channel, "error": error[:1000]}
                self._events.append(
                    connection, "alerts.delivery_failed", connection.execute(subject).scalar_one(), **told
                )

    def settle(self, notice: Notice) -> None:
        """Notes that every channel has been told, or given up."""
        table = _store.notices
        self._database.execute(sa.update(table).where(table.c.id == notice.id).values(pending=False))

    def deliveries(self, alert: str) -> list[Delivery]:
        """All deliveries of an alert, oldest first."""
        own, of = _store.deliveries, _store.notices
        columns = (of.c.alert, of.c.what, own.c.channel, own.c.attempt, own.c.state, own.c.error, own.c.at)
        query = sa.select(*columns).join(of, own.c.notice == of.c.id).where(of.c.alert == alert)
        return [Delivery(**row._mapping) for row in self._database.rows(query.order_by(of.c.id, own.c.channel))]

    def _set(self, connection: sa.Connection, notice: Notice, channel: str, **values: Any) -> None:
        table = _store.deliveries
        mine = sa.and_(table.c.notice == notice.id, table.c.channel == channel)
        connection.execute(sa.update(table).where(mine).values(**values))
