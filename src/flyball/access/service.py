"""What the services of this room stand on."""

from __future__ import annotations

from collections.abc import Callable

from flyball.clock import Clock
from flyball.storage.database import Database
from flyball.storage.event_log import EventLog


class AccessService:
    """Keeps something of the instance that decides who may do what.

    Args:
        forget: Told when somebody may do less, so that this process at once knows it.
    """

    def __init__(
        self, database: Database, events: EventLog, clock: Clock, *, forget: Callable[[], None] = lambda: None
    ) -> None:
        self._database = database
        self._events = events
        self._clock = clock
        self._forget = forget
