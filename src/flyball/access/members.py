"""Memberships: which account or group has which role in a project."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import sqlalchemy as sa

from flyball.access import _store
from flyball.access.service import AccessService
from flyball.errors import Conflict, InvalidInput, NotFound
from flyball.principals import ROLES, Role, acting, need_admin
from flyball.verbs import change, read

MemberKind = Literal["account", "group"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """An account or group that has a role in a project."""

    project: str
    kind: MemberKind
    name: str
    role: Role
    since: datetime
    by: str


class Members(AccessService):
    """Keeps memberships."""

    @change(role="none")
    def set(self, name: str, role: Role, kind: MemberKind = "account", project: str = "") -> Member:
        """Gives an account or a group a role in a project; for its owners, and for who looks after the instance.

        Args:
            name: Of the account or group.
            role: `viewer`, `contributor`, `maintainer` or `owner`.
            project: The project at hand by default; another is for who looks after the instance.

        Raises:
            NotFound: there is no such account or group.
            Conflict: the project would be left without an owner.
        """
        if role not in ROLES[1:]:
            raise InvalidInput(f"'{role}' is no role of a member.", hint=f"Use one of {', '.join(ROLES[1:])}.")
        project, table = self._project(project, "to change its members"), _store.members
        values = {"role": role, "since": self._clock.now(), "by": acting().name}
        with self._database.transaction() as connection:
            _check_there(connection, kind, name)
            added = self._database.insert(table).values(project=project, kind=kind, name=name, **values)
            connection.execute(added.on_conflict_do_update(index_elements=["project", "kind", "name"], set_=values))
            self._check_owner(connection, project)
            _store.count_change(self._database, connection)
            self._events.append(
                connection, "access.member_set", f"projects:/{project}", kind_of=kind, name=name, role=role
            )
            row = connection.execute(sa.select(table).where(*_key(project, kind, name))).one()
        self._forget()
        return Member(**row._mapping)

    @change(role="none")
    def remove(self, name: str, kind: MemberKind = "account", project: str = "") -> None:
        """Takes a role in a project away, at once.

        Raises:
            NotFound: it is no member.
            Conflict: the project would be left without an owner.
        """
        project = self._project(project, "to change its members")
        with self._database.transaction() as connection:
            gone = connection.execute(sa.delete(_store.members).where(*_key(project, kind, name))).rowcount
            if not gone:
                raise NotFound(f"The {kind} '{name[:128]}' is no member of the project '{project}'.")
            self._check_owner(connection, project)
            _store.count_change(self._database, connection)
            self._events.append(connection, "access.member_removed", f"projects:/{project}", kind_of=kind, name=name)
        self._forget()

    @read
    def list(self, project: str = "") -> list[Member]:
        """The members of a project, by name."""
        chosen = project or acting().project
        if chosen != acting().project:
            need_admin("to see the members of another project")
        table = _store.members
        rows = self._database.rows(
            sa.select(table).where(table.c.project == chosen).order_by(table.c.kind, table.c.name)
        )
        return [Member(**row._mapping) for row in rows]

    def remove_all(self, connection: sa.Connection, project: str) -> None:
        """Removes every membership of a project that is no more, within a transaction."""
        connection.execute(sa.delete(_store.members).where(_store.members.c.project == project))
        _store.count_change(self._database, connection)

    def _project(self, given: str, what: str) -> str:
        principal = acting()
        project = given or principal.project
        if not principal.admin:
            if project != principal.project:
                need_admin("what concerns another project")
            principal.need("owner", what)
        return project

    def _check_owner(self, connection: sa.Connection, project: str) -> None:
        if acting().admin:
            return
        owners = sa.select(sa.func.count()).select_from(_store.members)
        found = connection.execute(owners.where(_store.members.c.project == project, _store.members.c.role == "owner"))
        if not found.scalar():
            raise Conflict(
                f"The project '{project}' would be left without an owner.", hint="Make somebody else owner first."
            )


def _key(project: str, kind: str, name: str) -> tuple[sa.ColumnElement[bool], ...]:
    table = _store.members
    return table.c.project == project, table.c.kind == kind, table.c.name == name


def _check_there(connection: sa.Connection, kind: str, name: str) -> None:
    table = _store.accounts if kind == "account" else _store.groups
    if connection.execute(sa.select(table.c.name).where(table.c.name == name)).first() is None:
        raise NotFound(f"There is no {kind} '{name[:128]}'.", hint="An admin adds accounts and groups.")
