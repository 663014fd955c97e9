"""The tables of webhooks and of what they are to be told."""

from __future__ import annotations

import sqlalchemy as sa

from flyball.storage.tables import Document, Instant, RowNumber, metadata

webhooks = sa.Table(
    "webhooks",
    metadata,
    sa.Column("id", sa.String(40), primary_key=True),
    sa.Column("name", sa.String(63), nullable=False),
    sa.Column("description", sa.Text, nullable=False),
    sa.Column("url", sa.Text, nullable=False),
    sa.Column("events", Document(tuple[str, ...]), nullable=False),
    sa.Column("secret", sa.Text, nullable=False),
    sa.Column("active", sa.Boolean, nullable=False),
    sa.Column("created", Instant, nullable=False),
    sa.Column("updated", Instant, nullable=False),
    sa.Column("deleted", Instant),
    sa.Index("ix_webhooks_created", "created", "id"),
)

# Written in the transaction of what they tell. Times are the database's own clock, in seconds.
deliveries = sa.Table(
    "webhook_deliveries",
    metadata,
    sa.Column("number", RowNumber, primary_key=True, autoincrement=True),
    sa.Column("id", sa.String(40), nullable=False),
    sa.Column("webhook", sa.String(40), sa.ForeignKey("webhooks.id"), nullable=False),
    sa.Column("event", sa.String(60), nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("state", sa.String(20), nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("next_try", sa.Float(53), nullable=False),
    sa.Column("error", sa.Text, nullable=False),
    sa.Column("at", Instant, nullable=False),
    sa.Index("ix_webhook_deliveries_state", "state", "next_try"),
    sa.Index("ix_webhook_deliveries_webhook", "webhook", "number"),
)
