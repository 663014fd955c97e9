"""Params, metrics and tags as MLflow's clients log them, and the histories of metrics.

What is logged goes through the one writer that many requests share, on the event loop, without a thread of its own.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, TypeVar

import msgspec
from starlette.concurrency import run_in_threadpool

from flyball.errors import Conflict, FlyballError, NotFound
from flyball.server.protocols.mlflow import _checks, _histories
from flyball.server.protocols.mlflow._run_json import points_json
from flyball.server.protocols.mlflow.conversions import (
    LATEST_TIME,
    NOTE,
    RUN_NAME,
    check_active,
    kept_number,
    moment,
    run_by_id,
)
from flyball.server.protocols.mlflow.experiments import Tag
from flyball.server.protocols.mlflow.wire import MlflowError, endpoint
from flyball.tracking.ingest import Batch
from flyball.tracking.limits import ParamValue
from flyball.tracking.logged_models import ModelMetric
from flyball.workspace import Workspace

T = TypeVar("T")
Points = list[tuple[str, float | None, int, int]]
Int64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]

MOST_BULK_RUNS = 100
MOST_HISTORY = 25_000
MOST_SAMPLED = 2_500
_NATIVE_TAGS = frozenset({RUN_NAME, NOTE})


class LogMetric(msgspec.Struct):
    """One point of a metric."""

    key: str
    value: float
    timestamp: Int64
    step: Int64 = 0
    run_id: str = ""
    run_uuid: str = ""
    model_id: str = ""
    dataset_name: str = ""
    dataset_digest: str = ""


class Point(msgspec.Struct, gc=False):
    """One point of a metric in a batch."""

    key: str = ""
    value: float | None = None
    timestamp: Int64 | None = None
    step: Int64 = 0
    model_id: str = ""
    dataset_name: str = ""
    dataset_digest: str = ""


class LogParam(msgspec.Struct):
    """One param."""

    key: str
    value: str = ""
    run_id: str = ""
    run_uuid: str = ""


class SetTag(msgspec.Struct):
    """One tag."""

    key: str
    value: str = ""
    run_id: str = ""
    run_uuid: str = ""


class LogBatch(msgspec.Struct):
    """Points, params and tags of one run."""

    run_id: str
    metrics: list[Point] = []
    params: list[Tag] = []
    tags: list[Tag] = []


_METRIC = msgspec.json.Decoder(LogMetric, strict=False)
_BATCH = msgspec.json.Decoder(LogBatch, strict=False)


class GetHistory(msgspec.Struct):
    """Which metric's points are asked for."""

    metric_key: str
    run_id: str = ""
    run_uuid: str = ""
    max_results: int | None = None
    page_token: str = ""


class GetBulk(msgspec.Struct):
    """One metric of many runs."""

    run_id: list[str] = []
    metric_key: str | None = None
    max_results: int = MOST_HISTORY


class GetInterval(msgspec.Struct):
    """One metric of many runs, thinned out."""

    run_ids: list[str]
    metric_key: str
    start_step: int | None = None
    end_step: int | None = None
    max_results: int = MOST_SAMPLED


@endpoint("POST", "mlflow/runs/log-metric")
async def log_metric(workspace: Workspace, given: LogMetric) -> None:
    """Logs one point."""
    run = given.run_id or given.run_uuid or _no_run_given()
    key, at = given.key, given.timestamp
    _checks.check_key(key, "name", "Metric name")
    if not 0 <= at <= LATEST_TIME:
        raise _bad_time(given, "timestamp")
    if given.model_id:
        await run_in_threadpool(_log_model_metrics, workspace, run, [given])
    await _write(workspace, Batch(run=run, points=[(key, kept_number(given.value), given.step, at * 1000)]))


@endpoint("POST", "mlflow/runs/log-parameter")
async def log_param(workspace: Workspace, given: LogParam) -> None:
    """Logs one param."""
    run = given.run_id or given.run_uuid or _no_run_given()
    _checks.check_key(given.key, "key", "Param key")
    params: dict[str, ParamValue] = {given.key: _checks.truncated(given.value, _checks.PARAM_LENGTH)}
    await _write(workspace, Batch(run=run, params=params), alone=True)


