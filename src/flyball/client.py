"""A workspace on a server: the same attributes as a local one, each a remote double made from the service's type hints."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote

import urllib3

from flyball.access.credentials import token_for
from flyball.clock import Clock, SystemClock
from flyball.errors import FlyballError, InvalidInput, NotFound, ServerUnreachable, TimedOut
from flyball.refs import new_id
from flyball.serialization import convert, error_from_plain, from_json, pack, to_json, to_plain, unpack_as
from flyball.settings import PROJECTS, Settings
from flyball.storage.object_store import ObjectStat
from flyball.storage.objects import Blobs
from flyball.verbs import Verb, verbs_of
from flyball.workspace import SERVICES, service_class

if TYPE_CHECKING:
    from flyball.workspace import Workspace


class RemoteWorkspace:
    """The workspace that a server at `settings.url` holds."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.http = Connection(address_of(settings), token_for(settings.url, settings.token, settings.workspace))
        self.store = RemoteObjects(self.http)
        self.cache = settings.folder / "cache"
        self.blobs = Blobs(self.store, self.cache / "blobs")
        self.time: Clock = SystemClock() if settings.clock == "system" else _RemoteClock(self)
        self._made: dict[str, RemoteService] = {}

    @property
    def root(self) -> Path:
        """Root folder of one's code on this machine."""
        return self.settings.root

    def __getattr__(self, name: str) -> Any:
        if name not in SERVICES:
            raise AttributeError(name)
        if name not in self._made:
            self._made[name] = RemoteService(self.http, name)
        return self._made[name]

    def close(self) -> None:
        """Closes the connections."""
        self.http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def address_of(settings: Settings) -> str:
    """Where the server answers for the project that the settings name."""
    url = settings.url.rstrip("/")
    return url if settings.is_home else f"{url}/{PROJECTS}/{settings.project}"


_LONGEST_QUERY = 2000  # characters; proxies on the way cut longer addresses off


class _RemoteClock:
    """The virtual time of a workspace on a server."""

    def __init__(self, workspace: RemoteWorkspace) -> None:
        self._workspace = workspace

    def now(self) -> datetime:
        """The virtual moment."""
        moment: datetime = self._workspace.clock.state()[0]
        return moment


class RemoteService:
    """A room's service on a server: the same verbs, sent over HTTP."""

    def __init__(self, http: Connection, room: str) -> None:
        self._http = http
        self._room = room
        self._verbs = verbs_of(service_class(room))

    def __getattr__(self, name: str) -> Callable[..., Any]:
        verb = self._verbs.get(name)
        if verb is None:
            raise AttributeError(f"The service '{self._room}' has no verb '{name}'.")

        def call(*given: object, **named: object) -> Any:
            return self._call(verb, given, named)

        return call

    def _call(self, verb: Verb, given: tuple[object, ...], named: dict[str, object]) -> Any:
        names = [parameter.name for parameter in verb.parameters]
        if len(given) > len(names):
            raise TypeError(f"'{verb.name}' takes {len(names)} arguments, {len(given)} were given.")
        arguments = {**dict(zip(names, given, strict=False)), **named}
        path = f"/api/{self._room}/{verb.name}"
        fields = _query(arguments) if verb.by_query else []
        if verb.by_query and sum(len(name) + len(value) for name, value in fields) < _LONGEST_QUERY:
            answer = self._http.request("GET", path, fields=fields)
        else:
            # With a key a change is done once, however often the network makes us ask.
            key = {"idempotency-key": new_id()} if verb.effect == "change" else None
            answer = self._http.request("POST", path, body=to_json(arguments), headers=key)
        return from_json(answer, verb.returns)


class Connection:
    """HTTP to one server. Errors come back as the errors that were raised there.

    Args:
        url: Address of the server, `http://host:port`.
        token: Sent as a bearer token, if there is one.
    """

    def __init__(self, url: str, token: str = "") -> None:
        self.url = url.rstrip("/")
        self._headers = {"authorization": f"Bearer {token}"} if token else {}
        # What never reached the server is asked again here, and what may be repeated in `_again`.
        self._pool = urllib3.PoolManager(
            retries=urllib3.Retry(connect=2, read=0, redirect=0, backoff_factor=0.2), maxsize=8, blocksize=_PIECE
        )

    def request(
        self,
        method: str,
        path: str,
        *,
        fields: list[tuple[str, str]] | None = None,
        body: bytes | Any = None,
        timeout: float = 600.0,
        headers: dict[str, str] | None = None,
    ) -> bytes:
        """Sends a request and gives the body of the answer.

        Raises:
            ServerUnreachable: nothing answers there.
            TimedOut: it did not answer in time; it may still be at work.
            FlyballError: the server answered with an error; it is raised as its own class.
        """
        answer = self._ask(method, path, fields=fields, body=body, timeout=timeout, headers=headers)
        if answer.status >= 400:
            raise _error(answer.status, answer.data)
        return answer.data

    def receive(self, path: str, take: Callable[[bytes], object], *, timeout: float = 600.0) -> None:
        """Fetches what stands at a path, and hands it on piece by piece; raises what `request` does."""
        answer = self._ask("GET", path, timeout=timeout, preload_content=False)
        try:
            if answer.status >= 400:
                raise _error(answer.status, answer.read())
            for piece in answer.stream(_PIECE, decode_content=False):
                take(piece)
        except urllib3.exceptions.HTTPError as error:
            raise ServerUnreachable(f"{self.url} broke off while it sent {path[:80]}.", url=self.url) from error
        finally:
            answer.release_conn()

    def _ask(
        self,
        method: str,
        path: str,
        *,
        timeout: float,
        fields: list[tuple[str, str]] | None = None,
        body: bytes | Any = None,
        headers: dict[str, str] | None = None,
        preload_content: bool = True,
    ) -> urllib3.BaseHTTPResponse:
        sent = {
            **self._headers,
            **({"content-type": "application/json"} if body is not None else {}),
            **(headers or {}),
        }
        query = "" if not fields else "?" + "&".join(f"{quote(k)}={quote(v, safe='')}" for k, v in fields)
        limit = urllib3.Timeout(connect=5.0, read=timeout)

        def ask() -> urllib3.BaseHTTPResponse:
            return self._pool.request(
                method,
                f"{self.url}{path}{query}",
                body=body,
                headers=sent,
                timeout=limit,
                preload_content=preload_content,
            )

        try:
            return _again(ask) if method == "GET" or "idempotency-key" in sent else ask()
        except urllib3.exceptions.LocationValueError as error:
            raise InvalidInput(f"'{self.url}' is no address.", hint="Write it as http://host:port.") from error
        except urllib3.exceptions.HTTPError as error:
            if isinstance(getattr(error, "reason", error), urllib3.exceptions.ReadTimeoutError):
                raise TimedOut(f"{self.url} did not answer within {timeout:g} seconds.", url=self.url) from error
            raise ServerUnreachable(
                f"No server answers at {self.url}.",
                hint="Start one with `flyball up`, or set FLYBALL_URL.",
                url=self.url,
            ) from error

    def close(self) -> None:
        """Closes all connections."""
        self._pool.clear()


