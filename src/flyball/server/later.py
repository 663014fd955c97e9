"""Routes that are made when one of them is first asked for: what few ask for need not be loaded before the first answer."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool
from starlette.routing import Route, Router
from starlette.types import Receive, Scope, Send

if TYPE_CHECKING:
    from flyball.workspace import Workspace


def later_routes(workspace: Workspace, made_by: str, *paths: str) -> list[Route]:
    """Routes at these paths.

    Args:
        made_by: What makes them of the workspace, as `module:function`.
        paths: The paths of all that it makes.
    """
    later = _Later(workspace, made_by)
    return [Route(path, later) for path in paths]


class _Later:
    def __init__(self, workspace: Workspace, made_by: str) -> None:
        self._workspace = workspace
        self._made_by = made_by
        self._router: Router | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._router is None:
            self._router = await run_in_threadpool(self._make)
        await self._router(scope, receive, send)

    def _make(self) -> Router:
        module, _, function = self._made_by.partition(":")
        routes: Sequence[Route] = getattr(importlib.import_module(module), function)(self._workspace)
        return Router(routes)
