"""The table of scorers."""

from __future__ import annotations

import sqlalchemy as sa

from flyball.storage.tables import Instant, RowNumber, metadata

scorers = sa.Table(
    "scorers",
    metadata,
    sa.Column("number", RowNumber, primary_key=True, autoincrement=True),
    # One for all versions of a scorer.
    sa.Column("id", sa.String(128), nullable=False),
    sa.Column("experiment", sa.BigInteger, nullable=False),
    sa.Column("name", sa.String(250), nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("definition", sa.Text, nullable=False),
    sa.Column("created", Instant, nullable=False),
    sa.UniqueConstraint("experiment", "name", "version", name="uq_scorers_version"),
)
