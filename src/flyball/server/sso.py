"""Single sign-on by OpenID Connect: the code flow with PKCE, state and nonce, against one provider that the settings name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.routing import Route

if TYPE_CHECKING:
    from flyball.server.guard import Guard
    from flyball.workspace import Workspace


def sso_routes(workspace: Workspace, guard: Guard) -> list[Route]:
    """No routes yet."""
    return []


def leave_address(workspace: Workspace) -> str:
    """Empty."""
    return ""
