"""What is different between runs is told."""

from __future__ import annotations

import pytest

from flyball.clock import FixedClock
from flyball.errors import InvalidInput, NotFound
from flyball.lineage import Lineage
from flyball.serialization import canonical_json
from flyball.storage.database import Database
from flyball.storage.event_log import EventLog
from flyball.storage.objects import Blobs
from flyball.tracking.compare import is_better_when_less
from flyball.tracking.inputs import LoggedDataset
from tests.tracking.searching import Place, place_of


@pytest.fixture
def place(database: Database, blobs: Blobs, events: EventLog, clock: FixedClock) -> Place:
    return place_of(database, blobs, events, clock)


def test_params_that_differ_are_told_apart_from_those_that_do_not(place: Place) -> None:
    place.run("a", params={"depth": 1, "rate": 0.5, "on": True, "only": "x"})
    place.run("b", params={"depth": 2, "rate": 0.5, "on": 1})
    given = place.search.compare(["a", "b"])
    assert {d.key: d.values for d in given.params} == {"depth": [1, 2], "on": [True, 1], "only": ["x", None]}
    assert given.same_params == {"rate": 0.5}


def test_the_best_of_each_metric_is_marked(place: Place) -> None:
    place.run("a", metrics={"acc": 0.5, "val_loss": 1.0, "odd": None})
    place.run("b", metrics={"acc": 0.9, "val_loss": 2.0})
    place.run("c", metrics={"acc": 0.9})
    given = {m.key: (m.values, m.direction, m.best) for m in place.search.compare(["a", "b", "c"]).metrics}
    assert given == {
        "acc": ([0.5, 0.9, 0.9], "max", [1, 2]),
        "val_loss": ([1.0, 2.0, None], "min", [0]),
        "odd": ([None, None, None], "max", []),
    }


def test_tags_and_environment_that_differ_are_told(place: Place) -> None:
    place.run("a", tags={"team": "red", "x": "y"}, environment={"python": "3.11", "os": "linux"})
    place.run("b", tags={"team": "blue", "x": "y"}, environment={"python": "3.12", "os": "linux"})
    given = place.search.compare(["a", "b"])
    assert [(d.key, d.values) for d in given.tags] == [("team", ["red", "blue"])]
    assert [(d.key, d.values) for d in given.environment] == [("python", ["3.11", "3.12"])]


def code(blobs: Blobs, **files: str | bytes) -> str:
    kept = {f"{name}.py": blobs.put(text.encode() if isinstance(text, str) else text) for name, text in files.items()}
    return blobs.put(canonical_json(kept))


def test_code_is_compared_line_by_line(place: Place, blobs: Blobs) -> None:
    place.run("a", code=code(blobs, train="x = 1\ny = 2\n", same="z", gone="1", data=b"\xff\x00"))
    place.run("b", code=code(blobs, train="x = 1\ny = 3", same="z", new="2\n", data=b"\xff\x01"))
    [found] = place.search.compare(["a", "b"]).code
    assert (found.run, found.known) == ("b", True)
    assert [(file.path, file.change) for file in found.files] == [
        ("data.py", "changed"),
        ("gone.py", "removed"),
        ("new.py", "added"),
        ("train.py", "changed"),
    ]
    assert found.files[0].diff == ""
    assert "-y = 2\n+y = 3\n" in found.files[3].diff
    assert "+2\n" in found.files[2].diff


def test_code_that_is_a_commit_or_gone_is_said_to_be_unknown(place: Place, blobs: Blobs) -> None:
    place.run("a", code=code(blobs, train="1"))
    place.run("b", code="3f2a9c")
    place.run("c", code="0" * 64)
    place.run("d", code=code(blobs, train="1"))
    found = place.search.compare(["a", "b", "c", "d"]).code
    assert [(one.run, one.known) for one in found] == [("b", False), ("c", False)]


def test_data_that_differs_is_told(place: Place, database: Database, events: EventLog, clock: FixedClock) -> None:
    for name, digest in (("a", "d1"), ("b", "d2")):
        place.run(name, ends=False)
        sets = [LoggedDataset(name="wine", digest=digest), LoggedDataset(name="same", digest="d0")]
        place.inputs.log_inputs(name, sets)
    lineage = Lineage(database, events, clock)
    lineage.link("snapshots:/orders/1", "runs:/a", "used")
    lineage.link("snapshots:/orders/2", "models:/churn/7", "trained_on")
    lineage.link("runs:/b", "models:/churn/7", "produced")
    given = place.search.compare(["a", "b"]).data
    assert [(d.name, d.states) for d in given] == [("snapshots:/orders", ["1", "2"]), ("wine", ["d1", "d2"])]


@pytest.mark.parametrize("runs", [[], ["a"], ["a", "a"], [f"r{number}" for number in range(51)]])
def test_too_few_or_too_many_runs_are_refused(place: Place, runs: list[str]) -> None:
    place.run("a")
    with pytest.raises(InvalidInput):
        place.search.compare(runs)


def test_a_run_that_is_not_there_is_told(place: Place) -> None:
    place.run("a")
    with pytest.raises(NotFound):
        place.search.compare(["a", "nobody"])


@pytest.mark.parametrize(
    "name", ["loss", "val_loss", "train/RMSE", "evalLoss", "time", "mean_absolute_error", "log-loss"]
)
def test_less_is_better_of_losses_errors_and_times(name: str) -> None:
    assert is_better_when_less(name)


@pytest.mark.parametrize("name", ["acc", "accuracy", "auc", "f1", "lossless", "timeliness", "r2", ""])
def test_more_is_better_of_all_else(name: str) -> None:
    assert not is_better_when_less(name)
