"""Runs as MLflow asks for them."""

from __future__ import annotations

import random
from typing import Any
from uuid import uuid4

import msgspec

from flyball.errors import InvalidInput, NotFound
from flyball.server.protocols.mlflow import _checks
from flyball.server.protocols.mlflow._run_json import runs_json
from flyball.server.protocols.mlflow.conversions import (
    NOTE,
    PARENT_RUN,
    RUN_NAME,
    check_active,
    experiment_by_id,
    experiment_of,
    info_json,
    moment,
    no_run,
    run_by_id,
    state_of,
    tags_of,
    view,
)
from flyball.server.protocols.mlflow.experiments import Tag
from flyball.server.protocols.mlflow.wire import MlflowError, endpoint
from flyball.tracking.plain_runs import read_run
from flyball.workspace import Workspace

_LOGGED_MODELS = "mlflow.log-model.history"
_MODEL_FIELDS = ("artifact_path", "flavors", "utc_time_created", "run_id")
_NOTED_FIELDS = ("run_id", "artifact_path", "utc_time_created", "model_uuid")
# A run that nobody named gets a name that is easy to say.
_FIRST = (
    "able agile amber bold brisk calm clever crisp eager early fair fine gentle glad keen kind lively lucky mellow neat"
    " nimble placid polite proud quick quiet rapid sharp silent sleek smart steady swift thrifty wise"
)
_LAST = (
    "ant bass bear bee calf carp cat colt crab crane deer dove duck eel elk finch fish fox frog gnat goat goose hare hawk"
    " hen horse jay kit lark loon lynx mole moth mouse newt owl perch pug ram rat robin seal shad shark sheep shrew skunk"
    " sloth snail squid stag stoat swan toad trout vole wasp whale wren yak"
)


class RunId(msgspec.Struct):
    """Names a run; `run_uuid` is the former word."""

    run_id: str = ""
    run_uuid: str = ""


class CreateRun(msgspec.Struct):
    """What a run is made from."""

    experiment_id: str = ""
    user_id: str = ""
    run_name: str = ""
    start_time: int = 0
    tags: list[Tag] = []


class UpdateRun(msgspec.Struct):
    """What changes of a run."""

    run_id: str = ""
    run_uuid: str = ""
    status: str | int | None = None
    end_time: int | None = None
    run_name: str | None = None


class DeleteTag(msgspec.Struct):
    """A tag that is to go."""

    run_id: str
    key: str


class SearchRuns(msgspec.Struct):
    """Which runs are asked for."""

    experiment_ids: list[str] = []
    filter: str = ""
    run_view_type: str | int = "ACTIVE_ONLY"
    max_results: int = 1000
    order_by: list[str] = []
    page_token: str = ""


class LogModel(msgspec.Struct):
    """A model as clients before 3.0 log it."""

    run_id: str
    model_json: str


@endpoint("POST", "mlflow/runs/create")
def create_run(workspace: Workspace, given: CreateRun) -> dict[str, Any]:
    """Starts a run."""
    experiment = experiment_by_id(workspace, given.experiment_id or "0")
    if experiment.deleted is not None:
        raise MlflowError(f"The experiment {experiment.id} must be in the 'active' state. Current state is deleted.")
    tags = {tag.key: tag.value for tag in given.tags}
    for place, (key, value) in enumerate(tags.items()):
        _checks.check_key(key, f"tags[{place}].key", f"tags[{place}].key")
        tags[key] = _checks.truncated(value, _checks.TAG_LENGTH)
    made = workspace.tracking.create_run(
        experiment.name,
        name=_run_name(given.run_name, tags),
        parent=_known_run(workspace, tags.get(PARENT_RUN, "")),
        tags=tags,
        id=uuid4().hex,
        started=moment(given.start_time, "start_time") if given.start_time else None,
        user=given.user_id,
        heartbeats=False,
    )
    if tags.get(NOTE):
        made = workspace.tracking.update_run(made.id, notes=tags[NOTE])
    found = [{"key": key, "value": value} for key, value in tags_of(made).items()]
    return {"run": {"info": info_json(made, experiment), "data": {"tags": found}, "inputs": {}}}


@endpoint("GET", "mlflow/runs/get")
def get_run(workspace: Workspace, given: RunId) -> bytes:
    """One run with all that it logged, also one in the trash."""
    name = _named(given)
    run = read_run(workspace.database, name)
    if run is None:
        raise no_run(name)
    return f'{{"run":{runs_json(workspace, [run])[1:-1]}}}'.encode()


@endpoint("POST", "mlflow/runs/update")
def update_run(workspace: Workspace, given: UpdateRun) -> dict[str, Any]:
    """Changes a run's status, end or name."""
    run = check_active(run_by_id(workspace, _named(given)))
    state = None if given.status is None else state_of(given.status)
    # A run that ends once more without a time keeps the one that it had.
    former = None if state in ("running", "scheduled") else run.ended
    found = workspace.tracking.update_run(
        run.id,
        name=given.run_name or None,
        state=state,
        ended=moment(given.end_time, "end_time") if given.end_time else former,
    )
    if given.run_name:
        workspace.tracking.log(run.id, tags={RUN_NAME: given.run_name})
    return {"run_info": info_json(found, experiment_of(workspace, found))}


