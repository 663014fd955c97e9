"""What a model server follows and what it says back: plain objects in the object store, and where they stand."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from flyball.features.plan import FeaturePlan
from flyball.models.package import ModelPackage
from flyball.refs import check_name
from flyball.serving.log_rules import LogRules

Role = Literal["champion", "challenger", "shadow"]
DEPLOYMENTS = "deployments/"
_MANIFEST = "/manifest.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """One model behind a deployment.

    Attributes:
        revision: Name of this model in the log and in reports.
        model: Registered name.
        version: Registered version.
        role: A champion and challengers share the answers by weight; a shadow also scores, off the answer.
        weight: Share of the keys it answers; without meaning for a shadow.
        features: What its training set was made with, to look up what a request does not give; None for nothing.
    """

    revision: str
    model: str
    version: int
    package: ModelPackage
    role: Role
    weight: float
    features: FeaturePlan | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """All a model server needs to know of a deployment.

    Attributes:
        generation: Grows with every change.
        key: Column whose value sends a prediction always to the same arm; the prediction's id where it is empty.
        log_inputs: Whether the prediction log holds the inputs, too.
        logging: What else is said of the log: how much of it, and what is hidden.
    """

    deployment: str
    generation: int
    arms: tuple[Arm, ...]
    key: str = ""
    log_inputs: bool = True
    logging: LogRules = field(default_factory=LogRules)


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowerReport:
    """What a model server last said of one deployment it follows.

    Attributes:
        generation: The generation it answers with; 0 before there is one.
        address: Where it answers.
        at: When it said so, by the clock of its machine.
        state: `failed` if it could not take the newest generation; it then goes on with the one named here.
        error: Why it failed, or the last error of an arm.
        requests: Requests since it started; `errors` are those of them that failed, with arms that were stood in for.
        logged: Predictions that rest in the store; `dropped` are those that found no room on the way there.
        upgrades: Distributions that are of another version here than where its models were made.
    """

    replica: str
    deployment: str
    generation: int
    address: str
    at: datetime
    state: Literal["loading", "ready", "failed"]
    error: str = ""
    requests: int = 0
    errors: int = 0
    logged: int = 0
    dropped: int = 0
    upgrades: tuple[str, ...] = ()


def manifest_key(deployment: str) -> str:
    """Where the manifest of a deployment stands."""
    return f"{DEPLOYMENTS}{check_name(deployment, 'deployment')}{_MANIFEST}"


def follower_prefix(deployment: str) -> str:
    """Where the reports of a deployment's followers stand."""
    return f"{DEPLOYMENTS}{check_name(deployment, 'deployment')}/followers/"


def follower_key(deployment: str, replica: str) -> str:
    """Where the report of one follower stands."""
    return f"{follower_prefix(deployment)}{check_name(replica, 'replica')}.json"


def segment_prefix(deployment: str) -> str:
    """Where the segments of a deployment's prediction log stand."""
    return f"predictions/{check_name(deployment, 'deployment')}/"


def deployment_of(key: str) -> str | None:
    """The deployment whose manifest stands under that key; None where no manifest does.

    >>> deployment_of("deployments/churn/manifest.json")
    'churn'
    """
    name = key.removeprefix(DEPLOYMENTS).removesuffix(_MANIFEST)
    return name if key == f"{DEPLOYMENTS}{name}{_MANIFEST}" and "/" not in name else None
