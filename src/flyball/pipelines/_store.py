"""The table of what steps gave."""

from __future__ import annotations

import sqlalchemy as sa

from flyball.storage.tables import Document, Instant, RowNumber, metadata

steps = sa.Table(
    "step_results",
    metadata,
    sa.Column("number", RowNumber, primary_key=True, autoincrement=True),
    sa.Column("key", sa.String(64), nullable=False, unique=True),
    sa.Column("pipeline", sa.String(128), nullable=False),
    sa.Column("step", sa.String(200), nullable=False),
    sa.Column("created", Instant, nullable=False),
    sa.Column("facts", Document(dict), nullable=False),
    sa.Index("ix_step_results_step", "pipeline", "step", "created", "number"),
)
