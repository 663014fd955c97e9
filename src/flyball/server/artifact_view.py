"""Artifacts as a browser shows them: images, sound, HTML. What is shown is fenced off from the page, whatever it holds."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from flyball.workspace import Workspace

# Only what a browser draws or plays by itself, and HTML; all else is handed out as bytes by `/blobs/`.
_KINDS: Final = {
    ".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".gif": "image/gif", ".webp": "image/webp",
    ".svg": "image/svg+xml", ".bmp": "image/bmp", ".wav": "audio/wav", ".mp3": "audio/mpeg", ".ogg": "audio/ogg",
    ".flac": "audio/flac", ".mp4": "video/mp4", ".webm": "video/webm", ".html": "text/html", ".htm": "text/html",
}  # fmt: skip
# `sandbox` gives the document an origin of its own, so that its scripts reach neither the page nor the API; `connect-src`
# and `default-src` keep it from telling anything to anybody.
_FENCE: Final = (
    "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; "
    "img-src data: blob:; media-src data: blob:; font-src data:; connect-src 'none'; form-action 'none'; base-uri 'none'; "
    "frame-ancestors 'self'"
)


def artifact_routes(workspace: Workspace) -> list[Route]:
    """The route `/view/<digest>/<name>`; the name's ending says how the bytes are shown."""

    async def view(request: Request) -> Response:
        kind = _KINDS.get(PurePosixPath(request.path_params["name"]).suffix.lower())
        if kind is None:
            raise HTTPException(404)
        path = await run_in_threadpool(workspace.blobs.path, request.path_params["digest"])
        headers = {
            "content-security-policy": _FENCE,
            "cache-control": "private, max-age=86400",
            "content-disposition": "inline",
        }
        return FileResponse(path, headers=headers, media_type=kind)

    return [Route("/view/{digest}/{name:path}", view)]
