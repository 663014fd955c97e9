"""A folder as MLflow's file store keeps it: `mlruns`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from flyball.errors import Corrupt, FlyballError, InvalidInput
from flyball.interchange.mlflow.content import (
    ExperimentContent,
    FileContent,
    FileOwner,
    ModelContent,
    RegisteredContent,
    RunContent,
    RunLinks,
    VersionContent,
    kept_value,
)
from flyball.interchange.mlflow.meta import read_meta
from flyball.interchange.mlflow.places import copy_file, files_in, local_folder, plain_source
from flyball.interchange.mlflow.traces import trace_from
from flyball.server.protocols.mlflow.trace_json import duration_text
from flyball.tracking.inputs import LoggedDataset
from flyball.tracking.limits import from_micros
from flyball.tracking.logged_models import ModelMetric, ModelStatus
from flyball.tracking.nouns import Series
from flyball.tracking.span_files import spans_in
from flyball.tracking.spans import Span
from flyball.tracking.trace_nouns import Trace

RUN_STATUS = {1: "RUNNING", 2: "SCHEDULED", 3: "FINISHED", 4: "FAILED", 5: "KILLED"}
MODEL_STATUS: dict[int, ModelStatus] = {0: "unspecified", 1: "pending", 2: "ready", 3: "failed"}
SERIES = 5_000
"""At most this many points in one series."""
_NO_EXPERIMENTS = frozenset(("models", ".trash"))


class FolderSource:
    """Reads an `mlruns` folder.

    Raises:
        InvalidInput: it is none.
    """

    def __init__(self, folder: Path, proxied: Path | None = None) -> None:
        self._folder = folder
        self._proxied = proxied
        self.problems: list[str] = []
        if not any(folder.glob("*/meta.yaml")) and not (folder / "models").is_dir():
            raise InvalidInput(
                f"{folder} is no folder of MLflow's.", hint="Name its `mlruns` folder, its database or its server."
            )

    def experiments(self) -> Iterator[ExperimentContent]:
        """All of them, those in the trash as well."""
        for root, is_deleted in ((self._folder, False), (self._folder / ".trash", True)):
            for path in sorted(root.glob("*/meta.yaml")):
                if path.parent.name not in _NO_EXPERIMENTS:
                    meta = read_meta(path)
                    yield ExperimentContent(
                        id=str(meta["experiment_id"]),
                        name=str(meta["name"]),
                        tags=_texts(path.parent / "tags"),
                        is_deleted=is_deleted or meta.get("lifecycle_stage") == "deleted",
                    )

    def runs(self, experiment: str) -> Iterator[RunContent]:
        """The runs of an experiment, those in the trash as well."""
        for path in sorted(self._home(experiment).glob("*/meta.yaml")):
            try:
                run = self._run(path, experiment)
            except (Corrupt, KeyError, TypeError, ValueError) as error:
                self.problems.append(f"{path.parent}: cannot be read: {error}")
                continue
            if run is not None:
                yield run

    def series(self, run: RunContent) -> Iterator[Series]:
        """The points of every metric."""
        root = self._home(run.experiment) / run.id / "metrics"
        for path in _files(root):
            rows = [line.split() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
            for start in range(0, len(rows), SERIES):
                yield _series(path, path.relative_to(root).as_posix(), rows[start : start + SERIES])

    def links(self, run: RunContent) -> RunLinks:
        """What a run used and made."""
        home = self._home(run.experiment)
        datasets: list[LoggedDataset] = []
        models: list[str] = []
        for path in sorted((home / run.id / "inputs").glob("*/meta.yaml")):
            meta = read_meta(path)
            if meta.get("source_type") == "DATASET":
                datasets.append(_dataset(read_meta(home / "datasets" / meta["source_id"] / "meta.yaml"), meta))
            else:
                models.append(path.parent.name)
        outputs = [
            (path.parent.name, int(read_meta(path).get("step") or 0))
            for path in sorted((home / run.id / "outputs").glob("*/meta.yaml"))
        ]
        return RunLinks(datasets=datasets, models=models, outputs=outputs)

    def models(self, experiment: str) -> Iterator[ModelContent]:
        """The logged models of an experiment."""
        for path in sorted((self._home(experiment) / "models").glob("*/meta.yaml")):
            meta = read_meta(path)
            if meta.get("lifecycle_stage") == "deleted":
                continue
            yield ModelContent(
                id=str(meta["model_id"]),
                experiment=experiment,
                name=str(meta.get("name") or ""),
                kind=str(meta.get("model_type") or ""),
                run=str(meta.get("source_run_id") or ""),
                status=MODEL_STATUS.get(meta.get("status", 0), "ready"),
                params=_texts(path.parent / "params"),
                tags=_texts(path.parent / "tags"),
                metrics=list(_model_metrics(path.parent / "metrics")),
                artifacts=str(meta.get("artifact_location") or ""),
            )

    def files(self, owner: FileOwner, of: RunContent | ModelContent) -> list[FileContent]:
        """The files of a run or logged model."""
        return files_in(self._root(owner, of))

    def fetch(self, owner: FileOwner, of: RunContent | ModelContent, name: str, target: Path) -> None:
        """Brings one of the files."""
        copy_file(self._root(owner, of), name, target)

    def registered(self) -> Iterator[RegisteredContent]:
        """The registered models, prompts among them."""
        for path in sorted((self._folder / "models").glob("*/meta.yaml")):
            meta = read_meta(path)
            aliases = {file.name: int(file.read_text()) for file in _files(path.parent / "aliases")}
            yield RegisteredContent(
                name=str(meta["name"]),
                description=str(meta.get("description") or ""),
                tags=_texts(path.parent / "tags"),
                aliases=aliases,
            )

    def versions(self, model: str) -> Iterator[VersionContent]:
        """The versions of a registered model, by number."""
        found = [read_meta(path) for path in (self._folder / "models" / model).glob("version-*/meta.yaml")]
        for meta in sorted(found, key=lambda meta: int(meta["version"])):
            if meta.get("current_stage") == "Deleted_Internal":
                continue
            run, logged = str(meta.get("run_id") or ""), str(meta.get("model_id") or "")
            yield VersionContent(
                model=model,
                number=int(meta["version"]),
                source=plain_source(str(meta.get("source") or ""), run, logged),
                run=run,
                logged_model=logged,
                description=str(meta.get("description") or ""),
                user=str(meta.get("user_id") or ""),
                stage=str(meta.get("current_stage") or "None"),
                tags=_texts(self._folder / "models" / model / f"version-{meta['version']}" / "tags"),
            )

    def traces(self, experiment: str) -> Iterator[Trace]:
        """The traces of an experiment with their assessments, without their spans."""
        for path in sorted((self._home(experiment) / "traces").glob("*/trace_info.yaml")):
            try:
                yield _trace(path, experiment)
            except (FlyballError, KeyError, TypeError, ValueError) as error:
                self.problems.append(f"{path.parent}: cannot be read: {error}")

    def spans(self, trace: Trace) -> list[Span]:
        """The spans of a trace, which a client kept in a file beside it."""
        file = self._home(trace.experiment) / "traces" / trace.id / "artifacts" / "traces.json"
        return spans_in(file.read_bytes(), trace.id) if file.is_file() else []

    def one_trace(self, trace: str, experiment: str) -> Trace:
        """A trace with its spans, as it stands there now."""
        found = _trace(self._home(experiment) / "traces" / trace / "trace_info.yaml", experiment)
        return replace(found, spans=self.spans(found))

    def traces_of_run(self, run: RunContent) -> list[str]:
        """None: a folder ties traces to runs by their metadata alone."""
        return []

    def _run(self, path: Path, experiment: str) -> RunContent | None:
        meta = read_meta(path)
        if "run_id" not in meta and "run_uuid" not in meta:
            return None
        tags = _texts(path.parent / "tags")
        return RunContent(
            id=str(meta.get("run_id") or meta["run_uuid"]),
            experiment=experiment,
            name=str(meta.get("run_name") or tags.get("mlflow.runName", "")),
            user=str(meta.get("user_id") or ""),
            status=RUN_STATUS.get(meta.get("status", 3), "FINISHED"),
            started=int(meta["start_time"]),
            ended=meta.get("end_time"),
            is_deleted=meta.get("lifecycle_stage") == "deleted",
            params=_texts(path.parent / "params"),
            tags=tags,
            artifacts=str(meta.get("artifact_uri") or ""),
        )

    def _home(self, experiment: str) -> Path:
        home = self._folder / experiment
        return home if home.exists() else self._folder / ".trash" / experiment

    def _root(self, owner: FileOwner, of: RunContent | ModelContent) -> Path:
        # A folder that was moved keeps its former place in what it says of itself.
        home = self._home(of.experiment) / ("" if owner == "run" else "models") / of.id / "artifacts"
        return home if home.exists() or not of.artifacts else local_folder(of.artifacts, self._proxied)


def _trace(path: Path, experiment: str) -> Trace:
    home, info = path.parent, read_meta(path)
    took = info.get("execution_duration_ms")
    info["request_time"] = str(info["request_time"])
    info["execution_duration"] = None if took is None else duration_text(int(took))
    info["assessments"] = [read_meta(file) for file in sorted((home / "assessments").glob("*.yaml"))]
    return trace_from(
        {**info, "tags": _texts(home / "tags"), "trace_metadata": _texts(home / "request_metadata")}, experiment
    )


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _texts(folder: Path) -> dict[str, str]:
    # Without translation of line ends: a value may hold any.
    return {path.relative_to(folder).as_posix(): path.read_bytes().decode() for path in _files(folder)}


def _series(path: Path, key: str, rows: list[list[str]]) -> Series:
    try:
        steps = [int(row[2]) if len(row) > 2 else 0 for row in rows]
        times = [int(row[0]) * 1000 for row in rows]
        values = [kept_value(float(row[1])) for row in rows]
    except (ValueError, IndexError) as error:
        raise Corrupt(f"{path} holds a line that is no metric point: {error}.") from error
    return Series(key=key, steps=steps, times=times, values=values)


def _dataset(meta: dict[str, Any], use: dict[str, Any]) -> LoggedDataset:
    texts = {name: str(meta.get(name) or "") for name in ("source_type", "source", "schema", "profile")}
    tags = {str(key): str(value) for key, value in (use.get("tags") or {}).items()}
    return LoggedDataset(name=str(meta["name"]), digest=str(meta["digest"]), tags=tags, **texts)


def _model_metrics(folder: Path) -> Iterator[ModelMetric]:
    for path in _files(folder):
        for line in path.read_text(encoding="utf-8").splitlines():
            parts = line.split(maxsplit=3)
            more = parts[3].split() if len(parts) > 3 else []
            yield ModelMetric(
                key=path.relative_to(folder).as_posix(),
                value=kept_value(float(parts[1])),
                step=int(parts[2]),
                at=from_micros(int(parts[0]) * 1000),
                run=more[0] if more else "",
                dataset=more[1] if len(more) > 2 else "",
                digest=more[2] if len(more) > 2 else "",
            )
