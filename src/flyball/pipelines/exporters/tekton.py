"""Tekton Pipelines: a `Pipeline`; its parameters have the pipeline's defaults."""

from __future__ import annotations

from typing import Any

from flyball.errors import InvalidInput
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

_RUN = "$(context.pipelineRun.uid)"
_PARAM = "$(params.{})"


class Tekton:
    """A task a step, and one that ends the run whatever became of the others."""

    suffix = ".yaml"

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
        metadata = {"name": label(plan.pipeline), **({"namespace": settings.namespace} if settings.namespace else {})}
        return yaml([{"apiVersion": "tekton.dev/v1", "kind": "Pipeline", "metadata": metadata, "spec": spec}])


def _task(plan: Plan, step: PlannedStep | None, settings: ExportSettings) -> dict[str, Any]:
    command, *arguments = words(plan, step, run=_RUN, param=_PARAM)
    container = {
        "name": "run", "image": settings.image, "command": [command], "args": arguments,
        "env": environment(step, settings), "securityContext": SECURITY,
    }  # fmt: skip
    if needs(step):
        container["computeResources"] = needs(step)
    task: dict[str, Any] = {
        "name": label(step.name) if step else "finish" if plan.steps else "pipeline",
        "taskSpec": {"steps": [container]},
    }
    if step and step.after:
        task["runAfter"] = [label(each) for each in step.after]
    if step and step.timeout:
        task["timeout"] = f"{round(step.timeout * (step.retries + 1)) + 60}s"
    return task


plugin: Exporter = Tekton()
