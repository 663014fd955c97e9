"""A Flyball workspace, local or on a server, read and written as an MLflow store is."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flyball.errors import Conflict, NotFound
from flyball.interchange.mlflow.content import (
    ExperimentContent,
    FileContent,
    FileOwner,
    ModelContent,
    RegisteredContent,
    RunContent,
    RunLinks,
    VersionContent,
)
from flyball.interchange.mlflow.places import plain_source
from flyball.interchange.mlflow.traces import SOURCE_RUN
from flyball.tracking.curves import place_of
from flyball.tracking.inputs import ModelOutput
from flyball.tracking.limits import from_micros, to_micros
from flyball.tracking.nouns import Run, RunState, Series
from flyball.tracking.spans import Span
from flyball.tracking.trace_nouns import Trace
from flyball.tracking.traces import MOST_LINKS

if TYPE_CHECKING:
    from flyball.client import RemoteWorkspace
    from flyball.tracking.logged_models import LoggedModel
    from flyball.workspace import Workspace

STATES: dict[str, RunState] = {
    "RUNNING": "running",
    "SCHEDULED": "scheduled",
    "FINISHED": "finished",
    "FAILED": "failed",
    "KILLED": "cancelled",
}
_STATUS = {**{state: status for status, state in STATES.items()}, "lost": "FAILED"}
_PAGE = 1_000
_HISTORY = 50_000
_POINTS = 5_000
_PAIRS = 500
_TRACES = 500
_NAME, _NOTE, _PARENT = "mlflow.runName", "mlflow.note.content", "mlflow.parentRunId"


class WorkspaceSource:
    """Reads a workspace."""

    def __init__(self, workspace: Workspace | RemoteWorkspace) -> None:
        self._workspace: Any = workspace
        self.problems: list[str] = []

    def experiments(self) -> Iterator[ExperimentContent]:
        """All of them, those in the trash as well."""
        after = ""
        while True:
            page = self._workspace.experiments.list(limit=_PAGE, after=after, deleted="all")
            for found in page:
                yield ExperimentContent(
                    id=found.id, name=found.name, tags=found.tags, is_deleted=found.deleted is not None
                )
            if len(page) < _PAGE:
                return
            after = page[-1].name

    def runs(self, experiment: str) -> Iterator[RunContent]:
        """The runs of an experiment, those in the trash as well."""
        token = ""
        while True:
            page = self._workspace.run_search.search(
                experiments=[experiment], order_by=["start_time ASC"], limit=_PAGE, page_token=token, deleted="all"
            )
            for run in page.runs:
                yield self._content(run)
            token = page.next_page_token
            if not token:
                return

    def one_run(self, run: str) -> RunContent:
        """One run, as it is now."""
        return self._content(self._workspace.tracking.get_run(run))

    def series(self, run: RunContent) -> Iterator[Series]:
        """The points of every metric."""
        for key in self._workspace.tracking.get_run(run.id).metrics:
            token = ""
            while True:
                points = self._workspace.tracking.metric_history(run.id, key, limit=_HISTORY, page_token=token)
                yield Series(
                    key=key,
                    steps=[point.step for point in points],
                    times=[to_micros(key, point.at) for point in points],
                    values=[point.value for point in points],
                )
                if len(points) < _HISTORY:
                    break
                token = place_of(points[-1])

    def links(self, run: RunContent) -> RunLinks:
        """What a run used and made."""
        found = self._workspace.run_inputs.get([run.id])
        if not found:
            return RunLinks()
        outputs = [(output.model, output.step) for output in found[0].outputs]
        return RunLinks(datasets=list(found[0].datasets), models=list(found[0].models), outputs=outputs)

    def models(self, experiment: str) -> Iterator[ModelContent]:
        """The logged models of an experiment."""
        token = ""
        while True:
            page = self._workspace.logged_models.search(experiments=[experiment], limit=_PAGE, page_token=token)
            yield from map(_model, page.models)
            token = page.next_page_token
            if not token:
                return

    def one_model(self, model: str) -> ModelContent:
        """One logged model, as it is now."""
        return _model(self._workspace.logged_models.get(model))

    def files(self, owner: FileOwner, of: RunContent | ModelContent) -> Iterator[FileContent]:
        """The files of a run or logged model."""
        for found in self._files(owner, of):
            yield FileContent(name=found.name, size=found.size, digest=found.digest)

    def fetch(self, owner: FileOwner, of: RunContent | ModelContent, name: str, target: Path) -> None:
        """Brings one of the files."""
        if owner == "model":
            digest = self._workspace.files.get(model_folder(of.experiment, of.id), name).digest
        else:
            found = self._workspace.tracking.list_artifacts(of.id, limit=1, prefix=name)
            if not found or found[0].name != name:
                raise NotFound(f"Run '{of.id}' has no artifact '{name}'.")
            digest = found[0].digest
        shutil.copyfile(self._workspace.blobs.path(digest), target)

    def traces(self, experiment: str) -> Iterator[Trace]:
        """The traces of an experiment with their assessments, without their spans."""
        token = ""
        while True:
            page = self._workspace.traces.search(experiments=[experiment], limit=_TRACES, page_token=token)
            yield from page.traces
            token = page.next_page_token
            if not token:
                return

    def spans(self, trace: Trace) -> list[Span]:
        """The spans of a trace."""
        return list(self._workspace.traces.get(trace.id).spans)

    def traces_of_run(self, run: RunContent) -> list[str]:
        """Ids of the traces that were tied to a run."""
        found: list[str] = []
        token = ""
        while True:
            page = self._workspace.traces.search(f"run_id = '{run.id}'", limit=_TRACES, page_token=token)
            found += [one.id for one in page.traces if one.metadata.get(SOURCE_RUN) != run.id]
            token = page.next_page_token
            if not token:
                return found

    def registered(self) -> Iterator[RegisteredContent]:
        """The registered models, prompts among them."""
        after = ""
        while True:
            page = self._workspace.registry.list_models(limit=100, after=after)
            for found in page:
                yield RegisteredContent(
                    name=found.name,
                    description=found.description,
                    tags=found.tags,
                    aliases={alias: int(version) for alias, version in found.aliases.items()},
                )
            if len(page) < 100:
                return
            after = page[-1].name

    def versions(self, model: str) -> Iterator[VersionContent]:
        """The versions of a registered model, by number."""
        found: list[Any] = []
        before = 0
        while True:
            page = self._workspace.registry.list_versions(model, limit=100, before=before)
            found += page
            if len(page) < 100:
                break
            before = page[-1].version
        for one in sorted(found, key=lambda one: one.version):
            yield VersionContent(
                model=model,
                number=one.version,
                source=plain_source(one.source, one.run, one.logged_model),
                run=one.run,
                logged_model=one.logged_model,
                description=one.description,
                user=one.user,
                stage=one.mlflow_stage,
                tags=one.tags,
            )

    def _content(self, run: Run) -> RunContent:
        tags = dict(run.tags)
        for key, value in ((_NAME, run.name), (_NOTE, run.notes), (_PARENT, run.parent)):
            if value:
                tags.setdefault(key, value)
        return RunContent(
            id=run.id,
            experiment=run.experiment_id,
            name=run.name,
            user=run.user,
            status=_STATUS[run.state],
            started=to_micros("started", run.started) // 1000,
            ended=None if run.ended is None else to_micros("ended", run.ended) // 1000,
            is_deleted=run.deleted is not None,
            params={key: str(value) for key, value in run.params.items()},
            tags=tags,
        )

    def _files(self, owner: FileOwner, of: RunContent | ModelContent) -> Iterator[Any]:
        after = ""
        while True:
            if owner == "run":
                page = self._workspace.tracking.list_artifacts(of.id, limit=_PAGE, after=after)
            else:
                page = self._workspace.files.list(model_folder(of.experiment, of.id), limit=_PAGE, after=after)
            yield from page
            if len(page) < _PAGE:
                return
            after = page[-1].name


class WorkspaceDestination:
    """Writes to a workspace. Runs and logged models keep their ids."""

    def __init__(self, workspace: Workspace | RemoteWorkspace) -> None:
        self._workspace: Any = workspace
        self._reader = WorkspaceSource(workspace)
        self._names: dict[str, str] = {}
        self._homes: dict[str, str] = {}

    @property
    def reader(self) -> WorkspaceSource:
        """Reads back what was written."""
        return self._reader

    def open_experiment(self, experiment: ExperimentContent) -> str:
        """Makes it if it is not there; gives its id here."""
        try:
            found = self._workspace.experiments.find(experiment.name)
        except NotFound:
            found = self._workspace.experiments.create(experiment.name, tags=experiment.tags)
        else:
            if found.deleted is not None:
                self._workspace.experiments.restore(found.id)
            if experiment.tags:
                self._workspace.experiments.set_tags(found.id, experiment.tags)
        self._names[found.id] = experiment.name
        return str(found.id)

    def close_experiment(self, experiment: ExperimentContent, here: str) -> None:
        """Puts it into the trash if that is where it was."""
        if experiment.is_deleted:
            self._workspace.experiments.delete(here)

    def open_run(self, run: RunContent, experiment: str, parent: str) -> str:
        """Makes it if it is not there, with params and tags."""
        tracking = self._workspace.tracking
        try:
            if tracking.get_run(run.id).deleted is not None:
                tracking.restore_run(run.id)
        except NotFound:
            tracking.create_run(
                self._names[experiment],
                name=run.name[:250],
                parent=parent,
                id=run.id,
                started=from_micros(run.started * 1000),
                user=run.user[:250],
                heartbeats=False,
            )
        for params, tags in _parts(run.params, run.tags):
            tracking.log(run.id, params=params, tags=tags)
        if note := run.tags.get(_NOTE):
            tracking.update_run(run.id, notes=note)
        return run.id

    def append(self, run: str, series: list[Series]) -> None:
        """Writes metric points."""
        for one in series:
            for start in range(0, len(one.steps), _POINTS):
                part = slice(start, start + _POINTS)
                points = Series(key=one.key, steps=one.steps[part], times=one.times[part], values=one.values[part])
                self._workspace.tracking.append(run, [points])

    def link(self, run: str, links: RunLinks) -> None:
        """Writes what it used and made."""
        if links.datasets or links.models:
            self._workspace.run_inputs.log_inputs(run, datasets=links.datasets, models=links.models)
        if links.outputs:
            outputs = [ModelOutput(model=model, step=step) for model, step in links.outputs]
            self._workspace.run_inputs.log_outputs(run, outputs)

    def close_run(self, run: RunContent, here: str) -> None:
        """Gives it its state and end."""
        ended = None if run.ended is None else from_micros(run.ended * 1000)
        self._workspace.tracking.update_run(here, state=STATES[run.status], ended=ended)
        if run.is_deleted:
            self._workspace.tracking.delete_run(here)

    def put_model(self, model: ModelContent, experiment: str, run: str) -> str:
        """Makes a logged model if it is not there."""
        self._workspace.logged_models.create(
            experiment, model.name, kind=model.kind, run=run, params=model.params, tags=model.tags, id=model.id
        )
        self._homes[model.id] = experiment
        return model.id

    def close_model(self, model: ModelContent, here: str) -> None:
        """Writes its metrics and state."""
        if model.metrics:
            self._workspace.logged_models.log_metrics({here: model.metrics})
        self._workspace.logged_models.finalize(here, model.status)

    def put_file(self, owner: FileOwner, here: str, name: str, file: Path) -> None:
        """Writes a file of a run or a logged model."""
        digest = self._workspace.blobs.put_file(file)
        if owner == "run":
            self._workspace.tracking.log_artifact(here, name, digest, file.stat().st_size)
        else:
            self._workspace.files.put(model_folder(self._homes[here], here), name, digest, file.stat().st_size)

    def put_trace(self, trace: Trace, experiment: str) -> Trace:
        """Writes a trace with its spans and assessments; gives it as it is kept here."""
        self._workspace.traces.record(replace(trace, experiment=experiment))
        found: Trace = self._workspace.traces.get(trace.id)
        return found

    def tie_traces(self, run: str, traces: list[str]) -> None:
        """Ties traces to a run."""
        for start in range(0, len(traces), MOST_LINKS):
            self._workspace.traces.link_to_run(traces[start : start + MOST_LINKS], run)

    def put_registered(self, model: RegisteredContent) -> None:
        """Makes a registered model if it is not there, with description and tags."""
        models = self._workspace.registered_models
        try:
            found = models.get(model.name)
        except NotFound:
            models.create(model.name, model.description, model.tags)
            return
        if model.description and found.description != model.description:
            models.update(model.name, model.description)
        for key, value in model.tags.items():
            if found.tags.get(key) != value:
                models.set_tag(model.name, key, value)

    def put_version(self, version: VersionContent) -> bool:
        """Makes a version under its number, with the files that its source names.

        Raises:
            Conflict: another version has that number.
        """
        versions = self._workspace.model_versions
        try:
            found = versions.get(version.model, version.number)
        except NotFound:
            self._fill_up(version.model, version.number)
        else:
            if (found.source, found.run) != (version.source, version.run):
                raise Conflict(
                    f"There is another version {version.number} of '{version.model}' here, from {found.source or 'Flyball'}.",
                    hint="Rename one of the models.",
                )
            return False
        made = versions.create(
            version.model,
            source=version.source,
            package=self._package(version),
            run=version.run,
            logged_model=version.logged_model,
            description=version.description,
            tags=version.tags,
            user=version.user,
        )
        if version.stage not in ("None", ""):
            versions.set_mlflow_stage(version.model, made.version, version.stage)
        return True

    def put_aliases(self, model: RegisteredContent) -> None:
        """Sets the aliases, when the versions are there."""
        here = self._workspace.registered_models.get(model.name).aliases
        for alias, number in model.aliases.items():
            if here.get(alias) != number:
                self._workspace.registry.set_alias(model.name, alias, number, reason="imported from MLflow")

    def _fill_up(self, model: str, number: int) -> None:
        """Gives away the numbers before this one, of versions that are gone."""
        latest = self._workspace.registered_models.get(model).latest
        if latest >= number:
            raise Conflict(f"'{model}' has had a version {number} here, which was deleted.")
        for _ in range(latest + 1, number):
            made = self._workspace.model_versions.create(model, description="Was deleted where it was imported from.")
            self._workspace.registry.delete_version(model, made.version)

    def _package(self, version: VersionContent) -> Any:
        from flyball.models.mlmodel import MLMODEL
        from flyball.models.model_folders import package_of

        kind, _, path = version.source.partition(":/")
        files: dict[str, tuple[str, int]] = {}
        if kind == "runs":
            run, _, start = path.partition("/")
            start = f"{start}/" if start else ""
            for found in self._reader.files("run", self._reader.one_run(run)):
                if found.name.startswith(start):
                    files[found.name[len(start) :]] = (found.digest, found.size)
        elif kind == "models" and path.startswith("m-"):
            model = self._reader.one_model(path)
            files = {found.name: (found.digest, found.size) for found in self._reader.files("model", model)}
        return package_of(files, self._workspace.blobs) if MLMODEL in files else None


def model_folder(experiment: str, model: str) -> str:
    """The folder of a logged model's files, as MLflow's clients bring them there."""
    return f"{experiment}/models/{model}"


def _model(found: LoggedModel) -> ModelContent:
    return ModelContent(
        id=found.id,
        experiment=found.experiment,
        name=found.name,
        kind=found.kind,
        run=found.run,
        status=found.status,
        params=found.params,
        tags=found.tags,
        metrics=list(found.metrics),
    )


def _parts(params: dict[str, str], tags: dict[str, str]) -> Iterable[tuple[dict[str, str], dict[str, str]]]:
    """Params and tags, few enough for one call each."""
    left, right = list(params.items()), list(tags.items())
    for start in range(0, max(len(left), len(right)), _PAIRS):
        yield dict(left[start : start + _PAIRS]), dict(right[start : start + _PAIRS])
