"""Writes the manifests that model servers follow."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta

from flyball.deployment.deployments import Deployment
from flyball.features.plan import FeaturePlan
from flyball.features.views import Features
from flyball.registry.versions import ModelVersion, Registry
from flyball.serialization import from_json
from flyball.serving.manifest import Arm, FollowerReport, Manifest, Role, follower_prefix, manifest_key
from flyball.serving.signed_manifest import Signer, is_envelope, read_manifest, write_manifest
from flyball.storage.object_store import ObjectStore


def build_manifest(deployment: Deployment, registry: Registry, features: Features | None = None) -> Manifest:
    """The manifest of a deployment's present generation.

    Args:
        features: Knows which features each version was trained with; without it none are looked up.
    """
    rollout = deployment.rollout
    share = rollout.percent / 100 if rollout else 0.0
    champion = registry.get_version(f"models:/{deployment.model}/{deployment.champion}")
    arms = [_arm(champion, "champion", 1.0 - share, _plan(champion, features))]
    if rollout is not None:
        version = registry.get_version(f"models:/{deployment.model}/{rollout.to_version}")
        role: Role = "shadow" if rollout.spec.strategy == "shadow" else "challenger"
        arms.append(_arm(version, role, share, _plan(version, features)))
    return Manifest(
        deployment=deployment.name, generation=deployment.generation, arms=tuple(arms), key=deployment.sticky_key,
        log_inputs=deployment.logging.inputs, logging=deployment.logging,
    )  # fmt: skip


def manifest_of_version(version: ModelVersion, features: Features | None = None) -> Manifest:
    """The manifest of a version that is served alone, under its model's name as far as a deployment may have it."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", version.model).strip("-._")[:128] or "model"
    return Manifest(
        deployment=name, generation=version.version, arms=(_arm(version, "champion", 1.0, _plan(version, features)),)
    )


def publish(
    store: ObjectStore,
    deployment: Deployment,
    registry: Registry,
    features: Features | None = None,
    signer: Signer | None = None,
) -> bool:
    """Writes the manifest if the store holds an earlier generation, or none that is signed; whether it did.

    Args:
        signer: Signs it, for servers that take no other.
    """
    key = manifest_key(deployment.name)
    if store.stat(key) is not None:
        data = store.get(key)
        held = read_manifest(data)
        is_as_signed_as_can_be = is_envelope(data) or signer is None or signer.sign(b"") is None
        if held.generation > deployment.generation or (
            held.generation == deployment.generation and is_as_signed_as_can_be
        ):
            return False
    store.put(key, write_manifest(build_manifest(deployment, registry, features), signer))
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetState:
    """How far the model servers of a deployment are.

    Attributes:
        generation: The newest one, which they are to have.
        servers: How many there are.
        ready: How many answer with the newest generation.
        by_generation: How many answer with each generation; 0 for none yet.
        failed: Those that could not take the newest one, and why; a hundred at most.
        silent: How many have not been heard of for longer than asked.
    """

    generation: int
    servers: int
    ready: int
    by_generation: dict[int, int]
    failed: tuple[FollowerReport, ...]
    silent: int


def fleet_state(store: ObjectStore, deployment: Deployment, *, now: datetime, silent_after: timedelta) -> FleetState:
    """How far the model servers of a deployment are, by what they last said."""
    reports = followers(store, deployment.name)
    counts = Counter(report.generation for report in reports)
    return FleetState(
        generation=deployment.generation,
        servers=len(reports),
        ready=counts[deployment.generation],
        by_generation=dict(sorted(counts.items())),
        failed=tuple(report for report in reports if report.state == "failed")[:100],
        silent=sum(now - report.at > silent_after for report in reports),
    )


def withdraw(store: ObjectStore, name: str) -> None:
    """Removes the manifest of a deployment that is no more, so that model servers drop it."""
    store.delete(manifest_key(name))


def followers(store: ObjectStore, name: str) -> list[FollowerReport]:
    """What the model servers have last said of themselves."""
    return [from_json(store.get(item.key), FollowerReport) for item in store.list(follower_prefix(name))]


def _plan(version: ModelVersion, features: Features | None) -> FeaturePlan | None:
    return features.used_by(version.run) if features is not None and version.run else None


def _arm(version: ModelVersion, role: Role, weight: float, features: FeaturePlan | None) -> Arm:
    return Arm(
        revision=f"{version.model}-{version.version}",
        model=version.model,
        version=version.version,
        package=version.package,
        role=role,
        weight=weight,
        features=features,
    )
