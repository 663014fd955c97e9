"""How MLflow's protocol stands on the wire: which function answers which address, and errors in MLflow's own form.

An endpoint is a function of the workspace and of what was given:

    class GetRun(msgspec.Struct):
        run_id: str

    @endpoint("GET", "mlflow/runs/get")
    def get_run(workspace: Workspace, given: GetRun) -> dict[str, object]: ...

Fields of the struct without a default are required, and an empty text counts as missing, as in MLflow. Fields that it
does not name are ignored. Whole numbers may come as texts, as protobuf's JSON writes them.
"""

from __future__ import annotations

import importlib
import inspect
import logging
import pkgutil
import re
import types
import typing
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar
from urllib.parse import parse_qs

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import compile_path
from starlette.types import ASGIApp, Receive, Scope, Send

from flyball.errors import FlyballError
from flyball.principals import acting
from flyball.serialization import to_json
from flyball.server.run_bound import check_run
from flyball.workspace import Workspace

__all__ = ["ERROR_STATUS", "MlflowError", "MlflowProtocol", "Request", "endpoint", "error_response"]

logger = logging.getLogger(__name__)
F = TypeVar("F", bound=Callable[..., Any])

ERROR_STATUS = {
    "ABORTED": 409,
    "ALREADY_EXISTS": 409,
    "BAD_REQUEST": 400,
    "CUSTOMER_UNAUTHORIZED": 401,
    "DATA_LOSS": 500,
    "DEADLINE_EXCEEDED": 504,
    "ENDPOINT_NOT_FOUND": 404,
    "INTERNAL_ERROR": 500,
    "INVALID_PARAMETER_VALUE": 400,
    "INVALID_STATE": 500,
    "NOT_FOUND": 404,
    "NOT_IMPLEMENTED": 501,
    "PERMISSION_DENIED": 403,
    "REQUEST_LIMIT_EXCEEDED": 429,
    "RESOURCE_ALREADY_EXISTS": 400,
    "RESOURCE_CONFLICT": 409,
    "RESOURCE_DOES_NOT_EXIST": 404,
    "TEMPORARILY_UNAVAILABLE": 503,
    "UNAUTHENTICATED": 401,
}
"""MLflow's error codes and the HTTP status of each."""

_CODES = {
    "already_exists": "RESOURCE_ALREADY_EXISTS",
    "missing_extra": "NOT_IMPLEMENTED",
    "not_found": "RESOURCE_DOES_NOT_EXIST",
    "overloaded": "REQUEST_LIMIT_EXCEEDED",
    "permission_denied": "PERMISSION_DENIED",
    "no_space": "TEMPORARILY_UNAVAILABLE",
    "server_unreachable": "TEMPORARILY_UNAVAILABLE",
    "storage_failed": "TEMPORARILY_UNAVAILABLE",
    "timed_out": "DEADLINE_EXCEEDED",
    "corrupt": "DATA_LOSS",
}
_OURS_TO_MEND = frozenset({"error", "work_failed"})
_STATUS_CODES = {405: "BAD_REQUEST", 413: "INVALID_PARAMETER_VALUE"}
_JSON = (b"content-type", b"application/json")
_SEE = " See the API docs for more information about request parameters."
_ROOTS = ("/api/", "/ajax-api/")
# Other addresses that belong to MLflow's protocol.
_OWN = re.compile(
    r"/(?:ajax-)?api/(?:2\.0|3\.0)/?mlflow|/v1/traces$|/version$|/(?:ajax-api|get-artifact|model-versions)\b"
)


class MlflowError(FlyballError):
    """An answer that MLflow's clients understand as an error.

    Args:
        message: What was found and how to mend it.
        code: One of MLflow's error codes; it says the HTTP status.
    """

    def __init__(self, message: str, code: str = "INVALID_PARAMETER_VALUE") -> None:
        super().__init__(message)
        self.error_code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class _Endpoint:
    call: Callable[..., Any]
    decoder: msgspec.json.Decoder[Any] | None
    given: type[Any] | None
    asynchronous: bool
    takes_request: bool


_exact: dict[tuple[str, str], _Endpoint] = {}
_templates: list[tuple[str, re.Pattern[str], _Endpoint]] = []


