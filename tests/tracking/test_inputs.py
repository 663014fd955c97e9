"""What went into runs and came out of them, on both databases."""

from __future__ import annotations

import pytest

from flyball.clock import FixedClock
from flyball.errors import InvalidInput, NotFound
from flyball.storage.database import Database
from flyball.storage.event_log import EventLog
from flyball.storage.objects import Blobs
from flyball.tracking.inputs import DatasetSummary, InputsOfRun, LoggedDataset, ModelOutput, RunInputs
from flyball.tracking.runs import Tracking

IRIS = LoggedDataset(
    name="iris", digest="abc", source_type="local", source="{}", tags={"mlflow.data.context": "training"}
)


@pytest.fixture
def tracking(database: Database, blobs: Blobs, events: EventLog, clock: FixedClock) -> Tracking:
    return Tracking(database, blobs, events, clock)


@pytest.fixture
def inputs(database: Database, blobs: Blobs, events: EventLog, clock: FixedClock) -> RunInputs:
    return RunInputs(database, blobs, events, clock)


def test_what_went_in_comes_back(tracking: Tracking, inputs: RunInputs) -> None:
    run = tracking.create_run("first").id
    inputs.log_inputs(run, [IRIS], ["m-1"])
    inputs.log_outputs(run, [ModelOutput(model="m-2", step=3)])
    assert inputs.get([run, "none"]) == [
        InputsOfRun(run=run, datasets=(IRIS,), models=("m-1",), outputs=(ModelOutput(model="m-2", step=3),))
    ]


def test_a_use_is_noted_once_and_stays_as_it_was(tracking: Tracking, inputs: RunInputs) -> None:
    run = tracking.create_run("first").id
    other = LoggedDataset(name="iris", digest="abc", source="other", tags={"mlflow.data.context": "testing"})
    inputs.log_inputs(run, [IRIS, other], ["m-1", "m-1"])
    inputs.log_inputs(run, [other], ["m-1"])
    inputs.log_outputs(run, [ModelOutput(model="m-1"), ModelOutput(model="m-1", step=1)])
    found = inputs.get([run])[0]
    assert (found.datasets, found.models) == ((IRIS,), ("m-1",))
    assert found.outputs == (ModelOutput(model="m-1", step=1),)


def test_data_sets_of_experiments_are_told_with_what_they_were_for(tracking: Tracking, inputs: RunInputs) -> None:
    first, second = tracking.create_run("first"), tracking.create_run("first")
    plain = LoggedDataset(name="wine", digest="1")
    for run in (first, second):
        inputs.log_inputs(run.id, [IRIS, plain])
    number = inputs.list_datasets([str(n) for n in range(20)])[0].experiment
    assert inputs.list_datasets([number]) == [
        DatasetSummary(experiment=number, name="iris", digest="abc", context="training"),
        DatasetSummary(experiment=number, name="wine", digest="1", context=None),
    ]
    assert inputs.list_datasets(["999", "x", ""]) == []


def test_nothing_is_noted_for_no_run(tracking: Tracking, inputs: RunInputs) -> None:
    with pytest.raises(NotFound):
        inputs.log_inputs("none", [IRIS])
    run = tracking.create_run("first").id
    tracking.finish_run(run)
    tracking.delete_run(run)
    with pytest.raises(NotFound, match="trash"):
        inputs.log_outputs(run, [ModelOutput(model="m-1")])


@pytest.mark.parametrize(
    "dataset",
    [
        LoggedDataset(name="x" * 501, digest="1"),
        LoggedDataset(name="x", digest="1" * 37),
        LoggedDataset(name="x", digest="1", source="\0"),
        LoggedDataset(name="x", digest="1", tags={"k" * 256: ""}),
        LoggedDataset(name="x", digest="1", tags={"k": "v" * 501}),
    ],
)
def test_what_cannot_be_kept_is_refused(tracking: Tracking, inputs: RunInputs, dataset: LoggedDataset) -> None:
    run = tracking.create_run("first").id
    with pytest.raises(InvalidInput):
        inputs.log_inputs(run, [IRIS, dataset])
    assert inputs.get([run])[0].datasets == ()
