"""Our runs and data as OpenLineage events, sent to another tool's address or written to a file.

The event log is what is sent from: how far that went is kept in the database, and moves on only when the receiver has taken an
event. So none is lost while the receiver, or we, are down; one that was being sent then is sent again (at least once).
"""

from __future__ import annotations

import logging
import os
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from flyball.alerts.http_post import check_url, host_of, request
from flyball.errors import FlyballError, InvalidInput, NotFound, WorkFailed
from flyball.refs import Ref
from flyball.serialization import JsonValue, from_json, to_json
from flyball.storage.event_log import position, set_position
from flyball.version import __version__

if TYPE_CHECKING:
    from flyball.data.datasets import Data, Dataset
    from flyball.data.manifest import Snapshot
    from flyball.events import Event
    from flyball.lineage import ColumnEdge, Lineage
    from flyball.storage.database import Database
    from flyball.storage.event_log import EventLog
    from flyball.storage.objects import Blobs
    from flyball.tracking.inputs import RunInputs
    from flyball.tracking.runs import Run, Tracking

logger = logging.getLogger(__name__)

PRODUCER = f"urn:flyball:{__version__}"
_SPEC = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/"
_FACETS = "https://openlineage.io/spec/facets/"
_IDS = uuid.UUID("f1c0de1a-5bb1-5f1a-9ba1-0f1bba110f1e")
_FOLLOWER = "openlineage"
_KINDS = (
    "tracking.run_started",
    "tracking.run_ended",
    "tracking.run_lost",
    "tracking.run_resumed",
    "data.snapshot_taken",
)
_STATES = {"finished": "COMPLETE", "failed": "FAIL", "cancelled": "ABORT", "lost": "FAIL", "running": "RUNNING"}
_HOW = {"identity": "IDENTITY", "transformation": "TRANSFORMATION", "aggregation": "AGGREGATION"}
_PAGE = 20  # so that a slow receiver does not outlast the lease
_ALONE = timedelta(seconds=90)
_LONGEST_CODE = 50_000
_DEEPEST = 20

