"""The web page: files that were built into the package from `ui/`, already compressed, under a strict policy."""

from __future__ import annotations

import secrets
from importlib import resources
from pathlib import Path
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

_KINDS: Final = {
    ".css": "text/css", ".html": "text/html", ".js": "text/javascript", ".json": "application/json", ".svg": "image/svg+xml",
    ".txt": "text/plain", ".woff2": "font/woff2",
}  # fmt: skip
_ENCODINGS: Final = (("br", ".br"), ("gzip", ".gz"))
_FOR_EVER: Final = {
    "cache-control": "public, max-age=31536000, immutable"
}  # a file's name holds the digest of its content
_ANEW: Final = {"cache-control": "no-cache"}
_PLACEHOLDER: Final = "__NONCE__"  # the sources of the page write it where the nonce shall stand
# Components make style elements as they need them; these carry the nonce of this one answer. Scripts come from files alone.
_POLICY: Final = (
    "default-src 'self'; script-src 'self'; style-src 'self' 'nonce-{nonce}'; img-src 'self' data: blob:; media-src 'self' blob:; "
    "frame-src 'self'; object-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
)
_ABSENT: Final = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Flyball</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark"></head>
<body><h1>Flyball is up</h1>
<p>Its API and its command line work; the web page was not built where this package was installed.</p>
<p>From a checkout, with Node 20.19 or newer and the npm registry in reach:</p><pre>make ui</pre>
<p>Or install the package again, which builds the page by itself:</p><pre>pip install --force-reinstall --no-deps .</pre>
<p>Until then: <code>flyball --help</code>, and the API at <a href="api/openapi.json">api/openapi.json</a>.</p></body></html>
"""


def built_page() -> Path:
    """Where the built page lies; it may be absent."""
    return Path(str(resources.files("flyball.server"))) / "_page"


def page_routes(folder: Path) -> list[Route]:
    """Routes of the page: `/`, its files below `/page/`, and `/api/docs`, which leads to the page's own view of the API."""

    async def index(_: Request) -> Response:
        return await run_in_threadpool(_index, folder)

    async def file(request: Request) -> Response:
        return await run_in_threadpool(_file, folder, request)

    async def docs(_: Request) -> Response:
        return RedirectResponse("../#/api", 307)

    return [Route("/", index), Route("/api/docs", docs), Route("/page/{name:path}", file)]


def _index(folder: Path) -> Response:
    try:
        text = (folder / "index.html").read_text(encoding="utf-8")
    except FileNotFoundError:
        return HTMLResponse(_ABSENT, headers=_ANEW)
    nonce = secrets.token_urlsafe(16)
    policy = _POLICY.format(nonce=nonce)
    return HTMLResponse(text.replace(_PLACEHOLDER, nonce), headers={"content-security-policy": policy, **_ANEW})


def _file(folder: Path, request: Request) -> Response:
    """A file of the page, in the smallest form that the browser takes."""
    root = (folder / "page").resolve()
    path = (root / request.path_params["name"]).resolve()
    if not path.is_relative_to(root) or not path.is_file() or path.suffix not in _KINDS:
        raise HTTPException(404)
    headers = dict(_FOR_EVER if "-" in path.stem else _ANEW)
    taken = request.headers.get("accept-encoding", "")
    for name, suffix in _ENCODINGS:
        small = path.with_name(path.name + suffix)
        if name in taken and small.is_file():
            headers |= {"content-encoding": name, "vary": "accept-encoding"}
            return FileResponse(small, headers=headers, media_type=_KINDS[path.suffix])
    return FileResponse(path, headers=headers | {"vary": "accept-encoding"}, media_type=_KINDS[path.suffix])
