from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from flyball.data.snapshot import take_snapshot
from flyball.governance.openlineage import Emitter, Writer, run_id
from flyball.server.protocols.openlineage import read_event
from flyball.workspace import Workspace
from tests.protocols.openlineage.conftest import RunScript

# Builds every event and facet again with the client's own classes: a field that they do not know is a TypeError, one that
# must be there and is not is one too, and their validators look at times, addresses and UUIDs.
CHECK = r"""
import importlib, json, pathlib, sys
import attr
from openlineage.client import event_v2
from openlineage.client.generated import base

classes = {}
for path in pathlib.Path(base.__file__).parent.glob("*.py"):
    module = importlib.import_module(f"openlineage.client.generated.{path.stem}")
    classes |= {name: kind for name, kind in vars(module).items() if isinstance(kind, type) and attr.has(kind)}

def facet(value):
    name = value["_schemaURL"].rpartition("/")[2]
    given = {key: each for key, each in value.items() if not key.startswith("_")}
    if name == "RunFacet":
        return name
    made = classes[name](**given)
    assert made._get_schema() == value["_schemaURL"], value["_schemaURL"]
    return name

def facets(thing, *keys):
    return sorted(f"{key}:{facet(value)}" for k in keys for key, value in (thing.get(k) or {}).items())

def dataset(kind, thing):
    kind(namespace=thing["namespace"], name=thing["name"])
    return facets(thing, "facets", "inputFacets", "outputFacets")

seen = []
for line in open(sys.argv[1]):
    event = json.loads(line)
    if "job" not in event:
        event_v2.DatasetEvent(
            dataset=event_v2.Dataset(namespace=event["dataset"]["namespace"], name=event["dataset"]["name"]),
            eventTime=event["eventTime"], producer=event["producer"])
        seen.append(["DATASET", event["dataset"]["name"], dataset(event_v2.Dataset, event["dataset"])])
        continue
    event_v2.RunEvent(
        eventType=event_v2.RunState[event["eventType"]], eventTime=event["eventTime"], producer=event["producer"],
        run=event_v2.Run(runId=event["run"]["runId"]),
        job=event_v2.Job(namespace=event["job"]["namespace"], name=event["job"]["name"]))
    seen.append([event["eventType"], event["job"]["name"],
        facets(event["run"], "facets") + facets(event["job"], "facets"),
        [[d["name"], dataset(event_v2.InputDataset, d)] for d in event["inputs"]],
        [[d["name"], dataset(event_v2.OutputDataset, d)] for d in event["outputs"]]])
print(json.dumps(seen))
"""


def writer_of(workspace: Workspace) -> Writer:
    return Writer(
        name="shop", tracking=workspace.tracking, lineage=workspace.lineage, inputs=workspace.run_inputs,
        data=workspace.data, blobs=workspace.blobs,
    )  # fmt: skip


def emitter_of(workspace: Workspace, target: str) -> Emitter:
    made = Emitter(workspace.database, workspace.events, writer_of(workspace), target)
    made.start()
    return made


