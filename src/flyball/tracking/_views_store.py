"""The table of saved views."""

from __future__ import annotations

import sqlalchemy as sa

from flyball.storage.tables import Document, Instant, metadata

views = sa.Table(
    "saved_views",
    metadata,
    sa.Column("kind", sa.String(40), primary_key=True),
    sa.Column("name", sa.String(250), primary_key=True),
    sa.Column("filter", sa.Text, nullable=False),
    sa.Column("order_by", Document(list[str]), nullable=False),
    sa.Column("columns", Document(list[str]), nullable=False),
    sa.Column("experiments", Document(list[str]), nullable=False),
    sa.Column("created", Instant, nullable=False),
    sa.Column("updated", Instant, nullable=False),
)
