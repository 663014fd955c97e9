"""Single sign-on by OpenID Connect: the code flow with PKCE, state and nonce, against the one provider that the settings name.

The provider says who somebody is; what they may do here follows from their groups there, as the settings say. Logging out goes
both ways: leaving here leads to the provider's own way out, and what the provider ends is ended here (back-channel logout).
"""

from __future__ import annotations

import hmac
import html
from datetime import timedelta
from typing import Any, Final
from urllib.parse import parse_qs, urlencode

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from flyball.access.logins import Newcomer
from flyball.errors import FlyballError, InvalidInput, LoginNeeded
from flyball.serialization import digest
from flyball.server.guard import Guard, is_secure, with_session
from flyball.server.peers import address_of
from flyball.server.provider import Provider, Rules
from flyball.server.routes import STATUS
from flyball.workspace import Workspace

_SPAN: Final = timedelta(minutes=10)
_LONGEST: Final = 64 << 10
_SEEN: Final = timedelta(hours=1)


def sso_routes(workspace: Workspace, guard: Guard) -> list[Route]:
    """Routes below `/login/sso`: there, back again (`callback`), out (`done`), and what the provider itself calls (`logout`)."""
    made: list[Provider] = []

    def provider() -> Provider:
        if workspace.settings.auth != "on" or not workspace.settings.oidc_issuer:
            raise InvalidInput("Single sign-on is not set up here.", hint="Set oidc_issuer and oidc_client_id.")
        if not made:
            made.append(Provider(workspace.settings))
        return made[0]

    async def begin(request: Request) -> Response:
        back = _local_path(request.query_params.get("next", "/"))
        try:
            return await run_in_threadpool(_begin, workspace, provider(), base_of(request, guard), back)
        except FlyballError as error:
            return _told(error)

    async def callback(request: Request) -> Response:
        try:
            return await run_in_threadpool(_come_back, workspace, provider(), guard, request)
        except FlyballError as error:
            return _told(error)

    async def done(_: Request) -> Response:
        return RedirectResponse("../../", 303)

    async def logout(request: Request) -> Response:
        body = b""
        async for piece in request.stream():
            body += piece
            if len(body) > _LONGEST:
                raise InvalidInput("That is no logout token.")
        given = parse_qs(body.decode("ascii", "replace"), max_num_fields=10).get("logout_token", [""])[0]
        await run_in_threadpool(_log_out, workspace, provider(), given)
        return Response(status_code=200, headers={"cache-control": "no-store"})

    return [
        Route("/login/sso", begin),
        Route("/login/sso/callback", callback),
        Route("/login/sso/done", done),
        Route("/login/sso/logout", logout, methods=["POST"]),
    ]


def leave_address(workspace: Workspace, base: str) -> str:
    """Where the provider ends its own login; empty if it has no such place, or does not answer."""
    try:
        provider = Provider(workspace.settings)
        address = str(provider.described().get("end_session_endpoint") or "")
    except FlyballError:
        return ""
    asked = {"client_id": workspace.settings.oidc_client_id, "post_logout_redirect_uri": f"{base}/login/sso/done"}
    return f"{address}?{urlencode(asked)}" if address else ""


def base_of(request: Request, guard: Guard) -> str:
    """The address of this server as people see it; its name was found right at the door."""
    return guard.settings.behind_proxy.rstrip("/") or f"{request.url.scheme}://{request.headers['host']}"


def _begin(workspace: Workspace, provider: Provider, base: str, back: str) -> Response:
    asked = provider.ask(f"{base}/login/sso/callback")
    facts = {
        "nonce": asked.nonce,
        "verifier": asked.verifier,
        "back": back,
        "base": base,
        "browser": digest(asked.browser.encode()),
    }
    state = workspace.logins.remember("sso", facts, _SPAN)
    answer = RedirectResponse(f"{asked.address}&state={state}", 303, headers={"cache-control": "no-store"})
    # Lax, since the way back comes from the provider's site; it holds nothing but what ties the answer to this browser.
    answer.set_cookie(
        _COOKIE, asked.browser, path="/login/sso", max_age=int(_SPAN.total_seconds()), httponly=True, samesite="lax",
        secure=is_secure(workspace.settings),
    )  # fmt: skip
    return answer


