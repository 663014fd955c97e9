"""What it costs that a server has projects: a request in one of them against the same in the workspace itself."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator

from starlette.types import ASGIApp, Message, Scope

from benchmarks.pairs import Pair, compare
from flyball.access.local import LocalOwner
from flyball.server.app import create_app
from flyball.settings import load_settings
from flyball.workspace import Workspace

_READS = 1_000
_PROJECTS = 200
_READ = "/api/data/list"


def run() -> Iterator[Pair]:
    """The same read in a project, and spread over more projects than stay open."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Workspace(load_settings({"workspace": folder}, environment={}), durable=False) as here,
    ):
        app, token = create_app(here), LocalOwner.of(here.settings.workspace).token
        names = [f"team-{number}" for number in range(_PROJECTS)]
        for name in names:
            here.projects.create(name)
        plain = [_READ] * _READS
        one = [f"/projects/{names[0]}{_READ}"] * _READS
        yield compare(
            f"{_READS:,} reads in a project", lambda: asyncio.run(_ask(app, token, one)),
            lambda: asyncio.run(_ask(app, token, plain)), against="the same in the workspace itself", goal=1.25,
        )  # fmt: skip
        each = [f"/projects/{name}{_READ}" for name in names]
        yield compare(
            f"a read in each of {_PROJECTS} projects, of which 32 stay open", lambda: asyncio.run(_ask(app, token, each)),
            lambda: asyncio.run(_ask(app, token, plain[:_PROJECTS])), against="as many in the workspace itself", rounds=3,
        )  # fmt: skip


async def _ask(app: ASGIApp, token: str, paths: list[str]) -> None:
    statuses = set()

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            statuses.add(message["status"])

    headers = [(b"host", b"localhost"), (b"authorization", f"Bearer {token}".encode())]
    for path in paths:
        scope: Scope = {
            "type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "query_string": b"",
            "headers": headers, "scheme": "http", "client": ("127.0.0.1", 40_000), "server": ("127.0.0.1", 80),
            "http_version": "1.1",
        }  # fmt: skip
        await app(scope, receive, send)
    assert statuses == {200}
