"""Searches are kept under names."""

from __future__ import annotations

from datetime import timedelta

import pytest

from flyball.clock import FixedClock
from flyball.errors import InvalidInput, NotFound
from flyball.storage.database import Database
from flyball.storage.event_log import EventLog
from flyball.storage.objects import Blobs
from flyball.tracking.saved_views import SavedViews


@pytest.fixture
def views(database: Database, blobs: Blobs, events: EventLog, clock: FixedClock) -> SavedViews:
    return SavedViews(database, blobs, events, clock)


def test_a_view_is_kept_as_it_is_given(views: SavedViews) -> None:
    given = views.save(
        "best",
        "metrics.acc > 0.5",
        ["metrics.acc DESC"],
        ["name", "params.`a b`", "metrics.acc"],
        experiments=["first"],
    )
    assert views.get("best") == given
    assert (given.filter, given.order_by, given.experiments) == ("metrics.acc > 0.5", ["metrics.acc DESC"], ["first"])


def test_a_view_of_the_same_name_is_replaced(views: SavedViews, clock: FixedClock) -> None:
    before = views.save("best", "name = 'a'", ["name"])
    clock.advance(timedelta(hours=1))
    after = views.save("best", "name = 'b'")
    assert views.list() == [after]
    assert (after.filter, after.order_by, after.created) == ("name = 'b'", [], before.created)
    assert after.updated > before.updated


def test_views_are_listed_by_name_and_kind(views: SavedViews) -> None:
    for name in ("b", "a", "c"):
        views.save(name)
    views.save("e", "name LIKE 'x%'", kind="experiments")
    assert [view.name for view in views.list(limit=2)] == ["a", "b"]
    assert [view.name for view in views.list(after="b")] == ["c"]
    assert [view.name for view in views.list("experiments")] == ["e"]


def test_a_view_is_removed(views: SavedViews) -> None:
    views.save("best")
    views.delete("best")
    with pytest.raises(NotFound):
        views.delete("best")


def test_a_view_that_is_not_there_is_told_with_near_names(views: SavedViews) -> None:
    views.save("nightly")
    with pytest.raises(NotFound, match="Did you mean 'nightly'"):
        views.get("nihgtly")


@pytest.mark.parametrize(
    ("name", "filter_", "order_by", "columns", "kind"),
    [
        ("", "", [], [], "runs"),
        ("a\nb", "", [], [], "runs"),
        ("a", "metrics.x >", [], [], "runs"),
        ("a", "", ["nonsense"], [], "runs"),
        ("a", "", [], ["nonsense"], "runs"),
        ("a", "", [], ["name"] * 201, "runs"),
        ("a", "metrics.x > 1", [], [], "experiments"),
    ],
)
def test_a_view_that_cannot_be_shown_is_refused(
    views: SavedViews, name: str, filter_: str, order_by: list[str], columns: list[str], kind: str
) -> None:
    with pytest.raises(InvalidInput):
        views.save(name, filter_, order_by, columns, kind)  # type: ignore[arg-type]  # what is refused
