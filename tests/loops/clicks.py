"""A small life of a loop: a project whose truth turns round one day, its traffic, and a controller that is told to act."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from flyball.errors import FlyballError
from flyball.executors.base import Executor, Job, JobState
from flyball.loops.controller import Controller
from flyball.loops.lease import LEASE
from flyball.loops.loop import Loop
from flyball.pipelines.code_snapshot import load_project, snapshot_code
from flyball.server.worker import work
from flyball.serving.endpoint import Endpoint
from flyball.serving.manifest import manifest_key
from flyball.serving.prediction_log import PredictionLog
from flyball.serving.runtime import Runtime
from flyball.serving.signed_manifest import read_manifest
from flyball.storage.database import Lease
from flyball.testing import workspace
from flyball.workspace import Workspace

START = datetime(2013, 6, 3, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)

PROJECT = """
from typing import Annotated

import flyball as fb
from sklearn.linear_model import LogisticRegression

clicks = fb.dataset("clicks", "data/*.parquet", key="id", time="at", label="clicked", label_time="known_at")

@fb.step
def train(rows: fb.Table) -> fb.Model:
    x, y = rows.xy()
    return LogisticRegression().fit(x, y)

@fb.pipeline
def train_clicks(window: str = "1d"):
    past, recent = fb.split(fb.training_set(clicks, window=window), holdout="6h")
    model = train(past)
    return fb.register("clicks", model, fb.evaluate(model, recent), reference=past)

@fb.pipeline
def tuned_clicks(window: Annotated[str, fb.space.choice("12h", "1d")] = "1d"):
    return train_clicks.function(window)

@fb.pipeline
def broken():
    raise RuntimeError("no model today")

fb.loop(
    "clicks",
    train_clicks,
    retrain=[fb.on.decay("roc_auc", by=0.05)],
    gates=[fb.gate.beats_champion("roc_auc")],
    rollout=fb.canary([25, 50, 100], hold="6h", min_predictions=20),
    monitors=[fb.monitor.performance("roc_auc")],
)
"""


class InThisProcess:
    """An executor that does a training at once, without a process of its own."""

    def __init__(self, here: Workspace) -> None:
        self._workspace = here
        self.states: dict[str, JobState] = {}
        self.said: dict[str, str] = {}

    def submit(self, job: Job) -> str:
        try:
            work(self._workspace, self._workspace.loops.get_training(job.command[-1]))
            self.states[job.id] = JobState(state="finished", exit_code=0)
        except FlyballError as error:
            self.said[job.id] = f"some output\n{error}\n"
            self.states[job.id] = JobState(state="failed", exit_code=1)
        return job.id

    def poll(self, job_id: str) -> JobState:
        return self.states.get(job_id, JobState(state="lost"))

    def cancel(self, job_id: str) -> None:
        raise NotImplementedError

    def logs(self, job_id: str) -> str:
        return self.said.get(job_id, "")

    def read_log(self, job_id: str, start: int = 0) -> bytes:
        return self.logs(job_id).encode()[start:]

    def close(self) -> None:
        pass


class Life:
    """A loop, its traffic and its controller, in virtual time."""

    def __init__(self, here: Workspace, executor: Executor) -> None:
        self.workspace = here
        self.executor = executor
        self.controller = Controller(here, executor, "first")
        self._log = PredictionLog(here.store, "clicks", "here")
        self._endpoint = Endpoint("clicks", self._log)
        self._numbers = np.random.default_rng(0)

    @property
    def now(self) -> datetime:
        return self.workspace.time.now()

    @property
    def champion(self) -> int:
        return self.workspace.deployments.get("clicks").champion

    def decisions(self) -> list[str]:
        found = self.workspace.loops.history("clicks", newest_first=False)
        return [f"{decision.decision}: {decision.reason}" for decision in found]

    def apply(self, **changes: object) -> Loop:
        """Hands the loop of the project over, with some of it changed."""
        from dataclasses import replace

        root = self.workspace.root
        (loop,) = [item for item in load_project(root, "project.py").declarations if isinstance(item, Loop)]
        code = snapshot_code(root, self.workspace.blobs).digest
        whole = replace(loop, code=code, module="project.py", source_root=str(root))
        return self.workspace.loops.apply(replace(whole, **changes))  # type: ignore[arg-type]  # fields of a loop

    def lease(self, holder: str = "first") -> Lease:
        lease = self.workspace.database.lease(LEASE, holder, timedelta(minutes=1))
        assert lease is not None
        return lease

    def settle(self) -> None:
        """Lets the controller act until nothing is left to do."""
        lease = self.lease()
        try:
            for _ in range(100):
                if not self.controller.step(lease):
                    return
            raise AssertionError("the controller does not come to rest")
        finally:
            self.workspace.database.release(lease)

    def rows(self, start: datetime, hours: int, *, turned: bool) -> pa.Table:
        """Rows of so many hours; in the turned world the opposite is clicked."""
        count = 40 * hours
        x = self._numbers.normal(size=count)
        clicked = (x + self._numbers.normal(scale=0.5, size=count) > 0) ^ turned
        at = [start + HOUR * (place // 40) for place in range(count)]
        return pa.table(
            {"id": [uuid.uuid4().hex for _ in at], "at": at, "x": x, "clicked": clicked,
             "known_at": [moment + timedelta(minutes=10) for moment in at]}
        )  # fmt: skip

    def collect(self, rows: pa.Table) -> None:
        """The rows arrive where the dataset finds them."""
        folder = self.workspace.root / "data"
        folder.mkdir(exist_ok=True)
        pq.write_table(rows, folder / f"{len(list(folder.iterdir())):03d}.parquet")

    def live(self, hours: int, *, turned: bool, moved: float = 0.0, truth: bool = True, stuck: bool = False) -> None:
        """So many hours go by: traffic is answered, its truth becomes known and is collected.

        Args:
            moved: How far the inputs lie from where they were.
            truth: Whether anyone tells what was true.
            stuck: Whether the sensor that gives the inputs shows one value for ever.
        """
        rows = self.rows(self.now, hours, turned=turned)
        if moved:
            rows = rows.set_column(rows.column_names.index("x"), "x", pc.add(rows["x"], moved))
        if stuck:
            rows = rows.set_column(rows.column_names.index("x"), "x", pa.repeat(0.5, rows.num_rows))
        manifest = read_manifest(self.workspace.store.get(manifest_key("clicks")))
        runtime = Runtime.load(manifest, self.workspace.blobs)
        for first in range(0, rows.num_rows, 40):
            batch = rows.slice(first, 40)
            ids = batch["id"].to_pylist()
            self._endpoint.answer(runtime, batch.select(["x"]), ids, at=batch["at"][0].as_py())
        self._log.flush()
        until = (self.now + HOUR * hours).isoformat()
        if truth:
            values = rows["clicked"].to_pylist()
            self.workspace.monitoring.add_ground_truth("clicks", rows["id"].to_pylist(), values, known_at=until)
            self.collect(rows)
        self.workspace.clock.set(until)

    def close(self) -> None:
        self._endpoint.close()


@contextmanager
def life(folder: Path) -> Iterator[Life]:
    """A project with a day of data, in virtual time; its loop is not applied yet."""
    (folder / "project.py").write_text(PROJECT, encoding="utf-8")
    with workspace(folder, clock="virtual") as here:
        here.clock.set(START.isoformat())
        made = Life(here, InThisProcess(here))
        made.collect(made.rows(START - DAY, 24, turned=False))
        yield made
        made.close()
