"""KServe: an `InferenceService` whose predictor is our server, which speaks its protocol (Open Inference V2)."""

from __future__ import annotations

from typing import Any

from flyball.packaging.exporters.base import (
    DeploymentExporter,
    Served,
    config_map,
    container,
    metadata,
    models_of,
    network_policy,
    pod,
    service_account,
    yaml,
)


class KServe:
    """Shares of traffic stay with our server, in the manifest: a canary then costs no second pod and no extra hop."""

    def write(self, served: Served) -> dict[str, str]:
        """The files."""
        fewest, most = served.plan.replicas
        inside = pod(served)
        # KServe's own proxy probes what it starts, and names the container it looks for.
        own = {key: value for key, value in container(served).items() if key != "startupProbe"}
        predictor: dict[str, Any] = {
            **inside,
            "minReplicas": fewest,
            "maxReplicas": most,
            "scaleMetric": "rps",
            "scaleTarget": served.plan.requests,
            "containers": [{**own, "name": "kserve-container"}],
        }
        service = {
            "apiVersion": "serving.kserve.io/v1beta1",
            "kind": "InferenceService",
            "metadata": metadata(served, models=models_of(served)),
            "spec": {"predictor": predictor},
        }
        return {
            "account.yaml": yaml(service_account(served)),
            "manifest.yaml": yaml(config_map(served)),
            "inference.yaml": yaml(service),
            "network.yaml": yaml(network_policy(served)),
        }


plugin: DeploymentExporter = KServe()
