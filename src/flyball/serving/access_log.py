"""The access log: a line of JSON for each request, off by default. It holds no query, no header and no body."""

from __future__ import annotations

import logging
import sys
import threading
from collections import deque
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from time import perf_counter
from typing import Any

from flyball.clock import Clock
from flyball.serialization import to_json

logger = logging.getLogger(__name__)

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]

_MOST_WAITING = 65_536
_PAUSE = 0.2


class AccessLog:
    """An application that writes down who came and how it went.

    Lines are written by a thread of its own: a slow disk or terminal never keeps an answer waiting. What finds no room is
    counted, and the count is written with the next line.

    Args:
        inner: Answers.
        to: File to append to; `-` for standard error.
    """

    def __init__(self, inner: Application, to: str, clock: Clock) -> None:
        self._inner = inner
        self._clock = clock
        self._to = None if to == "-" else Path(to)
        self._lines: deque[dict[str, Any]] = deque()
        self._lost = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="access-log", daemon=True)
        self._thread.start()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._inner(scope, receive, send)
            return
        start, status, size = perf_counter(), 0, 0

        async def noted(message: Message) -> None:
            nonlocal status, size
            if message["type"] == "http.response.start":
                status = message["status"]
            elif message["type"] == "http.response.body":
                size += len(message.get("body", b""))
            await send(message)

        try:
            await self._inner(scope, receive, noted)
        finally:
            client = scope.get("client")
            self._note(
                {
                    "at": self._clock.now().isoformat(), "client": client[0] if client else "", "method": scope["method"],
                    "path": scope["path"], "status": status or 500, "bytes": size, "ms": round((perf_counter() - start) * 1e3, 3),
                }
            )  # fmt: skip

    def close(self) -> None:
        """Writes what waits and stops."""
        self._stopping.set()
        self._thread.join(5)

    def _note(self, line: dict[str, Any]) -> None:
        if len(self._lines) >= _MOST_WAITING:
            self._lost += 1
            return
        self._lines.append({**line, "lost": self._lost} if self._lost else line)
        self._lost = 0

    def _run(self) -> None:
        while not self._stopping.wait(_PAUSE):
            self._write()
        self._write()

    def _write(self) -> None:
        lines = [self._lines.popleft() for _ in range(len(self._lines))]
        if not lines:
            return
        data = b"".join(to_json(line) + b"\n" for line in lines)
        try:
            if self._to is None:
                sys.stderr.buffer.write(data)
                sys.stderr.buffer.flush()
            else:
                with self._to.open("ab") as file:
                    file.write(data)
        except OSError as error:  # a full disk must not stop what is served
            self._lost += len(lines)
            logger.warning("the access log is not written", exc_info=error)
