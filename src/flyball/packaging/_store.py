"""The table of images that were built."""

from __future__ import annotations

import sqlalchemy as sa

from flyball.storage.tables import Document, Instant, metadata

images = sa.Table(
    "images",
    metadata,
    sa.Column("digest", sa.String(80), primary_key=True),
    sa.Column("name", sa.String(128), nullable=False),
    sa.Column("tag", sa.String(128), nullable=False),
    sa.Column("platform", sa.String(40), nullable=False),
    sa.Column("models", Document(tuple[str, ...]), nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("pushed", Document(tuple[str, ...]), nullable=False),
    sa.Column("built", Instant, nullable=False),
    sa.Index("ix_images_name", "name", "built"),
)
