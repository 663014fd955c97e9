"""Many at once, and from another machine: what people say and do comes out the same."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flyball.client import RemoteWorkspace
from flyball.clock import FixedClock
from flyball.deployment.deployments import Deployments
from flyball.errors import Conflict, Corrupt, FlyballError, PermissionDenied
from flyball.models.package import ModelPackage, load_model
from flyball.registry.approvals import Approvals
from flyball.registry.comments import Comments
from flyball.registry.keys import make_keys
from flyball.registry.lifecycle import Lifecycle
from flyball.registry.signing import sign_version, verify_version
from flyball.registry.versions import Registry
from flyball.storage.database import Database
from flyball.storage.event_log import EventLog
from flyball.storage.objects import Blobs
from flyball.workspace import Workspace

Room = tuple[Database, Blobs, EventLog, FixedClock]


@pytest.fixture
def room(database: Database, blobs: Blobs, events: EventLog, clock: FixedClock) -> Room:
    return database, blobs, events, clock


def at_once(*works: Callable[[], Any]) -> list[FlyballError]:
    """Does all at once; gives what was refused. Anything else that is raised fails the test."""
    refused: list[FlyballError] = []
    broken: list[BaseException] = []

    def guarded(work: Callable[[], Any]) -> None:
        try:
            work()
        except FlyballError as error:
            refused.append(error)
        except BaseException as error:  # noqa: BLE001  # the test looks at whatever it is
            broken.append(error)

    threads = [threading.Thread(target=guarded, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert broken == []
    return refused


@pytest.mark.parametrize("attempt", range(4))
def test_a_version_is_either_deployed_or_retired(
    registry: Registry, package: ModelPackage, room: Room, attempt: int
) -> None:
    registry.register("churn", package)
    lifecycle, deployments = Lifecycle(*room), Deployments(*room)
    [refused] = at_once(
        lambda: lifecycle.retire("churn/1"), lambda: deployments.deploy("churn", "churn", 1, "for good")
    )
    standing = lifecycle.get("churn/1")
    if standing.stage == "retired":
        assert "is retired" in refused.message
        assert (standing.held_by, deployments.list()) == ((), [])
    else:
        assert "is used by" in refused.message
        assert (standing.held_by, standing.missing) == (("deployments:/churn",), ())


def test_deploying_and_promoting_do_not_wait_for_each_other_in_a_circle(
    registry: Registry, package: ModelPackage, room: Room
) -> None:
    for _ in range(2):
        registry.register("churn", package)
    deployments = Deployments(*room)

    def deploy(version: int) -> None:
        for _ in range(5):
            deployments.deploy("churn", "churn", version)

    def promote(version: int) -> None:
        for _ in range(5):
            registry.promote("churn", version)

    assert at_once(lambda: deploy(1), lambda: promote(1), lambda: deploy(2), lambda: promote(2)) == []
    assert len(Lifecycle(*room).get(f"churn/{deployments.get('churn').champion}").held_by) == 1


def test_of_many_words_as_many_count_as_are_needed(registry: Registry, package: ModelPackage, room: Room) -> None:
    registry.register("churn", package)
    approvals = Approvals(*room)
    approvals.request("churn/1", "Ada", needed=3)
    refused = at_once(*(lambda name=name: approvals.approve("churn/1", name) for name in "ABCDEF"))
    [found] = approvals.list("churn/1")
    assert (found.state, len(found.approved_by), len(refused)) == ("approved", 3, 3)


def test_of_many_that_ask_for_the_same_one_request_is_made(
    registry: Registry, package: ModelPackage, room: Room
) -> None:
    registry.register("churn", package)
    approvals = Approvals(*room)
    assert at_once(*[lambda: approvals.request("churn/1", "Ada")] * 5) == []
    assert len(approvals.list("churn")) == 1


def test_of_many_that_roll_back_one_goes_one_step_back(registry: Registry, package: ModelPackage, room: Room) -> None:
    for version in (1, 2, 3, 4):
        registry.register("churn", package)
        registry.promote("churn", version)
    lifecycle = Lifecycle(*room)
    refused = at_once(*[lambda: lifecycle.rollback("churn")] * 3)
    steps = [change.reason for change in registry.alias_history("churn") if change.reason.startswith("rolled back")]
    assert registry.get_version("churn@champion").version == 4 - len(steps)
    assert len(steps) + len(refused) == 3
    assert all(isinstance(error, Conflict) for error in refused)


def test_a_removed_file_is_removed_once(registry: Registry, package: ModelPackage, room: Room) -> None:
    registry.register("churn", package)
    lifecycle = Lifecycle(*room)
    assert at_once(*[lambda: lifecycle.retire("churn/1")] * 4) == []
    found = lifecycle.get("churn/1").retirement
    assert found is not None
    assert found.freed_files == 2


def test_many_speak_at_once(registry: Registry, package: ModelPackage, room: Room) -> None:
    registry.register("churn", package)
    comments = Comments(*room)
    at_once(*(lambda name=name: comments.add("models:/churn/1", "hello", name) for name in "ABCD"))
    assert {found.by for found in comments.list("models:/churn/1")} == set("ABCD")


@pytest.fixture
def served(workspace: Workspace, remote: RemoteWorkspace) -> RemoteWorkspace:
    """A server whose registry holds a version; seen from another machine."""
    import pyarrow as pa

    from flyball.models.package import save_model
    from tests.registry.constant import always_seven

    remote.registry.register("churn", save_model(always_seven, remote.blobs, example=pa.table({"age": [1.0]})))
    return remote


def test_people_work_with_versions_of_a_server(served: RemoteWorkspace) -> None:
    asked = served.approvals.request("churn/1", "Ada", approvers=("Grace",), four_eyes=True)
    assert asked.approvers == ("Grace",)
    with pytest.raises(PermissionDenied, match="Mallory may not decide") as denied:
        served.approvals.approve("churn/1", "Mallory")
    assert denied.value.hint == "Ask Grace."
    assert served.approvals.approve("churn/1", "Grace").state == "approved"
    assert [found.state for found in served.approvals.list("churn")] == ["approved"]
    served.comments.add("models:/churn/1", "hello", "Ada")
    assert [found.text for found in served.comments.list("models:/churn/1")] == ["hello"]
    served.model_cards.write_section("churn", "Ethics", "none", "Ada")
    assert "Grace approved it" in served.model_cards.card("churn/1")
    assert served.model_cards.get("churn/1").own[0].text == "none"
    assert served.sboms.make("churn/1")["specVersion"] == "1.6"


def test_a_version_of_a_server_is_signed_and_verified_where_the_key_is(
    served: RemoteWorkspace, workspace: Workspace, tmp_path: Path
) -> None:
    keys = make_keys(tmp_path / "ada.key")
    version = served.registry.get_version("churn/1")
    sign_version(version, keys.private, signatures=served.signatures, blobs=served.blobs, by="Ada")
    found = verify_version(version, keys.public, signatures=served.signatures, blobs=served.blobs)
    assert (found.by, found.key) == ("Ada", keys.id)
    overwrite(workspace, version.package.files["constant.py"])
    elsewhere = Blobs(served.store)
    with pytest.raises(Corrupt, match=r"constant\.py was changed"):
        verify_version(version, keys.public, signatures=served.signatures, blobs=elsewhere)


def overwrite(workspace: Workspace, digest: str) -> None:
    """What one does who can write to the folder of the server's bytes."""
    path = workspace.blobs.path(digest)
    path.chmod(0o600)
    path.write_bytes(b"evil")


def test_a_version_of_a_server_is_retired_and_restored(served: RemoteWorkspace) -> None:
    served.lifecycle.deprecate("churn/1", "old", until="2026-05-01T00:00:00Z")
    assert served.lifecycle.get("churn/1").deprecation.until.year == 2026
    assert served.lifecycle.retire("churn/1", "gone").freed_files == 2
    with pytest.raises(Conflict, match="cannot come back"):
        served.lifecycle.restore("churn/1")
    with pytest.raises(FlyballError):
        load_model(served.registry.get_version("churn/1").package, replace_cache(served))


def replace_cache(served: RemoteWorkspace) -> Blobs:
    """The server's bytes, with none of them here yet."""
    return Blobs(served.store)
