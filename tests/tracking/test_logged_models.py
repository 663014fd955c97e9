"""Models as runs log them, on both databases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from flyball.clock import FixedClock
from flyball.errors import Conflict, InvalidInput, NotFound
from flyball.storage.database import Database
from flyball.storage.event_log import EventLog
from flyball.storage.objects import Blobs
from flyball.tracking.inputs import LoggedDataset, RunInputs
from flyball.tracking.logged_models import DatasetChoice, LoggedModel, LoggedModels, ModelMetric, ModelOrder
from flyball.tracking.runs import Tracking

AT = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def experiment(database: Database, blobs: Blobs, events: EventLog, clock: FixedClock) -> str:
    tracking = Tracking(database, blobs, events, clock)
    inputs = RunInputs(database, blobs, events, clock)
    inputs.log_inputs(tracking.create_run("first").id, [LoggedDataset(name="x", digest="1")])
    return inputs.list_datasets([str(number) for number in range(100)])[0].experiment


@pytest.fixture
def models(database: Database, blobs: Blobs, events: EventLog, clock: FixedClock) -> LoggedModels:
    return LoggedModels(database, blobs, events, clock)


@pytest.fixture
def three(models: LoggedModels, experiment: str, clock: FixedClock) -> list[LoggedModel]:
    """Three models, one second apart, two of them measured."""
    made = []
    for place, name in enumerate(("a", "b", "c")):
        clock.advance(timedelta(seconds=1))
        made.append(models.create(experiment, name, kind="tree", run="r-1", params={"depth": str(place)}))
    point = ModelMetric(key="loss", value=0.5, step=1, at=AT, run="r-1", dataset="iris", digest="d1")
    later = ModelMetric(key="loss", value=0.2, step=2, at=AT, run="r-1")
    other = ModelMetric(key="loss", value=0.3, step=1, at=AT, run="r-1", dataset="wine", digest="d2")
    models.log_metrics({made[0].id: [point, later], made[1].id: [other]})
    return made


def names(models: LoggedModels, **asked: object) -> list[str]:
    return [model.name for model in models.search(**asked).models]  # type: ignore[arg-type]  # arguments of any kind, as the cases give them


def test_a_model_comes_back(models: LoggedModels, experiment: str, clock: FixedClock) -> None:
    made = models.create(experiment, "tree", kind="sklearn", run="r-1", params={"a": "1"}, tags={"t": "x"})
    assert made.id.startswith("m-")
    assert made == models.get(made.id)
    assert (made.status, made.params, made.tags) == ("pending", {"a": "1"}, {"t": "x"})
    clock.advance(timedelta(seconds=5))
    ready = models.finalize(made.id)
    assert ready.status == "ready"
    assert ready.updated - ready.created == timedelta(seconds=5)


def test_creating_again_changes_nothing(models: LoggedModels, experiment: str) -> None:
    made = models.create(experiment, "tree", id="m-1")
    assert models.create(experiment, "other", id="m-1") == made


def test_tags_and_params(models: LoggedModels, experiment: str) -> None:
    model = models.create(experiment, "tree", params={"a": "1"}, tags={"t": "x"}).id
    models.set_tags(model, {"t": "y", "u": "z"})
    models.delete_tag(model, "u")
    models.log_params(model, {"a": "1", "b": "2"})
    assert models.get(model).tags == {"t": "y"}
    assert models.get(model).params == {"a": "1", "b": "2"}
    with pytest.raises(Conflict):
        models.log_params(model, {"a": "2"})
    with pytest.raises(NotFound):
        models.delete_tag(model, "u")


def test_a_measurement_that_is_sent_twice_is_kept_once(models: LoggedModels, experiment: str) -> None:
    model = models.create(experiment, "tree").id
    point = ModelMetric(key="loss", value=None, step=1, at=AT, run="r-1", dataset="iris", digest="d1")
    for _ in range(2):
        models.log_metrics({model: [point]})
    assert models.get(model).metrics == (point,)


def test_a_deleted_model_is_found_only_by_who_asks_for_it(models: LoggedModels, three: list[LoggedModel]) -> None:
    models.delete(three[0].id)
    assert names(models) == ["c", "b"]
    assert models.get(three[0].id, with_deleted=True).deleted is not None
    with pytest.raises(NotFound):
        models.get(three[0].id)


def test_the_newest_come_first(models: LoggedModels, three: list[LoggedModel]) -> None:
    assert names(models) == ["c", "b", "a"]
    assert names(models, experiments=[three[0].experiment]) == ["c", "b", "a"]
    assert names(models, experiments=[]) == []
    assert names(models, experiments=["999"]) == []


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("name = 'a'", ["a"]),
        ("name LIKE '%' AND params.depth = '1'", ["b"]),
        ("name IN ('a', 'c')", ["c", "a"]),
        ("model_type = 'tree' and status = 'PENDING'", ["c", "b", "a"]),
        ("status != 'PENDING'", []),
        ("metrics.loss < 0.25", ["a"]),
        ("metrics.loss > 0.25", ["b"]),
        ("tags.none = 'x'", []),
        ("creation_timestamp > 0", ["c", "b", "a"]),
        ("source_run_id = 'r-1' AND name != 'a'", ["c", "b"]),
    ],
)
def test_filters(models: LoggedModels, three: list[LoggedModel], asked: str, found: list[str]) -> None:
    assert names(models, filter=asked) == found


def test_measurements_on_one_data_set(models: LoggedModels, three: list[LoggedModel]) -> None:
    iris = DatasetChoice(name="iris")
    assert names(models, datasets=[iris]) == ["a"]
    assert names(models, datasets=[DatasetChoice(name="iris", digest="other")]) == []
    assert names(models, filter="metrics.loss > 0.25", datasets=[iris]) == ["a"]
    assert names(models, order_by=[ModelOrder(field="metrics.loss", dataset="wine")]) == ["b", "c", "a"]


def test_orders(models: LoggedModels, three: list[LoggedModel]) -> None:
    assert names(models, order_by=[ModelOrder(field="name")]) == ["a", "b", "c"]
    assert names(models, order_by=[ModelOrder(field="metrics.loss")]) == ["a", "b", "c"]
    assert names(models, order_by=[ModelOrder(field="metrics.loss", ascending=False)]) == ["b", "a", "c"]
    assert names(models, order_by=[ModelOrder(field="creation_time", ascending=True)]) == ["a", "b", "c"]


def test_pages(models: LoggedModels, three: list[LoggedModel]) -> None:
    first = models.search(limit=2)
    second = models.search(limit=2, page_token=first.next_page_token)
    assert [model.name for model in (*first.models, *second.models)] == ["c", "b", "a"]
    assert second.next_page_token == ""
    with pytest.raises(InvalidInput, match="another search"):
        models.search(filter="name = 'a'", page_token=first.next_page_token)


@pytest.mark.parametrize("token", ["x", "é", "eyJh", "bnVsbA=="])
def test_a_page_token_that_is_none_is_refused(models: LoggedModels, token: str) -> None:
    with pytest.raises(InvalidInput):
        models.search(page_token=token)


@pytest.mark.parametrize("order", ["foo", "params.depth", "metrics"])
def test_an_order_that_is_none_is_refused(models: LoggedModels, order: str) -> None:
    with pytest.raises(InvalidInput):
        models.search(order_by=[ModelOrder(field=order)])


@pytest.mark.parametrize("asked", ["nonsense", "name > 'x'", "bogus = 'x'", "bogus.x = 'x'", "status LIKE 'R%'"])
def test_a_filter_that_is_none_is_refused(models: LoggedModels, asked: str) -> None:
    with pytest.raises(InvalidInput):
        models.search(filter=asked)


def test_what_is_not_there_is_told(models: LoggedModels, experiment: str) -> None:
    with pytest.raises(NotFound, match="No Experiment"):
        models.create("99999", "tree")
    with pytest.raises(InvalidInput):
        models.create("x", "tree")
    with pytest.raises(NotFound):
        models.finalize("m-none")
    with pytest.raises(NotFound):
        models.log_metrics({"m-none": [ModelMetric(key="loss", value=1.0, at=AT, run="r")]})
    with pytest.raises(InvalidInput):
        models.create(experiment, "tree", params={"a": "\0"})
