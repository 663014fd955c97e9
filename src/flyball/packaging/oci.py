"""Images in the form of the Open Container Initiative: descriptors, and the folder that holds what they name.

Source of the forms: OCI image specification 1.1 (manifest, index, layout).
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from flyball.errors import Corrupt, InvalidInput, NotFound
from flyball.refs import new_id
from flyball.serialization import canonical_json, from_json

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
EMPTY = "application/vnd.oci.empty.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"
MANIFESTS = (MANIFEST, INDEX, DOCKER_MANIFEST, DOCKER_INDEX)
REF_NAME = "org.opencontainers.image.ref.name"
_LONGEST_JSON = 8 << 20
_PIECE = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Descriptor:
    """What names bytes: kind, digest and size.

    Attributes:
        digest: `sha256:` and 64 hexadecimal digits.
        artifact_type: What a manifest that is no image holds.
    """

    media_type: str
    digest: str
    size: int
    annotations: dict[str, str] = field(default_factory=dict)
    artifact_type: str = ""

    def plain(self) -> dict[str, Any]:
        """The descriptor as it is written."""
        told: dict[str, Any] = {"mediaType": self.media_type, "digest": self.digest, "size": self.size}
        if self.artifact_type:
            told["artifactType"] = self.artifact_type
        if self.annotations:
            told["annotations"] = self.annotations
        return told


def read_descriptor(told: Mapping[str, Any]) -> Descriptor:
    """The descriptor that a manifest or an index holds.

    Raises:
        Corrupt: it is none.
    """
    try:
        return Descriptor(
            media_type=str(told["mediaType"]),
            digest=check_digest(str(told["digest"])),
            size=int(told["size"]),
            annotations={str(key): str(value) for key, value in (told.get("annotations") or {}).items()},
            artifact_type=str(told.get("artifactType") or ""),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Corrupt("This is no descriptor of an image.") from error


def check_digest(text: str) -> str:
    """Gives the digest back if it is one of SHA-256.

    Raises:
        Corrupt: it is none.
    """
    kind, _, digits = text.partition(":")
    if kind != "sha256" or len(digits) != 64 or not set(digits) <= set("0123456789abcdef"):
        raise Corrupt(f"{text[:80]!r} is no digest of SHA-256.")
    return text


def digest_of(data: bytes) -> str:
    """SHA-256 of bytes, as images name them."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


class Layout:
    """A folder that holds images: `oci-layout`, `index.json` and blobs by their digest.

    Args:
        folder: Made when the first blob is written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, digest: str) -> Path:
        """Where the bytes of that digest lie, or would."""
        return self.folder / "blobs" / "sha256" / check_digest(digest).removeprefix("sha256:")

    def put(self, data: bytes, media_type: str, **more: Any) -> Descriptor:
        """Writes bytes and gives their descriptor."""
        digest = digest_of(data)
        self._write(self.path(digest), data)
        return Descriptor(media_type=media_type, digest=digest, size=len(data), **more)

    def put_json(self, told: Mapping[str, Any], media_type: str, **more: Any) -> Descriptor:
        """Writes a JSON document, always the same bytes for the same content."""
        return self.put(canonical_json(told), media_type, **more)

    def adopt(self, path: Path, digest: str) -> None:
        """Takes a file over that nobody writes to any more, by a link where that goes, else by a copy."""
        target = self.path(digest)
        if target.exists():
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh = target.with_name(f".{new_id()}")
        try:
            os.link(path, fresh)
        except OSError:
            shutil.copyfile(path, fresh)
        fresh.replace(target)

    def get(self, descriptor: Descriptor) -> bytes:
        """The bytes of a descriptor.

        Raises:
            NotFound: they are not here.
            Corrupt: they are not those that it names.
        """
        try:
            data = self.path(descriptor.digest).read_bytes()
        except FileNotFoundError:
            raise NotFound(f"{self.folder} holds no bytes of {descriptor.digest[:19]}...") from None
        if digest_of(data) != descriptor.digest:
            raise Corrupt(f"The bytes of {descriptor.digest[:19]}... in {self.folder} are not those that were written.")
        return data

    def json(self, descriptor: Descriptor) -> dict[str, Any]:
        """The JSON document of a descriptor."""
        if descriptor.size > _LONGEST_JSON:
            raise Corrupt(f"The manifest {descriptor.digest[:19]}... has {descriptor.size:,} bytes.")
        found: dict[str, Any] = from_json(self.get(descriptor), dict[str, Any])
        return found

    def manifests(self) -> list[Descriptor]:
        """What the index names: images, and what refers to them.

        Raises:
            NotFound: the folder holds no images.
        """
        index = self.folder / "index.json"
        if not index.exists():
            raise NotFound(f"{self.folder} holds no image.", hint="Make one with `flyball image build`.")
        told: dict[str, Any] = from_json(index.read_bytes(), dict[str, Any])
        return [read_descriptor(each) for each in told.get("manifests", [])]

    def image(self, tag: str = "") -> Descriptor:
        """The image of a tag; the only one, or the last that was written, without.

        Raises:
            NotFound: there is none.
        """
        images = [each for each in self.manifests() if not each.artifact_type]
        found = [each for each in images if not tag or each.annotations.get(REF_NAME) == tag]
        if not found:
            known = ", ".join(each.annotations.get(REF_NAME, "?") for each in images)
            raise NotFound(f"{self.folder} holds no image '{tag}'.", hint=f"There is: {known}." if known else "")
        return found[-1]

    def referrers(self, digest: str) -> list[Descriptor]:
        """What was attached to an image."""
        return [
            each
            for each in self.manifests()
            if each.artifact_type and self.json(each).get("subject", {}).get("digest") == digest
        ]

    def tag(self, image: Descriptor, tag: str, referrers: list[Descriptor]) -> None:
        """Lets the index name an image; another one of that tag, and what was attached to it, is named no more."""
        here = self.manifests() if (self.folder / "index.json").exists() else []
        gone = {each.digest for each in here if each.annotations.get(REF_NAME) == tag and not each.artifact_type}
        for each in here:
            if each.artifact_type and self.json(each).get("subject", {}).get("digest") in {*gone, image.digest}:
                gone.add(each.digest)
        kept = [each for each in here if each.digest not in gone]
        named = replace(image, annotations={**image.annotations, REF_NAME: tag})
        told = {
            "schemaVersion": 2,
            "mediaType": INDEX,
            "manifests": [each.plain() for each in [*kept, named, *referrers]],
        }
        self._write(self.folder / "oci-layout", b'{"imageLayoutVersion": "1.0.0"}')
        self._write(self.folder / "index.json", canonical_json(told))

    def _write(self, path: Path, data: bytes) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(f".{new_id()}")
        try:
            fresh.write_bytes(data)
            fresh.replace(path)
        finally:
            fresh.unlink(missing_ok=True)


def blobs_of(told: Mapping[str, Any]) -> list[Descriptor]:
    """What a manifest of an image names: its config, then its layers."""
    if not isinstance(told.get("config"), dict) or not isinstance(told.get("layers"), list):
        raise InvalidInput("This is no manifest of an image.")
    return [read_descriptor(told["config"]), *map(read_descriptor, told["layers"])]


def pieces(path: Path) -> Iterator[bytes]:
    """The bytes of a file, a mebibyte at a time."""
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            yield piece


def here() -> str:
    """The platform of this machine, as images name it."""
    machine = os.uname().machine if hasattr(os, "uname") else ""
    with contextlib.suppress(KeyError):
        machine = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm"}[machine]
    return f"{'linux' if sys.platform.startswith('linux') else sys.platform}/{machine}"
