"""What streams without end does not keep the server from stopping."""

from __future__ import annotations

from flyball.server.app import create_app
from flyball.workspace import Workspace
from tests.server.conftest import client_of


def test_the_stream_of_events_ends_by_itself_when_the_server_is_told_to_stop(workspace: Workspace) -> None:
    said = iter([False, True])
    app = create_app(workspace, stopping=lambda: next(said))
    with client_of(workspace, app) as client:
        answer = client.get("/api/events/stream")
    assert answer.status_code == 200
    assert answer.text.startswith("retry: 2000")
    assert next(said, None) is None
