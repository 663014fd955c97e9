"""MLflow's traces, second version, as clients before 3.0 speak: begun, ended, their spans in a file."""

from __future__ import annotations

import uuid
from typing import Any

import msgspec
from starlette.responses import Response

from flyball.serialization import to_json
from flyball.server.protocols.mlflow import traces as v3
from flyball.server.protocols.mlflow._places import find_file, find_place
from flyball.server.protocols.mlflow.conversions import moment
from flyball.server.protocols.mlflow.trace_json import (
    free_tags,
    info_json_v2,
    state_of,
    stored_json,
    told_in,
    uri_of,
)
from flyball.server.protocols.mlflow.wire import MlflowError, endpoint
from flyball.tracking.conventions import NAME
from flyball.tracking.trace_nouns import Trace
from flyball.workspace import Workspace

DATA_FILE = "traces.json"


class Pair(msgspec.Struct):
    """A key and its value."""

    key: str
    value: str = ""


class StartTrace(msgspec.Struct):
    """A trace that begins."""

    experiment_id: str
    timestamp_ms: int = 0
    request_metadata: list[Pair] = []
    tags: list[Pair] = []


class EndTrace(msgspec.Struct):
    """A trace that ends."""

    timestamp_ms: int = 0
    status: str | int = "TRACE_STATUS_UNSPECIFIED"
    request_metadata: list[Pair] = []
    tags: list[Pair] = []


class SearchTraces(msgspec.Struct):
    """What is searched for."""

    experiment_ids: list[str]
    filter: str = ""
    max_results: int = 100
    order_by: list[str] = []
    page_token: str = ""


class GetData(msgspec.Struct):
    """Whose data is asked for."""

    request_id: str
    path: str = ""


@endpoint("POST", "mlflow/traces")
def start_trace(workspace: Workspace, given: StartTrace) -> dict[str, Any]:
    """Begins a trace."""
    tags = _pairs(given.tags)
    begun = Trace(
        id=uuid.uuid4().hex,
        experiment=v3.check_experiment(given.experiment_id),
        name=tags.get(NAME, ""),
        state="in_progress",
        started=moment(given.timestamp_ms, "timestamp_ms"),
        tags=free_tags(tags),
        **told_in(_pairs(given.request_metadata)),
    )
    return {"trace_info": info_json_v2(workspace.traces.record(begun))}


@endpoint("PATCH", "mlflow/traces/{request_id}")
def end_trace(workspace: Workspace, given: EndTrace, request_id: str) -> dict[str, Any]:
    """Ends a trace."""
    tags = _pairs(given.tags)
    told = told_in(_pairs(given.request_metadata))
    ended = workspace.traces.end(
        request_id,
        state=state_of(given.status),
        ended=moment(given.timestamp_ms, "timestamp_ms"),
        tags=free_tags(tags),
        metadata=told["metadata"],
        name=tags.get(NAME),
        session=told["session"],
        tokens=told["tokens"] or None,
        cost=told["cost"] or None,
    )
    return {"trace_info": info_json_v2(ended)}


@endpoint("GET", "mlflow/traces/{request_id}/info")
def get_trace_info(workspace: Workspace, request_id: str) -> dict[str, Any]:
    """What is known of a trace as a whole."""
    return {"trace_info": info_json_v2(v3.one(workspace, request_id))}


@endpoint("GET", "mlflow/traces")
def search_traces(workspace: Workspace, given: SearchTraces) -> dict[str, Any]:
    """Traces of some experiments, as asked for."""
    found, token = v3.search(
        workspace, given.experiment_ids, given.filter, given.max_results, given.order_by, given.page_token
    )
    answer: dict[str, Any] = {"traces": [info_json_v2(trace) for trace in found]} if found else {}
    return answer | ({"next_page_token": token} if token else {})


@endpoint("GET", "/ajax-api/2.0/mlflow/get-trace-artifact")
@endpoint("GET", "/ajax-api/3.0/mlflow/get-trace-artifact")
def get_trace_data(workspace: Workspace, given: GetData) -> Response:
    """The spans of a trace, or a file beside them, as a file to be saved."""
    found = workspace.traces.get(given.request_id)
    if found.spans and not given.path:
        data = to_json({"spans": [stored_json(span) for span in found.spans]})
    else:
        uri = uri_of(found).removeprefix("mlflow-artifacts:/").lstrip("/")
        name = f"attachments/{given.path}" if given.path else DATA_FILE
        file = find_file(workspace, find_place(workspace, f"{uri}/{name}"))
        data = workspace.blobs.get(file.digest) if file.digest else file.data
    headers = {"content-disposition": f'attachment; filename="{DATA_FILE if not given.path else "attachment"}"'}
    return Response(data, media_type="application/octet-stream", headers=headers)


def _pairs(given: list[Pair]) -> dict[str, str]:
    found = {}
    for pair in given:
        if not pair.key:
            raise MlflowError("Missing value for required parameter 'key'.")
        found[pair.key] = pair.value
    return found
