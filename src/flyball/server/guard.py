"""Who knocks, and whether they may: what the door asks of a request before any route sees it."""

from __future__ import annotations

import base64
import binascii
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from starlette.responses import Response

from flyball.access.authority import Authority, Known
from flyball.access.local import LOCAL_PREFIX, LocalOwner
from flyball.errors import FlyballError
from flyball.principals import Principal
from flyball.serialization import digest
from flyball.server.peers import Peer
from flyball.settings import HOME, Settings
from flyball.workspace import Workspace

ANYBODY: Final = Principal(name="anybody")
_PASSWORD_SECONDS: Final = 60.0
_MOST: Final = 1000
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_FORWARDED: Final = frozenset({
    b"forwarded", b"via", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto", b"x-real-ip",
})  # fmt: skip
_LOOPBACK_NAMES: Final = frozenset({"127.0.0.1", "localhost", "::1"})


class Admission:
    """Somebody who was let in, and whether they still would be.

    Attributes:
        principal: Who it is, in the project at hand.
    """

    __slots__ = ("_authority", "_bucket", "_generation", "_known", "principal")

    def __init__(
        self, principal: Principal, authority: Authority | None = None, known: Known | None = None, generation: int = 0,
        bucket: Bucket | None = None,
    ) -> None:  # fmt: skip
        self.principal = principal
        self._authority = authority
        self._known = known
        self._generation = generation
        self._bucket = bucket

    def is_current(self) -> bool:
        """Whether they may do the same again, from memory alone: else the long way says so."""
        if self.principal.run or (self._bucket is not None and not self._bucket.take()):
            return False
        return self._authority is None or (
            self._known is not None and self._authority.is_current(self._known, self._generation)
        )

    def is_good(self) -> bool:
        """Whether they would still be let in; may ask the database."""
        if self._authority is None or self._known is None:
            return True
        self._authority.look()
        if self._generation != self._authority.generation and not self._authority.is_good(self._known, self.principal):
            return False
        return self._known.expires > time.time()


class Bucket:
    """How many requests are still to be had: so many a second on average, and twice as many at once."""

    __slots__ = ("_at", "_left", "_rate")

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._left = 2 * rate
        self._at = time.monotonic()

    def take(self) -> bool:
        """Takes one, if there is any."""
        now = time.monotonic()
        self._left = min(2 * self._rate, self._left + (now - self._at) * self._rate)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What a request shows of who it comes from.

    Attributes:
        token: What came as a bearer token, or in the place of a password.
        name: Name that came with a password.
        password: That password.
        cookie: What the cookie of a session holds.
        is_browser: Whether a page of some site sent it; programs never say what browsers always say.
    """

    token: str = ""
    name: str = ""
    password: str = ""
    cookie: str = ""
    is_browser: bool = False

    @property
    def is_nothing(self) -> bool:
        """Whether nothing is shown."""
        return not (self.token or self.name or self.cookie)

    @property
    def is_of_another_workspace(self) -> bool:
        """Whether it is the token of a workspace of one's own, which need not be this one."""
        return self.token.startswith(LOCAL_PREFIX)


class Guard:
    """Says who asks.

    Args:
        workspace: The one that keeps the accounts.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self.settings = workspace.settings
        self.owner = LocalOwner.of(self.settings.workspace) if self.settings.auth == "local" else None
        self.cookie = cookie_name(self.settings)
        self._by_password: dict[str, tuple[float, int, Known]] = {}
        self._buckets: dict[str, Bucket] = {}

    def from_memory(self, shown: Shown, project: str) -> Admission | None:
        """Who it is, if that can be said at once; None if the database has to be asked."""
        if self.owner is not None:
            return self._owner(shown, project)
        token = shown.token or shown.cookie
        known = self._workspace.authority.remembered(token) if token and "authority" in self._made else None
        return None if known is None else self._admitted(known, shown, project)

    def find(self, shown: Shown, project: str, address: str) -> Admission | None:
        """Who it is; None if nobody is known by that. Asks the database.

        Raises:
            Overloaded: too many passwords from there were wrong.
        """
        if self.owner is not None:
            return self._owner(shown, project)
        find = self._workspace.authority.find
        known = self._by_name(shown, address) if shown.name else find(shown.token or shown.cookie)
        return None if known is None else self._admitted(known, shown, project)

    def as_owner(self, project: str) -> Admission | None:
        """The owner of this machine's account, where nobody has to log in."""
        return None if self.owner is None else self._admission(self.owner.within(project))

    def may_go_on(self, who: str) -> bool:
        """Whether somebody has not asked too much of late."""
        bucket = self._bucket(who)
        return bucket is None or bucket.take()

    @property
    def _made(self) -> set[str]:
        # What opens the database may not be made on the event loop.
        return {"authority"} if self._workspace.is_made("authority") else set()

    def _owner(self, shown: Shown, project: str) -> Admission | None:
        owner = self.owner
        assert owner is not None
        token = shown.token or shown.password
        right = owner.is_token(token) if token else bool(shown.cookie) and owner.is_session(shown.cookie)
        return self._admission(owner.within(project)) if right else None

    def _admitted(self, known: Known, shown: Shown, project: str) -> Admission | None:
        if known.session != (not shown.token and not shown.name):
            return None  # a browser's session is good in its cookie alone, and a token nowhere else
        if project == HOME and known.project:
            project = known.project
        authority = self._workspace.authority
        return self._admission(known.within(project), authority, known, authority.generation)

    def _admission(
        self, principal: Principal, authority: Authority | None = None, known: Known | None = None, generation: int = 0
    ) -> Admission:
        return Admission(principal, authority, known, generation, self._bucket(principal.name))

    def _by_name(self, shown: Shown, address: str) -> Known | None:
        """Who knows the password. It is worked out once a minute, not with each request: that takes long, by design."""
        authority = self._workspace.authority
        authority.look()
        key = digest(f"{shown.name}\n{shown.password}".encode())
        at, generation, found = self._by_password.get(key, (0.0, -1, None))
        if found is not None and generation == authority.generation and time.monotonic() - at < _PASSWORD_SECONDS:
            return found
        generation = authority.generation
        try:
            self._workspace.logins.check_password(shown.name, shown.password, address)
        except FlyballError as error:
            if error.code == "login_needed":
                return None
            raise
        found = authority.account(shown.name)
        if found is not None:
            if len(self._by_password) >= _MOST:
                self._by_password.clear()
            self._by_password[key] = time.monotonic(), generation, found
        return found

    def _bucket(self, who: str) -> Bucket | None:
        rate = self.settings.rate_limit
        if not rate:
            return None
        found = self._buckets.get(who)
        if found is None:
            if len(self._buckets) >= _MOST:
                self._buckets.clear()
            found = self._buckets[who] = Bucket(rate)
        return found


