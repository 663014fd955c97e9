"""Projects by address: `/projects/<name>/...` is the whole application of that project; all else is the workspace's own.

The prefix is taken off before the door looks at a request, and the project's application is found behind it: who knocks is
asked once, and one rule holds for the same address of every project.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable

from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from flyball.access.open_projects import Held
from flyball.access.projects import Standing
from flyball.errors import Conflict, FlyballError, NotFound
from flyball.principals import acting
from flyball.server.door import STREAMED
from flyball.server.protocols.mlflow import wire
from flyball.server.route_roles import is_mlflow, need_of
from flyball.server.routes import error_response
from flyball.settings import HOME, PROJECTS
from flyball.workspace import Workspace

_PREFIX = re.compile(rf"/{PROJECTS}/([^/]+)(/.*)?", re.DOTALL)
_REMEMBERED = 0.5  # seconds for which another process may go on in a project that was archived or deleted here
_MOST = 1000
_OTHERS = "/api/labels/"  # other programs come here, with what a set of labels has told them alone
_UNSAFE = frozenset({"PUT", "PATCH", "DELETE"})


def split_project(path: str) -> tuple[str, str]:
    """The project that an address belongs to, and the address within it; the latter is empty where not even a slash follows."""
    found = _PREFIX.fullmatch(path)
    return (found[1], found[2] or "") if found else (HOME, path)


def no_such_project(name: str, path: str) -> Response:
    """What is answered where there is no such project, and where one may not enter it: nobody can tell one from the other."""
    error = NotFound(f"There is no project '{name[:60]}'.", hint="`flyball whoami` lists those you may enter.")
    return wire.error_response(str(error), "ENDPOINT_NOT_FOUND") if is_mlflow(path) else error_response(error)


class ProjectPrefix:
    """Takes `/projects/<name>` off the address and writes the name into the scope, before anything else looks at it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            name, rest = split_project(scope["path"])
            scope["project"] = name
            if rest != scope["path"]:
                scope["entered"] = {}  # shared with whoever reads the connection, see `quick.py`
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
        self._standings: dict[str, tuple[float, Standing]] = {}
        self._taken_in: dict[str, tuple[int, int]] = {}  # bytes since a count: what was counted, what came since

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        name = scope.get("project", HOME)
        if scope.get("project_root"):
            # Addresses on the page count from where it stands.
            await RedirectResponse(f"{name}/", 307)(scope, receive, send)
        elif scope["type"] != "http" or name == HOME or _is_the_same_everywhere(scope):
            await self._app(scope, receive, send)
        else:
            await self._enter(name, scope, receive, send)

    async def _enter(self, name: str, scope: Scope, receive: Receive, send: Send) -> None:
        held = await self._entered(name, scope["path"])
        if isinstance(held, Response):
            await held(scope, receive, send)
            return
        try:
            if "entered" in scope:
                stamp = self._standings[name][1].stamp if name in self._standings else ""
                scope["entered"].update(project=name, stamp=stamp, admitted=scope.get("admitted"))
            refused = self._refused(name, held.value, scope)
            if refused is not None:
                await _told(refused, scope["path"])(scope, receive, send)
            else:
                if "app" not in held.beside:
                    await run_in_threadpool(self._make_app_of, held)
                await held.beside["app"](scope, receive, send)
        finally:
            held.release()

    async def _entered(self, name: str, path: str) -> Held[Workspace] | Response:
        if acting().role == "none" and not path.startswith(_OTHERS):
            return no_such_project(name, path)
        try:
            standing = await self._standing(name)
            if standing is None:
                return no_such_project(name, path)
            held = self._workspace.opened.take_open(name, standing.stamp)
            return held if held is not None else await run_in_threadpool(self._open, name, standing.stamp)
        except NotFound:
            return no_such_project(name, path)
        except FlyballError as error:
            return _told(error, path)

    async def _standing(self, name: str) -> Standing | None:
        """How the project stands at present; None if there is none. Remembered for a moment."""
        now = time.monotonic()
        at, known = self._standings.get(name, (0.0, None))
        if known is None or now - at > _REMEMBERED:
            known = await run_in_threadpool(lambda: self._workspace.projects.standing_of(name))
            if known is None:
                self._standings.pop(name, None)
                return None
            if len(self._standings) >= _MOST:
                self._standings.clear()
            self._standings[name] = now, known
        return known

    def _refused(self, name: str, project: Workspace, scope: Scope) -> Conflict | None:
        """Why a file is not taken: files are written without a transaction, which the database would refuse."""
        is_upload = scope["method"] == "POST" and scope["path"].startswith(STREAMED)
        if scope["method"] not in _UNSAFE and not is_upload:
            return None
        if project.database.frozen:
            return Conflict(project.database.frozen)
        _, standing = self._standings.get(name, (0.0, None))
        if standing is None or not standing.most_bytes or scope["method"] == "DELETE":
            return None
        counted, since = self._taken_in.get(name, (standing.stored_bytes, 0))
        if counted != standing.stored_bytes:
            since = 0
        length = next((value for key, value in scope["headers"] if key == b"content-length"), b"0")
        since += int(length) if length.isdigit() else 0
        if standing.stored_bytes + since > standing.most_bytes:
            return Conflict(
                f"The project '{name}' may keep {standing.most_bytes:,} bytes in files, and has that many.",
                hint="Remove what is not needed, or ask who looks after the instance for more.",
            )
        self._taken_in[name] = standing.stored_bytes, since
        return None

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

    def _make_app_of(self, held: Held[Workspace]) -> None:
        # Kept beside the workspace that it refers to, so that both go together. Two that make one at once make the same.
        held.beside.setdefault("app", self._make_app(held.value))


def _told(error: FlyballError, path: str) -> Response:
    if not is_mlflow(path):
        return error_response(error)
    return wire.error_response(str(error), "RESOURCE_CONFLICT" if isinstance(error, Conflict) else "INTERNAL_ERROR")


def _is_the_same_everywhere(scope: Scope) -> bool:
    """Whether it is open to all, as the page's files are: it tells nothing, not even whether there is such a project."""
    return need_of(scope["method"], scope["path"]) == "open" and not scope["path"].startswith(_OTHERS)
