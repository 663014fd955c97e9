"""Names for versions: made, described, tagged, renamed, searched and deleted."""

from __future__ import annotations

import pytest

from flyball.clock import FixedClock
from flyball.errors import AlreadyExists, Conflict, InvalidInput, NotFound
from flyball.lineage import Lineage
from flyball.models.package import ModelPackage
from flyball.registry import _store, registered_models
from flyball.registry.holds import take_hold
from flyball.registry.lifecycle import Lifecycle
from flyball.registry.model_versions import ModelVersions
from flyball.registry.registered_models import RegisteredModels
from flyball.registry.versions import Registry
from flyball.storage.database import Database
from flyball.storage.event_log import EventLog
from flyball.storage.objects import Blobs
from flyball.storage.tables import metadata

PROMPT = {"mlflow.prompt.is_prompt": "true"}


@pytest.fixture
def models(database: Database, blobs: Blobs, events: EventLog, clock: FixedClock) -> RegisteredModels:
    return RegisteredModels(database, blobs, events, clock)


@pytest.fixture
def versions(database: Database, blobs: Blobs, events: EventLog, clock: FixedClock) -> ModelVersions:
    return ModelVersions(database, blobs, events, clock)


def names(models: RegisteredModels, filter: str = "", **asked: object) -> list[str]:
    return [model.name for model in models.search(filter, **asked).models]  # type: ignore[arg-type]  # arguments of any kind, as the cases give them


def test_a_model_needs_no_version(models: RegisteredModels, registry: Registry) -> None:
    made = models.create("late flights", "Which will be late?", {"team": "growth"})
    assert (made.name, made.versions, made.latest, made.champion) == ("late flights", 0, 0, None)
    assert models.get("late flights").tags == {"team": "growth"}
    assert [model.name for model in registry.list_models()] == ["late flights"]


def test_a_name_is_given_once(models: RegisteredModels) -> None:
    models.create("churn")
    with pytest.raises(AlreadyExists, match="'churn' already"):
        models.create("churn")


def test_tags_are_set_and_removed_one_by_one(models: RegisteredModels) -> None:
    models.create("churn", tags={"a": "1"})
    models.set_tag("churn", "b.c/d", "2")
    models.delete_tag("churn", "a")
    models.delete_tag("churn", "never")
    assert models.get("churn").tags == {"b.c/d": "2"}


def test_what_is_not_there_is_not_found(models: RegisteredModels) -> None:
    models.create("churn")
    for change in (
        lambda: models.get("churm"),
        lambda: models.update("churm", ""),
        lambda: models.set_tag("churm", "a", "1"),
        lambda: models.delete_tag("churm", "a"),
        lambda: models.rename("churm", "other"),
        lambda: models.delete("churm"),
    ):
        with pytest.raises(NotFound, match="no model 'churm'"):
            change()


def test_a_deleted_name_begins_anew_but_for_its_numbers(
    models: RegisteredModels, registry: Registry, package: ModelPackage
) -> None:
    registry.register("churn", package)
    registry.promote("churn", 1)
    models.set_tag("churn", "a", "1")
    models.delete("churn")
    assert registry.list_models() == []
    with pytest.raises(NotFound):
        registry.get_version("churn@champion")
    again = models.create("churn")
    assert (again.tags, again.versions, again.aliases) == ({}, 0, {})
    assert registry.register("churn", package).version == 2


def test_what_a_deployment_needs_is_neither_deleted_nor_renamed(
    models: RegisteredModels, registry: Registry, package: ModelPackage, database: Database, clock: FixedClock
) -> None:
    registry.register("churn", package)
    with database.transaction() as connection:
        take_hold(database, connection, "deployments:/churn", "churn", 1, now=clock.now())
    with pytest.raises(Conflict, match="deployments:/churn"):
        models.delete("churn")
    with pytest.raises(Conflict, match="deployments:/churn"):
        models.rename("churn", "other")


