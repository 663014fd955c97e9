"""The HTTP face of a model server: `/predict`, the Open Inference Protocol v2, health and metrics.

Only reading the body and sending the answer happen on the event loop; decoding and predicting happen in a worker
thread, whose queue is bounded: who comes when it is full is told to come again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from time import perf_counter
from typing import Any, TypeVar

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from flyball.clock import Clock, SystemClock
from flyball.errors import FlyballError, InvalidInput, NotFound, Overloaded, TimedOut
from flyball.serialization import error_to_plain, from_json, to_json
from flyball.serving import explaining, open_inference
from flyball.serving.completions import Completions
from flyball.serving.decoding import InferRequest, PredictRequest, moment, prediction_ids, table_of_request
from flyball.serving.endpoint import Endpoint, Outcome
from flyball.serving.follower import Follower
from flyball.serving.friendly import describe, friendly_response
from flyball.serving.front import Front, binary_headers
from flyball.serving.inferring import infer, score_columns
from flyball.serving.inflating import inflated
from flyball.serving.invocations import invocation_error, invocation_response, read_invocation
from flyball.serving.manifest import Arm
from flyball.serving.metrics import prometheus
from flyball.serving.runtime import Runtime
from flyball.telemetry import NO_TRACE, Telemetry, Trace
from flyball.version import __version__

logger = logging.getLogger(__name__)

_LONGEST_BODY = 30
_STATUS = {"invalid_input": 422, "missing_extra": 501, "not_found": 404, "overloaded": 429, "timed_out": 504}
Answered = tuple[bytes, int, dict[str, str]]
"""A body, the number of its rows, and headers beside those of JSON."""
Work = Callable[[Endpoint, Runtime, bytes, Trace], Answered]
"""What is done with a body."""
R = TypeVar("R")
Form = Callable[["_Refused"], Response]
"""How a protocol says no."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryIndexRequest:
    """Body of the call for the index of models.

    Attributes:
        ready: Only what can be asked.
    """

    ready: bool = False


class _Refused(Exception):
    """An answer with this status instead of a prediction."""

    def __init__(self, status: int, error: FlyballError) -> None:
        super().__init__(str(error))
        self.status = status
        self.error = error


def create_app(
    follower: Follower,
    *,
    clock: Clock | None = None,
    threads: int = 1,
    max_body: int = 64 << 20,
    max_waiting: int = 256,
    timeout: float = 30.0,
    on_shutdown: Callable[[], None] | None = None,
    telemetry: Telemetry | None = None,
) -> Front:
    """The application of a model server.

    Args:
        follower: Holds the endpoints; who made it starts it.
        clock: Tells the time of predictions whose request does not.
        threads: Worker threads that predict. More than one helps models that let go of Python's lock.
        max_body: Largest body in bytes.
        max_waiting: Most requests that wait for a worker, and for each model that takes plain numbers.
        timeout: Seconds until a request that a model works on is given up.
        on_shutdown: Called in a thread when no request runs any more.
        telemetry: Sends traces, if it is on.
    """
    clock, telemetry = clock or SystemClock(), telemetry or Telemetry()
    face = _Face(follower, clock, threads, max_body, max_waiting, timeout, telemetry)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        if on_shutdown is not None:
            await asyncio.to_thread(on_shutdown)
        face.workers.shutdown(wait=False)
        face.explainers.shutdown(wait=False, cancel_futures=True)
        front.close()

    texts = Completions(follower, clock, face.body, face.in_worker)
    v2 = "/v2/models/{name}"
    routes = [
        Route("/predict/{name}", face.describe, methods=["GET"]),
        Route("/predict/{name}", face.predict, methods=["POST"]),
        Route("/explain/{name}", face.explain, methods=["POST"]),
        Route("/flush", face.flush, methods=["POST"]),
        Route("/health", face.health),
        Route("/metrics", face.metrics),
        Route("/invocations", face.invocations, methods=["POST"]),
        Route("/invocations/{name}", face.invocations, methods=["POST"]),
        Route("/ping", face.ping),
        Route("/version", face.version),
        Route("/v1/models", texts.models),
        Route("/v1/completions", texts.complete, methods=["POST"]),
        Route("/v1/chat/completions", texts.chat, methods=["POST"]),
        Route("/v2", face.v2_server),
        Route("/v2/repository/index", face.v2_index, methods=["POST"]),
        Route("/v2/health/live", face.v2_live),
        Route("/v2/health/ready", face.v2_ready),
    ]
    for path in (v2, v2 + "/versions/{version}"):
        routes += [
            Route(path, face.v2_model),
            Route(path + "/ready", face.v2_model_ready),
            Route(path + "/infer", face.v2_infer, methods=["POST"]),
        ]
    inner = Starlette(routes=routes, lifespan=lifespan, exception_handlers={HTTPException: _on_http_error})
    front = Front(inner, follower, clock=clock, telemetry=telemetry, max_waiting=max_waiting, timeout=timeout)
    return front


