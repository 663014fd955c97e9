"""Logged models as MLflow 3 asks for them."""

from __future__ import annotations

from typing import Any

import msgspec

from flyball.server.protocols.mlflow import _checks
from flyball.server.protocols.mlflow.artifacts import listing
from flyball.server.protocols.mlflow.conversions import experiment_by_id, logged_model_json, model_uri
from flyball.server.protocols.mlflow.experiments import Tag
from flyball.server.protocols.mlflow.runs import random_name
from flyball.server.protocols.mlflow.wire import MlflowError, endpoint
from flyball.tracking.logged_models import DatasetChoice, LoggedModel, ModelOrder, ModelStatus
from flyball.tracking.places import places_of
from flyball.workspace import Workspace

_BAD_IN_NAME = ("/", ":", ".", "%", '"', "'")
_STATUS: dict[str, ModelStatus] = {
    "LOGGED_MODEL_STATUS_UNSPECIFIED": "unspecified",
    "LOGGED_MODEL_PENDING": "pending",
    "LOGGED_MODEL_READY": "ready",
    "LOGGED_MODEL_UPLOAD_FAILED": "failed",
    "0": "unspecified",
    "1": "pending",
    "2": "ready",
    "3": "failed",
}


class CreateModel(msgspec.Struct):
    """What a logged model is made from."""

    experiment_id: str
    name: str = ""
    model_type: str = ""
    source_run_id: str = ""
    params: list[Tag] = []
    tags: list[Tag] = []


class GetModel(msgspec.Struct):
    """Whether a deleted one is asked for as well."""

    allow_deleted: str = "false"


class FinalizeModel(msgspec.Struct):
    """The state that a model has come to."""

    model_id: str
    status: str | int


class ModelTags(msgspec.Struct):
    """Tags of a model."""

    tags: list[Tag] = []


class ModelParams(msgspec.Struct):
    """Params of a model."""

    params: list[Tag] = []


class ChosenDataset(msgspec.Struct):
    """A data set that measurements were made on."""

    dataset_name: str = ""
    dataset_digest: str = ""


class OrderBy(msgspec.Struct):
    """A field to order by."""

    field_name: str = ""
    ascending: bool = True
    dataset_name: str = ""
    dataset_digest: str = ""


class SearchModels(msgspec.Struct):
    """Which models are asked for."""

    experiment_ids: list[str]
    filter: str = ""
    datasets: list[ChosenDataset] = []
    max_results: int = 100
    order_by: list[OrderBy] = []
    page_token: str = ""


class ListFiles(msgspec.Struct):
    """Which folder is asked for."""

    artifact_directory_path: str = ""


@endpoint("POST", "mlflow/logged-models")
def create_model(workspace: Workspace, given: CreateModel) -> dict[str, Any]:
    """Notes a model whose files are about to come."""
    if any(character in given.name for character in _BAD_IN_NAME):
        raise MlflowError(
            f"Invalid model name ({given.name!r}) provided. Model name must be a non-empty string and cannot contain the"
            f" following characters: {_BAD_IN_NAME}"
        )
    experiment = experiment_by_id(workspace, given.experiment_id)
    if experiment.deleted is not None:
        raise MlflowError(f"The experiment {experiment.id} must be in the 'active' state. Current state is deleted.")
    made = workspace.logged_models.create(
        experiment.id,
        given.name or random_name(),
        kind=given.model_type,
        run=given.source_run_id,
        params={param.key: param.value for param in given.params},
        tags={tag.key: tag.value for tag in given.tags},
    )
    return {"model": logged_model_json(made, experiment)}


@endpoint("GET", "mlflow/logged-models/{model_id}")
def get_model(workspace: Workspace, given: GetModel, model_id: str) -> dict[str, Any]:
    """One model."""
    found = workspace.logged_models.get(model_id, with_deleted=given.allow_deleted.lower() == "true")
    return _answer(workspace, found)


@endpoint("PATCH", "mlflow/logged-models/{model_id}")
def finalize_model(workspace: Workspace, given: FinalizeModel, model_id: str) -> dict[str, Any]:
    """Says that the model's files are there, or that they could not be brought."""
    status = _STATUS.get(str(given.status))
    if status is None:
        raise MlflowError(f"Unknown model status: {str(given.status)[:100]}")
    return _answer(workspace, workspace.logged_models.finalize(model_id, status))


@endpoint("DELETE", "mlflow/logged-models/{model_id}")
def delete_model(workspace: Workspace, model_id: str) -> None:
    """Puts a model aside."""
    workspace.logged_models.delete(model_id)


@endpoint("PATCH", "mlflow/logged-models/{model_id}/tags")
def set_model_tags(workspace: Workspace, given: ModelTags, model_id: str) -> None:
    """Writes tags."""
    workspace.logged_models.set_tags(model_id, {tag.key: tag.value for tag in given.tags})


@endpoint("DELETE", "mlflow/logged-models/{model_id}/tags/{tag_key:path}")
def delete_model_tag(workspace: Workspace, model_id: str, tag_key: str) -> None:
    """Removes a tag."""
    workspace.logged_models.delete_tag(model_id, tag_key)


@endpoint("POST", "mlflow/logged-models/{model_id}/params")
def log_model_params(workspace: Workspace, given: ModelParams, model_id: str) -> None:
    """Writes params."""
    workspace.logged_models.log_params(model_id, {param.key: param.value for param in given.params})


@endpoint("POST", "mlflow/logged-models/search")
def search_models(workspace: Workspace, given: SearchModels) -> dict[str, Any]:
    """Models that fit, page by page."""
    page = workspace.logged_models.search(
        filter=given.filter,
        experiments=given.experiment_ids,
        datasets=[DatasetChoice(name=one.dataset_name, digest=one.dataset_digest) for one in given.datasets],
        order_by=[
            ModelOrder(
                field=order.field_name,
                ascending=order.ascending,
                dataset=order.dataset_name,
                digest=order.dataset_digest,
            )
            for order in given.order_by
        ],
        limit=_checks.check_results(given.max_results or 100),
        page_token=given.page_token,
    )
    experiments = places_of(workspace.database, {model.experiment for model in page.models})
    found: dict[str, Any] = {}
    if page.models:
        found["models"] = [logged_model_json(model, experiments[model.experiment]) for model in page.models]
    if page.next_page_token:
        found["next_page_token"] = page.next_page_token
    return found


@endpoint("GET", "mlflow/logged-models/{model_id}/artifacts/directories")
def list_model_files(workspace: Workspace, given: ListFiles, model_id: str) -> dict[str, Any]:
    """What stands in a folder of a model's files."""

    model = workspace.logged_models.get(model_id)
    uri = model_uri(experiment_by_id(workspace, model.experiment), model.id)
    return listing(workspace, uri, given.artifact_directory_path)


def _answer(workspace: Workspace, model: LoggedModel) -> dict[str, Any]:
    return {"model": logged_model_json(model, experiment_by_id(workspace, model.experiment))}
