"""Objects under a prefix of an object store as the files of a dataset; only those that changed are fetched."""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from flyball.errors import FlyballError, InvalidInput, MissingExtra
from flyball.refs import new_id
from flyball.serialization import from_json, to_json

if TYPE_CHECKING:
    from obstore.store import S3Config, S3Store

SCHEMES = ("s3://",)
_MAGIC = "*?["


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """Where the buckets are, if not at Amazon's."""

    endpoint: str = ""
    region: str = "us-east-1"


class FoundObject(NamedTuple):
    """An object of a source: its name in the snapshot, its key, and what the store says of it."""

    name: str
    key: str
    etag: str
    size: int


class Prefix:
    """A source such as `s3://bucket/prefix` or `s3://bucket/prefix/*.parquet`.

    Raises:
        MissingExtra: the library for it is not installed.
    """

    def __init__(self, source: str, service: Service) -> None:
        self.source = source
        bucket, _, rest = source.removeprefix("s3://").partition("/")
        if not bucket:
            raise InvalidInput(f"'{source}' names no bucket.", hint="Write it as s3://bucket/prefix.")
        self._pattern = rest if any(sign in rest for sign in _MAGIC) else ""
        self._base = self._fixed(rest)
        self._store = _open(bucket, service)

    @property
    def is_pattern(self) -> bool:
        """Whether a pattern picks the objects out."""
        return bool(self._pattern)

    def _fixed(self, rest: str) -> str:
        """The folder that names in the snapshot are relative to."""
        if not self._pattern:
            return rest.rstrip("/")
        first = min(at for sign in _MAGIC if (at := rest.find(sign)) >= 0)
        return rest[:first].rpartition("/")[0]

    def objects(self) -> list[FoundObject]:
        """What is there now, by name; hidden ones and markers of folders are left out.

        Raises:
            InvalidInput: there is nothing, or the store refuses.
        """
        from obstore.exceptions import BaseError

        found = []
        try:
            for page in self._store.list(self._base or None):
                for item in page:
                    key = item["path"]
                    name = key[len(self._base) :].lstrip("/") or key.rpartition("/")[2]
                    if self._fits(key, name):
                        found.append(FoundObject(name, key, item["e_tag"] or "", item["size"]))
        except (BaseError, OSError) as error:
            raise InvalidInput(f"'{self.source}' cannot be read: {_said(error)}", source=self.source) from error
        if not found:
            raise InvalidInput(f"'{self.source}' matches no objects.", source=self.source)
        odd = next((one.name for one in found if not one.name.isprintable()), None)
        if odd is not None:
            raise InvalidInput(f"The name of the object {odd!r} cannot be written as text.", hint="Rename it.")
        return sorted(found)

    def _fits(self, key: str, name: str) -> bool:
        if any(part.startswith(".") for part in name.split("/")) or name.endswith("/"):
            return False
        return fnmatch.fnmatchcase(key, self._pattern) if self._pattern else True

    def fetch(self, one: FoundObject, to: Path) -> None:
        """Copies an object to a file, piece by piece.

        Raises:
            InvalidInput: it cannot be read any more, or is another one now.
        """
        from obstore.exceptions import BaseError

        try:
            answer = self._store.get(one.key)
            if (answer.meta["e_tag"] or "") != one.etag:
                raise InvalidInput(
                    f"'{one.name}' changed while it was read.", hint="Take the snapshot again.", file=one.name
                )
            with to.open("wb") as file:
                for piece in answer.stream(min_chunk_size=8 << 20):
                    file.write(piece)
        except (BaseError, OSError) as error:
            raise InvalidInput(f"'{one.name}' cannot be read: {_said(error)}", file=one.name) from error


class ObjectIndex:
    """Remembers the digests of objects by their ETag.

    Args:
        file: Where they are kept; None keeps nothing.
    """

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._known: dict[str, tuple[str, int, str]] = self._read()
        self._seen: dict[str, tuple[str, int, str]] = {}

    def known(self, one: FoundObject) -> str:
        """The digest of an object that was not touched; empty if it is to be fetched."""
        etag, size, digest = self._known.get(one.key, ("", -1, ""))
        return digest if one.etag and (etag, size) == (one.etag, one.size) else ""

    def learn(self, one: FoundObject, digest: str) -> None:
        """Keeps the digest of an object."""
        self._seen[one.key] = (one.etag, one.size, digest)

    def save(self) -> None:
        """Keeps what was learned; objects that were not asked for are forgotten."""
        if self._file is None or self._seen == self._known:
            return
        self._file.parent.mkdir(parents=True, exist_ok=True)
        fresh = self._file.with_name(f"{self._file.name}.{new_id()}")
        fresh.write_bytes(to_json(self._seen))
        fresh.replace(self._file)

    def _read(self) -> dict[str, tuple[str, int, str]]:
        if self._file is None:
            return {}
        try:
            return from_json(self._file.read_bytes(), dict[str, tuple[str, int, str]])
        except (OSError, FlyballError):
            return {}  # a cache that cannot be read is an empty one


def _open(bucket: str, service: Service) -> S3Store:
    try:
        from obstore.store import S3Store
    except ImportError as error:
        raise MissingExtra("S3 needs its library.", hint="pip install 'flyball[s3]'") from error
    options: S3Config = {"region": service.region}
    if service.endpoint:
        options["endpoint"] = service.endpoint
    return S3Store(bucket, config=options, client_options={"allow_http": service.endpoint.startswith("http://")})


def _said(error: Exception) -> str:
    return str(error).partition("\n")[0][:300]
