"""The table of keys whose word is taken for files that would otherwise be refused."""

from __future__ import annotations

import sqlalchemy as sa

from flyball.storage.tables import Instant, metadata

trusted_keys = sa.Table(
    "registry_trusted_keys",
    metadata,
    sa.Column("key", sa.String(64), primary_key=True),
    sa.Column("public_key", sa.Text, nullable=False),
    sa.Column("name", sa.String(200), nullable=False),
    sa.Column("at", Instant, nullable=False),
)
