"""How a version's life ends, what that takes away, and the way back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from flyball.clock import FixedClock
from flyball.deployment.deployments import Deployments
from flyball.deployment.rollout import canary
from flyball.errors import Conflict, InvalidInput, NotFound
from flyball.models.package import ModelPackage, package_id
from flyball.pipelines.code_snapshot import snapshot_code
from flyball.registry.lifecycle import Lifecycle, Retirement, Standing
from flyball.registry.versions import Registry
from flyball.serialization import from_json, to_json
from flyball.storage.database import Database
from flyball.storage.event_log import EventLog
from flyball.storage.objects import Blobs
from flyball.tracking.runs import Tracking

AT = datetime(2026, 5, 1, tzinfo=UTC)


@pytest.fixture
def lifecycle(database: Database, blobs: Blobs, events: EventLog, clock: FixedClock) -> Lifecycle:
    return Lifecycle(database, blobs, events, clock)


@pytest.fixture
def deployments(database: Database, blobs: Blobs, events: EventLog, clock: FixedClock) -> Deployments:
    return Deployments(database, blobs, events, clock)


@pytest.fixture
def three(registry: Registry, package: ModelPackage, blobs: Blobs) -> Registry:
    """Version 1, 2 and 3, each of files of its own."""
    for number in (1, 2, 3):
        registry.register("churn", own_files(package, blobs, number), holdout=blobs.put(b"rows of %d" % number))
    return registry


def own_files(package: ModelPackage, blobs: Blobs, number: int) -> ModelPackage:
    files = {"model.bin": blobs.put(b"model %d" % number), "words.txt": blobs.put(b"words of %d" % number)}
    made = replace(package, files=files, input_example=blobs.put(b"example %d" % number))
    return replace(made, id=package_id(made))


def kept(blobs: Blobs, registry: Registry, version: int) -> set[str]:
    """What of a version's bytes is still kept."""
    found = registry.get_version(f"churn/{version}")
    named = {**found.package.files, "example": found.package.input_example, "holdout": found.holdout}
    return {name for name, digest in named.items() if blobs.has(digest)}


ALL = {"model.bin", "words.txt", "example", "holdout"}


def test_a_deprecated_version_works_on_and_says_so(three: Registry, lifecycle: Lifecycle, clock: FixedClock) -> None:
    three.promote("churn", 1)
    made = lifecycle.deprecate("churn/1", "too slow", by="Ada", until=AT, instead="churn@champion")
    assert (made.reason, made.by, made.until, made.instead) == ("too slow", "Ada", AT, "models:/churn@champion")
    assert lifecycle.get("churn@champion").deprecation == made
    assert three.get_version("churn/1").stage == "champion"


def test_the_last_word_of_a_deprecation_counts_until_it_is_taken_back(three: Registry, lifecycle: Lifecycle) -> None:
    lifecycle.deprecate("churn/1", "too slow", until=AT)
    lifecycle.deprecate("churn/1", "biased")
    [found] = lifecycle.list_deprecated("churn")
    assert (found.reason, found.until) == ("biased", None)
    lifecycle.undeprecate("churn/1")
    lifecycle.undeprecate("churn/1")
    assert lifecycle.list_deprecated() == []


def test_what_is_to_be_retired_first_is_listed_first(three: Registry, lifecycle: Lifecycle) -> None:
    lifecycle.deprecate("churn/1", "old")
    lifecycle.deprecate("churn/2", "old", until=AT)
    lifecycle.deprecate("churn/3", "old", until=AT.replace(month=4))
    lifecycle.retire("churn/3")
    assert [found.version for found in lifecycle.list_deprecated()] == [2, 1]


def test_retiring_removes_what_nobody_else_needs_and_keeps_the_facts(
    three: Registry, lifecycle: Lifecycle, blobs: Blobs, clock: FixedClock
) -> None:
    made = lifecycle.retire("churn/1", "replaced", by="Ada")
    assert (made.reason, made.by, made.at, made.former_stage) == ("replaced", "Ada", clock.now(), "candidate")
    assert (made.freed_files, made.freed_bytes) == (4, len(b"model 1words of 1example 1rows of 1"))
    assert (kept(blobs, three, 1), kept(blobs, three, 2)) == (set(), ALL)
    assert three.get_version("churn/1").stage == "retired"
    standing = lifecycle.get("churn/1")
    assert standing.retirement == made
    assert set(standing.missing) == {"model.bin", "words.txt", "input example", "held-out rows"}
    assert from_json(to_json(standing), Standing) == standing


