"""The ASGI application of a workspace: one door for every mount, errors as JSON, strict headers."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from flyball.errors import FlyballError, InvalidInput, NotFound
from flyball.serialization import to_json
from flyball.server.artifact_view import artifact_routes
from flyball.server.door import Door
from flyball.server.guard import Guard
from flyball.server.hosts import LOOPBACK, names_of
from flyball.server.later import later_routes
from flyball.server.login_routes import login_routes
from flyball.server.objects_api import object_routes
from flyball.server.openapi import describe_api
from flyball.server.page import built_page, page_routes
from flyball.server.projects import ByProject, ProjectPrefix
from flyball.server.protocols.mlflow import MlflowProtocol
from flyball.server.routes import error_response, json_response, verb_routes
from flyball.server.serving_door import serving_routes
from flyball.version import __version__
from flyball.workspace import Workspace

logger = logging.getLogger(__name__)

_PROTOCOLS = "flyball.server.protocols"
_LATER = (
    ("label_studio:label_studio_routes", "/api/labels/{name}/label-studio"),
    ("openlineage:openlineage_routes", "/api/v1/lineage", "/api/v1/lineage/batch"),
    ("prometheus:prometheus_routes", "/metrics"),
)

ReadyCheck = Callable[[], str]
"""Gives an empty text when a part is ready, else why it is not."""


def create_app(
    workspace: Workspace, *, ready: Sequence[ReadyCheck] = (), hosts: frozenset[str] = LOOPBACK,
    stopping: Callable[[], bool] = lambda: False, model_server: str = "",
) -> Starlette:  # fmt: skip
    """The application that serves a workspace, with all its projects.

    Args:
        ready: What must be ready before `/health` says so.
        stopping: Whether the server is about to stop: what streams without end then ends by itself.
        model_server: Address of the model server beside this one, for the page to try models out; empty if there is none.
        hosts: Names in the Host header that are answered; a foreign one is a page that rebound its name to us.
    """
    guard = Guard(workspace)
    ways_in = login_routes(workspace, guard)
    app = _application(workspace, ready=ready, stopping=stopping, model_server=lambda: model_server, more=ways_in)

    def of_project(project: Workspace) -> Starlette:
        name = project.settings.project
        return _application(project, stopping=stopping, model_server=lambda: workspace.projects.model_url(name))

    app.add_middleware(ByProject, workspace=workspace, make_app=of_project)
    app.add_middleware(Door, guard=guard, hosts=hosts | names_of(workspace.settings))
    app.add_middleware(ProjectPrefix)
    return app


def _application(
    workspace: Workspace, *, ready: Sequence[ReadyCheck] = (), stopping: Callable[[], bool],
    model_server: Callable[[], str], more: Sequence[Route] = (),
) -> Starlette:  # fmt: skip
    """What stands behind the door, for one project."""
    description: list[bytes] = []

    async def health(_: Request) -> Response:
        reasons = await run_in_threadpool(
            lambda: [why for why in (_database_ready(workspace), *(c() for c in ready)) if why]
        )
        body = {"status": "starting" if reasons else "ok", "version": __version__, "waiting_for": reasons}
        return json_response(body, 503 if reasons else 200)

    async def openapi(_: Request) -> Response:
        if not description:
            description.append(await run_in_threadpool(lambda: to_json(describe_api())))
        return Response(description[0], media_type="application/json")

    async def stream(request: Request) -> Response:
        # A browser that lost the stream asks for it again with the same address, and says in a header how far it was.
        after = request.headers.get("last-event-id") or request.query_params.get("after", "0")
        if not after.isdecimal() or len(after) > 18:
            raise InvalidInput(f"'{after[:40]}' is no event id.", hint="Give the id of the last event seen, or 0.")
        named = "plain" not in request.query_params
        stream = _events(workspace, request, int(after), stopping, named=named)
        return StreamingResponse(stream, media_type="text/event-stream")

    routes = [
        Route("/health", health),
        Route("/api/openapi.json", openapi),
        Route("/api/events/stream", stream),
        *verb_routes(workspace),
        *object_routes(workspace),
        *artifact_routes(workspace),
        *serving_routes(model_server),
        *(route for made_by, *paths in _LATER for route in later_routes(workspace, f"{_PROTOCOLS}.{made_by}", *paths)),
        *more,
        *page_routes(built_page()),
    ]
    app = Starlette(
        routes=routes,
        exception_handlers={FlyballError: _on_error, HTTPException: _on_http_error, Exception: _on_bug},
    )
    app.add_middleware(MlflowProtocol, workspace=workspace)
    return app


def _database_ready(workspace: Workspace) -> str:
    try:
        workspace.events.list(limit=1)
    except Exception as error:  # noqa: BLE001 - whatever keeps the database from answering is the reason
        return f"database: {error}"
    return ""


async def _events(
    workspace: Workspace, request: Request, after: int, stopping: Callable[[], bool], *, named: bool
) -> AsyncIterator[bytes]:
    """Events as they come. A browser hears named ones only by asking for each kind, and all of those without a name at once."""
    yield b"retry: 2000\n\n"
    admission = request.scope["admitted"]
    while not stopping() and not await request.is_disconnected():
        if not await run_in_threadpool(admission.is_good):
            return  # whoever lost the right hears no more
        found = await run_in_threadpool(workspace.events.list, after=after, limit=200)
        for event in found:
            after = event.id
            name = b"event: %s\n" % event.kind.encode() if named else b""
            yield b"id: %d\n%sdata: %s\n\n" % (event.id, name, to_json(event))
        await asyncio.sleep(0.0 if found else 0.5)


async def _on_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, FlyballError)
    return error_response(error)


async def _on_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 404:
        return error_response(NotFound(f"There is nothing at {request.url.path[:200]}.", hint="See /api/docs."))
    body = {"code": "invalid_input", "message": f"{error.detail}: {request.method} {request.url.path[:200]}."}
    response = json_response(body, error.status_code)
    response.headers.update(error.headers or {})
    return response


async def _on_bug(request: Request, error: Exception) -> Response:
    logger.error("a request failed", exc_info=error, extra={"path": request.url.path})
    body = {"code": "error", "message": "The server failed at this; its log says why.", "hint": "", "facts": {}}
    return json_response(body, 500)
