"""One of several that may fire schedules: `python -m tests.reliability.acting URL NAME`.

It does what the controller does: takes the lease, and writes in a transaction that makes sure that the lease is still its own.
"""

from __future__ import annotations

import sys
import time
from datetime import timedelta

import sqlalchemy as sa

from flyball.errors import FlyballError
from flyball.storage.database import Database

TTL = timedelta(seconds=3)
fired = sa.Table(
    "fired",
    sa.MetaData(),
    sa.Column("slot", sa.BigInteger),
    sa.Column("by", sa.String(20)),
    sa.Column("at", sa.Float(53)),
)


def fire(database: Database, name: str) -> str:
    """Fires what is due, once a second; gives what became of it."""
    lease = database.lease("schedules", name, TTL)
    if lease is None:
        return "waits"
    now = database.dialect.now
    with database.transaction() as connection:
        database.fence(connection, lease)
        moment = float(connection.execute(sa.select(now)).scalar_one())
        last = connection.execute(sa.select(sa.func.max(fired.c.slot))).scalar()
        if last is not None and last >= int(moment):
            return "holds"
        time.sleep(0.05)  # between the look and the write there is time enough for another one
        connection.execute(sa.insert(fired).values(slot=int(moment), by=name, at=moment))
    return "fired"


def main() -> None:
    """Acts until it is ended; tells what it did, and its own time."""
    database, name, before = Database(sys.argv[1], connections=2), sys.argv[2], ""
    while True:
        try:
            what = fire(database, name)
        except FlyballError as error:
            what = type(error).__name__
        except sa.exc.SQLAlchemyError as error:
            what = f"unknown {type(error).__name__}"
        if what != before:
            print(f"{time.time():.1f} {what}", flush=True)
            before = what
        time.sleep(0.1)


if __name__ == "__main__":
    main()
