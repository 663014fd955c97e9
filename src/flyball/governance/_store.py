"""The tables of governance: manual checks, policies, secrets, what was used and what it costs."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from flyball.storage.tables import Document, Instant, RowNumber, metadata

manual_checks = sa.Table(
    "maturity_checks",
    metadata,
    sa.Column("id", RowNumber, primary_key=True, autoincrement=True),
    sa.Column("loop", sa.String(128), nullable=False),
    sa.Column("test", sa.String(40), nullable=False),
    sa.Column("at", Instant, nullable=False),
    sa.Column("by", sa.String(250), nullable=False),
    sa.Column("kind", sa.String(20), nullable=False),
    sa.Column("evidence", sa.Text, nullable=False),
    sa.Index("ix_maturity_checks_loop", "loop", "test", "id"),
)

policies = sa.Table(
    "policies",
    metadata,
    sa.Column("name", sa.String(128), primary_key=True),
    sa.Column("policy", Document(dict[str, Any]), nullable=False),
    sa.Column("by", sa.String(250), nullable=False),
    sa.Column("at", Instant, nullable=False),
)

secrets = sa.Table(
    "secrets",
    metadata,
    sa.Column("name", sa.String(128), primary_key=True),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("key", sa.String(64), nullable=False),
    sa.Column("wrapped", sa.Text, nullable=False),
    sa.Column("sealed", sa.Text, nullable=False),
    sa.Column("by", sa.String(250), nullable=False),
    sa.Column("created", Instant, nullable=False),
    sa.Column("changed", Instant, nullable=False),
)

# What pieces of work took, one row each: times in seconds, memory in byte-seconds.
usage = sa.Table(
    "usage",
    metadata,
    sa.Column("id", RowNumber, primary_key=True, autoincrement=True),
    sa.Column("at", Instant, nullable=False),
    sa.Column("run", sa.String(128), nullable=False),
    sa.Column("parent", sa.String(128), nullable=False),
    sa.Column("pipeline", sa.String(200), nullable=False),
    sa.Column("step", sa.String(200), nullable=False),
    sa.Column("loop", sa.String(128), nullable=False),
    sa.Column("who", sa.String(250), nullable=False),
    sa.Column("wall_seconds", sa.Float(53), nullable=False),
    sa.Column("core_seconds", sa.Float(53), nullable=False),
    sa.Column("memory_byte_seconds", sa.Float(53), nullable=False),
    sa.Column("accelerator_seconds", sa.Float(53), nullable=False),
    sa.Index("ix_usage_at", "at"),
    sa.Index("ix_usage_run", "run"),
    sa.Index("ix_usage_loop", "loop", "at"),
)

# How many bytes are kept, looked at once a day.
storage_samples = sa.Table(
    "storage_samples",
    metadata,
    sa.Column("day", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("bytes", sa.BigInteger, nullable=False),
)

prices = sa.Table(
    "prices",
    metadata,
    sa.Column("id", RowNumber, primary_key=True, autoincrement=True),
    sa.Column("at", Instant, nullable=False),
    sa.Column("by", sa.String(250), nullable=False),
    sa.Column("prices", Document(dict[str, Any]), nullable=False),
)

budgets = sa.Table(
    "budgets",
    metadata,
    sa.Column("name", sa.String(128), primary_key=True),
    sa.Column("budget", Document(dict[str, Any]), nullable=False),
    sa.Column("by", sa.String(250), nullable=False),
    sa.Column("at", Instant, nullable=False),
)
