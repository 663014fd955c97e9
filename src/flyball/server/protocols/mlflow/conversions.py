"""Our nouns as MLflow's JSON, and MLflow's words as ours."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal, Protocol

from flyball.errors import InvalidInput, NotFound
from flyball.server.protocols.mlflow.wire import MlflowError
from flyball.tracking.places import ExperimentPlace, places_of

if TYPE_CHECKING:
    from flyball.tracking.logged_models import LoggedModel
    from flyball.tracking.nouns import Experiment, Run, RunState
    from flyball.tracking.plain_runs import PlainRun
    from flyball.workspace import Workspace

Deleted = Literal["active", "deleted", "all"]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LATEST_TIME = 253_402_300_799_999
"""The last millisecond of the year 9999, which is as far as our times go."""

STATUS = {
    "running": "RUNNING",
    "scheduled": "SCHEDULED",
    "finished": "FINISHED",
    "failed": "FAILED",
    "cancelled": "KILLED",
    "lost": "FAILED",
}
"""The state of a run as MLflow names it."""

STATES: dict[str, RunState] = {
    "RUNNING": "running",
    "SCHEDULED": "scheduled",
    "FINISHED": "finished",
    "FAILED": "failed",
    "KILLED": "cancelled",
}
_NUMBERED = {1: "RUNNING", 2: "SCHEDULED", 3: "FINISHED", 4: "FAILED", 5: "KILLED"}
_VIEWS: dict[str, Deleted] = {
    "ACTIVE_ONLY": "active",
    "DELETED_ONLY": "deleted",
    "ALL": "all",
    "1": "active",
    "2": "deleted",
    "3": "all",
}
_MODEL_STATUS = {
    "unspecified": "LOGGED_MODEL_STATUS_UNSPECIFIED",
    "pending": "LOGGED_MODEL_PENDING",
    "ready": "LOGGED_MODEL_READY",
    "failed": "LOGGED_MODEL_UPLOAD_FAILED",
}
RUN_NAME = "mlflow.runName"
PARENT_RUN = "mlflow.parentRunId"
NOTE = "mlflow.note.content"
_GREATEST = 1.7976931348623157e308


def milliseconds(moment: datetime) -> int:
    """A moment as MLflow writes it."""
    return (moment - EPOCH) // timedelta(milliseconds=1)


def moment(given: int, name: str = "timestamp") -> datetime:
    """The moment of so many milliseconds since 1970.

    Raises:
        MlflowError: it lies before 1970 or after the year 9999.
    """
    if not 0 <= given <= LATEST_TIME:
        raise MlflowError(f"Invalid value {given} for parameter '{name}' supplied: it is no time in milliseconds.")
    return EPOCH + timedelta(milliseconds=given)


def number(value: float | None) -> float | str:
    """A metric's value; an undefined one is the text that JSON has no number for."""
    return "NaN" if value is None else value


def kept_number(value: float) -> float | None:
    """A value as it is kept: None where it is not defined, the greatest there is where it is infinite."""
    if value != value:
        return None
    return max(-_GREATEST, min(value, _GREATEST))


def pairs(values: Mapping[str, object]) -> list[dict[str, str]]:
    """Keys and values as MLflow lists them."""
    return [{"key": key, "value": str(value)} for key, value in values.items()]


def view(given: str | int) -> Deleted:
    """Which of active and deleted things are asked for.

    Raises:
        MlflowError: it is no view.
    """
    found = _VIEWS.get(str(given) or "1")
    if found is None:
        raise MlflowError(f"Invalid value {given!r} for parameter 'view_type' supplied.")
    return found


def state_of(status: str | int) -> RunState | None:
    """The state of a run that MLflow's status stands for; None for one that there is not."""
    name = _NUMBERED.get(int(status)) if str(status).isdecimal() else str(status)
    return STATES.get(name or "")


class Placed(Protocol):
    """What has a place for artifacts: an experiment, or what is kept of it for that."""

    @property
    def id(self) -> str:
        """Its id."""
        ...

    @property
    def location(self) -> str:
        """Where its artifacts are said to be; empty for the usual place."""
        ...


def artifact_uri(experiment: Placed, run: str) -> str:
    """Where the clients bring a run's artifacts to."""
    return below(location(experiment), f"{run}/artifacts")


def model_uri(experiment: Placed, model: str) -> str:
    """Where the clients bring a logged model's files to."""
    return below(location(experiment), f"models/{model}/artifacts")


def location(experiment: Placed) -> str:
    """Where the clients bring all of an experiment's files to."""
    return experiment.location or f"mlflow-artifacts:/{experiment.id}"


def below(uri: str, path: str) -> str:
    """An address below another one, whose query stays at the end."""
    start, mark, query = uri.partition("?")
    return f"{start.rstrip('/')}/{path}{mark}{query}"


