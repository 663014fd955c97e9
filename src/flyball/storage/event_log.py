"""The event log: append-only, written in the transaction of the fact."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import sqlalchemy as sa

from flyball.clock import Clock
from flyball.events import Event
from flyball.principals import acting
from flyball.serialization import JsonValue, to_json
from flyball.storage.audit_chain import micros_of, tell_event
from flyball.storage.database import Database
from flyball.storage.tables import Document, Instant, RowNumber, metadata
from flyball.verbs import read

events = sa.Table(
    "events",
    metadata,
    sa.Column("id", RowNumber, primary_key=True, autoincrement=True),
    sa.Column("kind", sa.String(100), nullable=False),
    sa.Column("subject", sa.String(300), nullable=False),
    sa.Column("at", Instant, nullable=False),
    sa.Column("facts", Document(dict), nullable=False),
    sa.Index("ix_events_subject", "subject", "id"),
    sa.Index("ix_events_kind", "kind", "id"),
)

# How far those who follow the log have read.
followers = sa.Table(
    "event_followers",
    metadata,
    sa.Column("name", sa.String(100), primary_key=True),
    sa.Column("position", sa.BigInteger, nullable=False),
)

_IN_ORDER = 0x0F1C
_ACCESS = "access."


class EventLog:
    """Appends events and reads them back, oldest first."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def append(self, connection: sa.Connection, kind: str, subject: object, /, **facts: JsonValue) -> None:
        """Writes an event in the transaction of the fact it tells.

        Args:
            connection: The transaction that writes the fact.
            kind: `<room>.<what happened>`.
            subject: `Ref` of the thing it is about.
            facts: What happened, in plain values.
        """
        self.append_all(connection, [(kind, subject, facts)])

    def append_all(
        self, connection: sa.Connection, told: Sequence[tuple[str, object, Mapping[str, JsonValue]]]
    ) -> None:
        """Writes several events, in their order: kind, subject and facts of each."""
        if not told:
            return
        if self._database.dialect.name == "postgresql":
            # Ids must become visible in their order, or one who reads on from the last id misses what a slower
            # transaction writes under a smaller one. SQLite has one writer at a time anyway.
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_IN_ORDER)))
        now = self._clock.now()
        rows = [
            {"kind": kind, "subject": str(subject), "at": now, "facts": dict(facts)} for kind, subject, facts in told
        ]
        connection.execute(sa.insert(events), rows)
        micros = micros_of(now)
        for kind, subject, facts in told:
            tell_event(connection, kind, str(subject), micros, to_json(dict(facts)).decode())

    @read
    def list(
        self,
        after: int = 0,
        kinds: Sequence[str] = (),
        subject: str = "",
        limit: int = 100,
        newest_first: bool = False,
    ) -> list[Event]:
        """Events after the given id.

        Args:
            after: Only events whose id is greater.
            kinds: Only these kinds; a kind that ends with a dot stands for all of that room. All by default.
            subject: Only events about this; one that ends with a slash stands for all beneath it.
            limit: At most this many, up to 10,000.
            newest_first: The newest ones, newest first.
        """
        query = sa.select(events).where(events.c.id > after)
        principal = acting()
        if not (principal.admin or principal.auditor):
            # Who came in, and from where, is for those who look after the door.
            query = query.where(sa.not_(events.c.kind.startswith(_ACCESS, autoescape=True)))
        if kinds:
            query = query.where(
                sa.or_(
                    *(
                        events.c.kind.startswith(k, autoescape=True) if k.endswith(".") else events.c.kind == k
                        for k in kinds
                    )
                )
            )
        if subject:
            exact = events.c.subject == subject
            query = query.where(
                events.c.subject.startswith(subject, autoescape=True) if subject.endswith("/") else exact
            )
        order = events.c.id.desc() if newest_first else events.c.id
        rows = self._database.rows(query.order_by(order).limit(max(1, min(limit, 10_000))))
        return [Event(id=row.id, kind=row.kind, subject=row.subject, at=row.at, facts=row.facts) for row in rows]


def position(connection: sa.Connection, follower: str) -> int | None:
    """The id of the last event that a follower has seen; None before the first."""
    return connection.execute(sa.select(followers.c.position).where(followers.c.name == follower)).scalar()


def set_position(database: Database, connection: sa.Connection, follower: str, to: int) -> None:
    """Notes how far a follower has come."""
    insert = database.insert(followers).values(name=follower, position=to)
    connection.execute(insert.on_conflict_do_update(index_elements=["name"], set_={"position": to}))
