"""What went into runs and came out of them, as MLflow logs it."""

from __future__ import annotations

from typing import Any

import msgspec

from flyball.server.protocols.mlflow.conversions import check_active, run_by_id
from flyball.server.protocols.mlflow.experiments import Tag
from flyball.server.protocols.mlflow.wire import MlflowError, endpoint
from flyball.tracking.inputs import LoggedDataset, ModelOutput
from flyball.workspace import Workspace

_MOST_EXPERIMENTS = 20
_MOST_SUMMARIES = 1_000


class Dataset(msgspec.Struct, frozen=True):
    """A data set."""

    name: str = ""
    digest: str = ""
    source_type: str = ""
    source: str = ""
    schema: str = ""
    profile: str = ""


class DatasetInput(msgspec.Struct):
    """A data set and what is said of its use."""

    dataset: Dataset = Dataset()
    tags: list[Tag] = []


class ModelInput(msgspec.Struct):
    """A logged model that a run used."""

    model_id: str = ""


class MadeModel(msgspec.Struct):
    """A logged model that a run made."""

    model_id: str = ""
    step: int = 0


class LogInputs(msgspec.Struct):
    """What a run used."""

    run_id: str
    datasets: list[DatasetInput] = []
    models: list[ModelInput] = []


class LogOutputs(msgspec.Struct):
    """What a run made."""

    run_id: str
    models: list[MadeModel]


class SearchDatasets(msgspec.Struct):
    """Whose data sets are asked for."""

    experiment_ids: list[str] = []


@endpoint("POST", "mlflow/runs/log-inputs")
def log_inputs(workspace: Workspace, given: LogInputs) -> None:
    """Notes the data sets and models that a run used."""
    run = check_active(run_by_id(workspace, given.run_id))
    datasets = [
        LoggedDataset(
            name=item.dataset.name,
            digest=item.dataset.digest,
            source_type=item.dataset.source_type,
            source=item.dataset.source,
            schema=item.dataset.schema,
            profile=item.dataset.profile,
            tags={tag.key: tag.value for tag in item.tags},
        )
        for item in given.datasets
    ]
    workspace.run_inputs.log_inputs(run.id, datasets, [model.model_id for model in given.models])


@endpoint("POST", "mlflow/runs/outputs")
def log_outputs(workspace: Workspace, given: LogOutputs) -> None:
    """Notes the models that a run made."""
    run = check_active(run_by_id(workspace, given.run_id))
    outputs = [ModelOutput(model=model.model_id, step=model.step) for model in given.models]
    workspace.run_inputs.log_outputs(run.id, outputs)


# The address without a slash is MLflow's own slip, which its clients repeat.
@endpoint("POST", "mlflow/experiments/search-datasets")
@endpoint("POST", "/api/2.0mlflow/experiments/search-datasets")
@endpoint("POST", "/ajax-api/2.0mlflow/experiments/search-datasets")
def search_datasets(workspace: Workspace, given: SearchDatasets) -> dict[str, Any]:
    """The data sets that the experiments' runs used."""
    asked = given.experiment_ids
    if not asked:
        raise MlflowError("SearchDatasets request must specify at least one experiment_id.")
    if len(asked) > _MOST_EXPERIMENTS:
        raise MlflowError(
            f"SearchDatasets request cannot specify more than {_MOST_EXPERIMENTS} experiment_ids."
            f" Received {len(asked)} experiment_ids."
        )
    for experiment in asked:
        if not experiment.lstrip("-").isdecimal():
            raise MlflowError(f"Invalid experiment ID '{experiment[:100]}'. Experiment ID must be a valid integer.")
    found = []
    for summary in workspace.run_inputs.list_datasets(asked, limit=_MOST_SUMMARIES):
        one = {"experiment_id": summary.experiment, "name": summary.name, "digest": summary.digest}
        found.append(one if summary.context is None else {**one, "context": summary.context})
    return {"dataset_summaries": found} if found else {}
