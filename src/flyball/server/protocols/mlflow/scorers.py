"""MLflow's scorers: kept and handed out, never run here."""

from __future__ import annotations

from typing import Any

import msgspec

from flyball.server.protocols.mlflow.conversions import experiment_by_id, milliseconds
from flyball.server.protocols.mlflow.wire import MlflowError, endpoint
from flyball.tracking.scorers import Scorer
from flyball.workspace import Workspace


class RegisterScorer(msgspec.Struct):
    """A new version of a scorer."""

    experiment_id: str
    name: str
    serialized_scorer: str


class WhichScorer(msgspec.Struct):
    """Which scorer is meant."""

    experiment_id: str
    name: str
    version: int | None = None


class ListScorers(msgspec.Struct):
    """Whose scorers are asked for."""

    experiment_id: str = ""
    experiment_ids: list[str] = []


@endpoint("POST", "mlflow/scorers/register", version="3.0")
def register_scorer(workspace: Workspace, given: RegisterScorer) -> dict[str, Any]:
    """Keeps the next version of a scorer."""
    try:
        definition = msgspec.json.decode(given.serialized_scorer)
    except (msgspec.DecodeError, RecursionError) as error:
        raise MlflowError("serialized_scorer must be valid JSON") from error
    if _holds_code(definition):
        # Whoever fetched it would run the code of someone else without knowing.
        raise MlflowError(
            "Custom scorer registration (using @scorer decorator) is not supported: the scorer's source code would be "
            "run by everyone who gets it. Use a built-in scorer or make_judge()."
        )
    experiment = experiment_by_id(workspace, given.experiment_id)
    made = workspace.scorers.register(experiment.id, given.name, given.serialized_scorer)
    return {
        "version": made.version,
        "scorer_id": made.id,
        "experiment_id": made.experiment,
        "name": made.name,
        "serialized_scorer": made.definition,
        "creation_time": milliseconds(made.created),
    }


@endpoint("GET", "mlflow/scorers/list", version="3.0")
def list_scorers(workspace: Workspace, given: ListScorers) -> dict[str, Any]:
    """The latest version of each scorer."""
    if given.experiment_id and given.experiment_ids:
        raise MlflowError("Cannot specify both 'experiment_id' and 'experiment_ids'.")
    wanted = [given.experiment_id] if given.experiment_id else given.experiment_ids
    if wanted:
        ids = [experiment_by_id(workspace, experiment).id for experiment in dict.fromkeys(wanted)]
    else:
        ids = [experiment.id for experiment in workspace.experiments.list(limit=1000)]
    return _listed(workspace.scorers.list(ids))


@endpoint("GET", "mlflow/scorers/versions", version="3.0")
def list_versions(workspace: Workspace, given: WhichScorer) -> dict[str, Any]:
    """Every version of a scorer."""
    experiment = experiment_by_id(workspace, given.experiment_id)
    return _listed(workspace.scorers.versions(experiment.id, given.name))


@endpoint("GET", "mlflow/scorers/get", version="3.0")
def get_scorer(workspace: Workspace, given: WhichScorer) -> dict[str, Any]:
    """One version of a scorer."""
    experiment = experiment_by_id(workspace, given.experiment_id)
    return {"scorer": _scorer_json(workspace.scorers.get(experiment.id, given.name, given.version))}


@endpoint("DELETE", "mlflow/scorers/delete", version="3.0")
def delete_scorer(workspace: Workspace, given: WhichScorer) -> None:
    """Removes a version of a scorer, or all of them."""
    experiment = experiment_by_id(workspace, given.experiment_id)
    workspace.scorers.delete(experiment.id, given.name, given.version)


@endpoint("GET", "mlflow/scorers/online-configs", version="3.0")
async def online_configs(workspace: Workspace) -> dict[str, Any]:
    """Which scorers judge traces as they come in: none, because none is run here."""
    return {"configs": []}


@endpoint("PUT", "mlflow/scorers/online-config", version="3.0")
async def set_online_config(workspace: Workspace) -> None:
    """Refuses to let a scorer judge traces as they come in."""
    raise MlflowError(
        "Scorers are kept and never run here: score traces with mlflow.genai.evaluate.", "NOT_IMPLEMENTED"
    )


def _scorer_json(given: Scorer) -> dict[str, Any]:
    return {
        "experiment_id": int(given.experiment),
        "scorer_name": given.name,
        "scorer_version": given.version,
        "serialized_scorer": given.definition,
        "creation_time": milliseconds(given.created),
        "scorer_id": given.id,
    }


def _listed(scorers: list[Scorer]) -> dict[str, Any]:
    return {"scorers": [_scorer_json(scorer) for scorer in scorers]} if scorers else {}


def _holds_code(definition: Any) -> bool:
    left = [definition]
    while left:
        one = left.pop()
        if isinstance(one, dict):
            if one.get("call_source"):
                return True
            left += one.values()
        elif isinstance(one, list):
            left += one
    return False
