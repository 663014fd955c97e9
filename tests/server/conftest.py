from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from flyball.server.app import create_app
from flyball.workspace import Workspace


@pytest.fixture
def http(workspace: Workspace) -> TestClient:
    """A client of the workspace's application, without a network between."""
    return TestClient(create_app(workspace), base_url="http://localhost", raise_server_exceptions=False)