def cookie_name(settings: Settings) -> str:
    """Name of the cookie of a session; with TLS one that no other site of the host and no plain http can write."""
    return "__Host-flyball_session" if is_secure(settings) else f"flyball_session_{settings.port}"


def with_session(answer: Response, value: str, guard: Guard) -> Response:
    """The answer, with the cookie of a session: for this server alone, and out of the reach of scripts."""
    answer.set_cookie(
        guard.cookie, value, path="/", secure=is_secure(guard.settings), httponly=True, samesite="strict",
        max_age=None if guard.owner is None else 30 * 86_400,
    )  # fmt: skip
    answer.headers["cache-control"] = "no-store"
    return answer


def is_secure(settings: Settings) -> bool:
    """Whether browsers reach the server by https."""
    return bool(settings.tls_cert) or settings.behind_proxy.startswith("https://")


def shown_by(told: dict[bytes, bytes], cookie: str) -> Shown | None:
    """What a request shows; None if it cannot be read."""
    scheme, _, rest = told.get(b"authorization", b"").partition(b" ")
    browser = _is_browser(told)
    kept = _cookie(told.get(b"cookie", b""), cookie)
    if not scheme:
        return Shown(cookie=kept, is_browser=browser)
    try:
        text = rest.strip().decode("ascii")
        if scheme.lower() == b"bearer" and text:
            return Shown(token=text, is_browser=browser)
        if scheme.lower() == b"basic":
            name, _, password = base64.b64decode(text, validate=True).decode().partition(":")
            # MLflow's clients know a user name and a password: a token stands in the place of the one.
            if password.startswith("fly_"):
                return Shown(token=password, is_browser=browser)
            return Shown(name=name or "?", password=password, is_browser=browser)
    except (UnicodeDecodeError, binascii.Error, ValueError):
        return None
    return None


def is_foreign(told: dict[bytes, bytes], scope_scheme: str, method: str, settings: Settings) -> bool:
    """Whether a page of another site asks for something that its user did not."""
    site = told.get(b"sec-fetch-site", b"")
    origin = told.get(b"origin")
    if origin is not None and method not in _SAFE:
        scheme = urlsplit(settings.behind_proxy).scheme or scope_scheme
        own = f"{scheme}://{told.get(b'host', b'').decode('latin-1')}"
        if origin.decode("latin-1").lower() != own.lower():
            return True
    if site in (b"", b"same-origin", b"none"):
        return False
    # Following a link from elsewhere is no crime: the page opens, and what it asks for it asks for by itself.
    return method not in _SAFE or told.get(b"sec-fetch-mode") != b"navigate"


def is_own_change(told: dict[bytes, bytes]) -> bool:
    """Whether a browser says itself that this comes from our own page; without its word a cookie changes nothing."""
    return (
        told.get(b"sec-fetch-site") == b"same-origin" or b"origin" in told
    )  # of which `is_foreign` has thought already


def is_forwarded(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether a proxy has handed the request on: it is the program at the other end then, and not who asks."""
    return any(name in _FORWARDED for name, _ in headers)


def is_ours(peer: Peer | None, host: str) -> bool:
    """Whether a program of this machine's user asks by this machine's own name."""
    return peer is not None and host in _LOOPBACK_NAMES and peer.is_us()


def _is_browser(told: dict[bytes, bytes]) -> bool:
    # Every browser of the last years says whether a page asks (Sec-Fetch-*); older ones can be told by their name.
    return (
        b"sec-fetch-site" in told
        or b"sec-fetch-mode" in told
        or b"origin" in told
        or b"referer" in told
        or told.get(b"user-agent", b"").startswith(b"Mozilla/")
    )


def _cookie(header: bytes, name: str) -> str:
    if not header:
        return ""
    found = [part.strip() for part in header.decode("latin-1").split(";")]
    kept = [part[len(name) + 1 :] for part in found if part.startswith(f"{name}=")]
    return kept[0] if len(kept) == 1 else ""  # of two, one was slipped in by somebody else
