"""What stands before the application: answers predictions on plain numbers by itself, hands everything else on.

It is written against ASGI itself, as each layer between a socket and a model costs as much as the model does.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, MutableMapping
from time import perf_counter
from typing import Any, NamedTuple

from flyball.clock import Clock
from flyball.errors import FlyballError, InvalidInput
from flyball.refs import new_id
from flyball.serialization import error_to_plain, to_json
from flyball.serving.decoding import moment, prediction_ids
from flyball.serving.endpoint import Endpoint, Job, Outcome
from flyball.serving.follower import Follower
from flyball.serving.friendly import friendly_response
from flyball.serving.lane import Lane
from flyball.serving.manifest import Arm
from flyball.serving.matrix import MatrixReader, MatrixRequest
from flyball.serving.open_inference import infer_response
from flyball.serving.runtime import Runtime
from flyball.telemetry import NO_TRACE, Telemetry

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]

# A larger body takes so long to read that others would wait for it.
_LARGEST_ON_LOOP = 128 << 10
_LONGEST_BODY = 30
_MOST_PATHS = 1024
_IDS_OF_ONE_BASE = 4096
_TELLING = frozenset((b"traceparent", b"content-encoding", b"inference-header-content-length"))
_JSON = (b"content-type", b"application/json")
_STATUS = {"invalid_input": 422, "overloaded": 429, "timed_out": 504, "not_found": 404}


class _Target(NamedTuple):
    """What a path asks for."""

    name: str
    version: str
    is_friendly: bool


class Front:
    """The application of a model server.

    Args:
        inner: Answers what is not answered here.
        max_waiting: Most requests that wait for one model.
        timeout: Seconds until a request that a model works on is given up.
    """

    def __init__(
        self,
        inner: Application,
        follower: Follower,
        *,
        clock: Clock,
        telemetry: Telemetry,
        max_waiting: int,
        timeout: float,
    ) -> None:
        self._inner = inner
        self._follower = follower
        self._clock = clock
        self._telemetry = telemetry
        self._max_waiting = max_waiting
        self._timeout = timeout
        self._targets: dict[str, _Target | None] = {}
        self._lanes: dict[str, tuple[Endpoint, Lane]] = {}
        self._base, self._given = "", _IDS_OF_ONE_BASE

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "POST" or self._telemetry.is_on:
            await self._inner(scope, receive, send)
            return
        target = self._target(scope["path"])
        endpoint = None if target is None else self._follower.endpoints.get(target.name)
        runtime = None if endpoint is None else endpoint.runtime
        reader = None if runtime is None else runtime.matrix
        if target is None or endpoint is None or runtime is None or reader is None:
            await self._inner(scope, receive, send)
            return
        start = perf_counter()
        messages = [await receive()]
        if messages[0].get("more_body"):
            await _gather(messages, receive)
        asked, traced = None, ""
        if messages[-1]["type"] == "http.request" and not messages[-1].get("more_body"):
            whole = b"".join([each.get("body", b"") for each in messages])
            if len(whole) <= _LARGEST_ON_LOOP:
                asked, traced = _read(scope, whole, reader, target)
        if asked is None:
            await self._inner(scope, _again(messages, receive), send)
            return
        status, answer, headers = await self._answer(endpoint, runtime, target, asked, traced)
        endpoint.counters.count(perf_counter() - start, len(asked.rows), failed=status != 200)
        headers.append((b"content-length", str(len(answer)).encode()))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": answer})

    def close(self) -> None:
        """Lets the threads of models end."""
        for _, lane in self._lanes.values():
            lane.close()

    async def _answer(
        self, endpoint: Endpoint, runtime: Runtime, target: _Target, asked: MatrixRequest, traced: str
    ) -> tuple[int, bytes, list[tuple[bytes, bytes]]]:
        try:
            only = _arm(runtime, target.version) if target.version else None
            ids = self._ids(len(asked.rows)) if asked.ids is None else prediction_ids(asked.ids, len(asked.rows))
            job = Job(
                runtime=runtime, rows=asked.rows, ids=ids, at=moment(asked.time, self._clock), only=only,
                request_id=asked.id, trace=self._telemetry.trace(traced) if traced else NO_TRACE,
            )  # fmt: skip
            outcome = await self._lane(endpoint).ask(job)
            if outcome.error is not None:
                return _refusal(outcome.error, target)
            return _response(runtime, target, asked, outcome, ids)
        except FlyballError as error:
            return _refusal(error, target)

    def _target(self, path: str) -> _Target | None:
        try:
            return self._targets[path]
        except KeyError:
            if len(self._targets) >= _MOST_PATHS:
                self._targets.clear()
            found = self._targets[path] = _parse(path)
            return found

    def _lane(self, endpoint: Endpoint) -> Lane:
        known = self._lanes.get(endpoint.name)
        if known is None or known[0] is not endpoint:
            if known is not None:
                known[1].close()
            lane = Lane(endpoint, most_waiting=self._max_waiting, timeout=self._timeout)
            self._lanes[endpoint.name] = known = (endpoint, lane)
        return known[1]

    def _ids(self, count: int) -> list[str]:
        # A random id for each request takes as long as its decoding; numbers after a common one are as unique.
        if self._given >= _IDS_OF_ONE_BASE:
            self._base, self._given = new_id(), 0
        first = self._given
        self._given += count
        if count == 1:
            return [f"{self._base}-{first}"]
        return [f"{self._base}-{place}" for place in range(first, first + count)]


def binary_headers(json_length: int | None) -> dict[str, str]:
    """The headers of an answer with tensors in binary after so many bytes of JSON; none where there are none."""
    if json_length is None:
        return {}
    return {"content-type": "application/octet-stream", "inference-header-content-length": str(json_length)}


def _parse(path: str) -> _Target | None:
    parts = path.split("/")
    if len(parts) == 3 and parts[1] == "predict":
        return _Target(parts[2], "", is_friendly=True)
    if parts[1:3] != ["v2", "models"] or parts[-1] != "infer":
        return None
    if len(parts) == 5:
        return _Target(parts[3], "", is_friendly=False)
    return _Target(parts[3], parts[5], is_friendly=False) if len(parts) == 7 and parts[4] == "versions" else None


def _read(scope: Message, body: bytes, reader: MatrixReader, target: _Target) -> tuple[MatrixRequest | None, str]:
    """What a body asks for, None where the application must read it; and the trace that it belongs to."""
    traced, binary = "", None
    for name, value in scope["headers"]:
        if name not in _TELLING:
            continue
        if name == b"traceparent":
            traced = value.decode("latin-1")
        elif name == b"content-encoding":
            return None, ""
        elif name == b"inference-header-content-length":
            if not value.isdigit() or len(value) > 9 or int(value) > len(body) or target.is_friendly:
                return None, ""
            binary = memoryview(body)[int(value) :]
            body = body[: int(value)]
    return (reader.rows(body) if target.is_friendly else reader.tensors(body, binary)), traced


async def _gather(messages: list[Message], receive: Receive) -> None:
    """What follows of a body that came in pieces, as long as it is small and comes soon."""
    size = len(messages[0].get("body", b""))
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_LONGEST_BODY):
            while messages[-1].get("more_body") and size <= _LARGEST_ON_LOOP:
                messages.append(await receive())
                size += len(messages[-1].get("body", b""))


def _again(messages: list[Message], receive: Receive) -> Receive:
    """A way to receive that begins with messages that came already."""
    waiting = messages[::-1]

    async def next_message() -> Message:
        return waiting.pop() if waiting else await receive()

    return next_message


def _arm(runtime: Runtime, version: str) -> Arm:
    return runtime.version(int(version) if version.isdecimal() and len(version) < 19 else -1)


def _response(
    runtime: Runtime, target: _Target, asked: MatrixRequest, outcome: Outcome, ids: list[str]
) -> tuple[int, bytes, list[tuple[bytes, bytes]]]:
    if target.is_friendly:
        return 200, friendly_response(runtime, outcome, ids), [_JSON]
    body, json_length = infer_response(
        runtime, outcome, ids, request_id=asked.id, parameters=asked.parameters, outputs=asked.outputs
    )
    if json_length is None:
        return 200, body, [_JSON]
    return 200, body, [(name.encode(), value.encode()) for name, value in binary_headers(json_length).items()]


def _refusal(error: BaseException, target: _Target) -> tuple[int, bytes, list[tuple[bytes, bytes]]]:
    if not isinstance(error, FlyballError):
        error = FlyballError(f"The model failed: {type(error).__name__}: {error}")
    status = _STATUS.get(error.code, 500)
    if not target.is_friendly and isinstance(error, InvalidInput):
        status = 400
    headers = [_JSON, (b"retry-after", b"1")] if status == 429 else [_JSON]
    return status, to_json(error_to_plain(error) if target.is_friendly else {"error": str(error)}), headers