Json = dict[str, JsonValue]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What became of sending.

    Attributes:
        sent: Events of OpenLineage that were taken.
        refused: Those that the receiver will not have; they are not sent again.
        waiting: Whether something is still to be sent.
        error: Why it stopped; empty if nothing is left.
    """

    sent: int = 0
    refused: int = 0
    waiting: bool = False
    error: str = ""


class Writer:
    """Tells runs and data in OpenLineage's words."""

    def __init__(
        self, *, name: str, tracking: Tracking, lineage: Lineage, inputs: RunInputs, data: Data, blobs: Blobs
    ) -> None:
        self._namespace = f"flyball://{name}"
        self._tracking = tracking
        self._lineage = lineage
        self._inputs = inputs
        self._data = data
        self._blobs = blobs

    def write(self, event: Event) -> Json | None:
        """The event of OpenLineage that tells one of ours; None where there is nothing to tell."""
        ref = Ref.parse(event.subject)
        try:
            if event.kind == "data.snapshot_taken":
                return self._of_snapshot(self._data.get_snapshot(ref.name, ref.version), event.at)
            return self._of_run(self._tracking.get_run(ref.name), event)
        except NotFound:  # gone since
            return None

    def _of_snapshot(self, snapshot: Snapshot, at: datetime) -> Json:
        dataset = self._dataset(snapshot)
        return {**_head("DatasetEvent", at), "dataset": dataset}

    def _of_run(self, run: Run, event: Event) -> Json:
        what = event.kind.removeprefix("tracking.run_")
        state = {"started": "START", "resumed": "RUNNING", "lost": "FAIL"}.get(what) or _STATES[
            str(event.facts["state"])
        ]
        at = run.started if what == "started" else run.ended if what == "ended" and run.ended else event.at
        told: Json = {
            **_head("RunEvent", at),
            "eventType": state,
            "run": {"runId": run_id(run.id), "facets": self._run_facets(run, state)},
            "job": {"namespace": self._namespace, "name": self._job(run), "facets": self._job_facets(run)},
            "inputs": [],
            "outputs": [],
        }
        if state in ("COMPLETE", "FAIL", "ABORT"):
            told |= self._ends(run)
        return told

    def _ends(self, run: Run) -> Json:
        ref = str(Ref(kind="runs", name=run.id))
        made = [edge.target for edge in self._lineage.downstream(ref, 1)]
        used = [edge.source for thing in (ref, *made) for edge in self._lineage.upstream(thing, 1)]
        logged = self._inputs.get([run.id])
        inputs = [*self._things(used, writes=False), *(self._logged(d) for each in logged for d in each.datasets)]
        return {"inputs": inputs, "outputs": list(self._things(made, writes=True))}

    def _things(self, refs: list[str], *, writes: bool) -> Iterator[Json]:
        for text in dict.fromkeys(refs):
            ref = Ref.parse(text)
            if ref.kind == "snapshots":
                try:
                    snapshot = self._data.get_snapshot(ref.name, ref.version)
                except NotFound:
                    continue
                yield self._dataset(snapshot) | (_output(snapshot) if writes else _input(snapshot))
            elif ref.kind == "models" and writes:
                version = _facet("DatasetVersionDatasetFacet", "1-0-1", datasetVersion=ref.version)
                name = f"models/{ref.name}"
                yield {"namespace": self._namespace, "name": name, "facets": {"version": version}, "outputFacets": {}}

    def _logged(self, dataset: Any) -> Json:
        facets = {"version": _facet("DatasetVersionDatasetFacet", "1-0-1", datasetVersion=dataset.digest)}
        name = f"logged/{dataset.name}"
        return {"namespace": self._namespace, "name": name, "facets": facets, "inputFacets": {}}

    def _dataset(self, snapshot: Snapshot) -> Json:
        facets: Json = {
            "version": _facet("DatasetVersionDatasetFacet", "1-0-1", datasetVersion=snapshot.id),
            "datasetType": _facet(
                "DatasetTypeDatasetFacet", "1-0-1", datasetType="FILE" if snapshot.schema is None else "TABLE"
            ),
        }
        if snapshot.schema is not None:
            fields = [{"name": c.name, "type": c.storage or c.type} for c in snapshot.schema.columns]
            facets["schema"] = _facet("SchemaDatasetFacet", "1-2-0", fields=fields)
        declared = self._declared(snapshot.dataset)
        if declared is not None and declared.source:
            facets["dataSource"] = _facet("DatasourceDatasetFacet", "1-0-1", name=declared.source, uri=declared.source)
        if declared is not None and declared.description:
            facets["documentation"] = _facet("DocumentationDatasetFacet", "1-1-0", description=declared.description)
        edges = self._lineage.columns(f"datasets:/{snapshot.dataset}", depth=1)
        if edges:
            facets["columnLineage"] = self._column_lineage(edges)
        return {"namespace": self._namespace, "name": snapshot.dataset, "facets": facets}

    def _column_lineage(self, edges: list[ColumnEdge]) -> Json:
        fields: dict[str, Any] = {}
        for edge in edges:
            namespace, name = self._outside(edge.source)
            kind = {"type": "DIRECT", "subtype": _HOW.get(edge.how, "TRANSFORMATION")}
            if not edge.direct:
                kind = {"type": "INDIRECT", "subtype": edge.how.upper()}
            made = {"namespace": namespace, "name": name, "field": edge.source_column, "transformations": [kind]}
            fields.setdefault(edge.target_column, {"inputFields": []})["inputFields"].append(made)
        return _facet("ColumnLineageDatasetFacet", "1-2-0", fields=fields)

    def _outside(self, text: str) -> tuple[str, str]:
        ref = Ref.parse(text)
        if ref.kind == "external":
            return unquote(ref.name), unquote(ref.version)
        return self._namespace, ref.name if ref.kind == "datasets" else f"{ref.kind}/{ref.name}"

    def _declared(self, name: str) -> Dataset | None:
        try:
            return self._data.get(name)
        except NotFound:
            return None

    def _run_facets(self, run: Run, state: str) -> Json:
        facets: Json = {
            "processing_engine": _facet("ProcessingEngineRunFacet", "1-1-1", name="Flyball", version=__version__),
            # The id by which our own API knows it: that of the event must be a UUID.
            "flyball_run": {"_producer": PRODUCER, "_schemaURL": _SPEC + "RunFacet", "id": run.id, "kind": run.kind},
        }
        parent = self._parent(run)
        if parent is not None:
            job = {"namespace": self._namespace, "name": self._job(parent)}
            facets["parent"] = _facet("ParentRunFacet", "1-2-0", run={"runId": run_id(parent.id)}, job=job)
        if state == "FAIL":
            message = run.error or "The run was lost: nothing was heard of it for too long."
            facets["errorMessage"] = _facet(
                "ErrorMessageRunFacet", "1-0-1", message=message, programmingLanguage="PYTHON"
            )
        return facets

    def _job_facets(self, run: Run) -> Json:
        facets: Json = {
            "jobType": _facet(
                "JobTypeJobFacet", "2-0-4", processingType="BATCH", integration="FLYBALL", jobType=run.kind.upper()
            )
        }
        code = self._code(run.code)
        if code:
            facets["sourceCode"] = _facet("SourceCodeJobFacet", "1-0-1", language="PYTHON", sourceCode=code)
        return facets

    def _code(self, digest: str) -> str:
        """The files of a code snapshot, one after the other."""
        if len(digest) != 64 or not self._blobs.has(digest):
            return ""
        try:
            files = from_json(self._blobs.get(digest), dict[str, str])
            texts = (f"# {path}\n" + self._blobs.get(each).decode("utf-8", "replace") for path, each in files.items())
            return "\n".join(texts)[:_LONGEST_CODE]
        except FlyballError:  # a commit that looks like a digest, or bytes that are no longer kept
            return ""

    def _parent(self, run: Run) -> Run | None:
        try:
            return self._tracking.get_run(run.parent) if run.parent else None
        except NotFound:
            return None

    def _job(self, run: Run) -> str:
        """The name of a run's job: of its experiment, and of what it runs, below that of the runs around it."""
        names = [run.name or run.kind]
        around = self._parent(run)
        while around is not None and len(names) < _DEEPEST:
            names.append(around.name or around.kind)
            around = self._parent(around)
        return ".".join([run.experiment, *reversed(names)])