def test_what_another_version_is_made_of_stays(
    registry: Registry, lifecycle: Lifecycle, package: ModelPackage, blobs: Blobs
) -> None:
    shared = own_files(package, blobs, 1)
    other = replace(shared, files={**shared.files, "more.txt": blobs.put(b"more")})
    registry.register("churn", shared)
    registry.register("fraud", other)
    assert lifecycle.retire("churn/1").freed_files == 0
    assert lifecycle.retire("fraud/1").freed_files == 4


def test_what_a_deleted_version_was_made_of_goes(
    registry: Registry, lifecycle: Lifecycle, package: ModelPackage, blobs: Blobs
) -> None:
    shared = own_files(package, blobs, 1)
    registry.register("churn", shared)
    registry.register("churn", shared)
    registry.delete_version("churn", 2)
    assert lifecycle.retire("churn/1").freed_files == 3


def test_what_a_run_left_behind_stays(
    three: Registry,
    lifecycle: Lifecycle,
    blobs: Blobs,
    database: Database,
    events: EventLog,
    clock: FixedClock,
) -> None:
    tracking = Tracking(database, blobs, events, clock)
    run = tracking.create_run("first").id
    tracking.log_artifact(run, "model.bin", blobs.put(b"model 1"), 7, "file")
    lifecycle.retire("churn/1")
    assert kept(blobs, three, 1) == {"model.bin"}


def test_a_file_of_a_projects_code_stays(
    registry: Registry, lifecycle: Lifecycle, package: ModelPackage, blobs: Blobs, tmp_path: Path
) -> None:
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "model.py").write_bytes(b"model 1")
    code = snapshot_code(tmp_path / "code", blobs).digest
    registry.register("churn", own_files(package, blobs, 1))
    registry.register("fraud", package, code=code)
    lifecycle.retire("churn/1")
    assert kept_files(blobs, registry) == {"model.bin"}


def kept_files(blobs: Blobs, registry: Registry) -> set[str]:
    files = registry.get_version("churn/1").package.files
    return {name for name, digest in files.items() if blobs.has(digest)}


def test_files_may_be_kept_and_removed_later(three: Registry, lifecycle: Lifecycle, blobs: Blobs) -> None:
    assert lifecycle.retire("churn/1", "replaced", keep_files=True).freed_files == 0
    assert kept(blobs, three, 1) == ALL
    made = lifecycle.retire("churn/1")
    assert (made.reason, made.freed_files, made.former_stage) == ("replaced", 4, "candidate")
    assert lifecycle.retire("churn/1") == made


@pytest.mark.parametrize("stage", ["champion", "challenger"])
def test_a_version_that_answers_is_not_retired(three: Registry, lifecycle: Lifecycle, stage: Any) -> None:
    three.set_stage("churn", 1, stage)
    with pytest.raises(Conflict, match=f"is the {stage}"):
        lifecycle.retire("churn/1")


def test_a_version_with_an_alias_is_not_retired(three: Registry, lifecycle: Lifecycle) -> None:
    three.set_alias("churn", "blue", 1)
    with pytest.raises(Conflict, match="alias 'blue' points at version 1"):
        lifecycle.retire("churn/1")


def test_what_a_deployment_names_is_not_retired(
    three: Registry, lifecycle: Lifecycle, deployments: Deployments, blobs: Blobs
) -> None:
    deployments.deploy("churn-eu", "churn", 1)
    deployments.start_rollout("churn-eu", 2, canary([10, 50]))
    for version in (1, 2):
        with pytest.raises(Conflict, match="is used by 'deployments:/churn-eu'"):
            lifecycle.retire(f"churn/{version}")
        assert kept(blobs, three, version) == ALL
    assert lifecycle.get("churn/2").held_by == ("deployments:/churn-eu",)