class _Face:
    """The handlers."""

    def __init__(
        self,
        follower: Follower,
        clock: Clock,
        threads: int,
        max_body: int,
        max_waiting: int,
        timeout: float,
        telemetry: Telemetry,
    ) -> None:
        self._timeout = timeout
        self._telemetry = telemetry
        self._follower = follower
        self._clock = clock
        self._max_body = max_body
        self._max_waiting = max_waiting
        self._waiting = 0
        self._explaining = 0
        self.workers = ThreadPoolExecutor(max_workers=threads, thread_name_prefix="predict")
        # An explanation takes as long as thousands of predictions, so it has a thread of its own to wait for.
        self.explainers = ThreadPoolExecutor(max_workers=1, thread_name_prefix="explain")

    async def predict(self, request: Request) -> Response:
        """Friendly predictions."""

        def work(endpoint: Endpoint, runtime: Runtime, body: bytes, trace: Trace) -> Answered:
            with trace.span("decode", bytes=len(body)):
                asked = _read(body, PredictRequest)
                table = table_of_request(asked, runtime)
            ids = prediction_ids(asked.ids, table.num_rows)
            at = moment(asked.time, self._clock)
            answer = endpoint.answer(runtime, table, ids, at=at, request_id=asked.request_id, trace=trace)
            return friendly_response(runtime, Outcome.of(answer), ids), len(ids), {}

        return await self._run(request, work, form=_friendly_refusal)

    async def explain(self, request: Request) -> Response:
        """What each column contributed to the champion's predictions; they are not logged and not counted."""
        try:
            _, runtime = self._find(request)
            asked = explaining.read_options(request.query_params)
            body = await self._body(request)
            answer = await self._in_explainer(lambda: _explained(runtime, body, asked))
            return Response(answer, media_type="application/json")
        except _Refused as refused:
            return _friendly_refusal(refused)
        except ClientDisconnect:
            return Response(status_code=400)
        except FlyballError as error:
            return _friendly_refusal(_Refused(_STATUS.get(error.code, 500), error))
        except Exception as error:
            logger.exception("explanation failed", extra={"deployment": request.path_params["name"]})
            wrapped = FlyballError(f"The model failed: {type(error).__name__}: {error}")
            return _friendly_refusal(_Refused(500, wrapped))

    async def describe(self, request: Request) -> Response:
        """What a request must look like, with one that works."""
        try:
            _, runtime = self._find(request)
        except _Refused as refused:
            return _friendly_refusal(refused)
        return _json(await asyncio.to_thread(describe, runtime))

    async def v2_infer(self, request: Request) -> Response:
        """Predictions by tensors."""
        length = request.headers.get("inference-header-content-length")

        def work(endpoint: Endpoint, runtime: Runtime, body: bytes, trace: Trace) -> Answered:
            only = _version(request, runtime)
            head, binary = _parts(body, length)
            asked = _read(head, InferRequest)
            outcome, ids = infer(endpoint, runtime, asked, self._clock, binary=binary, only=only, trace=trace)
            response, json_length = open_inference.infer_response(
                runtime, outcome, ids, request_id=asked.id, parameters=asked.parameters, outputs=asked.outputs
            )
            return response, len(ids), binary_headers(json_length)

        return await self._run(request, work, form=_v2_refusal)

    async def invocations(self, request: Request) -> Response:
        """Predictions as MLflow's server gives them."""
        kind = request.headers.get("content-type", "")

        def work(endpoint: Endpoint, runtime: Runtime, body: bytes, trace: Trace) -> Answered:
            columns = read_invocation(body, kind, runtime.signature_of(runtime.champion).names)
            outcome, ids = score_columns(endpoint, runtime, columns, self._clock, trace=trace)
            return invocation_response(outcome), len(ids), {}

        if "name" not in request.path_params:
            names = list(self._follower.endpoints)
            if len(names) != 1:
                text = f"This server has {len(names)} deployments. Ask /invocations/<name>: {', '.join(names[:10])}."
                return _json(invocation_error(text), 400 if names else 503)
            request.path_params["name"] = names[0]
        return await self._run(request, work, form=_mlflow_refusal)

    async def ping(self, _: Request) -> Response:
        """Whether it can be asked, as MLflow's clients and SageMaker ask it."""
        ready = not self._follower.waiting_for()
        return PlainTextResponse("\n", 200 if ready else 503)

    async def version(self, _: Request) -> Response:
        """Of this server."""
        return PlainTextResponse(__version__)

    async def v2_index(self, request: Request) -> Response:
        """All models with their versions and whether they can be asked."""
        try:
            asked = _read(await self._body(request) or b"{}", RepositoryIndexRequest)
        except _Refused as refused:
            return _v2_refusal(refused)
        return _json(open_inference.repository_index(self._follower.endpoints.values(), only_ready=asked.ready))

    async def v2_server(self, _: Request) -> Response:
        """The server."""
        return _json(open_inference.server_metadata())

    async def v2_live(self, _: Request) -> Response:
        """That it runs."""
        return _json({"live": True})

    async def v2_ready(self, _: Request) -> Response:
        """Whether all it follows can be asked."""
        ready = not self._follower.waiting_for()
        return _json({"ready": ready}, 200 if ready else 503)

    async def v2_model(self, request: Request) -> Response:
        """A deployment."""
        try:
            _, runtime = self._find(request)
            _version(request, runtime)
        except _Refused as refused:
            return _v2_refusal(refused)
        return _json(open_inference.model_metadata(runtime))

    async def v2_model_ready(self, request: Request) -> Response:
        """Whether a deployment can be asked."""
        try:
            endpoint, runtime = self._find(request)
            _version(request, runtime)
        except _Refused as refused:
            return _v2_refusal(refused)
        return _json({"name": endpoint.name, "ready": True})

    async def flush(self, _: Request) -> Response:
        """Waits until all that was answered rests in the store."""
        try:
            for endpoint in self._follower.endpoints.values():
                await asyncio.to_thread(endpoint.flush)
        except FlyballError as error:
            return _friendly_refusal(_Refused(503, error))
        return _json({"flushed": True, "logged": {e.name: e.log.logged for e in self._follower.endpoints.values()}})

    async def health(self, _: Request) -> Response:
        """Whether it is ready, and what it answers with."""
        reasons = self._follower.waiting_for()
        deployments = {
            endpoint.name: {
                "generation": endpoint.runtime.manifest.generation if endpoint.runtime else 0,
                "state": endpoint.state,
                "error": endpoint.error,
            }
            for endpoint in self._follower.endpoints.values()
        }
        body = {"status": "starting" if reasons else "ok", "version": __version__, "replica": self._follower.replica}
        return _json({**body, "waiting_for": reasons, "deployments": deployments}, 503 if reasons else 200)

    async def metrics(self, _: Request) -> Response:
        """Counters for Prometheus."""
        text = prometheus(self._follower.endpoints.values())
        return PlainTextResponse(text, media_type="text/plain; version=0.0.4; charset=utf-8")

    def _find(self, request: Request) -> tuple[Endpoint, Runtime]:
        try:
            endpoint = self._follower.endpoint(request.path_params["name"])
        except NotFound as error:
            raise _Refused(404, error) from None
        runtime = endpoint.runtime
        if runtime is None:
            why = f"'{endpoint.name}' has no model yet. {endpoint.error}".rstrip()
            raise _Refused(503, Overloaded(why, hint="Try again in a moment."))
        return endpoint, runtime

    async def _run(self, request: Request, work: Work, *, form: Form) -> Response:
        sent = request.headers.get("traceparent", "")
        if not self._telemetry.is_on:
            return await self._respond(request, work, self._telemetry.trace(sent) if sent else NO_TRACE, form=form)
        name = request.path_params["name"]
        with self._telemetry.request(f"POST {request.url.path}", sent, **{"flyball.deployment": name}) as trace:
            response = await self._respond(request, work, trace, form=form)
            trace.tell(**{"http.response.status_code": response.status_code})
            return response

    async def _respond(self, request: Request, work: Work, trace: Trace, *, form: Form) -> Response:
        start = perf_counter()
        rows, failed, endpoint = 0, True, None
        try:
            endpoint, runtime = self._find(request)
            body = await self._body(request)
            found = endpoint
            begin = trace.waiting("queue", lambda: work(found, runtime, body, trace))
            answer, rows, headers = await self.in_worker(begin)
            failed = False
            return Response(answer, headers=headers, media_type=headers.pop("content-type", "application/json"))
        except _Refused as refused:
            return form(refused)
        except ClientDisconnect:
            return Response(status_code=400)
        except FlyballError as error:
            return form(_Refused(_STATUS.get(error.code, 500), error))
        except Exception as error:
            logger.exception("prediction failed", extra={"deployment": request.path_params["name"]})
            wrapped = FlyballError(f"The model failed: {type(error).__name__}: {error}")
            return form(_Refused(500, wrapped))
        finally:
            if endpoint is not None:
                endpoint.counters.count(perf_counter() - start, rows, failed=failed)

    async def in_worker(self, work: Callable[[], R]) -> R:
        """Does some work where predictions are made.

        Raises:
            Overloaded: too many wait.
            TimedOut: it took too long.
        """
        if self._waiting >= self._max_waiting:
            raise Overloaded("Too many requests are waiting.", hint="Try again in a second.")
        self._waiting += 1
        try:
            async with asyncio.timeout(self._timeout):
                return await asyncio.get_running_loop().run_in_executor(self.workers, work)
        except TimeoutError as error:
            late = f"The model did not answer within {self._timeout:g} s."
            raise TimedOut(late, hint="Send fewer rows.") from error
        finally:
            self._waiting -= 1

    async def body(self, request: Request) -> bytes:
        """The body of a request, within the limits.

        Raises:
            InvalidInput: it is too large, or did not come.
        """
        try:
            return await self._body(request)
        except _Refused as refused:
            raise refused.error from None
        except ClientDisconnect as error:
            raise InvalidInput("The body did not come to its end.") from error

    async def _in_explainer(self, work: Callable[[], bytes]) -> bytes:
        if self._explaining >= explaining.MOST_WAITING:
            raise _Refused(429, Overloaded("Too many explanations are waiting.", hint="Try again in a second."))
        self._explaining += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self.explainers, work)
        finally:
            self._explaining -= 1

    async def _body(self, request: Request) -> bytes:
        try:
            async with asyncio.timeout(_LONGEST_BODY):
                body = await self._sent(request)
        except TimeoutError:
            slow = TimedOut(f"The body did not come within {_LONGEST_BODY} s.", hint="Send fewer rows.")
            raise _Refused(408, slow) from None
        coding = request.headers.get("content-encoding", "identity").strip().lower()
        return body if coding in ("", "identity") else await asyncio.to_thread(inflated, body, coding, self._max_body)

    async def _sent(self, request: Request) -> bytes:
        too_large = _Refused(
            413, InvalidInput(f"The body is larger than {self._max_body} bytes.", hint="Send fewer rows.")
        )
        declared = request.headers.get("content-length", "0")
        if declared.isdigit() and int(declared) > self._max_body:
            raise too_large
        pieces, size = [], 0
        async for piece in request.stream():
            size += len(piece)
            if size > self._max_body:
                raise too_large
            pieces.append(piece)
        return b"".join(pieces)


