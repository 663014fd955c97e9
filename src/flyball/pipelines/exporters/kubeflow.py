"""Kubeflow Pipelines: the intermediate representation of version 2.1 (`PipelineSpec`), which Kubeflow and OpenShift AI take."""

from __future__ import annotations

from typing import Any

from flyball.errors import InvalidInput
from flyball.pipelines.exporters.base import Exporter, ExportSettings, label, task_name, words, yaml
from flyball.pipelines.plan import Plan, PlannedStep

_RUN = "{{$.pipeline_job_uuid}}"
_PARAM = "{{$.inputs.parameters['{}']}}"


class Kubeflow:
    """A container component a step, and a task that ends the run when all others have ended, well or not."""

    needs_image = True

    def write(self, plan: Plan, settings: ExportSettings) -> str:
        """The pipeline as YAML: its specification, and what of it is Kubernetes' own.

        Raises:
            InvalidInput: a schedule is given, which Kubeflow keeps in its recurring runs.
        """
        if settings.schedule:
            raise InvalidInput("Kubeflow keeps schedules apart.", hint="Make a recurring run of the exported pipeline.")
        steps: list[PlannedStep | None] = [*plan.steps, None]
        named = [(task_name(plan, step), step) for step in steps]
        names = [name for name, _ in named]
        inputs = {name: {"parameterType": "STRING"} for name in plan.params}
        described = {"inputDefinitions": {"parameters": inputs}} if inputs else {}
        spec = {
            "pipelineInfo": {"name": label(plan.pipeline)},
            "schemaVersion": "2.1.0",
            "sdkVersion": "kfp-2.13.0",
            "components": {
                f"comp-{name}": {"executorLabel": f"exec-{name}", **described} for name in names
            },
            "deploymentSpec": {
                "executors": {f"exec-{name}": {"container": _container(plan, step, settings)} for name, step in named}
            },
            "root": {
                "dag": {"tasks": {name: _task(plan, step, name, names) for name, step in named}},
                **_with_defaults(plan),
            },
        }  # fmt: skip
        secrets = {
            f"exec-{name}": {"secretAsEnv": [_secret(settings, step.secrets if step else ())]} for name, step in named
        }
        platform = {"platforms": {"kubernetes": {"deploymentSpec": {"executors": secrets}}}}
        return yaml([spec, platform])


def _container(plan: Plan, step: PlannedStep | None, settings: ExportSettings) -> dict[str, Any]:
    command, *arguments = words(plan, step, run=_RUN, param=_PARAM)
    container: dict[str, Any] = {
        "image": settings.image,
        "command": [command],
        "args": arguments,
        "env": [{"name": "FLYBALL_URL", "value": settings.url}],
    }
    if step and step.resources:
        asked = step.resources
        wanted: dict[str, Any] = {}
        if asked.cores:
            wanted["resourceCpuRequest"] = f"{asked.cores:g}"
        if asked.memory:
            wanted |= {"resourceMemoryRequest": str(asked.memory), "resourceMemoryLimit": str(asked.memory)}
        if asked.gpus:
            wanted["accelerator"] = {"resourceType": "nvidia.com/gpu", "resourceCount": str(asked.gpus)}
        if wanted:
            container["resources"] = wanted
    return container


def _task(plan: Plan, step: PlannedStep | None, name: str, names: list[str]) -> dict[str, Any]:
    task: dict[str, Any] = {
        "taskInfo": {"name": name},
        "componentRef": {"name": f"comp-{name}"},
        "cachingOptions": {},  # the steps have a cache that looks at their code
    }
    if plan.params:
        task["inputs"] = {"parameters": {each: {"componentInputParameter": each} for each in plan.params}}
    if step and step.after:
        task["dependentTasks"] = [label(each) for each in step.after]
    if step is None and plan.steps:
        task["dependentTasks"] = [each for each in names if each != name]
        task["triggerPolicy"] = {"strategy": "ALL_UPSTREAM_TASKS_COMPLETED"}
    return task


def _with_defaults(plan: Plan) -> dict[str, Any]:
    if not plan.params:
        return {}
    return {
        "inputDefinitions": {
            "parameters": {
                name: {"parameterType": "STRING", "defaultValue": value, "isOptional": True}
                for name, value in plan.params.items()
            }
        }
    }


def _secret(settings: ExportSettings, names: tuple[str, ...]) -> dict[str, Any]:
    keys = {"token": "FLYBALL_TOKEN", **{name: name for name in names}}
    return {
        "secretName": settings.secret,
        "optional": not names,
        "keyToEnv": [{"secretKey": key, "envVar": name} for key, name in keys.items()],
    }


plugin: Exporter = Kubeflow()
