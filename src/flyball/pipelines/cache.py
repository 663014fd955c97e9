"""What steps gave before, by everything that it depends on."""

from __future__ import annotations

import builtins
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import sqlalchemy as sa

from flyball.clock import Clock
from flyball.errors import InvalidInput
from flyball.pipelines import _store
from flyball.pipelines.materials import Artifact
from flyball.serialization import convert, to_plain
from flyball.storage.database import Database, leases
from flyball.storage.event_log import EventLog
from flyball.storage.objects import Blobs, check_digest
from flyball.verbs import change, read

_CLAIMED = timedelta(seconds=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class CachedStep:
    """What one step gave, and all that it depends on.

    Attributes:
        key: Digest of all that it depends on.
        pipeline: Pipeline that it was part of.
        step: Name of the step; its second call in a run is `name#2`.
        run: Id of the pipeline's run that made it.
        artifacts: Its outputs.
        is_tuple: Whether the outputs are the parts of a tuple.
        code: State of each piece of code that it stands on, as `code.CodeKey.parts`.
        params: Each literal argument as JSON.
        inputs: Identity of each other argument, each declared file and environment variable.
        version: What the step says its version is.
        metrics: The last value of each metric it logged.
        snapshots: Data snapshots it used.
        seconds: How long it took.
        made: When it ran.
        created: When it was last recorded: then, or when it was last taken from the cache.
    """

    key: str
    pipeline: str
    step: str
    run: str
    artifacts: tuple[Artifact, ...]
    is_tuple: bool = False
    code: dict[str, str] = field(default_factory=dict)
    params: dict[str, str] = field(default_factory=dict)
    inputs: dict[str, str] = field(default_factory=dict)
    version: str = ""
    metrics: dict[str, float] = field(default_factory=dict)
    snapshots: tuple[str, ...] = ()
    seconds: float = 0.0
    made: datetime | None = None
    created: datetime | None = None


_Steps = builtins.list[CachedStep]  # in the class, `list` is a verb


class StepCache:
    """Keeps what steps gave."""

    def __init__(self, database: Database, blobs: Blobs, events: EventLog, clock: Clock) -> None:
        self._database = database
        self._blobs = blobs
        self._events = events
        self._clock = clock

    @read
    def lookup(self, key: str) -> CachedStep | None:
        """What the step of that key gave; None if it was never run, or what it gave is no longer kept."""
        row = self._database.row(sa.select(_store.steps).where(_store.steps.c.key == check_digest(key)))
        if row is None:
            return None
        found = _step(row)
        kept = all(artifact.inline or self._blobs.has(artifact.digest) for artifact in found.artifacts)
        return found if kept else None

    @read
    def latest(self, pipeline: str, step: str) -> CachedStep | None:
        """What a step of a pipeline gave the last time, whether it ran or not; None if it never did."""
        table = _store.steps
        query = sa.select(table).where(table.c.pipeline == pipeline, table.c.step == step)
        row = self._database.row(query.order_by(table.c.number.desc()).limit(1))
        return None if row is None else _step(row)

    @read
    def latest_of(self, pipeline: str) -> _Steps:
        """What each step of a pipeline gave the last time, by the step's name."""
        table = _store.steps
        newest = sa.select(sa.func.max(table.c.number)).where(table.c.pipeline == pipeline).group_by(table.c.step)
        query = sa.select(table).where(table.c.number.in_(newest)).order_by(table.c.step)
        return [_step(row) for row in self._database.rows(query)]

    @change
    def record(self, steps: list[CachedStep]) -> None:
        """Keeps what steps gave, all or none; the bytes of their outputs are kept already.

        What is recorded again, as it was taken from the cache, becomes the latest of its step.

        Raises:
            InvalidInput: a key is no digest, or an output could not be kept.
        """
        if not steps:
            return
        now = self._clock.now()
        rows = []
        for step in steps:
            if any(artifact.kind == "live" for artifact in step.artifacts):
                raise InvalidInput(f"The output of step '{step.step}' was not kept.")
            rows.append(
                {
                    "key": check_digest(step.key),
                    "pipeline": step.pipeline,
                    "step": step.step,
                    "created": now,
                    "facts": to_plain(step),
                }
            )
        insert = self._database.insert(_store.steps)
        again = {name: insert.excluded[name] for name in ("pipeline", "step", "created", "facts")}
        with self._database.transaction() as connection:
            # A new row number makes it the latest; the workspace's clock may stand still between two runs.
            connection.execute(sa.delete(_store.steps).where(_store.steps.c.key.in_([row["key"] for row in rows])))
            connection.execute(insert.on_conflict_do_update(index_elements=["key"], set_=again), rows)

    @change(audited=False)
    def claim(self, key: str, run: str) -> bool:
        """Takes, or renews, the right to run the step of that key for ten seconds; false while another run has it."""
        return self._database.lease(f"step:{check_digest(key)}", run, _CLAIMED) is not None

    @change(audited=False)
    def release(self, key: str, run: str) -> None:
        """Gives the right to run a step back; nothing happens where another run has it."""
        mine = sa.and_(leases.c.name == f"step:{check_digest(key)}", leases.c.holder == run)
        self._database.execute(sa.delete(leases).where(mine))

    @change
    def forget(self, step: str = "", pipeline: str = "", key: str = "") -> int:
        """Forgets what was kept, so that it runs again; gives how many results that were.

        Args:
            step: Only of this step.
            pipeline: Only of steps in this pipeline.
            key: Only of this key.
        """
        table = _store.steps
        wanted = [column == value for column, value in ((table.c.pipeline, pipeline), (table.c.key, key)) if value]
        if step:
            wanted.append(sa.or_(table.c.step == step, table.c.step.startswith(f"{step}#", autoescape=True)))
        with self._database.transaction() as connection:
            return connection.execute(sa.delete(table).where(*wanted)).rowcount

    @read
    def list(self, limit: int = 1000, after: str = "") -> list[CachedStep]:
        """What is kept, in the order of keys.

        Args:
            limit: At most this many, up to 10,000.
            after: `key` of the last one of the page before.
        """
        query = sa.select(_store.steps).where(_store.steps.c.key > after).order_by(_store.steps.c.key)
        with self._database.reading() as connection:
            return [_step(row) for row in connection.execute(query.limit(max(1, min(limit, 10_000)))).all()]


def _step(row: sa.Row[tuple[object, ...]]) -> CachedStep:
    return convert({**row.facts, "created": row.created}, CachedStep)
