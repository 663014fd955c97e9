"""Which images were built of what, and where they were sent."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from flyball.clock import Clock
from flyball.errors import Corrupt, InvalidInput, NotFound
from flyball.packaging._store import images
from flyball.packaging.image import Image
from flyball.packaging.oci import check_digest
from flyball.packaging.oci_registry import Reference
from flyball.refs import Ref, check_name
from flyball.storage.database import Database
from flyball.storage.event_log import EventLog
from flyball.storage.objects import Blobs
from flyball.verbs import change, read


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltImage:
    """An image that was built.

    Attributes:
        name: Of the deployment or model in it.
        models: References of the versions in it.
        size: Bytes of its layers.
        pushed: Where it was sent.
        built: When it was first built; the same content is the same image.
    """

    digest: str
    name: str
    tag: str
    platform: str
    models: tuple[str, ...]
    size: int
    pushed: tuple[str, ...]
    built: datetime


class Images:
    """Keeps what is known of images; their bytes rest in layouts and registries."""

    def __init__(self, database: Database, blobs: Blobs, events: EventLog, clock: Clock) -> None:
        self._database = database
        self._events = events
        self._clock = clock

    @change
    def record(self, image: Image) -> BuiltImage:
        """Keeps that an image was built; one of the same content is the same.

        Raises:
            InvalidInput: a name, digest or reference cannot be used.
        """
        try:
            digest = check_digest(image.digest)
        except Corrupt as error:
            raise InvalidInput(error.message) from error
        models = tuple(str(Ref.parse(each, kind="models")) for each in image.models)
        row: dict[str, Any] = {
            "digest": digest, "name": check_name(image.name, "image"), "tag": image.tag[:128], "platform": image.platform[:40],
            "models": models, "size": image.size, "pushed": (),
            "built": self._clock.now(),
        }  # fmt: skip
        with self._database.transaction() as connection:
            insert = self._database.insert(images).values(**row).on_conflict_do_nothing(index_elements=["digest"])
            connection.execute(insert)
            subject = models[0] if models else str(Ref(kind="deployments", name=image.name))
            self._events.append(connection, "packaging.image_built", subject, digest=digest, models=list(models))
            return self._one(connection, digest)

    @change
    def record_push(self, digest: str, reference: str) -> BuiltImage | None:
        """Keeps where an image was sent; None if it was not built from here.

        Raises:
            InvalidInput: the reference cannot be used.
        """
        to = str(Reference.parse(reference))
        with self._database.transaction() as connection:
            try:
                found = self._one(connection, digest)
            except NotFound:
                return None
            told = tuple(dict.fromkeys([*found.pushed, to]))
            connection.execute(sa.update(images).where(images.c.digest == digest).values(pushed=told))
            subject = found.models[0] if found.models else str(Ref(kind="deployments", name=found.name))
            self._events.append(connection, "packaging.image_pushed", subject, digest=digest, reference=to)
            return self._one(connection, digest)

    @read
    def get(self, digest: str) -> BuiltImage:
        """The image of that digest.

        Raises:
            NotFound: none was built from here.
        """
        with self._database.reading() as connection:
            return self._one(connection, digest)

    @read
    def list(
        self, name: str = "", model: str = "", limit: int = 100, before: datetime | None = None
    ) -> list[BuiltImage]:
        """Images, newest first.

        Args:
            name: Only those of this deployment or model.
            model: Only those that hold this version, such as `models:/late-flights/3`.
            before: Only those built earlier.
        """
        query = sa.select(images).order_by(images.c.built.desc(), images.c.digest)
        query = query.where(images.c.name == name) if name else query
        query = query.where(images.c.built < before) if before else query
        rows = self._database.rows(query.limit(max(1, min(limit, 1000))))
        found = [BuiltImage(**row._mapping) for row in rows]
        return [one for one in found if not model or model in one.models]

    def _one(self, connection: sa.Connection, digest: str) -> BuiltImage:
        row = connection.execute(sa.select(images).where(images.c.digest == digest)).first()
        if row is None:
            raise NotFound(f"No image {digest[:19]} was built from here.")
        return BuiltImage(**row._mapping)
