"""Bytes over HTTP: blobs by digest, and reading of named objects."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from flyball.errors import InvalidInput, NotFound
from flyball.serialization import from_json, pack, unpack_as
from flyball.server.incoming import receive
from flyball.server.routes import json_response
from flyball.storage.audit_reads import ProtectedReads
from flyball.storage.object_store import check_key, check_prefix
from flyball.storage.objects import check_digest
from flyball.workspace import Workspace

_PREDICTIONS = "predictions/"
_PIECE = 1 << 20
_MOST_AT_ONCE = 64 << 20


def object_routes(workspace: Workspace) -> list[Route]:
    """Routes `/blobs/<digest>` (get, head, put) and `/objects/<key>` (get, head), `/objects?prefix=` (list).

    `/blobs` (put) takes many small ones at once, as a MessagePack array of their bytes; `/blobs` (post) takes a JSON array of
    digests and gives such an array back.
    """

    reads = _PredictionReads(workspace)

    async def get_blob(request: Request) -> Response:
        path = await run_in_threadpool(workspace.blobs.path, request.path_params["digest"])
        size = await run_in_threadpool(lambda: path.stat().st_size)
        headers = {"content-length": str(size), **_ATTACHED}
        if request.method == "HEAD":
            return Response(headers=headers, media_type=_BYTES)
        return StreamingResponse(_pieces(path), headers=headers, media_type=_BYTES)

    async def put_blob(request: Request) -> Response:
        name = check_digest(request.path_params["digest"])
        await receive(workspace, request, expected=name)
        return json_response({"digest": name}, 201)

    async def put_blobs(request: Request) -> Response:
        if int(request.headers.get("content-length") or 0) > _MOST_AT_ONCE:
            raise InvalidInput(
                f"More than {_MOST_AT_ONCE >> 20} MiB at once are not taken.", hint="Send them in parts."
            )
        data = unpack_as(await request.body(), list[bytes])
        return json_response({"digests": await run_in_threadpool(workspace.blobs.put_many, data)}, 201)

    async def get_blobs(request: Request) -> Response:
        names = from_json(await request.body(), list[str])
        return Response(await run_in_threadpool(_many, workspace, names), headers=_ATTACHED, media_type=_BYTES)

    async def get_object(request: Request) -> Response:
        key = check_key(request.path_params["key"])
        found = await run_in_threadpool(workspace.store.stat, key)
        if found is None:
            raise NotFound(f"There is no object '{key}'.")
        headers = {"etag": '"' + found.etag.strip('"') + '"', **_ATTACHED}
        await run_in_threadpool(reads.note, key)
        if request.method == "HEAD":
            return Response(headers={**headers, "content-length": str(found.size)}, media_type=_BYTES)
        return Response(await run_in_threadpool(workspace.store.get, key), headers=headers, media_type=_BYTES)

    async def list_objects(request: Request) -> Response:
        prefix = check_prefix(request.query_params.get("prefix", ""))
        return json_response(await run_in_threadpool(lambda: list(workspace.store.list(prefix))))

    return [
        Route("/blobs", put_blobs, methods=["PUT"]),
        Route("/blobs", get_blobs, methods=["POST"]),
        Route("/blobs/{digest}", get_blob, methods=["GET", "HEAD"]),
        Route("/blobs/{digest}", put_blob, methods=["PUT"]),
        Route("/objects", list_objects, methods=["GET"]),
        Route("/objects/{key:path}", get_object, methods=["GET", "HEAD"]),
    ]


class _PredictionReads:
    """Notes who reads the log of a deployment's predictions."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._reads: ProtectedReads | None = (
            None  # made when it is first needed: a start does not wait for the database
        )

    def note(self, key: str) -> None:
        """Notes that an object is read, if it holds predictions."""
        if not key.startswith(_PREDICTIONS):
            return
        if self._reads is None:
            self._reads = ProtectedReads(self._workspace.database)
        self._reads.note("predictions.read", f"deployments:/{key.split('/')[1]}")


# What is kept is somebody's file: it is handed out as bytes, never as something a browser would run.
_BYTES = "application/octet-stream"
_ATTACHED = {"content-disposition": "attachment"}


def _many(workspace: Workspace, names: list[str]) -> bytes:
    size = sum(workspace.blobs.size(name) for name in names)
    if size > _MOST_AT_ONCE:
        raise InvalidInput(f"More than {_MOST_AT_ONCE >> 20} MiB at once are not given.", hint="Ask for them in parts.")
    return pack(workspace.blobs.get_many(names))


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            yield piece