@endpoint("POST", "mlflow/runs/set-tag")
async def set_tag(workspace: Workspace, given: SetTag) -> None:
    """Writes one tag."""
    run = given.run_id or given.run_uuid or _no_run_given()
    _checks.check_key(given.key, "key", "key")
    tags = {given.key: _checks.truncated(given.value, _checks.TAG_LENGTH)}
    await _write(workspace, Batch(run=run, tags=tags))
    await _follow_tags(workspace, run, tags)


@endpoint("POST", "mlflow/runs/log-batch")
async def log_batch(workspace: Workspace, given: LogBatch) -> None:
    """Logs points, params and tags, all or none."""
    batch = _checked_batch(given)
    models = [point for point in given.metrics if point.model_id]
    if models:
        await run_in_threadpool(_log_model_metrics, workspace, batch.run, models)
    await _write(workspace, batch)
    await _follow_tags(workspace, batch.run, batch.tags)


def read_metric(body: bytes) -> Batch | None:
    """The point that `log_metric` is given, if nothing is odd about it."""
    given = _read(_METRIC, body)
    if given is None or given.model_id or not given.run_id or not _checks.is_plain(given.key):
        return None
    at, value = given.timestamp, given.value
    if not 0 <= at <= LATEST_TIME or not math.isfinite(value):
        return None
    return Batch(run=given.run_id, points=[(given.key, value, given.step, at * 1000)])


def read_batch(body: bytes) -> Batch | None:
    """What `log_batch` is given, if nothing is odd about it and it is written to the run alone."""
    given = _read(_BATCH, body)
    if given is None or not given.run_id or any(point.model_id for point in given.metrics):
        return None
    try:
        batch = _checked_batch(given)
    except MlflowError:
        return None
    return batch if _NATIVE_TAGS.isdisjoint(batch.tags) else None


@endpoint("GET", "mlflow/metrics/get-history")
def get_history(workspace: Workspace, given: GetHistory) -> bytes:
    """The points of one metric by time, page by page where a size is given."""
    run = given.run_id or given.run_uuid or _no_run_given()
    size = given.max_results
    if size is not None and size <= 0:
        raise MlflowError(f"Invalid value {size} for parameter 'max_results' supplied. It must be a positive integer.")
    if size is None and given.page_token:
        size = MOST_HISTORY
    points, token = _histories.page(workspace, run, given.metric_key, size, given.page_token)
    found = [f'"metrics":[{points_json(given.metric_key, points)}]'] if points else []
    if token:
        found.append(f'"next_page_token":"{token}"')
    return f"{{{','.join(found)}}}".encode()


@endpoint("GET", "/ajax-api/2.0/mlflow/metrics/get-history-bulk")
def get_history_bulk(workspace: Workspace, given: GetBulk) -> bytes:
    """The points of one metric of many runs, by run and time."""
    _check_runs(given.run_id, "GetMetricHistoryBulk")
    if given.metric_key is None:
        raise MlflowError("GetMetricHistoryBulk request must specify a metric_key.")
    left = min(given.max_results, MOST_HISTORY)
    found: list[str] = []
    for run in sorted(set(given.run_id)):
        points = _histories.first_by_time(workspace, run, given.metric_key, left) if left else []
        left -= len(points)
        found += [points_json(given.metric_key, points, run)] if points else []
    return f'{{"metrics":[{",".join(found)}]}}'.encode()


@endpoint("GET", "mlflow/metrics/get-history-bulk-interval")
def get_history_interval(workspace: Workspace, given: GetInterval) -> bytes | None:
    """One metric of many runs, at most so many points each, evenly taken by step."""
    _check_interval(given)
    key, most, start, end = given.metric_key, given.max_results, given.start_step, given.end_step
    sampled = {run: _histories.sampled(workspace, run, key, most, start, end) for run in given.run_ids}
    found = [points_json(key, sampled[run], run) for run in given.run_ids if sampled[run]]
    return f'{{"metrics":[{",".join(found)}]}}'.encode() if found else None


