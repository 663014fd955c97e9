"""Kustomize: the plain objects as a base, the manifest as a generated ConfigMap, and an overlay to change what differs."""

from __future__ import annotations

from typing import Any

from flyball.packaging.exporters.base import DeploymentExporter, Served, manifest_text, objects, yaml


class Kustomize:
    """A base and an overlay `production`."""

    def write(self, served: Served) -> dict[str, str]:
        """The files."""
        found = {name: document for name, document in objects(served).items() if name != "manifest.yaml"}
        files = {f"base/{name}": yaml(document) for name, document in found.items()}
        files["base/manifest.json"] = manifest_text(served)
        files["base/kustomization.yaml"] = yaml(
            {
                "apiVersion": "kustomize.config.k8s.io/v1beta1",
                "kind": "Kustomization",
                "resources": sorted(found),
                "configMapGenerator": [{"name": f"{served.name}-manifest", "files": ["manifest.json"]}],
                # Without a hash in its name: servers read a change, and need not be started again for it.
                "generatorOptions": {"disableNameSuffixHash": True, "labels": dict(served.labels)},
            }
        )
        overlay: dict[str, Any] = {
            "apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization", "resources": ["../../base"],
        }  # fmt: skip
        if served.plan.namespace:
            overlay["namespace"] = served.plan.namespace
        overlay["replicas"] = []
        files["overlays/production/kustomization.yaml"] = yaml({k: v for k, v in overlay.items() if v != []})
        return files


plugin: DeploymentExporter = Kustomize()
