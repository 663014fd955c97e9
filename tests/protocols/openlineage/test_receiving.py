from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
import urllib3

from flyball.errors import InvalidInput
from flyball.server.protocols.openlineage import read_event
from flyball.workspace import Workspace
from tests.protocols.openlineage.conftest import RunScript

ETL = r"""
import sys, uuid
from openlineage.client import OpenLineageClient
from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent, RunState
from openlineage.client.facet_v2 import (
    column_lineage_dataset as c, documentation_dataset as d, error_message_run as e, ownership_job as o, schema_dataset as s,
)
from openlineage.client.transport.http import HttpConfig, HttpTransport

client = OpenLineageClient(transport=HttpTransport(HttpConfig(url=sys.argv[1])))
run = Run(runId="3f5e83fa-3480-44ff-99c5-ff943904e5e8")
who = o.OwnershipJobFacet(owners=[o.Owner(name="team-shop")])
job = Job(namespace="airflow", name="shop.load_orders", facets={"ownership": who})
orders = InputDataset(namespace="postgres://db:5432", name="shop.public.orders", facets={
    "schema": s.SchemaDatasetFacet(fields=[s.SchemaDatasetFacetFields(name="price", type="NUMERIC", description="In euros")]),
    "documentation": d.DocumentationDatasetFacet(description="Every order of the web shop"),
})
made = c.Fields(inputFields=[c.InputField(
    namespace="postgres://db:5432", name="shop.public.orders", field="price",
    transformations=[c.Transformation(type="DIRECT", subtype="AGGREGATION")],
)])
flights = OutputDataset(namespace="flyball://shop", name="revenue", facets={
    "columnLineage": c.ColumnLineageDatasetFacet(fields={"total": made}),
})
s3 = OutputDataset(namespace="s3://lake", name="revenue/2026", facets={
    "columnLineage": c.ColumnLineageDatasetFacet(fields={"total": made}),
})
for state, at in ((RunState.START, "2026-03-01T10:00:00Z"), (RunState.COMPLETE, "2026-03-01T10:05:00.123456789Z")):
    client.emit(RunEvent(eventType=state, eventTime=at, run=run, job=job, producer="https://example.org/airflow",
                         inputs=[orders], outputs=[flights, s3]))
error = e.ErrorMessageRunFacet(message="disk full", programmingLanguage="SQL")
failed = Run(runId=str(uuid.uuid4()), facets={"errorMessage": error})
client.emit(RunEvent(eventType=RunState.FAIL, eventTime="2026-03-02T10:00:00Z", run=failed, job=job, producer="https://x.org"))
print("null")
"""

ORDERS = "external:/postgres%3A%2F%2Fdb%3A5432/shop.public.orders"
LAKE = "external:/s3%3A%2F%2Flake/revenue%2F2026"
JOB = "jobs:/airflow/shop.load_orders"


def event(**given: Any) -> dict[str, Any]:
    return {
        "eventType": "COMPLETE",
        "eventTime": "2026-03-01T10:00:00Z",
        "producer": "https://example.org",
        "run": {"runId": "3f5e83fa-3480-44ff-99c5-ff943904e5e8"},
        "job": {"namespace": "n", "name": "j"},
        **given,
    }


def test_the_real_client_s_job_and_data_stand_in_catalog_and_lineage(
    url: str, workspace: Workspace, run_client: RunScript
) -> None:
    run_client(ETL, url)
    catalog = workspace.catalog
    assert [hit.ref for hit in catalog.search("web shop euros")] == [ORDERS]
    assert catalog.get(JOB).owner == "team-shop"
    assert [(c.name, c.type, c.description) for c in catalog.get(ORDERS).columns] == [("price", "NUMERIC", "In euros")]
    assert {(e.source, e.target) for e in catalog.lineage("datasets:/revenue")} == {
        (JOB, "datasets:/revenue"),
        (ORDERS, JOB),
    }
    assert {use.ref for use in catalog.usage(ORDERS)} == {JOB, "datasets:/revenue", LAKE}
    (edge,) = catalog.column_lineage(LAKE, "total")
    assert (edge.source, edge.source_column, edge.how, edge.direct) == (ORDERS, "price", "aggregation", True)
    runs = workspace.external.list_runs(JOB)
    assert [(run.state, run.error) for run in runs] == [("fail", "disk full"), ("complete", "")]
    assert runs[1].ended is not None
    assert (runs[1].ended - runs[1].started).total_seconds() == pytest.approx(300.123456)


def test_the_same_event_twice_is_one(workspace: Workspace) -> None:
    first = workspace.external.record(read_event(event()))
    assert workspace.external.record(read_event(event())) == first
    assert len(workspace.external.list_runs()) == 1