async def _write(workspace: Workspace, batch: Batch, *, alone: bool = False) -> None:
    """Writes the batch; says in MLflow's words why it could not be.

    Args:
        alone: Whether it holds one param, for which MLflow has other words.
    """
    try:
        await workspace.ingest.write(batch)
    except FlyballError as error:
        left = await run_in_threadpool(_explain, workspace, batch, error, alone=alone)
        await workspace.ingest.write(left)


def _explain(workspace: Workspace, batch: Batch, error: FlyballError, *, alone: bool) -> Batch:
    """What can still be written: all, where the texts of params are those of the values that are kept.

    Raises:
        MlflowError: nothing; it says why.
    """
    if not isinstance(error, NotFound | Conflict):
        raise error
    run = check_active(run_by_id(workspace, batch.run))
    known = {key: str(run.params[key]) for key in batch.params if key in run.params}
    changed = {key: old for key, old in known.items() if old != batch.params[key]}
    for key, old in changed.items():
        if alone:
            raise MlflowError(
                f"Changing param values is not allowed. Param with key='{key}' was already logged with value='{old}'"
                f" for run ID='{run.id}'. Attempted logging new value '{batch.params[key]}'."
            )
    if changed:
        said = [{"key": key, "old_value": old, "new_value": batch.params[key]} for key, old in changed.items()]
        raise MlflowError(
            f"Changing param values is not allowed. Params were already logged='{said}' for run ID='{run.id}'."
        )
    if not known:
        raise error
    params = {key: value for key, value in batch.params.items() if key not in known}
    return Batch(run=batch.run, points=batch.points, params=params, tags=batch.tags)


async def _follow_tags(workspace: Workspace, run: str, tags: dict[str, str]) -> None:
    """Keeps the fields right that MLflow tells by tags."""
    if _NATIVE_TAGS.isdisjoint(tags):
        return
    await run_in_threadpool(
        workspace.tracking.update_run,
        run,
        name=tags.get(RUN_NAME) or None,
        notes=tags.get(NOTE),
    )


def _log_model_metrics(workspace: Workspace, run: str, points: list[Any]) -> None:
    """Writes what was measured of models. It comes before the run's own points: where a model is not there, nothing is kept."""
    check_active(run_by_id(workspace, run))
    found: dict[str, list[ModelMetric]] = {}
    for point in points:
        metric = ModelMetric(
            key=point.key,
            value=kept_number(point.value),
            step=point.step,
            at=moment(point.timestamp),
            run=run,
            dataset=point.dataset_name,
            digest=point.dataset_digest,
        )
        found.setdefault(point.model_id, []).append(metric)
    workspace.logged_models.log_metrics(found)


def _read(decoder: msgspec.json.Decoder[T], body: bytes) -> T | None:
    try:
        return decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _checked_batch(given: LogBatch) -> Batch:
    points = _plain_points(given.metrics)
    _check_present(given, [] if points is not None else given.metrics)
    run = _checks.check_run(given.run_id)
    points = _checked_points(given.metrics) if points is None else points
    params, tags = _checked_params(given.params), _checked_tags(given.tags)
    _check_size(given)
    if len(params) < len(given.params):
        _refuse_doubles(given.params)
    return Batch(run=run, points=points, params=params, tags=tags)


def _plain_points(given: list[Point]) -> Points | None:
    """The points, if nothing is odd about any; many are looked at in a third of the time that it takes to name what is odd."""
    points: Points = [
        (point.key, point.value, point.step, point.timestamp * 1000)
        for point in given
        if point.timestamp is not None
        and 0 <= point.timestamp <= LATEST_TIME
        and point.value is not None
        and math.isfinite(point.value)
    ]
    is_plain = len(points) == len(given) and all(map(_checks.is_plain, {point[0] for point in points}))
    return points if is_plain else None


