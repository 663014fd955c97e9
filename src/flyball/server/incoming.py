"""Bodies that are kept as blobs while they come, and are never in memory as a whole."""

from __future__ import annotations

from io import BufferedWriter
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from flyball.errors import InvalidInput
from flyball.refs import new_id
from flyball.workspace import Workspace

_AT_ONCE = 4 << 20  # what is handed to a thread at once: many small writes cost more than the bytes


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
    file: BufferedWriter | None = None
    try:
        async for piece in request.stream():
            pieces.append(piece)
            waiting += len(piece)
            size += len(piece)
            if most and size > most:
                raise InvalidInput(f"The file is larger than {most >> 20} MiB.")
            if waiting >= _AT_ONCE:
                file = await run_in_threadpool(_write, workspace, file, pieces)
                pieces, waiting = [], 0
        return await run_in_threadpool(_keep, workspace, file, pieces, expected), size
    finally:
        if file is not None:
            await run_in_threadpool(_remove, file)


def _write(workspace: Workspace, file: BufferedWriter | None, pieces: list[bytes]) -> BufferedWriter:
    file = file or fresh_file(workspace)
    file.writelines(pieces)
    return file


def _keep(workspace: Workspace, file: BufferedWriter | None, pieces: list[bytes], expected: str) -> str:
    if file is None:
        return workspace.blobs.put(b"".join(pieces), expected=expected)
    file.writelines(pieces)
    file.close()
    return workspace.blobs.put_file(Path(file.name), owned=True, expected=expected)


def _remove(file: BufferedWriter) -> None:
    file.close()
    Path(file.name).unlink(missing_ok=True)
