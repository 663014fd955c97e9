"""Objects in a bucket of S3 or of a service that speaks its protocol."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from obstore.exceptions import AlreadyExistsError
from obstore.store import S3Store

from flyball.errors import NotFound
from flyball.storage.as_one import settle
from flyball.storage.object_store import FRESH_FOR, ObjectStat, check_key, check_prefix, is_key

if TYPE_CHECKING:
    from obstore import ObjectMeta
    from obstore.store import S3Config


class S3Objects:
    """Objects under `s3://bucket/prefix`. Keys and secrets come from the usual AWS variables or instance role.

    Args:
        location: `s3://bucket` or `s3://bucket/prefix`.
        endpoint: Address of the service, where it is not Amazon's.
        region: Region of the bucket.
    """

    def __init__(self, location: str, *, endpoint: str = "", region: str = "us-east-1") -> None:
        bucket, _, prefix = location.removeprefix("s3://").partition("/")
        options: S3Config = {"region": region}
        if endpoint:
            options["endpoint"] = endpoint
        self._store = S3Store(
            bucket,
            prefix=prefix or None,
            config=options,
            client_options={"allow_http": endpoint.startswith("http://")},
        )

    def put(self, key: str, data: bytes | Path, *, if_absent: bool = False) -> bool:
        """Writes an object; with `if_absent`, False and no write if the key exists."""
        key = check_key(key)
        try:
            # A multipart upload may ignore the condition when it completes, so a conditional put goes whole.
            self._store.put(
                key,
                data,
                mode="create" if if_absent else "overwrite",
                use_multipart=False if if_absent else None,
            )
        except AlreadyExistsError:
            self._freshen(key, data)
            return False
        return True

    def _freshen(self, key: str, data: bytes | Path) -> None:
        """Lets an old object count as new, since it has a new owner."""
        found = self.stat(key)
        if found is None or (found.modified and datetime.now(UTC) - found.modified > FRESH_FOR):
            self._store.put(key, data)

    def get(self, key: str) -> bytes:
        """All bytes of an object."""
        try:
            return bytes(self._store.get(check_key(key)).bytes())
        except FileNotFoundError:
            raise _missing(key) from None

    def fetch(self, key: str, to: Path) -> None:
        """Copies an object to a local file, piece by piece."""
        try:
            stream = self._store.get(check_key(key)).stream(min_chunk_size=8 << 20)
        except FileNotFoundError:
            raise _missing(key) from None
        with to.open("wb") as file:
            for piece in stream:
                file.write(piece)

    def stat(self, key: str) -> ObjectStat | None:
        """Size and ETag of an object."""
        try:
            found = self._store.head(check_key(key))
        except FileNotFoundError:
            return None
        return _stat(found)

    def list(self, prefix: str) -> Iterator[ObjectStat]:
        """The objects whose key begins with the prefix, sorted by key."""
        # The service filters by whole path segments only; what remains of the prefix is filtered here.
        folder = check_prefix(prefix).rpartition("/")[0]
        found = [item for page in self._store.list(folder or None) for item in page]
        fit = [item for item in found if item["path"].startswith(prefix) and is_key(item["path"])]
        for item in sorted(fit, key=lambda item: item["path"]):
            yield _stat(item)

    def delete(self, key: str) -> None:
        """Removes an object."""
        settle()
        try:
            self._store.delete(check_key(key))
        except FileNotFoundError:
            return


def _stat(found: ObjectMeta) -> ObjectStat:
    # A list tells fractions of the second, a single question does not.
    modified = found["last_modified"].astimezone(UTC).replace(microsecond=0)
    return ObjectStat(key=found["path"], size=found["size"], etag=found["e_tag"] or "", modified=modified)


def _missing(key: str) -> NotFound:
    return NotFound(f"There is no object '{key}'.", key=key)
