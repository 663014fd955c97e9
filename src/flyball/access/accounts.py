"""Accounts: people, and programs with an account of their own."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import sqlalchemy as sa

from flyball.access import _store
from flyball.access.passwords import Brakes, hash_password, is_right
from flyball.access.service import AccessService
from flyball.access.tokens import Tokens
from flyball.clock import Clock
from flyball.errors import AlreadyExists, Conflict, InvalidInput, NotFound, PermissionDenied
from flyball.principals import Principal, Role, acting, need_admin
from flyball.serialization import JsonValue
from flyball.storage.database import Database
from flyball.storage.event_log import EventLog
from flyball.verbs import change, read

AccountKind = Literal["user", "service"]
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,127}")
_OURS = re.compile(r"flyball|local|run-.*", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A person, or a program with an account of its own.

    Attributes:
        admin: Whether they look after the instance: accounts, groups, projects, stores.
        auditor: Whether they may read everything, the audit log too, and change nothing.
        disabled: Whether the door is closed to them.
        has_password: Whether they can log in with one.
        single_sign_on: Whether they come from a provider.
        seen: When they last came in.
    """

    name: str
    kind: AccountKind
    full_name: str = ""
    email: str = ""
    admin: bool = False
    auditor: bool = False
    disabled: bool = False
    has_password: bool = False
    single_sign_on: bool = False
    groups: tuple[str, ...] = ()
    created: datetime
    seen: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Whoami:
    """Who acts, and what they may do.

    Attributes:
        role: Their role in the project at hand.
        projects: Their role in every project that they may enter, as far as their token reaches.
        proven: Whether a login or token proved who they are; on a machine of one's own nobody has to.
    """

    name: str
    kind: str
    full_name: str = ""
    project: str
    role: Role
    projects: dict[str, str]
    admin: bool = False
    auditor: bool = False
    proven: bool = True


