"""What it takes to ask who somebody is, with each request."""

from __future__ import annotations

import asyncio
import statistics
import tempfile
from collections.abc import Callable, Iterator

from starlette.types import Message, Receive, Scope, Send

from benchmarks.pairs import Pair, Timing, middle, timed
from flyball.principals import Principal, acting_as
from flyball.server.door import Door
from flyball.server.guard import Guard
from flyball.server.hosts import LOOPBACK
from flyball.settings import load_settings
from flyball.workspace import Workspace

_REQUESTS = 20_000
_GOAL = 0.05e-3  # seconds for each
_ROUNDS = 7


def run() -> Iterator[Pair]:
    """The whole door (name, site, headers, role, token) without what stands behind it, and the token alone."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Workspace(load_settings({"workspace": folder, "auth": "on"}, environment={})) as here,
    ):
        with acting_as(Principal(name="benchmark", role="owner", admin=True)):
            here.accounts.create("ada", role="contributor")
            token = here.tokens.create("benchmark", "ada").secret
        door = Door(_nothing, guard=Guard(here), hosts=LOOPBACK)
        yield _against_goal(
            f"{_REQUESTS:,} requests with a token through the door", lambda: asyncio.run(_knock(door, token))
        )
        yield _against_goal(f"{_REQUESTS:,} tokens looked up", lambda: _look_up(here, token))


def _against_goal(name: str, work: Callable[[], None]) -> Pair:
    work()
    taken = [timed(work) for _ in range(_ROUNDS)]
    goal = Timing(cpu=_GOAL * _REQUESTS, wall=_GOAL * _REQUESTS)
    ratio = statistics.median(one.cpu / goal.cpu for one in taken)
    return Pair(name=name, ours=middle(taken), theirs=goal, against="0.05 ms for each", ratio=ratio, goal=1.0)


def _look_up(here: Workspace, token: str) -> None:
    for _ in range(_REQUESTS):
        known = here.authority.remembered(token) or here.authority.find(token)
        assert known is not None
        assert known.within("default").role == "contributor"


async def _knock(door: Door, token: str) -> None:
    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    statuses = set()

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            statuses.add(message["status"])

    headers = [
        (b"host", b"127.0.0.1:8080"), (b"user-agent", b"mlflow-python-client/3.18"), (b"accept-encoding", b"gzip, deflate"),
        (b"accept", b"*/*"), (b"connection", b"keep-alive"), (b"authorization", f"Bearer {token}".encode()),
        (b"content-length", b"120"), (b"content-type", b"application/json"),
    ]  # fmt: skip
    for _ in range(_REQUESTS):
        scope: Scope = {
            "type": "http", "method": "POST", "path": "/api/2.0/mlflow/runs/log-batch", "headers": headers,
            "client": ("127.0.0.1", 40_000), "server": ("127.0.0.1", 8080), "scheme": "http", "query_string": b"",
        }  # fmt: skip
        await door(scope, receive, send)
    assert statuses == {204}


async def _nothing(_: Scope, __: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})
