"""A running MLflow server, read over its REST protocol."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import urllib3

from flyball.errors import FlyballError, InvalidInput, NotFound, ServerUnreachable
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
from flyball.interchange.mlflow.folder import SERIES
from flyball.interchange.mlflow.places import plain_source
from flyball.interchange.mlflow.traces import SOURCE_RUN, span_from, trace_from
from flyball.tracking.inputs import LoggedDataset
from flyball.tracking.limits import from_micros
from flyball.tracking.logged_models import ModelMetric, ModelStatus
from flyball.tracking.nouns import Series
from flyball.tracking.span_files import spans_in
from flyball.tracking.spans import Span
from flyball.tracking.trace_nouns import Trace

_MODEL_STATUS: dict[str, ModelStatus] = {
    "LOGGED_MODEL_PENDING": "pending",
    "LOGGED_MODEL_READY": "ready",
    "LOGGED_MODEL_UPLOAD_FAILED": "failed",
}
_PROMPTS = "tags.`mlflow.prompt.is_prompt` = 'true'"
_ARTIFACTS = "/api/2.0/mlflow-artifacts/artifacts/"


class Connection:
    """Requests to a server.

    Args:
        address: Such as `http://host:5000`; a name and password may stand in it.
        token: Sent as a bearer token, if it is given.
    """

    def __init__(self, address: str, token: str = "") -> None:
        parts = urlsplit(address)
        place = parts.hostname or ""
        self.url = f"{parts.scheme}://{place}{f':{parts.port}' if parts.port else ''}{parts.path.rstrip('/')}"
        headers: dict[str, str] = {}
        if parts.username:
            login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            headers = dict(urllib3.make_headers(basic_auth=login))
        if token:
            headers["Authorization"] = f"Bearer {token}"
        retries = urllib3.Retry(4, backoff_factor=0.3, status_forcelist=(429, 502, 503, 504), allowed_methods=None)
        self._pool = urllib3.PoolManager(headers=headers, retries=retries, timeout=120)

    def ask(self, method: str, path: str, /, body: object = None, **query: object) -> dict[str, Any]:
        """The answer to a call of the protocol; `path` follows `/api/2.0/mlflow/`, unless it begins with a slash.

        Raises:
            NotFound: MLflow says that it is not there.
            FlyballError: it answers with another error.
            ServerUnreachable: nobody answers.
        """
        fields = [
            (key, str(one)) for key, value in query.items() for one in (value if isinstance(value, list) else [value])
        ]
        encoded = "&".join(f"{key}={quote(value, safe='')}" for key, value in fields)
        whole = path if path.startswith("/") else f"/api/2.0/mlflow/{path}"
        return self._asked(method, f"{whole}?{encoded}" if encoded else whole, body, {})

    def tell(self, path: str, body: object, headers: dict[str, str]) -> None:
        """Posts to an address of the server, with headers; raises as `ask` does."""
        self._asked("POST", path, body, headers)

    def _asked(self, method: str, path: str, body: object, headers: dict[str, str]) -> dict[str, Any]:
        try:
            answer = self._pool.request(method, self.url + path, json=body, headers={**self._pool.headers, **headers})
        except urllib3.exceptions.HTTPError as error:
            raise ServerUnreachable(f"{self.url} cannot be reached: {error}.") from error
        return _understood(answer, self.url + path)

    def fetch(self, path: str, target: Path) -> None:
        """Brings what lies at an address of the server.

        Raises:
            NotFound: there is nothing.
        """
        with self._pool.request("GET", self.url + path, preload_content=False) as answer, target.open("wb") as file:
            if answer.status >= 400:
                raise NotFound(f"{path} is answered with {answer.status}.")
            shutil.copyfileobj(answer, file, 1 << 20)

    def send(self, path: str, file: Path) -> None:
        """Puts a file to an address of the server.

        Raises:
            FlyballError: it is not taken.
        """
        headers = {"Content-Length": str(file.stat().st_size), "Content-Type": "application/octet-stream"}
        with file.open("rb") as body:
            answer = self._pool.request("PUT", self.url + path, body=body, headers={**self._pool.headers, **headers})
        _understood(answer, path)


def _understood(answer: Any, address: str) -> dict[str, Any]:
    try:
        found = json.loads(answer.data or b"{}")
    except ValueError:
        found = None
    if answer.status < 400 and isinstance(found, dict):
        return found
    code = found.get("error_code", "") if isinstance(found, dict) else ""
    said = found.get("message", "") if isinstance(found, dict) else ""
    if answer.status == 404 or code in ("RESOURCE_DOES_NOT_EXIST", "ENDPOINT_NOT_FOUND"):
        raise NotFound(f"{urlsplit(address).path}: {said or 'there is nothing'}.")
    if not isinstance(found, dict):
        raise InvalidInput(
            f"{urlsplit(address).path} is not answered as MLflow answers.", hint="Is it an MLflow server?"
        )
    raise FlyballError(f"{urlsplit(address).path}: {code} {str(said)[:500]}")


class RestSource:
    """Reads a running MLflow server."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._metrics: dict[str, list[str]] = {}
        self.problems: list[str] = []
        self._links: dict[str, RunLinks] = {}

    def experiments(self) -> Iterator[ExperimentContent]:
        """All of them, those in the trash as well."""
        asked = {"view_type": "ALL", "max_results": 1000, "order_by": ["experiment_id ASC"]}
        for found in self._pages("experiments/search", "experiments", asked):
            yield ExperimentContent(
                id=found["experiment_id"],
                name=found["name"],
                tags=_pairs(found.get("tags")),
                is_deleted=found.get("lifecycle_stage") == "deleted",
            )

    def runs(self, experiment: str) -> Iterator[RunContent]:
        """The runs of an experiment, those in the trash as well."""
        asked = {
            "experiment_ids": [experiment], "run_view_type": "ALL", "max_results": 1000,
            "order_by": ["attributes.start_time ASC"],
        }  # fmt: skip
        for found in self._pages("runs/search", "runs", asked):
            yield self._run(found)

    def one_run(self, run: str) -> RunContent:
        """One run, as it is now."""
        return self._run(self._connection.ask("GET", "runs/get", run_id=run)["run"])

    def series(self, run: RunContent) -> Iterator[Series]:
        """The points of every metric."""
        if run.id not in self._metrics:
            self.one_run(run.id)
        for key in self._metrics[run.id]:
            token = ""
            while True:
                query: dict[str, object] = {"run_id": run.id, "metric_key": key, "max_results": SERIES}
                answer = self._connection.ask(
                    "GET", "metrics/get-history", **query, **({"page_token": token} if token else {})
                )
                points = answer.get("metrics", [])
                yield Series(
                    key=key,
                    steps=[int(point.get("step", 0)) for point in points],
                    times=[int(point["timestamp"]) * 1000 for point in points],
                    values=[kept_value(float(point["value"])) for point in points],
                )
                token = answer.get("next_page_token", "")
                if not token:
                    break

    def links(self, run: RunContent) -> RunLinks:
        """What a run used and made."""
        if run.id not in self._links:
            self.one_run(run.id)
        return self._links[run.id]

    def models(self, experiment: str) -> Iterator[ModelContent]:
        """The logged models of an experiment; none where the server is older than they are."""
        asked = {"experiment_ids": [experiment], "max_results": 50}
        try:
            for found in self._pages("logged-models/search", "models", asked):
                yield _model(found)
        except NotFound:
            return

    def files(self, owner: FileOwner, of: RunContent | ModelContent) -> Iterator[FileContent]:
        """The files of a run or logged model."""
        folders = [""]
        while folders:
            for found in self._listed(owner, of.id, folders.pop()):
                if found.get("is_dir"):
                    folders.append(found["path"])
                else:
                    yield FileContent(name=found["path"], size=int(found.get("file_size", 0)))

    def fetch(self, owner: FileOwner, of: RunContent | ModelContent, name: str, target: Path) -> None:
        """Brings one of the files."""
        if of.artifacts.startswith("mlflow-artifacts:"):
            inner = urlsplit(of.artifacts).path.strip("/")
            self._connection.fetch(f"{_ARTIFACTS}{quote(f'{inner}/{name}')}", target)
        elif owner == "run":
            self._connection.fetch(f"/get-artifact?run_id={of.id}&path={quote(name, safe='')}", target)
        else:
            path = (
                f"/ajax-api/2.0/mlflow/logged-models/{of.id}/artifacts/files?artifact_file_path={quote(name, safe='')}"
            )
            self._connection.fetch(path, target)

    def registered(self) -> Iterator[RegisteredContent]:
        """The registered models, prompts among them."""
        for text in ("", _PROMPTS):
            asked = {"max_results": 100, **({"filter": text} if text else {})}
            for found in self._pages("registered-models/search", "registered_models", asked, method="GET"):
                yield RegisteredContent(
                    name=found["name"],
                    description=found.get("description", ""),
                    tags=_pairs(found.get("tags")),
                    aliases={one["alias"]: int(one["version"]) for one in found.get("aliases", [])},
                )

    def versions(self, model: str) -> Iterator[VersionContent]:
        """The versions of a registered model, by number."""
        quoted = model.replace("'", "''") if '"' in model else model
        text = f"name = '{quoted}'" if "'" not in model else f'name = "{model}"'
        found = []
        for prompts in ("", f" AND {_PROMPTS}"):
            asked = {"max_results": 1000, "filter": text + prompts}
            found += list(self._pages("model-versions/search", "model_versions", asked, method="GET"))
        for one in sorted({one["version"]: one for one in found}.values(), key=lambda one: int(one["version"])):
            run, logged = one.get("run_id", ""), one.get("model_id", "")
            source = plain_source(one.get("source", ""), run, logged)
            yield VersionContent(
                model=model,
                number=int(one["version"]),
                source=source,
                run=run,
                logged_model=logged or (source.removeprefix("models:/") if source.startswith("models:/m-") else ""),
                description=one.get("description", ""),
                user=one.get("user_id", ""),
                stage=one.get("current_stage", "None"),
                tags=_pairs(one.get("tags")),
            )

    def traces(self, experiment: str) -> Iterator[Trace]:
        """The traces of an experiment with their assessments, without their spans."""
        yield from self._found_traces(experiment)

    def spans(self, trace: Trace) -> list[Span]:
        """The spans of a trace; those that a client kept in a file beside it are read from there."""
        asked = {"trace_id": trace.id, "allow_partial": "true"}
        with suppress(NotFound):
            found = self._connection.ask("GET", "/api/3.0/mlflow/traces/get", **asked).get("trace", {}).get("spans")
            if found:
                return [span_from(one, trace.id) for one in found]
        with tempfile.TemporaryDirectory(prefix="flyball-trace-") as folder, suppress(NotFound):
            target = Path(folder) / "spans"
            self._connection.fetch(f"/ajax-api/2.0/mlflow/get-trace-artifact?request_id={quote(trace.id)}", target)
            return spans_in(target.read_bytes(), trace.id)
        return []

    def traces_of_run(self, run: RunContent) -> list[str]:
        """Ids of the traces that were tied to a run."""
        found = self._found_traces(run.experiment, f"attributes.run_id = '{run.id}'")
        return [one.id for one in found if one.metadata.get(SOURCE_RUN) != run.id]

    def one_trace(self, trace: str, experiment: str) -> Trace:
        """A trace with its spans, as the server has it now."""
        info = self._connection.ask("GET", f"/api/3.0/mlflow/traces/{quote(trace)}")["trace"]["trace_info"]
        found = trace_from(info, experiment)
        return replace(found, spans=self.spans(found))

    def _found_traces(self, experiment: str, text: str = "") -> Iterator[Trace]:
        place = {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": experiment}}
        asked = {"locations": [place], "max_results": 500, **({"filter": text} if text else {})}
        try:
            for info in self._pages("/api/3.0/mlflow/traces/search", "traces", asked):
                yield trace_from(info, experiment)
        except NotFound:
            # A server before 3.0 knows traces in another form only.
            with suppress(NotFound):
                asked = {"experiment_ids": [experiment], "max_results": 1}
                if self._connection.ask("GET", "traces", **asked).get("traces"):
                    self.problems.append(f"experiment {experiment}: its traces are those of a server before 3.0.")

    def _run(self, found: dict[str, Any]) -> RunContent:
        info, data = found["info"], found.get("data", {})
        run = info["run_id"]
        self._metrics[run] = [metric["key"] for metric in data.get("metrics", [])]
        self._links[run] = _run_links(found)
        ended = info.get("end_time")
        tags = _pairs(data.get("tags"))
        return RunContent(
            id=run,
            experiment=info["experiment_id"],
            name=info.get("run_name") or tags.get("mlflow.runName", ""),
            user=info.get("user_id", ""),
            status=info.get("status", "FINISHED"),
            started=int(info.get("start_time", 0)),
            ended=int(ended) if ended else None,
            is_deleted=info.get("lifecycle_stage") == "deleted",
            params=_pairs(data.get("params")),
            tags=tags,
            artifacts=info.get("artifact_uri", ""),
        )

    def _listed(self, owner: FileOwner, of: str, folder: str) -> Iterator[dict[str, Any]]:
        token = ""
        while True:
            more = {"page_token": token} if token else {}
            if owner == "run":
                answer = self._connection.ask(
                    "GET", "artifacts/list", run_id=of, **({"path": folder} if folder else {}), **more
                )
            else:
                inner = {"artifact_directory_path": folder} if folder else {}
                answer = self._connection.ask("GET", f"logged-models/{of}/artifacts/directories", **inner, **more)
            yield from answer.get("files", [])
            token = answer.get("next_page_token", "")
            if not token:
                return

    def _pages(self, path: str, what: str, asked: dict[str, Any], method: str = "POST") -> Iterator[dict[str, Any]]:
        token = ""
        while True:
            given = {**asked, **({"page_token": token} if token else {})}
            answer = self._connection.ask(method, path, **({"body": given} if method == "POST" else given))
            yield from answer.get(what, [])
            token = answer.get("next_page_token", "")
            if not token:
                return


def _pairs(found: list[dict[str, str]] | None) -> dict[str, str]:
    return {pair["key"]: pair.get("value", "") for pair in found or []}


def _run_links(found: dict[str, Any]) -> RunLinks:
    inputs = found.get("inputs", {})
    datasets = []
    for one in inputs.get("dataset_inputs", []):
        texts = {
            name: one["dataset"].get(name, "")
            for name in ("name", "digest", "source_type", "source", "schema", "profile")
        }
        datasets.append(LoggedDataset(tags=_pairs(one.get("tags")), **texts))
    outputs = [(one["model_id"], int(one.get("step", 0))) for one in found.get("outputs", {}).get("model_outputs", [])]
    return RunLinks(
        datasets=datasets, models=[one["model_id"] for one in inputs.get("model_inputs", [])], outputs=outputs
    )


def _model(found: dict[str, Any]) -> ModelContent:
    info, data = found["info"], found.get("data", {})
    return ModelContent(
        id=info["model_id"],
        experiment=info["experiment_id"],
        name=info.get("name", ""),
        kind=info.get("model_type", ""),
        run=info.get("source_run_id", ""),
        status=_MODEL_STATUS.get(info.get("status", ""), "unspecified"),
        params=_pairs(data.get("params")),
        tags=_pairs(info.get("tags")),
        metrics=[
            ModelMetric(
                key=metric["key"],
                value=kept_value(float(metric["value"])),
                step=int(metric.get("step", 0)),
                at=from_micros(int(metric["timestamp"]) * 1000),
                run=metric.get("run_id", ""),
                dataset=metric.get("dataset_name", ""),
                digest=metric.get("dataset_digest", ""),
            )
            for metric in data.get("metrics", [])
        ],
        artifacts=info.get("artifact_uri", ""),
    )
