"""What this server is, as MLflow's clients ask for it."""

from __future__ import annotations

from starlette.responses import PlainTextResponse, Response

from flyball.server.protocols.mlflow.wire import endpoint
from flyball.workspace import Workspace

SPOKEN = "3.18.0"
"""The release of MLflow whose protocol is spoken."""


@endpoint("GET", "/version")
async def version(workspace: Workspace) -> Response:  # noqa: ARG001
    """The release whose protocol is spoken."""
    return PlainTextResponse(SPOKEN)
