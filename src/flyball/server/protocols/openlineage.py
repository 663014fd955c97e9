"""OpenLineage's receiving end, at the address that Marquez answers: `POST /api/v1/lineage`.

Takes run, job and data set events, as the clients of version 1 and 2 of the specification send them, and hands what they say to
the `external` service. Facets that nobody here asks for are left aside; a facet that cannot be read is too, since a tool of
another version must not lose its whole event over one. What makes it no event is refused with 400, too much with 413.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any, get_args
from urllib.parse import unquote

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from flyball.clock import parse_time
from flyball.data.catalog_entry import ColumnSource, EntryColumn, EntryText
from flyball.data.external import JobState, SeenDataset, SeenEvent, external_ref
from flyball.errors import FlyballError, InvalidInput
from flyball.refs import Ref
from flyball.serialization import from_json
from flyball.server.routes import json_response
from flyball.workspace import Workspace

_MAX_BODY = 8 << 20
_TOO_LARGE = f"The event is larger than {_MAX_BODY >> 20} MiB"
_MAX_BATCH = 1_000
_MOST_COLUMNS = 10_000
_LONGEST_NAME = 2_000
_LONGEST_TEXT = 20_000
OUR_NAMESPACE = "flyball"
"""Namespaces that begin so hold data of ours: `flyball://<project>`."""

Facets = dict[str, Any]


def openlineage_routes(workspace: Workspace) -> list[Route]:
    """The routes that OpenLineage's clients send events to."""

    async def lineage(request: Request) -> Response:
        event = await _body(request)
        recorded = await run_in_threadpool(lambda: workspace.external.record(read_event(event)))
        return json_response(recorded, 201)

    async def batch(request: Request) -> Response:
        events = await _body(request)
        if not isinstance(events, list) or len(events) > _MAX_BATCH:
            raise InvalidInput("A batch is a list of events.", hint=f"Send up to {_MAX_BATCH:,}.")
        told = await run_in_threadpool(lambda: [_told(workspace, event) for event in events])
        failed = [each for each in told if each]
        status = "success" if not failed else "partial_success" if len(failed) < len(told) else "failure"
        numbered = [
            {"index": place, "reason": reason, "retriable": False} for place, reason in enumerate(told) if reason
        ]
        summary = {"received": len(told), "successful": len(told) - len(failed), "failed": len(failed)}
        return json_response({"status": status, "summary": summary, "failed_events": numbered})

    return [
        Route("/api/v1/lineage", lineage, methods=["POST"]),
        Route("/api/v1/lineage/batch", batch, methods=["POST"]),
    ]


def read_event(event: object) -> SeenEvent:
    """What an event says, in our words.

    Raises:
        InvalidInput: it is no event of OpenLineage; the message names the field.
    """
    if not isinstance(event, dict):
        raise InvalidInput("An event is a JSON object.")
    at = _time(event)
    producer = _text(event, "producer", "event")
    job = event.get("job")
    if job is None and not isinstance(event.get("dataset"), dict):
        raise InvalidInput("The event has neither 'job' nor 'dataset'.", hint="See https://openlineage.io/spec.")
    found = None if job is None else _job(job)
    run, error, parent = "", "", ""
    if event.get("run") is not None:
        if found is None:
            raise InvalidInput("The event has a 'run' and no 'job'.")
        run, error, parent = _run(event["run"])
    datasets = [SeenDataset(entry=_dataset(event["dataset"], at))] if job is None else []
    for side in ("inputs", "outputs"):
        datasets += [SeenDataset(entry=_dataset(each, at), writes=side == "outputs") for each in _list(event, side)]
    return SeenEvent(
        at=at, producer=producer[:500], job=found, run=run, state=_state(event), error=error, parent=parent,
        datasets=tuple(datasets),
    )  # fmt: skip


async def _body(request: Request) -> Any:
    pieces, size = [], 0
    async for piece in request.stream():
        size += len(piece)
        if size > _MAX_BODY:
            raise HTTPException(413, _TOO_LARGE)
        pieces.append(piece)
    body = b"".join(pieces)
    if request.headers.get("content-encoding", "").lower() == "gzip":
        body = _unpacked(body)
    return from_json(body, object)


def _unpacked(body: bytes) -> bytes:
    import zlib

    reader = zlib.decompressobj(wbits=31)
    try:
        plain = reader.decompress(body, _MAX_BODY)
    except zlib.error as error:
        raise InvalidInput("The body says that it is gzip, and is not.") from error
    if reader.unconsumed_tail or not reader.eof:
        raise HTTPException(413, _TOO_LARGE) if reader.unconsumed_tail else InvalidInput("The gzip body is cut off.")
    return plain


def _told(workspace: Workspace, event: object) -> str:
    try:
        workspace.external.record(read_event(event))
    except FlyballError as error:
        return str(error)
    return ""


def _job(job: object) -> EntryText:
    namespace, name, facets = _named(job, "job")
    kind = _object(facets, "jobType")
    words = [_string(kind, "integration"), _string(kind, "jobType"), _string(_object(facets, "sql"), "query")]
    words.append(_string(_object(facets, "sourceCodeLocation"), "url"))
    return EntryText(
        ref=external_ref("jobs", namespace, name),
        kind="jobs",
        title=name,
        description=_string(_object(facets, "documentation"), "description"),
        owner=_owner(facets),
        tags=_tags(facets),
        text=" ".join([namespace, *words])[:_LONGEST_TEXT],
    )


