"""The tables of alerts, and of the outbox through which they reach people."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from flyball.storage.tables import Document, Instant, RowNumber, metadata, only_one

alerts = sa.Table(
    "alerts",
    metadata,
    sa.Column("id", sa.String(40), primary_key=True),
    sa.Column("severity", sa.String(20), nullable=False),
    sa.Column("kind", sa.String(128), nullable=False),
    sa.Column("subject", sa.String(300), nullable=False),
    sa.Column("owner", sa.String(300), nullable=False),
    sa.Column("cause", sa.String(300), nullable=False),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("detail", sa.Text, nullable=False),
    sa.Column("facts", Document(dict[str, Any]), nullable=False),
    sa.Column("state", sa.String(20), nullable=False),
    sa.Column("opened", Instant, nullable=False),
    sa.Column("last_seen", Instant, nullable=False),
    sa.Column("count", sa.Integer, nullable=False),
    sa.Column("resolved", Instant),
    sa.Column("acknowledged_by", sa.String(250), nullable=False),
    sa.Column("resolution", sa.Text, nullable=False),
    sa.Column("assigned_to", sa.String(250), nullable=False, server_default=sa.text("''")),
    sa.Index("ix_alerts_state", "state", "id"),
    sa.Index("ix_alerts_subject", "subject", "id"),
    # One alert per cause, whoever finds it.
    only_one("uq_alerts_active", "subject", "cause", where="state <> 'resolved'"),
)

silences = sa.Table(
    "alert_silences",
    metadata,
    sa.Column("id", sa.String(40), primary_key=True),
    sa.Column("subject", sa.String(300), nullable=False),
    sa.Column("cause", sa.String(300), nullable=False),
    sa.Column("until", Instant, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("by", sa.String(250), nullable=False),
    sa.Column("created", Instant, nullable=False),
    sa.Index("ix_alert_silences_until", "until"),
)

# What is to be told, written with the change itself. Times here are the database's own clock, in seconds: channels
# live in real time, whatever time the workspace lives in.
notices = sa.Table(
    "alert_notices",
    metadata,
    sa.Column("id", RowNumber, primary_key=True, autoincrement=True),
    sa.Column("alert", sa.String(40), sa.ForeignKey("alerts.id"), nullable=False),
    sa.Column("owner", sa.String(300), nullable=False),
    sa.Column("what", sa.String(20), nullable=False),
    sa.Column("made", sa.Float(53), nullable=False),
    sa.Column("pending", sa.Boolean, nullable=False),
    sa.Index("ix_alert_notices_alert", "alert"),
    sa.Index("ix_alert_notices_pending", "pending", "id"),
)

deliveries = sa.Table(
    "alert_deliveries",
    metadata,
    sa.Column("notice", sa.BigInteger, sa.ForeignKey("alert_notices.id"), primary_key=True, autoincrement=False),
    sa.Column("channel", sa.String(200), primary_key=True),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("state", sa.String(20), nullable=False),
    sa.Column("next_try", sa.Float(53), nullable=False),
    sa.Column("error", sa.Text, nullable=False),
    sa.Column("at", Instant, nullable=False),
)


def active(connection: sa.Connection, subject: str, cause: str) -> sa.Row[Any] | None:
    """The unresolved alert of a cause, locked; None if there is none."""
    wanted = sa.and_(alerts.c.subject == subject, alerts.c.cause == cause, alerts.c.state != "resolved")
    return connection.execute(sa.select(alerts).where(wanted).with_for_update()).first()
