"""Tekton Pipelines: a `Pipeline`; its parameters have the pipeline's defaults."""

from __future__ import annotations

from typing import Any

from flyball.errors import InvalidInput
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

_RUN = "$(context.pipelineRun.uid)"
_PARAM = "$(params.{})"


class Tekton:
    """A task a step, and one that ends the run whatever became of the others."""

    needs_image = True

    def write(self, plan: Plan, settings: ExportSettings) -> str:
        """The pipeline as YAML.

        Raises:
            InvalidInput: a schedule is given, which Tekton leaves to its triggers.
        """
        if settings.schedule:
            raise InvalidInput("Tekton has no schedules.", hint="Let a trigger or a CronJob start the pipeline.")
        spec: dict[str, Any] = {
            "params": [{"name": name, "type": "string", "default": value} for name, value in plan.params.items()],
            "tasks": [_task(plan, step, settings) for step in plan.steps] or [_task(plan, None, settings)],
        }
        if plan.steps:
            spec["finally"] = [_task(plan, None, settings)]
        head = {"apiVersion": "tekton.dev/v1", "kind": "Pipeline", "metadata": metadata(plan, settings)}
        return yaml([{**head, "spec": spec}])


def _task(plan: Plan, step: PlannedStep | None, settings: ExportSettings) -> dict[str, Any]:
    run = container(plan, step, settings, run=_RUN, param=_PARAM, resources="computeResources")
    task: dict[str, Any] = {"name": task_name(plan, step), "taskSpec": {"steps": [{"name": "run", **run}]}}
    if step and step.after:
        task["runAfter"] = [label(each) for each in step.after]
    if longest(step):
        task["timeout"] = f"{longest(step)}s"
    return task


plugin: Exporter = Tekton()
