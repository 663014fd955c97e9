"""A real server with things worth stealing beside it, asked byte by byte: no client tidies up what is sent."""

from __future__ import annotations

import http.client
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from flyball.access.local import local_token
from flyball.testing import workspace as made_in
from flyball.workspace import Workspace
from tests.servers.flyball_server import serving

SECRET = b"the canary sings"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What came back, and every header as it stood there."""

    status: int
    body: bytes
    headers: dict[str, str]


@dataclass(slots=True, kw_only=True)
class Target:
    """A server that is attacked, as its owner or as nobody."""

    workspace: Workspace
    port: int
    token: str
    outside: Path
    host: str = "127.0.0.1"
    prefix: str = ""
    run: str = ""
    sent: list[str] = field(default_factory=list)

    def ask(
        self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None, *, known: bool = True
    ) -> Answered:
        """Asks with the path as it is written."""
        given = {"Host": f"127.0.0.1:{self.port}", "Content-Type": "application/json"}
        if known:
            given["Authorization"] = f"Bearer {self.token}"
        given |= headers or {}
        connection = http.client.HTTPConnection(self.host, self.port, timeout=30)
        try:
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            for name, value in given.items():
                connection.putheader(name, value)
            if body or method in ("POST", "PUT"):
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body or None)
            answer = connection.getresponse()
            return Answered(
                status=answer.status, body=answer.read(), headers={k.lower(): v for k, v in answer.getheaders()}
            )
        finally:
            connection.close()


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[Target]:
    """A server with a run and a file, and a file beside its workspace that nobody may see."""
    folder = tmp_path_factory.mktemp("attacked")
    outside = folder / "canary.txt"
    outside.write_bytes(SECRET)
    root = folder / "project"
    (root / ".flyball").mkdir(parents=True)
    shutil.copyfile(sqlite_template, root / ".flyball" / "flyball.db")
    with made_in(root) as workspace:
        run = workspace.tracking.create_run("churn", "first").id
        workspace.tracking.log_artifact(run, "a/b.txt", workspace.blobs.put(b"some bytes"), 10)
        with serving(workspace) as url:
            token = local_token(workspace.settings.workspace)
            yield Target(workspace=workspace, port=int(url.rpartition(":")[2]), token=token, outside=outside, run=run)
