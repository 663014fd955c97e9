from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from flyball.clock import FixedClock
from flyball.errors import Conflict, InvalidInput, NotFound
from flyball.evaluation.scores import evaluate
from flyball.lineage import Lineage
from flyball.models.package import ModelPackage, load_model
from flyball.registry.versions import GateDecision, ModelVersion, Registry, Verdict
from flyball.serialization import digest, from_json, to_json
from flyball.storage.database import Database
from flyball.storage.event_log import EventLog
from flyball.storage.objects import Blobs
from flyball.verbs import verbs_of

AT = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def three(registry: Registry, package: ModelPackage) -> Registry:
    for _ in range(3):
        registry.register("churn", package)
    return registry


def in_threads(count: int, work: Callable[[int], Any]) -> None:
    failures: list[Exception] = []

    def guarded(number: int) -> None:
        try:
            work(number)
        except Exception as error:  # noqa: BLE001  # the test looks at whatever it is
            failures.append(error)

    threads = [threading.Thread(target=guarded, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_a_version_keeps_what_it_was_made_from(
    registry: Registry, package: ModelPackage, blobs: Blobs, clock: FixedClock
) -> None:
    evaluation = evaluate([True, False] * 50, [0.9, 0.1] * 50, slices={"plan": ["a", "b"] * 50}, min_slice=10)
    holdout, reference = blobs.put(b"rows"), blobs.put(b"reference")
    made = registry.register(
        "churn",
        package,
        run="r1",
        evaluation=evaluation,
        holdout=holdout,
        label="left",
        slices=("plan",),
        reference=reference,
        snapshots=("snapshots:/orders/3f2a",),
        code="c0de",
        params={"depth": 3, "layers": [1, 2]},
        description="first",
        tags={"team": "a"},
    )
    assert (made.version, made.stage, made.package, made.evaluation) == (1, "candidate", package, evaluation)
    assert (made.holdout, made.reference, made.label, made.slices) == (holdout, reference, "left", ("plan",))
    assert (made.params, made.tags, made.created) == ({"depth": 3, "layers": [1, 2]}, {"team": "a"}, clock.now())
    assert registry.get_version("churn/1") == made


def test_a_version_survives_the_wire(registry: Registry, package: ModelPackage) -> None:
    made = registry.register("churn", package)
    assert from_json(to_json(made), ModelVersion) == made


def test_a_registered_package_can_be_loaded(registry: Registry, package: ModelPackage, blobs: Blobs) -> None:
    registry.register("churn", package)
    model = load_model(registry.get_version("churn").package, blobs)
    assert model.example is not None
    assert model.predict(model.example)["prediction"].to_pylist() == [7, 7]


def test_the_verbs_can_be_told_to_the_outside() -> None:
    verbs = verbs_of(Registry)
    assert {name for name, verb in verbs.items() if verb.effect == "read"} == {
        "get_version",
        "list_models",
        "list_versions",
        "find_by_run",
        "alias_history",
    }


def test_versions_are_numbered_without_gaps_by_many_writers(registry: Registry, package: ModelPackage) -> None:
    in_threads(6, lambda _: registry.register("churn", package))
    assert [found.version for found in registry.list_versions("churn")] == [6, 5, 4, 3, 2, 1]


def test_a_registration_that_fails_takes_no_number(registry: Registry, package: ModelPackage) -> None:
    with pytest.raises(InvalidInput):
        registry.register("churn", package, snapshots=("orders@x/y",))
    assert registry.register("churn", package).version == 1


def test_the_same_package_of_a_run_is_registered_once(
    registry: Registry, package: ModelPackage, events: EventLog
) -> None:
    first = registry.register("churn", package, run="r1")
    assert registry.register("churn", package, run="r1", description="again") == first
    assert len(events.list(kinds=["registry.version_registered"])) == 1


def test_many_that_register_the_same_make_one_version(registry: Registry, package: ModelPackage) -> None:
    in_threads(5, lambda _: registry.register("churn", package, run="r1"))
    assert len(registry.list_versions("churn")) == 1


def test_another_package_run_or_model_is_another_version(
    registry: Registry, package: ModelPackage, other_package: ModelPackage
) -> None:
    registry.register("churn", package, run="r1")
    assert registry.register("churn", other_package, run="r1").version == 2
    assert registry.register("churn", package, run="r2").version == 3
    assert registry.register("fraud", package, run="r1").version == 1


def test_versions_without_a_run_are_never_the_same(three: Registry) -> None:
    assert len(three.list_versions("churn")) == 3


def test_versions_are_found_by_their_run(registry: Registry, package: ModelPackage, clock: FixedClock) -> None:
    registry.register("fraud", package, run="r1")
    clock.advance(timedelta(seconds=1))
    registry.register("churn", package, run="r1")
    registry.register("churn", package, run="r2")
    assert [(found.model, found.version) for found in registry.find_by_run("r1")] == [("fraud", 1), ("churn", 1)]
    assert registry.find_by_run("none") == []


@pytest.mark.parametrize("ref", ["models:/churn/2", "churn/2", "models:/churn@champion", "churn@champion"])
def test_a_version_is_found_by_any_reference(three: Registry, ref: str) -> None:
    three.promote("churn", 2)
    assert three.get_version(ref).version == 2


@pytest.mark.parametrize("ref", ["churn", "models:/churn", "churn@latest"])
def test_a_name_alone_is_the_latest_version(three: Registry, ref: str) -> None:
    three.promote("churn", 2)
    assert three.get_version(ref).version == 3


@pytest.mark.parametrize(
    ("ref", "hint"),
    [
        ("churm", "'churn'"),
        ("churm/1", "'churn'"),
        ("churm@champion", "'churn'"),
        ("churn@champ", "'champion'"),
        ("churn/9", "The latest is 3"),
        ("churn/0", "3, 2, 1"),
        ("churn/99999999999999999999", "The latest is 3"),
    ],
)
def test_what_is_not_there_is_not_found_and_near_names_are_told(three: Registry, ref: str, hint: str) -> None:
    three.promote("churn", 2)
    with pytest.raises(NotFound) as missing:
        three.get_version(ref)
    assert hint in missing.value.hint


@pytest.mark.parametrize("ref", ["", "runs:/r1", "churn/one", "churn/-1", "a/b/c", "churn/²"])
def test_what_is_no_reference_to_a_model_is_refused(three: Registry, ref: str) -> None:
    with pytest.raises(InvalidInput):
        three.get_version(ref)


@pytest.mark.parametrize(
    "bad",
    [
        {"model": "a/b"},
        {"model": ""},
        {"run": "a b"},
        {"holdout": "no digest"},
        {"reference": "ABC"},
        {"snapshots": ("runs:/r1",)},
        {"tags": {"": "x"}},
        {"description": "a\0b"},
    ],
)
def test_what_cannot_be_kept_is_refused(registry: Registry, package: ModelPackage, bad: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        registry.register(**{"model": "churn", "package": package, **bad})


def test_a_version_whose_bytes_are_not_kept_is_refused(registry: Registry, package: ModelPackage) -> None:
    with pytest.raises(NotFound, match="not kept here"):
        registry.register("churn", replace(package, files={"model.py": digest(b"nowhere")}))
    with pytest.raises(NotFound, match="not kept here"):
        registry.register("churn", package, holdout=digest(b"nowhere"))


def test_lineage_leads_from_a_version_to_its_data(
    registry: Registry, package: ModelPackage, database: Database, events: EventLog, clock: FixedClock
) -> None:
    registry.register("churn", package, run="r1", snapshots=("orders/3f2a", "snapshots:/weather/9"))
    registry.register("churn", package, snapshots=("orders/3f2a",))
    lineage = Lineage(database, events, clock)
    assert {(edge.source, edge.relation) for edge in lineage.upstream("models:/churn/1")} == {
        ("runs:/r1", "produced"),
        ("snapshots:/orders/3f2a", "trained_on"),
        ("snapshots:/weather/9", "trained_on"),
    }
    assert [edge.source for edge in lineage.upstream("models:/churn/2")] == ["snapshots:/orders/3f2a"]


def test_registering_is_told_as_an_event(registry: Registry, package: ModelPackage, events: EventLog) -> None:
    registry.register("churn", package, run="r1")
    [event] = events.list(subject="models:/churn/1")
    assert event.kind == "registry.version_registered"
    assert event.facts == {"model": "churn", "version": 1, "run": "r1", "package": package.id}


def test_versions_are_listed_newest_first_page_by_page(three: Registry) -> None:
    first = three.list_versions("churn", limit=2)
    rest = three.list_versions("churn", before=first[-1].version)
    assert [found.version for found in first + rest] == [3, 2, 1]
    assert three.list_versions("none") == []


def test_models_are_listed_with_their_champion(three: Registry, package: ModelPackage) -> None:
    three.register("abc", package)
    three.promote("churn", 2)
    three.set_alias("churn", "old", 1)
    found = three.list_models()
    assert [(m.name, m.versions, m.latest, m.champion, m.aliases) for m in found] == [
        ("abc", 1, 1, None, {}),
        ("churn", 3, 3, 2, {"champion": 2, "old": 1}),
    ]
    assert [m.name for m in three.list_models(after="abc")] == ["churn"]


def test_promoting_archives_the_former_champion(three: Registry) -> None:
    three.promote("churn", 1)
    made = three.promote("churn", 2, "better")
    assert (made.stage, made.aliases) == ("champion", ("champion",))
    assert three.get_version("churn/1").stage == "archived"
    assert three.get_version("churn/1").aliases == ()


def test_promoting_the_champion_changes_nothing(three: Registry, events: EventLog) -> None:
    three.promote("churn", 1)
    before = len(events.list())
    three.promote("churn", 1)
    assert len(events.list()) == before


def test_there_is_one_champion_whoever_promotes(three: Registry) -> None:
    in_threads(6, lambda number: three.promote("churn", number % 3 + 1))
    champions = [found.version for found in three.list_versions("churn") if found.stage == "champion"]
    assert champions == [three.get_version("churn@champion").version]


def test_the_alias_champion_makes_the_champion(three: Registry) -> None:
    assert three.set_alias("churn", "champion", 2).stage == "champion"


def test_a_champion_that_is_archived_loses_its_alias(three: Registry) -> None:
    three.promote("churn", 1)
    assert three.set_stage("churn", 1, "archived", "bad").aliases == ()
    with pytest.raises(NotFound):
        three.get_version("churn@champion")


def test_removing_the_alias_champion_archives_it(three: Registry) -> None:
    three.promote("churn", 1)
    three.delete_alias("churn", "champion")
    assert three.get_version("churn/1").stage == "archived"


def test_stages_are_told_with_their_reason(three: Registry, events: EventLog) -> None:
    three.set_stage("churn", 1, "challenger", "passed its gates\0")
    three.set_stage("churn", 1, "challenger", "again")
    [event] = events.list(kinds=["registry.stage_changed"])
    assert (event.facts["stage"], event.facts["previous"], event.facts["reason"]) == (
        "challenger",
        "candidate",
        "passed its gates",
    )


def test_an_alias_moves_only_from_where_it_is_expected(three: Registry) -> None:
    three.set_alias("churn", "blue", 1, expected=0)
    three.set_alias("churn", "blue", 2, expected=1)
    with pytest.raises(Conflict, match="points at version 2, not at 1"):
        three.set_alias("churn", "blue", 3, expected=1)
    with pytest.raises(Conflict, match="not at none"):
        three.set_alias("churn", "blue", 3, expected=0)
    assert three.get_version("churn@blue").version == 2


def test_of_many_that_move_an_alias_from_the_same_place_one_succeeds(three: Registry) -> None:
    three.set_alias("churn", "blue", 1)
    moved: list[int] = []

    def move(number: int) -> None:
        try:
            three.set_alias("churn", "blue", number % 2 + 2, expected=1)
        except Conflict:
            return
        moved.append(number)

    in_threads(6, move)
    assert len(moved) == 1


def test_an_alias_has_a_history(three: Registry, clock: FixedClock) -> None:
    three.set_alias("churn", "blue", 1)
    clock.advance(timedelta(hours=1))
    three.set_alias("churn", "blue", 2, reason="better")
    three.set_alias("churn", "blue", 2)
    three.delete_alias("churn", "blue", "done")
    three.promote("churn", 1)
    found = three.alias_history("churn", "blue")
    assert [(c.version, c.previous, c.reason) for c in found] == [(None, 2, "done"), (2, 1, "better"), (1, None, "")]
    assert [c.alias for c in three.alias_history("churn", limit=1)] == ["champion"]
    assert three.alias_history("churn", "blue", before=found[1].id) == [found[2]]


@pytest.mark.parametrize("alias", ["", "a/b", "latest", "a b"])
def test_an_alias_that_cannot_be_one_is_refused(three: Registry, alias: str) -> None:
    with pytest.raises(InvalidInput):
        three.set_alias("churn", alias, 1)


def test_a_verdict_is_kept_and_told(three: Registry, events: EventLog) -> None:
    verdict = Verdict(
        passed=False,
        decisions=(
            GateDecision(gate="schema", passed=True, reason="alike"),
            GateDecision(gate="latency", passed=False, reason="slow", facts={"p99": 12.5}),
        ),
        at=AT,
    )
    assert three.record_verdict("churn", 2, verdict).verdict == verdict
    assert three.get_version("churn/2").verdict == verdict
    [event] = events.list(kinds=["registry.verdict_recorded"])
    assert (event.facts["passed"], event.facts["held_by"]) == (False, ["latency"])


def test_description_and_tags_can_change(three: Registry) -> None:
    three.update("churn", 1, tags={"a": "b"})
    found = three.update("churn", 1, description="why")
    assert (found.description, found.tags) == ("why", {"a": "b"})
    assert three.update("churn", 1) == found


def test_a_deleted_version_is_gone_and_its_number_is_not_given_again(three: Registry, package: ModelPackage) -> None:
    three.set_alias("churn", "blue", 3)
    three.delete_version("churn", 3)
    with pytest.raises(NotFound):
        three.get_version("churn@blue")
    assert three.get_version("churn").version == 2
    assert three.register("churn", package).version == 4


@pytest.mark.parametrize("stage", ["champion", "challenger"])
def test_what_answers_is_not_deleted(three: Registry, stage: Any) -> None:
    three.set_stage("churn", 1, stage)
    with pytest.raises(Conflict, match=f"is the {stage}"):
        three.delete_version("churn", 1)


def test_a_model_without_versions_stays_a_name(registry: Registry, package: ModelPackage) -> None:
    registry.register("churn", package)
    registry.delete_version("churn", 1)
    assert [(found.name, found.versions, found.latest) for found in registry.list_models()] == [("churn", 0, 0)]
    with pytest.raises(NotFound, match="'churn' has no version"):
        registry.get_version("churn")


def test_what_is_not_there_cannot_be_changed(three: Registry) -> None:
    verdict = Verdict(passed=True, decisions=(), at=AT)
    changes: list[Callable[[str, int], Any]] = [
        three.promote,
        three.delete_version,
        three.update,
        lambda model, version: three.set_alias(model, "blue", version),
        lambda model, version: three.set_stage(model, version, "archived"),
        lambda model, version: three.record_verdict(model, version, verdict),
    ]
    for changing in changes:
        for model, version in (("none", 1), ("churn", 9), ("churn", 2**40)):
            with pytest.raises(NotFound):
                changing(model, version)
    with pytest.raises(NotFound):
        three.delete_alias("churn", "nope")
