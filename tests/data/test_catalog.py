from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

import flyball as fb
from flyball.clock import FixedClock
from flyball.data.catalog import Catalog
from flyball.data.snapshot import take_snapshot
from flyball.errors import Conflict, InvalidInput, NotFound
from flyball.workspace import Workspace


@pytest.fixture
def catalog(workspace: Workspace, tmp_path: Path) -> Catalog:
    """A catalog of two datasets, the first with columns, and a feature view made from it."""
    csv = tmp_path / "flights.csv"
    csv.write_text("flight_id,carrier,departureDelay\n1,UA,3\n2,AA,9\n")
    flights = fb.dataset("flights", "flights.csv", key="flight_id", description="Every take-off from New York")
    take_snapshot(workspace.data, workspace.blobs, flights, root=tmp_path)
    workspace.data.declare(fb.dataset("weather", "w.csv", description="Wetter in Zürich; 東京の天気"))
    workspace.features.declare(
        fb.feature_view(
            "delays", entity="carrier", time="at", owner="ann", description="How late a carrier is", inputs=[flights],
            sql="SELECT carrier, now() AS at, avg(departureDelay) AS mean_delay FROM flights GROUP BY carrier",
        )
    )  # fmt: skip
    return workspace.catalog


def refs(catalog: Catalog, words: str, **how: object) -> list[str]:
    return [hit.ref for hit in catalog.search(words, **how)]  # type: ignore[arg-type]  # each test gives what it takes


WORDS = {
    "flights": ["datasets:/flights", "features:/delays"],
    "TAKE off": ["datasets:/flights"],
    "fligh": ["datasets:/flights", "features:/delays"],
    "departure": ["datasets:/flights", "features:/delays"],
    "zurich": ["datasets:/weather"],
    "Zürich": ["datasets:/weather"],
    "東京": ["datasets:/weather"],
    '"new york"': ["datasets:/flights"],
    '"york new"': [],
    "mean_delay": ["features:/delays"],
    "ann": ["features:/delays"],
    "flights weather": [],
}
TYPED = ("flights'", 'flights"', "flights*", "flights:*", "(flights", "flights)", "flights\\", "-flights", "flights;--")
OPERATORS = ("NEAR flights", "flights AND NOT delays", "title_words : flights", "x OR flights")


def test_words_find_names_columns_descriptions_and_owners(catalog: Catalog) -> None:
    assert {words: sorted(refs(catalog, words)) for words in WORDS} == WORDS


def test_the_index_s_own_language_is_only_text(catalog: Catalog) -> None:
    assert [words for words in TYPED if "datasets:/flights" not in refs(catalog, words)] == []


def test_operators_are_words_like_others(catalog: Catalog) -> None:
    assert [words for words in OPERATORS if refs(catalog, words)] == []


def test_words_without_a_letter_are_refused(catalog: Catalog) -> None:
    with pytest.raises(InvalidInput, match="no word"):
        catalog.search("!!!")


def test_no_words_list_everything(catalog: Catalog) -> None:
    assert refs(catalog, "") == ["datasets:/flights", "datasets:/weather", "features:/delays"]


def test_the_name_weighs_more_than_the_text(catalog: Catalog) -> None:
    assert refs(catalog, "flights")[0] == "datasets:/flights"


def test_a_hit_names_the_columns_that_fit(catalog: Catalog) -> None:
    assert catalog.search("departure")[0].columns == ("departureDelay",)


def test_a_search_can_be_narrowed(catalog: Catalog) -> None:
    catalog.tag("datasets:/flights", {"team": "ops"})
    assert refs(catalog, "flights", kinds=["features"]) == ["features:/delays"]
    assert refs(catalog, "", owner="ann") == ["features:/delays"]
    assert refs(catalog, "", tag="team") == refs(catalog, "", tag="team=ops") == ["datasets:/flights"]
    assert refs(catalog, "", tag="team=x") == []


def test_what_people_say_is_found_at_once(catalog: Catalog) -> None:
    catalog.describe("flights", columns={"carrier": "Airline by its IATA code"}, licence="CC-BY-4.0")
    catalog.own("flights", "bob@example.org")
    catalog.tag("flights", {"domain": "aviation"})
    for words in ("airline", "iata", "cc-by", "bob", "bob@example.org", "aviation"):
        assert refs(catalog, words) == ["datasets:/flights"], words