def _checked_points(given: list[Point]) -> Points:
    points: Points = []
    for place, point in enumerate(given):
        key, at, value = point.key, point.timestamp, point.value
        _checks.check_key(key, f"metrics[{place}].name", "Metric name")
        assert at is not None
        assert value is not None
        if not 0 <= at <= LATEST_TIME:
            raise _bad_time(point, f"metrics[{place}].timestamp")
        points.append((key, value if math.isfinite(value) else kept_number(value), point.step, at * 1000))
    return points


def _checked_params(given: list[Tag]) -> dict[str, ParamValue]:
    return {
        _checks.check_key(param.key, f"params[{place}].key", "Param key"): _checks.truncated(
            param.value, _checks.PARAM_LENGTH
        )
        for place, param in enumerate(given)
    }


def _checked_tags(given: list[Tag]) -> dict[str, str]:
    found = {}
    for place, tag in enumerate(given):
        path = f"tags[{place}].key"
        found[_checks.check_key(tag.key, path, path)] = _checks.truncated(tag.value, _checks.TAG_LENGTH)
    return found


def _check_present(given: LogBatch, points: list[Point]) -> None:
    for place, point in enumerate(points):
        if not point.key or point.value is None or point.timestamp is None:
            name = "key" if not point.key else "value" if point.value is None else "timestamp"
            raise _checks.missing(f"metrics[{place}].{name}")
    for what, pairs in (("params", given.params), ("tags", given.tags)):
        for place, pair in enumerate(pairs):
            if not pair.key:
                raise _checks.missing(f"{what}[{place}].key")


def _check_size(given: LogBatch) -> None:
    metrics, params, tags = len(given.metrics), len(given.params), len(given.tags)
    _checks.check_most("metrics", _checks.MOST_METRICS, metrics)
    _checks.check_most("params", _checks.MOST_PARAMS, params)
    _checks.check_most("tags", _checks.MOST_PARAMS, tags)
    _checks.check_most("metrics, params, and tags", _checks.MOST_ENTITIES, metrics + params + tags)


def _refuse_doubles(params: list[Tag]) -> None:
    seen: set[str] = set()
    doubles: list[str] = []
    for param in params:
        if param.key in seen:
            doubles.append(param.key)
        seen.add(param.key)
    raise MlflowError(
        f"Duplicate parameter keys have been submitted: {doubles}. Please ensure the request contains only one param"
        " value per param key."
    )


def _check_runs(runs: list[str], what: str) -> None:
    if not runs:
        raise MlflowError(f"{what} request must specify at least one run_id.")
    if len(runs) > MOST_BULK_RUNS:
        raise MlflowError(
            f"{what} request cannot specify more than {MOST_BULK_RUNS} run_ids. Received {len(runs)} run_ids."
        )


def _check_interval(given: GetInterval) -> None:
    if len(given.run_ids) > MOST_BULK_RUNS:
        raise MlflowError(
            f"GetMetricHistoryBulkInterval request must specify at most {MOST_BULK_RUNS} run_ids."
            f" Received {len(given.run_ids)} run_ids.{_checks.SEE}"
        )
    if not 1 <= given.max_results <= MOST_SAMPLED:
        raise MlflowError(f"max_results must be between 1 and {MOST_SAMPLED}.{_checks.SEE}")
    start, end = given.start_step, given.end_step
    if (start is None) != (end is None):
        raise MlflowError("If either start step or end step are specified, both must be specified.")
    if start is not None and end is not None and start > end:
        raise MlflowError(f"end_step must be greater than start_step. Found start_step={start} and end_step={end}.")


def _bad_time(point: Any, path: str) -> MlflowError:
    said = f"metric '{point.key}' (value={point.value}). Timestamp must be a nonnegative long (64-bit integer) "
    return _checks.invalid(path, point.timestamp, said)


def _no_run_given() -> str:
    raise _checks.missing("run_id")
