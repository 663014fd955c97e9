"""The page's way to the model server: what it answers, explains and counts, passed on under the page's own address.

The page may ask its own server alone. Nothing is decided here, and no model is loaded: a request goes on as it came.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

import urllib3
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from flyball.errors import InvalidInput, NotFound, ServerUnreachable

_MOST: Final = 1 << 20
_NAME: Final = re.compile(r"[A-Za-z0-9][\w.-]{0,199}")
_ASKED: Final = {"predict": ("GET", "POST"), "explain": ("POST",)}


def serving_routes(model_server: Callable[[], str]) -> list[Route]:
    """Routes `/serving/predict/<deployment>`, `/serving/explain/<deployment>`, `/serving/metrics` and `/serving/url`.

    Args:
        model_server: Gives the address of the model server; empty if there is none beside this server.
    """
    http = urllib3.PoolManager(retries=False, timeout=urllib3.Timeout(connect=2.0, read=20.0))

    def pass_on(method: str, path: str, body: bytes | None = None) -> Response:
        address = model_server()
        if not address:
            raise NotFound("No model server stands beside this server.", hint="`flyball up` starts one.")
        try:
            answer = http.request(method, f"{address}{path}", body=body)
        except urllib3.exceptions.HTTPError as error:
            raise ServerUnreachable(f"The model server at {address} does not answer.") from error
        return Response(answer.data, answer.status, media_type=answer.headers.get("content-type"))

    async def ask(request: Request) -> Response:
        verb, name = request.path_params["verb"], request.path_params["name"]
        if request.method not in _ASKED.get(verb, ()) or not _NAME.fullmatch(name):
            raise HTTPException(404)
        body = await request.body()
        if len(body) > _MOST:
            raise InvalidInput("The body is larger than 1 MiB.", hint="Ask the model server itself for many rows.")
        return await run_in_threadpool(pass_on, request.method, f"/{verb}/{name}", body or None)

    async def metrics(_: Request) -> Response:
        return await run_in_threadpool(pass_on, "GET", "/metrics")

    async def url(_: Request) -> Response:
        return Response(await run_in_threadpool(model_server), media_type="text/plain")

    return [
        Route("/serving/metrics", metrics),
        Route("/serving/url", url),
        Route("/serving/{verb}/{name}", ask, methods=["GET", "POST"]),
    ]
