"""The nouns of runs: what a run is, what it logs, what is read back."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from flyball.tracking.limits import ParamValue

RunState = Literal["scheduled", "running", "finished", "failed", "cancelled", "lost"]
EndState = Literal["finished", "failed", "cancelled"]
Axis = Literal["step", "time", "relative"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One execution of something: a pipeline, a step, a training, an evaluation.

    Attributes:
        kind: What was executed, such as `pipeline`, `step`, `training`.
        state: `lost` means that nothing was heard of it for too long; it may still come back.
        started: By the workspace's clock, as is `ended`, unless another moment was given.
        heartbeat: When it was last heard of, by the database's own clock.
        parent: Id of the run that it is part of; empty for none.
        attempt: Grows when the run is taken up again after it was lost or failed.
        metrics: The latest value of each metric; None where it is undefined.
        code: Digest of the code snapshot, or a commit.
        deleted: When it was put into the trash; None while it is not there.
        user: Who started it, as far as that was told.
        experiment_id: Id of the experiment, which stays when it is renamed.
    """

    id: str
    experiment: str
    name: str
    kind: str
    state: RunState
    started: datetime
    ended: datetime | None
    heartbeat: datetime
    parent: str
    attempt: int
    params: dict[str, ParamValue] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, float | None] = field(default_factory=dict)
    code: str = ""
    environment: dict[str, str] = field(default_factory=dict)
    error: str = ""
    notes: str = ""
    deleted: datetime | None = None
    user: str = ""
    experiment_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricPoint:
    """One value of a metric; None where it is undefined."""

    key: str
    value: float | None
    step: int = 0
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Points of one metric in columns of equal length.

    Attributes:
        times: Microseconds since 1970 UTC.
        values: None where undefined.
    """

    key: str
    steps: list[int]
    times: list[int]
    values: list[float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """Points of one metric of one run, by step and time.

    Attributes:
        times: Microseconds since 1970 UTC; since the run's start where a chart was asked for by that.
        values: None where undefined.
        count: How many points there are in all, those that are left out as well; some may be counted twice.
    """

    run: str
    key: str
    steps: list[int]
    times: list[int]
    values: list[float | None]
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """Something that a run left behind: a name for bytes that are kept under their digest."""

    run: str
    name: str
    digest: str
    size: int
    kind: str
    created: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class NewArtifact:
    """Something to be noted as left behind; its bytes are kept already."""

    name: str
    digest: str
    size: int
    kind: str = "file"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """A run that has ended already, with all that it logged.

    Attributes:
        artifacts: What it left behind; `run` and `created` are not looked at.
    """

    id: str
    experiment: str
    state: EndState
    started: datetime
    ended: datetime
    name: str = ""
    kind: str = "run"
    parent: str = ""
    params: dict[str, ParamValue] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    metrics: list[MetricPoint] = field(default_factory=list)
    artifacts: list[Artifact] = field(default_factory=list)
    code: str = ""
    environment: dict[str, str] = field(default_factory=dict)
    error: str = ""
    user: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """A named group of runs.

    Attributes:
        id: Its number, as a text. `0` is `Default`.
        runs: How many runs it holds, those in the trash apart.
        last_started: When the newest of them was started.
        location: Where its artifacts are said to be; empty for the usual place.
        deleted: When it was put into the trash; None while it is not there.
    """

    id: str
    name: str
    created: datetime
    updated: datetime
    runs: int
    last_started: datetime | None
    tags: dict[str, str] = field(default_factory=dict)
    location: str = ""
    deleted: datetime | None = None
