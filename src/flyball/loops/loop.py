"""A loop: the declared whole of pipeline, triggers, gates, rollout and monitors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from flyball.alerts.channels.base import ChannelSpec
from flyball.clock import parse_duration
from flyball.declarations import declare
from flyball.deployment.rollout import RolloutSpec, immediate
from flyball.errors import InvalidInput
from flyball.loops.freeze import Freeze
from flyball.monitoring.alarms import USUAL, AlarmRule
from flyball.monitoring.monitor import MonitorSpec
from flyball.refs import check_name
from flyball.registry.gates.base import GateSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerSpec:
    """What may start a training, and its parameters."""

    trigger: str
    params: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicySpec:
    """What is done about a cause.

    Attributes:
        on: Kinds of causes that it answers; all if empty.
    """

    policy: str
    on: tuple[str, ...] = ()
    params: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadline:
    """By when something must have finished, time after time.

    Attributes:
        zone: Time zone of the cron expression.
        within_seconds: How long before the time it must have finished, to count for it.
        pipeline: The pipeline that must have finished; empty for a training of the loop.
    """

    cron: str
    zone: str = "UTC"
    within_seconds: float = 86_400.0
    pipeline: str = ""
    severity: Literal["info", "warning", "critical"] = "critical"


@dataclass(frozen=True, slots=True, kw_only=True)
class Loop:
    """A declared loop.

    Attributes:
        name: Name of the loop; also of its model and its deployment.
        pipeline: Name of the pipeline function in the project.
        params: Parameters of the pipeline that differ from its defaults.
        retrain: What may start a training.
        gates: What a new version must pass before it is rolled out.
        rollout: How a version takes over.
        monitors: What is watched, window by window.
        window_seconds: Length of a monitoring window.
        label_delay_seconds: How long after a window its ground truth is waited for.
        cooldown_seconds: How long after a training no other is started by itself.
        max_trainings_per_week: Budget; further ones wait.
        channels: Where alerts are sent.
        freeze: Times in which nothing is started by itself.
        dry_run: Whether it only says what it would have started.
        policies: What is done about a cause, asked in their order; after them come the defaults.
        max_core_seconds_per_week: Budget of processor time for trainings; 0 for none.
        code: Digest of the code snapshot that is run; set when the loop is applied.
        module: File of the project that declares the loop.
        source_root: Folder that the sources of datasets are relative to.
        paused: Why nothing is started by itself; empty while the loop is live.
        alarms: When findings of its windows become alerts, and when those end.
        due: By when something must have finished; else there is an alert.
    """

    name: str
    pipeline: str
    params: dict[str, Any]
    retrain: tuple[TriggerSpec, ...]
    gates: tuple[GateSpec, ...]
    rollout: RolloutSpec
    monitors: tuple[MonitorSpec, ...]
    window_seconds: float
    label_delay_seconds: float
    cooldown_seconds: float
    max_trainings_per_week: int
    channels: tuple[ChannelSpec, ...] = ()
    sticky_key: str = ""
    code: str = ""
    module: str = ""
    source_root: str = ""
    paused: str = ""
    freeze: tuple[Freeze, ...] = ()
    dry_run: bool = False
    policies: tuple[PolicySpec, ...] = ()
    max_core_seconds_per_week: float = 0.0
    alarms: AlarmRule = field(default_factory=AlarmRule)
    due: tuple[Deadline, ...] = ()


class _Named(Protocol):
    name: str

    def bind(self, params: dict[str, Any]) -> Any: ...


def loop(
    name: str,
    pipeline: _Named,
    *,
    retrain: Sequence[TriggerSpec] = (),
    gates: Sequence[GateSpec] = (),
    rollout: RolloutSpec | None = None,
    monitors: Sequence[MonitorSpec] = (),
    window: str = "1d",
    label_delay: str = "0s",
    cooldown: str = "0s",
    max_trainings_per_week: int = 7,
    channels: Sequence[ChannelSpec] = (),
    sticky_key: str = "",
    params: dict[str, Any] | None = None,
    freeze: Sequence[Freeze] = (),
    dry_run: bool = False,
    policies: Sequence[PolicySpec] = (),
    max_core_seconds_per_week: float = 0.0,
    alarms: AlarmRule | None = None,
    due: Sequence[Deadline] = (),
) -> Loop:
    """Declares a loop: what is trained, when, what it must pass, how it goes live, what is watched.

    Args:
        name: Name of the loop, its model and its deployment.
        pipeline: A function marked with `fb.pipeline` that registers a version of the model of this name.
        retrain: Triggers from `fb.on`; any one of them may start a training.
        gates: Gates from `fb.gate`; all must pass.
        rollout: `fb.canary(...)`, `fb.shadow(...)` or `fb.immediate()` (the default).
        monitors: Monitors from `fb.monitor`.
        window: Length of a monitoring window.
        label_delay: How long after the end of a window its ground truth is waited for.
        cooldown: How long after a training no other is started by itself.
        max_trainings_per_week: Budget of trainings that the loop starts by itself.
        channels: Where alerts are sent, from `fb.alert_to`.
        sticky_key: Column whose value keeps a caller on one version during a canary.
        params: Parameters of the pipeline that differ from its defaults.
        freeze: Times in which nothing is started by itself, from `fb.freeze` and `fb.freeze_between`.
        dry_run: Whether it only says what it would have started ("would retrain"), and starts nothing. What is asked for by
            hand is done all the same.
        policies: What is done about a cause, from `fb.policy`, asked in their order. After them come the defaults: what can be
            helped by a training is retrained, a person is asked about the rest.
        max_core_seconds_per_week: Budget of processor time for trainings; 0 sets none.
        due: By when a training, or another pipeline, must have finished, from `fb.due`; else there is an alert.
        alarms: When findings become alerts, from `fb.monitor.alarms`; by default at once, until two windows in a row are quiet.

    Raises:
        InvalidInput: the name, a duration or the pipeline cannot be used.
    """
    if not hasattr(pipeline, "bind"):
        raise InvalidInput(
            f"Loop '{name}' was given {pipeline!r} as its pipeline.", hint="Mark the function with @fb.pipeline."
        )
    if max_trainings_per_week < 1:
        raise InvalidInput(f"Loop '{name}' may train {max_trainings_per_week} times a week.", hint="Give at least 1.")
    if max_core_seconds_per_week < 0:
        raise InvalidInput(f"Loop '{name}' may use {max_core_seconds_per_week} core-seconds.", hint="Give 0 or more.")
    length = parse_duration(window).total_seconds()
    if length <= 0:
        raise InvalidInput(f"Loop '{name}' has a window of '{window}'.", hint="Give a length such as '1d'.")
    made = Loop(
        name=check_name(name, "loop"),
        pipeline=pipeline.name,
        params=dict(params or {}),
        retrain=tuple(retrain),
        gates=tuple(gates),
        rollout=rollout or immediate(),
        monitors=tuple(monitors),
        window_seconds=length,
        label_delay_seconds=parse_duration(label_delay).total_seconds(),
        cooldown_seconds=parse_duration(cooldown).total_seconds(),
        max_trainings_per_week=max_trainings_per_week,
        channels=tuple(channels),
        sticky_key=sticky_key,
        freeze=tuple(freeze),
        dry_run=dry_run,
        policies=tuple(policies),
        max_core_seconds_per_week=max_core_seconds_per_week,
        alarms=alarms or USUAL,
        due=tuple(due),
    )
    for spec in made.policies:
        if spec.params.get("params"):
            pipeline.bind({**made.params, **spec.params["params"]})  # now, not at three in the morning
    declare(made)
    return made
