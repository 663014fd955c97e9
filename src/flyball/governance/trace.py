"""Follows one prediction back: to the model version, its run, its code and the exact data it was trained on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flyball.data.datasets import Data
from flyball.data.manifest import Snapshot
from flyball.deployment.deployments import Deployments
from flyball.errors import NotFound
from flyball.monitoring.monitoring import Monitoring
from flyball.refs import Ref
from flyball.registry.versions import ModelVersion, Registry
from flyball.serving.prediction_log import find_prediction
from flyball.storage.object_store import ObjectStore
from flyball.tracking.runs import Run, Tracking


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """Where a prediction came from.

    Attributes:
        prediction: What was asked and answered: the row of the prediction log.
        truth: What turned out to be so; None while it is not known.
        version: The model version that answered.
        run: The run that trained it; None if it was registered without one.
        snapshots: The data it was trained on.
        code: Digest of the code snapshot that trained it.
    """

    deployment: str
    prediction: dict[str, Any]
    truth: Any
    version: ModelVersion
    run: Run | None
    snapshots: tuple[Snapshot, ...]
    code: str


def trace_prediction(
    prediction_id: str, *, deployment: str = "", deployments: Deployments, registry: Registry, tracking: Tracking, data: Data,
    monitoring: Monitoring, store: ObjectStore,
) -> Trace:  # fmt: skip
    """Follows a prediction back.

    Args:
        deployment: Where to look; every deployment by default.

    Raises:
        NotFound: no deployment has logged a prediction of this id.
    """
    names = [deployment] if deployment else [found.name for found in deployments.list(limit=1000)]
    for name in names:
        rows = [row for row in find_prediction(store, name, prediction_id) if row.get("answered", True)]
        if not rows:
            continue
        model = deployments.get(name).model
        version = registry.get_version(f"models:/{model}/{rows[0]['model_version']}")
        return Trace(
            deployment=name,
            prediction=rows[0],
            truth=monitoring.truth_of(name, [prediction_id]).get(prediction_id),
            version=version,
            run=_run(tracking, version.run),
            snapshots=tuple(_snapshot(data, ref) for ref in version.snapshots),
            code=version.code,
        )
    where = f"'{deployment}'" if deployment else "any deployment"
    raise NotFound(
        f"No prediction '{prediction_id}' is in the log of {where}.", hint="Ids are in the answers of /predict."
    )


def _run(tracking: Tracking, run: str) -> Run | None:
    return tracking.get_run(run) if run else None


def _snapshot(data: Data, text: str) -> Snapshot:
    ref = Ref.parse(text)
    return data.get_snapshot(ref.name, ref.version)
