"""Writes an `mlruns` folder, as MLflow's file store reads it. Everything keeps its id."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from flyball.interchange.mlflow.content import (
    ExperimentContent,
    FileOwner,
    ModelContent,
    RegisteredContent,
    RunContent,
    RunLinks,
    VersionContent,
)
from flyball.interchange.mlflow.folder import MODEL_STATUS, RUN_STATUS, FolderSource
from flyball.interchange.mlflow.meta import write_meta
from flyball.interchange.mlflow.traces import info_for
from flyball.serialization import to_json
from flyball.server.protocols.mlflow.trace_json import ARTIFACT_LOCATION, stored_json
from flyball.tracking.limits import to_micros
from flyball.tracking.nouns import Series
from flyball.tracking.trace_nouns import Trace

_STATUS = {name: number for number, name in RUN_STATUS.items()}
_MODEL_STATUS = {name: number for number, name in MODEL_STATUS.items()}


class FolderDestination:
    """Writes an `mlruns` folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()
        self._homes: dict[str, Path] = {}
        for name in ("models", ".trash"):
            (self._folder / name).mkdir(parents=True, exist_ok=True)

    @property
    def reader(self) -> FolderSource:
        """Reads back what was written."""
        return FolderSource(self._folder)

    def open_experiment(self, experiment: ExperimentContent) -> str:
        """Makes it if it is not there."""
        home = self._folder / experiment.id
        trashed = self._folder / ".trash" / experiment.id
        if trashed.exists():
            trashed.rename(home)
        write_meta(
            home / "meta.yaml",
            {
                "artifact_location": home.as_uri(),
                "experiment_id": experiment.id,
                "lifecycle_stage": "deleted" if experiment.is_deleted else "active",
                "name": experiment.name,
            },
        )
        _write_texts(home / "tags", experiment.tags)
        return experiment.id

    def close_experiment(self, experiment: ExperimentContent, here: str) -> None:
        """Puts it into the trash if that is where it was."""
        if experiment.is_deleted:
            (self._folder / here).rename(self._folder / ".trash" / here)

    def open_run(self, run: RunContent, experiment: str, parent: str) -> str:
        """Makes it if it is not there, with params and tags."""
        home = self._folder / experiment / run.id
        self._homes[run.id] = home
        # Anew: points are appended to files.
        shutil.rmtree(home / "metrics", ignore_errors=True)
        for name in ("artifacts", "metrics", "params", "tags"):
            (home / name).mkdir(parents=True, exist_ok=True)
        self._write_run(run, home)
        _write_texts(home / "params", run.params)
        _write_texts(home / "tags", run.tags)
        return run.id

    def append(self, run: str, series: list[Series]) -> None:
        """Writes metric points."""
        for one in series:
            path = self._homes[run] / "metrics" / one.key
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("a", encoding="utf-8") as file:
                for step, micros, value in zip(one.steps, one.times, one.values, strict=True):
                    file.write(f"{micros // 1000} {'nan' if value is None else repr(value)} {step}\n")

    def link(self, run: str, links: RunLinks) -> None:
        """Writes what it used and made."""
        home = self._homes[run]
        for dataset in links.datasets:
            name = hashlib.sha256(f"{dataset.name}\n{dataset.digest}".encode()).hexdigest()[:32]
            texts = ("digest", "name", "profile", "schema", "source", "source_type")
            write_meta(home.parent / "datasets" / name / "meta.yaml", {text: getattr(dataset, text) for text in texts})
            use = {"source_type": "DATASET", "source_id": name, "destination_type": "RUN", "destination_id": name}
            write_meta(home / "inputs" / name / "meta.yaml", {**use, "tags": dataset.tags})
        for model in links.models:
            use = {
                "source_type": "RUN_INPUT",
                "source_id": run,
                "destination_type": "MODEL_INPUT",
                "destination_id": model,
            }
            write_meta(home / "inputs" / model / "meta.yaml", {**use, "tags": {}})
        for model, step in links.outputs:
            use = {
                "source_type": "RUN_OUTPUT",
                "source_id": run,
                "destination_type": "MODEL_OUTPUT",
                "destination_id": model,
            }
            write_meta(home / "outputs" / model / "meta.yaml", {**use, "step": step, "tags": {}})

    def close_run(self, run: RunContent, here: str) -> None:
        """Gives it its state and end."""
        self._write_run(run, self._homes[here])

    def put_model(self, model: ModelContent, experiment: str, run: str) -> str:
        """Makes a logged model if it is not there."""
        home = self._folder / experiment / "models" / model.id
        self._homes[model.id] = home
        for name in ("artifacts", "metrics", "params", "tags"):
            (home / name).mkdir(parents=True, exist_ok=True)
        write_meta(
            home / "meta.yaml",
            {
                "artifact_location": (home / "artifacts").as_uri(),
                "creation_timestamp": 0,
                "experiment_id": experiment,
                "last_updated_timestamp": 0,
                "model_id": model.id,
                "model_type": model.kind or None,
                "name": model.name,
                "source_run_id": model.run or None,
                "status": _MODEL_STATUS[model.status],
                "status_message": None,
            },
        )
        _write_texts(home / "params", model.params)
        _write_texts(home / "tags", model.tags)
        return model.id

    def close_model(self, model: ModelContent, here: str) -> None:
        """Writes its metrics."""
        lines: dict[str, list[str]] = {}
        for point in model.metrics:
            value = "nan" if point.value is None else repr(point.value)
            data = f" {point.dataset} {point.digest}" if point.dataset else ""
            line = f"{to_micros(point.key, point.at) // 1000} {value} {point.step} {point.run}{data}"
            lines.setdefault(point.key, []).append(line + "\n")
        for key, found in lines.items():
            path = self._homes[here] / "metrics" / key
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("".join(found), encoding="utf-8")

    def put_file(self, owner: FileOwner, here: str, name: str, file: Path) -> None:
        """Writes a file of a run or a logged model."""
        target = self._homes[here] / "artifacts" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)

    def put_trace(self, trace: Trace, experiment: str) -> Trace:
        """Writes a trace with its spans and assessments; gives it as it is kept there."""
        home = self._folder / experiment / "traces" / trace.id
        shutil.rmtree(home, ignore_errors=True)
        info = info_for(trace, experiment)
        tags, metadata, judged = (info.pop(name, None) or {} for name in ("tags", "trace_metadata", "assessments"))
        if "execution_duration" in info:
            del info["execution_duration"]
            info["execution_duration_ms"] = trace.milliseconds
        write_meta(home / "trace_info.yaml", info)
        _write_texts(home / "tags", {**tags, ARTIFACT_LOCATION: (home / "artifacts").as_uri()})
        _write_texts(home / "request_metadata", metadata)
        for one in judged:
            write_meta(home / "assessments" / f"{one['assessment_id']}.yaml", one)
        (home / "artifacts").mkdir(parents=True)
        spans = to_json({"spans": [stored_json(span) for span in trace.spans]})
        (home / "artifacts" / "traces.json").write_bytes(spans)
        return self.reader.one_trace(trace.id, experiment)

    def tie_traces(self, run: str, traces: list[str]) -> None:
        """Does nothing: a folder ties traces to runs by their metadata alone."""

    def put_registered(self, model: RegisteredContent) -> None:
        """Makes a registered model, with description and tags."""
        home = self._folder / "models" / model.name
        values = {
            "creation_timestamp": 0,
            "description": model.description,
            "last_updated_timestamp": 0,
            "name": model.name,
        }
        write_meta(home / "meta.yaml", values)
        _write_texts(home / "tags", model.tags)

    def put_version(self, version: VersionContent) -> bool:
        """Makes a version under its number."""
        home = self._folder / "models" / version.model / f"version-{version.number}"
        write_meta(
            home / "meta.yaml",
            {
                "creation_timestamp": 0,
                "current_stage": version.stage,
                "description": version.description or None,
                "last_updated_timestamp": 0,
                "model_id": version.logged_model or None,
                "name": version.model,
                "run_id": version.run or None,
                "run_link": None,
                "source": version.source or None,
                "status": "READY",
                "status_message": None,
                "storage_location": self._storage(version),
                "user_id": version.user or None,
                "version": version.number,
            },
        )
        _write_texts(home / "tags", version.tags)
        return True

    def put_aliases(self, model: RegisteredContent) -> None:
        """Sets the aliases."""
        _write_texts(self._folder / "models" / model.name / "aliases", {a: str(v) for a, v in model.aliases.items()})

    def _storage(self, version: VersionContent) -> str | None:
        kind, _, path = version.source.partition(":/")
        first, _, rest = path.partition("/")
        if kind not in ("runs", "models") or first not in self._homes:
            return version.source or None
        return (self._homes[first] / "artifacts" / rest).as_uri()

    def _write_run(self, run: RunContent, home: Path) -> None:
        write_meta(
            home / "meta.yaml",
            {
                "artifact_uri": (home / "artifacts").as_uri(),
                "end_time": run.ended,
                "entry_point_name": "",
                "experiment_id": home.parent.name,
                "lifecycle_stage": "deleted" if run.is_deleted else "active",
                "run_id": run.id,
                "run_name": run.name,
                "run_uuid": run.id,
                "source_name": "",
                "source_type": 4,
                "source_version": "",
                "start_time": run.started,
                "status": _STATUS[run.status],
                "tags": [],
                "user_id": run.user,
            },
        )


def _write_texts(folder: Path, texts: dict[str, str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for key, text in texts.items():
        path = folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
