"""Stores: places for projects that who looks after the instance has named. Nobody else ever names a location."""

from __future__ import annotations

import builtins
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa

from flyball.access import _projects_store as table
from flyball.clock import Clock
from flyball.errors import AlreadyExists, Conflict, InvalidInput, NotFound
from flyball.principals import acting
from flyball.refs import check_name
from flyball.storage.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """A named place that projects may be kept in.

    Attributes:
        database: SQLAlchemy's address, its password left out; empty for the workspace's own.
        objects: A folder, or `s3://bucket/prefix`; empty for the workspace's own.
        residency: Where it stands, such as `eu`.
    """

    name: str
    database: str = ""
    objects: str = ""
    s3_endpoint: str = ""
    s3_region: str = ""
    residency: str = ""


class Stores:
    """Keeps stores; who may ask is its caller's to know."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def add(self, store: Store) -> Store:
        """Keeps a store, once its places have been found to be usable.

        Raises:
            AlreadyExists: there is one of that name.
            InvalidInput: a place cannot be used.
        """
        check_name(store.name, "store")
        _try_database(store.database)
        _try_objects(store)
        row = {name: getattr(store, name) for name in store.__dataclass_fields__}
        row |= {"created": self._clock.now(), "created_by": acting().name}
        with self._database.transaction() as connection:
            made = self._database.insert(table.stores).values(**row).on_conflict_do_nothing()
            if not connection.execute(made).rowcount:
                raise AlreadyExists(f"There is a store '{store.name}' already.")
        return self.get(store.name)

    def list(self) -> builtins.list[Store]:
        """All stores, by name."""
        return [_shown(_store(row)) for row in self._database.rows(sa.select(table.stores).order_by("name"))]

    def get(self, name: str, *, with_secrets: bool = False) -> Store:
        """The store of that name.

        Args:
            with_secrets: Whether a password stands in the address of its database.

        Raises:
            NotFound: there is none.
        """
        row = self._database.row(sa.select(table.stores).where(table.stores.c.name == name))
        if row is None:
            raise NotFound(
                f"There is no store '{name[:60]}'.",
                hint="Who looks after the instance adds one: `flyball projects stores`.",
            )
        return _store(row) if with_secrets else _shown(_store(row))

    def remove(self, name: str) -> None:
        """Forgets a store.

        Raises:
            NotFound: there is none.
            Conflict: a project is kept in it.
        """
        self.get(name)
        with self._database.transaction() as connection:
            used = connection.execute(sa.select(table.projects.c.name).where(table.projects.c.store == name)).scalar()
            if used is not None:
                raise Conflict(f"The project '{used}' is kept in the store '{name}'.", project=used)
            connection.execute(sa.delete(table.stores).where(table.stores.c.name == name))


def _store(row: sa.Row[Any]) -> Store:
    return Store(**{name: getattr(row, name) for name in Store.__dataclass_fields__})


def _shown(store: Store) -> Store:
    if not store.database:
        return store
    return replace(store, database=sa.make_url(store.database).render_as_string(hide_password=True))


def _try_database(address: str) -> None:
    if not address:
        return
    database = Database(address, connections=1)
    try:
        database.row(sa.text("SELECT 1"))
    except sa.exc.DatabaseError as error:
        said = str(error.orig).strip().partition("\n")[0]
        raise InvalidInput(f"The database cannot be used: {said}.") from error
    finally:
        database.close()


def _try_objects(store: Store) -> None:
    if not store.objects:
        return
    from flyball.storage.objects import open_objects

    opened = open_objects(store.objects, s3_endpoint=store.s3_endpoint, s3_region=store.s3_region or "us-east-1")
    try:
        next(iter(opened.list("")), None)
    except Exception as error:  # whatever a library or the system says is the reason
        raise InvalidInput(f"The objects cannot be used: {str(error).partition(chr(10))[0][:200]}.") from error
