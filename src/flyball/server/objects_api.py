"""Bytes over HTTP: blobs by digest, and reading of named objects."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from flyball.errors import InvalidInput, NotFound
from flyball.server.routes import json_response
from flyball.storage.object_store import check_key
from flyball.storage.objects import check_digest, digest_file
from flyball.workspace import Workspace

_PIECE = 1 << 20


def object_routes(workspace: Workspace) -> list[Route]:
    """Routes `/blobs/<digest>` (get, head, put) and `/objects/<key>` (get, head), `/objects?prefix=` (list)."""

    async def get_blob(request: Request) -> Response:
        path = await run_in_threadpool(workspace.blobs.path, request.path_params["digest"])
        return _file(path, request.method)

    async def put_blob(request: Request) -> Response:
        name = check_digest(request.path_params["digest"])
        folder = workspace.settings.workspace / "incoming"
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as fresh:
            path = Path(fresh) / "blob"
            with path.open("wb") as file:
                async for piece in request.stream():
                    await run_in_threadpool(file.write, piece)
            found = await run_in_threadpool(digest_file, path)
            if found != name:
                raise InvalidInput(f"The bytes sent have the digest {found[:12]}..., not {name[:12]}....")
            await run_in_threadpool(workspace.blobs.put_file, path)
        return json_response({"digest": name}, 201)

    async def get_object(request: Request) -> Response:
        key = check_key(request.path_params["key"])
        found = await run_in_threadpool(workspace.store.stat, key)
        if found is None:
            raise NotFound(f"There is no object '{key}'.")
        headers = {"etag": f'"{found.etag}"', "x-flyball-size": str(found.size)}
        if request.method == "HEAD":
            return Response(headers=headers)
        return Response(await run_in_threadpool(workspace.store.get, key), headers=headers, media_type=_OPAQUE)

    async def list_objects(request: Request) -> Response:
        prefix = request.query_params.get("prefix", "")
        if ".." in prefix or prefix.startswith("/"):
            raise InvalidInput(f"{prefix[:80]!r} cannot be the prefix of a key.")
        return json_response(await run_in_threadpool(lambda: list(workspace.store.list(prefix))))

    return [
        Route("/blobs/{digest}", get_blob, methods=["GET", "HEAD"]),
        Route("/blobs/{digest}", put_blob, methods=["PUT"]),
        Route("/objects", list_objects, methods=["GET"]),
        Route("/objects/{key:path}", get_object, methods=["GET", "HEAD"]),
    ]


# What is kept is somebody's file: it is handed out as bytes, never as something a browser would run.
_OPAQUE = "application/octet-stream"


def _file(path: Path, method: str) -> Response:
    headers = {"content-length": str(path.stat().st_size), "content-disposition": "attachment"}
    if method == "HEAD":
        return Response(headers=headers)

    def pieces() -> Iterator[bytes]:
        with path.open("rb") as file:
            while piece := file.read(_PIECE):
                yield piece

    return StreamingResponse(pieces(), headers=headers, media_type=_OPAQUE)
