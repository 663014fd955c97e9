"""MLflow's own database, read without MLflow: an SQLite file, or an address that SQLAlchemy understands."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from flyball.errors import InvalidInput
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
from flyball.interchange.mlflow.folder import MODEL_STATUS, RUN_STATUS, SERIES
from flyball.interchange.mlflow.places import copy_file, files_in, local_folder, plain_source
from flyball.server.protocols.mlflow.trace_json import ARTIFACT_LOCATION, free_tags, state_of, told_in
from flyball.tracking.assessments import Assessment
from flyball.tracking.conventions import NAME, SESSION, TRACE_COST, TRACE_TOKENS
from flyball.tracking.inputs import LoggedDataset
from flyball.tracking.limits import from_micros
from flyball.tracking.logged_models import ModelMetric
from flyball.tracking.nouns import Series
from flyball.tracking.span_files import spans_in, spans_of
from flyball.tracking.spans import Span
from flyball.tracking.trace_nouns import Trace

_NAMES = {name: name for name in RUN_STATUS.values()}


class SqlSource:
    """Reads a database of MLflow's, and the files that it points to.

    Columns are taken as they are found, so databases of older releases are read as well.

    Args:
        address: An SQLite file, or such as `postgresql+psycopg://...`.
        proxied: What the server's `--artifacts-destination` is.

    Raises:
        InvalidInput: it is no database of MLflow's.
    """

    def __init__(self, address: str, proxied: Path | None = None) -> None:
        is_file = "://" not in address
        # Read only: a server may be using it.
        self._engine = sa.create_engine(
            f"sqlite:///file:{address}?mode=ro&uri=true" if is_file else address, poolclass=sa.NullPool
        )
        self._proxied = proxied
        self.problems: list[str] = []
        try:
            self._tables = set(sa.inspect(self._engine).get_table_names())
        except sa.exc.DBAPIError as error:
            raise InvalidInput(f"{address} cannot be read: {error.orig}.") from error
        if not {"experiments", "runs"} <= self._tables:
            raise InvalidInput(f"{address} is no database of MLflow's.")

    def experiments(self) -> Iterator[ExperimentContent]:
        """All of them, those in the trash as well."""
        tags = self._pairs("experiment_tags", "experiment_id")
        for row in self._rows("experiments", order="experiment_id"):
            yield ExperimentContent(
                id=str(row["experiment_id"]),
                name=row["name"],
                tags=tags.get(row["experiment_id"], {}),
                is_deleted=row["lifecycle_stage"] == "deleted",
            )

    def runs(self, experiment: str) -> Iterator[RunContent]:
        """The runs of an experiment, those in the trash as well."""
        for row in self._rows("runs", order="start_time", experiment_id=int(experiment)):
            run = row["run_uuid"]
            tags = self._pairs("tags", "run_uuid", run).get(run, {})
            yield RunContent(
                id=run,
                experiment=experiment,
                name=tags.get("mlflow.runName") or row.get("name") or "",
                user=row.get("user_id") or "",
                status=_NAMES.get(row["status"], "FINISHED"),
                started=row["start_time"] or 0,
                ended=row["end_time"],
                is_deleted=row["lifecycle_stage"] == "deleted",
                params=self._pairs("params", "run_uuid", run).get(run, {}),
                tags=tags,
                artifacts=row["artifact_uri"] or "",
            )

    def series(self, run: RunContent) -> Iterator[Series]:
        """The points of every metric."""
        query = sa.text("SELECT * FROM metrics WHERE run_uuid = :run ORDER BY key, step, timestamp")
        if self._engine.dialect.name == "mysql":
            query = sa.text("SELECT * FROM metrics WHERE run_uuid = :run ORDER BY `key`, step, timestamp")
        with self._engine.connect() as connection:
            found: Series | None = None
            for row in connection.execute(query, {"run": run.id}).mappings():
                if found is None or found.key != row["key"] or len(found.steps) >= SERIES:
                    if found is not None:
                        yield found
                    found = Series(key=row["key"], steps=[], times=[], values=[])
                found.steps.append(int(row.get("step") or 0))
                found.times.append(int(row["timestamp"]) * 1000)
                found.values.append(None if row.get("is_nan") else kept_value(row["value"]))
            if found is not None:
                yield found

    def links(self, run: RunContent) -> RunLinks:
        """What a run used and made."""
        datasets: list[LoggedDataset] = []
        models: list[str] = []
        for row in self._rows("inputs", destination_id=run.id):
            if row["source_type"] != "DATASET":
                models.append(row["source_id"])
                continue
            tags = {tag["name"]: tag["value"] for tag in self._rows("input_tags", input_uuid=row["input_uuid"])}
            for found in self._rows("datasets", dataset_uuid=row["source_id"]):
                names = ("source_type", "source", "schema", "profile")
                texts = {name: found.get(f"dataset_{name}") or "" for name in names}
                datasets.append(LoggedDataset(name=found["name"], digest=found["digest"], tags=tags, **texts))
        outputs = [
            (row["destination_id"], int(row.get("step") or 0))
            for row in self._rows("inputs", source_type="RUN_OUTPUT", source_id=run.id)
        ]
        used = [row["destination_id"] for row in self._rows("inputs", source_type="RUN_INPUT", source_id=run.id)]
        return RunLinks(datasets=datasets, models=[*models, *used], outputs=outputs)

    def models(self, experiment: str) -> Iterator[ModelContent]:
        """The logged models of an experiment."""
        for row in self._rows("logged_models", order="creation_timestamp_ms", experiment_id=int(experiment)):
            if row.get("lifecycle_stage") == "deleted":
                continue
            model = row["model_id"]
            parts = ({r[f"{what}_key"]: r[f"{what}_value"] for r in self._rows(f"logged_model_{what}s", model_id=model)}
                     for what in ("param", "tag"))  # fmt: skip
            params, tags = parts
            yield ModelContent(
                id=model,
                experiment=experiment,
                name=row["name"],
                kind=row["model_type"] or "",
                run=row["source_run_id"] or "",
                status=MODEL_STATUS.get(row["status"], "ready"),
                params=params,
                tags=tags,
                metrics=[_model_metric(found) for found in self._rows("logged_model_metrics", model_id=model)],
                artifacts=row["artifact_location"],
            )

    def files(self, owner: FileOwner, of: RunContent | ModelContent) -> list[FileContent]:
        """The files of a run or logged model."""
        return files_in(local_folder(of.artifacts, self._proxied)) if of.artifacts else []

    def fetch(self, owner: FileOwner, of: RunContent | ModelContent, name: str, target: Path) -> None:
        """Brings one of the files."""
        copy_file(local_folder(of.artifacts, self._proxied), name, target)

    def registered(self) -> Iterator[RegisteredContent]:
        """The registered models, prompts among them."""
        tags = self._pairs("registered_model_tags", "name")
        for row in self._rows("registered_models", order="name"):
            aliases = {
                found["alias"]: int(found["version"])
                for found in self._rows("registered_model_aliases", name=row["name"])
            }
            yield RegisteredContent(
                name=row["name"],
                description=row["description"] or "",
                tags=tags.get(row["name"], {}),
                aliases=aliases,
            )

    def versions(self, model: str) -> Iterator[VersionContent]:
        """The versions of a registered model, by number."""
        for row in self._rows("model_versions", order="version", name=model):
            if row["current_stage"] == "Deleted_Internal":
                continue
            run, source = row["run_id"] or "", plain_source(row["source"] or "", row["run_id"] or "", "")
            found = self._rows("model_version_tags", name=model, version=row["version"])
            yield VersionContent(
                model=model,
                number=int(row["version"]),
                source=source,
                run=run,
                logged_model=source.removeprefix("models:/") if source.startswith("models:/m-") else "",
                description=row["description"] or "",
                user=row["user_id"] or "",
                stage=row["current_stage"] or "None",
                tags={tag["key"]: tag["value"] for tag in found},
            )

    def traces(self, experiment: str) -> Iterator[Trace]:
        """The traces of an experiment with their assessments, without their spans."""
        for row in self._rows("trace_info", order="timestamp_ms", experiment_id=int(experiment)):
            trace = row["request_id"]
            tags = self._pairs("trace_tags", "request_id", trace).get(trace, {})
            told = {**self._pairs("trace_request_metadata", "request_id", trace).get(trace, {}), **_told(row)}
            judged = [
                _assessment(found) for found in self._rows("assessments", order="created_timestamp", trace_id=trace)
            ]
            yield Trace(
                id=trace,
                experiment=experiment,
                name=row.get("trace_name") or tags.get(NAME, ""),
                state=state_of(row["status"].replace("TRACE_STATUS_", "STATE_")),
                started=from_micros(row["timestamp_ms"] * 1000),
                milliseconds=row["execution_time_ms"],
                client_request_id=row.get("client_request_id"),
                request_preview=row.get("request_preview"),
                response_preview=row.get("response_preview"),
                tags=free_tags(tags),
                location=tags.get(ARTIFACT_LOCATION, ""),
                assessments=judged,
                told=True,
                **told_in(told),
            )

    def spans(self, trace: Trace) -> list[Span]:
        """The spans of a trace; those that a client kept in a file beside it are read from there."""
        rows = self._rows("spans", trace_id=trace.id)
        if rows:
            return spans_of([json.loads(row["content"]) for row in rows], trace.id)
        folder = local_folder(trace.location, self._proxied) if trace.location else None
        file = folder / "traces.json" if folder else None
        return spans_in(file.read_bytes(), trace.id) if file and file.is_file() else []

    def traces_of_run(self, run: RunContent) -> list[str]:
        """Ids of the traces that were tied to a run."""
        ties = {"source_type": "trace", "destination_type": "run", "destination_id": run.id}
        return [row["source_id"] for row in self._rows("entity_associations", **ties)]

    def _rows(self, table: str, order: str = "", **wanted: object) -> list[dict[str, Any]]:
        if table not in self._tables:
            return []
        what = sa.table(table, *(sa.column(name) for name in {*wanted, *([order] if order else [])}))
        query = (
            sa.select(sa.text("*")).select_from(what).where(*(what.c[name] == value for name, value in wanted.items()))
        )
        with self._engine.connect() as connection:
            rows = connection.execute(query.order_by(what.c[order]) if order else query).mappings()
            return [dict(row) for row in rows]

    def _pairs(self, table: str, of: str, one: object = None) -> dict[Any, dict[str, str]]:
        found: dict[Any, dict[str, str]] = {}
        wanted: dict[str, Any] = {} if one is None else {of: one}
        for row in self._rows(table, **wanted):
            found.setdefault(row[of], {})[row["key"]] = row["value"] or ""
        return found


def _told(row: dict[str, Any]) -> dict[str, str]:
    """What newer releases keep in columns of a trace, as the entries of its metadata that it was told by."""
    tokens = {name: row[name] for name in row if name.endswith(("_tokens", "_above_1hr")) and row[name] is not None}
    cost = {name: row[name] for name in row if name.endswith("_cost") and row[name] is not None}
    found = {SESSION: row.get("session_id")}
    found |= {TRACE_TOKENS: json.dumps(tokens) if tokens else None, TRACE_COST: json.dumps(cost) if cost else None}
    return {key: text for key, text in found.items() if text}


def _assessment(row: dict[str, Any]) -> Assessment:
    return Assessment(
        id=row["assessment_id"],
        trace=row["trace_id"],
        name=row["name"],
        kind=row["assessment_type"],
        value=json.loads(row["value"]),
        error=json.loads(row["error"]) if row["error"] else None,
        source_type=row["source_type"],
        source=row["source_id"] or "default",
        created=from_micros(row["created_timestamp"] * 1000),
        updated=from_micros(row["last_updated_timestamp"] * 1000),
        rationale=row["rationale"] or None,
        metadata=json.loads(row["assessment_metadata"]) if row["assessment_metadata"] else {},
        span=row["span_id"] or "",
        run=row["run_id"] or "",
        overrides=row["overrides"] or "",
        valid=bool(row["valid"]),
    )


def _model_metric(row: dict[str, Any]) -> ModelMetric:
    return ModelMetric(
        key=row["metric_name"],
        value=None if row["metric_value"] is None else kept_value(row["metric_value"]),
        step=int(row["metric_step"] or 0),
        at=from_micros(int(row["metric_timestamp_ms"]) * 1000),
        run=row["run_id"] or "",
        dataset=row.get("dataset_name") or "",
        digest=row.get("dataset_digest") or "",
    )
