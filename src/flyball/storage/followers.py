"""How far those who follow the event log have read."""

from __future__ import annotations

import sqlalchemy as sa

from flyball.storage.database import Database
from flyball.storage.tables import metadata

followers = sa.Table(
    "event_followers",
    metadata,
    sa.Column("name", sa.String(100), primary_key=True),
    sa.Column("position", sa.BigInteger, nullable=False),
)


def position(connection: sa.Connection, name: str) -> int | None:
    """The id of the last event that a follower has seen; None before the first."""
    return connection.execute(sa.select(followers.c.position).where(followers.c.name == name)).scalar()


def set_position(database: Database, connection: sa.Connection, name: str, to: int) -> None:
    """Notes how far a follower has come."""
    insert = database.insert(followers).values(name=name, position=to)
    connection.execute(insert.on_conflict_do_update(index_elements=["name"], set_={"position": to}))
