"""The table of errands."""

from __future__ import annotations

import sqlalchemy as sa

from flyball.pipelines.errand import Errand
from flyball.storage.tables import Document, Instant, metadata

errands = sa.Table(
    "errands",
    metadata,
    sa.Column("id", sa.String(40), primary_key=True),
    sa.Column("kind", sa.String(20), nullable=False),
    sa.Column("about", sa.String(200), nullable=False),
    sa.Column("state", sa.String(20), nullable=False, index=True),
    sa.Column("created", Instant, nullable=False),
    sa.Column("errand", Document(Errand), nullable=False),
    sa.Index("ix_errands_about", "kind", "about", "id"),
)
