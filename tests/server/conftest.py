from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from flyball.access.local import LocalOwner
from flyball.server.app import create_app
from flyball.server.guard import cookie_name
from flyball.workspace import Workspace
from tests.servers.flyball_server import owner

if TYPE_CHECKING:
    from playwright.sync_api import Page


def client_of(workspace: Workspace, app: Starlette | None = None) -> TestClient:
    """A client of the workspace's application in the hands of its owner, without a network between."""
    made = app or create_app(workspace)
    return TestClient(made, base_url="http://localhost", raise_server_exceptions=False, headers=owner(workspace))


@pytest.fixture
def page(page: Page, workspace: Workspace, url: str) -> Page:
    """A page of the workspace's owner, who came by a link of `flyball open`."""
    session = LocalOwner.of(workspace.settings.workspace).new_session()
    page.context.add_cookies([{"name": cookie_name(workspace.settings), "value": session, "url": url}])
    return page


@pytest.fixture
def http(workspace: Workspace) -> TestClient:
    """A client of the workspace's application, without a network between."""
    return client_of(workspace)
