"""The table of the changes that were asked for with a key."""

from __future__ import annotations

import sqlalchemy as sa

from flyball.storage.tables import metadata

keys = sa.Table(
    "idempotency_keys",
    metadata,
    sa.Column("who", sa.String(200), primary_key=True),
    sa.Column("key", sa.String(255), primary_key=True),
    sa.Column("verb", sa.String(200), nullable=False),
    sa.Column("asked", sa.String(64), nullable=False),
    sa.Column("at", sa.Float(53), nullable=False),
    sa.Column("answer", sa.Text, nullable=False),
    sa.Column("error", sa.Text, nullable=False),
    sa.Index("ix_idempotency_keys_at", "at"),
)
