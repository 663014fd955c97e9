"""Virtual time: a workspace that lives through history at the speed of the machine.

Its time stands in the database, so every process of the workspace agrees on it, and it moves only when it is told to.
A replay moves it on and then waits until those who act on time (the controller) have said that nothing is left to
do at that moment. So what a replay does depends on the data alone, not on how fast the machine is.
"""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from flyball.clock import Clock, parse_time
from flyball.errors import Conflict
from flyball.storage.database import Database
from flyball.storage.tables import Instant, metadata
from flyball.verbs import change, read

virtual_time = sa.Table(
    "virtual_time",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("now", Instant, nullable=False),
    sa.Column("settled", Instant),
)


class VirtualClock:
    """A clock that stands in the database. Before it is set for the first time, it shows the fallback's time."""

    def __init__(self, database: Database, fallback: Clock) -> None:
        self._database = database
        self._fallback = fallback

    def now(self) -> datetime:
        """The virtual moment."""
        row = self._database.row(sa.select(virtual_time.c.now))
        return self._fallback.now() if row is None else row.now

    def settle(self, moment: datetime) -> None:
        """Says that nothing is left to do at that moment."""
        mine = sa.and_(virtual_time.c.id == 1, virtual_time.c.now == moment)
        self._database.execute(sa.update(virtual_time).where(mine).values(settled=moment))

    @read
    def state(self) -> tuple[datetime, bool]:
        """The virtual moment, and whether all that was to do at it has been done."""
        row = self._database.row(sa.select(virtual_time))
        return (self._fallback.now(), True) if row is None else (row.now, row.settled == row.now)

    @read
    def is_set(self) -> bool:
        """Whether the virtual time was ever set; before, the machine's own time is what counts."""
        return self._database.row(sa.select(virtual_time.c.id)) is not None

    @change(role="maintainer")
    def set(self, moment: str) -> datetime:
        """Moves the time on; it never goes back.

        Raises:
            Conflict: the moment lies before the present one.
        """
        wanted = parse_time(moment)
        with self._database.transaction() as connection:
            row = connection.execute(sa.select(virtual_time.c.now)).first()
            if row is not None and wanted < row.now:
                raise Conflict(f"It is {row.now.isoformat()} already; time does not go back to {wanted.isoformat()}.")
            insert = self._database.insert(virtual_time).values(id=1, now=wanted)
            connection.execute(insert.on_conflict_do_update(index_elements=["id"], set_={"now": wanted}))
        return wanted
