"""The door of the server: before any route sees a request it is asked where it comes from, who asks, and what that takes.

What the table of roles (`route_roles.py`) does not know is refused, whatever a router would do with it.
"""

from __future__ import annotations

import asyncio
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from flyball.errors import FlyballError, InvalidInput, LoginNeeded, NotFound, Overloaded, PermissionDenied, TimedOut
from flyball.principals import acting_as
from flyball.server.guard import (
    ANYBODY,
    Admission,
    Guard,
    Shown,
    is_foreign,
    is_forwarded,
    is_ours,
    is_own_change,
    is_secure,
    shown_by,
)
from flyball.server.peers import Peer, address_of
from flyball.server.protocols.mlflow import wire
from flyball.server.route_roles import Need, is_import_needed, is_mlflow, need_of
from flyball.server.routes import error_response, json_response
from flyball.settings import HOME, Settings

# Bodies that are written to disk while they come, and so may be of any size and take any time.
STREAMED: Final = (
    "/blobs/",
    "/api/2.0/mlflow-artifacts/",
    "/ajax-api/2.0/mlflow-artifacts/",
    "/ajax-api/2.0/mlflow/upload-artifact",
)
_ENDLESS: Final = "/api/events/stream"
_TOLD: Final = frozenset({
    b"host", b"origin", b"content-length", b"authorization", b"cookie", b"sec-fetch-site", b"sec-fetch-mode", b"referer",
    b"user-agent",
})  # fmt: skip
_ONCE: Final = frozenset({b"host", b"origin", b"content-length", b"authorization"})
_MOST_HEADERS: Final = 100
_MOST_HEADER_BYTES: Final = 32 << 10
_LONGEST_PATH: Final = 8 << 10
_MOST_KNOWN: Final = 100
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")


