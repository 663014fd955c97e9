"""The native HTTP API: one route for each verb of each room, made from the verb's type hints."""

from __future__ import annotations

import types
import typing
from collections.abc import Sequence
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from flyball.errors import FlyballError, InvalidInput, did_you_mean
from flyball.principals import acting
from flyball.serialization import convert, error_to_plain, from_json, to_json
from flyball.server.run_bound import check_bound
from flyball.storage.trouble import disk_told
from flyball.verbs import Parameter, Verb, verbs_of
from flyball.workspace import SERVICES, Workspace, service_class

STATUS = {
    "invalid_input": 400,
    "missing_extra": 501,
    "permission_denied": 403,
    "login_needed": 401,
    "not_found": 404,
    "conflict": 409,
    "already_exists": 409,
    "gate_refused": 409,
    "cancelled": 409,
    "lease_lost": 409,
    "checks_failed": 422,
    "overloaded": 429,
    "server_unreachable": 503,
    "storage_failed": 503,
    "no_space": 507,
    "timed_out": 504,
}

# What these rooms answer may hold what is told once and kept as a hash alone.
_ANSWER_SECRETS = frozenset({"accounts", "groups", "members", "projects", "secrets", "tokens"})


def verb_routes(workspace: Workspace) -> list[Route]:
    """A route `/api/<room>/<verb>` for the verbs of every room: GET for a read, POST for a change.

    A read is answered to a POST too: an address has no room for a thousand ids. A room is imported when it is first asked for:
    to import all of them takes as long as all else that a server does before its first answer.
    """
    return [Route(f"/api/{room}/{{verb}}", _endpoint(workspace, room), methods=["GET", "POST"]) for room in SERVICES]


def error_response(error: FlyballError) -> Response:
    """The error as JSON, with the HTTP status of its code."""
    # Who has asked too much is told in the usual place, too, when to ask again.
    headers = {"retry-after": str(error.facts["retry_after"])} if "retry_after" in error.facts else None
    return Response(to_json(error_to_plain(error)), STATUS.get(error.code, 500), headers, media_type="application/json")


def json_response(value: object, status: int = 200) -> Response:
    """A value as JSON."""
    return Response(to_json(value), status, media_type="application/json")


def _endpoint(workspace: Workspace, room: str) -> Any:
    known: dict[str, Verb] = {}

    def find() -> None:
        known.update((verb.name, verb) for verb in verbs_of(service_class(room)).values())

    async def endpoint(request: Request) -> Response:
        if not known:
            await run_in_threadpool(find)
        verb = known.get(request.path_params["verb"])
        if verb is None:
            raise HTTPException(404)
        posted = request.method == "POST"
        if not posted and verb.effect != "read":
            raise HTTPException(405, headers={"Allow": "POST"})
        body = await request.body() if posted else b""
        arguments = _from_body(body, verb) if posted else _from_query(request, verb)
        key = request.headers.get("idempotency-key")
        if key is not None and verb.effect == "change":
            return await run_in_threadpool(_once, workspace, room, verb, arguments, key, body)
        return json_response(await run_in_threadpool(_call, workspace, room, verb, arguments))

    return endpoint


def _call(workspace: Workspace, room: str, verb: Verb, arguments: dict[str, object]) -> object:
    if verb.effect == "change":
        check_bound(workspace, room, arguments)
    with disk_told("what was asked for"):
        return getattr(getattr(workspace, room), verb.name)(**arguments)


def _once(workspace: Workspace, room: str, verb: Verb, arguments: dict[str, object], key: str, body: bytes) -> Response:
    """Does a change that came with a key, or gives the answer of the time when it was done."""
    name = f"{room}.{verb.name}"
    do = workspace.once.do_untold if room in _ANSWER_SECRETS else workspace.once.do
    answer = do(key, acting().name, name, body, lambda: _call(workspace, room, verb, arguments))
    headers = {"idempotency-replayed": "true"} if answer.is_repeated else None
    return Response(answer.body, 200, headers, media_type="application/json")


def _from_query(request: Request, verb: Verb) -> dict[str, object]:
    given: dict[str, object] = {}
    for parameter in verb.parameters:
        values = request.query_params.getlist(parameter.name)
        if values:
            given[parameter.name] = values if _is_sequence(parameter.kind) else values[-1]
    _refuse_unknown(set(request.query_params), verb)
    return _arguments(given, verb, strict=False)


def _from_body(body: bytes, verb: Verb) -> dict[str, object]:
    given = from_json(body, dict[str, Any]) if body.strip() else {}
    _refuse_unknown(set(given), verb)
    return _arguments(given, verb, strict=True)


def _arguments(given: dict[str, object], verb: Verb, *, strict: bool) -> dict[str, object]:
    missing = [p.name for p in verb.parameters if p.required and p.name not in given]
    if missing:
        raise InvalidInput(f"'{verb.name}' needs '{missing[0]}'.", hint=_usage(verb))
    return {p.name: _value(p, given[p.name], strict=strict) for p in verb.parameters if p.name in given}


def _value(parameter: Parameter, value: object, *, strict: bool) -> object:
    try:
        converted = convert(value, parameter.kind, strict=strict)
        _refuse_unkeepable(value if strict else converted)
    except InvalidInput as error:
        raise InvalidInput(f"'{parameter.name}': {error.message}") from error
    return converted


def _refuse_unkeepable(value: object) -> None:
    """Refuses what no database keeps, before one fails at it: the character NUL, and numbers beyond 64 bits."""
    if isinstance(value, str) and "\0" in value:
        raise InvalidInput("A text cannot hold the character NUL.")
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise InvalidInput("A whole number cannot be beyond 64 bits.")
    if isinstance(value, dict):
        for key, item in value.items():
            _refuse_unkeepable(key)
            _refuse_unkeepable(item)
    elif isinstance(value, list | tuple | set | frozenset):
        for item in value:
            _refuse_unkeepable(item)


def _refuse_unknown(names: set[str], verb: Verb) -> None:
    known = [parameter.name for parameter in verb.parameters]
    for name in sorted(names - set(known)):
        raise InvalidInput(
            f"'{verb.name}' knows no '{name}'.", hint=did_you_mean(name, known) if known else _usage(verb)
        )


def _usage(verb: Verb) -> str:
    return f"It takes: {', '.join(p.name for p in verb.parameters) or 'nothing'}."


def _is_sequence(kind: object) -> bool:
    origin = typing.get_origin(kind)
    if origin in (typing.Union, types.UnionType):
        return any(_is_sequence(choice) for choice in typing.get_args(kind))
    return (origin or kind) in (list, tuple, set, frozenset, Sequence)
