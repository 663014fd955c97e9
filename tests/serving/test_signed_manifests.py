from __future__ import annotations

import base64
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from flyball.deployment.deployments import Deployment
from flyball.deployment.manifest import fleet_state
from flyball.deployment.manifest_keys import ManifestKey
from flyball.errors import Corrupt, InvalidInput, NotFound, PermissionDenied
from flyball.serialization import to_json
from flyball.serving.follower import Follower
from flyball.serving.manifest import Manifest, manifest_key
from flyball.serving.signed_manifest import TrustedKey, read_keys, read_manifest, write_manifest
from flyball.storage.local_objects import LocalObjects
from tests.serving.conftest import MakeArm

EMPTY = Manifest(deployment="shop", generation=1, arms=())


@pytest.fixture
def key(tmp_path: Path) -> ManifestKey:
    return ManifestKey(tmp_path / "keys")


@pytest.fixture
def trusted(key: ManifestKey) -> tuple[TrustedKey, ...]:
    key.sign(b"")
    return read_keys([key.public_file])


@pytest.fixture
def careful(store: LocalObjects, trusted: tuple[TrustedKey, ...]) -> Iterator[Follower]:
    made = Follower(store, replica="r1", trusted=trusted)
    yield made
    made.stop()


def test_a_signed_manifest_is_read_by_who_trusts_the_key(key: ManifestKey, trusted: tuple[TrustedKey, ...]) -> None:
    assert read_manifest(write_manifest(EMPTY, key), trusted) == EMPTY


def test_it_is_read_too_by_who_trusts_everybody(key: ManifestKey) -> None:
    assert read_manifest(write_manifest(EMPTY, key)) == EMPTY


def test_one_that_nobody_signed_is_refused(trusted: tuple[TrustedKey, ...]) -> None:
    with pytest.raises(PermissionDenied, match="not signed"):
        read_manifest(write_manifest(EMPTY), trusted)


def test_one_that_another_signed_is_refused(tmp_path: Path, trusted: tuple[TrustedKey, ...]) -> None:
    with pytest.raises(PermissionDenied, match="no key"):
        read_manifest(write_manifest(EMPTY, ManifestKey(tmp_path / "other")), trusted)


def test_one_that_was_changed_is_refused(key: ManifestKey, trusted: tuple[TrustedKey, ...]) -> None:
    told = msgspec.json.decode(write_manifest(EMPTY, key))
    other = to_json(Manifest(deployment="shop", generation=9, arms=()))
    told["payload"] = base64.b64encode(other).decode()
    with pytest.raises(Corrupt):
        read_manifest(msgspec.json.encode(told), trusted)


def test_a_signature_of_something_else_does_not_count(key: ManifestKey, trusted: tuple[TrustedKey, ...]) -> None:
    told = msgspec.json.decode(write_manifest(EMPTY, key))
    made = key.sign(base64.b64decode(told["payload"]))  # the bytes, without saying what they are
    assert made is not None
    told["signatures"][0]["sig"] = base64.b64encode(made[1]).decode()
    with pytest.raises(Corrupt):
        read_manifest(msgspec.json.encode(told), trusted)


@pytest.mark.parametrize(
    "data", [b"", b"{", b'{"payloadType":"x"}', b'{"payloadType":"x","payload":"!","signatures":[]}', b"[]"]
)
def test_what_is_no_manifest_is_refused(data: bytes, trusted: tuple[TrustedKey, ...]) -> None:
    with pytest.raises((InvalidInput, PermissionDenied)):
        read_manifest(data, trusted)


def test_two_processes_make_one_key(tmp_path: Path) -> None:
    made = {ManifestKey(tmp_path).sign(b"x") for _ in range(3)}
    assert len(made) == 1


def test_a_key_that_others_can_read_is_refused(key: ManifestKey) -> None:
    key.sign(b"")
    key.public_file.with_suffix(".key").chmod(0o644)
    with pytest.raises(InvalidInput, match="chmod"):
        ManifestKey(key.public_file.parent).sign(b"")


def test_a_missing_key_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"manifest\.pub"):
        read_keys([tmp_path / "nothing.pub"])


def test_a_follower_takes_what_its_key_signed_and_nothing_else(
    careful: Follower, store: LocalObjects, key: ManifestKey, make_arm: MakeArm, tmp_path: Path
) -> None:
    def put(generation: int, version: int, signer: ManifestKey | None) -> None:
        made = Manifest(deployment="shop", generation=generation, arms=(make_arm(version),))
        store.put(manifest_key("shop"), write_manifest(made, signer))
        careful.look()

    def champion() -> int:
        runtime = careful.endpoint("shop").runtime
        assert runtime is not None
        return runtime.champion.version

    put(1, 1, key)
    assert champion() == 1
    for signer in (None, ManifestKey(tmp_path / "eve")):
        put(2, 2, signer)
        assert (champion(), careful.endpoint("shop").state) == (1, "failed")
    put(3, 3, key)
    assert (champion(), careful.endpoint("shop").state) == (3, "ready")


def test_an_old_manifest_that_is_put_back_brings_no_old_model_back(
    careful: Follower, store: LocalObjects, key: ManifestKey, make_arm: MakeArm
) -> None:
    old = write_manifest(Manifest(deployment="shop", generation=1, arms=(make_arm(1),)), key)
    for data in (old, write_manifest(Manifest(deployment="shop", generation=2, arms=(make_arm(2),)), key), old):
        store.put(manifest_key("shop"), data)
        careful.look()
    endpoint = careful.endpoint("shop")
    assert endpoint.runtime is not None
    assert endpoint.runtime.champion.version == 2
    assert "generation 1" in endpoint.error


def test_a_manifest_of_another_deployment_is_refused(
    careful: Follower, store: LocalObjects, key: ManifestKey, make_arm: MakeArm
) -> None:
    store.put(manifest_key("shop"), write_manifest(Manifest(deployment="bank", generation=1, arms=(make_arm(1),)), key))
    careful.look()
    assert "one of 'bank'" in careful.endpoint("shop").error


def test_the_state_of_a_fleet_says_who_lags_and_why(
    careful: Follower, store: LocalObjects, key: ManifestKey, make_arm: MakeArm
) -> None:
    store.put(manifest_key("shop"), write_manifest(Manifest(deployment="shop", generation=1, arms=(make_arm(1),)), key))
    careful.look()
    store.put(manifest_key("shop"), b"{}")
    careful.look()
    now = datetime.now(UTC)
    deployment = Deployment(name="shop", model="shop", champion=1, generation=2, created=now, updated=now)
    state = fleet_state(store, deployment, now=now + timedelta(hours=1), silent_after=timedelta(minutes=5))
    assert (state.servers, state.ready, state.by_generation, state.silent) == (1, 0, {1: 1}, 1)
    assert "not signed" in state.failed[0].error