def _run(run: object) -> tuple[str, str, str]:
    """Id of the run, the error it tells of, and the reference of the job that it is part of."""
    if not isinstance(run, dict):
        raise InvalidInput("'run' is no object.")
    id_ = _text(run, "runId", "run")
    if not re.fullmatch(r"[0-9A-Fa-f]{8}(-?[0-9A-Fa-f]{4}){3}-?[0-9A-Fa-f]{12}", id_):
        raise InvalidInput(f"The run's 'runId' is {id_[:60]!r}.", hint="It must be a UUID.")
    facets = _facets(run)
    error = _string(_object(facets, "errorMessage"), "message")
    job = _object(_object(facets, "parent"), "job")
    names = (_string(job, "namespace"), _string(job, "name"))
    return id_.lower(), error[:_LONGEST_TEXT], external_ref("jobs", *names) if all(names) else ""


def _dataset(dataset: object, at: datetime) -> EntryText:
    namespace, name, facets = _named(dataset, "data set")
    ref = _dataset_ref(namespace, name)
    sources = tuple(_column_sources(_object(facets, "columnLineage")))
    where = _string(_object(facets, "dataSource"), "uri") or namespace
    return EntryText(
        ref=ref,
        kind=Ref.parse(ref).kind,
        title=name,
        description=_string(_object(facets, "documentation"), "description"),
        owner=_owner(facets),
        columns=tuple(_columns(_object(facets, "schema"))),
        tags=_tags(facets),
        text=where[:_LONGEST_TEXT],
        changed=at,
        column_sources=sources[: 5 * _MOST_COLUMNS],
    )


def _dataset_ref(namespace: str, name: str) -> str:
    """The reference of a data set: one of ours, if it lies in a namespace of ours."""
    if namespace.split("://")[0] == OUR_NAMESPACE:
        kind, slash, rest = name.partition("/")
        try:
            return str(Ref.parse(f"{kind}:/{unquote(rest)}" if slash else f"datasets:/{name}"))
        except InvalidInput:
            pass
    return external_ref("external", namespace, name)


def _columns(schema: Facets, before: str = "") -> Iterator[EntryColumn]:
    for field in _items(schema.get("fields"))[:_MOST_COLUMNS]:
        name = _string(field, "name")
        if name:
            full = f"{before}{name}"[:300]
            yield EntryColumn(name=full, type=_string(field, "type")[:100], description=_string(field, "description"))
            if before.count(".") < 4:
                yield from _columns(field, f"{full}.")


def _column_sources(facet: Facets) -> Iterator[ColumnSource]:
    fields = facet.get("fields")
    for column, made in fields.items() if isinstance(fields, dict) else ():
        for source in _items(made.get("inputFields") if isinstance(made, dict) else None):
            yield from _source(str(column), source)
    for source in _items(facet.get("dataset")):
        yield from _source("*", source)


def _source(column: str, source: Facets) -> Iterator[ColumnSource]:
    namespace, name, field = (_string(source, key) for key in ("namespace", "name", "field"))
    if not (namespace and name and field) or max(len(column), len(field)) > 300:
        return
    steps = _items(source.get("transformations"))
    step = steps[0] if steps else {}
    direct = _string(step, "type").upper() != "INDIRECT" and column != "*"
    how = re.sub(r"\W", "_", _string(step, "subtype").lower())[:40] or ("identity" if direct else "filter")
    yield ColumnSource(
        column=column, source=_dataset_ref(namespace, name), source_column=field, direct=direct, how=how
    )  # fmt: skip


def _named(thing: object, what: str) -> tuple[str, str, Facets]:
    if not isinstance(thing, dict):
        raise InvalidInput(f"The {what} is no object.")
    return _text(thing, "namespace", what), _text(thing, "name", what), _facets(thing)


def _text(thing: dict[str, Any], key: str, what: str) -> str:
    value = thing.get(key)
    if not isinstance(value, str) or not value.strip() or len(value) > _LONGEST_NAME or "\0" in value:
        raise InvalidInput(f"The {what} has no usable '{key}'.", hint=f"Give a text of up to {_LONGEST_NAME:,}.")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise InvalidInput(f"The '{key}' of the {what} holds half a character.") from None
    return value


def _time(event: dict[str, Any]) -> datetime:
    value = event.get("eventTime")
    if not isinstance(value, str):
        raise InvalidInput("The event has no 'eventTime'.", hint="Write it as 2026-01-31T12:00:00Z.")
    # Some clients write nanoseconds; Python knows microseconds.
    return parse_time(re.sub(r"(\.\d{6})\d+", r"\1", value))


def _state(event: dict[str, Any]) -> JobState:
    state = str(event.get("eventType") or "other").lower()
    known: tuple[JobState, ...] = get_args(JobState)
    for each in known:
        if each == state:
            return each
    raise InvalidInput(f"'eventType' is {state[:40]!r}.", hint="START, RUNNING, COMPLETE, ABORT, FAIL or OTHER.")


def _list(event: dict[str, Any], key: str) -> list[Any]:
    found = event.get(key)
    if found is None:
        return []
    if not isinstance(found, list):
        raise InvalidInput(f"'{key}' is no list.")
    return found


def _facets(thing: dict[str, Any]) -> Facets:
    return _object(thing, "facets")


def _object(facets: Facets, name: str) -> Facets:
    found = facets.get(name)
    return found if isinstance(found, dict) and not found.get("_deleted") else {}


def _items(value: object) -> list[Facets]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _string(facet: Facets, name: str) -> str:
    found = facet.get(name)
    return found.replace("\0", "")[:_LONGEST_TEXT] if isinstance(found, str) else ""


def _owner(facets: Facets) -> str:
    return ", ".join(_string(owner, "name") for owner in _items(_object(facets, "ownership").get("owners")))[:200]


def _tags(facets: Facets) -> dict[str, str]:
    tags = _items(_object(facets, "tags").get("tags"))
    return {_string(tag, "key")[:100]: _string(tag, "value")[:1000] for tag in tags[:200] if _string(tag, "key")}
