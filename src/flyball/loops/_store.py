"""The tables of loops, their trainings and their decisions."""

from __future__ import annotations

import sqlalchemy as sa

from flyball.loops.loop import Loop
from flyball.storage.tables import Document, Instant, RowNumber, metadata

loops = sa.Table(
    "loops",
    metadata,
    sa.Column("name", sa.String(128), primary_key=True),
    sa.Column("spec", Document(Loop), nullable=False),
    sa.Column("applied", Instant, nullable=False),
    sa.Column("updated", Instant, nullable=False),
)

trainings = sa.Table(
    "loop_trainings",
    metadata,
    sa.Column("id", sa.String(40), primary_key=True),
    sa.Column("loop", sa.String(128), sa.ForeignKey("loops.name"), nullable=False),
    sa.Column("kind", sa.String(20), nullable=False),
    sa.Column("cause", sa.String(300), nullable=False),
    sa.Column("trigger", sa.String(60), nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("evidence", Document(dict), nullable=False),
    sa.Column("state", sa.String(20), nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("job", sa.String(80), nullable=False),
    sa.Column("version", sa.Integer),
    sa.Column("error", sa.Text, nullable=False),
    sa.Column("created", Instant, nullable=False),
    sa.Column("ended", Instant),
    sa.Column("plan", Document(dict)),
    sa.Column("core_seconds", sa.Float(53)),
    # One cause starts one training, whatever happens to whoever starts it.
    sa.UniqueConstraint("loop", "cause", name="uq_loop_trainings_cause"),
    sa.Index("ix_loop_trainings_loop", "loop", "id"),
)

decisions = sa.Table(
    "loop_decisions",
    metadata,
    sa.Column("id", RowNumber, primary_key=True, autoincrement=True),
    sa.Column("loop", sa.String(128), sa.ForeignKey("loops.name"), nullable=False),
    sa.Column("at", Instant, nullable=False),
    sa.Column("decision", sa.String(40), nullable=False),
    sa.Column("cause", sa.String(300), nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("evidence", Document(dict), nullable=False),
    # A decision on one cause is told once, however often the controller comes by.
    sa.UniqueConstraint("loop", "decision", "cause", name="uq_loop_decisions_cause"),
    sa.Index("ix_loop_decisions_loop", "loop", "id"),
)
