"""Our own server on a real port, and a workspace seen through it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from flyball.access.local import LocalOwner
from flyball.client import RemoteWorkspace
from flyball.server.app import create_app
from flyball.server.main import make_server
from flyball.settings import load_settings
from flyball.workspace import Workspace
from tests.servers.processes import free_port


def owner(workspace: Workspace) -> dict[str, str]:
    """Headers of a program that shows the token of the workspace's owner, as one must that is on no connection."""
    return {"authorization": f"Bearer {LocalOwner.of(workspace.settings.workspace).token}"}


@pytest.fixture
def shown(workspace: Workspace) -> dict[str, str]:
    """The same headers."""
    return owner(workspace)


@contextmanager
def serving(workspace: Workspace) -> Iterator[str]:
    """The address of a real server of the workspace, which is gone at the end."""
    port = free_port()
    app = create_app(workspace)
    server = make_server(workspace, app, host="127.0.0.1", port=port, grace=1)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        thread.join(0.01)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture
def url(workspace: Workspace) -> Iterator[str]:
    """The address of a real server of the workspace."""
    with serving(workspace) as address:
        yield address


@pytest.fixture
def remote(url: str, workspace: Workspace) -> Iterator[RemoteWorkspace]:
    """The workspace as one sees it from another machine."""
    cache = workspace.root / "another-machine"
    with RemoteWorkspace(load_settings({"url": url, "workspace": str(cache)}, environment={})) as made:
        yield made