def test_a_changed_declaration_is_found_by_its_new_words_alone(catalog: Catalog, workspace: Workspace) -> None:
    assert refs(catalog, "wetter") == ["datasets:/weather"]
    workspace.data.declare(fb.dataset("weather", "w.csv", description="Rain and wind"))
    assert refs(catalog, "rain") == ["datasets:/weather"]
    assert refs(catalog, "wetter") == []


def test_what_people_said_survives_a_new_declaration(catalog: Catalog, workspace: Workspace) -> None:
    catalog.own("datasets:/weather", "bob")
    workspace.data.declare(fb.dataset("weather", "w.csv", description="Rain and wind"))
    entry = catalog.get("datasets:/weather")
    assert (entry.owner, entry.description) == ("bob", "Rain and wind")


def test_an_entry_tells_columns_and_their_descriptions(catalog: Catalog) -> None:
    entry = catalog.describe("flights", columns={"carrier": "Airline"}, column_pii={"flight_id": "id"})
    assert [(c.name, c.type, c.description, c.pii) for c in entry.columns] == [
        ("flight_id", "int", "", "id"), ("carrier", "string", "Airline", ""), ("departureDelay", "int", "", ""),
    ]  # fmt: skip
    assert entry.pii == "personal"


def test_what_is_said_of_personal_data_is_one_word_wherever_it_is_said(catalog: Catalog, workspace: Workspace) -> None:
    catalog.describe("flights", column_pii={"flight_id": "id", "carrier": "none"})
    said = workspace.quality.pii_classes("flights")
    assert (said.declared, said.cleared) == ({"flight_id": "id"}, ("carrier",))
    workspace.quality.declare_pii("flights", "flight_id", "none")
    workspace.quality.declare_pii("flights", "carrier", "other")
    entry = catalog.get("flights")
    assert [column.pii for column in entry.columns] == ["none", "other", ""]
    catalog.describe("flights", column_pii={"carrier": ""})
    entry = catalog.get("flights")
    assert ([column.pii for column in entry.columns], entry.pii) == (["none", "", ""], "")
    with pytest.raises(InvalidInput, match="no class of personal data 'mial'"):
        catalog.describe("flights", column_pii={"flight_id": "mial"})


def test_an_empty_text_takes_back_what_was_said(catalog: Catalog) -> None:
    catalog.describe("flights", description="Mine", columns={"carrier": "Airline"})
    entry = catalog.describe("flights", description="", columns={"carrier": ""})
    assert (entry.description, entry.columns[1].description) == ("Every take-off from New York", "")


def test_a_column_that_is_not_there_is_refused(catalog: Catalog) -> None:
    with pytest.raises(InvalidInput, match=r"no column 'carier'.*Did you mean 'carrier'"):
        catalog.describe("flights", columns={"carier": "x"})


def test_an_unknown_thing_is_named_with_near_ones(catalog: Catalog) -> None:
    with pytest.raises(NotFound, match="datasets:/flights"):
        catalog.get("datasets:/flihgts")


def test_a_tag_can_be_taken_away(catalog: Catalog) -> None:
    catalog.tag("flights", {"a": "1", "b": "2"})
    assert catalog.untag("flights", ["a"]).tags == {"b": "2"}
    with pytest.raises(NotFound):
        catalog.untag("flights", ["a"])