def experiment_json(experiment: Experiment) -> dict[str, Any]:
    """An experiment as MLflow writes it."""
    found: dict[str, Any] = {
        "experiment_id": experiment.id,
        "name": experiment.name,
        "artifact_location": location(experiment),
        "lifecycle_stage": "deleted" if experiment.deleted else "active",
        "last_update_time": milliseconds(experiment.updated),
        "creation_time": milliseconds(experiment.created),
    }
    if experiment.tags:
        found["tags"] = pairs(experiment.tags)
    return {**found, "workspace": "default"}


def info_json(run: Run, experiment: Placed) -> dict[str, Any]:
    """What a run is, apart from what it logged."""
    ended = None if run.ended is None else milliseconds(run.ended)
    return _info(run, experiment, milliseconds(run.started), ended)


def plain_info_json(run: PlainRun, experiment: Placed) -> dict[str, Any]:
    """What a run is, apart from what it logged."""
    return _info(run, experiment, run.started // 1000, None if run.ended is None else run.ended // 1000)


def tags_of(run: Run | PlainRun) -> dict[str, str]:
    """A run's tags, with those by which MLflow tells what we keep in fields of its own."""
    found = dict(run.tags)
    if run.name:
        found[RUN_NAME] = run.name
    if run.parent:
        found.setdefault(PARENT_RUN, run.parent)
    if run.notes:
        found[NOTE] = run.notes
    return found


def logged_model_json(model: LoggedModel, experiment: Placed) -> dict[str, Any]:
    """A logged model as MLflow writes it."""
    info: dict[str, Any] = {
        "model_id": model.id,
        "experiment_id": model.experiment,
        "name": model.name,
        "creation_timestamp_ms": milliseconds(model.created),
        "last_updated_timestamp_ms": milliseconds(model.updated),
        "artifact_uri": model_uri(experiment, model.id),
        "status": _MODEL_STATUS[model.status],
        "model_type": model.kind,
        "source_run_id": model.run,
    }
    if model.tags:
        info["tags"] = pairs(model.tags)
    data: dict[str, Any] = {"params": pairs(model.params)} if model.params else {}
    metrics = []
    for metric in model.metrics:
        found = {
            "key": metric.key,
            "value": number(metric.value),
            "timestamp": milliseconds(metric.at),
            "step": metric.step,
            "dataset_name": metric.dataset,
            "dataset_digest": metric.digest,
            "model_id": model.id,
            "run_id": metric.run,
        }
        metrics.append({name: value for name, value in found.items() if value != ""})
    if metrics:
        data["metrics"] = metrics
    return {"info": info, "data": data}


def experiment_by_id(workspace: Workspace, given: str) -> Experiment:
    """The experiment of that id.

    Raises:
        MlflowError: there is none, or it is no id.
    """
    try:
        known = str(int(given))
    except ValueError:
        raise MlflowError(f"Invalid experiment ID '{given[:100]}'. Experiment ID must be a valid integer.") from None
    try:
        found = workspace.experiments.get(known)
    except (NotFound, InvalidInput):
        found = None
    if found is None or found.id != known:
        raise MlflowError(f"No Experiment with id={known} exists", "RESOURCE_DOES_NOT_EXIST")
    return found


def experiment_of(workspace: Workspace, run: Run) -> ExperimentPlace:
    """The place of the experiment that a run belongs to."""
    return places_of(workspace.database, [run.experiment_id])[run.experiment_id]


def run_by_id(workspace: Workspace, run: str) -> Run:
    """The run of that id, also one in the trash.

    Raises:
        MlflowError: there is none.
    """
    try:
        return workspace.tracking.get_run(run)
    except NotFound:
        raise no_run(run) from None


def no_run(run: str) -> MlflowError:
    """Says that there is no such run."""
    return MlflowError(f"Run with id={run[:256]} not found", "RESOURCE_DOES_NOT_EXIST")


def check_active(run: Run) -> Run:
    """Gives the run back unless it lies in the trash.

    Raises:
        MlflowError: it does.
    """
    if run.deleted is not None:
        raise MlflowError(f"The run {run.id} must be in the 'active' state. Current state is deleted.")
    return run


def _info(run: Run | PlainRun, experiment: Placed, started: int, ended: int | None) -> dict[str, Any]:
    found: dict[str, Any] = {
        "run_uuid": run.id,
        "experiment_id": experiment.id,
        "run_name": run.name,
        "user_id": run.user,
        "status": STATUS[run.state],
        "start_time": started,
    }
    if ended is not None:
        found["end_time"] = ended
    return {
        **found,
        "artifact_uri": artifact_uri(experiment, run.id),
        "lifecycle_stage": "active" if run.deleted is None else "deleted",
        "run_id": run.id,
    }