class Emitter:
    """Sends what happens to the address or the file that the settings name."""

    def __init__(
        self, database: Database, events: EventLog, writer: Writer, target: str, *, key: str = "", holder: str = ""
    ) -> None:
        self._database = database
        self._events = events
        self._writer = writer
        self._holder = holder or f"{os.getpid()}-{uuid.uuid4().hex[:8]}"
        self._send = to_address(target, key) if "://" in target else to_file(Path(target))

    def start(self, *, from_start: bool = False) -> None:
        """Begins with what happens from now on, or with all that the event log holds; one that has begun goes on."""
        with self._database.reading() as connection:
            if not from_start and position(connection, _FOLLOWER) is not None:
                return
        with self._database.transaction() as connection:
            if from_start:
                set_position(self._database, connection, _FOLLOWER, 0)
            elif position(connection, _FOLLOWER) is None:
                latest = max((event.id for event in self._events.list(limit=1, newest_first=True)), default=0)
                set_position(self._database, connection, _FOLLOWER, latest)

    def send(self) -> Sent:
        """Sends all that is to be sent, in its order; stops at the first that the receiver does not take now."""
        self.start()
        if not self._next():
            return Sent()
        lease = self._database.lease(_FOLLOWER, self._holder, _ALONE)
        if lease is None:
            return Sent(waiting=True, error="Another process is sending.")
        sent = refused = 0
        try:
            while page := self._next():
                for event in page:
                    taken = self._tell(event)
                    sent, refused = sent + (taken is True), refused + (taken is False)
                    with self._database.transaction() as connection:
                        self._database.fence(connection, lease)
                        set_position(self._database, connection, _FOLLOWER, event.id)
                self._database.lease(_FOLLOWER, self._holder, _ALONE)
            return Sent(sent=sent, refused=refused)
        except FlyballError as error:
            return Sent(sent=sent, refused=refused, waiting=True, error=str(error))
        finally:
            self._database.release(lease)

    def _next(self) -> list[Event]:
        with self._database.reading() as connection:
            seen = position(connection, _FOLLOWER)
        return [] if seen is None else self._events.list(after=seen, kinds=_KINDS, limit=_PAGE)

    def _tell(self, event: Event) -> bool | None:
        """Whether it was taken; None where there was nothing to tell."""
        written = self._writer.write(event)
        if written is None:
            return None
        try:
            self._send(to_json(written))
        except InvalidInput as error:
            logger.warning("an event was refused", extra={"subject": event.subject, "error": str(error)})
            return False
        return True


