from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from flyball.errors import NotFound
from flyball.serialization import from_json
from flyball.serving.follower import Follower
from flyball.serving.manifest import Arm, FollowerReport, Manifest, follower_key, manifest_key
from flyball.storage.local_objects import LocalObjects
from flyball.storage.object_store import ObjectStat

MakeArm = Callable[..., Arm]
Publish = Callable[..., Manifest]


class Flaky(LocalObjects):
    """A store that can be out of reach."""

    reachable = True

    def list(self, prefix: str) -> Iterator[ObjectStat]:
        if not self.reachable:
            raise OSError("unreachable")
        return super().list(prefix)


@pytest.fixture
def follower(store: LocalObjects) -> Iterator[Follower]:
    follower = Follower(store, replica="r1", address="http://here", heartbeat=0.0)
    yield follower
    follower.stop()


def report(store: LocalObjects, name: str = "shop") -> FollowerReport:
    return from_json(store.get(follower_key(name, "r1")), FollowerReport)


def generation(follower: Follower, name: str = "shop") -> int:
    runtime = follower.endpoint(name).runtime
    return runtime.manifest.generation if runtime else 0


def wait_for(true: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def test_a_new_generation_is_taken_and_reported(
    follower: Follower, store: LocalObjects, make_arm: MakeArm, publish: Publish
) -> None:
    publish(make_arm(1))
    follower.look()
    assert (report(store).generation, report(store).state, report(store).address) == (1, "ready", "http://here")
    publish(make_arm(2), generation=2)
    follower.look()
    assert (generation(follower), report(store).generation) == (2, 2)


def test_packages_of_other_versions_than_where_the_model_was_made_are_reported(
    follower: Follower, store: LocalObjects, make_arm: MakeArm, publish: Publish
) -> None:
    arm = make_arm(1)
    made = replace(arm.package.environment, packages={"numpy": "0.1"})
    publish(replace(arm, package=replace(arm.package, environment=made)))
    follower.look()
    assert report(store).upgrades == (f"numpy 0.1 -> {np.__version__}",)
    publish(make_arm(2), generation=2)
    follower.look()
    assert report(store).upgrades == ()


def test_the_old_generation_stays_when_the_new_one_cannot_be_loaded(
    follower: Follower, store: LocalObjects, make_arm: MakeArm, publish: Publish
) -> None:
    publish(make_arm(1))
    follower.look()
    broken = make_arm(2)
    publish(replace(broken, package=replace(broken.package, id="other", files={"x.py": "0" * 64})), generation=2)
    follower.look()
    told = report(store)
    assert (told.generation, told.state) == (1, "failed")
    assert "No bytes with the digest" in told.error
    assert generation(follower) == 1


def test_a_manifest_that_is_no_manifest_is_reported(
    follower: Follower, store: LocalObjects, make_arm: MakeArm, publish: Publish
) -> None:
    publish(make_arm(1))
    follower.look()
    store.put(manifest_key("shop"), b'{"deployment": 7}')
    follower.look()
    assert report(store).state == "failed"
    publish(make_arm(2), generation=3)
    follower.look()
    assert (report(store).generation, report(store).state, report(store).error) == (3, "ready", "")


def test_a_failed_generation_is_tried_again(
    follower: Follower, store: LocalObjects, make_arm: MakeArm, publish: Publish
) -> None:
    arm = make_arm(1)
    name = next(iter(arm.package.files.values()))
    key = f"blobs/{name[:2]}/{name}"
    data = store.get(key)
    store.delete(key)
    publish(arm)
    follower.look()
    assert report(store).state == "failed"
    store.put(key, data)

    def taken() -> bool:
        follower.look()
        return generation(follower) == 1

    wait_for(taken)


def test_a_withdrawn_deployment_is_dropped(
    follower: Follower, store: LocalObjects, make_arm: MakeArm, publish: Publish
) -> None:
    publish(make_arm(1))
    follower.look()
    store.delete(manifest_key("shop"))
    follower.look()
    assert store.stat(follower_key("shop", "r1")) is None
    with pytest.raises(NotFound, match="no deployment 'shop'"):
        follower.endpoint("shop")


def test_only_the_named_deployments_are_followed(store: LocalObjects, make_arm: MakeArm, publish: Publish) -> None:
    arm = make_arm(1)
    publish(arm, name="mine")
    publish(arm, name="other")
    follower = Follower(store, replica="r1", deployments=["mine", "later"])
    follower.look()
    assert set(follower.endpoints) == {"mine"}
    assert follower.waiting_for() == ["a manifest of 'later'"]
    follower.stop()


def test_it_says_what_it_waits_for(store: LocalObjects, make_arm: MakeArm, publish: Publish) -> None:
    follower = Follower(store, replica="r1")
    assert follower.waiting_for() == ["the first look at the manifests"]
    publish(make_arm(1))
    follower.look()
    assert follower.waiting_for() == []
    follower.stop()


def test_it_goes_on_when_the_store_is_out_of_reach(tmp_path: Path, make_arm: MakeArm, publish: Publish) -> None:
    publish(make_arm(1))
    store = Flaky(tmp_path / "objects", durable=False)
    follower = Follower(store, replica="r1", interval=0.02)
    follower.start()
    wait_for(lambda: "shop" in follower.endpoints and generation(follower) == 1)
    store.reachable = False
    time.sleep(0.1)
    assert generation(follower) == 1
    publish(make_arm(2), generation=2)
    store.reachable = True
    wait_for(lambda: generation(follower) == 2)
    follower.stop()


def test_reports_are_written_when_something_changed_only(
    store: LocalObjects, make_arm: MakeArm, publish: Publish
) -> None:
    follower = Follower(store, replica="r1", heartbeat=60)
    publish(make_arm(1))
    follower.look()
    first = report(store)
    follower.look()
    assert report(store) == first
    follower.stop()


def test_stopping_takes_the_reports_away(store: LocalObjects, make_arm: MakeArm, publish: Publish) -> None:
    follower = Follower(store, replica="r1")
    publish(make_arm(1))
    follower.look()
    follower.stop()
    assert store.stat(follower_key("shop", "r1")) is None
