from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flyball.clock import FixedClock
from flyball.errors import InvalidInput
from flyball.lineage import ColumnEdge, Edge, Lineage
from flyball.storage.database import Database
from flyball.storage.event_log import EventLog

SNAPSHOT, RUN, VERSION = "snapshots:/orders/3f2a", "runs:/r1", "models:/churn/1"


@pytest.fixture
def lineage(database: Database, events: EventLog, clock: FixedClock) -> Lineage:
    return Lineage(database, events, clock)


@pytest.fixture
def chain(lineage: Lineage) -> Lineage:
    lineage.link(SNAPSHOT, RUN, "trained_on")
    lineage.link(RUN, VERSION, "produced")
    lineage.link(VERSION, "deployments:/churn", "served_as")
    return lineage


def test_upstream_leads_back_to_the_sources_nearest_first(chain: Lineage) -> None:
    assert [edge.source for edge in chain.upstream("deployments:/churn")] == [VERSION, RUN, SNAPSHOT]


def test_downstream_leads_to_what_came_of_it(chain: Lineage) -> None:
    assert [edge.target for edge in chain.downstream(RUN)] == [VERSION, "deployments:/churn"]


def test_depth_ends_the_walk(chain: Lineage) -> None:
    assert [edge.source for edge in chain.upstream("deployments:/churn", depth=1)] == [VERSION]


def test_a_thing_without_edges_has_no_lineage(lineage: Lineage) -> None:
    assert lineage.upstream(RUN) == []


def test_an_edge_tells_its_relation_and_time(lineage: Lineage, clock: FixedClock) -> None:
    lineage.link(SNAPSHOT, RUN, "trained_on")
    assert lineage.upstream(RUN) == [Edge(source=SNAPSHOT, target=RUN, relation="trained_on", at=clock.now())]


def test_the_same_edge_twice_is_one_edge(lineage: Lineage) -> None:
    lineage.link(SNAPSHOT, RUN, "trained_on")
    lineage.link(SNAPSHOT, RUN, "trained_on")
    assert len(lineage.upstream(RUN)) == 1


def test_a_circle_is_walked_once(lineage: Lineage) -> None:
    lineage.link("loops:/a", "runs:/b", "started")
    lineage.link("runs:/b", "loops:/a", "changed")
    assert len(lineage.upstream("loops:/a", depth=100)) == 2


def test_a_thing_reached_on_many_paths_gives_each_edge_once(lineage: Lineage) -> None:
    # 2 ** 30 paths lead through this ladder.
    for step in range(30):
        for side in "xy":
            lineage.link(f"runs:/{step}", f"artifacts:/{side}{step}", "wrote")
            lineage.link(f"artifacts:/{side}{step}", f"runs:/{step + 1}", "read")
    assert len(lineage.upstream("runs:/30", depth=100)) == 120


def test_an_edge_of_a_transaction_that_failed_is_not_there(lineage: Lineage, database: Database) -> None:
    def write_and_fail() -> None:
        with database.transaction() as connection:
            lineage.add(connection, SNAPSHOT, RUN, "trained_on")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_and_fail()
    assert lineage.upstream(RUN) == []


@pytest.mark.parametrize(
    "bad", ["", "orders", "nothing:/x", "snapshots:/", "snapshots:/a/b/c", "runs:/a\0b", "runs:/" + "x" * 300]
)
def test_what_is_no_reference_is_refused(lineage: Lineage, bad: str) -> None:
    with pytest.raises(InvalidInput):
        lineage.link(bad, RUN, "trained_on")
    with pytest.raises(InvalidInput):
        lineage.upstream(bad)


@pytest.mark.parametrize("bad", ["", "a b", "x" * 41, "drop;table"])
def test_what_is_no_relation_is_refused(lineage: Lineage, bad: str) -> None:
    with pytest.raises(InvalidInput):
        lineage.link(SNAPSHOT, RUN, bad)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=20))
def test_what_is_upstream_of_a_thing_has_it_downstream(lineage: Lineage, pairs: list[tuple[int, int]]) -> None:
    for source, target in pairs:
        lineage.link(f"runs:/{source}", f"runs:/{target}", "read")
    for edge in lineage.upstream("runs:/0", depth=100):
        assert any(down.target == "runs:/0" for down in lineage.downstream(edge.source, depth=100))


def test_versions_are_walked_where_they_are_asked_for(chain: Lineage) -> None:
    assert [edge.target for edge in chain.downstream("datasets:/orders", versions=True)][:2] == [SNAPSHOT, RUN]
    assert "datasets:/orders" in [edge.source for edge in chain.upstream("deployments:/churn", versions=True)]
    assert chain.upstream("models:/churn", versions=True)[0].source == VERSION


def columns(lineage: Lineage, *edges: tuple[str, str, str, str]) -> None:
    for target in {edge[2] for edge in edges}:
        made = [
            ColumnEdge(source=s, source_column=sc, target=t, target_column=tc, direct=True, how="identity")
            for s, sc, t, tc in edges
            if t == target
        ]
        with lineage._database.transaction() as connection:
            lineage.set_columns(connection, target, made)


def test_columns_are_followed_both_ways(lineage: Lineage) -> None:
    columns(lineage, ("datasets:/a", "x", "datasets:/b", "y"), ("datasets:/b", "y", "features:/c", "z"))
    assert [edge.source for edge in lineage.columns("features:/c", "z")] == ["datasets:/b", "datasets:/a"]
    assert [edge.target for edge in lineage.columns("datasets:/a", "x", upstream=False)] == [
        "datasets:/b",
        "features:/c",
    ]
    assert lineage.columns("features:/c", "other") == []


def test_columns_that_are_said_anew_replace_the_former(lineage: Lineage) -> None:
    columns(lineage, ("datasets:/a", "x", "datasets:/b", "y"))
    columns(lineage, ("datasets:/a", "w", "datasets:/b", "y"))
    assert [edge.source_column for edge in lineage.columns("datasets:/b")] == ["w"]


def test_a_star_may_mean_any_column(lineage: Lineage) -> None:
    columns(lineage, ("datasets:/a", "*", "datasets:/b", "*"), ("datasets:/b", "y", "features:/c", "z"))
    assert [edge.source for edge in lineage.columns("features:/c", "z")] == ["datasets:/b", "datasets:/a"]
