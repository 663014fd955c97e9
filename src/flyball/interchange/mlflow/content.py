"""What an MLflow store holds, in words that all its forms share, and the two seams: who reads it and who writes it.

Moments are milliseconds since 1970, as MLflow keeps them; those of metric points are microseconds, as ours are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from flyball.tracking.inputs import LoggedDataset
from flyball.tracking.logged_models import ModelMetric
from flyball.tracking.nouns import Series
from flyball.tracking.spans import Span
from flyball.tracking.trace_nouns import Trace

FileOwner = Literal["run", "model"]
GREATEST = 1.7976931348623157e308
"""What stands for infinity: the greatest number there is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExperimentContent:
    """An experiment."""

    id: str
    name: str
    tags: dict[str, str] = field(default_factory=dict)
    is_deleted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RunContent:
    """A run, its metrics and artifacts apart.

    Attributes:
        status: As MLflow names it.
        artifacts: Where its store says that its artifacts lie.
    """

    id: str
    experiment: str
    name: str
    user: str
    status: str
    started: int
    ended: int | None
    is_deleted: bool = False
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    artifacts: str = ""

    @property
    def parent(self) -> str:
        """Id of its parent, empty for none."""
        return self.tags.get("mlflow.parentRunId", "")

    @property
    def mark(self) -> str:
        """What changes when the run does; empty while it may still."""
        return "" if self.status in ("RUNNING", "SCHEDULED") else f"{self.status}/{self.ended}/{self.is_deleted}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunLinks:
    """What a run used and made: data sets and logged models, these with the step."""

    datasets: list[LoggedDataset] = field(default_factory=list)
    models: list[str] = field(default_factory=list)
    outputs: list[tuple[str, int]] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class FileContent:
    """A file of a run or a logged model; its digest where the store knows it."""

    name: str
    size: int
    digest: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelContent:
    """A logged model; `status` is `pending`, `ready` or `failed`."""

    id: str
    experiment: str
    name: str
    kind: str
    run: str
    status: Literal["unspecified", "pending", "ready", "failed"]
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    metrics: list[ModelMetric] = field(default_factory=list)
    artifacts: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredContent:
    """A registered model, its versions apart."""

    name: str
    description: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    aliases: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionContent:
    """A version of a registered model.

    Attributes:
        source: Where its files lie: `runs:/<run>/<path>` or `models:/<logged model>` where that could be told, else as
            its store writes it.
    """

    model: str
    number: int
    source: str
    run: str = ""
    logged_model: str = ""
    description: str = ""
    user: str = ""
    stage: str = "None"
    tags: dict[str, str] = field(default_factory=dict)


class Source(Protocol):
    """Something that content is read from.

    Attributes:
        problems: What could not be read and was left out, and why.
    """

    problems: list[str]

    def experiments(self) -> Iterable[ExperimentContent]:
        """All of them, those in the trash as well."""
        ...

    def runs(self, experiment: str) -> Iterable[RunContent]:
        """The runs of an experiment, those in the trash as well."""
        ...

    def series(self, run: RunContent) -> Iterator[Series]:
        """The points of every metric; one may come in several parts."""
        ...

    def links(self, run: RunContent) -> RunLinks:
        """What a run used and made."""
        ...

    def models(self, experiment: str) -> Iterable[ModelContent]:
        """The logged models of an experiment."""
        ...

    def files(self, owner: FileOwner, of: RunContent | ModelContent) -> Iterable[FileContent]:
        """The files of a run or logged model."""
        ...

    def fetch(self, owner: FileOwner, of: RunContent | ModelContent, name: str, target: Path) -> None:
        """Brings one of the files."""
        ...

    def registered(self) -> Iterable[RegisteredContent]:
        """The registered models, prompts among them."""
        ...

    def versions(self, model: str) -> Iterable[VersionContent]:
        """The versions of a registered model, by number."""
        ...

    def traces(self, experiment: str) -> Iterable[Trace]:
        """The traces of an experiment with their assessments, without their spans."""
        ...

    def spans(self, trace: Trace) -> list[Span]:
        """The spans of a trace."""
        ...

    def traces_of_run(self, run: RunContent) -> list[str]:
        """Ids of the traces that were tied to a run."""
        ...


class Destination(Protocol):
    """Something that content is written to. All of it can be repeated and then changes nothing."""

    @property
    def reader(self) -> Source:
        """Reads back what was written."""
        ...

    def open_experiment(self, experiment: ExperimentContent) -> str:
        """Makes it if it is not there; gives its id here."""
        ...

    def close_experiment(self, experiment: ExperimentContent, here: str) -> None:
        """Says that all of it is written."""
        ...

    def open_run(self, run: RunContent, experiment: str, parent: str) -> str:
        """Makes it if it is not there, with params and tags; gives its id here."""
        ...

    def append(self, run: str, series: list[Series]) -> None:
        """Writes metric points."""
        ...

    def link(self, run: str, links: RunLinks) -> None:
        """Writes what it used and made; ids are those of here."""
        ...

    def close_run(self, run: RunContent, here: str) -> None:
        """Gives it its state and end."""
        ...

    def put_model(self, model: ModelContent, experiment: str, run: str) -> str:
        """Makes a logged model if it is not there; gives its id here."""
        ...

    def close_model(self, model: ModelContent, here: str) -> None:
        """Writes its metrics and state, when its files are there."""
        ...

    def put_file(self, owner: FileOwner, here: str, name: str, file: Path) -> None:
        """Writes a file of a run or a logged model."""
        ...

    def put_trace(self, trace: Trace, experiment: str) -> Trace:
        """Writes a trace with its spans and assessments; gives it as it is kept there."""
        ...

    def tie_traces(self, run: str, traces: list[str]) -> None:
        """Ties traces to a run."""
        ...

    def put_registered(self, model: RegisteredContent) -> None:
        """Makes a registered model if it is not there, with description and tags."""
        ...

    def put_version(self, version: VersionContent) -> bool:
        """Makes a version under its number unless it is there; run, logged model and source are those of here."""
        ...

    def put_aliases(self, model: RegisteredContent) -> None:
        """Sets the aliases, when the versions are there."""
        ...


def kept_value(value: float) -> float | None:
    """A value as it is kept: None where it is not defined, the greatest there is where it is infinite."""
    return None if value != value else max(-GREATEST, min(value, GREATEST))
