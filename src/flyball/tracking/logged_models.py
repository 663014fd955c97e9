"""Models as runs log them: with their state, params, tags and what was measured of them, before anybody registers them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal
from uuid import uuid4

import sqlalchemy as sa

from flyball.clock import Clock
from flyball.errors import Conflict, InvalidInput, NotFound
from flyball.storage.database import Database
from flyball.storage.event_log import EventLog
from flyball.storage.objects import Blobs
from flyball.tracking import _logged_models_store, _store, limits
from flyball.tracking.filter_sql import compare, compare_choice, compare_time, keyed
from flyball.tracking.filters import LIST, NUMBER, TEXT_OR_LIST, Comparison, Field, Fields, Group, parse_filter, to_sql
from flyball.tracking.page_tokens import read_offset, write_offset
from flyball.verbs import change, read

ModelStatus = Literal["unspecified", "pending", "ready", "failed"]

LARGEST_PAGE = 50_000
_NAMED = {"unspecified": "UNSPECIFIED", "pending": "PENDING", "ready": "READY", "failed": "FAILED"}
_TIME_ALIASES = {
    "creation_time": "creation_timestamp",
    "creation_timestamp_ms": "creation_timestamp",
    "last_updated_timestamp_ms": "last_updated_timestamp",
}
_models = _logged_models_store.models
_COLUMNS: dict[str, sa.Column[Any]] = {
    "name": _models.c.name,
    "model_id": _models.c.id,
    "model_type": _models.c.kind,
    "source_run_id": _models.c.run,
    "creation_timestamp": _models.c.created,
    "last_updated_timestamp": _models.c.updated,
    "experiment_id": _models.c.experiment,
    "status": _models.c.status,
}
FIELDS = Fields(
    what="logged model",
    groups=(
        Group(
            name="attributes",
            aliases=("attribute",),
            keys={
                "name": Field(kind="text", operators=TEXT_OR_LIST),
                "model_id": Field(kind="text", operators=TEXT_OR_LIST),
                "model_type": Field(kind="text", operators=TEXT_OR_LIST),
                "source_run_id": Field(kind="text", operators=TEXT_OR_LIST),
                "status": Field(kind="text", operators=("=", "!=", *LIST)),
                "creation_timestamp": Field(kind="time", operators=NUMBER),
                "last_updated_timestamp": Field(kind="time", operators=NUMBER),
            },
            key_aliases=_TIME_ALIASES,
        ),
        Group(name="metrics", aliases=("metric",), any_key=Field(kind="number", operators=NUMBER)),
        Group(name="params", aliases=("param",), any_key=Field(kind="text", operators=TEXT_OR_LIST)),
        Group(name="tags", aliases=("tag",), any_key=Field(kind="text", operators=TEXT_OR_LIST)),
    ),
    bare="attributes",
)
"""What may be asked of logged models."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelMetric:
    """One measurement of a model, and the data it was made on, where that is known."""

    key: str
    value: float | None
    step: int = 0
    at: datetime
    run: str
    dataset: str = ""
    digest: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedModel:
    """A model that was logged.

    Attributes:
        experiment: Id of the experiment.
        kind: What its maker calls its type.
        run: Id of the run that made it; empty where none did.
        deleted: When it was deleted; None while it was not.
    """

    id: str
    experiment: str
    name: str
    kind: str
    run: str
    status: ModelStatus
    created: datetime
    updated: datetime
    deleted: datetime | None = None
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    metrics: tuple[ModelMetric, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedModelPage:
    """A page of logged models, and how to ask for the next one; empty on the last."""

    models: tuple[LoggedModel, ...]
    next_page_token: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetChoice:
    """A data set by name; by its digest too, unless that is empty."""

    name: str
    digest: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelOrder:
    """A field to order models by: an attribute, or `metrics.<key>`, on one data set if it is named."""

    field: str
    ascending: bool = True
    dataset: str = ""
    digest: str = ""


class LoggedModels:
    """Keeps models as runs log them."""

    def __init__(self, database: Database, blobs: Blobs, events: EventLog, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    @change
    def create(
        self,
        experiment: str,
        name: str,
        kind: str = "",
        run: str = "",
        params: dict[str, str] | None = None,
        tags: dict[str, str] | None = None,
        id: str = "",
    ) -> LoggedModel:
        """Notes a model whose files are about to come.

        Args:
            experiment: Id of the experiment.
            id: Makes the call safe to repeat: a model of that id is given back as it is.

        Raises:
            NotFound: there is no such experiment.
            InvalidInput: a text cannot be kept.
            Conflict: the experiment lies in the trash.
        """
        number = _experiment_number(experiment)
        now = self._clock.now()
        model = limits.check_text(id, "id", 64) or f"m-{uuid4().hex}"
        row: dict[str, Any] = {
            "id": model,
            "experiment": number,
            "name": limits.check_text(name, "name", 500),
            "kind": limits.check_text(kind, "kind", 500),
            "run": limits.check_text(run, "run", 128),
            "status": "pending",
            "created": now,
            "updated": now,
        }
        given, marks = _checked(params, "param"), _checked(tags, "tag")
        with self._database.transaction() as connection:
            _check_experiment(connection, number)
            connection.execute(self._database.insert(_models).values(row).on_conflict_do_nothing())
            found = self._locked(connection, model)
            _logged_models_store.write_params(self._database, connection, found.number, given)
            _logged_models_store.write_tags(self._database, connection, found.number, marks)
            return self._given(connection, [found])[0]

    @read
    def get(self, model: str, with_deleted: bool = False) -> LoggedModel:
        """One model.

        Raises:
            NotFound: there is none of that id, or it was deleted.
        """
        wanted = sa.select(_models).where(_models.c.id == model)
        with self._database.reading() as connection:
            row = connection.execute(wanted).first()
            if row is None or (row.deleted is not None and not with_deleted):
                raise _missing(model)
            return self._given(connection, [row])[0]

    @change
    def finalize(self, model: str, status: ModelStatus = "ready") -> LoggedModel:
        """Says that the model's files are there, or that they could not be brought.

        Raises:
            NotFound: there is none of that id.
        """
        with self._database.transaction() as connection:
            row = self._locked(connection, model)
            changed = sa.update(_models).where(_models.c.number == row.number)
            connection.execute(changed.values(status=status, updated=self._clock.now()))
            return self._given(connection, [self._locked(connection, model)])[0]

    @change
    def delete(self, model: str) -> None:
        """Puts a model aside; `get` still gives it when it is asked to.

        Raises:
            NotFound: there is none of that id.
        """
        now = self._clock.now()
        with self._database.transaction() as connection:
            row = self._locked(connection, model)
            connection.execute(
                sa.update(_models).where(_models.c.number == row.number).values(deleted=now, updated=now)
            )

    @change
    def set_tags(self, model: str, tags: dict[str, str]) -> None:
        """Writes tags; the last value of a key stays.

        Raises:
            NotFound: there is none of that id.
            InvalidInput: a key or value cannot be kept.
        """
        marks = _checked(tags, "tag")
        with self._database.transaction() as connection:
            _logged_models_store.write_tags(self._database, connection, self._locked(connection, model).number, marks)

    @change
    def delete_tag(self, model: str, key: str) -> None:
        """Removes a tag.

        Raises:
            NotFound: there is none of that id, or it has no such tag.
        """
        table = _logged_models_store.tags
        with self._database.transaction() as connection:
            number = self._locked(connection, model).number
            gone = sa.delete(table).where(table.c.model == number, table.c.key == key).returning(table.c.key)
            if connection.execute(gone).first() is None:
                raise NotFound(f"No tag with key {key!r} found for model with ID {model!r}.", model=model, key=key)

    @change
    def log_params(self, model: str, params: dict[str, str]) -> None:
        """Writes params.

        Raises:
            NotFound: there is none of that id.
            Conflict: one has another value already.
        """
        given = _checked(params, "param")
        with self._database.transaction() as connection:
            number = self._locked(connection, model).number
            kept = _logged_models_store.write_params(self._database, connection, number, given)
            for key, value in given.items():
                if kept[key] != value:
                    raise Conflict(f"Param '{key}' of model '{model}' is {kept[key]!r} already.", key=key)

    @change
    def log_metrics(self, metrics: dict[str, list[ModelMetric]]) -> None:
        """Writes measurements of models, all or none; one that is sent twice is kept once.

        Args:
            metrics: Measurements by the id of the model.

        Raises:
            NotFound: there is no model of one of the ids.
            InvalidInput: a key or value cannot be kept.
        """
        limits.check_count(sum(map(len, metrics.values())), "metric points", limits.MOST_POINTS)
        rows: list[dict[str, Any]] = []
        with self._database.transaction() as connection:
            for model, points in sorted(metrics.items()):
                number = self._locked(connection, model).number
                rows.extend({"model": number, **_metric_row(point)} for point in points)
            if rows:
                _logged_models_store.write_metrics(self._database, connection, rows)

    @read
    def search(
        self,
        filter: str = "",
        experiments: list[str] | None = None,
        datasets: list[DatasetChoice] | None = None,
        order_by: list[ModelOrder] | None = None,
        limit: int = 100,
        page_token: str = "",
    ) -> LoggedModelPage:
        """Models that fit, the newest first unless another order is asked for.

        Args:
            filter: Such as `metrics.accuracy > 0.9 AND params.depth = '5'`. A metric stands for its last value.
            experiments: Ids of experiments; all if it is not given.
            datasets: Metrics count only where they were measured on one of these; without a condition on metrics, models
                that were measured on one of them are given.

        Raises:
            InvalidInput: the filter, order or page token is not understood.
        """
        asked: dict[str, object] = {
            "filter": filter,
            "experiments": experiments,
            "datasets": datasets,
            "order": order_by,
        }
        first = read_offset(page_token, asked)
        size = max(1, min(limit, LARGEST_PAGE))
        query = _selection(filter, experiments, datasets or [], order_by or []).offset(first).limit(size + 1)
        with self._database.reading() as connection:
            rows = connection.execute(query).all()
            found = self._given(connection, rows[:size])
        token = write_offset(first + size, asked) if len(rows) > size else ""
        return LoggedModelPage(models=tuple(found), next_page_token=token)

    def _locked(self, connection: sa.Connection, model: str) -> sa.Row[Any]:
        row = connection.execute(sa.select(_models).where(_models.c.id == model).with_for_update()).first()
        if row is None:
            raise _missing(model)
        return row

    def _given(self, connection: sa.Connection, rows: Sequence[sa.Row[Any]]) -> list[LoggedModel]:
        found = _logged_models_store.details(connection, [row.number for row in rows]) if rows else {}
        return [_model_of(row, found[row.number]) for row in rows]


def _selection(
    text: str, experiments: list[str] | None, datasets: list[DatasetChoice], order_by: list[ModelOrder]
) -> sa.Select[Any]:
    measured = _on(datasets)
    asked_metrics = False

    def condition(asked: Comparison) -> sa.ColumnElement[bool]:
        nonlocal asked_metrics
        if asked.group == "metrics":
            asked_metrics = True
            last = _logged_models_store.latest(asked.key, measured, "last")
            fits = sa.select(last.c.model).where(compare(last.c.value, asked))
            return _models.c.number.in_(fits)
        if asked.group in ("params", "tags"):
            pairs = _logged_models_store.params if asked.group == "params" else _logged_models_store.tags
            return keyed(asked, pairs, owner=pairs.c.model == _models.c.number)
        if asked.key == "status":
            return compare_choice(_models.c.status, asked, _NAMED)
        time = asked.key.endswith("_timestamp")
        return (compare_time if time else compare)(_COLUMNS[asked.key], asked)

    wanted = [_models.c.deleted.is_(None), to_sql(parse_filter(text, FIELDS), condition)]
    if experiments is not None:
        wanted.append(_models.c.experiment.in_([_experiment_number(experiment) for experiment in experiments]))
    if measured and not asked_metrics:
        metrics = _logged_models_store.metrics
        wanted.append(_models.c.number.in_(sa.select(metrics.c.model).where(*measured)))
    return _ordered(sa.select(_models).where(*wanted), order_by, measured)


def _on(datasets: list[DatasetChoice]) -> list[sa.ColumnElement[bool]]:
    """The condition that a measurement was made on one of the data sets; empty if none is named."""
    table = _logged_models_store.metrics
    choices = []
    for dataset in datasets:
        if not dataset.name:
            raise InvalidInput("`dataset_name` in the `datasets` clause must be specified.")
        named = table.c.dataset == dataset.name
        choices.append(sa.and_(named, table.c.digest == dataset.digest) if dataset.digest else named)
    return [sa.or_(*choices)] if choices else []


def _ordered(
    query: sa.Select[Any], order_by: list[ModelOrder], measured: list[sa.ColumnElement[bool]]
) -> sa.Select[Any]:
    limits.check_count(len(order_by), "fields to order by", 20)
    source: sa.FromClause = _models
    orders: list[sa.ColumnElement[Any]] = []
    named: set[str] = set()
    for place, order in enumerate(order_by):
        group, dot, key = order.field.partition(".")
        if not dot:
            name = _TIME_ALIASES.get(order.field, order.field)
            named.add(name)
            if name not in _COLUMNS:
                raise InvalidInput(f"Invalid order by field name: {order.field[:200]}")
            orders.append(_COLUMNS[name].asc() if order.ascending else _COLUMNS[name].desc())
            continue
        if group != "metrics":
            raise InvalidInput(f"Invalid order by field name: {order.field[:200]}. Only metrics are supported.")
        table = _logged_models_store.metrics
        among = [*measured]
        among += [table.c.dataset == order.dataset] if order.dataset else []
        among += [table.c.digest == order.digest] if order.digest else []
        last = _logged_models_store.latest(key, among, f"order_{place}")
        source = source.outerjoin(last, last.c.model == _models.c.number)
        # Models that were not measured come last, whichever way the others go.
        orders += [last.c.value.is_(None), last.c.value.asc() if order.ascending else last.c.value.desc()]
    orders += [] if "creation_timestamp" in named else [_models.c.created.desc()]
    orders += [] if "model_id" in named else [_models.c.id.asc()]
    return query.select_from(source).order_by(*orders)


def _metric_row(point: ModelMetric) -> dict[str, Any]:
    row = limits.check_point(limits.check_key(point.key, "metric"), point.value, point.step, point.at)
    undefined = row.pop("undefined")
    return {
        **row,
        "key": point.key,
        "value": None if undefined else row["value"],
        "run": limits.check_text(point.run, "run", 128),
        "dataset": limits.check_text(point.dataset, "data set's name", 500),
        "digest": limits.check_text(point.digest, "data set's digest", 64),
    }


def _checked(pairs: dict[str, str] | None, what: str) -> dict[str, str]:
    limits.check_count(len(pairs or {}), f"{what}s", 1_000)
    return {
        limits.check_key(key, what): limits.check_text(value, f"{what} '{key}'", 100_000)
        for key, value in (pairs or {}).items()
    }


def _experiment_number(text: str) -> int:
    if not text.isdecimal() or not text.isascii() or len(text) > 18:
        raise InvalidInput(f"Invalid experiment ID '{text[:100]}'. Experiment ID must be a valid integer.")
    return int(text)


def _check_experiment(connection: sa.Connection, number: int) -> None:
    table = _store.experiments
    row = connection.execute(sa.select(table).where(table.c.number == number)).first()
    if row is None:
        raise NotFound(f"No Experiment with id={number} exists", experiment=str(number))
    if getattr(row, "deleted", None) is not None:
        raise Conflict(f"The experiment {number} must be in the 'active' state. Current state is deleted.")


def _model_of(row: sa.Row[Any], found: dict[str, Any]) -> LoggedModel:
    metrics = tuple(
        ModelMetric(key=m.key, value=m.value, step=m.step, at=m.at, run=m.run, dataset=m.dataset, digest=m.digest)
        for m in found["metrics"]
    )
    return LoggedModel(
        id=row.id,
        experiment=str(row.experiment),
        name=row.name,
        kind=row.kind,
        run=row.run,
        status=row.status,
        created=row.created,
        updated=row.updated,
        deleted=row.deleted,
        params=found["params"],
        tags=found["tags"],
        metrics=metrics,
    )


def _missing(model: str) -> NotFound:
    return NotFound(f"Logged model with ID '{model[:64]}' not found.", model=model[:64])