class Accounts(AccessService):
    """Keeps accounts.

    Args:
        forget: Told when somebody may do less, so that this process at once knows it.
    """

    def __init__(
        self, database: Database, events: EventLog, clock: Clock, *, forget: Callable[[], None] = lambda: None
    ) -> None:
        super().__init__(database, events, clock, forget=forget)
        self._tokens = Tokens(database, events, clock)
        self._brakes = Brakes(database, clock)

    @change(role="none")
    def create(
        self,
        name: str,
        kind: AccountKind = "user",
        full_name: str = "",
        email: str = "",
        password: str = "",
        admin: bool = False,
        auditor: bool = False,
        role: Role = "none",
        project: str = "",
    ) -> Account:
        """Adds an account; for who looks after the instance.

        Args:
            name: Short, without blanks, such as `ada`; it stands beside all they do and never changes.
            kind: `user`, or `service` for a program, which has tokens and no password.
            password: For logging in; without one they come by single sign-on.
            admin: They look after the instance.
            auditor: They may read everything and change nothing.
            role: Their role in a project from the start.
            project: That project; the one at hand by default.

        Raises:
            AlreadyExists: there is such an account.
            InvalidInput: the name or the password cannot be used.
        """
        principal = need_admin("to add an account")
        hashed = hash_password(password, name) if password else ""
        if kind == "service" and (password or admin):
            raise InvalidInput("A service account has no password and does not look after the instance.")
        with self._database.transaction() as connection:
            self.add(
                connection, name, kind=kind, full_name=full_name, email=email, password=hashed, admin=admin,
                auditor=auditor,
            )  # fmt: skip
            if role != "none":
                values = {"project": project or principal.project, "kind": "account", "name": name, "role": role}
                more = {"since": self._clock.now(), "by": principal.name}
                connection.execute(sa.insert(_store.members).values(**values, **more))
                self._tell(connection, "member_added", name, project=values["project"], role=role)
            return self._get(connection, name)

    @read(role="none")
    def list(self, kind: AccountKind | None = None, limit: int = 100, after: str = "") -> list[Account]:
        """Accounts by name: all of them for who looks after the instance, else those of the project at hand."""
        table, principal = _store.accounts, acting()
        query = sa.select(table).where(table.c.name > after)
        query = query.where(table.c.kind == kind) if kind else query
        sees_all = principal.admin or principal.auditor
        if not sees_all:
            query = query.where(sa.or_(table.c.name == principal.name, _is_member(principal.project)))
        with self._database.reading() as connection:
            rows = connection.execute(query.order_by(table.c.name).limit(max(1, min(limit, 1000)))).all()
            return [self._account(connection, row, whole=sees_all) for row in rows]

    @read(role="none")
    def get(self, name: str) -> Account:
        """One account: one's own, or any for who looks after the instance.

        Raises:
            NotFound: there is none that one may see.
        """
        with self._database.reading() as connection:
            found = self._get(connection, name)
            principal = acting()
            if name != principal.name and not (principal.admin or principal.auditor):
                raise _unknown(name)
            return found

    @read(role="none")
    def whoami(self) -> Whoami:
        """Who acts, and what they may do."""
        principal = acting()
        with self._database.reading() as connection:
            row = _store.account_row(connection, principal.name)
            projects = self._projects(connection, principal)
        return Whoami(
            name=principal.name, kind=principal.kind, full_name=row.full_name if row else "", project=principal.project,
            role=principal.role, projects=projects, admin=principal.admin, auditor=principal.auditor,
            proven=principal.proven,
        )  # fmt: skip

    @change(role="none")
    def update(
        self,
        name: str,
        full_name: str | None = None,
        email: str | None = None,
        admin: bool | None = None,
        auditor: bool | None = None,
        disabled: bool | None = None,
    ) -> Account:
        """Changes an account; for who looks after the instance. Disabling one closes the door to it at once.

        Raises:
            NotFound: there is no such account.
            Conflict: nobody would be left who looks after the instance.
        """
        need_admin("to change an account")
        given = {
            "full_name": full_name, "email": email, "admin": admin, "auditor": auditor, "disabled": disabled,
        }  # fmt: skip
        values = {key: value for key, value in given.items() if value is not None}
        with self._database.transaction() as connection:
            before = self._get(connection, name)
            if values:
                connection.execute(sa.update(_store.accounts).where(_store.accounts.c.name == name).values(**values))
            self._check_admin_left(connection, before)
            if disabled:
                self._tokens.end(connection, _store.tokens.c.account == name, reason="account disabled")
            _store.count_change(self._database, connection)
            changed: dict[str, JsonValue] = dict(values)
            self._tell(connection, "account_changed", name, **changed)
            found = self._get(connection, name)
        self._forget()
        return found

    @change(role="none")
    def set_password(self, name: str, password: str, current: str = "") -> None:
        """Sets a password: one's own with the present one, or another's for who looks after the instance.

        All sessions of the account end.

        Raises:
            PermissionDenied: the present password is wrong, or the account another's.
            InvalidInput: the password cannot be used.
        """
        principal = acting()
        hashed = hash_password(password, name)
        with self._database.reading() as connection:
            row = _store.account_row(connection, name)
        if name != principal.name and not principal.admin:
            raise PermissionDenied(f"{principal.name} may not set the password of another.", hint="Ask an admin.")
        if row is None or row.kind != "user":
            raise _unknown(name)
        if not principal.admin:
            self._check_present(name, current, row.password)
        with self._database.transaction() as connection:
            connection.execute(sa.update(_store.accounts).where(_store.accounts.c.name == name).values(password=hashed))
            sessions = sa.and_(_store.tokens.c.account == name, _store.tokens.c.kind == "session")
            self._tokens.end(connection, sessions, reason="password changed")
            self._tell(connection, "password_set", name)
        self._forget()

    @change(role="none")
    def delete(self, name: str) -> None:
        """Removes an account, its tokens and memberships; for who looks after the instance. What it did stays under its name.

        Raises:
            NotFound: there is no such account.
            Conflict: nobody would be left who looks after the instance.
        """
        need_admin("to remove an account")
        with self._database.transaction() as connection:
            before = self._get(connection, name)
            self._tokens.end(connection, _store.tokens.c.account == name, reason="account removed")
            links, members = _store.group_accounts, _store.members
            connection.execute(sa.delete(links).where(links.c.account == name))
            connection.execute(sa.delete(members).where(members.c.kind == "account", members.c.name == name))
            connection.execute(sa.delete(_store.accounts).where(_store.accounts.c.name == name))
            self._check_admin_left(connection, before)
            self._tell(connection, "account_removed", name)
        self._forget()

    def add(
        self, connection: sa.Connection, name: str, *, kind: AccountKind = "user", full_name: str = "", email: str = "",
        password: str = "", admin: bool = False, auditor: bool = False, subject: str | None = None,
    ) -> None:  # fmt: skip
        """Adds an account within a transaction; who may is the caller's to know."""
        _check_account_name(name)
        if _store.account_row(connection, name) is not None:
            raise AlreadyExists(f"There is an account '{name}' already.")
        values = {
            "name": name, "kind": kind, "full_name": full_name[:250], "email": email[:250], "password": password,
            "admin": admin, "auditor": auditor, "disabled": False, "subject": subject, "created": self._clock.now(),
            "created_by": acting().name, "seen": None,
        }  # fmt: skip
        connection.execute(sa.insert(_store.accounts).values(**values))
        self._tell(connection, "account_created", name, account_kind=kind, admin=admin, auditor=auditor)

    def _check_present(self, name: str, current: str, kept: str) -> None:
        keys = (f"account:{name}",)
        self._brakes.check(*keys)
        if not is_right(current, kept):
            with self._database.transaction() as connection:
                self._brakes.failed(connection, *keys)
            raise PermissionDenied("The present password is wrong.")

    def _projects(self, connection: sa.Connection, principal: Principal) -> dict[str, str]:
        if principal.limited or principal.kind == "system":
            return {} if principal.role == "none" else {principal.project: principal.role}
        found: dict[str, str] = {}
        for project, role in _store.roles_of(connection, principal.name):
            found[project] = max(found.get(project, "none"), role, key=_rank)
        return dict(sorted(found.items()))

    def _check_admin_left(self, connection: sa.Connection, before: Account) -> None:
        table = _store.accounts
        active = sa.select(table.c.name).where(table.c.admin, sa.not_(table.c.disabled))
        # Whoever holds the workspace itself can always make another.
        if before.admin and acting().proven and connection.execute(active).first() is None:
            raise Conflict(
                f"'{before.name}' is the last who looks after the instance.", hint="Make another admin first."
            )

    def _get(self, connection: sa.Connection, name: str) -> Account:
        row = _store.account_row(connection, name)
        if row is None:
            raise _unknown(name)
        return self._account(connection, row)

    def _account(self, connection: sa.Connection, row: sa.Row[Any], *, whole: bool = True) -> Account:
        known = {"name": row.name, "kind": row.kind, "full_name": row.full_name, "created": row.created}
        if not whole and row.name != acting().name:
            return Account(**known)
        return Account(
            **known, email=row.email, admin=row.admin, auditor=row.auditor, disabled=row.disabled, seen=row.seen,
            has_password=bool(row.password), single_sign_on=row.subject is not None,
            groups=tuple(_store.groups_of(connection, row.name)),
        )  # fmt: skip

    def _tell(self, connection: sa.Connection, what: str, account: str, **facts: JsonValue) -> None:
        self._events.append(connection, f"access.{what}", f"accounts:/{account}", **facts)


def _rank(role: str) -> int:
    return ("none", "viewer", "contributor", "maintainer", "owner").index(role)


def _is_member(project: str) -> sa.ColumnElement[bool]:
    members, links = _store.members, _store.group_accounts
    own = sa.select(members.c.name).where(members.c.project == project, members.c.kind == "account")
    groups = sa.select(members.c.name).where(members.c.project == project, members.c.kind == "group")
    by_group = sa.select(links.c.account).where(links.c.group.in_(groups))
    return sa.or_(_store.accounts.c.name.in_(own), _store.accounts.c.name.in_(by_group))


def _check_account_name(name: str) -> None:
    if not isinstance(name, str) or not _NAME.fullmatch(name) or _OURS.fullmatch(name):
        raise InvalidInput(
            f"{str(name)[:60]!r} cannot be the name of an account.",
            hint="Use 1 to 128 letters, digits, '.', '_', '@', '+' and '-'; 'flyball', 'local' and 'run-...' are taken.",
        )


def _unknown(name: str) -> NotFound:
    return NotFound(f"There is no account '{name[:128]}'.", hint="`flyball users list` shows those you may see.")
