"""Writes to a running MLflow server. It gives runs and logged models ids of its own; tags keep those they had."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from flyball.errors import InvalidInput, NotFound
from flyball.interchange.mlflow.content import (
    ExperimentContent,
    FileOwner,
    ModelContent,
    RegisteredContent,
    RunContent,
    RunLinks,
    VersionContent,
)
from flyball.interchange.mlflow.rest import Connection, RestSource
from flyball.interchange.mlflow.traces import info_for, otlp_of
from flyball.server.protocols.mlflow.trace_json import assessment_json
from flyball.tracking.limits import to_micros
from flyball.tracking.nouns import Series
from flyball.tracking.trace_nouns import Trace

FORMER_ID = "flyball.id"
"""The tag that holds the id which a run or logged model had before."""
_BATCH, _PAIRS = 1_000, 100
_STATUS = {"ready": "LOGGED_MODEL_READY", "failed": "LOGGED_MODEL_UPLOAD_FAILED"}


class RestDestination:
    """Writes to a running MLflow server."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._places: dict[str, str] = {}

    @property
    def reader(self) -> RestSource:
        """Reads back what was written."""
        return RestSource(self._connection)

    def artifacts_of(self, owner: FileOwner, here: str) -> str:
        """Where the server keeps the files of a run or logged model."""
        return self._places.get(here, "")

    def open_experiment(self, experiment: ExperimentContent) -> str:
        """Makes it if it is not there; gives its id there."""
        ask = self._connection.ask
        try:
            found = ask("GET", "experiments/get-by-name", experiment_name=experiment.name)["experiment"]
        except NotFound:
            tags = _pairs(experiment.tags)
            return str(ask("POST", "experiments/create", {"name": experiment.name, "tags": tags})["experiment_id"])
        here = str(found["experiment_id"])
        if found.get("lifecycle_stage") == "deleted":
            ask("POST", "experiments/restore", {"experiment_id": here})
        for pair in _pairs(experiment.tags):
            ask("POST", "experiments/set-experiment-tag", {"experiment_id": here, **pair})
        return here

    def close_experiment(self, experiment: ExperimentContent, here: str) -> None:
        """Puts it into the trash if that is where it was."""
        if experiment.is_deleted:
            self._connection.ask("POST", "experiments/delete", {"experiment_id": here})

    def open_run(self, run: RunContent, experiment: str, parent: str) -> str:
        """Makes it if it is not there, with params and tags; gives its id there."""
        ask = self._connection.ask
        text = f"tags.`{FORMER_ID}` = '{run.id}'"
        asked = {"experiment_ids": [experiment], "filter": text, "run_view_type": "ALL", "max_results": 1}
        found = ask("POST", "runs/search", asked).get("runs", [])
        tags = {**run.tags, FORMER_ID: run.id, **({"mlflow.parentRunId": parent} if parent else {})}
        if found:
            info = found[0]["info"]
            if info.get("lifecycle_stage") == "deleted":
                ask("POST", "runs/restore", {"run_id": info["run_id"]})
        else:
            given = {
                "experiment_id": experiment, "start_time": run.started, "user_id": run.user, "run_name": run.name,
                "tags": _pairs({"mlflow.runName": run.name, FORMER_ID: run.id}),
            }  # fmt: skip
            info = ask("POST", "runs/create", given)["run"]["info"]
        here = str(info["run_id"])
        self._places[here] = info["artifact_uri"]
        params, marks = _pairs(run.params), _pairs(tags)
        for start in range(0, max(len(params), len(marks)), _PAIRS):
            part = slice(start, start + _PAIRS)
            ask("POST", "runs/log-batch", {"run_id": here, "params": params[part], "tags": marks[part]})
        return here

    def append(self, run: str, series: list[Series]) -> None:
        """Writes metric points."""
        for one in series:
            points = [
                {"key": one.key, "value": "NaN" if value is None else value, "timestamp": micros // 1000, "step": step}
                for step, micros, value in zip(one.steps, one.times, one.values, strict=True)
            ]
            for start in range(0, len(points), _BATCH):
                self._connection.ask(
                    "POST", "runs/log-batch", {"run_id": run, "metrics": points[start : start + _BATCH]}
                )

    def link(self, run: str, links: RunLinks) -> None:
        """Writes what it used and made."""
        datasets = []
        for one in links.datasets:
            texts = {
                name: getattr(one, name) for name in ("name", "digest", "source_type", "source", "schema", "profile")
            }
            datasets.append({"dataset": {name: text for name, text in texts.items() if text}, "tags": _pairs(one.tags)})
        models = [{"model_id": model} for model in links.models]
        if datasets or models:
            self._connection.ask("POST", "runs/log-inputs", {"run_id": run, "datasets": datasets, "models": models})
        outputs = [{"model_id": model, "step": step} for model, step in links.outputs]
        if outputs:
            self._connection.ask("POST", "runs/outputs", {"run_id": run, "models": outputs})

    def close_run(self, run: RunContent, here: str) -> None:
        """Gives it its state and end."""
        ended = {} if run.ended is None else {"end_time": run.ended}
        self._connection.ask("POST", "runs/update", {"run_id": here, "status": run.status, **ended})
        if run.is_deleted:
            self._connection.ask("POST", "runs/delete", {"run_id": here})

    def put_model(self, model: ModelContent, experiment: str, run: str) -> str:
        """Makes a logged model if it is not there; gives its id there."""
        ask = self._connection.ask
        asked = {"experiment_ids": [experiment], "filter": f"tags.`{FORMER_ID}` = '{model.id}'", "max_results": 1}
        found = ask("POST", "logged-models/search", asked).get("models", [])
        if not found:
            given: dict[str, Any] = {
                "experiment_id": experiment, "name": model.name, "params": _pairs(model.params),
                "tags": _pairs({**model.tags, FORMER_ID: model.id}),
                **({"model_type": model.kind} if model.kind else {}), **({"source_run_id": run} if run else {}),
            }  # fmt: skip
            found = [ask("POST", "logged-models", given)["model"]]
        here = str(found[0]["info"]["model_id"])
        self._places[here] = found[0]["info"]["artifact_uri"]
        return here

    def close_model(self, model: ModelContent, here: str) -> None:
        """Writes its metrics and state."""
        for point in model.metrics:
            if point.run:
                given = {
                    "run_id": point.run, "key": point.key, "value": "NaN" if point.value is None else point.value,
                    "timestamp": to_micros(point.key, point.at) // 1000, "step": point.step, "model_id": here,
                    **({"dataset_name": point.dataset, "dataset_digest": point.digest} if point.dataset else {}),
                }  # fmt: skip
                self._connection.ask("POST", "runs/log-metric", given)
        if model.status in _STATUS:
            self._connection.ask("PATCH", f"logged-models/{here}", {"model_id": here, "status": _STATUS[model.status]})

    def put_file(self, owner: FileOwner, here: str, name: str, file: Path) -> None:
        """Writes a file of a run or a logged model.

        Raises:
            InvalidInput: the server does not take files itself.
        """
        uri = self._places[here]
        if not uri.startswith("mlflow-artifacts:"):
            raise InvalidInput(
                f"The server keeps artifacts at {uri}, which it does not write itself.",
                hint="Start it with --serve-artifacts, or export into a folder.",
            )
        inner = urlsplit(uri).path.strip("/")
        self._connection.send(f"/api/2.0/mlflow-artifacts/artifacts/{quote(f'{inner}/{name}')}", file)

    def put_trace(self, trace: Trace, experiment: str) -> Trace:
        """Writes a trace with its spans and assessments under its own id; gives it as the server keeps it.

        Raises:
            InvalidInput: the server has one of that id elsewhere.
        """
        ask, reader = self._connection.ask, self.reader
        # A server holds every judgement that comes with a trace for valid; one that overrides another says so by itself.
        plain = [one for one in trace.assessments if not one.overrides]
        info = info_for(replace(trace, assessments=plain), experiment)
        try:
            home = ask("GET", f"/api/3.0/mlflow/traces/{quote(trace.id)}")["trace"]["trace_info"]["trace_location"]
        except NotFound:
            ask("POST", "/api/3.0/mlflow/traces", {"trace": {"trace_info": info}})
        else:
            if home.get("mlflow_experiment", {}).get("experiment_id") != experiment:
                raise InvalidInput(f"The server has a trace '{trace.id}' in another experiment.")
        if trace.spans:
            self._connection.tell("/v1/traces", otlp_of(trace.spans), {"x-mlflow-experiment-id": experiment})
        self._judge(trace, reader.one_trace(trace.id, experiment))
        return reader.one_trace(trace.id, experiment)

    def tie_traces(self, run: str, traces: list[str]) -> None:
        """Ties traces to a run."""
        for start in range(0, len(traces), _PAIRS):
            given = {"run_id": run, "trace_ids": traces[start : start + _PAIRS]}
            self._connection.ask("POST", "traces/link-to-run", given)

    def _judge(self, trace: Trace, there: Trace) -> None:
        """Writes the assessments that the server does not have yet."""
        known = {one.id for one in there.assessments}
        for given in sorted(trace.assessments, key=lambda one: (one.created, one.id)):
            if given.id not in known:
                address = f"/api/3.0/mlflow/traces/{quote(trace.id)}/assessments"
                self._connection.ask("POST", address, {"assessment": assessment_json(given)})

    def put_registered(self, model: RegisteredContent) -> None:
        """Makes a registered model if it is not there, with description and tags."""
        ask = self._connection.ask
        try:
            ask("GET", "registered-models/get", name=model.name)
        except NotFound:
            given = {"name": model.name, "description": model.description, "tags": _pairs(model.tags)}
            ask("POST", "registered-models/create", given)
            return
        ask("PATCH", "registered-models/update", {"name": model.name, "description": model.description})
        for pair in _pairs(model.tags):
            ask("POST", "registered-models/set-tag", {"name": model.name, **pair})

    def put_version(self, version: VersionContent) -> bool:
        """Makes a version under its number.

        Raises:
            InvalidInput: its files are in no run and no logged model.
        """
        ask = self._connection.ask
        try:
            ask("GET", "model-versions/get", name=version.model, version=version.number)
        except NotFound:
            pass
        else:
            return False
        source = self._source(version)
        given = {
            "name": version.model, "source": source, "description": version.description, "tags": _pairs(version.tags),
            **({"run_id": version.run} if version.run else {}),
            **({"model_id": version.logged_model} if version.logged_model else {}),
        }  # fmt: skip
        while True:
            made = ask("POST", "model-versions/create", given)["model_version"]
            if int(made["version"]) >= version.number:
                break
            # The number of a version that is gone.
            ask("DELETE", "model-versions/delete", {"name": version.model, "version": made["version"]})
        if version.stage not in ("None", ""):
            stage = {"name": version.model, "version": str(made["version"]), "stage": version.stage}
            ask("POST", "model-versions/transition-stage", stage)
        return True

    def put_aliases(self, model: RegisteredContent) -> None:
        """Sets the aliases, when the versions are there."""
        for alias, number in model.aliases.items():
            given = {"name": model.name, "alias": alias, "version": str(number)}
            self._connection.ask("POST", "registered-models/alias", given)

    def _source(self, version: VersionContent) -> str:
        kind, _, path = version.source.partition(":/")
        if kind == "runs":
            run, _, inner = path.partition("/")
            if run not in self._places:
                self._places[run] = RestSource(self._connection).one_run(run).artifacts
            return f"{self._places[run]}/{inner}".rstrip("/")
        if not version.source:
            raise InvalidInput(
                "Its files were registered by Flyball alone, in no run.",
                hint="MLflow's client loads them from Flyball.",
            )
        return version.source


def _pairs(texts: dict[str, str]) -> list[dict[str, str]]:
    return [{"key": key, "value": text} for key, text in texts.items()]
