"""Runs are found, on both databases."""

from __future__ import annotations

import contextlib
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from flyball.clock import FixedClock
from flyball.errors import InvalidInput, NotFound
from flyball.storage.database import Database
from flyball.storage.event_log import EventLog
from flyball.storage.objects import Blobs
from flyball.tracking import _search_store, _store
from flyball.tracking.experiments import Experiments
from flyball.tracking.inputs import LoggedDataset
from flyball.tracking.search import Deleted, _token
from tests.tracking.searching import Place, place_of

WAYS: tuple[Deleted, ...] = ("active", "deleted", "all")


@pytest.fixture
def place(database: Database, blobs: Blobs, events: EventLog, clock: FixedClock) -> Place:
    return place_of(database, blobs, events, clock)


@pytest.fixture(params=["few", "many"])
def size(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once as where few runs are there, which are sorted whole, once as where there are many."""
    monkeypatch.setattr(_search_store, "FEW", 5_000 if request.param == "few" else 1)


@pytest.fixture
def four(place: Place, size: None) -> Place:
    """Four runs, the last started the newest."""
    place.run(
        "a",
        params={"depth": 5, "rate": 0.1, "kind": "tree"},
        metrics={"acc": 0.5, "loss": 1.0},
        tags={"team": "red", "lower": "y"},
    )
    place.run(
        "b",
        params={"depth": 10, "rate": "0.02", "kind": "Tree"},
        metrics={"acc": 0.9},
        tags={"team": "blue", "lower": "x"},
    )
    place.run("c", params={"depth": "deep", "on": True}, metrics={"acc": None, "loss": 2.0}, kind="training")
    place.run(
        "d",
        params={"note": "100%_x*[a]\\"},
        tags={"team": "Red", "lower": "z", "my key": "it's"},
        experiment="second",
        ends=False,
    )
    return place


ASKED = [
    ("", "d c b a"),
    ("metrics.acc > 0.4", "b a"),
    ("metrics.acc >= 0.9", "b"),
    ("metrics.acc != 0.5", "c b"),  # what is undefined is not any number
    ("metrics.acc < 100", "b a"),
    ("metrics.unknown < 100", ""),
    ("metrics.acc IS NULL", "d"),
    ("metrics.acc IS NOT NULL", "c b a"),
    ("NOT metrics.acc > 0.4", "d c"),
    ("metrics.acc > 0.4 AND metrics.loss < 3", "a"),
    ("metrics.acc > 0.6 OR metrics.loss > 1", "c b"),
    ("(metrics.acc > 0.6 OR metrics.loss > 1) AND kind = 'training'", "c"),
    ("params.depth = '5'", "a"),
    ("params.depth = 5", "a"),
    ("params.depth > 5", "b"),
    ("params.depth != '5'", "c b"),
    ("params.rate < 0.05", "b"),
    ("params.on = 'True'", "c"),
    ("params.kind = 'tree'", "a"),
    ("params.kind LIKE 't%'", "a"),
    ("params.kind ILIKE 't%'", "b a"),
    ("params.kind LIKE '_re_'", "b a"),
    ("params.kind IN ('tree', 'Tree')", "b a"),
    ("params.kind NOT IN ('tree')", "b"),
    ("params.note LIKE '100%'", "d"),
    (r"params.note LIKE '100\%\_x*[a]\\'", "d"),
    (r"params.note LIKE '100\%\_x*[a]_'", "d"),
    (r"params.note LIKE '100\%x%'", ""),
    ("params.note LIKE '%[a]%'", "d"),
    ("params.note LIKE '%?%'", ""),
    ("params.kind IS NULL", "d c"),
    ("params.kind IS NOT NULL", "b a"),
    ("tags.team = 'red'", "a"),
    ("tags.team != 'red'", "d b"),
    ("tags.team ILIKE 'RED'", "d a"),
    ("tags.`my key` = 'it''s'", "d"),
    ('tags."my key" = "it\'s"', "d"),
    ("tags.team IS NULL", "c"),
    ("run_name = 'a'", "a"),
    ("`Run name` LIKE 'a'", "a"),
    ("attributes.run_id IN ('a', 'c', 'x')", "c a"),
    ("run_id NOT IN ('a', 'c', 'x')", "d b"),
    ("status = 'FINISHED'", "c b a"),
    ("status != 'FINISHED'", "d"),
    ("status ILIKE 'run%'", "d"),
    ("status = 'finished'", ""),
    ("state = 'running'", "d"),
    ("kind = 'training'", "c"),
    ("experiment = 'second'", "d"),
    ("experiment LIKE 'f%'", "c b a"),
    ("seconds = 10", "c b a"),
    ("seconds > 10.5", ""),
    ("end_time > 0", "c b a"),
    ("ended IS NULL", "d"),
    ("start_time > 1767225600000", "d c b"),
    ("start_time = 1767225600000", "a"),
    ("start_time != 1767225600000", "d c b"),
    ("start_time < 1767225600000.5", "a"),
    ("start_time >= 1767225600000.5", "d c b"),
    ("created <= 1767225610000", "b a"),
    ("started >= '2026-01-01T00:00:10Z'", "d c b"),
    ("started > 999999999999999999", ""),
    ("started > -9e300", "d c b a"),
    ("artifact_uri LIKE '%/a/artifacts'", "a"),
    ("user = ''", "d c b a"),
    ("tags.team LIKE '%'", "d b a"),
]


def test_a_filter_finds_what_fits(four: Place) -> None:
    found = [(asked, four.found(asked)) for asked, _ in ASKED]
    assert found == ASKED


ORDERS = [
    (["metrics.acc"], "a b c d"),
    (["metrics.acc DESC"], "b a c d"),
    (["metrics.loss DESC", "metrics.acc"], "c a b d"),
    (["metrics.unknown"], "d c b a"),
    (["params.depth"], "a b c d"),
    (["params.depth DESC"], "b a c d"),
    (["tags.lower", "name DESC"], "b a d c"),
    (["start_time"], "a b c d"),
    (["end_time DESC"], "c b a d"),
    (["name DESC"], "d c b a"),
    (["experiment DESC", "id"], "d a b c"),
    (["state", "id DESC"], "c b a d"),
    (["run_id"], "a b c d"),
]


def test_runs_come_in_the_order_that_is_asked_for(four: Place) -> None:
    assert [(order, four.found(order_by=order)) for order, _ in ORDERS] == ORDERS


def test_mlflow_orders_params_as_texts(four: Place) -> None:
    assert four.found(order_by=["params.depth"], native=False) == "b a c d"


def all_pages(place: Place, order: list[str], limit: int, *, native: bool = True) -> str:
    """The runs of all pages."""
    found: list[str] = []
    token = ""
    for _ in range(100):
        page = place.search.search(order_by=order, limit=limit, page_token=token, native=native)
        assert len(page.runs) <= limit
        found += [run.id for run in page.runs]
        token = page.next_page_token
        if not token:
            break
    return " ".join(found)


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_pages_hold_every_run_once_and_in_order(four: Place, limit: int) -> None:
    for order, meant in ORDERS:
        assert (order, all_pages(four, order, limit)) == (order, meant)


def test_pages_in_mlflows_order_hold_every_run_once(four: Place) -> None:
    assert all_pages(four, ["params.depth"], 1, native=False) == four.found(order_by=["params.depth"], native=False)


def test_runs_of_some_experiments_are_found_by_name_and_by_number(place: Place) -> None:
    for name in ("one", "two", "three"):
        place.run(name, experiment=name)
    number = place.search.search("name = 'two'").runs[0].experiment
    found = place.search.search(experiments=["one", number]).runs
    assert {run.id for run in found} == {"one", "two"}


def test_an_experiment_that_is_not_there_is_told_with_near_names(place: Place) -> None:
    place.run("a", experiment="churn")
    with pytest.raises(NotFound, match="Did you mean 'churn'"):
        place.search.search(experiments=["chrun"])


def test_a_number_that_no_experiment_has_finds_nothing(place: Place) -> None:
    place.run("a")
    assert place.search.search(experiments=["123456"]).runs == []


def test_runs_in_the_trash_are_found_when_they_are_asked_for(place: Place) -> None:
    place.run("a")
    place.run("b")
    place.tracking.delete_run("a")
    ways = {way: [run.id for run in place.search.search(deleted=way).runs] for way in WAYS}
    assert ways == {"active": ["b"], "deleted": ["a"], "all": ["b", "a"]}


def test_runs_are_found_by_the_data_sets_that_they_used(place: Place) -> None:
    place.run("a", ends=False)
    place.run("b", ends=False)
    train = {"mlflow.data.context": "training"}
    place.inputs.log_inputs("a", [LoggedDataset(name="irises", digest="d1", tags=train)])
    place.inputs.log_inputs("b", [LoggedDataset(name="irises", digest="d2"), LoggedDataset(name="wine", digest="d1")])
    asked = {
        "datasets.name = 'irises'": "b a",
        "dataset.name = 'wine'": "b",
        "datasets.digest IN ('d2')": "b",
        "datasets.name != 'irises'": "b",
        "datasets.context = 'training'": "a",
        "datasets.context LIKE '%' AND datasets.name ILIKE 'IRIS%'": "a",
        "NOT datasets.name = 'wine'": "a",
    }
    assert {one: place.found(one) for one in asked} == asked


@pytest.mark.parametrize(
    "token",
    ["x", "!!!", "AAAA", "eyJvZmZzZXQiOiAyfQ", "W10", "é", "a" * 10_000],
)
def test_a_page_token_that_is_none_is_refused(place: Place, token: str) -> None:
    place.run("a")
    with pytest.raises(InvalidInput, match="page token"):
        place.search.search(page_token=token)


def test_a_page_token_of_another_search_is_refused(four: Place) -> None:
    token = four.search.search(limit=1).next_page_token
    with pytest.raises(InvalidInput, match="another search"):
        four.search.search("name = 'a'", page_token=token)


MADE_UP: list[list[Any]] = [
    [],
    [1],
    ["x", 0, 0, "a"],
    [0, "x", 0, "a"],
    [7, 0.5, 0, "a"],
    [None] * 4,
    [1 << 70, "a"],
    [1e300, "a"],
    [0, 1],
]


@pytest.mark.parametrize("order", [[], ["metrics.acc"], ["name"], ["end_time"], ["params.depth"]])
def test_a_page_token_that_was_made_up_is_refused_or_does_no_harm(four: Place, order: list[str]) -> None:
    for place in MADE_UP:
        token = _token(place, ["", [], order, "active", True])
        with contextlib.suppress(InvalidInput):
            assert len(four.search.search(order_by=order, page_token=token).runs) <= 4


def test_a_page_is_not_moved_by_runs_that_come_in_between(place: Place) -> None:
    for name in "abc":
        place.run(name)
    first = place.search.search(limit=2)
    place.run("new")
    rest = place.search.search(limit=2, page_token=first.next_page_token)
    assert [run.id for run in (*first.runs, *rest.runs)] == ["c", "b", "a"]


@pytest.mark.parametrize("limit", [0, -1, 50_001])
def test_too_many_runs_at_once_are_refused(place: Place, limit: int) -> None:
    with pytest.raises(InvalidInput):
        place.search.search(limit=limit)


HOSTILE = [
    "params.x = 'a''; DROP TABLE runs; --'",
    "params.`x'; DROP TABLE runs; --` = 'a'",
    'params."x"" OR 1=1 --" = "a"',
    "tags.x LIKE '%''%'",
    r"tags.x LIKE '\'",
    r"tags.x LIKE '%\'",
    "tags.x LIKE '[[[[['",
    "tags.x LIKE '" + "%a" * 5_000 + "'",
    "tags.x ILIKE '" + "_" * 5_000 + "'",
    "metrics.x > 1e308 AND metrics.x < -1e308",
    "start_time > 99999999999999999999",
    "params.x > 99999999999999999999999999999999999999999999",
    "params.x = ':x' AND tags.y = '%(y)s' AND tags.z = '?'",
    "run_id IN (" + ", ".join(f"'r{number}'" for number in range(4_000)) + ")",
    " AND ".join(f"metrics.m{number} > 1" for number in range(200)),
    " OR ".join(f"params.p{number} = 'x'" for number in range(200)),
    "NOT (" * 14 + "metrics.a > 1" + ")" * 14,
]


def test_a_hostile_filter_finds_nothing_and_breaks_nothing(place: Place) -> None:
    place.run("a", params={"x": "a" * 3_000}, metrics={"x": 0.5}, tags={"x": "b" * 3_000})
    for asked in HOSTILE:
        assert place.search.search(asked, order_by=["tags.`'; --`", 'metrics."x"']).runs == []
    assert len(place.search.search().runs) == 1


def test_the_columns_are_those_that_runs_have(four: Place) -> None:
    whole = four.search.columns()
    assert whole.params == ["depth", "kind", "note", "on", "rate"]
    assert whole.metrics == ["acc", "loss"]
    assert whole.tags == ["lower", "my key", "team"]
    second = four.search.columns(experiments=["second"])
    assert (second.params, second.metrics, second.runs) == (["note"], [], 1)


def test_runs_are_grouped_by_what_they_have_in_common(four: Place) -> None:
    given = four.search.group(["kind", "state"], ["count(metrics.acc)", "mean(metrics.acc)", "max(seconds)"])
    assert [(g.values, g.count, g.results) for g in given.groups] == [
        (["run", "finished"], 2, [2.0, 0.7, 10.0]),
        (["run", "running"], 1, [0.0, None, None]),
        (["training", "finished"], 1, [0.0, None, 10.0]),
    ]


def test_params_that_are_numbers_are_aggregated(four: Place) -> None:
    (group,) = four.search.group(["kind"], ["sum(params.depth)"], "kind = 'run'").groups
    assert group.results == [15.0]


def test_groups_are_limited_and_say_so(four: Place) -> None:
    given = four.search.group(["name"], limit=3)
    assert (len(given.groups), given.complete) == (3, False)


@pytest.mark.parametrize(
    ("by", "aggregate"),
    [
        (["started"], []),
        (["name DESC"], []),
        (["datasets.name"], []),
        (["name"] * 2, []),
        (["name"], ["median(metrics.acc)"]),
        (["name"], ["mean(name)"]),
        (["name"], ["mean(tags.x)"]),
        (["name"], ["metrics.acc"]),
        ([f"params.p{number}" for number in range(11)], []),
    ],
)
def test_what_cannot_be_grouped_is_refused(place: Place, by: list[str], aggregate: list[str]) -> None:
    with pytest.raises(InvalidInput):
        place.search.group(by, aggregate)


def test_a_pivot_is_a_table_of_groups(four: Place) -> None:
    given = four.search.pivot(["kind"], "params.kind", "max(metrics.acc)")
    assert given.rows == [["run"], ["training"]]
    assert given.columns == ["Tree", "tree", None]
    assert given.cells == [[0.9, 0.5, None], [None, None, None]]
    assert four.search.pivot(["kind"], "state").cells == [[2.0, 1.0], [1.0, None]]


def test_the_best_runs_lead_the_board(four: Place) -> None:
    board = four.search.leaderboard("first", "acc")
    assert [(s.rank, s.run.id, s.value, round(s.behind, 6)) for s in board.standings] == [
        (1, "b", 0.9, 0),
        (2, "a", 0.5, 0.4),
    ]
    assert board.direction == "max"


def test_less_of_a_loss_is_better(four: Place) -> None:
    board = four.search.leaderboard("", "loss")
    assert [s.run.id for s in board.standings] == ["a", "c"]
    assert [s.run.id for s in four.search.leaderboard("", "loss", "max").standings] == ["c", "a"]


def test_runs_of_equal_value_have_equal_ranks(place: Place) -> None:
    for name, value in (("a", 1.0), ("b", 1.0), ("c", 0.5)):
        place.run(name, metrics={"acc": value})
    assert [s.rank for s in place.search.leaderboard("first", "acc").standings] == [1, 1, 3]


LONG = "é" + 'a"\\\n' * 1_000 + "the end"


def test_params_too_long_for_an_index_are_compared_as_a_whole(place: Place) -> None:
    place.run("a", params={"long": LONG, "short": "x" * 367})
    place.run("b", params={"long": LONG + "."})
    inner = LONG.replace("'", "''")
    asked = {
        f"params.long = '{inner}'": "a",
        f"params.long != '{inner}'": "b",
        f"params.long IN ('{inner}.')": "b",
        "params.long LIKE '%the end'": "a",
        "params.long LIKE '%THE end'": "",
        "params.long ILIKE '%THE end.'": "b",
        "params.long LIKE 'éa\"%'": "b a",
        f"params.short LIKE '{'x' * 367}'": "a",
        "params.long LIKE '%...%'": "",
    }
    assert {one: place.found(one) for one in asked} == asked


def test_experiments_are_found_in_pages(place: Place, database: Database, blobs: Blobs, events: EventLog) -> None:
    experiments = Experiments(database, blobs, events, place.clock)
    for name, tags in (("churn", {"team": "red"}), ("Churn 2", {"team": "blue"}), ("spam", {})):
        experiments.create(name, tags)
        place.clock.advance(timedelta(seconds=1))
    number = experiments.get("spam").id
    asked = {
        "": "spam Churn 2 churn",
        "name = 'churn'": "churn",
        "attributes.name LIKE 'churn%'": "churn",
        "name ILIKE 'churn%'": "Churn 2 churn",
        "name IN ('spam', 'churn')": "spam churn",
        "tags.team != 'red'": "Churn 2",
        "tag.team IS NULL": "spam",
        f"experiment_id = '{number}'": "spam",
        f"experiment_id NOT IN ('{number}')": "Churn 2 churn",
        "creation_time >= 1767225601000": "spam Churn 2",
        "last_update_time < '2026-01-01T00:00:01Z' OR name = 'spam'": "spam churn",
        "name LIKE 'c%' AND NOT tags.team = 'blue'": "churn",
    }
    found = {one: " ".join(e.name for e in place.search.search_experiments(one).experiments) for one in asked}
    assert found == asked
    for order, meant in ((["creation_time"], "churn Churn 2 spam"), (["experiment_id DESC"], "spam Churn 2 churn")):
        names, token = [], ""
        for _ in range(3):
            page = place.search.search_experiments(order_by=order, limit=1, page_token=token)
            names += [one.name for one in page.experiments]
            token = page.next_page_token
        assert (" ".join(names), token) == (meant, "")


def test_experiments_in_the_trash_are_found_when_they_are_asked_for(
    place: Place, database: Database, blobs: Blobs, events: EventLog
) -> None:
    experiments = Experiments(database, blobs, events, place.clock)
    experiments.create("a")
    experiments.delete(experiments.create("b").id)
    found = {way: [e.name for e in place.search.search_experiments(deleted=way).experiments] for way in WAYS}
    assert found == {"active": ["a"], "deleted": ["b"], "all": ["a", "b"]}


def test_more_experiments_are_searched_than_a_statement_has_room_for(place: Place, database: Database) -> None:
    place.run("a", experiment="first")
    rows = [{"name": f"e{number}", "created": place.clock.now()} for number in range(40_000)]
    database.execute(sa.insert(_store.experiments), rows)
    names = [str(row.number) for row in database.rows(sa.select(_store.experiments.c.number))]
    assert len(names) > 40_000
    assert [run.id for run in place.search.search(experiments=names).runs] == ["a"]
