"""The tables of AutoML: searches and their candidates."""

from __future__ import annotations

import sqlalchemy as sa

from flyball.model_search.search import Candidate, Search
from flyball.storage.tables import Document, Instant, metadata

searches = sa.Table(
    "automl_searches",
    metadata,
    sa.Column("name", sa.String(128), primary_key=True),
    sa.Column("created", Instant, nullable=False, index=True),
    sa.Column("state", sa.String(16), nullable=False, index=True),
    # Apart from the document, for each changes while another process writes that.
    sa.Column("is_cancelled", sa.Boolean, nullable=False),
    sa.Column("holder", sa.String(64), nullable=False),
    sa.Column("search", Document(Search), nullable=False),
)

candidates = sa.Table(
    "automl_candidates",
    metadata,
    sa.Column("search", sa.String(128), sa.ForeignKey("automl_searches.name"), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("candidate", Document(Candidate), nullable=False),
)
