"""The tables of studies and trials."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from flyball.storage.tables import Document, Instant, metadata
from flyball.tuning.study import Report, Study

studies = sa.Table(
    "studies",
    metadata,
    sa.Column("name", sa.String(128), primary_key=True),
    sa.Column("created", Instant, nullable=False),
    sa.Column("study", Document(Study), nullable=False),
)

trials = sa.Table(
    "trials",
    metadata,
    sa.Column("study", sa.String(128), sa.ForeignKey("studies.name"), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("run", sa.String(64), nullable=False),
    sa.Column("started", Instant, nullable=False),
    sa.Column("ended", Instant),
    sa.Column("params", Document(dict[str, Any]), nullable=False),
    sa.Column("values", Document(list[float]), nullable=False),
    sa.Column("reports", Document(list[Report]), nullable=False),
    sa.Column("error", sa.Text, nullable=False),
)
