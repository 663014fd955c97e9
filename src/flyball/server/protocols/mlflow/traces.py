"""MLflow's traces, third version: what the clients tell of a trace, and how traces are got and searched."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from flyball.errors import NotFound
from flyball.serialization import to_json
from flyball.server.protocols.mlflow.conversions import moment
from flyball.server.protocols.mlflow.trace_json import (
    MANAGED_TAGS,
    GivenTraceInfo,
    TraceLocation,
    info_json,
    trace_json,
    trace_of,
)
from flyball.server.protocols.mlflow.wire import MlflowError, endpoint
from flyball.tracking.conventions import NAME
from flyball.tracking.trace_nouns import Trace
from flyball.tracking.traces import MOST_READ
from flyball.workspace import Workspace

_WAITS = (0.05, 0.1, 0.2, 0.4, 0.8, 1.4)
"""Seconds for which an answer waits for spans that are still on their way."""


class GivenTrace(msgspec.Struct):
    """A trace as it is sent."""

    trace_info: GivenTraceInfo


class StartTrace(msgspec.Struct):
    """What a client tells of a trace at its end."""

    trace: GivenTrace


class GetTrace(msgspec.Struct):
    """Which trace is asked for."""

    trace_id: str
    allow_partial: bool = False


class GetTraces(msgspec.Struct):
    """Which traces are asked for."""

    trace_ids: list[str]
    experiment_ids: list[str] | None = None


class SearchTraces(msgspec.Struct):
    """What is searched for."""

    locations: list[TraceLocation]
    filter: str = ""
    max_results: int = 100
    order_by: list[str] = []
    page_token: str = ""


class DeleteTraces(msgspec.Struct):
    """Which traces are deleted."""

    experiment_id: str
    max_timestamp_millis: int | None = None
    max_traces: int | None = None
    request_ids: list[str] = []


class Correlation(msgspec.Struct):
    """Two filters whose traces are compared."""

    experiment_ids: list[str]
    filter_string1: str
    filter_string2: str
    base_filter: str = ""


class SetTag(msgspec.Struct):
    """A tag to be set."""

    key: str
    value: str = ""


class DeleteTag(msgspec.Struct):
    """A tag to be taken off."""

    key: str


class LinkToRun(msgspec.Struct):
    """Traces that belong to a run."""

    run_id: str
    trace_ids: list[str] = []


class PromptVersion(msgspec.Struct):
    """A version of a prompt."""

    name: str
    version: str


class LinkPrompts(msgspec.Struct):
    """Prompts that a trace was made with."""

    trace_id: str
    prompt_versions: list[PromptVersion] = []


@endpoint("POST", "mlflow/traces", version="3.0")
def start_trace(workspace: Workspace, given: StartTrace) -> dict[str, Any]:
    """Keeps what the client tells of a trace."""
    found = trace_of(given.trace.trace_info, workspace.time.now())
    check_experiment(found.experiment)
    kept = workspace.traces.record(found)
    return {"trace": {"trace_info": info_json(kept)}}


@endpoint("GET", "mlflow/traces/get", version="3.0")
async def get_trace(workspace: Workspace, given: GetTrace) -> Response:
    """A trace with its spans, as soon as all of them are there."""
    for wait in (*_WAITS, 0.0):
        found = await run_in_threadpool(_get, workspace, given.trace_id)
        if given.allow_partial or is_complete(found):
            # A trace may have thousands of spans, which must not be written while the event loop waits.
            return Response(await run_in_threadpool(_written, found), media_type="application/json")
        await asyncio.sleep(wait)
    raise MlflowError(
        f"Trace with ID {given.trace_id} is not fully exported yet, please try again later.", "RESOURCE_DOES_NOT_EXIST"
    )


@endpoint("GET POST", "mlflow/traces/batchGet", version="3.0")
def batch_get(workspace: Workspace, given: GetTraces) -> dict[str, Any]:
    """Traces with their spans; those that are not complete yet are left out."""
    return _listed("traces", [trace_json(trace) for trace in _many(workspace, given) if is_complete(trace)])


@endpoint("POST", "mlflow/traces/batchGetInfos", version="3.0")
def batch_get_infos(workspace: Workspace, given: GetTraces) -> dict[str, Any]:
    """Traces without their spans."""
    return _listed("trace_infos", [info_json(trace) for trace in _many(workspace, given, spans=False)])


@endpoint("POST", "mlflow/traces/search", version="3.0")
def search_traces(workspace: Workspace, given: SearchTraces) -> dict[str, Any]:
    """Traces of some experiments, as asked for."""
    experiments = [place.mlflow_experiment.experiment_id for place in given.locations if place.mlflow_experiment]
    found, token = search(workspace, experiments, given.filter, given.max_results, given.order_by, given.page_token)
    answer = _listed("traces", [info_json(trace) for trace in found])
    return answer | ({"next_page_token": token} if token else {})


@endpoint("POST", "mlflow/traces/calculate-filter-correlation", version="3.0")
def correlate(workspace: Workspace, given: Correlation) -> dict[str, Any]:
    """How much more often two filters hold together than they would by chance."""
    found = workspace.traces.correlate(
        given.filter_string1, given.filter_string2, given.base_filter, experiments=given.experiment_ids, native=False
    )
    return {
        "npmi": "NaN" if found.npmi is None else found.npmi,
        "npmi_smoothed": "NaN" if found.smoothed is None else found.smoothed,
        "filter1_count": found.first,
        "filter2_count": found.second,
        "joint_count": found.both,
        "total_count": found.all,
    }


@endpoint("POST", "mlflow/traces/delete-traces", version="3.0")
@endpoint("POST", "mlflow/traces/delete-traces")
def delete_traces(workspace: Workspace, given: DeleteTraces) -> dict[str, Any]:
    """Deletes traces by their ids, or up to a time."""
    _check_delete(given)
    experiment = check_experiment(given.experiment_id)
    before = None if given.max_timestamp_millis is None else moment(given.max_timestamp_millis)
    gone = workspace.traces.delete(experiment, traces=given.request_ids or None, before=before, most=given.max_traces)
    return {"traces_deleted": gone}


@endpoint("PATCH", "mlflow/traces/{trace_id}/tags", version="3.0")
@endpoint("PATCH", "mlflow/traces/{trace_id}/tags")
def set_tag(workspace: Workspace, given: SetTag, trace_id: str) -> None:
    """Sets a tag of a trace."""
    _check_tag(given.key, "set")
    if given.key == NAME:
        workspace.traces.rename(trace_id, given.value)
    else:
        workspace.traces.set_tags(trace_id, {given.key: given.value})


@endpoint("DELETE", "mlflow/traces/{trace_id}/tags", version="3.0")
@endpoint("DELETE", "mlflow/traces/{trace_id}/tags")
def delete_tag(workspace: Workspace, given: DeleteTag, trace_id: str) -> None:
    """Takes a tag off a trace."""
    _check_tag(given.key, "deleted")
    if given.key != NAME:
        workspace.traces.delete_tag(trace_id, given.key)
        return
    if not any(trace.name for trace in workspace.traces.get_many([trace_id])):
        raise NotFound(f"No trace tag with key '{NAME}' for trace with ID '{trace_id[:128]}'")
    workspace.traces.rename(trace_id, "")


@endpoint("POST", "mlflow/traces/link-to-run")
def link_to_run(workspace: Workspace, given: LinkToRun) -> None:
    """Ties traces to a run."""
    if given.trace_ids:
        workspace.traces.link_to_run(given.trace_ids, given.run_id)


@endpoint("POST", "mlflow/traces/link-prompts")
def link_prompts(workspace: Workspace, given: LinkPrompts) -> None:
    """Ties a trace to versions of prompts."""
    if given.prompt_versions:
        workspace.traces.link_prompts(given.trace_id, [f"{one.name}/{one.version}" for one in given.prompt_versions])


@endpoint("GET", "mlflow/traces/{trace_id}", version="3.0")
def get_trace_info(workspace: Workspace, trace_id: str) -> dict[str, Any]:
    """What is known of a trace as a whole."""
    return {"trace": {"trace_info": info_json(one(workspace, trace_id))}}


def check_experiment(given: str) -> str:
    """Gives the id of an experiment back if it may be one. Whether it is there, the room says.

    Raises:
        MlflowError: it is none.
    """
    if not (given.isascii() and given.isdecimal()):
        raise MlflowError(f"Invalid experiment ID '{given[:100]}'. Experiment ID must be a valid integer.")
    return given


def one(workspace: Workspace, trace: str) -> Trace:
    """A trace without its spans.

    Raises:
        NotFound: there is none.
    """
    found = workspace.traces.get_many([trace])
    if not found:
        raise NotFound(f"Trace with ID '{trace[:128]}' not found.")
    return found[0]


def is_complete(trace: Trace) -> bool:
    """Whether every span is there that the trace's maker told of."""
    return bool(trace.spans) and len(trace.spans) >= (trace.expected_spans or 0)


