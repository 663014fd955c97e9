"""Bodies that are kept as blobs while they come, and are never in memory as a whole.

While one part is written and hashed by a thread, the next one arrives; and what is written is brought to the disk from time to
time, so that at the end little is left to wait for.
"""

from __future__ import annotations

import asyncio
import os
from io import BufferedWriter
from pathlib import Path

from blake3 import blake3
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from flyball.errors import InvalidInput
from flyball.refs import new_id
from flyball.workspace import Workspace

_AT_ONCE = 4 << 20  # what is handed to a thread at once: many small writes cost more than the bytes
_SYNC_EVERY = 64 << 20


def fresh_file(workspace: Workspace) -> BufferedWriter:
    """A new file for what is arriving."""
    folder = workspace.settings.workspace / "incoming"
    folder.mkdir(parents=True, exist_ok=True)
    return (folder / new_id()).open("xb", buffering=_AT_ONCE)  # type: ignore[return-value]  # typeshed knows only the default size


async def receive(workspace: Workspace, request: Request, *, most: int = 0, expected: str = "") -> tuple[str, int]:
    """Keeps a body as a blob; gives its digest and size.

    Args:
        most: Most bytes that are taken; 0 for any number.
        expected: The digest that it must have; any by default.

    Raises:
        InvalidInput: it is larger than that, or has another digest.
        ClientDisconnect: the client went away before the end.
    """
    pieces: list[bytes] = []
    waiting = size = 0
    arriving: _Arriving | None = None
    try:
        async for piece in request.stream():
            pieces.append(piece)
            waiting += len(piece)
            size += len(piece)
            if most and size > most:
                raise InvalidInput(f"The file is larger than {most >> 20} MiB.")
            if waiting >= _AT_ONCE:
                if arriving is None:
                    arriving = await run_in_threadpool(_Arriving, workspace)
                await arriving.take(pieces)
                pieces, waiting = [], 0
        if arriving is None:
            return await run_in_threadpool(_put, workspace, pieces, expected), size
        await arriving.take(pieces)
        return await arriving.keep(expected), size
    finally:
        if arriving is not None:
            await arriving.forget()


def _put(workspace: Workspace, pieces: list[bytes], expected: str) -> str:
    return workspace.blobs.put(b"".join(pieces), expected=expected)


class _Arriving:
    """A body on its way into a file."""

    def __init__(self, workspace: Workspace) -> None:
        self._blobs = workspace.blobs
        folder = workspace.settings.workspace / "incoming"
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / new_id()
        self._file = os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        self._hasher = blake3(max_threads=blake3.AUTO)
        self._unsynced = 0
        self._writing: asyncio.Future[None] | None = None
        self._syncing: asyncio.Future[None] | None = None

    async def take(self, pieces: list[bytes]) -> None:
        """Begins to write the next pieces, once the ones before are written."""
        await self._written()
        self._writing = asyncio.ensure_future(run_in_threadpool(self._write, pieces))
        self._unsynced += sum(map(len, pieces))
        if self._unsynced >= _SYNC_EVERY and (self._syncing is None or self._syncing.done()):
            self._unsynced = 0
            self._syncing = asyncio.ensure_future(run_in_threadpool(os.fdatasync, self._file))

    async def keep(self, expected: str) -> str:
        """Keeps what has come as a blob; gives its digest."""
        await self._written()
        await self._synced()
        digest = str(self._hasher.hexdigest())
        await run_in_threadpool(self._blobs.adopt, self._path, digest, expected=expected)
        return digest

    async def forget(self) -> None:
        """Removes the file; it may be a blob by then, under another name."""
        try:
            await asyncio.shield(self._settled())
        finally:
            await asyncio.shield(run_in_threadpool(self._remove))

    async def _settled(self) -> None:
        under_way = [one for one in (self._writing, self._syncing) if one is not None]
        await asyncio.gather(*under_way, return_exceptions=True)

    async def _written(self) -> None:
        if self._writing is not None:
            await self._writing

    async def _synced(self) -> None:
        if self._syncing is not None:
            await self._syncing

    def _write(self, pieces: list[bytes]) -> None:
        data = b"".join(pieces)
        left = memoryview(data)
        while left:
            left = left[os.write(self._file, left) :]
        self._hasher.update(data)

    def _remove(self) -> None:
        os.close(self._file)
        Path(self._path).unlink(missing_ok=True)
