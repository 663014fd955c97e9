"""The short way for what clients log one by one: from the socket to the writer and back, past all that other requests need.

A client on one connection asks with the same head again and again, only the length differs. Once such a head has gone the long
way and was admitted, the next request with the same head goes the short way: no parsing of it, no task, no routes. Whatever is
odd (another head, a body that does not fit, a batch that cannot be kept) goes the long way as it came, and is answered there.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from flyball.errors import FlyballError
from flyball.server.peers import Peer
from flyball.settings import HOME

if TYPE_CHECKING:
    from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol as HttpProtocol

    from flyball.access.open_projects import Held
    from flyball.server.guard import Admission
    from flyball.tracking.ingest import Batch
    from flyball.workspace import Workspace
else:
    from uvicorn.protocols.http.auto import AutoHTTPProtocol as HttpProtocol

Reader = Callable[[bytes], "Batch | None"]
"""What a body asks to be written; None if that cannot be said at once."""

_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d{1,7})[ \t]*\r\n", re.IGNORECASE)
# With these a request does not end where its length says, or more is to be done than to answer.
_ODD = re.compile(rb"\r\n(?:transfer-encoding|expect|upgrade|connection: *close)", re.IGNORECASE)
_END = b"\r\n\r\n"
_PROJECT = re.compile(rb"POST /projects/[a-z0-9][a-z0-9._-]{0,49}/")
_PROJECT_SECONDS = 0.5  # after so long the state of a project is asked for anew
_MOST_HEADS = 20
_HEAD_SECONDS = 30.0
_MOST_WAITING = 1 << 20


def quick_protocol(
    workspace: Workspace, readers: Mapping[str, Reader], headers: list[tuple[bytes, bytes]]
) -> type[Any]:
    """A protocol for uvicorn that answers POST requests to some paths the short way.

    Args:
        readers: What reads the body, for each path.
        headers: Headers that every answer has.
    """
    beginnings = {b"POST %s HTTP/1.1\r\n" % path.encode(): reader for path, reader in readers.items()}
    return type(
        "QuickProtocol", (_QuickProtocol,), {"workspace": workspace, "beginnings": beginnings, "fixed": headers}
    )


@dataclass(slots=True, kw_only=True)
class _Head:
    """A head that was admitted: what stands before and after the length, and where what follows it is written.

    Attributes:
        held: The project, which stays open as long as this is known; None for the workspace itself.
        until: Until when that is as it was.
    """

    before: bytes
    after: bytes
    reader: Reader
    admission: Admission
    held: Held[Workspace] | None
    until: float

    def is_current(self) -> bool:
        """Whether it would be admitted again."""
        if self.held is not None and (self.held.is_stale or time.monotonic() > self.until):
            return False
        return self.admission.is_current()


def _without_project(line: bytes) -> bytes:
    """The first line of a request as it is without a project in the address."""
    found = _PROJECT.match(line)
    return line if found is None else b"POST /" + line[found.end() :]


class _QuickProtocol(HttpProtocol):
    workspace: Workspace
    beginnings: Mapping[bytes, Reader]
    fixed: list[tuple[bytes, bytes]]

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._heads: dict[bytes, _Head] = {}  # by their beginnings
        self._is_between = True  # all that was received so far is answered
        self._wanted = self._fed = 0  # bytes of the request that goes the long way, if that is known; bytes received
        self._candidate = b""  # its head
        self._held = b""  # a known head, while its body is on the way, or its batch is being written
        self._parts: list[bytes] = []
        self._missing = 0
        self._is_writing = False
        self._waiting = b""  # what came meanwhile
        self._is_ending = False
        self._answered = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._head_timer: asyncio.TimerHandle | None = None
        self._answer: tuple[object, bytes] = (None, b"")

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        # Whose program it is does not change while a connection lasts, and takes long to find out.
        self.app_state = {**self.app_state, "peer": Peer(self.client, self.server)}
        self._await_head()

    def on_message_begin(self) -> None:
        self._await_head()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
        super().on_headers_complete()

    def _await_head(self) -> None:
        """Gives who connects, or begins to ask, some time to say what: a connection that says nothing costs a place."""
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(_HEAD_SECONDS, self.transport.close)

    def data_received(self, data: bytes) -> None:
        if self._is_writing:
            self._waiting += data
            if len(self._waiting) > _MOST_WAITING:
                self.transport.pause_reading()
        elif self._held:
            self._take(data)
        elif not (self._is_between and self._heads and self._begin(data)):
            self._go_long(data)

    def on_response_complete(self) -> None:
        if self._wanted and self._fed == self._wanted:
            self._is_between = True
            if self._candidate:
                self._learn(self._candidate)
        self._candidate, self._wanted = b"", 0
        super().on_response_complete()

    def shutdown(self) -> None:
        if self._held:
            self._is_ending = True
        else:
            super().shutdown()

    def connection_lost(self, exc: Exception | None) -> None:
        for timer in (self._timer, self._head_timer):
            if timer is not None:
                timer.cancel()
        for line in list(self._heads):
            self._forget(line)
        super().connection_lost(exc)

    def _go_long(self, data: bytes) -> None:
        if self._is_between:
            self._is_between = False
            self._wanted = self._fed = 0
            end = data.find(_END) + len(_END)
            head = data[:end]
            if end >= len(_END) and not _ODD.search(head):
                length = _LENGTH.search(head)
                self._wanted = end + (int(length[1]) if length else 0)
                is_ours = length and _without_project(head[: head.find(b"\n") + 1]) in self.beginnings
                # With a second length, the one that we look at would not be the one that was found right.
                self._candidate = head if is_ours and head.lower().count(b"content-length") == 1 else b""
        self._fed += len(data)
        super().data_received(data)

    def _learn(self, head: bytes) -> None:
        """Remembers the head of a request that was admitted, by our own door, into the workspace or a project of it."""
        scope = cast("Any", self.scope)
        entered: dict[str, Any] = scope.get("entered", {})
        admission: Admission | None = entered.get("admitted") or scope.get("admitted")
        length, line = _LENGTH.search(head), head[: head.find(b"\n") + 1]
        if admission is None or length is None or len(self._heads) >= _MOST_HEADS:
            return
        held: Held[Workspace] | None = None
        if entered:
            held = self.workspace.opened.take_open(entered["project"], entered["stamp"])
        if held is None and (scope.get("project", HOME) != HOME or _without_project(line) != line):
            return  # no longer as it was
        self._forget(line)
        self._heads[line] = _Head(
            before=head[: length.start(1)], after=head[length.end(1) :], reader=self.beginnings[_without_project(line)],
            admission=admission, held=held, until=time.monotonic() + _PROJECT_SECONDS,
        )  # fmt: skip

    def _forget(self, line: bytes) -> None:
        known = self._heads.pop(line, None)
        if known is not None and known.held is not None:
            known.held.release()

    def _begin(self, data: bytes) -> bool:
        """Takes the beginning of a request whose head is known; False if it is not."""
        known = self._heads.get(data[: data.find(b"\n") + 1])
        if known is None:
            return False
        before, after = known.before, known.after
        end = data.find(_END) + len(_END)
        digits = data[len(before) : end - len(after)]
        if not (data.startswith(before) and data.endswith(after, 0, end) and 0 < len(digits) < 7 and digits.isdigit()):
            return False
        if not known.is_current():  # the door is asked again, and may think otherwise by now
            self._forget(data[: data.find(b"\n") + 1])
            return False
        if self.timeout_keep_alive_task is not None:
            self.timeout_keep_alive_task.cancel()
            self.timeout_keep_alive_task = None
        self._held, self._missing = data[:end], int(digits)
        if len(data) > end or not self._missing:
            self._take(data[end:])
        return True

    def _take(self, data: bytes) -> None:
        """Takes a part of the body; with the last one the batch goes to the writer."""
        self._missing -= len(data)
        if self._missing > 0:
            self._parts.append(data)
            return
        if self._missing < 0:
            data, self._waiting = data[: self._missing], data[self._missing :]
        if self._parts:
            data = b"".join([*self._parts, data])
            self._parts = []
        self._missing = 0
        known = self._heads[self._held[: self._held.find(b"\n") + 1]]
        batch = known.reader(data)
        self._held += data
        if batch is None:
            self._give_up()
            return
        self._is_writing = True
        try:
            (known.held.value if known.held else self.workspace).ingest.write_then(batch, self.loop, self._written)
        except FlyballError:
            self._give_up()

    def _give_up(self) -> None:
        """Lets the request go the long way."""
        if self._waiting:
            self.transport.resume_reading()
        data, self._held, self._waiting, self._is_writing = self._held + self._waiting, b"", b"", False
        self._go_long(data)
        if self._is_ending:
            super().shutdown()

    def _written(self, error: BaseException | None) -> None:
        if self.transport.is_closing():
            return
        if error is not None:
            self._give_up()
            return
        self._is_writing, self._held = False, b""
        default = self.server_state.default_headers
        if self._answer[0] is not default:
            self._answer = default, _answer([*default, *self.fixed])
        self.transport.write(self._answer[1])
        if self._is_ending:
            self.transport.close()
            return
        self._answered = self.loop.time()
        if self._timer is None:
            self._timer = self.loop.call_later(self.timeout_keep_alive, self._check_idle)
        if self._waiting:
            data, self._waiting = self._waiting, b""
            self.transport.resume_reading()
            self.data_received(data)

    def _check_idle(self) -> None:
        """Ends a connection on which nothing was asked for a while."""
        self._timer = None
        if self._held or not self._is_between or self.timeout_keep_alive_task is not None:
            return  # at the next answer it begins anew, here or by the long way
        left = self._answered + self.timeout_keep_alive - self.loop.time()
        if left > 0.01:
            self._timer = self.loop.call_later(left, self._check_idle)
        else:
            self.transport.close()


def _answer(headers: list[tuple[bytes, bytes]]) -> bytes:
    lines = [b"HTTP/1.1 200 OK", *(b"%s: %s" % pair for pair in headers)]
    return b"\r\n".join([*lines, b"content-type: application/json", b"content-length: 2", b"", b"{}"])