def search(
    workspace: Workspace, experiments: list[str], text: str, most: int, order_by: list[str], token: str
) -> tuple[list[Trace], str]:
    """Traces of some experiments, as asked for, and the token of the next page.

    Raises:
        MlflowError: too many are asked for at once.
        InvalidInput: the filter, an order or the token cannot be understood.
    """
    if not 1 <= most <= MOST_READ:
        raise MlflowError(
            f"Invalid value {most} for parameter 'max_results' supplied. It must be at least 1 and at most {MOST_READ}."
        )
    page = workspace.traces.search(
        text, experiments=experiments, order_by=order_by, limit=most, page_token=token, native=False
    )
    return page.traces, page.next_page_token


def _get(workspace: Workspace, trace: str) -> Trace:
    found = workspace.traces.get_many([trace], spans=True)
    if not found:
        raise MlflowError(f"Trace with ID {trace[:128]} is not found.", "RESOURCE_DOES_NOT_EXIST")
    return found[0]


def _written(trace: Trace) -> bytes:
    return to_json({"trace": trace_json(trace)})


def _many(workspace: Workspace, given: GetTraces, *, spans: bool = True) -> list[Trace]:
    if not given.trace_ids:
        raise MlflowError("Missing value for required parameter 'trace_ids'.")
    found: list[Trace] = []
    for start in range(0, len(given.trace_ids), MOST_READ):
        piece = given.trace_ids[start : start + MOST_READ]
        found += workspace.traces.get_many(piece, spans=spans, experiments=given.experiment_ids)
    return found


def _listed(name: str, values: list[dict[str, Any]]) -> dict[str, Any]:
    return {name: values} if values else {}


def _check_tag(key: str, what: str) -> None:
    if key in MANAGED_TAGS and not (what == "deleted" and key == "mlflow.trace.archivalFailure"):
        raise MlflowError(f"Tag '{key}' is immutable and cannot be {what} on a trace.")


def _check_delete(given: DeleteTraces) -> None:
    if given.max_timestamp_millis is None and not given.request_ids:
        raise MlflowError("Either `max_timestamp_millis` or `trace_ids` must be specified.")
    if given.max_timestamp_millis is not None and given.request_ids:
        raise MlflowError("Only one of `max_timestamp_millis` and `trace_ids` can be specified.")
    if given.request_ids and given.max_traces is not None:
        raise MlflowError("`max_traces` can't be specified if `trace_ids` is specified.")
    if given.max_traces is not None and given.max_traces <= 0:
        raise MlflowError(f"`max_traces` must be a positive integer, received {given.max_traces}.")
