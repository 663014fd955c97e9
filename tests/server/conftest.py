from __future__ import annotations

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from flyball.server.app import create_app
from flyball.workspace import Workspace
from tests.servers.flyball_server import owner


def client_of(workspace: Workspace, app: Starlette | None = None) -> TestClient:
    """A client of the workspace's application in the hands of its owner, without a network between."""
    made = app or create_app(workspace)
    return TestClient(made, base_url="http://localhost", raise_server_exceptions=False, headers=owner(workspace))


@pytest.fixture
def http(workspace: Workspace) -> TestClient:
    """A client of the workspace's application, without a network between."""
    return client_of(workspace)