def test_what_a_deployment_no_longer_names_is_retired(
    three: Registry, lifecycle: Lifecycle, deployments: Deployments
) -> None:
    deployments.deploy("churn-eu", "churn", 1)
    deployments.start_rollout("churn-eu", 2, canary([10, 50]))
    deployments.abort("churn-eu")
    assert lifecycle.retire("churn/2").version == 2
    deployments.start_rollout("churn-eu", 3, canary([10, 50]))
    deployments.promote("churn-eu")
    assert lifecycle.retire("churn/1").version == 1
    deployments.remove("churn-eu")
    assert lifecycle.retire("churn/3").version == 3


def test_a_retired_version_is_neither_deployed_nor_rolled_out_nor_back_to(
    three: Registry, lifecycle: Lifecycle, deployments: Deployments
) -> None:
    deployments.deploy("churn-eu", "churn", 1)
    deployments.deploy("churn-eu", "churn", 2)
    lifecycle.retire("churn/1")
    tries = (
        lambda: deployments.deploy("churn-us", "churn", 1),
        lambda: deployments.start_rollout("churn-eu", 1, canary([10])),
        lambda: deployments.roll_back("churn-eu"),
    )
    for attempt in tries:
        with pytest.raises(Conflict, match="Version 1 of 'churn' is retired"):
            attempt()
    assert deployments.get("churn-eu").champion == 2
    assert lifecycle.get("churn/1").held_by == ()


def test_rolling_a_deployment_back_takes_the_former_version_again(
    three: Registry, lifecycle: Lifecycle, deployments: Deployments
) -> None:
    deployments.deploy("churn-eu", "churn", 1)
    deployments.deploy("churn-eu", "churn", 2)
    assert (lifecycle.get("churn/1").held_by, lifecycle.get("churn/2").held_by) == ((), ("deployments:/churn-eu",))
    deployments.roll_back("churn-eu")
    assert (lifecycle.get("churn/1").held_by, lifecycle.get("churn/2").held_by) == (("deployments:/churn-eu",), ())


def test_a_retired_version_whose_files_are_kept_comes_back(three: Registry, lifecycle: Lifecycle) -> None:
    lifecycle.retire("churn/1", keep_files=True)
    assert lifecycle.restore("churn/1").stage == "archived"
    assert lifecycle.get("churn/1").retirement is None
    with pytest.raises(Conflict, match="is not retired"):
        lifecycle.restore("churn/1")


def test_a_version_whose_files_are_gone_says_which(three: Registry, lifecycle: Lifecycle, blobs: Blobs) -> None:
    lifecycle.retire("churn/1")
    with pytest.raises(Conflict, match=r"'model\.bin', 'words\.txt', 'input example', 'held-out rows' were removed"):
        lifecycle.restore("churn/1")
    for data in (b"model 1", b"words of 1", b"example 1", b"rows of 1"):
        blobs.put(data)
    assert lifecycle.restore("churn/1").stage == "archived"


def test_a_retired_version_is_not_deprecated(three: Registry, lifecycle: Lifecycle) -> None:
    lifecycle.retire("churn/1")
    with pytest.raises(Conflict):
        lifecycle.deprecate("churn/1", "old")


def test_rolling_back_makes_the_former_champion_champion(three: Registry, lifecycle: Lifecycle) -> None:
    three.promote("churn", 1)
    three.promote("churn", 2)
    assert lifecycle.former_champion("churn") == 1
    made = lifecycle.rollback("churn", "it drifts", by="Ada")
    assert (made.from_version, made.to_version, made.reason) == (2, 1, "it drifts")
    assert three.get_version("churn@champion").version == 1
    assert three.get_version("churn/2").stage == "archived"
    assert three.alias_history("churn")[0].reason == "rolled back from version 2 by Ada: it drifts"


def test_each_rollback_goes_one_further_back(three: Registry, lifecycle: Lifecycle) -> None:
    for version in (1, 2, 3):
        three.promote("churn", version)
    assert lifecycle.rollback("churn").to_version == 2
    assert lifecycle.rollback("churn").to_version == 1
    with pytest.raises(Conflict, match="no former champion"):
        lifecycle.rollback("churn")


