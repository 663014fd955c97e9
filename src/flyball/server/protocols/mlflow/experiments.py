"""Experiments as MLflow asks for them."""

from __future__ import annotations

from typing import Any
from weakref import WeakSet

import msgspec

from flyball.errors import AlreadyExists, NotFound
from flyball.server.protocols.mlflow import _checks
from flyball.server.protocols.mlflow.conversions import experiment_by_id, experiment_json, view
from flyball.server.protocols.mlflow.wire import MlflowError, endpoint
from flyball.workspace import Workspace

_MOST_VIEWS = 50
_VIEW_TAG = "mlflow.customView.view"
_with_default: WeakSet[Workspace] = WeakSet()


class Tag(msgspec.Struct):
    """A key and its value; either may be missing, as in protobuf."""

    key: str = ""
    value: str = ""


class CreateExperiment(msgspec.Struct):
    """What an experiment is made from."""

    name: str
    artifact_location: str = ""
    tags: list[Tag] = []


class ExperimentId(msgspec.Struct):
    """Names an experiment by its id."""

    experiment_id: str


class ExperimentName(msgspec.Struct):
    """Names an experiment by its name."""

    experiment_name: str


class UpdateExperiment(msgspec.Struct):
    """A new name."""

    experiment_id: str
    new_name: str


class SetExperimentTag(msgspec.Struct):
    """A tag of an experiment."""

    experiment_id: str
    key: str
    value: str = ""


class DeleteExperimentTag(msgspec.Struct):
    """A tag of an experiment that is to go."""

    experiment_id: str
    key: str


class SearchExperiments(msgspec.Struct):
    """Which experiments are asked for."""

    max_results: int = 0
    page_token: str = ""
    filter: str = ""
    order_by: list[str] = []
    view_type: str | int = "ACTIVE_ONLY"


@endpoint("POST", "mlflow/experiments/create")
def create_experiment(workspace: Workspace, given: CreateExperiment) -> dict[str, str]:
    """Makes an experiment."""
    _checks.check_experiment_name(given.name)
    if given.artifact_location:
        _checks.check_location(given.artifact_location)
    tags = {tag.key: _checked_tag(tag.key, tag.value) for tag in given.tags}
    if sum(key.startswith(_VIEW_TAG) for key in tags) > _MOST_VIEWS:
        raise MlflowError(f"An experiment can have at most {_MOST_VIEWS} custom views.")
    _ensure_default(workspace)
    try:
        made = workspace.experiments.create(given.name, tags=tags, location=given.artifact_location)
    except AlreadyExists as error:
        raise MlflowError(f"Experiment(name={given.name}) already exists.", "RESOURCE_ALREADY_EXISTS") from error
    return {"experiment_id": made.id}


@endpoint("GET", "mlflow/experiments/get")
def get_experiment(workspace: Workspace, given: ExperimentId) -> dict[str, Any]:
    """One experiment, also one in the trash."""
    return {"experiment": experiment_json(experiment_by_id(workspace, given.experiment_id))}


@endpoint("GET", "mlflow/experiments/get-by-name")
def get_experiment_by_name(workspace: Workspace, given: ExperimentName) -> dict[str, Any]:
    """One experiment by its name, also one in the trash."""
    name = given.experiment_name
    try:
        found = workspace.experiments.find(name)
    except NotFound:
        raise MlflowError(f"Could not find experiment with name '{name[:500]}'", "RESOURCE_DOES_NOT_EXIST") from None
    return {"experiment": experiment_json(found)}


@endpoint("POST", "mlflow/experiments/delete")
def delete_experiment(workspace: Workspace, given: ExperimentId) -> None:
    """Puts an experiment and its runs into the trash."""
    found = experiment_by_id(workspace, given.experiment_id)
    if found.deleted is not None:
        raise _none(found.id)
    workspace.experiments.delete(found.id)


@endpoint("POST", "mlflow/experiments/restore")
def restore_experiment(workspace: Workspace, given: ExperimentId) -> None:
    """Takes an experiment and its runs out of the trash."""
    found = experiment_by_id(workspace, given.experiment_id)
    if found.deleted is None:
        raise _none(found.id)
    workspace.experiments.restore(found.id)


@endpoint("POST", "mlflow/experiments/update")
def update_experiment(workspace: Workspace, given: UpdateExperiment) -> None:
    """Gives an experiment another name."""
    _checks.check_experiment_name(given.new_name)
    found = experiment_by_id(workspace, given.experiment_id)
    if found.deleted is not None:
        raise MlflowError("Cannot rename a non-active experiment.", "INVALID_STATE")
    try:
        workspace.experiments.rename(found.id, given.new_name)
    except AlreadyExists as error:
        raise MlflowError(f"Experiment(name={given.new_name}) already exists.", "BAD_REQUEST") from error


@endpoint("POST", "mlflow/experiments/set-experiment-tag")
def set_experiment_tag(workspace: Workspace, given: SetExperimentTag) -> None:
    """Writes a tag."""
    value = _checked_tag(given.key, given.value)
    found = _active(workspace, given.experiment_id)
    views = sum(key.startswith(_VIEW_TAG) for key in found.tags)
    if given.key.startswith(_VIEW_TAG) and given.key not in found.tags and views >= _MOST_VIEWS:
        raise MlflowError(
            f"Unable to create another custom view for experiment {found.id}; the maximum number of custom views per"
            f" experiment is {_MOST_VIEWS}. Delete an existing custom view before creating a new one."
        )
    workspace.experiments.set_tags(found.id, {given.key: value})


@endpoint("POST", "mlflow/experiments/delete-experiment-tag")
def delete_experiment_tag(workspace: Workspace, given: DeleteExperimentTag) -> None:
    """Removes a tag."""
    found = _active(workspace, given.experiment_id)
    if given.key not in found.tags:
        raise MlflowError(f"No tag with name: {given.key} in experiment with id {found.id}", "RESOURCE_DOES_NOT_EXIST")
    workspace.experiments.delete_tag(found.id, given.key)


@endpoint("GET POST", "mlflow/experiments/search")
def search_experiments(workspace: Workspace, given: SearchExperiments) -> dict[str, Any]:
    """Experiments that fit, page by page."""
    _ensure_default(workspace)
    page = workspace.run_search.search_experiments(
        filter=given.filter,
        order_by=given.order_by,
        limit=_checks.check_results(given.max_results),
        page_token=given.page_token,
        deleted=view(given.view_type),
        native=False,
    )
    found: dict[str, Any] = {}
    if page.experiments:
        found["experiments"] = [experiment_json(experiment) for experiment in page.experiments]
    if page.next_page_token:
        found["next_page_token"] = page.next_page_token
    return found


def _ensure_default(workspace: Workspace) -> None:
    """Makes the experiment that is always there, once a process, so that it is older than those that clients make."""
    if workspace not in _with_default:
        workspace.experiments.get("0")
        _with_default.add(workspace)


def _active(workspace: Workspace, given: str) -> Any:
    found = experiment_by_id(workspace, given)
    if found.deleted is not None:
        raise MlflowError(f"The experiment {found.id} must be in the 'active' state. Current state is deleted.")
    return found


def _checked_tag(key: str, value: str) -> str:
    _checks.check_key(key, "key", "key")
    if len(value) > _checks.EXPERIMENT_TAG_LENGTH:
        raise _checks.too_long("value", _checks.EXPERIMENT_TAG_LENGTH)
    return value


def _none(experiment: str) -> MlflowError:
    return MlflowError(f"No Experiment with id={experiment} exists", "RESOURCE_DOES_NOT_EXIST")