def work(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_text("id,price\n1,3.5\n")
    taken = take_snapshot(workspace.data, workspace.blobs, "orders", str(tmp_path / "orders.csv"), root=tmp_path)
    tracking = workspace.tracking
    whole = tracking.create_run("shop", kind="pipeline", name="train")
    step = tracking.create_run("shop", kind="step", name="fit", parent=whole.id)
    workspace.lineage.link(f"snapshots:/orders/{taken.id}", f"runs:/{step.id}", "trained_on")
    workspace.lineage.link(f"runs:/{step.id}", "models:/late/1", "produced")
    tracking.finish_run(step.id)
    tracking.finish_run(whole.id, state="failed", error="ValueError: no")


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_the_client_s_own_classes_take_every_event(workspace: Workspace, tmp_path: Path, run_client: RunScript) -> None:
    emitter = emitter_of(workspace, str(tmp_path / "events.jsonl"))
    work(workspace, tmp_path)
    assert emitter.send().sent == 5
    seen = run_client(CHECK, str(tmp_path / "events.jsonl"))
    run = ["flyball_run:RunFacet", "processing_engine:ProcessingEngineRunFacet"]
    job = ["jobType:JobTypeJobFacet"]
    data = [
        "dataQualityMetrics:DataQualityMetricsInputDatasetFacet", "dataSource:DatasourceDatasetFacet",
        "datasetType:DatasetTypeDatasetFacet", "schema:SchemaDatasetFacet", "version:DatasetVersionDatasetFacet",
    ]  # fmt: skip
    told = [data_facet for data_facet in data if not data_facet.startswith(("dataQuality", "dataSource"))]
    model = ["models/late", ["version:DatasetVersionDatasetFacet"]]
    assert seen == [
        ["DATASET", "orders", told],
        ["START", "shop.train", [*run, *job], [], []],
        ["START", "shop.train.fit", [run[0], "parent:ParentRunFacet", run[1], *job], [], []],
        ["COMPLETE", "shop.train.fit", [run[0], "parent:ParentRunFacet", run[1], *job],
         [["orders", [data[0], *told]]], [model]],
        ["FAIL", "shop.train", ["errorMessage:ErrorMessageRunFacet", *run, *job], [], []],
    ]  # fmt: skip


def test_our_own_receiver_reads_what_we_send(workspace: Workspace, tmp_path: Path) -> None:
    emitter = emitter_of(workspace, str(tmp_path / "events.jsonl"))
    work(workspace, tmp_path)
    emitter.send()
    seen = [read_event(event) for event in read(tmp_path / "events.jsonl")]
    assert seen[0].datasets[0].entry.ref == "datasets:/orders"
    assert [(d.entry.ref, d.writes) for d in seen[3].datasets] == [("datasets:/orders", False), ("models:/late", True)]
    assert (seen[4].state, seen[4].error) == ("fail", "ValueError: no")


def test_a_run_has_the_same_uuid_in_each_event(workspace: Workspace, tmp_path: Path) -> None:
    emitter = emitter_of(workspace, str(tmp_path / "events.jsonl"))
    run = workspace.tracking.create_run("shop", kind="training")
    workspace.tracking.finish_run(run.id)
    emitter.send()
    assert {event["run"]["runId"] for event in read(tmp_path / "events.jsonl")} == {run_id(run.id)}


def test_what_was_before_is_sent_only_when_asked_for(workspace: Workspace, tmp_path: Path) -> None:
    workspace.tracking.finish_run(workspace.tracking.create_run("shop").id)
    emitter = emitter_of(workspace, str(tmp_path / "events.jsonl"))
    assert emitter.send().sent == 0
    emitter.start(from_start=True)
    assert emitter.send().sent == 2


def test_nothing_is_sent_twice(workspace: Workspace, tmp_path: Path) -> None:
    emitter = emitter_of(workspace, str(tmp_path / "events.jsonl"))
    workspace.tracking.create_run("shop")
    assert (emitter.send().sent, emitter.send().sent) == (1, 0)


class Receiver(ThreadingHTTPServer):
    """Takes events; answers with the status that is set."""

    status = 200

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.taken: list[dict[str, Any]] = []
        self.keys: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/api/v1/lineage"


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.server.status == 200:
            self.server.taken.append(json.loads(body))
            self.server.keys.append(self.headers.get("authorization", ""))
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    server = Receiver()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def test_events_reach_an_address_with_their_key(workspace: Workspace, receiver: Receiver) -> None:
    emitter = Emitter(workspace.database, workspace.events, writer_of(workspace), receiver.url, key="k")
    emitter.start()
    workspace.tracking.create_run("shop", name="x")
    assert emitter.send().sent == 1
    assert receiver.taken[0]["job"]["name"] == "shop.x"
    assert receiver.keys == ["Bearer k"]


def test_what_is_not_taken_waits_and_is_sent_in_its_order(workspace: Workspace, receiver: Receiver) -> None:
    emitter = emitter_of(workspace, receiver.url)
    receiver.status = 500
    run = workspace.tracking.create_run("shop")
    done = emitter.send()
    assert (done.sent, done.waiting) == (0, True)
    assert "500" in done.error
    workspace.tracking.finish_run(run.id)
    receiver.status = 200
    assert emitter_of(workspace, receiver.url).send().sent == 2
    assert [event["eventType"] for event in receiver.taken] == ["START", "COMPLETE"]


def test_what_is_refused_for_good_does_not_hold_up_the_rest(workspace: Workspace, receiver: Receiver) -> None:
    emitter = emitter_of(workspace, receiver.url)
    workspace.tracking.create_run("shop")
    receiver.status = 422
    assert emitter.send().refused == 1
    receiver.status = 200
    workspace.tracking.create_run("shop")
    assert emitter.send().sent == 1


def test_two_senders_send_once(workspace: Workspace, receiver: Receiver) -> None:
    first, second = emitter_of(workspace, receiver.url), emitter_of(workspace, receiver.url)
    for _ in range(10):
        workspace.tracking.create_run("shop")
    threads = [threading.Thread(target=each.send) for each in (first, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    first.send()
    assert len(receiver.taken) == 10
