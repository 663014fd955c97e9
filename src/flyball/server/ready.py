"""Whether the parts of a running workspace are ready, and why not."""

from __future__ import annotations

import sqlalchemy as sa
import urllib3

from flyball.loops.lease import LEASE
from flyball.storage.database import leases
from flyball.workspace import Workspace


def controller_ready(workspace: Workspace) -> str:
    """Empty if a controller holds the lease, else why not."""
    now = workspace.database.dialect.now
    held = sa.select(leases.c.holder).where(leases.c.name == LEASE, leases.c.expires > now)
    return "" if workspace.database.row(held) else "controller: none holds the lease yet"


def model_server_ready(url: str) -> str:
    """Empty if the model server answers, else why not."""
    try:
        answer = urllib3.request("GET", f"{url}/v2/health/live", timeout=2.0, retries=False)
    except urllib3.exceptions.HTTPError:
        return "model server: it does not answer yet"
    return "" if answer.status == 200 else f"model server: it answers with status {answer.status}"