def endpoint(methods: str, path: str, *, version: str = "2.0") -> Callable[[F], F]:
    """Makes a function the answer to an address.

    The function takes `workspace`, then `given` (a `msgspec.Struct` class as its hint: the query of a GET, else the
    body, or `dict` for JSON as it is), `request` (Starlette's, for streams and headers) and the path's parameters, each
    if it has a parameter of that name. It gives plain values or a struct, JSON in bytes, None for `{}`, or a `Response`. A
    coroutine function runs on the event loop and may not block; another one runs on a thread.

    Args:
        methods: HTTP methods, as `GET` or `GET POST`.
        path: What follows `/api/2.0/` and `/ajax-api/2.0/`, such as `mlflow/runs/get` or
            `mlflow/logged-models/{model_id}`; with a leading slash, the whole address.
        version: `2.0` or `3.0`, where `path` is relative.
    """
    paths = [path] if path.startswith("/") else [f"{root}{version}/{path}" for root in _ROOTS]

    def register(function: F) -> F:
        made = _describe(function)
        for method in methods.split():
            for address in paths:
                if "{" in address:
                    _templates.append((method, compile_path(address)[0], made))
                else:
                    _exact[method, address] = made
        return function

    return register


def error_response(message: str, code: str) -> Response:
    """An error as MLflow's own server writes it."""
    body = to_json({"error_code": code, "message": message})
    return Response(body, ERROR_STATUS.get(code, 500), media_type="application/json")


class MlflowProtocol:
    """Answers MLflow's addresses and leaves all others to the application behind it."""

    def __init__(self, app: ASGIApp, workspace: Workspace) -> None:
        self._app = app
        self._workspace = workspace
        self._is_loaded = False
        importlib.import_module(f"{__package__}.info")  # the rest is loaded when it is first asked for

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path, method = scope["path"], scope["method"]
        found = _exact.get((method, path))
        parameters: dict[str, str] = {}
        if found is None and _OWN.match(path):
            if not self._is_loaded:
                await run_in_threadpool(load_endpoints)
                self._is_loaded = True
            found, parameters = _find(method, path)
            if found is None:
                await _nothing_there(method, path)(scope, receive, send)
                return
        if found is None:
            await self._app(scope, receive, send)
            return
        answer = await _answer(self._workspace, found, parameters, Request(scope, receive))
        if isinstance(answer, Response):
            await answer(scope, receive, send)
            return
        headers = [(b"content-length", b"%d" % len(answer)), _JSON]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer})


@lru_cache(maxsize=1)
def load_endpoints() -> None:
    """Imports every module of this package, so that its endpoints are known."""
    package = importlib.import_module(__package__)
    for module in pkgutil.iter_modules(package.__path__):
        if not module.name.startswith("_"):
            importlib.import_module(f"{__package__}.{module.name}")


def endpoints() -> list[tuple[str, str]]:
    """Every method and address that is answered; parameters of a path are written as a regular expression."""
    return sorted([*_exact, *((method, pattern.pattern) for method, pattern, _ in _templates)])


def _describe(function: Callable[..., Any]) -> _Endpoint:
    names = inspect.signature(function).parameters
    given = typing.get_type_hints(function).get("given") if "given" in names else None
    return _Endpoint(
        call=function,
        decoder=None if given is None else msgspec.json.Decoder(given, strict=False),
        given=given,
        asynchronous=inspect.iscoroutinefunction(function),
        takes_request="request" in names,
    )


def _find(method: str, path: str) -> tuple[_Endpoint | None, dict[str, str]]:
    found = _exact.get((method, path.rstrip("/")))
    if found is not None:
        return found, {}
    for wanted, pattern, made in _templates:
        if wanted == method and (match := pattern.match(path)):
            return made, match.groupdict()
    return None, {}


def _nothing_there(method: str, path: str) -> Response:
    message = (
        f"{method} {path[:300]} is not answered here: Flyball serves MLflow's tracking, registry, artifacts and traces."
    )
    return error_response(message, "ENDPOINT_NOT_FOUND")


async def _answer(
    workspace: Workspace, made: _Endpoint, parameters: dict[str, str], request: Request
) -> Response | bytes:
    """What is answered; bytes are JSON, and all is well."""
    try:
        arguments: dict[str, Any] = dict(parameters)
        if made.takes_request:
            arguments["request"] = request
        if made.decoder is not None:
            arguments["given"] = await _given(made, request)
        if acting().run and request.method not in ("GET", "HEAD"):
            run = getattr(arguments.get("given"), "run_id", "")
            await run_in_threadpool(check_run, workspace, str(run) if run else acting().run)
        if made.asynchronous:
            answer = await made.call(workspace, **arguments)
        else:
            return await run_in_threadpool(_call, made, workspace, arguments)
    except MlflowError as error:
        return error_response(error.message, error.error_code)
    except FlyballError as error:
        return _flyball_error(error)
    except HTTPException as error:
        code = _STATUS_CODES.get(error.status_code, "BAD_REQUEST")
        response = error_response(str(error.detail), code)
        response.status_code = error.status_code
        return response
    except Exception:
        logger.exception("a request failed: %s %s", request.method, request.url.path)
        return error_response("The server failed at this; its log says why.", "INTERNAL_ERROR")
    return _written(answer)