def test_promoting_by_hand_is_undone_by_a_rollback(three: Registry, lifecycle: Lifecycle) -> None:
    for version in (1, 2, 3):
        three.promote("churn", version)
    lifecycle.rollback("churn")
    three.promote("churn", 1)
    assert lifecycle.rollback("churn").to_version == 2


def test_a_rollback_passes_over_what_is_deleted_or_retired(three: Registry, lifecycle: Lifecycle) -> None:
    for version in (1, 2, 3):
        three.promote("churn", version)
    lifecycle.retire("churn/2")
    assert lifecycle.rollback("churn").to_version == 1


def test_a_champion_that_was_archived_is_followed_by_the_one_before(three: Registry, lifecycle: Lifecycle) -> None:
    three.promote("churn", 1)
    three.promote("churn", 2)
    three.set_stage("churn", 2, "archived", "broken")
    made = lifecycle.rollback("churn")
    assert (made.from_version, made.to_version) == (None, 1)


def test_a_model_without_history_has_nothing_to_go_back_to(three: Registry, lifecycle: Lifecycle) -> None:
    with pytest.raises(Conflict):
        lifecycle.rollback("churn")
    with pytest.raises(NotFound, match="'churn'"):
        lifecycle.rollback("churm")


def test_the_end_of_a_life_is_told(three: Registry, lifecycle: Lifecycle, events: EventLog) -> None:
    lifecycle.deprecate("churn/1", "old")
    lifecycle.undeprecate("churn/1")
    lifecycle.retire("churn/1", "gone", by="Ada")
    told = [event.kind.removeprefix("registry.") for event in events.list(subject="models:/churn/1")][1:]
    assert told == [
        "version_deprecated",
        "version_undeprecated",
        "stage_changed",
        "version_retired",
        "version_freed",
    ]


@pytest.mark.parametrize("ref", ["churn", "runs:/r1", "churn/one"])
def test_what_names_no_version_is_refused(three: Registry, lifecycle: Lifecycle, ref: str) -> None:
    for verb in (lifecycle.get, lifecycle.retire, lifecycle.restore, lifecycle.undeprecate):
        with pytest.raises(InvalidInput):
            verb(ref)


@pytest.mark.parametrize(
    "bad",
    [
        {"reason": ""},
        {"reason": "x" * 2_001},
        {"reason": "a\0b"},
        {"by": "a\nb"},
        {"instead": "runs:/r1"},
        {"until": datetime(2026, 1, 1)},  # noqa: DTZ001  # what is refused
    ],
)
def test_a_deprecation_that_cannot_be_kept_is_refused(three: Registry, lifecycle: Lifecycle, bad: Any) -> None:
    with pytest.raises(InvalidInput):
        lifecycle.deprecate(**{"ref": "churn/1", "reason": "old", **bad})


def test_a_retirement_survives_the_wire(three: Registry, lifecycle: Lifecycle) -> None:
    made = lifecycle.retire("churn/1")
    assert from_json(to_json(made), Retirement) == made


def test_many_files_are_asked_for_at_once(
    registry: Registry, lifecycle: Lifecycle, package: ModelPackage, blobs: Blobs
) -> None:
    files = {f"part-{number}.bin": blobs.put(b"part %d" % number) for number in range(120)}
    registry.register("churn", replace(package, files=files))
    registry.register("fraud", replace(package, files={"x.bin": files["part-7.bin"], "y.bin": files["part-119.bin"]}))
    assert lifecycle.retire("churn/1").freed_files == 118
    assert kept_files(blobs, registry) == {"part-7.bin", "part-119.bin"}


def test_a_retired_version_is_given_no_place_until_it_is_restored(
    registry: Registry, lifecycle: Lifecycle, package: ModelPackage
) -> None:
    registry.register("churn", package)
    lifecycle.retire("churn/1", keep_files=True)
    gives: list[Callable[[], object]] = [
        lambda: registry.set_alias("churn", "champion", 1),
        lambda: registry.set_alias("churn", "blue", 1),
        lambda: registry.set_stage("churn", 1, "candidate"),
        lambda: registry.promote("churn", 1),
    ]
    for give in gives:
        with pytest.raises(Conflict, match="is retired"):
            give()
    lifecycle.restore("churn/1")
    assert registry.promote("churn", 1).stage == "champion"
