"""MLflow's evaluation data sets and their records."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from flyball.errors import NotFound
from flyball.server.protocols.mlflow.conversions import milliseconds
from flyball.server.protocols.mlflow.wire import MlflowError, endpoint
from flyball.tracking.evaluation_sets import EvaluationRecord, EvaluationSet, NewRecord
from flyball.workspace import Workspace

_PATH = "mlflow/datasets/{dataset_id}"


class CreateDataset(msgspec.Struct):
    """A new data set."""

    name: str
    experiment_ids: list[str] = []
    tags: str = ""


class SearchDatasets(msgspec.Struct):
    """Which data sets are asked for."""

    experiment_ids: list[str] = []
    filter_string: str = ""
    max_results: int = 1000
    order_by: list[str] = []
    page_token: str = ""


class SetTags(msgspec.Struct):
    """Tags, as JSON."""

    tags: str


class Records(msgspec.Struct):
    """Records, as JSON."""

    records: str


class GetRecords(msgspec.Struct):
    """Which page of records is asked for."""

    max_results: int = 1000
    page_token: str = ""


class DeleteRecords(msgspec.Struct):
    """Which records are deleted."""

    dataset_record_ids: list[str] = []


class Experiments(msgspec.Struct):
    """Which experiments are meant."""

    experiment_ids: list[str] = []


@endpoint("POST", "mlflow/datasets/create", version="3.0")
def create_dataset(workspace: Workspace, given: CreateDataset) -> dict[str, Any]:
    """Makes a data set."""
    made = workspace.evaluation_sets.create(given.name, experiments=given.experiment_ids, tags=_tags(given.tags))
    return {"dataset": {**dataset_json(made), "experiment_ids": made.experiments}}


@endpoint("GET POST", "mlflow/datasets/search", version="3.0")
def search_datasets(workspace: Workspace, given: SearchDatasets) -> dict[str, Any]:
    """Data sets as asked for."""
    if not 0 <= given.max_results <= 50_000:
        raise MlflowError(f"Invalid value {given.max_results} for parameter 'max_results' supplied.")
    page = workspace.evaluation_sets.search(
        given.filter_string,
        experiments=given.experiment_ids,
        order_by=given.order_by,
        limit=given.max_results or 1000,
        page_token=given.page_token,
        native=False,
    )
    answer: dict[str, Any] = {"datasets": [dataset_json(found) for found in page.sets]} if page.sets else {}
    return answer | ({"next_page_token": page.next_page_token} if page.next_page_token else {})


@endpoint("GET", _PATH, version="3.0")
def get_dataset(workspace: Workspace, dataset_id: str) -> dict[str, Any]:
    """One data set."""
    return {"dataset": dataset_json(workspace.evaluation_sets.get(dataset_id))}


@endpoint("DELETE", _PATH, version="3.0")
def delete_dataset(workspace: Workspace, dataset_id: str) -> None:
    """Removes a data set; there being none is no error."""
    workspace.evaluation_sets.delete(dataset_id)


@endpoint("PATCH", _PATH + "/tags", version="3.0")
def set_tags(workspace: Workspace, given: SetTags, dataset_id: str) -> None:
    """Sets tags of a data set."""
    workspace.evaluation_sets.set_tags(dataset_id, _tags(given.tags))


@endpoint("DELETE", _PATH + "/tags/{key}", version="3.0")
def delete_tag(workspace: Workspace, dataset_id: str, key: str) -> None:
    """Takes a tag off a data set; there being none is no error."""
    workspace.evaluation_sets.delete_tag(dataset_id, key)


@endpoint("POST", _PATH + "/records", version="3.0")
def upsert_records(workspace: Workspace, given: Records, dataset_id: str) -> dict[str, Any]:
    """Keeps records; one whose inputs are known is merged with the known one."""
    merged = workspace.evaluation_sets.merge_records(dataset_id, [_record_of(one) for one in _list(given.records)])
    return {"inserted_count": merged.inserted, "updated_count": merged.updated}


@endpoint("GET", _PATH + "/records", version="3.0")
def get_records(workspace: Workspace, given: GetRecords, dataset_id: str) -> dict[str, Any]:
    """The records of a data set, page by page."""
    page = workspace.evaluation_sets.records(
        dataset_id, limit=given.max_results if given.max_results > 0 else 1000, page_token=given.page_token
    )
    answer = {"records": json.dumps([_record_json(record, dataset_id) for record in page.records])}
    return answer | ({"next_page_token": page.next_page_token} if page.next_page_token else {})


@endpoint("DELETE", _PATH + "/records", version="3.0")
def delete_records(workspace: Workspace, given: DeleteRecords, dataset_id: str) -> dict[str, Any]:
    """Removes records."""
    return {"deleted_count": workspace.evaluation_sets.delete_records(dataset_id, given.dataset_record_ids)}


@endpoint("GET", _PATH + "/experiment-ids", version="3.0")
def get_experiments(workspace: Workspace, dataset_id: str) -> dict[str, Any]:
    """The experiments that a data set belongs to."""
    try:
        found = workspace.evaluation_sets.get(dataset_id).experiments
    except NotFound:
        found = []
    return {"experiment_ids": found} if found else {}


@endpoint("POST", _PATH + "/add-experiments", version="3.0")
def add_experiments(workspace: Workspace, given: Experiments, dataset_id: str) -> dict[str, Any]:
    """Lets a data set belong to further experiments."""
    changed = workspace.evaluation_sets.add_to_experiments(dataset_id, given.experiment_ids)
    return {"dataset": dataset_json(changed)}


@endpoint("POST", _PATH + "/remove-experiments", version="3.0")
def remove_experiments(workspace: Workspace, given: Experiments, dataset_id: str) -> dict[str, Any]:
    """Takes a data set out of experiments."""
    changed = workspace.evaluation_sets.remove_from_experiments(dataset_id, given.experiment_ids)
    return {"dataset": dataset_json(changed)}


def dataset_json(given: EvaluationSet) -> dict[str, Any]:
    """A data set as MLflow writes it."""
    found: dict[str, Any] = {
        "dataset_id": given.id,
        "name": given.name,
        "tags": json.dumps(given.tags) if given.tags else None,
        "schema": json.dumps(given.schema) if given.schema else None,
        "profile": json.dumps({"num_records": given.records}) if given.records else None,
        "digest": given.digest,
        "created_time": milliseconds(given.created),
        "last_update_time": milliseconds(given.updated),
        "created_by": given.created_by or None,
        "last_updated_by": given.updated_by or None,
    }
    return {name: value for name, value in found.items() if value is not None}


def _record_json(given: EvaluationRecord, dataset: str) -> dict[str, Any]:
    source = given.source or {}
    told = source.get("source_data")
    found: dict[str, Any] = {
        "dataset_record_id": given.id,
        "dataset_id": dataset,
        "inputs": given.inputs,
        "expectations": given.expectations,
        "tags": given.tags,
        "source": given.source,
        "source_id": told.get("trace_id") if isinstance(told, dict) else None,
        "source_type": source.get("source_type"),
        "created_time": milliseconds(given.created),
        "last_update_time": milliseconds(given.updated),
        "created_by": given.created_by or None,
        "last_updated_by": given.updated_by or None,
        "outputs": given.outputs,
    }
    return {name: value for name, value in found.items() if value is not None}


def _record_of(given: Any) -> NewRecord:
    if not isinstance(given, dict):
        raise MlflowError(f"A record is no object but {type(given).__name__}.")
    parts: dict[str, Any] = {}
    for name in ("inputs", "expectations", "tags", "source"):
        value = given.get(name)
        if value is not None and not isinstance(value, dict):
            raise MlflowError(f"Invalid value {str(value)[:100]} for parameter '{name}' supplied: it is no object.")
        parts[name] = value
    parts["inputs"] = parts["inputs"] or {}
    parts["tags"] = None if parts["tags"] is None else {key: str(text) for key, text in parts["tags"].items()}
    # A new record without outputs has empty ones; a known one keeps those it has.
    return NewRecord(**parts, outputs=given.get("outputs", {}), keep_outputs="outputs" not in given)


def _tags(text: str) -> dict[str, str]:
    found = _decoded(text, "tags") if text else {}
    if not isinstance(found, dict):
        raise MlflowError(f"Invalid value {text[:100]} for parameter 'tags' supplied: it is no object.")
    return {key: str(value) for key, value in found.items() if value is not None}


def _list(text: str) -> list[Any]:
    found = _decoded(text, "records")
    if not isinstance(found, list):
        raise MlflowError(f"Invalid value {text[:100]} for parameter 'records' supplied: it is no list.")
    return found


def _decoded(text: str, name: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise MlflowError(f"Parameter '{name}' is no JSON: {str(error)[:200]}.") from error
