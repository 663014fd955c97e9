"""Tokens: what programs show in place of a password. `fly_<id>_<secret>`, told once, kept as a hash."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

import sqlalchemy as sa

from flyball.access import _store
from flyball.access.service import AccessService
from flyball.errors import Conflict, InvalidInput, NotFound, PermissionDenied
from flyball.principals import ROLES, Role, acting
from flyball.refs import check_name, new_id
from flyball.serialization import digest
from flyball.verbs import change, read

Scope = Literal["read", "write"]
TokenKind = Literal["token", "session", "worker"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """What is known of a token; never the token itself.

    Attributes:
        kind: One that a person or a program keeps (`token`), a browser's `session`, or a `worker`'s, bound to a run.
        name: What it is for, in words.
        scope: Whether it may change things.
        role: The most it may do, whatever its account may.
        project: The only project that it is good for; empty for all.
        run: The run that it is bound to, if it is a worker's.
        used: When it was last used, to the hour.
    """

    id: str
    account: str
    kind: TokenKind
    name: str
    scope: Scope
    role: Role
    project: str = ""
    run: str = ""
    created: datetime
    created_by: str
    expires: datetime | None = None
    revoked: datetime | None = None
    used: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewToken:
    """A token that was just made.

    Attributes:
        secret: The token as programs show it. It is told here and never again.
    """

    token: Token
    secret: str


class Tokens(AccessService):
    """Makes tokens and ends them."""

    @change(role="none")
    def create(
        self,
        name: str,
        account: str = "",
        scope: Scope = "write",
        role: Role = "contributor",
        project: str = "",
        days: float = 90.0,
    ) -> NewToken:
        """Makes a token. The secret is in the answer and never told again.

        Args:
            name: What it is for, such as `nightly training`.
            account: Whose it is; one's own by default. Those of others are made by who looks after the instance.
            scope: `read`, or `write` for reading and changing.
            role: The most it may do.
            project: The only project that it is good for; empty for all that the account may enter.
            days: How long it is good for; 0 for until it is revoked.

        Raises:
            PermissionDenied: it is to be another's, or one's own token does not allow it.
            NotFound: there is no such account.
        """
        principal = acting()
        owner = account or principal.name
        if principal.limited:
            raise PermissionDenied(
                "A token with limits makes no further tokens.", hint="Log in, or use one that has none."
            )
        if owner != principal.name and not principal.admin:
            raise PermissionDenied(f"{principal.name} may not make a token for {owner}.", hint="Ask an admin.")
        if not 0 <= days <= 3660:
            raise InvalidInput(f"{days:g} days is no time for a token to last.", hint="Give 0 to 3660; 0 for no end.")
        expires = self._clock.now() + timedelta(days=days) if days else None
        with self._database.transaction() as connection:
            self._usable_account(connection, owner)
            return self.issue(
                connection, owner, name=_words(name), scope=scope, role=role, project=project, expires=expires
            )

    @change
    def create_for_run(self, run: str) -> NewToken:
        """Makes a token for the workers of a run: it writes to that run alone, and is dead when the run ends.

        Raises:
            PermissionDenied: one is oneself bound to another run.
        """
        principal = acting()
        check_name(run, "run")
        if principal.run not in ("", run):
            raise PermissionDenied(f"A worker of run {principal.run} makes no token for another run.")
        return self.for_run(run, project=principal.project)

    @read(role="none")
    def list(self, account: str = "", all: bool = False, past: bool = False, limit: int = 100) -> list[Token]:
        """Tokens, newest first: one's own, or for who looks after the instance those of others.

        Args:
            account: Whose.
            all: Those of every account.
            past: Also those that have ended.
        """
        principal = acting()
        query = sa.select(_store.tokens)
        if not (all and account == ""):
            query = query.where(_store.tokens.c.account == (account or principal.name))
        if (all or account not in ("", principal.name)) and not (principal.admin or principal.auditor):
            raise PermissionDenied(f"{principal.name} may not see the tokens of others.", hint="Ask an admin.")
        if not past:
            query = query.where(_is_good(self._clock.now()))
        rows = self._database.rows(query.order_by(_store.tokens.c.id.desc()).limit(max(1, min(limit, 1000))))
        return [_token(row) for row in rows]

    @change(role="none")
    def revoke(self, id: str) -> Token:
        """Ends a token at once, on every server.

        Raises:
            NotFound: one has no such token.
        """
        principal = acting()
        with self._database.transaction() as connection:
            found = connection.execute(sa.select(_store.tokens).where(_store.tokens.c.id == id)).first()
            if found is None or not (principal.admin or found.account == principal.name):
                raise NotFound(f"There is no token '{id[:60]}'.", hint="`flyball tokens list` shows yours.")
            self.end(connection, _store.tokens.c.id == id, reason="revoked")
            row = connection.execute(sa.select(_store.tokens).where(_store.tokens.c.id == id)).one()
        self._forget()
        return _token(row)

    def issue(
        self, connection: sa.Connection, account: str, *, kind: TokenKind = "token", name: str, scope: Scope = "write",
        role: Role = "owner", project: str = "", run: str = "", session: str = "", expires: datetime | None,
    ) -> NewToken:  # fmt: skip
        """Makes a token of any kind within a transaction; who may have it is the caller's to know."""
        if scope not in ("read", "write") or role not in ROLES[1:]:
            raise InvalidInput(f"A token has no scope '{scope}' with the role '{role}'.")
        if project:
            check_name(project, "project")
        row = {
            "id": new_id(), "account": account, "kind": kind, "name": name, "scope": scope, "role": role,
            "project": project, "run": run, "session": session, "created": self._clock.now(),
            "created_by": acting().name, "expires": expires, "revoked": None, "used": None,
        }  # fmt: skip
        secret = f"fly_{row['id']}_{secrets.token_hex(32)}"
        connection.execute(sa.insert(_store.tokens).values(**row, digest=digest(secret.encode())))
        if kind == "token":
            facts = {"token": str(row["id"]), "name": name, "scope": scope, "role": role, "project": project}
            self._events.append(connection, "access.token_created", f"accounts:/{account}", **facts)
        told = {key: value for key, value in row.items() if key != "session"}
        return NewToken(token=Token(**told), secret=secret)  # type: ignore[arg-type]  # the columns of its own table

    def end(self, connection: sa.Connection, which: sa.ColumnElement[bool], *, reason: str) -> int:
        """Ends tokens within a transaction; `forget` is to be called after it. Gives how many were good until now."""
        query = sa.select(_store.tokens).where(which, _store.tokens.c.revoked.is_(None))
        rows = connection.execute(query).all()
        ended = _store.revoke(connection, which, self._clock.now())
        _store.count_change(self._database, connection)
        told = [
            ("access.token_revoked", f"accounts:/{row.account}", {"token": row.id, "name": row.name, "reason": reason})
            for row in rows
            if row.kind == "token"
        ]
        self._events.append_all(connection, told)
        return ended

    def for_run(self, run: str, *, project: str = "", hours: float = 24 * 7) -> NewToken:
        """A worker's token: good for what its run needs, and dead when the run ends or after some hours."""
        with self._database.transaction() as connection:
            return self.issue(
                connection, f"run-{run}"[:128], kind="worker", name=f"worker of run {run}", role="contributor",
                project=project, run=run, expires=self._clock.now() + timedelta(hours=hours),
            )  # fmt: skip

    def end_of_run(self, run: str) -> None:
        """Ends the tokens of a run's workers."""
        with self._database.transaction() as connection:
            self.end(connection, _store.tokens.c.run == run, reason="its run has ended")
        self._forget()

    def forget_ended(self, days: float = 90.0) -> int:
        """Removes what ended long ago; gives how many tokens that were."""
        before = self._clock.now() - timedelta(days=days)
        ended = sa.or_(_store.tokens.c.revoked < before, _store.tokens.c.expires < before)
        return self._database.execute(sa.delete(_store.tokens).where(ended))

    def _usable_account(self, connection: sa.Connection, name: str) -> None:
        row = _store.account_row(connection, name)
        if row is None:
            raise NotFound(
                f"There is no account '{name}'.",
                hint="Add it with `flyball users add` or `flyball service-accounts add`.",
            )
        if row.disabled:
            raise Conflict(f"The account '{name}' is disabled.", hint="Enable it first.")


def _is_good(now: datetime) -> sa.ColumnElement[bool]:
    unexpired = sa.or_(_store.tokens.c.expires.is_(None), _store.tokens.c.expires > now)
    return sa.and_(_store.tokens.c.revoked.is_(None), unexpired)


def _words(name: str) -> str:
    if not isinstance(name, str) or not 0 < len(name.strip()) <= 200 or not name.isprintable():
        raise InvalidInput(f"{str(name)[:60]!r} does not say what the token is for.", hint="Use 1 to 200 characters.")
    return name.strip()


def _token(row: sa.Row[Any]) -> Token:
    shown = {column: value for column, value in row._mapping.items() if column not in ("digest", "session")}
    return Token(**shown)
