"""Runs as rows and as nouns: what `Tracking` and its neighbours share."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from flyball.refs import check_name
from flyball.tracking import _store, limits
from flyball.tracking._points import ArtifactRow, in_trash, no_run
from flyball.tracking.nouns import Artifact, Experiment, Run

ERROR_LENGTH = 20_000


def locked(connection: sa.Connection, run: str, *, with_trash: bool = False) -> sa.Row[Any]:
    """The row of a run, held until the transaction ends.

    Raises:
        NotFound: there is none, or it lies in the trash.
    """
    row = connection.execute(sa.select(_store.runs).where(_store.runs.c.id == run).with_for_update()).first()
    if row is None:
        raise no_run(run)
    if row.deleted is not None and not with_trash:
        raise in_trash(run)
    return row


def row_of(connection: sa.Connection, run: str) -> sa.Row[Any]:
    """The row of a run.

    Raises:
        NotFound: there is none.
    """
    row = connection.execute(sa.select(_store.runs).where(_store.runs.c.id == run)).first()
    if row is None:
        raise no_run(run)
    return row


def runs_of(connection: sa.Connection, *wanted: sa.ColumnElement[bool], limit: int | None = 1) -> list[Run]:
    """Runs with all that stands with them, newest first."""
    table = _store.runs
    query = _store.select_runs().where(*wanted).order_by(table.c.started.desc(), table.c.number.desc())
    rows = connection.execute(query if limit is None else query.limit(limit)).all()
    details = _store.details(connection, [row.number for row in rows]) if rows else {}
    return [_run_of(row, details[row.number]) for row in rows]


def experiments_of(connection: sa.Connection, *wanted: sa.ColumnElement[bool], limit: int = 1) -> list[Experiment]:
    """Experiments with the number of their runs, by name."""
    table, runs = _store.experiments, _store.runs
    rows = connection.execute(sa.select(table).where(*wanted).order_by(table.c.name).limit(limit)).all()
    numbers = [row.number for row in rows]
    last = sa.func.max(runs.c.started, type_=runs.c.started.type)
    query = sa.select(runs.c.experiment, sa.func.count(), last).where(runs.c.experiment.in_(numbers))
    held = connection.execute(query.where(runs.c.deleted.is_(None)).group_by(runs.c.experiment)).all() if rows else []
    counts = {number: (count, started) for number, count, started in held}
    tags: dict[int, dict[str, str]] = {number: {} for number in numbers}
    if rows:
        marks = _store.experiment_tags
        found = connection.execute(sa.select(marks).where(marks.c.experiment.in_(numbers)).order_by(marks.c.key))
        for number, key, value in found:
            tags[number][key] = value
    return [
        Experiment(
            id=str(row.number),
            name=row.name,
            created=row.created,
            updated=row.updated or row.created,
            runs=counts.get(row.number, (0, None))[0],
            last_started=counts.get(row.number, (0, None))[1],
            tags=tags[row.number],
            location=row.location,
            deleted=row.deleted,
        )
        for row in rows
    ]


def new_row(
    *,
    id: str,
    experiment: str,
    name: str,
    kind: str,
    parent: str,
    code: str,
    environment: dict[str, str] | None,
    user: str,
    started: datetime,
    heartbeats: bool = True,
) -> dict[str, Any]:
    """The columns of a run that begins.

    Raises:
        InvalidInput: a name cannot be used.
    """
    check_experiment(experiment)
    for key, value in (environment or {}).items():
        limits.check_text(value, f"environment '{limits.check_key(key, 'entry')}'", 100_000)
    return {
        "id": id,
        "name": limits.check_text(name, "name", limits.KEY_LENGTH),
        "kind": check_name(kind, "kind of run")[:40],
        "state": "running",
        "parent": parent,
        "attempt": 1,
        "code": limits.check_text(code, "code", limits.KEY_LENGTH),
        "environment": environment or {},
        "error": "",
        "notes": "",
        "user": limits.check_text(user, "user", limits.KEY_LENGTH),
        "started": started,
        "ended": None,
        "heartbeats": int(heartbeats),
    }


def written_artifact(artifact: Artifact) -> ArtifactRow:
    """An artifact as a batch holds it.

    Raises:
        InvalidInput: the name, digest or size cannot be used.
    """
    row = artifact_row(artifact)
    at = limits.to_micros(artifact.name, artifact.created)
    return row["name"], row["digest"], row["size"], row["kind"], at


def artifact_row(artifact: Artifact) -> dict[str, Any]:
    """The columns of an artifact, apart from its run.

    Raises:
        InvalidInput: the name, digest or size cannot be used.
    """
    return {
        **file_row(artifact.name, artifact.digest, artifact.size),
        "kind": check_name(artifact.kind, "kind of artifact")[:40],
    }


def file_row(name: str, digest: str, size: int) -> dict[str, Any]:
    """The columns that all bytes with a name have.

    Raises:
        InvalidInput: the name, digest or size cannot be used.
    """
    from flyball.storage.objects import check_digest

    limits.check_size(name, size)
    return {"name": limits.check_artifact_name(name), "digest": check_digest(digest), "size": size}


def check_experiment(name: str) -> str:
    """Gives the name of an experiment back if it may be one.

    Raises:
        InvalidInput: it may not.
    """
    return limits.check_key(name, "experiment", limits.EXPERIMENT_LENGTH)


def kept_error(error: str) -> str:
    """An error as it is kept, whatever it holds: the end of a run may not fail because of it."""
    return error.replace("\0", "").encode("utf-8", "replace").decode()[:ERROR_LENGTH]


def below(column: sa.ColumnElement[str], prefix: str, dialect: str) -> sa.ColumnElement[bool]:
    """Whether a name is that of the file or lies in the folder; all names if it is empty."""
    return sa.or_(column == prefix, inside(column, prefix, dialect)) if prefix else sa.true()


def inside(column: sa.ColumnElement[str], folder: str, dialect: str) -> sa.ColumnElement[bool]:
    """Whether a name lies in the folder: a range of the index, in the order of bytes."""
    stem = folder.rstrip("/")
    # Not by LIKE, for which SQLite takes capital and small letters for the same. PostgreSQL sorts as its language does.
    named = sa.collate(column, "C") if dialect == "postgresql" else column
    return sa.and_(named > f"{stem}/", named < f"{stem}0")  # what follows the slash in the order of bytes


def _run_of(row: sa.Row[Any], details: dict[str, Any]) -> Run:
    values: dict[str, Any] = {name: row._mapping[name] for name in _COPIED}
    named = {"experiment": row.experiment_name, "experiment_id": str(row.experiment)}
    return Run(**values, **named, **details, heartbeat=_store.beat_time(row.heartbeat))


_COPIED: Sequence[str] = [
    name
    for name in Run.__dataclass_fields__
    if name not in ("experiment", "experiment_id", "heartbeat", "params", "tags", "metrics")
]
