"""Searches through a server give what they give here."""

from __future__ import annotations

from typing import Any

import pytest

from flyball.client import RemoteWorkspace
from flyball.errors import InvalidInput, NotFound
from flyball.tracking.frame import runs_table
from flyball.workspace import Workspace


@pytest.fixture
def two(workspace: Workspace) -> Workspace:
    for name, depth in (("a", 1), ("b", 2)):
        workspace.tracking.create_run("first", name=name, id=name, params={"depth": depth}, tags={"team": "red"})
        workspace.tracking.finish_run(name)
    return workspace


def test_runs_are_found_through_a_server(two: Workspace, remote: RemoteWorkspace) -> None:
    asked: dict[str, Any] = {
        "filter": "params.depth > 0",
        "experiments": ["first"],
        "order_by": ["params.depth"],
        "limit": 1,
        "total": True,
    }
    page = remote.run_search.search(**asked)
    assert page == two.run_search.search(**asked)
    assert (page.runs[0].id, page.total) == ("a", 2)
    rest = remote.run_search.search(**asked, page_token=page.next_page_token)
    assert [run.id for run in rest.runs] == ["b"]


def test_a_filter_longer_than_an_address_is_taken(two: Workspace, remote: RemoteWorkspace) -> None:
    listed = ", ".join(f"'{number:032}'" for number in range(2_000))
    assert remote.run_search.search(f"run_id IN ({listed}, 'a')").runs[0].id == "a"


def test_an_error_of_a_filter_comes_back_as_it_is(two: Workspace, remote: RemoteWorkspace) -> None:
    with pytest.raises(InvalidInput, match="character 16"):
        remote.run_search.search("params.depth > >")
    with pytest.raises(NotFound, match="first"):
        remote.run_search.search(experiments=["frist"])


def test_all_that_can_be_asked_goes_through_a_server(two: Workspace, remote: RemoteWorkspace) -> None:
    here, there = two.run_search, remote.run_search
    assert there.columns(["first"]) == here.columns(["first"])
    assert there.group(["tags.team"], ["sum(params.depth)"]) == here.group(["tags.team"], ["sum(params.depth)"])
    assert there.pivot(["tags.team"], "params.depth") == here.pivot(["tags.team"], "params.depth")
    assert there.compare(["a", "b"]) == here.compare(["a", "b"])
    assert there.leaderboard("first", "loss") == here.leaderboard("first", "loss")
    assert there.search_experiments("name = 'first'") == here.search_experiments("name = 'first'")
    assert runs_table(there, order_by=["name"]).to_pylist() == runs_table(here, order_by=["name"]).to_pylist()


def test_views_and_the_trash_go_through_a_server(two: Workspace, remote: RemoteWorkspace) -> None:
    assert remote.saved_views.save("all", "params.depth > 0") == two.saved_views.get("all")
    assert remote.saved_views.list() == two.saved_views.list()
    assert remote.trash.bulk_tag({"x": "y"}, runs=["a"]).runs == ["a"]
    assert remote.trash.bulk_delete(filter="tags.x = 'y'").runs == ["a"]
    assert remote.trash.bulk_restore(runs=["a"]).runs == ["a"]
    report = remote.trash.gc()
    assert (report.dry_run, report.runs) == (True, 0)