def _explained(runtime: Runtime, body: bytes, asked: explaining.ExplainOptions) -> bytes:
    return to_json(explaining.explain(runtime, _read(body, PredictRequest), asked))


def _parts(body: bytes, length: str | None) -> tuple[bytes, memoryview | None]:
    """The JSON of a body, and what follows it in binary."""
    if length is None:
        return body, None
    size = int(length) if length.isascii() and length.isdigit() and len(length) < 12 else -1
    if not 0 <= size <= len(body):
        wrong = InvalidInput(f"The body has {len(body)} bytes, its JSON is said to have {length[:20]!r}.")
        raise _Refused(400, wrong)
    return body[:size], memoryview(body)[size:]


def _read(body: bytes, kind: type[Any]) -> Any:
    try:
        return from_json(body, kind)
    except InvalidInput as error:
        raise _Refused(400, error) from error


def _version(request: Request, runtime: Runtime) -> Arm | None:
    """The arm that the path asks for; None if it leaves the choice to the router."""
    version = request.path_params.get("version")
    if version is None:
        return None
    try:
        return runtime.version(int(version) if version.isdecimal() else -1)
    except NotFound as error:
        raise _Refused(404, error) from None


def _friendly_refusal(refused: _Refused) -> Response:
    return _json(error_to_plain(refused.error), refused.status, _later(refused))


def _v2_refusal(refused: _Refused) -> Response:
    # The protocol knows one status for whatever is wrong with a request.
    status = 400 if refused.status == 422 else refused.status
    return _json({"error": str(refused.error)}, status, _later(refused))


def _mlflow_refusal(refused: _Refused) -> Response:
    status = 400 if refused.status == 422 else refused.status
    return _json(invocation_error(str(refused.error)), status, _later(refused))


def _later(refused: _Refused) -> dict[str, str] | None:
    return {"retry-after": "1"} if refused.status in (429, 503) else None


def _json(value: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(to_json(value), status, headers, media_type="application/json")


async def _on_http_error(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    if request.url.path.startswith("/v2"):
        return _json({"error": f"{request.method} {request.url.path}: {error}"}, status)
    found = NotFound if status == 404 else InvalidInput
    return _json(error_to_plain(found(f"{request.method} {request.url.path[:200]}: {error}")), status)
