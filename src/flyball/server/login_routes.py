"""The way in over HTTP: passwords, one-time links, codes of devices, and out again. Single sign-on stands in `sso.py`."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from flyball.errors import InvalidInput, LoginNeeded, PermissionDenied
from flyball.serialization import from_json
from flyball.server.guard import Guard, is_secure, with_session
from flyball.server.peers import address_of
from flyball.server.routes import json_response
from flyball.server.sso import base_of, leave_address, sso_routes
from flyball.workspace import Workspace

_LONGEST: Final = 16 << 10
_TICKET_SPAN: Final = timedelta(hours=2)


def login_routes(workspace: Workspace, guard: Guard) -> list[Route]:
    """Routes below `/login/`.

    `methods` (get) says which ways there are; `password`, `out` (post), `link` (get), and for devices `device`,
    `device/token`, `device/approve` (post) go them.
    """

    async def methods(request: Request) -> Response:
        settings, known = workspace.settings, request.scope["admitted"] is not None
        found = {
            "auth": settings.auth, "known": known, "password": settings.auth == "on",
            "single_sign_on": settings.auth == "on" and bool(settings.oidc_issuer),
        }  # fmt: skip
        return json_response(found)

    async def password(request: Request) -> Response:
        _check_accounts(workspace)
        given = await read(request, "name", "password")
        made = await run_in_threadpool(
            workspace.logins.with_password, given["name"], given["password"], address_of(request.scope)
        )
        return with_session(json_response({"name": made.token.account}), made.secret, guard)

    async def link(request: Request) -> Response:
        if guard.owner is None:
            raise InvalidInput("This server knows accounts: one logs in on its page.")
        if request.headers.get("sec-purpose") or request.headers.get("purpose"):
            return Response(status_code=503)  # a browser that looks ahead would use it up
        ticket = request.query_params.get("ticket", "")
        if not guard.owner.is_ticket(ticket) or not await run_in_threadpool(
            workspace.logins.use_once, "ticket", ticket, _TICKET_SPAN
        ):
            raise LoginNeeded("This link was used before, or is too old.", hint="Run `flyball open` for a new one.")
        return with_session(RedirectResponse("../", 303), guard.owner.new_session(), guard)

    async def out(request: Request) -> Response:
        leave = ""
        admission = request.scope["admitted"]
        if admission is not None and guard.owner is None:
            leave = await run_in_threadpool(_end, workspace, admission.principal.token, base_of(request, guard))
        answer = json_response({"leave": leave})
        answer.delete_cookie(guard.cookie, path="/", secure=is_secure(guard.settings), httponly=True, samesite="strict")
        return answer

    return [
        Route("/login/methods", methods),
        Route("/login/password", password, methods=["POST"]),
        Route("/login/link", link),
        Route("/login/out", out, methods=["POST"]),
        *_device_routes(workspace),
        *sso_routes(workspace, guard),
    ]


def _device_routes(workspace: Workspace) -> list[Route]:
    async def device(request: Request) -> Response:
        _check_accounts(workspace)
        made = await run_in_threadpool(workspace.logins.begin_device, address_of(request.scope))
        return json_response(made)

    async def device_token(request: Request) -> Response:
        given = await read(request, "device_code", "name")
        made = await run_in_threadpool(workspace.logins.poll_device, given["device_code"], given["name"])
        if made is None:
            return json_response({"state": "waiting"}, 202)
        return json_response({"token": made.secret, "account": made.token.account})

    async def device_approve(request: Request) -> Response:
        given = await read(request, "code")
        principal = request.scope["admitted"].principal
        if principal.limited or not principal.proven:
            raise PermissionDenied("Only who is logged in lets a device in.")
        code = given["code"]
        asked_from = await run_in_threadpool(workspace.logins.approve_device, code, address_of(request.scope))
        return json_response({"asked_from": asked_from})

    return [
        Route("/login/device", device, methods=["POST"]),
        Route("/login/device/token", device_token, methods=["POST"]),
        Route("/login/device/approve", device_approve, methods=["POST"]),
    ]


async def read(request: Request, *names: str) -> dict[str, str]:
    """Texts of a small JSON object; those that are not there are empty.

    Raises:
        InvalidInput: it is something else.
    """
    if not request.headers.get("content-type", "").startswith("application/json"):
        raise InvalidInput("This takes JSON.", hint="Send the header Content-Type: application/json.")
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > _LONGEST:
            raise InvalidInput("So much is not needed to log in.")
    given = from_json(body or b"{}", dict[str, Any])
    found = {name: given.get(name, "") for name in names}
    if any(not isinstance(value, str) or "\0" in value for value in found.values()):
        raise InvalidInput(f"This takes texts: {', '.join(names)}.")
    return found


def _check_accounts(workspace: Workspace) -> None:
    if workspace.settings.auth != "on":
        raise InvalidInput(
            "Nobody logs in here: this server is its owner's alone.", hint='The setting auth = "on" lets accounts in.'
        )


def _end(workspace: Workspace, token: str, base: str) -> str:
    """Ends a session; gives the address where its provider ends it as well, if it came from one."""
    session = workspace.logins.provider_session(token)
    workspace.logins.end_session(token)
    return leave_address(workspace, base) if session else ""
