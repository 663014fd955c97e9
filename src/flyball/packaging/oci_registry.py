"""Image registries: what is pulled from them, and pushed to them, by the OCI distribution API 1.1.

Only what a registry lacks is sent: a blob that is there is left, one of a neighbour is mounted, and the rest goes in pieces.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlencode, urljoin, urlsplit

import urllib3

from flyball.errors import Corrupt, FlyballError, InvalidInput, NotFound, PermissionDenied, ServerUnreachable
from flyball.packaging.oci import (
    DOCKER_INDEX,
    INDEX,
    MANIFEST,
    MANIFESTS,
    Descriptor,
    Layout,
    blobs_of,
    check_digest,
    digest_of,
    read_descriptor,
)  # fmt: skip
from flyball.refs import new_id
from flyball.serialization import canonical_json, from_json

_PIECE = 16 << 20
_LONGEST_MANIFEST = 8 << 20
_REPOSITORY = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_CHALLENGE = re.compile(r'(\w+)="([^"]*)"')
_LOOPBACK = re.compile(r"(localhost|127(\.\d+){3}|\[::1\])(:\d+)?")

Moved = Literal["sent", "mounted", "present"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """Where an image stands: `registry.example/team/name:tag`, or `...@sha256:...`."""

    host: str
    repository: str
    tag: str = ""
    digest: str = ""

    @classmethod
    def parse(cls, text: str) -> Reference:
        """Reads a reference; without a host it is one of Docker Hub.

        Raises:
            InvalidInput: it is none.
        """
        name, _, digest = text.partition("@")
        first, slash, rest = name.partition("/")
        is_host = bool(slash) and (first == "localhost" or any(mark in first for mark in ".:["))
        host, path = (first, rest) if is_host else ("docker.io", name if slash else f"library/{name}")
        path, colon, tag = path.partition(":")
        usable = _REPOSITORY.fullmatch(path) and len(path) < 256 and re.fullmatch(r"[\w.\[\]:-]+", host)
        if not usable or (colon and not _TAG.fullmatch(tag)):
            raise InvalidInput(
                f"'{text[:200]}' names no image.",
                hint="Write it as registry.example:5000/team/name:tag, in small letters.",
            )
        return cls(host=host, repository=path, tag=tag, digest=check_digest(digest) if digest else "")

    def __str__(self) -> str:
        tail = f"@{self.digest}" if self.digest else f":{self.tag}" if self.tag else ""
        return f"{self.host}/{self.repository}{tail}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pushed:
    """What pushing did.

    Attributes:
        blobs: What became of each blob, by its digest.
        sent: Bytes that were sent.
        attached: Digests of what was attached: bill of materials, signature.
    """

    reference: str
    digest: str
    blobs: dict[str, Moved]
    sent: int
    attached: tuple[str, ...] = ()


@dataclass(slots=True)
class _Tally:
    blobs: dict[str, Moved] = field(default_factory=dict)
    sent: int = 0


class OciRegistry:
    """A registry of images.

    Args:
        host: Such as `registry.example:5000`. Plain HTTP is spoken to loopback alone.
        login: Name and password, where it wants them.
    """

    def __init__(self, host: str, *, login: tuple[str, str] | None = None) -> None:
        self.host = host
        place = "registry-1.docker.io" if host == "docker.io" else host
        self._url = f"{'http' if _LOOPBACK.fullmatch(place) else 'https'}://{place}"
        self._login = login
        self._allowed: dict[str, str] = {}
        retries = urllib3.Retry(
            connect=2, read=2, status=2, redirect=3, backoff_factor=0.3, status_forcelist=(502, 503)
        )
        self._pool = urllib3.PoolManager(retries=retries, timeout=urllib3.Timeout(connect=10, read=300))

    def pull(self, reference: Reference, layout: Layout, platform: str, *, shown: Callable[[str], None]) -> Descriptor:
        """Brings an image and its layers into a layout, each blob checked; gives its manifest.

        Raises:
            NotFound: there is no such image, or none for the platform.
            Corrupt: what came is not what was asked for.
        """
        found = self._manifest(reference.repository, reference.digest or reference.tag or "latest", layout)
        if found.media_type in (INDEX, DOCKER_INDEX):
            chosen = _of_platform(layout.json(found), platform, reference)
            found = self._manifest(reference.repository, chosen, layout)
        for blob in blobs_of(layout.json(found)):
            if not layout.path(blob.digest).exists():
                shown(f"pulling {blob.digest[:19]} ({blob.size / 1e6:.1f} MB)")
                self._fetch(reference.repository, blob, layout)
        return found

    def push(
        self, layout: Layout, image: Descriptor, to: Reference, *, mount: str = "", shown: Callable[[str], None]
    ) -> Pushed:
        """Sends an image and what is attached to it.

        Args:
            mount: Repository of the same registry whose blobs may be used.

        Raises:
            PermissionDenied: the registry does not let us.
            ServerUnreachable: there is no registry.
        """
        tally = _Tally()
        for blob in blobs_of(layout.json(image)):
            self._send(layout, blob, to.repository, mount, tally, shown)
        attached = layout.referrers(image.digest)
        for each in attached:
            for blob in blobs_of(layout.json(each)):
                self._send(layout, blob, to.repository, "", tally, shown)
        # Only now: whoever pulls by the tag finds all that the manifest names.
        self._put_manifest(to.repository, to.tag or image.digest, layout, image)
        for each in attached:
            self._attach(to.repository, layout, each, image.digest)
        return Pushed(
            reference=str(to), digest=image.digest, blobs=tally.blobs, sent=tally.sent,
            attached=tuple(each.digest for each in attached),
        )  # fmt: skip

    def referrers(self, reference: Reference) -> list[Descriptor]:
        """What was attached to an image, as the registry says.

        Args:
            reference: With the digest of the image.
        """
        answer = self._ask("GET", reference.repository, f"referrers/{reference.digest}", missing_is_fine=True)
        if answer.status == 404:
            tag = reference.digest.replace(":", "-")
            answer = self._ask(
                "GET", reference.repository, f"manifests/{tag}", headers={"accept": INDEX}, missing_is_fine=True
            )
            if answer.status == 404:
                return []
        return [read_descriptor(each) for each in from_json(answer.data, dict[str, Any]).get("manifests", [])]

    def _manifest(self, repository: str, name: str, layout: Layout) -> Descriptor:
        answer = self._ask("GET", repository, f"manifests/{name}", headers={"accept": ", ".join(MANIFESTS)})
        data = answer.data
        if len(data) > _LONGEST_MANIFEST or (name.startswith("sha256:") and digest_of(data) != name):
            raise Corrupt(f"{self.host} gave another manifest than {name[:19]}.")
        kind = str(answer.headers.get("content-type", MANIFEST)).partition(";")[0]
        return layout.put(data, kind)

    def _fetch(self, repository: str, blob: Descriptor, layout: Layout) -> None:
        answer = self._ask("GET", repository, f"blobs/{blob.digest}", stream=True)
        target = layout.path(blob.digest)
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh = target.with_name(f".{new_id()}")
        told = hashlib.sha256()
        try:
            with fresh.open("wb") as file:
                for piece in answer.stream(1 << 20):
                    told.update(piece)
                    file.write(piece)
            if f"sha256:{told.hexdigest()}" != blob.digest:
                raise Corrupt(f"{self.host} gave other bytes than {blob.digest[:19]}.")
            fresh.replace(target)
        except urllib3.exceptions.HTTPError as error:
            raise ServerUnreachable(f"{self.host} broke off: {error}.", hint="Try again.") from error
        finally:
            answer.release_conn()
            fresh.unlink(missing_ok=True)

    def _send(
        self, layout: Layout, blob: Descriptor, repository: str, mount: str, tally: _Tally, shown: Callable[[str], None]
    ) -> None:
        if blob.digest in tally.blobs:
            return
        if self._ask("HEAD", repository, f"blobs/{blob.digest}", missing_is_fine=True).status == 200:
            tally.blobs[blob.digest] = "present"
            return
        query = {"mount": blob.digest, "from": mount} if mount else {}
        answer = self._ask("POST", repository, f"blobs/uploads/?{urlencode(query)}".rstrip("?"), others=mount)
        if answer.status == 201:
            tally.blobs[blob.digest] = "mounted"
            return
        shown(f"sending {blob.digest[:19]} ({blob.size / 1e6:.1f} MB)")
        place = self._upload(layout.path(blob.digest), blob.size, repository, str(answer.headers["location"]))
        mark = "&" if urlsplit(place).query else "?"
        end = f"{place}{mark}{urlencode({'digest': blob.digest})}"
        self._request("PUT", end, repository, headers={"content-length": "0"})
        tally.blobs[blob.digest] = "sent"
        tally.sent += blob.size

    def _upload(self, path: Path, size: int, repository: str, place: str) -> str:
        """Sends the bytes of a file in pieces; gives the address that takes the end."""
        place, sent = urljoin(self._url, place), 0
        with path.open("rb") as file:
            while piece := file.read(_PIECE):
                headers = {
                    "content-type": "application/octet-stream",
                    "content-length": str(len(piece)),
                    "content-range": f"{sent}-{sent + len(piece) - 1}",
                }
                answer = self._request("PATCH", place, repository, headers=headers, body=piece)
                sent += len(piece)
                place = urljoin(self._url, str(answer.headers.get("location", place)))
        if sent != size:
            raise Corrupt(f"{path.name[:12]} has {sent} bytes, not {size}.")
        return place

    def _put_manifest(self, repository: str, name: str, layout: Layout, manifest: Descriptor) -> Mapping[str, str]:
        answer = self._ask(
            "PUT",
            repository,
            f"manifests/{name}",
            headers={"content-type": manifest.media_type},
            body=layout.get(manifest),
        )
        return dict(answer.headers)

    def _attach(self, repository: str, layout: Layout, each: Descriptor, subject: str) -> None:
        headers = {name.lower() for name in self._put_manifest(repository, each.digest, layout, each)}
        if "oci-subject" in headers:
            return
        # A registry that keeps no list of its own is given one, as the specification says: an index under this tag.
        known = self.referrers(Reference(host=self.host, repository=repository, digest=subject))
        listed = {one.digest: one for one in known if one.artifact_type != each.artifact_type} | {each.digest: each}
        told = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [one.plain() for one in listed.values()]}
        tag = subject.replace(":", "-")
        self._ask("PUT", repository, f"manifests/{tag}", headers={"content-type": INDEX}, body=canonical_json(told))

    def _ask(self, method: str, repository: str, path: str, **how: Any) -> urllib3.BaseHTTPResponse:
        return self._request(method, f"{self._url}/v2/{repository}/{path}", repository, **how)

    def _request(
        self,
        method: str,
        url: str,
        repository: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        stream: bool = False,
        missing_is_fine: bool = False,
        others: str = "",
    ) -> urllib3.BaseHTTPResponse:
        wants = "pull" if method in ("GET", "HEAD") else "pull,push"
        scope = f"repository:{repository}:{wants}" + (f" repository:{others}:pull" if others else "")
        for attempt in (1, 2):
            given = dict(headers or {})
            # What a registry sends elsewhere, such as to a bucket, is not to learn the password.
            if urlsplit(url).netloc == urlsplit(self._url).netloc and scope in self._allowed:
                given["authorization"] = self._allowed[scope]
            try:
                answer = self._pool.request(method, url, headers=given, body=body, preload_content=not stream)
            except urllib3.exceptions.HTTPError as error:
                raise ServerUnreachable(
                    f"The registry {self.host} does not answer: {error}.", hint="Is the address right, and does it run?"
                ) from error
            if answer.status != 401 or attempt == 2:
                break
            answer.drain_conn()
            self._allowed[scope] = self._permit(str(answer.headers.get("www-authenticate", "")), scope)
        if answer.status < 400 or (answer.status == 404 and missing_is_fine):
            return answer
        raise _refused(self.host, method, repository, answer)

    def _permit(self, challenge: str, scope: str) -> str:
        """The header with which a registry lets us in, as it asks for it."""
        kind, _, rest = challenge.partition(" ")
        basic = "" if self._login is None else f"Basic {base64.b64encode(':'.join(self._login).encode()).decode()}"
        if kind.lower() != "bearer":
            if not basic:
                raise _unknown(self.host)
            return basic
        asked = dict(_CHALLENGE.findall(rest))
        realm = asked.get("realm", "")
        is_safe = realm.startswith("https://") or _LOOPBACK.fullmatch(urlsplit(realm).netloc)
        if not is_safe:
            raise PermissionDenied(f"{self.host} wants a password sent to '{realm[:100]}', unencrypted.")
        pairs = [("service", asked["service"])] if "service" in asked else []
        query = urlencode([*pairs, *(("scope", each) for each in scope.split(" "))])
        answer = self._pool.request("GET", f"{realm}?{query}", headers={"authorization": basic} if basic else {})
        if answer.status != 200:
            raise _unknown(self.host)
        told = from_json(answer.data, dict[str, Any])
        return f"Bearer {told.get('token') or told.get('access_token')}"


def login_of(host: str, config: Path | None = None) -> tuple[str, str] | None:
    """Name and password for a registry, as `podman login` or `docker login` has kept them; None if they have not.

    Args:
        config: The file; Docker's in the home folder by default.
    """
    path = config or Path.home() / ".docker" / "config.json"
    if not path.is_file():
        return None
    known = from_json(path.read_bytes(), dict[str, Any]).get("auths") or {}
    names = [
        host,
        f"https://{host}",
        f"https://{host}/v2/",
        *(["https://index.docker.io/v1/"] if host == "docker.io" else []),
    ]
    for name in names:
        kept = str((known.get(name) or {}).get("auth") or "")
        if kept:
            user, _, password = base64.b64decode(kept).decode().partition(":")
            return user, password
    return None


def _of_platform(index: Mapping[str, Any], platform: str, reference: Reference) -> str:
    known = []
    for each in index.get("manifests", []):
        told = each.get("platform") or {}
        name = f"{told.get('os')}/{told.get('architecture')}"
        if platform in (name, f"{name}/{told.get('variant')}"):
            return check_digest(str(each["digest"]))
        known.append(name)
    raise NotFound(f"{reference} has no image for {platform}.", hint=f"It has {', '.join(sorted(set(known)))}.")


def _unknown(host: str) -> PermissionDenied:
    return PermissionDenied(
        f"The registry {host} does not let us in.", hint=f"Run `podman login --authfile ~/.docker/config.json {host}`."
    )


def _refused(host: str, method: str, repository: str, answer: urllib3.BaseHTTPResponse) -> FlyballError:
    if answer.status in (401, 403):
        return _unknown(host)
    said = answer.data[:300].decode(errors="replace") if answer.data else ""
    if answer.status == 404:
        return NotFound(f"{host} has nothing of that name in '{repository}'. {said}".strip())
    return InvalidInput(f"{host} answered {answer.status} to {method} in '{repository}': {said}")
