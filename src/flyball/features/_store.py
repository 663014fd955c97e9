"""The SQL of the features room."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from flyball.features.definition import FeatureView
from flyball.storage.database import Database
from flyball.storage.tables import Document, Instant, metadata

_views = sa.Table(
    "feature_views",
    metadata,
    sa.Column("name", sa.String(128), primary_key=True),
    sa.Column("declared", Instant, nullable=False),
    sa.Column("view", Document(FeatureView), nullable=False),
)


def view(connection: sa.Connection, name: str) -> FeatureView | None:
    """The view of that name."""
    found: FeatureView | None = connection.execute(
        sa.select(_views.c.view).where(_views.c.name == name)
    ).scalar_one_or_none()
    return found


def names(connection: sa.Connection) -> list[str]:
    """Names to suggest from."""
    return list(connection.execute(sa.select(_views.c.name).order_by(_views.c.name).limit(1000)).scalars())


def views(connection: sa.Connection, limit: int, after: str) -> list[FeatureView]:
    """A page of views, by name."""
    query = sa.select(_views.c.view).where(_views.c.name > after).order_by(_views.c.name).limit(limit)
    return list(connection.execute(query).scalars())


def write(database: Database, connection: sa.Connection, declared: FeatureView, now: datetime) -> None:
    """Adds a view, or replaces its entry."""
    insert = database.insert(_views).values(name=declared.name, declared=now, view=declared)
    update = {"declared": now, "view": insert.excluded.view}
    connection.execute(insert.on_conflict_do_update(index_elements=["name"], set_=update))
