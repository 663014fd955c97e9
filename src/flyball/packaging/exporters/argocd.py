"""Argo CD: an `Application` that follows the folder in a repository, and the plain objects it finds there."""

from __future__ import annotations

from flyball.errors import InvalidInput
from flyball.packaging.exporters.base import DeploymentExporter, Served, metadata, objects, yaml


class ArgoCd:
    """What is committed is deployed; what is changed by hand in the cluster is changed back."""

    def write(self, served: Served) -> dict[str, str]:
        """The files."""
        plan = served.plan
        if not plan.repository:
            raise InvalidInput(
                "Which repository is Argo CD to follow?", hint="Name it with --repository, and its --path."
            )
        application = {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Application",
            "metadata": {
                **metadata(served), "namespace": "argocd", "finalizers": ["resources-finalizer.argocd.argoproj.io"],
            },
            "spec": {
                "project": "default",
                "source": {
                    "repoURL": plan.repository,
                    "targetRevision": plan.revision,
                    "path": f"{plan.path.strip('/') or '.'}/objects".removeprefix("./"),
                },
                "destination": {"server": "https://kubernetes.default.svc", "namespace": plan.namespace or "default"},
                "syncPolicy": {
                    "automated": {"prune": True, "selfHeal": True},
                    "syncOptions": ["CreateNamespace=true"],
                    "retry": {"limit": 5, "backoff": {"duration": "5s", "factor": 2, "maxDuration": "3m"}},
                },
            },
        }  # fmt: skip
        files = {f"objects/{name}": yaml(document) for name, document in objects(served).items()}
        return {"application.yaml": yaml(application), **files}


plugin: DeploymentExporter = ArgoCd()
