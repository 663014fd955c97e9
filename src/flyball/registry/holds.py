"""Holds: who needs a version as it is, so that it is not taken away from under them.

Whatever serves or keeps a version stands above this room and says so here, in the transaction in which it begins to need
it. Retiring asks here and need not know who there may be.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

import sqlalchemy as sa

from flyball.errors import Conflict
from flyball.registry import _people_store as _people
from flyball.registry import _store
from flyball.storage.database import Database


def take_hold(
    database: Database, connection: sa.Connection, holder: str, model: str, version: int, *, now: datetime
) -> None:
    """Says that the holder needs a version; nothing happens if it has said so before.

    Call it before anything else is written in the transaction: it locks the model, as whoever changes one does first.

    Args:
        holder: Text of the `Ref` of what needs it.

    Raises:
        Conflict: the version is retired, or its files are not kept here.
    """
    connection.execute(sa.select(_store.models.c.name).where(_store.models.c.name == model).with_for_update())
    table = _store.versions
    mine = sa.and_(table.c.model == model, table.c.version == version)
    found = connection.execute(sa.select(table.c.stage, table.c.package_id, table.c.source).where(mine)).first()
    if found is not None and found.stage == "retired":
        raise Conflict(f"Version {version} of '{model}' is retired.", hint="Choose another, or restore it first.")
    if found is not None and not found.package_id:
        raise Conflict(
            f"The files of version {version} of '{model}' are not kept here, so it cannot be served.",
            hint=f"They lie at {found.source[:200] or 'another place'}; log the model here and register it anew.",
        )
    row = {"holder": holder, "model": model, "version": version, "since": now}
    connection.execute(database.insert(_people.holds).values(row).on_conflict_do_nothing())


def let_go(connection: sa.Connection, holder: str, *, but: Collection[int] = ()) -> None:
    """Says that the holder needs none of its versions any more, but those of these numbers."""
    table = _people.holds
    mine = table.c.holder == holder
    connection.execute(sa.delete(table).where(mine, table.c.version.not_in(sorted(but)) if but else sa.true()))


def holders_of(connection: sa.Connection, model: str, version: int) -> tuple[str, ...]:
    """Who needs a version, as the texts of their references."""
    table = _people.holds
    query = sa.select(table.c.holder).where(table.c.model == model, table.c.version == version)
    return tuple(connection.execute(query.order_by(table.c.holder)).scalars())
