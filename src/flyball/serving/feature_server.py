"""Features over HTTP: `POST /features` with keys, values back. Plain ASGI, since a read takes less than a framework's routing.

Reads of a file on this machine happen on the event loop: they take microseconds. Reads of a server happen in a thread.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any

from flyball.clock import Clock, SystemClock, parse_time
from flyball.errors import FlyballError, InvalidInput, NotFound
from flyball.features.reading import OnlineReader
from flyball.serialization import error_to_plain, from_json, to_json

logger = logging.getLogger(__name__)

_STATUS = {
    "invalid_input": 422, "not_found": 404, "conflict": 409, "server_unreachable": 503, "permission_denied": 403,
}  # fmt: skip
_MOST_THINGS = 10_000
_KEPT_SECONDS = 2.0
_JSON = (b"content-type", b"application/json")

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
FindReader = Callable[[tuple[str, ...]], OnlineReader]
"""Gives the reader of views and sets by their names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureRequest:
    """Body of `POST /features`.

    Attributes:
        features: Names of views and sets.
        entities: For each thing its keys, and what on-demand features take.
        at: As if it were then, ISO 8601; by default it is now.
    """

    features: tuple[str, ...]
    entities: list[dict[str, Any]] = field(default_factory=list)
    at: str = ""


class FeatureApp:
    """The application of a feature server.

    Args:
        find: Gives the reader of views and sets; what it gave is used for two seconds.
        push: Takes rows of a view by its name; None where nothing may be pushed.
        local: Whether the store is a file of this machine.
        max_body: Largest body in bytes.
    """

    def __init__(
        self,
        find: FindReader,
        *,
        push: Callable[[str, list[dict[str, Any]]], object] | None = None,
        clock: Clock | None = None,
        local: bool = True,
        max_body: int = 16 << 20,
    ) -> None:
        self._find = find
        self._push = push
        self._clock = clock or SystemClock()
        self._local = local
        self._max_body = max_body
        self._readers: dict[tuple[str, ...], tuple[float, OnlineReader]] = {}

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _live(receive, send)
            return
        if scope["type"] != "http":
            return
        try:
            status, body = await self._answer(scope, receive)
        except FlyballError as error:
            status, body = _STATUS.get(error.code, 500), to_json(error_to_plain(error))
        except Exception as error:
            logger.exception("a read failed")
            status = 500
            body = to_json(error_to_plain(FlyballError(f"The read failed: {type(error).__name__}: {error}")))
        length = (b"content-length", b"%d" % len(body))
        await send({"type": "http.response.start", "status": status, "headers": [_JSON, length]})
        await send({"type": "http.response.body", "body": body})

    async def _answer(self, scope: Message, receive: Receive) -> tuple[int, bytes]:
        path, method = scope["path"], scope["method"]
        path = path.removeprefix(scope.get("root_path", ""))
        if path.rstrip("/") in ("", "/features") and method == "POST":
            given = from_json(await self._body(receive), FeatureRequest)
            # The first time asks the catalog, which takes longer than the event loop may wait.
            if self._local and self._held(given.features) is not None:
                return 200, self._read(given)
            return 200, await asyncio.to_thread(self._read, given)
        if path == "/health":
            return 200, b'{"status":"ok"}'
        if path.startswith("/push/") and method == "POST" and self._push is not None:
            rows = from_json(await self._body(receive), list[dict[str, Any]])
            return 200, to_json(await asyncio.to_thread(self._push, path.removeprefix("/push/"), rows))
        raise NotFound(
            f"There is nothing at {method} {path[:200]}.", hint="POST /features reads, POST /push/VIEW writes."
        )

    def _read(self, given: FeatureRequest) -> bytes:
        if not given.features:
            raise InvalidInput("No features are named.", hint="Give the names of views or sets as `features`.")
        if len(given.entities) > _MOST_THINGS:
            raise InvalidInput(
                f"{len(given.entities):,} things are asked for.", hint=f"Ask for {_MOST_THINGS:,} at most."
            )
        reader = self._reader(given.features)
        found = reader.read_many(given.entities, at=parse_time(given.at) if given.at else self._clock.now())
        return to_json({"rows": found.rows, "missing": found.missing})

    def _held(self, names: tuple[str, ...]) -> OnlineReader | None:
        held = self._readers.get(names)
        return held[1] if held is not None and time.monotonic() - held[0] < _KEPT_SECONDS else None

    def _reader(self, names: tuple[str, ...]) -> OnlineReader:
        held = self._held(names)
        if held is None:
            held = self._find(names)
            # Names are the caller's to choose, so what is kept of them has an end.
            kept = self._readers if len(self._readers) < 1000 else {}
            self._readers = {**kept, names: (time.monotonic(), held)}
        return held

    async def _body(self, receive: Receive) -> bytes:
        message = await receive()
        body: bytes = message.get("body", b"")
        if not message.get("more_body"):
            return self._checked(body)
        pieces, size = [body], len(body)
        while message.get("more_body") and size <= self._max_body:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise InvalidInput("The request ended before its body did.")
            pieces.append(message.get("body", b""))
            size += len(pieces[-1])
        return self._checked(b"".join(pieces))

    def _checked(self, body: bytes) -> bytes:
        if len(body) > self._max_body:
            raise InvalidInput(
                f"The body is larger than {self._max_body:,} bytes.", hint="Ask for fewer things at once."
            )
        return body


async def _live(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        kind = str(message["type"])
        await send({"type": f"{kind}.complete"})
        if kind == "lifespan.shutdown":
            return
