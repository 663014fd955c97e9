"""Runs become tables."""

from __future__ import annotations

import pytest

from flyball.clock import FixedClock
from flyball.errors import InvalidInput
from flyball.storage.database import Database
from flyball.storage.event_log import EventLog
from flyball.storage.objects import Blobs
from flyball.tracking import frame
from flyball.tracking.frame import runs_table
from tests.tracking.searching import Place, place_of


@pytest.fixture
def place(database: Database, blobs: Blobs, events: EventLog, clock: FixedClock) -> Place:
    made = place_of(database, blobs, events, clock)
    made.run("a", params={"depth": 1, "rate": 0.5, "mixed": "x", "on": True}, metrics={"acc": 0.5})
    made.run("b", params={"depth": 2, "rate": 1, "mixed": 2, "a b": None}, metrics={"acc": None}, tags={"team": "red"})
    return made


def test_a_table_has_a_row_for_each_run_and_a_column_for_each_key(place: Place) -> None:
    table = runs_table(place.search, order_by=["name"])
    assert table.columns == [
        *frame.ATTRIBUTES,
        "params.`a b`",
        "params.depth",
        "params.mixed",
        "params.on",
        "params.rate",
        "metrics.acc",
        "tags.team",
    ]
    first, second = table.to_pylist()
    assert (first["id"], first["seconds"], first["params.depth"], first["metrics.acc"]) == ("a", 10.0, 1, 0.5)
    assert (second["metrics.acc"], second["tags.team"], second["params.on"]) == (None, "red", None)


def test_a_params_column_has_the_type_that_all_values_have(place: Place) -> None:
    schema = runs_table(place.search).arrow.schema
    found = {name: str(schema.field(f"params.{name}").type) for name in ("depth", "rate", "mixed", "on")}
    assert found == {"depth": "int64", "rate": "double", "mixed": "string", "on": "bool"}


def test_pandas_and_polars_take_the_table(place: Place) -> None:
    table = runs_table(place.search, "metrics.acc > 0", columns=["name", "metrics.acc"])
    assert table.to_pandas().to_dict("records") == [{"name": "a", "metrics.acc": 0.5}]
    assert table.to_polars().rows() == [("a", 0.5)]
    assert "<table" in table._repr_html_()


def test_a_table_of_no_runs_has_the_columns_that_are_always_there(place: Place) -> None:
    table = runs_table(place.search, "name = 'nobody'")
    assert (len(table), table.columns) == (0, list(frame.ATTRIBUTES))


def test_more_runs_are_read_than_a_page_holds(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frame, "_PAGE", 2)
    for number in range(5):
        place.run(f"r{number}")
    assert len(runs_table(place.search)) == 7
    assert len(runs_table(place.search, limit=3)) == 3
    assert len(runs_table(place.search, limit=0)) == 0


@pytest.mark.parametrize("columns", [["nonsense"], ["params."], ["other.x"]])
def test_a_column_that_is_not_there_is_refused(place: Place, columns: list[str]) -> None:
    with pytest.raises(InvalidInput):
        runs_table(place.search, columns=columns)


def test_a_negative_limit_is_refused(place: Place) -> None:
    with pytest.raises(InvalidInput):
        runs_table(place.search, limit=-1)
