"""Looks at sources for something new, and takes a snapshot when there is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from flyball.clock import Clock, parse_duration
from flyball.data._prefixes import Service
from flyball.data.manifest import Snapshot
from flyball.data.snapshot import take_snapshot
from flyball.errors import FlyballError, NotFound

if TYPE_CHECKING:
    from flyball.data.datasets import Data
    from flyball.storage.objects import Blobs

_PAGE = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a look at one source gave.

    Attributes:
        snapshot: The new one; None if nothing changed.
        problem: Why the source could not be read; empty if it could.
    """

    dataset: str
    at: datetime
    snapshot: Snapshot | None = None
    problem: str = ""


def look_at(
    data: Data,
    blobs: Blobs,
    name: str,
    *,
    root: Path,
    cache: Path | None = None,
    service: Service | None = None,
) -> Snapshot | None:
    """The snapshot of what is new in the source of a dataset; None if nothing is.

    A new snapshot writes the event `data.snapshot_taken`, as ever, and `data.source_changed`.

    Raises:
        NotFound: there is no such dataset.
        InvalidInput: the source cannot be used.
    """
    before = _latest(data, name)
    taken = take_snapshot(data, blobs, name, root=root, cache=cache, service=service)
    if taken.id == before:
        return None
    data.tell_of_source(name, taken.id)
    return taken


class Watcher:
    """Looks at the sources of all datasets that are declared with `watch`, each when it is time.

    Args:
        root: The project's folder, to which paths are relative.
        cache: Folder for what can be made again.
        service: Where buckets are, if not at Amazon's.
        only: Looks at these datasets only, each as often as is said here; by default at those that are declared with `watch`.
    """

    def __init__(
        self,
        data: Data,
        blobs: Blobs,
        clock: Clock,
        *,
        root: Path,
        cache: Path | None = None,
        service: Service | None = None,
        only: Mapping[str, timedelta] | None = None,
    ) -> None:
        self._only = dict(only or {})
        self._data = data
        self._blobs = blobs
        self._clock = clock
        self._root = root
        self._cache = cache
        self._service = service
        self._looked: dict[str, datetime] = {}

    def look(self) -> list[Look]:
        """Looks at those for which it is time; a source that cannot be read does not keep the others from it."""
        found = []
        for name, every in list(self._only.items() or self._declared()):
            now = self._clock.now()
            last = self._looked.get(name)
            if last is None or now - last >= every:
                self._looked[name] = now
                found.append(self._look_at(name, now))
        return found

    def _declared(self) -> Iterator[tuple[str, timedelta]]:
        after = ""
        while page := self._data.list(limit=_PAGE, after=after):
            after = page[-1].name
            yield from ((one.name, parse_duration(one.watch)) for one in page if one.watch)

    def _look_at(self, name: str, now: datetime) -> Look:
        try:
            taken = look_at(self._data, self._blobs, name, root=self._root, cache=self._cache, service=self._service)
        except FlyballError as error:
            return Look(dataset=name, at=now, problem=str(error))
        return Look(dataset=name, at=now, snapshot=taken)


def _latest(data: Data, name: str) -> str:
    try:
        return data.get_snapshot(name).id
    except NotFound:
        return ""
