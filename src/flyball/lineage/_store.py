"""The table of lineage edges."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import sqlalchemy as sa

from flyball.storage.database import Database
from flyball.storage.tables import Instant, metadata

edges = sa.Table(
    "lineage_edges",
    metadata,
    sa.Column("source", sa.String(300), primary_key=True),
    sa.Column("target", sa.String(300), primary_key=True),
    sa.Column("relation", sa.String(40), primary_key=True),
    sa.Column("at", Instant, nullable=False),
    sa.Index("ix_lineage_edges_target", "target"),
)

columns = sa.Table(
    "lineage_columns",
    metadata,
    sa.Column("target", sa.String(300), primary_key=True),
    sa.Column("target_column", sa.String(300), primary_key=True),
    sa.Column("source", sa.String(300), primary_key=True),
    sa.Column("source_column", sa.String(300), primary_key=True),
    sa.Column("direct", sa.Boolean, primary_key=True),
    sa.Column("how", sa.String(40), nullable=False),
    sa.Index("ix_lineage_columns_source", "source"),
)

_NAMES_PER_QUERY = 500


def insert(database: Database, connection: sa.Connection, rows: list[dict[str, Any]]) -> None:
    """Writes edges; those that are there already stay as they were."""
    connection.execute(database.insert(edges).on_conflict_do_nothing(), rows)


def edges_at(connection: sa.Connection, names: Collection[str], *, upstream: bool) -> Sequence[sa.Row[Any]]:
    """The edges into (upstream) or out of the things of these names, in a stable order."""
    column = edges.c.target if upstream else edges.c.source
    found: list[sa.Row[Any]] = []
    ordered = sorted(names)
    for start in range(0, len(ordered), _NAMES_PER_QUERY):
        part = ordered[start : start + _NAMES_PER_QUERY]
        query = sa.select(edges).where(column.in_(part)).order_by(edges.c.source, edges.c.target, edges.c.relation)
        found += connection.execute(query).all()
    return found


def ends_under(connection: sa.Connection, beginning: str, *, upstream: bool) -> list[str]:
    """The things whose reference begins so and that were made from something (upstream) or were used."""
    column = edges.c.target if upstream else edges.c.source
    # Exactly: LIKE heeds no case on SQLite.
    same = sa.func.substr(column, 1, len(beginning)) == beginning
    query = sa.select(column).distinct().where(column.startswith(beginning, autoescape=True), same)
    return list(connection.execute(query.order_by(column)).scalars())


def replace_columns(connection: sa.Connection, target: str, rows: list[dict[str, Any]]) -> None:
    """Writes what the columns of a thing were made from."""
    connection.execute(sa.delete(columns).where(columns.c.target == target))
    if rows:
        connection.execute(sa.insert(columns), rows)


def columns_at(connection: sa.Connection, names: Sequence[str], *, upstream: bool) -> list[dict[str, Any]]:
    """The steps between columns into (upstream) or out of the things of these names, in a stable order."""
    column = columns.c.target if upstream else columns.c.source
    found: list[dict[str, Any]] = []
    for start in range(0, len(names), _NAMES_PER_QUERY):
        query = sa.select(columns).where(column.in_(names[start : start + _NAMES_PER_QUERY]))
        query = query.order_by(columns.c.target, columns.c.target_column, columns.c.source, columns.c.source_column)
        found += [dict(row._mapping) for row in connection.execute(query)]
    return found


def rename(connection: sa.Connection, former: str, new: str) -> None:
    """Puts one reference, and those that go on from it with a slash, in another's place."""
    for column in (edges.c.source, edges.c.target):
        under = column.startswith(f"{former}/", autoescape=True)
        tail = sa.func.substr(column, len(former) + 1)
        # Exactly: LIKE heeds no case on SQLite.
        same = sa.func.substr(column, 1, len(former)) == former
        renamed = sa.literal(new, sa.String) + tail
        moved = sa.update(edges).where(sa.or_(column == former, sa.and_(under, same)))
        connection.execute(moved.values({column.name: renamed}))
