"""What this server is and can do, as MLflow's clients ask before they use it."""

from __future__ import annotations

from typing import Any

from starlette.responses import PlainTextResponse, Response

from flyball.server.protocols.mlflow.wire import endpoint
from flyball.workspace import Workspace

SPOKEN = "3.18.0"
"""The release of MLflow whose protocol is spoken."""


@endpoint("GET", "/version")
async def version(workspace: Workspace) -> Response:
    """The release whose protocol is spoken."""
    return PlainTextResponse(SPOKEN)


@endpoint("GET", "mlflow/server-info", version="3.0")
async def server_info(workspace: Workspace) -> dict[str, Any]:
    """What the server can do. Files go through it, in one piece unless a client asks for parts."""
    return {
        "store_type": "SqlStore",
        "workspaces_enabled": False,
        "trace_archival_enabled": False,
        "multipart_uploads_enabled": False,
        "multipart_downloads_enabled": False,
        "artifact_serving_enabled": True,
        "presigned_upload_run_id_supported": False,
        "presigned_upload_model_id_supported": False,
        "model_artifact_presigned_downloads_supported": False,
        "features_enabled": {"gateway": False, "scheduled_issue_detection": False},
        "tracking_auth": "",
        "artifacts_presigned_only": False,
    }
