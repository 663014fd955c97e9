from __future__ import annotations

from dataclasses import replace
from typing import Any

import pyarrow as pa
import pytest

from flyball.errors import Conflict, InvalidInput, NotFound
from flyball.features.views import Features, FeatureView, feature_view
from flyball.features.windows import window
from flyball.lineage import Lineage
from flyball.schema import Schema
from flyball.serialization import from_json, to_json
from flyball.storage.database import Database
from flyball.storage.event_log import EventLog
from flyball.verbs import verbs_of


def a_view(name: str = "weather", **more: Any) -> FeatureView:
    return feature_view(name, "data/weather.parquet", **{"entity": "origin", "time": "at", "ttl": "3h", **more})


def test_a_declared_view_is_found(features: Features) -> None:
    view = a_view(columns=["temp"], created="seen")
    assert features.declare(view) == replace(view, version=1)
    assert features.get("weather") == replace(view, version=1)
    assert (view.entity, view.ttl_seconds, view.columns) == (("origin",), 10800.0, ("temp",))


def test_declaring_again_writes_an_event_only_on_change(features: Features, events: EventLog) -> None:
    features.declare(a_view())
    features.declare(a_view())
    features.declare(a_view(ttl=None))
    told = [(event.kind, event.subject) for event in events.list()]
    assert told == [("features.view_declared", "features:/weather")] * 2
    assert features.get("weather").ttl_seconds is None


def test_an_unknown_view_names_near_ones(features: Features) -> None:
    features.declare(a_view())
    with pytest.raises(NotFound, match="Did you mean 'weather'"):
        features.get("wether")


def test_views_are_listed_in_pages(features: Features) -> None:
    for name in ("b", "a", "c"):
        features.declare(a_view(name))
    assert [view.name for view in features.list(limit=2)] == ["a", "b"]
    assert [view.name for view in features.list(after="b")] == ["c"]


@pytest.mark.parametrize(
    ("more", "found"),
    [
        ({"entity": ()}, "no entity"),
        ({"time": ""}, "no time"),
        ({"ttl": "soon"}, "not a duration"),
        ({"columns": ["at"]}, "names column 'at' twice"),
        ({"created": "origin"}, "names column 'origin' twice"),
        ({"sql": "SELECT 1"}, "no database"),
        ({"windows": [window("temp", "mean", over="1h")]}, "windows, and columns or a ttl"),
        ({"ttl": None, "windows": [window("temp", "mean", over="1h", by="dest")]}, "is by dest"),
    ],
)
def test_a_declaration_that_cannot_be_used_is_refused(more: dict[str, Any], found: str) -> None:
    with pytest.raises(InvalidInput, match=found):
        a_view(**more)


def test_a_view_survives_the_wire() -> None:
    assert from_json(to_json(a_view()), FeatureView) == a_view()
    assert {"declare", "get", "list", "history", "describe", "delete", "plan_of"} <= set(verbs_of(Features))


def test_what_changes_the_values_is_a_new_version_and_the_old_one_stays(features: Features) -> None:
    features.declare(a_view())
    assert features.declare(a_view(ttl="6h")).version == 2
    assert features.get("weather@1").ttl_seconds == 10800.0
    assert features.get("weather").ttl_seconds == 21600.0
    assert features.get("features:/weather/1") == features.get("weather", 1)
    assert [(one.view.version, one.is_latest) for one in features.history("weather")] == [(2, True), (1, False)]


def test_words_about_a_view_are_put_right_in_place(features: Features) -> None:
    features.declare(a_view())
    said = features.declare(a_view(owner="ann", tags={"kind": "weather"}, description="At the airport."))
    assert said.version == 1
    assert features.get("weather@1").owner == "ann"


def test_a_deleted_view_is_gone_and_its_versions_stay(features: Features) -> None:
    features.declare(a_view())
    features.delete("weather")
    with pytest.raises(NotFound):
        features.get("weather")
    assert features.list() == []
    assert features.get("weather@1").version == 1
    assert features.declare(a_view()).version == 2


@pytest.mark.parametrize("name", ["weather@x", "weather@7", "weather@99999999999"])
def test_a_version_that_is_none_is_told(features: Features, name: str) -> None:
    features.declare(a_view())
    with pytest.raises((NotFound, InvalidInput), match="version"):
        features.get(name)


def test_what_a_run_was_made_with_is_kept_and_adds_up(features: Features, database: Database) -> None:
    schema = Schema.of(pa.table({"origin": ["JFK"], "temp": [1.0]}))
    plans = []
    for name in ("weather", "wind"):
        view = features.declare(a_view(name))
        features.set_schema(name, 1, schema)
        plans.append(features.plan_of([name]))
        features.record_use("run1", plans[-1])
        assert features.describe(name).schema == schema
        assert view.version == 1
    found = features.used_by("run1")
    assert found is not None
    assert [planned.view.label for planned in found.views] == ["weather@1", "wind@1"]
    edges = Lineage(database, features._events, features._clock).upstream("runs:/run1")
    assert {edge.source for edge in edges} == {"features:/weather/1", "features:/wind/1"}
    assert features.used_by("other") is None


def test_a_named_set_is_found_with_its_versions(features: Features) -> None:
    features.declare(a_view())
    features.set_schema("weather", 1, Schema.of(pa.table({"origin": ["JFK"], "temp": [1.0]})))
    plan = replace(features.plan_of(["weather@1"]), name="late-v1")
    assert features.declare_set(plan) == plan == features.get_set("late-v1") == features.plan_of(["late-v1"])
    assert features.list_sets() == ["late-v1"]
    with pytest.raises(NotFound, match="late-v1"):
        features.get_set("late-v2")


def test_a_view_whose_rows_nobody_has_read_has_no_plan(features: Features) -> None:
    features.declare(a_view())
    with pytest.raises(Conflict, match="materialize weather"):
        features.plan_of(["weather"])
