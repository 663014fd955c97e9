from __future__ import annotations

from typing import Any

import pytest

from flyball.errors import InvalidInput, NotFound
from flyball.features.views import Features, FeatureView, feature_view
from flyball.serialization import from_json, to_json
from flyball.storage.event_log import EventLog
from flyball.verbs import verbs_of


def a_view(name: str = "weather", **more: Any) -> FeatureView:
    return feature_view(name, "data/weather.parquet", **{"entity": "origin", "time": "at", "ttl": "3h", **more})


def test_a_declared_view_is_found(features: Features) -> None:
    view = a_view(columns=["temp"], created="seen")
    assert features.declare(view) == view
    assert features.get("weather") == view
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
    ],
)
def test_a_declaration_that_cannot_be_used_is_refused(more: dict[str, Any], found: str) -> None:
    with pytest.raises(InvalidInput, match=found):
        a_view(**more)


def test_a_view_survives_the_wire() -> None:
    assert from_json(to_json(a_view()), FeatureView) == a_view()
    assert set(verbs_of(Features)) == {"declare", "get", "list"}