@endpoint("POST", "mlflow/runs/delete")
def delete_run(workspace: Workspace, given: RunId) -> None:
    """Puts a run into the trash, whatever state it is in."""
    run = run_by_id(workspace, _named(given))
    if run.deleted is None:
        workspace.tracking.delete_run(run.id)


@endpoint("POST", "mlflow/runs/restore")
def restore_run(workspace: Workspace, given: RunId) -> None:
    """Takes a run out of the trash."""
    run = run_by_id(workspace, _named(given))
    if run.deleted is not None:
        workspace.tracking.restore_run(run.id)


@endpoint("POST", "mlflow/runs/delete-tag")
def delete_tag(workspace: Workspace, given: DeleteTag) -> None:
    """Removes a tag."""
    run = check_active(run_by_id(workspace, given.run_id))
    if given.key not in tags_of(run):
        raise MlflowError(f"No tag with name: {given.key} in run with id {run.id}", "RESOURCE_DOES_NOT_EXIST")
    if given.key in run.tags:
        workspace.tracking.delete_tag(run.id, given.key)
    if given.key == NOTE:
        workspace.tracking.update_run(run.id, notes="")


@endpoint("POST", "mlflow/runs/search")
def search_runs(workspace: Workspace, given: SearchRuns) -> bytes | None:
    """Runs that fit, page by page."""
    size = _checks.check_results(given.max_results, hinted=True)
    experiments = [_experiment_id(experiment) for experiment in given.experiment_ids]
    deleted = view(given.run_view_type)
    if not experiments:
        return None
    runs, token = workspace.run_search.search_plainly(
        given.filter, experiments, given.order_by, size, given.page_token, deleted
    )
    found = [f'"runs":{runs_json(workspace, runs, searched=True)}'] if runs else []
    if token:
        found.append(f'"next_page_token":"{token}"')
    return f"{{{','.join(found)}}}".encode()


@endpoint("POST", "mlflow/runs/log-model")
def log_model(workspace: Workspace, given: LogModel) -> None:
    """Notes a model in a tag of its run, as clients before 3.0 do."""
    try:
        model = msgspec.json.decode(given.model_json, type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError):
        raise MlflowError(f"Malformed model info. \n {given.model_json[:1000]} \n is not a valid JSON.") from None
    absent = {name for name in _MODEL_FIELDS if name not in model}
    if absent:
        raise MlflowError(f"Model json is missing mandatory fields: {absent}")
    run = check_active(run_by_id(workspace, given.run_id))
    noted = {name: model[name] for name in _NOTED_FIELDS if name in model}
    flavors = model["flavors"] if isinstance(model["flavors"], dict) else {}
    noted["flavors"] = {
        name: {key: value for key, value in flavor.items() if key != "config"} if isinstance(flavor, dict) else flavor
        for name, flavor in flavors.items()
    }
    history = msgspec.json.decode(run.tags.get(_LOGGED_MODELS, "[]"))
    text = msgspec.json.encode([*history, noted]).decode()
    if len(text) > _checks.TAG_LENGTH:
        raise _checks.too_long("value", _checks.TAG_LENGTH)
    workspace.tracking.log(run.id, tags={_LOGGED_MODELS: text})


def _named(given: Any) -> str:
    run: str = given.run_id or given.run_uuid
    if not run:
        raise _checks.missing("run_id")
    return run


def _run_name(name: str, tags: dict[str, str]) -> str:
    """The name of a new run, which goes into its tags as well."""
    tagged = tags.get(RUN_NAME, "")
    if name and tagged and name != tagged:
        raise MlflowError(
            "Both 'run_name' argument and 'mlflow.runName' tag are specified, but with different values"
            f" (run_name='{name}', mlflow.runName='{tagged}')."
        )
    chosen = name or tagged or random_name()
    tags[RUN_NAME] = chosen
    return chosen


def random_name() -> str:
    """A name for what nobody named."""
    first, last = random.choice(_FIRST.split()), random.choice(_LAST.split())  # noqa: S311 - no secret
    return f"{first}-{last}-{random.randint(0, 999)}"  # noqa: S311 - no secret


def _known_run(workspace: Workspace, run: str) -> str:
    """The id if there is such a run: MLflow takes any text for a parent."""
    if not run:
        return ""
    try:
        return workspace.tracking.get_run(run).id
    except (NotFound, InvalidInput):
        return ""


def _experiment_id(given: str) -> str:
    try:
        return str(int(given))
    except ValueError:
        raise MlflowError(f"Invalid experiment ID '{given[:100]}'. Experiment ID must be a valid integer.") from None