def to_address(url: str, key: str = "") -> Callable[[bytes], None]:
    """Sends by HTTP POST; what the receiver refuses for good is told apart from what it does not take now.

    Raises:
        InvalidInput: the address cannot be used; or, when called, the receiver says that the event is bad.
    """
    check_url(url, "receiver of OpenLineage")
    headers = {"content-type": "application/json"} | ({"authorization": f"Bearer {key}"} if key else {})

    def send(body: bytes) -> None:
        answer = request("POST", url, body, headers, timeout=10.0, what="receiver of OpenLineage")
        if answer.status in (400, 413, 422):
            raise InvalidInput(f"The receiver at {host_of(url)} refused an event with {answer.status}.")
        if not 200 <= answer.status < 300:
            raise WorkFailed(f"The receiver at {host_of(url)} answered {answer.status}.", status=answer.status)

    return send


def to_file(path: Path) -> Callable[[bytes], None]:
    """Writes one event a line to the end of a file."""

    def send(body: bytes) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            file.write(body + b"\n")
            file.flush()
            os.fsync(file.fileno())

    return send


def run_id(id_: str) -> str:
    """The UUID that stands for a run of ours: always the same one."""
    return str(uuid.uuid5(_IDS, id_))


def _head(kind: str, at: datetime) -> Json:
    return {"eventTime": at.astimezone(UTC).isoformat(), "producer": PRODUCER, "schemaURL": _SPEC + kind}


def _facet(name: str, version: str, /, **values: Any) -> Json:
    return {"_producer": PRODUCER, "_schemaURL": f"{_FACETS}{version}/{name}.json#/$defs/{name}", **values}


def _input(snapshot: Snapshot) -> Json:
    metrics = {
        "bytes": snapshot.size, "fileCount": snapshot.file_count, "lastUpdated": snapshot.created.isoformat(),
        "columnMetrics": {},
    }  # fmt: skip
    if snapshot.rows is not None:
        metrics["rowCount"] = snapshot.rows
    return {"inputFacets": {"dataQualityMetrics": _facet("DataQualityMetricsInputDatasetFacet", "1-0-3", **metrics)}}


def _output(snapshot: Snapshot) -> Json:
    figures = {"size": snapshot.size, "fileCount": snapshot.file_count}
    if snapshot.rows is not None:
        figures["rowCount"] = snapshot.rows
    return {"outputFacets": {"outputStatistics": _facet("OutputStatisticsOutputDatasetFacet", "1-0-2", **figures)}}
