"""Coming in: by password, by a one-time link, by a code that a device shows, or from a provider of single sign-on.

These are no verbs: who asks is not known yet. The server's login routes and the command line call them.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import sqlalchemy as sa

from flyball.access import _store
from flyball.access.accounts import Accounts
from flyball.access.passwords import Brakes, is_right
from flyball.access.tokens import NewToken, Tokens
from flyball.clock import Clock
from flyball.errors import AlreadyExists, Conflict, LoginNeeded, NotFound
from flyball.principals import acting
from flyball.serialization import digest
from flyball.storage.database import Database
from flyball.storage.event_log import EventLog

_WRONG: Final = "That name and password do not open this door."
_DEVICE_TIME: Final = timedelta(minutes=10)
_DEVICE_TOKEN_TIME: Final = timedelta(days=90)
_LETTERS: Final = "BCDFGHJKLMNPQRSTVWXZ"  # without vowels no words come of it, and nothing looks like a figure
POLL_SECONDS: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceCode:
    """What a device needs to log in.

    Attributes:
        device_code: What the device itself shows the server when it asks how things stand; a secret.
        user_code: What a person types in at another place, or finds there and compares.
        expires_in: Seconds.
        interval: Seconds between two questions.
    """

    device_code: str
    user_code: str
    expires_in: int
    interval: int = POLL_SECONDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Newcomer:
    """Someone as a provider of single sign-on describes them.

    Attributes:
        subject: The provider's address and their id there.
        groups: Names of groups they shall be in here; those that are not there are made.
        roles: What those groups may do: group, project and role.
        admin: Whether they look after the instance; None leaves it as it is.
        auditor: Whether they may read everything; None leaves it as it is.
        session: What the provider calls this login.
    """

    subject: str
    name: str
    full_name: str = ""
    email: str = ""
    groups: tuple[str, ...] = ()
    roles: tuple[tuple[str, str, str], ...] = ()
    admin: bool | None = None
    auditor: bool | None = None
    session: str = ""


class Logins:
    """Lets people in.

    Args:
        session: How long a browser stays logged in.
        forget: Told when a session ends.
    """

    def __init__(
        self, database: Database, events: EventLog, clock: Clock, *, session: timedelta = timedelta(hours=12),
        forget: Callable[[], None] = lambda: None,
    ) -> None:  # fmt: skip
        self._database = database
        self._events = events
        self._clock = clock
        self._session = session
        self._forget = forget
        self._tokens = Tokens(database, events, clock)
        self._accounts = Accounts(database, events, clock)
        self._brakes = Brakes(database, clock)

    def with_password(self, name: str, password: str, address: str) -> NewToken:
        """A session for who knows the password.

        Args:
            address: Where the one who asks comes from.

        Raises:
            LoginNeeded: name or password is wrong; which of them is not said.
            Overloaded: too many have been wrong.
        """
        self.check_password(name, password, address)
        with self._database.transaction() as connection:
            return self._open(connection, name, way="password", address=address)

    def check_password(self, name: str, password: str, address: str) -> None:
        """Makes sure that this is the password of that account; raises what `with_password` does."""
        keys = (f"account:{name[:128]}", f"address:{address[:100]}")
        self._brakes.check(*keys)
        with self._database.reading() as connection:
            row = _store.account_row(connection, name)
        usable = row is not None and row.kind == "user" and not row.disabled
        right = is_right(password, row.password if row is not None and usable else "")
        with self._database.transaction() as connection:
            if right:
                self._brakes.succeeded(connection, name)
                return
            self._brakes.failed(connection, *keys)
            known = name if row is not None else "?"  # what is typed as a name by mistake is often a password
            self._events.append(connection, "access.login_failed", f"accounts:/{known}", address=address[:100])
        raise LoginNeeded(_WRONG)

    def end_session(self, token: str) -> None:
        """Ends a session by the id of its token."""
        with self._database.transaction() as connection:
            which = sa.and_(_store.tokens.c.id == token, _store.tokens.c.kind == "session")
            account = connection.execute(sa.select(_store.tokens.c.account).where(which)).scalar()
            self._tokens.end(connection, which, reason="logged out")
            if account is not None:
                self._events.append(connection, "access.logged_out", f"accounts:/{account}")
        self._forget()

    def provider_session(self, token: str) -> str:
        """What the provider calls the login of a session; empty if it began otherwise."""
        row = self._database.row(sa.select(_store.tokens.c.session).where(_store.tokens.c.id == token))
        return str(row[0]) if row else ""

    def end_provider_sessions(self, *, session: str = "", subject: str = "") -> int:
        """Ends the sessions that a provider says are over: one of its logins, or all of a person. Gives how many."""
        table = _store.tokens
        mine = sa.select(_store.accounts.c.name).where(_store.accounts.c.subject == subject)
        which = table.c.session == session if session else table.c.account.in_(mine)
        with self._database.transaction() as connection:
            ended = self._tokens.end(connection, sa.and_(which, table.c.kind == "session"), reason="logged out there")
        self._forget()
        return ended

    def from_provider(self, newcomer: Newcomer, address: str) -> NewToken:
        """A session for who comes from a provider; with their first visit they get an account.

        Raises:
            LoginNeeded: the account is disabled.
            AlreadyExists: the name belongs to somebody who does not come from there.
        """
        table = _store.accounts
        with self._database.transaction() as connection:
            row = connection.execute(sa.select(table).where(table.c.subject == newcomer.subject)).first()
            name = row.name if row else account_name(newcomer.name)
            if row is None:
                if _store.account_row(connection, name) is not None:
                    raise AlreadyExists(
                        f"There is an account '{name}' already, which does not come from the provider.",
                        hint="An admin can remove it, or give it another name there.",
                    )
                self._accounts.add(
                    connection, name, full_name=newcomer.full_name, email=newcomer.email, subject=newcomer.subject
                )
            elif row.disabled:
                raise LoginNeeded(_WRONG)
            told = {"full_name": newcomer.full_name[:250], "email": newcomer.email[:250]}
            flags = {"admin": newcomer.admin, "auditor": newcomer.auditor}
            values: dict[str, Any] = {**told, **{name: flag for name, flag in flags.items() if flag is not None}}
            connection.execute(sa.update(table).where(table.c.name == name).values(**values))
            self._set_groups(connection, name, newcomer.groups)
            self._set_roles(connection, newcomer.roles)
            _store.count_change(self._database, connection)
            made = self._open(connection, name, way="single sign-on", address=address, session=newcomer.session)
        self._forget()
        return made

    def begin_device(self, address: str) -> DeviceCode:
        """What a device needs that wants to log in.

        Raises:
            Overloaded: too many codes from there were wrong.
        """
        self._brakes.check(f"address:{address[:100]}")
        code = "".join(secrets.choice(_LETTERS) for _ in range(8))
        secret = self.remember("device", {"state": "waiting", "address": address[:100]}, _DEVICE_TIME, code=code)
        seconds = int(_DEVICE_TIME.total_seconds())
        return DeviceCode(device_code=secret, user_code=f"{code[:4]}-{code[4:]}", expires_in=seconds)

    def approve_device(self, user_code: str, address: str) -> str:
        """Lets the device in that shows this code, as who acts; gives the address that it asked from.

        Raises:
            NotFound: there is no such code, or it is too old.
            Overloaded: too many codes from there were wrong.
        """
        principal, table = acting(), _store.pending
        key = f"address:{address[:100]}"
        self._brakes.check(key)
        code = re.sub(r"[^A-Z]", "", user_code.upper())
        with self._database.transaction() as connection:
            query = sa.select(table).where(
                table.c.code == code, table.c.kind == "device", table.c.expires > self._now()
            )
            row = connection.execute(query).first()
            if row is not None and row.facts["state"] == "waiting":
                facts = {**row.facts, "state": "approved", "account": principal.name}
                connection.execute(sa.update(table).where(table.c.digest == row.digest).values(facts=facts))
                return str(row.facts["address"])
            self._brakes.failed(connection, key)
        raise NotFound("There is no such code, or it is too old.", hint="Run `flyball login` again.")

    def poll_device(self, device_code: str, name: str) -> NewToken | None:
        """The token of a device that was let in; None while nobody has said so yet.

        Raises:
            LoginNeeded: it asked too late, or shows what it was not given.
        """
        table = _store.pending
        mine = sa.and_(table.c.digest == digest(device_code.encode()), table.c.kind == "device")
        with self._database.transaction() as connection:
            row = connection.execute(sa.select(table).where(mine, table.c.expires > self._now())).first()
            if row is None:
                raise LoginNeeded("That took too long, or was done already.", hint="Run `flyball login` again.")
            if row.facts["state"] == "waiting":
                return None
            if not connection.execute(sa.delete(table).where(mine)).rowcount:
                raise LoginNeeded("That was done already.")
            account = row.facts["account"]
            self._tell_login(connection, account, way="device", address=row.facts["address"])
            expires = self._now() + _DEVICE_TOKEN_TIME
            return self._tokens.issue(connection, account, name=name[:200] or "flyball login", expires=expires)

    def remember(self, kind: str, facts: Mapping[str, Any], span: timedelta, *, code: str | None = None) -> str:
        """Keeps what is begun for a while; gives the secret by which it is found again."""
        secret, table = secrets.token_urlsafe(32), _store.pending
        values = {"digest": digest(secret.encode()), "kind": kind, "code": code, "facts": dict(facts)}
        with self._database.transaction() as connection:
            connection.execute(sa.delete(table).where(table.c.expires < self._now()))
            connection.execute(sa.insert(table).values(**values, expires=self._now() + span))
        return secret

    def take(self, kind: str, secret: str) -> dict[str, Any] | None:
        """What was begun, once; None if there is no such thing, or it is too old."""
        table = _store.pending
        mine = sa.and_(table.c.digest == digest(secret.encode()), table.c.kind == kind)
        with self._database.transaction() as connection:
            row = connection.execute(sa.select(table).where(mine)).first()
            gone = connection.execute(sa.delete(table).where(mine)).rowcount
        return dict(row.facts) if row is not None and gone and row.expires > self._now() else None

    def use_once(self, kind: str, secret: str, span: timedelta) -> bool:
        """Whether this is used for the first time."""
        table = _store.pending
        values: dict[str, Any] = {"digest": digest(secret.encode()), "kind": kind, "code": None, "facts": {}}
        with self._database.transaction() as connection:
            connection.execute(sa.delete(table).where(table.c.expires < self._now()))
            added = self._database.insert(table).values(**values, expires=self._now() + span)
            return bool(connection.execute(added.on_conflict_do_nothing()).rowcount)

    def _open(self, connection: sa.Connection, account: str, *, way: str, address: str, session: str = "") -> NewToken:
        self._tell_login(connection, account, way=way, address=address)
        expires = self._now() + self._session
        return self._tokens.issue(
            connection, account, kind="session", name="browser", session=session[:250], expires=expires
        )

    def _tell_login(self, connection: sa.Connection, account: str, *, way: str, address: str) -> None:
        seen = sa.update(_store.accounts).where(_store.accounts.c.name == account)
        connection.execute(seen.values(seen=self._now()))
        self._events.append(connection, "access.logged_in", f"accounts:/{account}", way=way, address=address[:100])

    def _set_groups(self, connection: sa.Connection, account: str, names: tuple[str, ...]) -> None:
        links, groups = _store.group_accounts, _store.groups
        provided = sa.and_(links.c.account == account, links.c.provided)
        connection.execute(sa.delete(links).where(provided, links.c.group.not_in(names)))
        for name in names:
            made = self._database.insert(groups).values(
                name=name, description="from single sign-on", created=self._now()
            )
            connection.execute(made.on_conflict_do_nothing())
            joined = self._database.insert(links).values(group=name, account=account, provided=True)
            connection.execute(joined.on_conflict_do_nothing())

    def _set_roles(self, connection: sa.Connection, roles: tuple[tuple[str, str, str], ...]) -> None:
        for group, project, role in roles:
            values = {"role": role, "since": self._now(), "by": "single sign-on"}
            made = self._database.insert(_store.members).values(project=project, kind="group", name=group, **values)
            where = _store.members.c.role != role
            key = ["project", "kind", "name"]
            connection.execute(made.on_conflict_do_update(index_elements=key, set_=values, where=where))

    def _now(self) -> Any:
        return self._clock.now()


def account_name(given: str) -> str:
    """A name for an account, made of what a provider calls somebody.

    >>> account_name("ada.lovelace@example.org")
    'ada.lovelace@example.org'
    >>> account_name("Ada Lovelace")
    'Ada-Lovelace'
    """
    name = re.sub(r"[^A-Za-z0-9._@+-]+", "-", given).strip("-._@+")[:128]
    if not name:
        raise Conflict("The provider gives no name that can be used here.", hint="Let it send preferred_username.")
    return name
