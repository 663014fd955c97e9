"""Argo Workflows: a `WorkflowTemplate`, or a `CronWorkflow` where there is a schedule."""

from __future__ import annotations

from typing import Any

from flyball.pipelines.exporters.base import (
    SECURITY,
    Exporter,
    ExportSettings,
    environment,
    label,
    needs,
    words,
    yaml,
)
from flyball.pipelines.plan import Plan, PlannedStep

_RUN = "{{workflow.uid}}"
_PARAM = "{{workflow.parameters.{}}}"


class Argo:
    """Argo's own form: a DAG of containers, and a last one that ends the run whatever became of the others."""

    suffix = ".yaml"

    def write(self, plan: Plan, settings: ExportSettings) -> str:
        """The template as YAML."""
        steps: list[PlannedStep | None] = [*plan.steps]
        tasks = [
            {"name": label(step.name), "template": label(step.name), "dependencies": [label(each) for each in step.after]}
            for step in plan.steps
        ]  # fmt: skip
        spec: dict[str, Any] = {
            "entrypoint": "steps" if plan.steps else "pipeline",
            "arguments": {"parameters": [{"name": name, "value": value} for name, value in plan.params.items()]},
            "securityContext": {"runAsNonRoot": True},
            "templates": [_container(plan, step, settings) for step in steps],
        }
        if plan.steps:
            spec["onExit"] = "finish"
            spec["templates"] = [
                {"name": "steps", "dag": {"tasks": [{k: v for k, v in task.items() if v} for task in tasks]}},
                *spec["templates"],
                _container(plan, None, settings),
            ]
        else:
            spec["templates"] = [_container(plan, None, settings)]
        metadata = {"name": label(plan.pipeline), **({"namespace": settings.namespace} if settings.namespace else {})}
        head = {"apiVersion": "argoproj.io/v1alpha1", "metadata": metadata}
        if settings.schedule:
            cron = {"schedules": [settings.schedule], "concurrencyPolicy": "Forbid", "workflowSpec": spec}
            return yaml([{**head, "kind": "CronWorkflow", "spec": cron}])
        return yaml([{**head, "kind": "WorkflowTemplate", "spec": spec}])


def _container(plan: Plan, step: PlannedStep | None, settings: ExportSettings) -> dict[str, Any]:
    command, *arguments = words(plan, step, run=_RUN, param=_PARAM)
    container = {
        "image": settings.image, "command": [command], "args": arguments, "env": environment(step, settings),
        "securityContext": SECURITY,
    }  # fmt: skip
    if needs(step):
        container["resources"] = needs(step)
    name = label(step.name) if step else "finish" if plan.steps else "pipeline"
    found: dict[str, Any] = {"name": name, "container": container}
    if step and step.timeout:
        found["activeDeadlineSeconds"] = round(step.timeout * (step.retries + 1)) + 60
    return found


plugin: Exporter = Argo()
