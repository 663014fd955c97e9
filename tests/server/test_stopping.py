"""What streams without end does not keep the server from stopping."""

from __future__ import annotations

from starlette.testclient import TestClient

from flyball.server.app import create_app
from flyball.workspace import Workspace


def test_the_stream_of_events_ends_by_itself_when_the_server_is_told_to_stop(workspace: Workspace) -> None:
    said = iter([False, True])
    app = create_app(workspace, hosts=frozenset({"testserver"}), stopping=lambda: next(said))
    with TestClient(app) as client:
        answer = client.get("/api/events/stream")
    assert answer.status_code == 200
    assert answer.text.startswith("retry: 2000")
    assert next(said, None) is None
