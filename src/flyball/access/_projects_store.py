"""The tables of projects and of the stores that they may be kept in. They stand in the workspace's own database alone."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from flyball.storage.tables import Instant, metadata

_NONE = sa.text("''")

stores = sa.Table(
    "project_stores",
    metadata,
    sa.Column("name", sa.String(128), primary_key=True),
    sa.Column("database", sa.Text, nullable=False),
    sa.Column("objects", sa.Text, nullable=False),
    sa.Column("s3_endpoint", sa.String(500), nullable=False),
    sa.Column("s3_region", sa.String(100), nullable=False),
    sa.Column("residency", sa.String(100), nullable=False),
    sa.Column("created", Instant, nullable=False),
    sa.Column("created_by", sa.String(128), nullable=False),
)

projects = sa.Table(
    "projects",
    metadata,
    sa.Column("name", sa.String(50), primary_key=True),
    sa.Column("id", sa.String(40), nullable=False),
    sa.Column("title", sa.String(250), nullable=False),
    sa.Column("description", sa.Text, nullable=False),
    sa.Column("state", sa.String(20), nullable=False),
    sa.Column("store", sa.String(128), sa.ForeignKey("project_stores.name")),
    sa.Column("residency", sa.String(100), nullable=False),
    sa.Column("most_bytes", sa.BigInteger),
    sa.Column("stored_bytes", sa.BigInteger),
    sa.Column("created", Instant, nullable=False),
    sa.Column("created_by", sa.String(128), nullable=False),
    # When it may be removed for good, where somebody has deleted it; and in which state it was before.
    sa.Column("gone_after", Instant),
    sa.Column("state_before", sa.String(20)),
    # Why its database cannot be opened, as the last one found who tried.
    sa.Column("trouble", sa.Text, nullable=False, server_default=_NONE),
    sa.Column("model_url", sa.String(500), nullable=False, server_default=_NONE),
    sa.Index("ix_projects_store", "store"),
)


def select(*names: str) -> sa.Select[Any]:
    """The projects of these names, or all, by name."""
    query = sa.select(projects).order_by(projects.c.name)
    return query.where(projects.c.name.in_(names)) if names else query