def _call(made: _Endpoint, workspace: Workspace, arguments: dict[str, Any]) -> Response | bytes:
    # A long answer is written here as well, not on the loop that others wait for.
    return _written(made.call(workspace, **arguments))


def _written(answer: Any) -> Response | bytes:
    if answer is None:
        return b"{}"
    return answer if isinstance(answer, Response | bytes) else to_json(answer)


def _flyball_error(error: FlyballError) -> Response:
    code = _CODES.get(error.code, "INTERNAL_ERROR" if error.code in _OURS_TO_MEND else "INVALID_PARAMETER_VALUE")
    if code == "INTERNAL_ERROR":
        logger.error("a request failed", exc_info=error)
    return error_response(str(error), code)


async def _given(made: _Endpoint, request: Request) -> Any:
    assert made.decoder is not None
    assert made.given is not None
    query = request.scope["query_string"]
    if request.method in ("GET", "HEAD", "DELETE") and query:
        raw: Any = _from_query(query, made.given)
    else:
        body = await (request.body() if made.takes_request else _body(request)) or b"{}"
        try:
            found = made.decoder.decode(body)
        except msgspec.ValidationError:
            raw = _plain(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise _malformed(error) from error
        else:
            return _checked(found)
    if made.given is dict:
        return raw
    return _checked(_convert(raw, made.given))


async def _body(request: Request) -> bytes:
    """The body, of which nearly always all is there at once."""
    pieces = []
    while True:
        message = await request.receive()
        if message["type"] != "http.request":
            raise ClientDisconnect
        pieces.append(message.get("body", b""))
        if not message.get("more_body", False):
            return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _plain(body: bytes) -> Any:
    try:
        found = msgspec.json.decode(body)
        if isinstance(found, str):  # some clients write the JSON of a JSON text
            found = msgspec.json.decode(found)
    except (msgspec.DecodeError, RecursionError) as error:
        raise _malformed(error) from error
    if not isinstance(found, dict):
        raise MlflowError(f"The body is no JSON object but {type(found).__name__}.")
    return _without_nulls(found)


def _without_nulls(value: Any) -> Any:
    """What protobuf reads: a field that is null is one that is not there."""
    if isinstance(value, dict):
        return {name: _without_nulls(item) for name, item in value.items() if item is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value


def _malformed(error: Exception) -> MlflowError:
    return MlflowError(f"The body is no JSON: {str(error)[:200]}.", "BAD_REQUEST")


def _from_query(query: bytes, kind: type[Any]) -> dict[str, Any]:
    try:
        values = parse_qs(query.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=10_000)
    except ValueError as error:
        raise MlflowError(f"The address cannot be read: {str(error)[:200]}.") from error
    hints = {} if kind is dict else typing.get_type_hints(kind)
    return {name: found if _is_list(hints.get(name)) else found[-1] for name, found in values.items()}


def _is_list(hint: Any) -> bool:
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return any(_is_list(choice) for choice in typing.get_args(hint))
    return typing.get_origin(hint) is list


def _convert(raw: Any, kind: type[Any]) -> Any:
    try:
        return msgspec.convert(raw, kind, strict=False)
    except (msgspec.ValidationError, RecursionError) as error:
        raise _misfit(raw, str(error)) from error


def _checked(found: Any) -> Any:
    """Refuses an empty text where a value is required."""
    fields = getattr(found, "__struct_fields__", ())
    required = len(fields) - len(getattr(found, "__struct_defaults__", ()))
    for name in fields[:required]:
        if getattr(found, name) == "":
            raise _missing(name)
    return found


def _missing(name: str) -> MlflowError:
    return MlflowError(f"Missing value for required parameter '{name}'.{_SEE}")


def _misfit(raw: Any, said: str) -> MlflowError:
    """Names the parameter that does not fit and what was found there, as MLflow does."""
    place = re.search(r"at `\$([^`]*)`", said)
    path = place[1] if place else ""
    missing = re.search(r"missing required field `([^`]+)`", said)
    names = [part for part in path.split(".") if part]
    if missing:
        return _missing(".".join([*names, missing[1]]))
    value = raw
    for part in names:
        value = value.get(part.partition("[")[0]) if isinstance(value, dict) else None
        if "[" in part:
            break
    name = ".".join(names) or "body"
    hint = f" Hint: Value was of type '{type(value).__name__}'."
    shown = to_json(value).decode()
    shown = shown if len(shown) <= 200 else f"{shown[:200]}..."
    return MlflowError(f"Invalid value {shown} for parameter '{name}' supplied: {hint}{_SEE}")
