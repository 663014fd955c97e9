"""A provider of OpenID Connect as we speak to it: what it says of itself, its keys, and what it says of people.

After OpenID Connect Core 1.0 (code flow), Discovery 1.0, Back-Channel Logout 1.0, RFC 7636 (PKCE) and RFC 9207 (issuer).
"""

from __future__ import annotations

import base64
import hashlib
import secrets
import threading
import time
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

import urllib3

from flyball.errors import Corrupt, InvalidInput, LoginNeeded, MissingExtra, ServerUnreachable
from flyball.principals import ROLES
from flyball.serialization import from_json
from flyball.settings import Settings

# Never `none`, and none with a shared key: whoever knows the client's secret could write tokens of their own.
_ALGORITHMS: Final = (
    "RS256",
    "RS384",
    "RS512",
    "PS256",
    "PS384",
    "PS512",
    "ES256",
    "ES384",
    "ES512",
    "EdDSA",
    "Ed25519",
)
_KEPT_SECONDS: Final = 3600.0
_KEYS_AGAIN_SECONDS: Final = 10.0  # an unknown key makes us look again, at most so often
_LEEWAY: Final = 60
_LOGOUT: Final = "http://schemas.openid.net/event/backchannel-logout"
_LARGEST: Final = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What was asked of the provider on somebody's behalf.

    Attributes:
        address: Where their browser goes.
        verifier: What PKCE proves that the one who comes back is the one who went.
        nonce: What the token has to repeat.
        browser: What ties the answer to this browser.
    """

    address: str
    verifier: str
    nonce: str
    browser: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What groups of the provider mean here.

    Attributes:
        roles: Group, project and role.
    """

    roles: tuple[tuple[str, str, str], ...]
    admins: frozenset[str]
    auditors: frozenset[str]

    @classmethod
    def read(cls, text: str) -> Rules:
        """Reads `ml-team=default:contributor, ops=admin`.

        Raises:
            InvalidInput: it says something else.
        """
        roles, admins, auditors = [], set(), set()
        for part in filter(None, (part.strip() for part in text.split(","))):
            group, _, meaning = part.partition("=")
            project, _, role = meaning.strip().rpartition(":")
            if group.strip() and meaning.strip() == "admin":
                admins.add(group.strip())
            elif group.strip() and meaning.strip() == "auditor":
                auditors.add(group.strip())
            elif group.strip() and project and role in ROLES[1:]:
                roles.append((group.strip(), project, role))
            else:
                raise InvalidInput(f"oidc_roles holds '{part}'.", hint="Write it as group=project:role or group=admin.")
        return cls(roles=tuple(roles), admins=frozenset(admins), auditors=frozenset(auditors))

    @property
    def groups(self) -> frozenset[str]:
        """The groups that mean something in a project."""
        return frozenset(group for group, _, _ in self.roles)

    def admin(self, held: set[str]) -> bool | None:
        """Whether they look after the instance; None where the rules say nothing of that."""
        return bool(held & self.admins) if self.admins else None

    def auditor(self, held: set[str]) -> bool | None:
        """Whether they may read everything; None where the rules say nothing of that."""
        return bool(held & self.auditors) if self.auditors else None