def test_all_that_was_said_goes_along_with_a_new_name(
    models: RegisteredModels,
    registry: Registry,
    package: ModelPackage,
    database: Database,
    blobs: Blobs,
    events: EventLog,
    clock: FixedClock,
) -> None:
    registry.register("churn", package, run="r1", snapshots=("snapshots:/orders/1",))
    registry.register("churned", package, run="r2")
    registry.set_alias("churn", "blue", 1)
    lifecycle = Lifecycle(database, blobs, events, clock)
    lifecycle.deprecate("churn/1", "old")
    models.rename("churn", "late flights")
    moved = registry.get_version("late flights@blue")
    assert (moved.model, moved.version, moved.run) == ("late flights", 1, "r1")
    assert [change.alias for change in registry.alias_history("late flights")] == ["blue"]
    assert lifecycle.get("late flights/1").deprecation is not None
    lineage = Lineage(database, events, clock)
    assert {edge.source for edge in lineage.upstream("models:/late flights/1")} == {"runs:/r1", "snapshots:/orders/1"}
    assert lineage.upstream("models:/churned/1")
    with pytest.raises(NotFound):
        models.get("churn")
    assert registry.register("late flights", package, run="r3").version == 2


def test_no_table_of_models_is_forgotten_in_a_renaming() -> None:
    tables = {name for name, table in metadata.tables.items() if name.startswith("model_") and "model" in table.c}
    assert tables == {table.name for table in registered_models.OF_MODELS}
    assert _store.versions in registered_models.OF_MODELS


def test_models_are_searched_by_name_and_tags(models: RegisteredModels) -> None:
    models.create("churn", tags={"team": "growth", 'odd "key"': "x"})
    models.create("Churn 2", tags={"team": "risk"})
    models.create("fraud")
    assert names(models) == ["Churn 2", "churn", "fraud"]
    assert names(models, "name LIKE 'churn%'") == ["churn"]
    assert names(models, "name ILIKE 'churn%' AND tags.team != 'risk'") == ["churn"]
    assert names(models, """tags.`odd "key"` = 'x'""") == ["churn"]
    assert names(models, "name IN ('fraud', 'none')") == ["fraud"]
    assert names(models, order_by=["name DESC"]) == ["fraud", "churn", "Churn 2"]


def test_prompts_are_found_only_where_they_are_asked_for(models: RegisteredModels, registry: Registry) -> None:
    models.create("churn")
    models.create("greeting", tags=PROMPT)
    assert names(models) == names(models, "tags.`mlflow.prompt.is_prompt` != 'true'") == ["churn"]
    assert names(models, "tags.`mlflow.prompt.is_prompt` = 'true'") == ["greeting"]
    assert [model.name for model in registry.list_models()] == ["churn"]


def test_a_search_is_walked_page_by_page(models: RegisteredModels) -> None:
    for number in range(5):
        models.create(f"m{number}")
    seen, token = [], ""
    while True:
        page = models.search(limit=2, page_token=token)
        seen += [model.name for model in page.models]
        token = page.next_page_token
        if not token:
            break
    assert seen == ["m0", "m1", "m2", "m3", "m4"]
    with pytest.raises(InvalidInput, match="another search"):
        models.search("name = 'm1'", page_token=models.search(limit=2).next_page_token)


@pytest.mark.parametrize("filter", ["name > 'a'", "size = 3", "tags.a IN ('b')", "name = 'a' OR name = 'b'"])
def test_what_mlflow_does_not_know_is_refused_in_its_language(models: RegisteredModels, filter: str) -> None:
    with pytest.raises(InvalidInput):
        models.search(filter, native=False)


def test_a_version_comes_from_any_source(models: RegisteredModels, versions: ModelVersions) -> None:
    models.create("churn")
    made = versions.create("churn", "s3://bucket/model", run="r1", tags={"a": "1"}, user="ada")
    assert (made.version, made.source, made.run, made.user, made.is_external) == (
        1,
        "s3://bucket/model",
        "r1",
        "ada",
        True,
    )
    assert versions.create("churn", "s3://bucket/model", run="r1").version == 2
    with pytest.raises(NotFound, match="no model 'other'"):
        versions.create("other", "s3://bucket/model")


