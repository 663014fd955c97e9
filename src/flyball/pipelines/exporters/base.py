"""What a pipeline is written down with, and what is common to all languages."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from flyball.errors import MissingExtra
from flyball.pipelines.plan import Plan, PlannedStep
from flyball.plugins import PluginGroup


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportSettings:
    """Where and how the pipeline is to run there.

    Attributes:
        image: Container image with Flyball and the project.
        url: Address of the team server.
        secret: Name of the secret that holds the token (`token`) and the secrets of steps.
        schedule: Cron expression; empty for runs that somebody starts.
        namespace: Where it is to run; empty for the present one.
    """

    image: str
    url: str
    secret: str = "flyball"  # noqa: S105  # the name of one
    schedule: str = ""
    namespace: str = ""


class Exporter(Protocol):
    """Writes a pipeline down in the language of another scheduler.

    Attributes:
        needs_image: Whether its steps are containers.
    """

    needs_image: bool

    def write(self, plan: Plan, settings: ExportSettings) -> str:
        """The file's text."""
        ...


EXPORTERS: PluginGroup[Exporter] = PluginGroup("exporter", "flyball.pipelines.exporters")

SECURITY: dict[str, Any] = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}
"""What a container of a step may: nothing beside its work."""


def label(name: str) -> str:
    """A name as Kubernetes takes it.

    >>> label("late_flights#2")
    'late-flights-2'
    """
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:60] or "step"


def words(plan: Plan, step: PlannedStep | None, *, run: str, param: str) -> list[str]:
    """The command of a step; of the end of the run where there is none; of all of a pipeline without steps.

    Args:
        run: What the other system calls its run.
        param: What it calls a parameter, with `{}` for its name.
    """
    params = [word for name in plan.params for word in ("-p", f"{name}={param.replace('{}', name)}")]
    if not plan.steps:
        return ["flyball", "run", plan.pipeline, *params]
    which = ["--finish"] if step is None else [step.name]
    return ["flyball", "run-step", plan.pipeline, *which, "--run", run, *params]


def environment(step: PlannedStep | None, settings: ExportSettings) -> list[dict[str, Any]]:
    """The variables of a step's container: where the server is, and its secrets by reference."""
    names = {"FLYBALL_TOKEN": "token", **{name: name for name in (step.secrets if step else ())}}
    secrets = [
        {"name": name, "valueFrom": {"secretKeyRef": {"name": settings.secret, "key": key, "optional": name == "FLYBALL_TOKEN"}}}
        for name, key in names.items()
    ]  # fmt: skip
    return [{"name": "FLYBALL_URL", "value": settings.url}, *secrets]


def needs(step: PlannedStep | None) -> dict[str, Any]:
    """What a container asks for, and at most gets."""
    if step is None or not step.resources:
        return {}
    asked: dict[str, Any] = {}
    if step.resources.cores:
        asked["cpu"] = f"{step.resources.cores:g}"
    if step.resources.memory:
        asked["memory"] = str(step.resources.memory)
    limits = {name: value for name, value in asked.items() if name == "memory"}
    if step.resources.gpus:
        limits["nvidia.com/gpu"] = str(step.resources.gpus)
    return {key: value for key, value in (("requests", asked), ("limits", limits)) if value}


def task_name(plan: Plan, step: PlannedStep | None) -> str:
    """What a step is called there; without one, what ends the run, or all of a pipeline without steps."""
    return label(step.name) if step else "finish" if plan.steps else "pipeline"


def metadata(plan: Plan, settings: ExportSettings) -> dict[str, str]:
    """Name and place of a Kubernetes object."""
    return {"name": label(plan.pipeline), **({"namespace": settings.namespace} if settings.namespace else {})}


def container(
    plan: Plan, step: PlannedStep | None, settings: ExportSettings, *, run: str, param: str, resources: str
) -> dict[str, Any]:
    """The Kubernetes container of a step.

    Args:
        run: What the other system calls its run.
        param: What it calls a parameter, with `{}` for its name.
        resources: What it calls the container's resources.
    """
    command, *arguments = words(plan, step, run=run, param=param)
    needed = needs(step)
    return {
        "image": settings.image, "command": [command], "args": arguments, "env": environment(step, settings),
        "securityContext": SECURITY, **({resources: needed} if needed else {}),
    }  # fmt: skip


def longest(step: PlannedStep | None) -> int:
    """Seconds that a step may take with all its tries, and a minute to start; 0 for no limit."""
    return round(step.timeout * (step.retries + 1)) + 60 if step and step.timeout else 0


def yaml(documents: Sequence[Mapping[str, Any]]) -> str:
    """Documents as YAML."""
    try:
        import yaml as library
    except ImportError as error:
        raise MissingExtra("Writing YAML needs PyYAML.", hint="pip install 'flyball[data]'") from error
    text: str = library.safe_dump_all(documents, sort_keys=False, width=120, allow_unicode=True)
    return text