def test_events_in_another_order_come_to_the_same_end(workspace: Workspace) -> None:
    workspace.external.record(read_event(event()))
    workspace.external.record(read_event(event(eventType="START", eventTime="2026-03-01T09:00:00Z")))
    (run,) = workspace.external.list_runs()
    assert run.state == "complete"
    assert run.ended is not None
    assert (run.ended - run.started).total_seconds() == 3600


def test_what_a_later_event_does_not_tell_stays(workspace: Workspace) -> None:
    schema = {"schema": {"fields": [{"name": "a", "type": "int", "fields": [{"name": "b"}]}]}}
    data = {"namespace": "s3://x", "name": "t"}
    workspace.external.record(read_event(event(inputs=[{**data, "facets": schema}])))
    workspace.external.record(read_event(event(inputs=[data], eventTime="2026-03-02T10:00:00Z")))
    entry = workspace.catalog.get("external:/s3%3A%2F%2Fx/t")
    assert [column.name for column in entry.columns] == ["a", "a.b"]


def test_data_can_be_told_of_without_a_job(workspace: Workspace) -> None:
    told = event(dataset={"namespace": "s3://x", "name": "t"})
    del told["job"], told["run"], told["eventType"]
    workspace.external.record(read_event(told))
    assert [hit.ref for hit in workspace.catalog.search("t")] == ["external:/s3%3A%2F%2Fx/t"]


def test_a_forgotten_thing_leaves_the_catalog(workspace: Workspace) -> None:
    workspace.external.record(read_event(event()))
    workspace.external.forget("jobs:/n/j")
    assert workspace.catalog.search("") == []


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"eventTime": None}, "eventTime"),
        ({"eventTime": "soon"}, "not a time"),
        ({"producer": 3}, "producer"),
        ({"eventType": "DONE"}, "eventType"),
        ({"run": {"runId": "7"}}, "runId"),
        ({"run": {}}, "runId"),
        ({"run": []}, "run"),
        ({"job": {"namespace": "n"}}, "name"),
        ({"job": {"namespace": "n", "name": "x" * 3000}}, "name"),
        ({"job": {"namespace": "n", "name": "a\0b"}}, "name"),
        ({"job": None}, "neither"),
        ({"inputs": {}}, "list"),
        ({"inputs": [7]}, "object"),
        ({"outputs": [{"namespace": "n", "name": ""}]}, "name"),
    ],
)
def test_what_is_no_event_is_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        read_event(event(**given))


@pytest.mark.parametrize(
    "facets",
    [{"schema": 7}, {"schema": {"fields": "x"}}, {"columnLineage": {"fields": []}}, {"ownership": {"owners": [3]}}],
    ids=str,
)
def test_a_facet_that_cannot_be_read_is_left_aside(facets: dict[str, Any]) -> None:
    seen = read_event(event(inputs=[{"namespace": "n", "name": "d", "facets": facets}]))
    assert seen.datasets[0].entry.columns == ()


def test_long_names_stay_apart(workspace: Workspace) -> None:
    names = [f"{'very-long/' * 90}{n}" for n in range(2)]
    told = read_event(event(inputs=[{"namespace": "s3://x", "name": name} for name in names]))
    recorded = workspace.external.record(told)
    assert len(set(recorded.inputs)) == 2


def post(url: str, body: bytes, path: str = "/api/v1/lineage", **headers: str) -> urllib3.BaseHTTPResponse:
    return urllib3.request("POST", url + path, body=body, headers={"content-type": "application/json", **headers})


def test_http_says_what_became_of_an_event(url: str) -> None:
    good = json.dumps(event()).encode()
    assert post(url, good).status == 201
    assert post(url, gzip.compress(good), **{"content-encoding": "gzip"}).status == 201
    assert post(url, b"{").status == 400
    assert post(url, b"[]").status == 400
    assert post(url, b"\xff").status == 400
    assert post(url, b"no gzip", **{"content-encoding": "gzip"}).status == 400
    assert post(url, b" " * (9 << 20)).status == 413
    bomb = gzip.compress(b" " * (64 << 20))
    assert post(url, bomb, **{"content-encoding": "gzip"}).status == 413


def test_a_batch_says_which_event_is_bad(url: str) -> None:
    answer = post(url, json.dumps([event(), {"x": 1}]).encode(), "/api/v1/lineage/batch")
    told = answer.json()
    assert told["summary"] == {"received": 2, "successful": 1, "failed": 1}
    assert told["failed_events"][0]["index"] == 1
