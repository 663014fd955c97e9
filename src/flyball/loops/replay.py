"""Replays history: rows go through a running deployment as live traffic, and their truth comes when it came.

Needs a workspace in virtual time. Each tick sends the predictions of its span to the model server, hands in the ground truth
that became known in it, lets newly labelled rows arrive at the dataset's source, moves the clock on and waits until the
controller has nothing left to do. A tick that was cut off is sent again: prediction ids are the rows' keys, so nothing counts
twice, and the end is the same.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import urllib3

from flyball.data.datasets import Dataset
from flyball.data.table import as_moments
from flyball.errors import InvalidInput, ServerUnreachable, WorkFailed
from flyball.serialization import to_json

if TYPE_CHECKING:
    import pyarrow as pa

_SETTLE_SECONDS = 900.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """How far a replay is.

    Attributes:
        at: The moment the clock was moved to.
        done: Share of the whole span that lies behind.
        predictions: Predictions sent in this tick.
        labels: Labels handed in in this tick.
    """

    at: datetime
    done: float
    predictions: int
    labels: int


class Replay:
    """Sends rows through a deployment as live traffic.

    Args:
        workspace: The workspace, local or remote, whose clock is moved.
        deployment: Name of the deployment that answers.
        model_url: Address of its model server.
        dataset: What the rows are: their key, time, label and label time.
        rows: The history, with its features joined; any order.
        raw: The same rows as they are collected, without features; they arrive at `collect` when their label is known.
        collect: Folder where newly labelled rows arrive, a file a tick; none if it is not given.
    """

    def __init__(
        self, workspace: Any, *, deployment: str, model_url: str, dataset: Dataset, rows: pa.Table,
        raw: pa.Table | None = None, collect: Path | None = None,
    ) -> None:  # fmt: skip
        for role in ("key", "time", "label", "label_time"):
            if not getattr(dataset, role):
                raise InvalidInput(
                    f"Dataset '{dataset.name}' declares no {role}.",
                    hint="A replay needs key, time, label and label_time.",
                )
        self._workspace = workspace
        self._deployment = deployment
        self._url = model_url
        self._dataset = dataset
        self._traffic = _ByTime(rows, dataset.time)
        self._labels = _ByTime(rows.select([dataset.key, dataset.label, dataset.label_time]), dataset.label_time)
        self._raw = None if raw is None else _ByTime(raw, dataset.label_time)
        self._collect = collect
        self._inputs = self._asked_for(rows.column_names)
        self._http = urllib3.PoolManager(retries=urllib3.Retry(connect=5, read=0, backoff_factor=0.2))

    def run(self, start: datetime, end: datetime, *, tick: timedelta, batch: timedelta) -> Iterator[Tick]:
        """Replays from start to end, or from where the workspace's clock stands if that is later.

        Args:
            tick: How far the clock moves at a time; the controller acts between ticks.
            batch: The rows of this long go in one request.

        Raises:
            InvalidInput: the workspace does not live in virtual time.
            WorkFailed: the model server refused a request, or the controller did not come to rest.
        """
        if self._workspace.settings.clock != "virtual":
            raise InvalidInput("This workspace lives in system time.", hint='Set clock = "virtual" in flyball.toml.')
        now, _ = self._workspace.clock.state()
        at = start
        while at < now and at < end:
            at += tick
        if now < start:
            self._workspace.clock.set(start.isoformat())
        self._settle()
        while at < end:
            until = min(at + tick, end)
            predictions = self._send(at, until, batch)
            labels = self._tell(at, until)
            self._post("/flush", {})
            self._workspace.clock.set(until.isoformat())
            self._settle()
            at = until
            yield Tick(at=at, done=(at - start) / (end - start), predictions=predictions, labels=labels)

    def _asked_for(self, columns: Sequence[str]) -> list[str]:
        """The columns that the deployed model asks for; rows of a history often hold more."""
        deployment = self._workspace.deployments.get(self._deployment)
        version = self._workspace.registry.get_version(f"models:/{deployment.model}/{deployment.champion}")
        wanted = {*version.package.signature.inputs.names, deployment.sticky_key}
        return [name for name in columns if name in wanted]

    def _send(self, start: datetime, end: datetime, batch: timedelta) -> int:
        sent = 0
        while start < end:
            until = min(start + batch, end)
            rows = self._traffic.between(start, until)
            if rows.num_rows:
                columns = {name: rows[name].to_pylist() for name in self._inputs}
                ids = [str(key) for key in rows[self._dataset.key].to_pylist()]
                body = {"columns": columns, "ids": ids, "time": start.isoformat()}
                self._post(f"/predict/{self._deployment}", body)
                sent += rows.num_rows
            start = until
        return sent

    def _tell(self, start: datetime, end: datetime) -> int:
        rows = self._labels.between(start, end)
        if rows.num_rows:
            ids = [str(key) for key in rows[self._dataset.key].to_pylist()]
            values = rows[self._dataset.label].to_pylist()
            self._workspace.monitoring.add_ground_truth(self._deployment, ids, values, known_at=end.isoformat())
        if self._raw is not None and self._collect is not None:
            _arrive(self._raw.between(start, end), self._collect / f"{start:%Y-%m-%dT%H%M}.parquet")
        return int(rows.num_rows)

    def _post(self, path: str, body: object) -> bytes:
        try:
            answer = self._http.request(
                "POST",
                f"{self._url}{path}",
                body=to_json(body),
                headers={"content-type": "application/json"},
                timeout=60.0,
            )
        except urllib3.exceptions.HTTPError as error:
            raise ServerUnreachable(
                f"The model server at {self._url} does not answer.", hint="Is `flyball up` running?"
            ) from error
        if answer.status >= 400:
            raise WorkFailed(f"The model server refused {path}: {answer.data[:500].decode('utf-8', 'replace')}")
        return answer.data

    def _settle(self) -> None:
        deadline, pause = time.monotonic() + _SETTLE_SECONDS, 0.002
        while time.monotonic() < deadline:
            _, settled = self._workspace.clock.state()
            if settled:
                return
            time.sleep(pause)
            pause = min(pause * 1.5, 0.1)
        raise WorkFailed(
            "The controller did not come to rest.", hint="See `flyball alerts list` and the controller's log."
        )


def find_model_server(
    workspace: Any, deployment: str, *, seconds: float = 60.0, wait: Callable[[float], None] = time.sleep
) -> str:
    """Address of a model server that is ready to answer for the deployment.

    Raises:
        NotFound: there is no such deployment.
        ServerUnreachable: none became ready in time.
    """
    from flyball.deployment.manifest import followers

    generation = workspace.deployments.get(deployment).generation
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        for report in followers(workspace.store, deployment):
            if report.generation >= generation and report.state == "ready" and _answers(report.address, deployment):
                return report.address
        wait(0.05)
    raise ServerUnreachable(f"No model server is ready for '{deployment}'.", hint="Start one with `flyball up`.")


def _answers(address: str, deployment: str) -> bool:
    try:
        answer = urllib3.request("GET", f"{address}/v2/models/{deployment}/ready", timeout=2.0, retries=False)
    except urllib3.exceptions.HTTPError:
        return False
    return answer.status == 200


class _ByTime:
    """Rows in the order of a time column; any span of them is a slice."""

    def __init__(self, rows: pa.Table, column: str) -> None:
        import numpy as np

        order = np.argsort(as_moments(rows[column]).to_numpy(), kind="stable")
        self._rows = rows.take(order)
        self._times = as_moments(self._rows[column]).to_numpy().astype("datetime64[us]")

    def between(self, start: datetime, end: datetime) -> pa.Table:
        """The rows with start <= time < end."""
        import numpy as np

        first, last = (np.searchsorted(self._times, np.datetime64(t.replace(tzinfo=None), "us")) for t in (start, end))
        return self._rows.slice(int(first), int(last - first))


def _arrive(rows: pa.Table, path: Path) -> None:
    import pyarrow.parquet as pq

    if rows.num_rows == 0:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".part")
    pq.write_table(rows, fresh)
    fresh.replace(path)
