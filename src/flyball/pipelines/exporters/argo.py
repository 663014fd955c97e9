"""Argo Workflows: a `WorkflowTemplate`, or a `CronWorkflow` where there is a schedule."""

from __future__ import annotations

from typing import Any

from flyball.pipelines.exporters.base import (
    Exporter,
    ExportSettings,
    container,
    label,
    longest,
    metadata,
    task_name,
    yaml,
)
from flyball.pipelines.plan import Plan, PlannedStep

_RUN = "{{workflow.uid}}"
_PARAM = "{{workflow.parameters.{}}}"


class Argo:
    """Argo's own form: a DAG of containers, and a last one that ends the run whatever became of the others."""

    needs_image = True

    def write(self, plan: Plan, settings: ExportSettings) -> str:
        """The template as YAML."""
        templates = [_template(plan, step, settings) for step in (*plan.steps, None)]
        spec: dict[str, Any] = {
            "entrypoint": task_name(plan, None),
            "arguments": {"parameters": [{"name": name, "value": value} for name, value in plan.params.items()]},
            "securityContext": {"runAsNonRoot": True},
            "templates": templates,
        }
        if plan.steps:
            dag = {"name": "steps", "dag": {"tasks": [_task(step) for step in plan.steps]}}
            spec |= {"entrypoint": "steps", "onExit": task_name(plan, None), "templates": [dag, *templates]}
        head = {"apiVersion": "argoproj.io/v1alpha1", "metadata": metadata(plan, settings)}
        if settings.schedule:
            cron = {"schedules": [settings.schedule], "concurrencyPolicy": "Forbid", "workflowSpec": spec}
            return yaml([{**head, "kind": "CronWorkflow", "spec": cron}])
        return yaml([{**head, "kind": "WorkflowTemplate", "spec": spec}])


def _task(step: PlannedStep) -> dict[str, Any]:
    after = {"dependencies": [label(each) for each in step.after]} if step.after else {}
    return {"name": label(step.name), "template": label(step.name), **after}


def _template(plan: Plan, step: PlannedStep | None, settings: ExportSettings) -> dict[str, Any]:
    found: dict[str, Any] = {
        "name": task_name(plan, step),
        "container": container(plan, step, settings, run=_RUN, param=_PARAM, resources="resources"),
    }
    if longest(step):
        found["activeDeadlineSeconds"] = longest(step)
    return found


plugin: Exporter = Argo()