class Provider:
    """The provider that the settings name."""

    def __init__(self, settings: Settings) -> None:
        place = urlsplit(settings.oidc_issuer)
        if place.scheme != "https" and place.hostname not in ("127.0.0.1", "localhost", "::1"):
            raise InvalidInput(
                f"The provider {settings.oidc_issuer} is not reached by https.", hint="Set its https address."
            )
        self.settings = settings
        self._http = urllib3.PoolManager(retries=False, timeout=urllib3.Timeout(connect=5.0, read=10.0))
        self._described: tuple[float, dict[str, Any]] = (-_KEPT_SECONDS, {})
        self._keys: tuple[float, dict[str, Any]] = (-_KEPT_SECONDS, {})
        self._lock = threading.Lock()

    def described(self) -> dict[str, Any]:
        """What the provider says of itself.

        Raises:
            ServerUnreachable: it does not answer.
            Corrupt: it is another one, or lacks what is needed.
        """
        with self._lock:
            at, found = self._described
            if time.monotonic() - at < _KEPT_SECONDS:
                return found
            issuer = self.settings.oidc_issuer
            found = self._json("GET", f"{issuer.rstrip('/')}/.well-known/openid-configuration")
            needed = ("authorization_endpoint", "token_endpoint", "jwks_uri")
            if found.get("issuer") != issuer or not all(isinstance(found.get(name), str) for name in needed):
                raise Corrupt(
                    f"The provider at {issuer} calls itself '{str(found.get('issuer'))[:200]}'.",
                    hint="Set oidc_issuer to exactly what it calls itself.",
                )
            self._described = time.monotonic(), found
            return found

    def subject(self, sub: str) -> str:
        """Who somebody is, told apart from those of every other provider."""
        return f"{self.settings.oidc_issuer}#{sub}"

    def ask(self, back: str) -> Asked:
        """Where somebody's browser goes to prove who they are.

        Args:
            back: The address that the provider sends it back to.
        """
        verifier, nonce = secrets.token_urlsafe(48), secrets.token_urlsafe(24)
        asked = {
            "response_type": "code", "client_id": self.settings.oidc_client_id, "redirect_uri": back,
            "scope": self.settings.oidc_scopes, "nonce": nonce, "code_challenge_method": "S256",
            "code_challenge": _plain64(hashlib.sha256(verifier.encode()).digest()),
        }  # fmt: skip
        place = str(self.described()["authorization_endpoint"])
        address = f"{place}{'&' if '?' in place else '?'}{urlencode(asked)}"
        return Asked(address=address, verifier=verifier, nonce=nonce, browser=secrets.token_urlsafe(24))

    def check_issuer(self, given: str | None) -> None:
        """Refuses an answer that another provider gave (RFC 9207).

        Raises:
            LoginNeeded: it did, or does not say who it is though it always does.
        """
        says_so = self.described().get("authorization_response_iss_parameter_supported")
        if given != self.settings.oidc_issuer and (given is not None or says_so):
            raise LoginNeeded("The answer comes from another provider.", hint="Begin anew.")

    def claims_of(self, code: str, back: str, verifier: str, nonce: str) -> dict[str, Any]:
        """What the provider says of who came back with a code.

        Raises:
            LoginNeeded: the code is none, or the answer is not what was asked for.
        """
        described = self.described()
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": back, "code_verifier": verifier}
        headers = self._identify(form, described)
        answer = self._json(
            "POST", str(described["token_endpoint"]), body=urlencode(form).encode(), headers=headers, refused=True
        )
        claims = self._verified(str(answer.get("id_token") or ""))
        if claims.get("nonce") != nonce or not isinstance(claims.get("sub"), str):
            raise LoginNeeded("The provider's token belongs to another login.", hint="Begin anew.")
        audience = claims.get("aud")
        if isinstance(audience, list) and len(audience) > 1 and claims.get("azp") != self.settings.oidc_client_id:
            raise LoginNeeded("The provider's token is for somebody else.", hint="Begin anew.")
        return {**self._further(described, str(answer.get("access_token") or ""), claims), **claims}

    def logout_claims(self, token: str) -> dict[str, Any]:
        """What the provider says is over.

        Raises:
            InvalidInput: it is no logout token of this provider.
        """
        try:
            claims = self._verified(token)
        except LoginNeeded as error:
            raise InvalidInput("That is no logout token.") from error
        events = claims.get("events")
        says_out = isinstance(events, dict) and _LOGOUT in events
        if not says_out or "nonce" in claims or not claims.get("jti") or not (claims.get("sid") or claims.get("sub")):
            raise InvalidInput("That is no logout token.")
        return claims

    def _verified(self, token: str) -> dict[str, Any]:
        """The claims of a token that this provider signed for us, and that is still good."""
        try:
            from joserfc import jwt
            from joserfc.errors import JoseError
            from joserfc.jwk import KeySet
        except ImportError as error:
            raise MissingExtra("Single sign-on needs joserfc.", hint="pip install 'flyball[login]'") from error

        options: dict[str, Any] = {
            "iss": {"essential": True, "value": self.settings.oidc_issuer},
            "aud": {"essential": True, "value": self.settings.oidc_client_id},
            "iat": {"essential": True}, "exp": {"essential": True},
        }  # fmt: skip
        problem: Exception | None = None
        for anew in (False, True):  # the provider may have changed its keys since we looked
            try:
                keys = KeySet.import_key_set(self._key_set(anew=anew))  # type: ignore[arg-type]  # its own words, checked there
                found = jwt.decode(token, keys, algorithms=list(_ALGORITHMS))
                jwt.JWTClaimsRegistry(leeway=_LEEWAY, **options).validate(found.claims)
                return dict(found.claims)
            except (JoseError, ValueError) as error:
                problem = error
        raise LoginNeeded("The provider's token is not good.", hint="Begin anew.") from problem

    def _key_set(self, *, anew: bool) -> dict[str, Any]:
        address = str(self.described()["jwks_uri"])
        with self._lock:
            at, found = self._keys
            age = time.monotonic() - at
            if age < (_KEYS_AGAIN_SECONDS if anew else _KEPT_SECONDS):
                return found
            found = self._json("GET", address)
            self._keys = time.monotonic(), found
            return found

    def _further(self, described: dict[str, Any], access: str, claims: dict[str, Any]) -> dict[str, Any]:
        """What the provider says of somebody beside the token, where the token does not tell their groups."""
        place = described.get("userinfo_endpoint")
        if self.settings.oidc_groups in claims or not isinstance(place, str) or not access:
            return {}
        found = self._json("GET", place, headers={"authorization": f"Bearer {access}"}, refused=True)
        return found if found.get("sub") == claims["sub"] else {}

    def _identify(self, form: dict[str, str], described: dict[str, Any]) -> dict[str, str]:
        """Says who we are, in the way that the provider takes."""
        settings, headers = self.settings, {"content-type": "application/x-www-form-urlencoded"}
        ways = described.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        if not settings.oidc_client_secret:
            form["client_id"] = settings.oidc_client_id
        elif "client_secret_basic" in ways:
            pair = f"{quote(settings.oidc_client_id, safe='')}:{quote(settings.oidc_client_secret, safe='')}"
            headers["authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        else:
            form |= {"client_id": settings.oidc_client_id, "client_secret": settings.oidc_client_secret}
        return headers

    def _json(
        self, method: str, address: str, *, body: bytes | None = None, headers: dict[str, str] | None = None,
        refused: bool = False,
    ) -> dict[str, Any]:  # fmt: skip
        try:
            answer = self._http.request(
                method, address, body=body, headers={"accept": "application/json", **(headers or {})}, redirect=False,
                preload_content=False,
            )  # fmt: skip
            data = answer.read(_LARGEST)
            answer.release_conn()
        except urllib3.exceptions.HTTPError as error:
            raise ServerUnreachable(f"The provider at {self.settings.oidc_issuer} does not answer.") from error
        if answer.status != 200:
            if refused and answer.status in (400, 401):
                raise LoginNeeded("The provider does not know this login.", hint="Begin anew.")
            raise ServerUnreachable(f"The provider at {self.settings.oidc_issuer} answered with {answer.status}.")
        return from_json(data, dict[str, Any])


def _plain64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
