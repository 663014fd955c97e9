"""One at a time writes to a place of backups: who removes old ones may not take what a new one builds upon."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Self

from flyball.errors import Conflict
from flyball.refs import new_id
from flyball.storage.object_store import ObjectStore

_KEY = "writing"
_RENEWED = 10.0
_STALE = timedelta(minutes=2)


class Lock:
    """Held while something is written; one whose holder was killed is void after two minutes.

    Raises:
        Conflict: somebody else holds it.
    """

    def __init__(self, target: ObjectStore) -> None:
        self._target = target
        self._mine = new_id().encode()
        self._renewed = 0.0

    def __enter__(self) -> Self:
        if not self._target.put(_KEY, self._mine, if_absent=True):
            found = self._target.stat(_KEY)
            if found is not None and found.modified and datetime.now(UTC) - found.modified < _STALE:
                raise Conflict(
                    "Another backup is being written there, or was broken off a moment ago.",
                    hint="Try again in two minutes.",
                )
            self._target.put(_KEY, self._mine)
        self._renewed = time.monotonic()
        return self

    def hold(self) -> None:
        """Says that the holder is still at work.

        Raises:
            Conflict: it was taken over.
        """
        if time.monotonic() - self._renewed > _RENEWED:
            if self._target.get(_KEY) != self._mine:
                raise Conflict("Another backup has begun there meanwhile.", hint="Try again.")
            self._target.put(_KEY, self._mine)
            self._renewed = time.monotonic()

    def __exit__(self, *_: object) -> None:
        self._target.delete(_KEY)
