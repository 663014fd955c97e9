"""Kubernetes: plain objects, for `kubectl apply -f` or whatever follows a repository."""

from __future__ import annotations

from flyball.packaging.exporters.base import DeploymentExporter, Served, objects, yaml


class Kubernetes:
    """One file an object."""

    def write(self, served: Served) -> dict[str, str]:
        """The files."""
        return {name: yaml(document) for name, document in objects(served).items()}


plugin: DeploymentExporter = Kubernetes()
