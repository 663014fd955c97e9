"""The tables of deployments and rollouts."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from flyball.deployment.rollout import Rollout, RolloutSpec
from flyball.serving.log_rules import LogRules
from flyball.storage.tables import Document, Instant, metadata, only_one

deployments = sa.Table(
    "deployments",
    metadata,
    sa.Column("name", sa.String(128), primary_key=True),
    sa.Column("model", sa.String(128), nullable=False),
    sa.Column("champion", sa.Integer, nullable=False),
    sa.Column("generation", sa.Integer, nullable=False),
    sa.Column("sticky_key", sa.String(200), nullable=False, default=""),
    sa.Column("logging", Document(LogRules)),
    sa.Column("removed", sa.Boolean, nullable=False, default=False),
    sa.Column("created", Instant, nullable=False),
    sa.Column("updated", Instant, nullable=False),
)

revisions = sa.Table(
    "deployment_revisions",
    metadata,
    sa.Column("deployment", sa.String(128), sa.ForeignKey("deployments.name"), primary_key=True),
    sa.Column("generation", sa.Integer, primary_key=True),
    sa.Column("champion", sa.Integer, nullable=False),
    sa.Column("challenger", sa.Integer),
    sa.Column("percent", sa.Integer, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("at", Instant, nullable=False),
)

rollouts = sa.Table(
    "rollouts",
    metadata,
    sa.Column("id", sa.String(40), primary_key=True),
    sa.Column("deployment", sa.String(128), sa.ForeignKey("deployments.name"), nullable=False),
    sa.Column("model", sa.String(128), nullable=False),
    sa.Column("from_version", sa.Integer, nullable=False),
    sa.Column("to_version", sa.Integer, nullable=False),
    sa.Column("spec", Document(RolloutSpec), nullable=False),
    sa.Column("step", sa.Integer, nullable=False),
    sa.Column("percent", sa.Integer, nullable=False),
    sa.Column("state", sa.String(20), nullable=False),
    sa.Column("started", Instant, nullable=False),
    sa.Column("step_started", Instant, nullable=False),
    sa.Column("ended", Instant),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("evidence", Document(dict), nullable=False),
    sa.Index("ix_rollouts_deployment", "deployment", "started"),
    # One rollout at a time, whoever asks.
    only_one("uq_rollouts_active", "deployment", where="state IN ('running', 'paused')"),
)


def rollout_of(row: sa.Row[Any]) -> Rollout:
    """The noun of a row."""
    return Rollout(**row._mapping)


def active_rollout(connection: sa.Connection, deployment: str) -> Rollout | None:
    """The rollout that is under way, if there is one."""
    query = sa.select(rollouts).where(rollouts.c.deployment == deployment, rollouts.c.state.in_(("running", "paused")))
    row = connection.execute(query).first()
    return None if row is None else rollout_of(row)


def update_rollout(connection: sa.Connection, rollout: Rollout) -> None:
    """Writes a rollout's state back."""
    values = {
        name: getattr(rollout, name)
        for name in ("step", "percent", "state", "step_started", "ended", "reason", "evidence")
    }
    connection.execute(sa.update(rollouts).where(rollouts.c.id == rollout.id).values(**values))


def latest_replaced(connection: sa.Connection, deployment: str, champion: int) -> int | None:
    """The version that was champion before the present one; None if there was no other."""
    query = (
        sa.select(revisions.c.champion)
        .where(revisions.c.deployment == deployment, revisions.c.champion != champion)
        .order_by(revisions.c.generation.desc())
    )
    return connection.execute(query).scalar()