def test_freshness_is_judged_by_what_is_expected(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x\n1\n")
    taken = take_snapshot(workspace.data, workspace.blobs, "a", str(tmp_path / "a.csv"), root=tmp_path)
    catalog = workspace.catalog
    assert catalog.get("a").freshness.is_fresh is None  # type: ignore[union-attr]  # a snapshot was taken
    clock = FixedClock(taken.created + timedelta(hours=3))
    catalog._clock = clock
    assert catalog.describe("a", fresh_within="4h").freshness.is_fresh is True  # type: ignore[union-attr]  # as above
    clock.advance(timedelta(hours=2))
    freshness = catalog.get("a").freshness
    assert freshness is not None
    assert (freshness.is_fresh, freshness.age_seconds) == (False, 5 * 3600)


def test_usage_goes_through_snapshots_and_versions(catalog: Catalog, workspace: Workspace) -> None:
    id_ = workspace.data.get_snapshot("flights").id
    workspace.lineage.link(f"snapshots:/flights/{id_}", "runs:/r1", "trained_on")
    workspace.lineage.link("runs:/r1", "models:/late/1", "produced")
    used = [(use.ref, use.relation, use.steps) for use in catalog.usage("datasets:/flights")]
    assert ("runs:/r1", "trained_on", 1) in used
    assert ("models:/late/1", "produced", 2) in used
    assert ("features:/delays", "feature_source", 1) in used
    assert catalog.usage("models:/late") == []


def test_a_model_leads_back_to_the_dataset(catalog: Catalog, workspace: Workspace) -> None:
    id_ = workspace.data.get_snapshot("flights").id
    workspace.lineage.link(f"snapshots:/flights/{id_}", "models:/late/1", "trained_on")
    assert [edge.source for edge in catalog.lineage("models:/late/1")] == [
        f"snapshots:/flights/{id_}",
        "datasets:/flights",
    ]


def test_columns_of_a_view_lead_back_to_those_of_its_dataset(catalog: Catalog) -> None:
    found = {(e.target_column, e.source, e.source_column, e.direct, e.how) for e in catalog.column_lineage("delays")}
    assert found == {
        ("carrier", "datasets:/flights", "carrier", True, "identity"),
        ("carrier", "datasets:/flights", "carrier", False, "group_by"),
        ("at", "datasets:/flights", "carrier", False, "group_by"),
        ("mean_delay", "datasets:/flights", "departureDelay", True, "aggregation"),
        ("mean_delay", "datasets:/flights", "carrier", False, "group_by"),
    }


def test_columns_lead_down_too(catalog: Catalog) -> None:
    catalog.get("delays")
    down = catalog.column_lineage("flights", "departureDelay", upstream=False)
    assert [(edge.target, edge.target_column) for edge in down] == [("features:/delays", "mean_delay")]


def test_access_is_asked_for_and_granted(catalog: Catalog) -> None:
    asked = catalog.request_access("flights", "carl", "writer", reason="new pipeline")
    assert [each.state for each in catalog.list_access("flights")] == ["requested"]
    granted = catalog.grant_access(asked.id, by="ann", note="fine", until="2100-01-01")
    assert (granted.state, granted.by, granted.who, granted.role) == ("granted", "ann", "carl", "writer")
    assert catalog.list_access(state="granted") == [granted]


def test_the_same_wish_twice_is_refused(catalog: Catalog) -> None:
    asked = catalog.request_access("flights", "carl")
    with pytest.raises(Conflict):
        catalog.request_access("flights", "carl")
    catalog.refuse_access(asked.id, by="ann")
    assert catalog.request_access("flights", "carl").state == "requested"


def test_a_refused_wish_stays_refused(catalog: Catalog) -> None:
    asked = catalog.request_access("flights", "carl")
    catalog.refuse_access(asked.id)
    with pytest.raises(Conflict):
        catalog.grant_access(asked.id)


def test_an_unknown_role_is_refused(catalog: Catalog) -> None:
    with pytest.raises(InvalidInput, match="no role"):
        catalog.request_access("flights", "carl", "king")


def test_what_a_room_removes_leaves_the_catalog_with_what_was_said(workspace: Workspace) -> None:
    workspace.registered_models.create("late", "Predicts")
    catalog = workspace.catalog
    catalog.own("models:/late", "ann")
    workspace.registered_models.delete("late")
    assert refs(catalog, "late") == []
    workspace.registered_models.create("late", "Again")
    assert catalog.get("models:/late").owner == ""


def test_a_renamed_model_keeps_what_was_said(workspace: Workspace) -> None:
    workspace.registered_models.create("late")
    workspace.catalog.own("models:/late", "ann")
    workspace.registered_models.rename("late", "delay")
    assert workspace.catalog.get("models:/delay").owner == "ann"
    assert refs(workspace.catalog, "late") == []


def test_a_rebuild_finds_the_same(catalog: Catalog) -> None:
    catalog.own("flights", "ann")
    before = catalog.search("ann")
    assert catalog.rebuild() == 3
    assert {hit.ref for hit in catalog.search("ann")} == {hit.ref for hit in before}


def test_a_catalog_that_was_made_before_learns_of_the_rest(catalog: Catalog, workspace: Workspace) -> None:
    catalog.search("")
    for number in range(3):
        workspace.data.declare(fb.dataset(f"more{number}", "x.csv"))
    assert refs(catalog, "more") == ["datasets:/more0", "datasets:/more1", "datasets:/more2"]


def test_a_bare_name_of_two_things_must_say_which(catalog: Catalog, workspace: Workspace) -> None:
    workspace.data.declare(fb.dataset("delays", "d.csv"))
    with pytest.raises(InvalidInput, match="Several things"):
        catalog.get("delays")