_HEADERS: Final = [
    (b"content-security-policy", b"default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
]


def headers_of(settings: Settings) -> list[tuple[bytes, bytes]]:
    """What every answer says to a browser."""
    for_a_year = [(b"strict-transport-security", b"max-age=31536000")]
    return _HEADERS + (for_a_year if is_secure(settings) else [])


class Door:
    """Lets in who may, and nobody else."""

    def __init__(self, app: ASGIApp, *, guard: Guard, hosts: frozenset[str]) -> None:
        self._app = app
        self._guard = guard
        self._hosts = hosts
        self._known: set[bytes] = set()  # hosts as they were written, with their ports
        self._most = guard.settings.max_body_mib << 20
        self._headers = headers_of(guard.settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "websocket":
                return  # there are none: the connection is closed
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                scope["answered"] = True
                given = list(message.get("headers", []))
                named = {name for name, _ in given}
                message["headers"] = [*given, *(header for header in self._headers if header[0] not in named)]
            await send(message)

        scope["admitted"] = None
        try:
            admission = await self._admit(scope)
        except FlyballError as error:
            await _refusal(error, scope["path"])(scope, receive, send_with_headers)
            return
        except _Refused as refused:
            await refused.response(scope, receive, send_with_headers)
            return
        principal = admission.principal
        if principal is not ANYBODY:
            scope["admitted"] = admission
            scope["project"] = principal.project
        with acting_as(principal):
            await self._pass_on(scope, receive, send_with_headers)

    async def _pass_on(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        if path.startswith(STREAMED) or path == _ENDLESS:
            await self._app(scope, receive, send)
            return
        seconds = self._guard.settings.request_seconds
        try:
            async with asyncio.timeout(seconds) as limit:
                await self._app(scope, self._limited(receive), send)
        except TimeoutError:
            if not limit.expired() or scope.get("answered"):
                raise
            await error_response(TimedOut(f"The request took longer than {seconds} seconds."))(scope, receive, send)

    async def _admit(self, scope: Scope) -> Admission:
        """Who comes in.

        Raises:
            FlyballError: they may not, or the request is none that is taken here.
        """
        told = self._read_headers(scope)
        method, path, project = scope["method"], scope["path"], scope.get("project", HOME)
        host = self._check_host(told)
        if is_foreign(told, scope.get("scheme", "http"), method, self._guard.settings):
            raise PermissionDenied("A page of another site may not change things here, nor read them.")
        self._check_length(told, path)
        need = await self._need(method, path)
        shown = shown_by(told, self._guard.cookie)
        if need == "open":
            return await self._visitor(shown, scope, project, host)
        admission = await self._find(shown, scope, project, host)
        if shown is not None and shown.cookie and not shown.token and method not in _SAFE and not is_own_change(told):
            raise PermissionDenied("A cookie alone changes nothing: this does not come from the page.")
        self._check_role(admission, need, method, path)
        if not self._guard.may_go_on(admission.principal.name):
            raise Overloaded(
                "That were too many requests in a short time.", hint="Try again in a second.", retry_after=1
            )
        return admission

    def _check_role(self, admission: Admission, need: Need | None, method: str, path: str) -> None:
        principal = admission.principal
        if need is None:
            # MLflow's clients know no such answer: to them an endpoint is there or not.
            allowed = [] if is_mlflow(path) else [other for other in _METHODS if need_of(other, path)]
            if allowed:
                body = {"code": "invalid_input", "message": f"Method Not Allowed: {method} {path[:200]}."}
                raise _Refused(body, 405, allow=", ".join(allowed))
            raise NotFound(f"There is nothing at {path[:200]}.", hint="See /api/docs.")
        assert need != "open"
        if need == "none" or principal.may(need):
            return
        if principal.role == "none":
            raise NotFound(
                f"There is no project '{principal.project}'.", hint="`flyball whoami` lists those you may enter."
            )
        principal.need(need, f"{method} {path[:120]}")

    async def _visitor(self, shown: Shown | None, scope: Scope, project: str, host: str) -> Admission:
        """Whoever it is, known or not: the way in is open to all, at a measured pace."""
        if not self._guard.may_go_on(f"address {address_of(scope)}"):
            raise Overloaded(
                "That were too many requests in a short time.", hint="Try again in a second.", retry_after=1
            )
        if shown is not None and not shown.name:
            try:
                return await self._find(shown, scope, project, host)
            except LoginNeeded:
                pass
        return Admission(ANYBODY)

    async def _find(self, shown: Shown | None, scope: Scope, project: str, host: str) -> Admission:
        if shown is None:
            raise LoginNeeded("What the header Authorization holds cannot be read.", hint="Send: Bearer <token>.")
        if not shown.is_nothing:
            found = self._guard.from_memory(shown, project)
            if found is None:
                found = await run_in_threadpool(self._guard.find, shown, project, address_of(scope))
            if found is not None:
                return found
            if not shown.is_of_another_workspace:
                raise LoginNeeded("That token or session is not known here, or is over.", hint=self._way_in(shown))
        if self._guard.owner is not None and not shown.is_browser and not is_forwarded(scope["headers"]):
            peer = (scope.get("state") or {}).get("peer") or Peer(scope.get("client"), scope.get("server"))
            ours = is_ours(peer, host) if peer.is_known else await run_in_threadpool(is_ours, peer, host)
            admission = self._guard.as_owner(project)
            if ours and admission is not None:
                return admission
        raise LoginNeeded("Nobody is known to ask here.", hint=self._way_in(shown))

    def _way_in(self, shown: Shown) -> str:
        if self._guard.owner is None:
            return "Log in: `flyball login <address>`, or send a token as 'Authorization: Bearer <token>'."
        if shown.is_browser:
            return "Run `flyball open`: it prints a link that opens the page once."
        return f"Send the token in {self._guard.settings.workspace.name}/token as 'Authorization: Bearer <token>'."

    async def _need(self, method: str, path: str) -> Need | None:
        if len(path) > _LONGEST_PATH:
            raise InvalidInput("The address is too long.")
        if is_import_needed(path):
            return await run_in_threadpool(need_of, method, path)
        return need_of(method, path)

    def _read_headers(self, scope: Scope) -> dict[bytes, bytes]:
        told: dict[bytes, bytes] = {}
        size = 0
        for name, value in scope["headers"]:
            size += len(name) + len(value)
            if name in _TOLD:
                if name in told and name in _ONCE:
                    raise InvalidInput(f"The header '{name.decode()}' is there twice.")
                told[name] = value if name != b"cookie" or name not in told else told[name] + b"; " + value
        if size > _MOST_HEADER_BYTES or len(scope["headers"]) > _MOST_HEADERS:
            raise InvalidInput(
                f"More than {_MOST_HEADERS} headers, or {_MOST_HEADER_BYTES >> 10} KiB of them, are not read."
            )
        return told

    def _check_host(self, told: dict[bytes, bytes]) -> str:
        written = told.get(b"host", b"")
        name = _host_name(written.decode("latin-1"))
        if written not in self._known:
            if name.lower() not in self._hosts:
                raise InvalidInput(
                    f"This server does not answer to the name '{name[:80]}'.",
                    hint="The setting `hosts` lists further names.",
                )
            if len(self._known) < _MOST_KNOWN:
                self._known.add(written)
        return name.lower()

    def _check_length(self, told: dict[bytes, bytes], path: str) -> None:
        length = told.get(b"content-length", b"0")
        if not length.isdigit() or (int(length) > self._most and not path.startswith(STREAMED)):
            raise _Refused({"code": "invalid_input", "message": self._too_large}, 413)

    @property
    def _too_large(self) -> str:
        return f"The body is larger than {self._most >> 20} MiB."

    def _limited(self, receive: Receive) -> Receive:
        """Counts what is received: a body that comes in pieces does not say its length beforehand."""
        received = 0

        async def receive_and_count() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._most:
                raise HTTPException(413, self._too_large)
            return message

        return receive_and_count


class _Refused(Exception):
    """What is answered in a form of its own."""

    def __init__(self, body: dict[str, str], status: int, **headers: str) -> None:
        super().__init__(body["message"])
        self.response = json_response(body, status)
        self.response.headers.update(headers)


_MLFLOW_CODES: Final = {
    "login_needed": "UNAUTHENTICATED", "permission_denied": "PERMISSION_DENIED", "not_found": "ENDPOINT_NOT_FOUND",
    "overloaded": "REQUEST_LIMIT_EXCEEDED",
}  # fmt: skip


def _refusal(error: FlyballError, path: str) -> Response:
    """The error as JSON, to MLflow's clients in the form that they know."""
    code = _MLFLOW_CODES.get(error.code)
    response = wire.error_response(str(error), code) if code and is_mlflow(path) else error_response(error)
    if error.code == "login_needed":
        # Not Basic: browsers would ask for a name and a password by themselves.
        response.headers["www-authenticate"] = 'Bearer realm="flyball"'
    return response


def _host_name(host: str) -> str:
    if not host.startswith("["):
        return host.partition(":")[0]
    name, closed, _ = host[1:].partition("]")
    return name if closed else ""
