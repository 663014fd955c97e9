"""The feature views that there are."""

from __future__ import annotations

from flyball.clock import Clock
from flyball.errors import NotFound, did_you_mean
from flyball.features import _store
from flyball.features.definition import FeatureView, check_view, feature_view
from flyball.refs import Ref
from flyball.storage.database import Database
from flyball.storage.event_log import EventLog
from flyball.storage.objects import Blobs
from flyball.verbs import change, read

__all__ = ["FeatureView", "Features", "feature_view"]


class Features:
    """Feature views by name."""

    def __init__(self, database: Database, blobs: Blobs, events: EventLog, clock: Clock) -> None:
        self._database = database
        self._blobs = blobs
        self._events = events
        self._clock = clock

    @change
    def declare(self, view: FeatureView) -> FeatureView:
        """Puts a feature view into the catalog, or brings its entry up to date.

        Raises:
            InvalidInput: the declaration cannot be used.
        """
        check_view(view)
        with self._database.transaction() as connection:
            if _store.view(connection, view.name) != view:
                _store.write(self._database, connection, view, self._clock.now())
                subject = Ref(kind="features", name=view.name)
                self._events.append(connection, "features.view_declared", subject, source=view.source)
        return view

    @read
    def get(self, name: str) -> FeatureView:
        """The feature view of that name.

        Raises:
            NotFound: there is none; the hint names near ones.
        """
        with self._database.reading() as connection:
            found = _store.view(connection, name)
            if found is None:
                known = _store.names(connection)
                raise NotFound(f"There is no feature view '{name}'.", hint=did_you_mean(name, known), view=name)
        return found

    @read
    def list(self, limit: int = 100, after: str = "") -> list[FeatureView]:
        """Feature views, by name.

        Args:
            limit: At most this many, up to 1,000.
            after: Only those whose name comes after it.
        """
        with self._database.reading() as connection:
            return _store.views(connection, max(1, min(limit, 1000)), after)
