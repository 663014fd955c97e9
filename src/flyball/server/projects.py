"""Projects by address: `/projects/<name>/...` is the whole application of that project; all else is the workspace's own.

The prefix is taken off before the door looks at a request, and the project's application is found behind it: who knocks is
asked once, and one rule holds for the same address of every project.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from weakref import WeakKeyDictionary

from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from flyball.access.open_projects import Held
from flyball.access.projects import missing
from flyball.errors import Conflict, FlyballError, NotFound
from flyball.principals import acting
from flyball.server.routes import error_response
from flyball.settings import HOME, PROJECTS, check_project
from flyball.workspace import Workspace

_PREFIX = re.compile(rf"/{PROJECTS}/([^/]+)(/.*)?", re.DOTALL)
_REMEMBERED = 0.5  # seconds for which another process may go on in a project that was archived or deleted here
_MOST = 1000
_UNSAFE = frozenset({"PUT", "PATCH", "DELETE"})


def split_project(path: str) -> tuple[str, str]:
    """The project that an address belongs to, and the address within it; the latter is empty where not even a slash follows."""
    found = _PREFIX.fullmatch(path)
    return (found[1], found[2] or "") if found else (HOME, path)


def no_such_project(name: str) -> Response:
    """What is answered where there is no such project, and where one may not enter it: nobody can tell one from the other."""
    return error_response(missing(name, []))


class ProjectPrefix:
    """Takes `/projects/<name>` off the address and writes the name into the scope, before anything else looks at it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            name, rest = split_project(scope["path"])
            scope["project"] = name
            if rest != scope["path"]:
                raw = scope.get("raw_path") or scope["path"].encode("utf-8", "surrogateescape")
                prefix = f"/{PROJECTS}/{name}".encode()
                # Whoever writes a plain prefix with escapes hides something; what follows it may have them.
                odd = not raw.startswith(prefix)
                scope = {**scope, "path": rest or "/", "raw_path": raw[len(prefix) :] or b"/", "project_root": not rest}
                scope["project"] = "" if odd else name
        await self._app(scope, receive, send)


class ByProject:
    """Hands a request to the application of its project, which is opened when it is first asked for.

    Args:
        app: The application of the workspace itself.
        make_app: Makes the application of a project.
    """

    def __init__(self, app: ASGIApp, workspace: Workspace, make_app: Callable[[Workspace], ASGIApp]) -> None:
        self._app = app
        self._workspace = workspace
        self._make_app = make_app
        self._apps: WeakKeyDictionary[Workspace, ASGIApp] = WeakKeyDictionary()
        self._stamps: dict[str, tuple[float, str]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        name = scope.get("project", HOME)
        if scope["type"] != "http" or name == HOME:
            if scope.get("project_root"):
                await _with_slash(HOME)(scope, receive, send)
            else:
                await self._app(scope, receive, send)
            return
        held = await self._entered(name)
        if isinstance(held, Response):
            await held(scope, receive, send)
            return
        try:
            answer = _refusal(held.value, scope)
            await (answer or self._app_of(held.value))(scope, receive, send)
        finally:
            held.release()

    async def _entered(self, name: str) -> Held[Workspace] | Response:
        principal = acting()
        if principal.role == "none" and not (principal.admin or principal.auditor):
            return no_such_project(name)
        try:
            stamp = await self._stamp(check_project(name))
            if not stamp:
                return no_such_project(name)
            held = self._workspace.opened.take_open(name, stamp)
            return held if held is not None else await run_in_threadpool(self._open, name, stamp)
        except NotFound:
            return no_such_project(name)
        except FlyballError as error:
            return error_response(error) if error.code != "invalid_input" else no_such_project(name)

    async def _stamp(self, name: str) -> str:
        """What stands for the project's present state; empty if there is none. Remembered for a moment."""
        now = time.monotonic()
        at, known = self._stamps.get(name, (0.0, ""))
        if not known or now - at > _REMEMBERED:
            known = await run_in_threadpool(self._workspace.projects.state_of, name)
            if len(self._stamps) >= _MOST:
                self._stamps.clear()
            self._stamps[name] = now, known
        return known

    def _open(self, name: str, stamp: str) -> Held[Workspace]:
        projects = self._workspace.projects
        try:
            held = self._workspace.opened.take(name, stamp)
        except NotFound:
            raise
        except FlyballError as error:
            projects.note(name, trouble=str(error))
            raise
        if projects.trouble_of(name):
            projects.note(name, trouble="")
        return held

    def _app_of(self, workspace: Workspace) -> ASGIApp:
        found = self._apps.get(workspace)
        if found is None:
            found = self._apps[workspace] = self._make_app(workspace)
        return found


def _refusal(workspace: Workspace, scope: Scope) -> Response | None:
    """What is answered instead of the application: files of an archived project are not changed either."""
    if scope.get("project_root"):
        return _with_slash(workspace.settings.project)
    if scope["method"] in _UNSAFE and workspace.database.frozen:
        return error_response(Conflict(workspace.database.frozen))
    return None


def _with_slash(name: str) -> Response:
    # Addresses on the page count from where it stands.
    return RedirectResponse(f"{name}/", 307)