class RemoteObjects:
    """The objects that a server keeps. Only blobs can be written; their digest is their name."""

    def __init__(self, http: Connection) -> None:
        self._http = http

    def put(self, key: str, data: bytes | Path, *, if_absent: bool = False) -> bool:
        """Sends a blob; the server already having it counts as absent-no-more."""
        folder, _, name = key.rpartition("/")
        if not folder.startswith("blobs/"):
            raise InvalidInput("Only blobs can be sent to a server.", key=key)
        if if_absent and self.stat(key) is not None:
            return False
        if isinstance(data, bytes):
            self._http.request("PUT", f"/blobs/{name}", body=data, headers=_BYTES)
        else:
            length = {"content-length": str(data.stat().st_size)}
            with data.open("rb") as file:
                self._http.request("PUT", f"/blobs/{name}", body=file, headers={**_BYTES, **length})
        return True

    def put_many(self, items: Sequence[tuple[str, bytes]]) -> None:
        """Sends many small blobs at once."""
        self._http.request("PUT", "/blobs", body=pack([data for _, data in items]), headers=_BYTES)

    def get_many(self, keys: Sequence[str]) -> list[bytes]:
        """All bytes of many small blobs."""
        names = [key.rpartition("/")[2] for key in keys]
        return unpack_as(self._http.request("POST", "/blobs", body=to_json(names)), list[bytes])

    def get(self, key: str) -> bytes:
        """All bytes of an object."""
        return self._http.request("GET", f"/objects/{quote(key)}")

    def fetch(self, key: str, to: Path) -> None:
        """Copies an object to a local file, piece by piece."""
        folder, _, name = key.rpartition("/")
        path = f"/blobs/{name}" if folder.startswith("blobs/") else f"/objects/{quote(key)}"
        with to.open("wb") as file:
            self._http.receive(path, file.write)

    def stat(self, key: str) -> ObjectStat | None:
        """Size and ETag of an object."""
        folder, _, _ = key.rpartition("/")
        found = [item for item in self.list(key) if item.key == key] if folder else []
        return found[0] if found else None

    def list(self, prefix: str) -> Iterator[ObjectStat]:
        """The objects whose key begins with the prefix, sorted by key."""
        answer = self._http.request("GET", "/objects", fields=[("prefix", prefix)])
        yield from from_json(answer, list[ObjectStat])

    def delete(self, key: str) -> None:
        """Objects of a server are removed by the server alone."""
        raise InvalidInput("Objects of a server cannot be removed from outside.", key=key)


_BYTES = {"content-type": "application/octet-stream"}
_PIECE = 1 << 20


def open_workspace(settings: Settings) -> Workspace | RemoteWorkspace:
    """The workspace that the settings name: the server at `url`, or the local one."""
    if settings.url:
        return RemoteWorkspace(settings)
    from flyball.workspace import Workspace

    return Workspace(settings)


def _again(ask: Callable[[], urllib3.BaseHTTPResponse]) -> urllib3.BaseHTTPResponse:
    """Asks what may be asked again until an answer came: a connection breaks, and a server that was killed is soon back."""
    was_cut = False
    for pause in _PAUSES:
        try:
            return ask()
        except urllib3.exceptions.HTTPError as error:
            reason = getattr(error, "reason", error)
            was_cut = was_cut or isinstance(reason, urllib3.exceptions.ProtocolError)
            if not was_cut or isinstance(reason, urllib3.exceptions.ReadTimeoutError):
                raise
            time.sleep(pause)
    return ask()


_PAUSES = (0.1, 0.3, 0.9, 2.0, 4.0)


def _query(arguments: dict[str, object]) -> list[tuple[str, str]]:
    fields: list[tuple[str, str]] = []
    for name, value in arguments.items():
        plain = to_plain(value)
        items = plain if isinstance(plain, list | tuple) else [plain]
        fields += [(name, item if isinstance(item, str) else json.dumps(item)) for item in items if item is not None]
    return fields


def _error(status: int, body: bytes) -> FlyballError:
    try:
        return error_from_plain(convert(json.loads(body), dict[str, Any]))
    except (ValueError, TypeError, KeyError, FlyballError):
        text = body[:200].decode("utf-8", "replace").strip()
        if status == 404:
            return NotFound(f"The server knows no such address: {text}")
        return FlyballError(f"The server answered with status {status}: {text}")
