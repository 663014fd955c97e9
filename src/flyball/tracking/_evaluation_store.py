"""The tables of evaluation data sets."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from flyball.storage.tables import Document, Instant, RowNumber, metadata
from flyball.tracking._store import texts_of

sets = sa.Table(
    "evaluation_sets",
    metadata,
    sa.Column("number", RowNumber, primary_key=True, autoincrement=True),
    sa.Column("id", sa.String(128), nullable=False, unique=True),
    sa.Column("name", sa.String(250), nullable=False),
    sa.Column("digest", sa.String(64), nullable=False),
    sa.Column("created", Instant, nullable=False),
    sa.Column("updated", Instant, nullable=False),
    sa.Column("created_by", sa.String(250), nullable=False),
    sa.Column("updated_by", sa.String(250), nullable=False),
    sa.Column("schema", Document(dict[str, Any])),
    sa.Index("ix_evaluation_sets_name", "name"),
)

tags = texts_of("set", "evaluation_set_tags", sqlite_with_rowid=False)

homes = sa.Table(
    "evaluation_set_experiments",
    metadata,
    sa.Column("set", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("experiment", sa.BigInteger, primary_key=True, autoincrement=False),
    sqlite_with_rowid=False,
)

records = sa.Table(
    "evaluation_records",
    metadata,
    sa.Column("set", sa.BigInteger, primary_key=True, autoincrement=False),
    # Digest of the inputs: a record of the same inputs is the same record.
    sa.Column("key", sa.String(64), primary_key=True),
    sa.Column("id", sa.String(128), nullable=False, unique=True),
    sa.Column("inputs", Document(dict[str, Any]), nullable=False),
    sa.Column("outputs", Document(Any)),
    sa.Column("expectations", Document(dict[str, Any])),
    sa.Column("tags", Document(dict[str, str])),
    sa.Column("source", Document(dict[str, Any])),
    sa.Column("created", Instant, nullable=False),
    sa.Column("updated", Instant, nullable=False),
    sa.Column("created_by", sa.String(250), nullable=False),
    sa.Column("updated_by", sa.String(250), nullable=False),
    sa.Index("ix_evaluation_records_created", "set", "created", "id"),
)