_COOKIE: Final = "flyball_sso"


def _come_back(workspace: Workspace, provider: Provider, guard: Guard, request: Request) -> Response:
    given = request.query_params
    begun = workspace.logins.take("sso", given.get("state", ""))
    if begun is None:
        raise LoginNeeded("This login was not begun here, or took too long.", hint="Begin anew.")
    browser = digest(request.cookies.get(_COOKIE, "").encode())
    if not hmac.compare_digest(browser, str(begun["browser"])):
        raise LoginNeeded("This login was begun in another browser.", hint="Begin anew.")
    if "error" in given:
        raise LoginNeeded(
            f"The provider refused: {given['error'][:100]}.", hint=given.get("error_description", "")[:300]
        )
    provider.check_issuer(given.get("iss"))
    back = f"{begun['base']}/login/sso/callback"
    claims = provider.claims_of(given.get("code", ""), back, str(begun["verifier"]), str(begun["nonce"]))
    made = workspace.logins.from_provider(_newcomer(provider, claims), address_of(request.scope))
    answer = with_session(_onward(str(begun["back"])), made.secret, guard)
    answer.delete_cookie(_COOKIE, path="/login/sso")
    return answer


def _newcomer(provider: Provider, claims: dict[str, Any]) -> Newcomer:
    rules = Rules.read(provider.settings.oidc_roles)
    groups = claims.get(provider.settings.oidc_groups) or []
    held = {str(group) for group in groups} if isinstance(groups, list) else {str(groups)}
    name = claims.get("preferred_username") or claims.get("email") or claims["sub"]
    return Newcomer(
        subject=provider.subject(str(claims["sub"])), name=str(name), full_name=str(claims.get("name") or ""),
        email=str(claims.get("email") or ""), groups=tuple(sorted(held & rules.groups)),
        roles=tuple(rule for rule in rules.roles if rule[0] in held), admin=rules.admin(held),
        auditor=rules.auditor(held), session=str(claims.get("sid") or f"sub {claims['sub']}"),
    )  # fmt: skip


def _log_out(workspace: Workspace, provider: Provider, token: str) -> None:
    claims = provider.logout_claims(token)
    if not workspace.logins.use_once("logout", str(claims["jti"]), _SEEN):
        raise InvalidInput("That logout token was used before.")
    session = str(claims.get("sid") or "")
    workspace.logins.end_provider_sessions(session=session, subject=provider.subject(str(claims.get("sub") or "")))


def _local_path(given: str) -> str:
    """A place on our own page; anything else leads to its beginning."""
    is_ours = (
        given.startswith("/") and not given.startswith(("//", "/\\")) and given.isprintable() and len(given) < 1000
    )
    return given if is_ours else "/"


def _onward(back: str) -> Response:
    # No plain redirect: the browser counts it as coming from the provider's site, and keeps our own cookie back.
    there = html.escape(back, quote=True)
    return HTMLResponse(
        f'<!doctype html><meta charset="utf-8"><title>Flyball</title><meta http-equiv="refresh" content="0;url={there}">'
        f'<p>You are logged in. <a href="{there}">Go on</a></p>',
        headers={"cache-control": "no-store"},
    )


def _told(error: FlyballError) -> Response:
    text = f"<p>{html.escape(error.message)}</p><p>{html.escape(error.hint)}</p>"
    page = f'<!doctype html><meta charset="utf-8"><title>Flyball</title>{text}<p><a href="/">Back to the page</a></p>'
    return HTMLResponse(page, STATUS.get(error.code, 500), headers={"cache-control": "no-store"})