def test_a_version_of_a_package_can_be_loaded(
    models: RegisteredModels, versions: ModelVersions, package: ModelPackage
) -> None:
    models.create("churn")
    assert not versions.create("churn", "runs:/r1/model", package).is_external


def test_tags_of_a_version_are_set_and_removed(models: RegisteredModels, versions: ModelVersions) -> None:
    models.create("churn")
    versions.create("churn", "s3://b/m", tags={"a": "1"})
    versions.set_tag("churn", 1, "long", "x" * 100_000)
    versions.delete_tag("churn", 1, "a")
    versions.delete_tag("churn", 1, "never")
    assert {key: len(text) for key, text in versions.get("churn", 1).tags.items()} == {"long": 100_000}
    with pytest.raises(InvalidInput):
        versions.set_tag("churn", 1, "long", "x" * 100_001)


def test_the_latest_version_of_each_stage_is_known(models: RegisteredModels, versions: ModelVersions) -> None:
    models.create("churn")
    for _ in range(4):
        versions.create("churn", "s3://b/m")
    versions.set_mlflow_stage("churn", 1, "production")
    versions.set_mlflow_stage("churn", 2, "Staging")
    latest = models.latest_versions(["churn", "none"])
    assert [(found.version, found.mlflow_stage) for found in latest["churn"]] == [
        (1, "Production"), (2, "Staging"), (4, "None"),
    ]  # fmt: skip
    assert latest["none"] == ()


def test_a_stage_archives_those_that_were_in_it_where_that_is_asked_for(
    models: RegisteredModels, versions: ModelVersions
) -> None:
    models.create("churn")
    for _ in range(2):
        versions.create("churn", "s3://b/m")
    versions.set_mlflow_stage("churn", 1, "Production")
    versions.set_mlflow_stage("churn", 2, "Production", archive_others=True)
    assert [versions.get("churn", number).mlflow_stage for number in (1, 2)] == ["Archived", "Production"]
    assert versions.get("churn", 2).stage == "candidate"
    with pytest.raises(InvalidInput, match="not an Active stage"):
        versions.set_mlflow_stage("churn", 1, "None", archive_others=True)
    with pytest.raises(InvalidInput, match="Invalid Model Version stage"):
        versions.set_mlflow_stage("churn", 1, "live")


def test_a_champion_is_deleted_with_its_alias(
    models: RegisteredModels, versions: ModelVersions, registry: Registry
) -> None:
    models.create("churn")
    versions.create("churn", "s3://b/m")
    registry.set_alias("churn", "champion", 1)
    versions.delete("churn", 1)
    assert models.get("churn").aliases == {}
    with pytest.raises(NotFound):
        versions.get("churn", 1)


def test_versions_are_searched(models: RegisteredModels, versions: ModelVersions, clock: FixedClock) -> None:
    for name in ("churn", "fraud"):
        models.create(name)
        for number in range(2):
            versions.create(name, f"s3://b/{name}", run=f"r{number}", tags={"n": str(number)})
    models.create("greeting", tags=PROMPT)
    versions.create("greeting", "prompt-template", tags=PROMPT)

    def found(filter: str = "", **asked: object) -> list[tuple[str, int]]:
        page = versions.search(filter, **asked)  # type: ignore[arg-type]  # arguments of any kind, as the cases give them
        return [(version.model, version.version) for version in page.versions]

    everything = [("churn", 2), ("churn", 1), ("fraud", 2), ("fraud", 1)]
    assert found() == everything
    assert found("name = 'churn'") == everything[:2]
    assert found("run_id IN ('r0') AND tags.n = '0'") == [("churn", 1), ("fraud", 1)]
    assert found("version_number >= 2 AND source_path LIKE '%fraud'") == [("fraud", 2)]
    assert found(order_by=["version_number ASC"]) == [("churn", 1), ("fraud", 1), ("churn", 2), ("fraud", 2)]
    assert found("tags.`mlflow.prompt.is_prompt` = 'true'") == [("greeting", 1)]
    assert found(limit=3) == everything[:3]
    assert found("stage = 'candidate' OR user = 'ada'") == everything
    with pytest.raises(InvalidInput):
        found("stage = 'candidate'", native=False)
