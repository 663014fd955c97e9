"""Tekton: a pipeline that builds the image of what a deployment is now, sends it, and writes its manifests anew."""

from __future__ import annotations

from typing import Any

from flyball.errors import InvalidInput
from flyball.packaging.exporters.base import DeploymentExporter, Served, metadata, service_account, yaml

_SECURITY = {
    "allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}, "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}  # fmt: skip


class Tekton:
    """Task and pipeline. Its steps run Flyball itself, from the image of the same name with its command line."""

    def write(self, served: Served) -> dict[str, str]:
        """The files."""
        plan = served.plan
        if not plan.url:
            raise InvalidInput("Where is the team server that knows the deployment?", hint="Name it with --url.")
        task = {
            "apiVersion": "tekton.dev/v1",
            "kind": "Task",
            "metadata": metadata(served, f"{served.name}-image"),
            "spec": {
                "params": _params(served),
                "workspaces": [{"name": "output", "description": "Where image and manifests are written."}],
                "steps": [
                    _step(served, "build", ["image", "build", "$(params.deployment)", "--output", "$(workspaces.output.path)/image",
                                            "--push", "$(params.image)"]),
                    _step(served, "manifests", ["export", "kubernetes", "$(params.deployment)", "--image", "$(params.image)",
                                                "--output", "$(workspaces.output.path)/manifests"]),
                ],
            },
        }  # fmt: skip
        names = [each["name"] for each in _params(served)]
        pipeline = {
            "apiVersion": "tekton.dev/v1",
            "kind": "Pipeline",
            "metadata": metadata(served),
            "spec": {
                "params": _params(served),
                "workspaces": [{"name": "output"}],
                "tasks": [
                    {
                        "name": "image",
                        "taskRef": {"name": f"{served.name}-image", "kind": "Task"},
                        "params": [{"name": name, "value": f"$(params.{name})"} for name in names],
                        "workspaces": [{"name": "output", "workspace": "output"}],
                        "retries": 1,
                    }
                ],
            },
        }
        return {"account.yaml": yaml(service_account(served)), "task.yaml": yaml(task), "pipeline.yaml": yaml(pipeline)}


def _params(served: Served) -> list[dict[str, Any]]:
    return [
        {"name": "deployment", "type": "string", "default": served.manifest.deployment},
        {"name": "image", "type": "string", "default": served.plan.image},
        {
            "name": "runner",
            "type": "string",
            "default": "flyball:latest",
            "description": "Image with Flyball's command line.",
        },
    ]


def _step(served: Served, name: str, words: list[str]) -> dict[str, Any]:
    token = {"secretKeyRef": {"name": served.plan.secret or "flyball", "key": "token", "optional": True}}
    return {
        "name": name,
        "image": "$(params.runner)",
        "command": ["flyball"],
        "args": words,
        "env": [{"name": "FLYBALL_URL", "value": served.plan.url}, {"name": "FLYBALL_TOKEN", "valueFrom": token}],
        "securityContext": _SECURITY,
    }


plugin: DeploymentExporter = Tekton()
