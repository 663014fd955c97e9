"""Groups of accounts: a role given to one is given to all in it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from flyball.access import _store
from flyball.access.service import AccessService
from flyball.errors import AlreadyExists, NotFound
from flyball.principals import acting, need_admin
from flyball.refs import check_name
from flyball.verbs import change, read


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A group of accounts."""

    name: str
    description: str
    created: datetime
    accounts: tuple[str, ...] = ()


class Groups(AccessService):
    """Keeps groups; for who looks after the instance."""

    @change(role="none")
    def create(self, name: str, description: str = "") -> Group:
        """Adds a group.

        Raises:
            AlreadyExists: there is such a group.
        """
        need_admin("to add a group")
        check_name(name, "group")
        values = {"name": name, "description": description[:2000], "created": self._clock.now()}
        with self._database.transaction() as connection:
            if connection.execute(sa.select(_store.groups).where(_store.groups.c.name == name)).first():
                raise AlreadyExists(f"There is a group '{name}' already.")
            connection.execute(sa.insert(_store.groups).values(**values))
            self._events.append(connection, "access.group_created", f"groups:/{name}")
            return self._get(connection, name)

    @change(role="none")
    def delete(self, name: str) -> None:
        """Removes a group, and what it gave to those in it.

        Raises:
            NotFound: there is no such group.
        """
        need_admin("to remove a group")
        links, members = _store.group_accounts, _store.members
        with self._database.transaction() as connection:
            self._get(connection, name)
            connection.execute(sa.delete(links).where(links.c.group == name))
            connection.execute(sa.delete(members).where(members.c.kind == "group", members.c.name == name))
            connection.execute(sa.delete(_store.groups).where(_store.groups.c.name == name))
            _store.count_change(self._database, connection)
            self._events.append(connection, "access.group_removed", f"groups:/{name}")
        self._forget()

    @change(role="none")
    def add(self, name: str, account: str) -> Group:
        """Adds an account to a group.

        Raises:
            NotFound: there is no such group or account.
        """
        need_admin("to change a group")
        with self._database.transaction() as connection:
            self._get(connection, name)
            if _store.account_row(connection, account) is None:
                raise NotFound(f"There is no account '{account[:128]}'.")
            added = self._database.insert(_store.group_accounts).values(group=name, account=account, provided=False)
            connection.execute(added.on_conflict_do_nothing())
            _store.count_change(self._database, connection)
            self._events.append(connection, "access.group_joined", f"groups:/{name}", account=account)
            found = self._get(connection, name)
        self._forget()
        return found

    @change(role="none")
    def remove(self, name: str, account: str) -> Group:
        """Takes an account out of a group, at once.

        Raises:
            NotFound: it is not in it.
        """
        need_admin("to change a group")
        links = _store.group_accounts
        with self._database.transaction() as connection:
            self._get(connection, name)
            gone = connection.execute(sa.delete(links).where(links.c.group == name, links.c.account == account))
            if not gone.rowcount:
                raise NotFound(f"'{account[:128]}' is not in the group '{name}'.")
            _store.count_change(self._database, connection)
            self._events.append(connection, "access.group_left", f"groups:/{name}", account=account)
            found = self._get(connection, name)
        self._forget()
        return found

    @read(role="none")
    def list(self, limit: int = 100, after: str = "") -> list[Group]:
        """Groups by name: all of them for who looks after the instance, else those that one is in."""
        principal, table = acting(), _store.groups
        query = sa.select(table.c.name).where(table.c.name > after)
        if not (principal.admin or principal.auditor):
            links = _store.group_accounts
            mine = sa.select(links.c.group).where(links.c.account == principal.name)
            query = query.where(table.c.name.in_(mine))
        with self._database.reading() as connection:
            names = connection.execute(query.order_by(table.c.name).limit(max(1, min(limit, 1000)))).scalars().all()
            return [self._get(connection, name) for name in names]

    def _get(self, connection: sa.Connection, name: str) -> Group:
        row = connection.execute(sa.select(_store.groups).where(_store.groups.c.name == name)).first()
        if row is None:
            raise NotFound(f"There is no group '{name[:128]}'.", hint="`flyball groups list` shows them.")
        links = _store.group_accounts
        accounts = connection.execute(
            sa.select(links.c.account).where(links.c.group == name).order_by(links.c.account)
        ).scalars()
        return Group(name=row.name, description=row.description, created=row.created, accounts=tuple(accounts))
